//! Which files are copied more often once there are more DataNodes.

use std::fs;

use super::Bench;

/// A file system that is a folder.
const RUN: &str = include_str!("files.sh");

fn bench(want: &str, files: &str) -> Bench {
    let bench = Bench::new();
    let key = format!("<property><name>dfs.replication</name><value>{want}</value></property>");
    bench.file("config/datanode/hdfs-site.xml", &key);
    bench.file("config/client/run.sh", RUN);
    bench.file("config/fs/files", files);
    bench
}

fn text(bench: &Bench, path: &str) -> String {
    fs::read_to_string(bench.path(path)).unwrap_or_default()
}

const HOOK: &str = "hdfs/hooks/copies.sh";

#[test]
fn files_with_fewer_copies_get_more_and_no_others() {
    let bench = bench("3", "/a b*=1\n/c=2\n/d=3\n/e=10\n");
    assert_eq!(bench.run(HOOK).0, Some(0));
    assert_eq!(
        text(&bench, "config/fs/files"),
        "/a b*=3\n/c=3\n/d=3\n/e=10\n"
    );
    assert_eq!(text(&bench, "config/fs/log"), "dfs -setrep 3 /a b\\* /c\n");
    assert_eq!(text(&bench, "config/fs/seen"), "3\n");
    // What somebody wants less of later stays so.
    bench.file("config/fs/files", "/a=1\n");
    assert_eq!(bench.run(HOOK).0, Some(0));
    assert_eq!(text(&bench, "config/fs/files"), "/a=1\n");
}

#[test]
fn nothing_is_done_where_there_is_nothing_to_do_and_said_to_be_done_where_it_was_not() {
    let empty = bench("2", "");
    assert_eq!(empty.run(HOOK).0, Some(0));
    assert_eq!(text(&empty, "config/fs/log"), "");
    assert_eq!(text(&empty, "config/fs/seen"), "2\n");
    let away = bench("2", "/a=1\n");
    away.file("config/fs/away", "");
    assert_eq!(away.run(HOOK), (Some(1), "away".to_owned()));
    assert_eq!(text(&away, "config/fs/seen"), "");
}
