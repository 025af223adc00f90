//! What users of a host get: variables and paths in their login shells, and the packages' tools.

use std::collections::BTreeMap;

use minijinja::value::{Serde, Value};
use serde_json::json;

use crate::catalogue::{Descriptor, RenderError};
use crate::id::ServiceName;
use crate::inventory::Host;
use crate::plan::context::Context;
use crate::plan::packages;
use crate::plan::paths::HostPaths;

/// Starters, by path.
pub(super) type Tools = BTreeMap<String, String>;

impl Context<'_> {
    /// The block that a service puts into the login shell's profile of a host.
    ///
    /// # Errors
    /// When a template can't be rendered.
    pub fn profile(&self, host: &Host, name: &ServiceName) -> Result<Option<String>, RenderError> {
        let Some(Descriptor {
            profile: Some(profile),
            ..
        }) = self.catalogue.get(name).map(|f| &f.descriptor)
        else {
            return Ok(None);
        };
        let paths = HostPaths::new(&self.cluster.name, host);
        let link = packages::link(self.catalogue, name, &paths).unwrap_or_default();
        let folders = self.catalogue.folders(name);
        let values = Value::from(Serde(json!({
            "paths": { "link": link, "config": paths.config(folders), "logs": paths.logs(folders) },
        })));
        let place = format!("{name}/service.yaml (profile)");
        let mut lines = Vec::new();
        for (key, text) in &profile.env {
            let value = self.renderer.render(&place, text, &values)?;
            lines.push(format!("export {key}={}", crate::facts::quote(&value)));
        }
        for text in &profile.path {
            let value = self.renderer.render(&place, text, &values)?;
            lines.push(format!("PATH=\"$PATH:{value}\""));
        }
        Ok(Some(lines.join("\n")))
    }

    /// The starters that a package's tree gets where it lacks them, by path inside the tree: the same on all hosts
    /// that have the same root.
    ///
    /// # Errors
    /// When a template can't be rendered.
    pub fn tools(&self, host: &Host, name: &ServiceName) -> Result<Tools, RenderError> {
        let paths = HostPaths::new(&self.cluster.name, host);
        let key = (paths.root.clone(), name.clone());
        let make = || self.make_tools(&paths, name);
        self.shared.tools.get_or_make(key, make)
    }

    fn make_tools(&self, paths: &HostPaths, name: &ServiceName) -> Result<Tools, RenderError> {
        let mut tools = Tools::new();
        let Some(folder) = self.catalogue.get(name) else {
            return Ok(tools);
        };
        let link = |service: &ServiceName| {
            packages::link(self.catalogue, service, paths).unwrap_or_default()
        };
        // Links, not trees: a tool must go on working when its Java is replaced.
        let others: serde_json::Map<String, serde_json::Value> = self
            .cluster
            .services
            .keys()
            .map(|other| (other.to_string(), json!({ "home": link(other) })))
            .collect();
        let values = Value::from(Serde(json!({
            "paths": { "home": link(name), "config": paths.config(self.catalogue.folders(name)) }, "services": others,
            "release": self.cluster.services.get(name).map(|s| self.catalogue.release(s)).unwrap_or_default(),
        })));
        for tool in &folder.descriptor.tools {
            let place = format!("{name}/service.yaml (tools)");
            let command = self.renderer.render(&place, &tool.command, &values)?;
            if command.is_empty() {
                continue;
            }
            let text = self.catalogue.shared("tool.sh.j2").unwrap_or_default();
            let script =
                self.renderer
                    .render("_lib/tool.sh.j2", text, &minijinja::context! { command })?;
            tools.insert(format!("bin/{}", tool.name), script);
        }
        Ok(tools)
    }
}
