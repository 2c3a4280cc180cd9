//! The demo as one meets it: what it tells one to type works, does not end it, and nothing is left of it afterwards.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};
use std::time::Duration;

use privet_demo::process::{Process, family, program, until};
use privet_tests::SOON;

#[test]
fn the_commands_that_the_demo_prints_work_and_do_not_end_it() {
    let folder = tempfile::Builder::new().prefix("privet-").tempdir().unwrap();
    let (house, log) = (folder.path().join("demo"), folder.path().join("demo.log"));
    let words = ["--folder".as_ref(), house.as_os_str()];
    let mut demo = Demo(Process::start("demo", &program("privet-demo").unwrap(), &words, &log).unwrap());
    let told = |what: &str, line: &dyn Fn(&str) -> bool| {
        until(what, SOON * 2, || fs::read_to_string(&log).ok()?.lines().find(|told| line(told)).map(str::to_owned))
            .unwrap()
    };
    told("the demo's saying that all is running", &|line| line.contains("Ctrl-C"));
    for what in [
        "the live picture",
        "clips of motion",
        "notifications",
        "quiet for an hour",
        "the hub's state",
        "what the relay has",
        "logs",
    ] {
        let line = told(what, &|line| line.trim_start().starts_with(what));
        let command = line.trim_start().strip_prefix(what).unwrap().trim();
        // Here is nobody to look at a picture.
        let command =
            command.replace("--play", "--seconds 2 --out live.mp4").replace("--follow", "--follow --seconds 2");
        let command = if what == "logs" { format!("ls {command}") } else { command };
        typed(&command, folder.path());
    }
    assert!(folder.path().join("live.mp4").metadata().unwrap().len() > 0);

    // The clip that it tells of afterwards is there for whoever asks, while the demo goes on to tell of the next.
    let clip = |number: usize| {
        let what = format!("clip {number} being told");
        until(&what, SOON * 2, || {
            let text = fs::read_to_string(&log).ok()?;
            let line = text.lines().filter(|line| line.contains(" is ready:  ")).nth(number)?;
            line.split_once(" is ready:  ").map(|(_, command)| command.to_owned())
        })
        .unwrap()
    };
    let first = clip(0);
    for _ in 0..3 {
        typed(&first, folder.path());
    }
    assert!(folder.path().join("clip.mp4").metadata().unwrap().len() > 0);
    assert_ne!(clip(1), first);

    let members = family(demo.0.id());
    assert!(members.len() > 4, "camera, relay, hub and its worker: {members:?}");
    demo.0.stop(Duration::from_secs(20)).unwrap();
    let runs = |id: &u32| Path::new(&format!("/proc/{id}/exe")).read_link().is_ok();
    until("the end of all that it started", SOON, || members.iter().all(|id| !runs(id)).then_some(())).unwrap();
}

/// A demo that is killed leaves what it started: when the test fails, they go with it.
struct Demo(Process);

impl Drop for Demo {
    fn drop(&mut self) {
        if self.0.is_running() {
            for id in family(self.0.id()) {
                let _ = Command::new("kill").arg("-9").arg(id.to_string()).status();
            }
        }
    }
}

/// What a person types, at a prompt in `folder`.
fn typed(command: &str, folder: &Path) -> Output {
    let output = Command::new("sh").args(["-c", command]).current_dir(folder).output().unwrap();
    assert!(output.status.success(), "{command}: {output:?}");
    assert!(!output.stdout.is_empty() || !output.stderr.is_empty(), "{command} said nothing");
    output
}
