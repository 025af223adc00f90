//! Mermaid's flow charts: what forges show of a fenced block `mermaid`.

use std::fmt::Write as _;

use super::Diagram;

/// The picture as Mermaid's text.
#[must_use]
pub fn mermaid(diagram: &Diagram) -> String {
    let mut out = format!("---\ntitle: {}\n---\nflowchart TB\n", diagram.title);
    for (n, service) in diagram.services.iter().enumerate() {
        let _ = writeln!(out, "  s{n}([\"{} {}\"])", service.name, service.version);
    }
    for (n, service) in diagram.services.iter().enumerate() {
        for link in &service.talks_to {
            let label = match link.label.as_str() {
                "" => String::new(),
                label => format!("|{label}|"),
            };
            let _ = writeln!(out, "  s{n} -->{label} s{}", link.to);
        }
    }
    for (h, host) in diagram.hosts.iter().enumerate() {
        let _ = writeln!(out, "  subgraph h{h}[\"{} ({})\"]", host.name, host.address);
        for (i, (service, line)) in host.instances.iter().enumerate() {
            let name = &diagram.services[*service].name;
            let _ = writeln!(out, "    h{h}i{i}[\"{name} {line}\"]");
        }
        out.push_str("  end\n");
    }
    out
}
