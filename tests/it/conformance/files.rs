//! Files, folders and links.

use sdtd::plan::Step;

use super::seen::{Seen, file};

fn dir(path: &str, mode: &str) -> Step {
    Step::Dir {
        path: path.to_owned(),
        owner: None,
        mode: mode.to_owned(),
    }
}

fn link(path: &str, to: &str) -> Step {
    Step::Link {
        path: path.to_owned(),
        before: None,
        to: to.to_owned(),
    }
}

fn remove(path: &str) -> Step {
    Step::Remove {
        path: path.to_owned(),
        data: false,
    }
}

/// New, changed, as it is, changed by somebody else, gone.
pub async fn scenario(seen: &mut Seen) {
    let folder = seen.at("/etc/thing");
    let inner = seen.at("/etc/thing/a b/it's");
    let conf = seen.at("/etc/thing/conf");
    let here = seen.at("/opt/thing");
    seen.look_at(&[
        "/etc/thing",
        "/etc/thing/a b",
        "/etc/thing/a b/it's",
        "/etc/thing/conf",
    ]);
    seen.look_at(&["/opt", "/opt/thing", "/nowhere"]);

    seen.say("folders: new, with others above; again; with other permissions");
    seen.steps(&[dir(&inner, "0750"), dir(&folder, "0755")])
        .await;
    seen.steps(&[dir(&inner, "0700")]).await;

    seen.say("a file: new, again, changed, with other permissions");
    seen.steps(&[file(&conf, None, "one\n", "0640")]).await;
    seen.steps(&[file(&conf, None, "one\n", "0640")]).await;
    seen.steps(&[file(&conf, Some("one\n"), "two\n", "0640")])
        .await;
    seen.steps(&[file(&conf, Some("two\n"), "two\n", "0600")])
        .await;

    seen.say("a file that is no longer what the plan was made for ends the batch");
    seen.steps(&[
        file(&conf, Some("one\n"), "three\n", "0644"),
        dir(&folder, "0700"),
    ])
    .await;
    seen.steps(&[file(&conf, None, "three\n", "0644")]).await;
    seen.steps(&[file(&conf, Some("anything\n"), "two\n", "0644")])
        .await;
    let gone = seen.at("/etc/thing/gone");
    seen.look_at(&["/etc/thing/gone"]);
    seen.steps(&[file(&gone, Some("one\n"), "two\n", "0644")])
        .await;

    seen.say("links: new, again, elsewhere, to nothing");
    seen.steps(&[link(&here, &folder)]).await;
    seen.steps(&[link(&here, &folder)]).await;
    seen.steps(&[link(&here, &inner)]).await;
    seen.steps(&[link(&here, "/nowhere/at all")]).await;

    seen.say("removing: a link, a file, a folder with all that is in it, nothing");
    seen.steps(&[remove(&here), remove(&conf)]).await;
    seen.steps(&[remove(&folder)]).await;
    seen.steps(&[remove(&folder), remove(&here)]).await;
}

/// Texts that a shell or a reader of lines could spoil.
pub async fn odd_texts(seen: &mut Seen) {
    let long: String = (0..4000)
        .map(|n| format!("key.{n}=value {n} of a long file\n"))
        .collect();
    let texts = [
        ("empty", ""),
        ("no end of line", "one\ntwo"),
        ("only an end of line", "\n"),
        ("empty lines", "\n\na\n\n\n"),
        (
            "quotes",
            "it's \"quoted\" `x` $(x) $HOME ${X} \\ \\n \\\\\n",
        ),
        ("quotes without an end", "it's \"quoted\" `x` $(x) $HOME \\"),
        (
            "the words that end texts",
            "SDTD_END\nSDTD_END_\n@sdtd 1 failed\nEOF\n",
        ),
        (
            "words of the answer",
            "end\nbegin\t1\n|bar\nfile\tx\t644\troot\t3\n",
        ),
        ("spaces and tabs", "  a\t b  \n\t\n"),
        ("other letters", "žluťoučký kůň, 漢字, 🎈\n"),
        ("options and formats", "-n\n-e \\t\n%s %d %%\n"),
        ("ends of lines of another system", "one\r\ntwo\r\n"),
        ("a long file", long.as_str()),
    ];
    for (n, (what, text)) in texts.into_iter().enumerate() {
        let path = seen.at(&format!("/odd/{n}"));
        seen.say(what);
        seen.blind(&[file(&path, None, text, "0644")]).await;
        seen.look_at(&[&format!("/odd/{n}")]);
        let facts = seen.facts().await;
        let now = facts.files.get(&path).map(|file| file.text.as_str());
        assert_eq!(now, Some(text), "{}: {what}", seen.host.kind);
        // What was read is what the next plan starts from.
        seen.blind(&[file(&path, Some(text), "changed\n", "0644")])
            .await;
    }
}
