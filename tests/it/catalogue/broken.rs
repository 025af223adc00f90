//! A user's own service that is wrong: the message has the file, the line and the line itself.

use std::path::{Path, PathBuf};

use sdtd::catalogue::{Catalogue, CatalogueError, RenderError};
use sdtd::error::Kind;
use sdtd::flow::plan_failure;
use sdtd::plan::PlanError;

use crate::setup::{bare_plan, cluster};

const SERVICE: &str = "\
title: A broken thing
versions: { \"1\": {} }
roles:
  one:
    count: everywhere
    files: [{ template: own.conf.j2, to: \"{{ paths.config }}/own.conf\" }]
    run: { command: [/bin/true] }
";

/// A folder with one service of these files.
fn service(files: &[(&str, &str)]) -> (tempfile::TempDir, PathBuf) {
    let dir = tempfile::tempdir().expect("a folder");
    let own = dir.path().join("own");
    std::fs::create_dir(&own).expect("a folder");
    for (name, text) in files {
        std::fs::write(own.join(name), text).expect("written");
    }
    let path = dir.path().to_owned();
    (dir, path)
}

/// The error of planning with a template of such a text.
fn render_error(template: &str) -> RenderError {
    let (_dir, path) = service(&[("service.yaml", SERVICE), ("own.conf.j2", template)]);
    let catalogue = Catalogue::load(&[path]).expect("its descriptor is good");
    let cluster = cluster(
        "cluster: c\nhosts: { a: 10.0.0.1 }\nservices: { own: {} }\n",
        &catalogue,
    );
    match bare_plan(&cluster, &catalogue, &[].into()) {
        Err(PlanError::Render(error)) => error,
        other => panic!("not a render error: {other:?}"),
    }
}

#[test]
fn an_error_in_a_template_names_its_line() {
    let cases = [
        ("one\ntwo\n{{ host.nmae }}\nfour\n", 3, "{{ host.nmae }}"),
        ("{% if host.name %}\nx\n{% else\n", 3, "{% else"),
        ("a\n{{ 1 + }}\n", 2, "{{ 1 + }}"),
        (
            "{% for m in members %}\n{{ m.name }}\n{{ m.ports.none }}\n{% endfor %}\n",
            3,
            "{{ m.ports.none }}",
        ),
        (
            "a\n\n{{ service.config | overlay(1) }}\n",
            3,
            "{{ service.config | overlay(1) }}",
        ),
        ("{{ members | nothing }}", 1, "{{ members | nothing }}"),
        ("a\nid={{ members[0].id }}\n", 2, "id={{ members[0].id }}"),
    ];
    for (template, line, text) in cases {
        let error = render_error(template);
        assert!(
            error.template.ends_with("own/own.conf.j2"),
            "{}",
            error.template
        );
        assert_eq!(
            (error.line, error.source_line.as_deref()),
            (line, Some(text)),
            "{error}"
        );
        let shown = error.to_string();
        assert!(
            shown.contains(&format!("own.conf.j2:{line}: ")) && shown.contains(text),
            "{shown}"
        );
    }
}

#[test]
fn such_an_error_is_wrong_use() {
    let error = render_error("{{ nope }}");
    let failure = plan_failure(PlanError::Render(error));
    assert_eq!(failure.kind, Kind::Usage);
    assert!(
        failure.to_string().contains("`nope` is not defined"),
        "{failure}"
    );
}

#[track_caller]
fn refused(path: &Path) -> String {
    match Catalogue::load(&[path.to_owned()]) {
        Err(error @ CatalogueError::Descriptor { .. }) => error.to_string(),
        other => panic!("not refused: {other:?}"),
    }
}

#[test]
fn an_error_in_a_descriptor_names_its_line_and_column() {
    let unknown = SERVICE.replace("    run: {", "    rnu: {");
    let (_dir, path) = service(&[("service.yaml", &unknown)]);
    let shown = refused(&path);
    assert!(
        shown.contains("own/service.yaml") && shown.contains("rnu"),
        "{shown}"
    );
    assert!(shown.contains("line 7") || shown.contains("7:5"), "{shown}");
    let (_dir, path) = service(&[("other.txt", "")]);
    assert!(refused(&path).contains("no such file"));
}

#[test]
fn a_template_that_is_not_there_is_named() {
    let (_dir, path) = service(&[("service.yaml", SERVICE)]);
    let catalogue = Catalogue::load(&[path]).expect("its descriptor is good");
    let cluster = cluster(
        "cluster: c\nhosts: { a: 10.0.0.1 }\nservices: { own: {} }\n",
        &catalogue,
    );
    let error = bare_plan(&cluster, &catalogue, &[].into()).expect_err("no plan");
    assert!(
        error
            .to_string()
            .contains("it names the template `own.conf.j2`"),
        "{error}"
    );
}

#[test]
fn a_users_folder_takes_the_place_of_a_built_in_service() {
    let dir = tempfile::tempdir().expect("a folder");
    let java = dir.path().join("java");
    std::fs::create_dir(&java).expect("a folder");
    std::fs::write(
        java.join("service.yaml"),
        "title: Mine\nversions: { \"8\": {} }\n",
    )
    .expect("written");
    let catalogue = Catalogue::load(&[dir.path().to_owned()]).expect("good");
    let java = catalogue
        .get(&"java".parse().expect("a name"))
        .expect("there");
    assert_eq!(
        (
            java.descriptor.title.as_str(),
            java.descriptor.default_version()
        ),
        ("Mine", Some("8"))
    );
    assert!(
        catalogue.get(&"kafka".parse().expect("a name")).is_some(),
        "the others stay"
    );
}
