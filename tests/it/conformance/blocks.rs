//! Marked blocks in files that belong to somebody else.

use sdtd::plan::Step;

use super::seen::{Seen, file};

fn block(path: &str, name: &str, after: Option<&str>) -> Step {
    Step::Block {
        path: path.to_owned(),
        name: name.to_owned(),
        before: None,
        after: after.map(str::to_owned),
    }
}

/// Put in, replaced, two of them, taken out, with the file's own lines left as they are.
pub async fn scenario(seen: &mut Seen) {
    let (new, old, open) = (
        seen.at("/etc/new"),
        seen.at("/etc/old"),
        seen.at("/etc/open"),
    );
    seen.look_at(&["/etc/new", "/etc/old", "/etc/open"]);
    let own = "# it's mine\nPATH=\"$PATH:\\x\"\n  umask 022\n";
    let first = [
        file(&old, None, own, "0600"),
        file(&open, None, "no end of line", "0644"),
    ];
    seen.blind(&first).await;

    seen.say("put into a file that is not there, one with lines, one whose last line has no end");
    for path in [&new, &old, &open] {
        seen.steps(&[block(
            path,
            "sdtd c",
            Some("export A='b c'\nPATH=\"$PATH:/opt/x/bin\""),
        )])
        .await;
    }
    seen.say("the same again, then another text");
    seen.steps(&[block(
        &old,
        "sdtd c",
        Some("export A='b c'\nPATH=\"$PATH:/opt/x/bin\""),
    )])
    .await;
    seen.steps(&[block(&old, "sdtd c", Some("one line"))]).await;

    seen.say("a second cluster's block stands beside it, and each is taken out alone");
    seen.steps(&[block(&old, "sdtd other", Some("theirs"))])
        .await;
    seen.steps(&[block(&old, "sdtd c", Some("mine again"))])
        .await;
    seen.steps(&[block(&old, "sdtd other", None)]).await;
    seen.steps(&[block(&old, "sdtd c", None), block(&new, "sdtd c", None)])
        .await;
    seen.steps(&[block(&old, "sdtd c", None)]).await;
}
