//! Units kept by pid files, and steps that are done once.

use std::collections::BTreeMap;

use sdtd::catalogue::Renderer;
use sdtd::plan::{Step, UnitChange};

use super::seen::{Seen, file, unit_step};
use crate::setup::catalogue;

/// The script that keeps a unit, with a command that only sleeps.
fn ctl(seen: &Seen, unit: &str) -> String {
    let state = format!("{}/units/{unit}", seen.host.places().state);
    let values = minijinja::context! { unit => minijinja::context! {
        command => ["/bin/sleep", "300"],
        env => BTreeMap::from([("WORD", "it's \"so\"")]),
        state => state, out => seen.at("/var/log/nap.out"),
        guards => Vec::<String>::new(), nofile => 64, stop_within => 5, reload => ["/bin/true"],
    } };
    let catalogue = catalogue();
    let text = catalogue.shared("pidfile.sh.j2").expect("there");
    Renderer::new()
        .render("pidfile.sh.j2", text, &values)
        .expect("it renders")
}

/// Started, started again, restarted, told to read its files, stopped, gone.
pub async fn scenario(seen: &mut Seen) {
    let state = seen.host.places().state;
    let (ctl_path, wanted) = (
        format!("{state}/units/nap/ctl"),
        format!("{state}/units/nap/wanted"),
    );
    let logs = Step::Dir {
        path: seen.at("/var/log"),
        owner: None,
        mode: "0755".to_owned(),
    };
    let nap = |to| [unit_step("nap", to)];
    let text = ctl(seen, "nap");
    seen.blind(&[
        logs,
        file(&ctl_path, None, &text, "0755"),
        file(&wanted, None, "a1 b1\n", "0644"),
    ])
    .await;

    seen.say("it is started; again, with other files, nothing happens");
    seen.steps(&nap(UnitChange::Start)).await;
    seen.steps(&[file(&wanted, Some("a1 b1\n"), "a1 b2\n", "0644")])
        .await;
    seen.steps(&nap(UnitChange::Start)).await;

    seen.say("it reads its files again; it is restarted");
    seen.steps(&nap(UnitChange::Reload)).await;
    seen.steps(&[file(&wanted, Some("a1 b2\n"), "a2 b2\n", "0644")])
        .await;
    seen.steps(&nap(UnitChange::Restart)).await;

    seen.say("it is stopped, and again; a restart starts what does not run");
    seen.steps(&nap(UnitChange::Stop)).await;
    seen.steps(&nap(UnitChange::Stop)).await;
    seen.steps(&nap(UnitChange::Restart)).await;

    seen.say("it is taken away");
    seen.steps(&nap(UnitChange::Disable)).await;
    let path = format!("{state}/units/nap");
    seen.steps(&[Step::Remove { path, data: false }]).await;
    seen.steps(&nap(UnitChange::Stop)).await;
}

/// A hook that fails, is done, and is not done again.
pub async fn once(seen: &mut Seen) {
    let (hook, marker) = (seen.at("/hooks/make.sh"), seen.at("/state/once-make"));
    let trace = seen.at("/trace");
    let make = Step::Once {
        name: "make".to_owned(),
        hook: hook.clone(),
        marker: marker.clone(),
        user: None,
        env: BTreeMap::from([
            ("TRACE".to_owned(), trace.clone()),
            ("WORD".to_owned(), "it's $X".to_owned()),
        ]),
        within: 5,
    };
    let text = |code: u8| {
        format!(
            "#!/bin/sh\nprintf '%s:%s\\n' \"$WORD\" \"${{SDTD_RESUMED:-}}\" >>\"$TRACE\"\nexit {code}\n"
        )
    };
    let after = seen.at("/after");
    let end = file(&after, None, "after\n", "0644");
    seen.look_at(&["/after"]);
    seen.blind(&[Step::Dir {
        path: seen.at("/state"),
        owner: None,
        mode: "0755".to_owned(),
    }])
    .await;

    seen.say("it fails: it is not done, and what stands behind it is not either");
    seen.steps(&[
        file(&hook, None, &text(3), "0755"),
        make.clone(),
        end.clone(),
    ])
    .await;
    seen.say("it is mended and done, then never again");
    seen.steps(&[
        file(&hook, Some(&text(3)), &text(0), "0755"),
        make.clone(),
        end.clone(),
    ])
    .await;
    seen.steps(&[make, end]).await;
    if seen.host.kind == "local" {
        let trace = std::fs::read_to_string(trace).expect("it ran");
        assert_eq!(
            trace, "it's $X:\nit's $X:1\n",
            "the second time it was told that it was cut off"
        );
    }
}
