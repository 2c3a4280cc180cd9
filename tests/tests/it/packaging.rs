//! What is installed on machines: the files that the packages name are there, and systemd understands the units and finds them shut in.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use cargo_metadata::MetadataCommand;

/// Program and folder.
const PROGRAMS: [(&str, &str); 2] = [("privet-relay", "relay"), ("privet-hub", "hub")];
/// systemd's own measure of what a unit could still do, in tenths: 0 is nothing, 100 is everything.
const EXPOSURE: &str = "20";

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_path_buf()
}

#[test]
fn what_the_packages_name_is_there() {
    let metadata = MetadataCommand::new()
        .manifest_path(root().join("Cargo.toml"))
        .no_deps()
        .other_options(["--offline".to_string()])
        .exec()
        .unwrap();
    for (program, folder) in PROGRAMS {
        let package = metadata.packages.iter().find(|package| package.name == program).unwrap();
        let deb = &package.metadata["deb"];
        let here = root().join(folder);
        for asset in deb["assets"].as_array().unwrap() {
            let source = asset[0].as_str().unwrap();
            if source.starts_with("target/") {
                assert_eq!(source, format!("target/release/{program}"));
                continue;
            }
            let (folder, name) = source.rsplit_once('/').unwrap();
            let (start, end) = name.split_once('*').unwrap_or((name, ""));
            let found = fs::read_dir(here.join(folder)).unwrap().any(|file| {
                let file = file.unwrap().file_name().into_string().unwrap();
                file == name || (name.contains('*') && file.starts_with(start) && file.ends_with(end))
            });
            assert!(found, "{program}: {source}");
        }
        let unit = &deb["systemd-units"];
        let file = format!("{}.service", unit["unit-name"].as_str().unwrap());
        assert!(here.join(unit["unit-scripts"].as_str().unwrap()).join(file).is_file(), "{program}");
        let scripts = here.join(deb["maintainer-scripts"].as_str().unwrap());
        for script in fs::read_dir(scripts).unwrap().map(|script| script.unwrap().path()) {
            assert!(Command::new("sh").arg("-n").arg(&script).status().unwrap().success(), "{}", script.display());
            assert!(fs::read_to_string(&script).unwrap().contains("#DEBHELPER#"), "{}", script.display());
        }
    }
}

/// `./dev package` builds it where that is possible; this is what can be seen without.
#[test]
fn the_container_is_built_with_a_rust_that_is_new_enough_and_runs_as_nobody() {
    let file = fs::read_to_string(root().join("packaging/relay/Containerfile")).unwrap();
    let workspace = fs::read_to_string(root().join("Cargo.toml")).unwrap();
    let lines = |word: &str| -> Vec<&str> { file.lines().filter_map(|line| line.strip_prefix(word)).collect() };
    let images = lines("FROM ");
    let [build, run] = images[..] else { panic!("two stages: {images:?}") };
    let (image, stage) = build.split_once(" AS ").unwrap();
    let (rust, release) = image.rsplit_once(':').unwrap().1.split_once('-').unwrap();
    let wanted = workspace.lines().find_map(|line| line.strip_prefix("rust-version = ")).unwrap().trim_matches('"');
    let number = |version: &str| -> Vec<u32> { version.split('.').map(|part| part.parse().unwrap()).collect() };
    assert!(number(rust) >= number(wanted), "{rust} builds nothing that needs {wanted}");
    assert!(run.contains(&format!("debian:{release}")), "the C library of {run} is not that of {build}");
    assert!(file.contains(&format!("--from={stage} /build/target/release/privet-relay /usr/bin/privet-relay")));
    assert_eq!((lines("USER "), lines("STOPSIGNAL ")), (vec!["privet-relay"], vec!["SIGTERM"]));
    assert_eq!((lines("EXPOSE "), lines("VOLUME ")), (vec!["4433/udp"], vec!["/var/lib/privet-relay"]));
    // What a build of this tree leaves, and its history, is nobody's in there.
    for ignored in [".containerignore", "packaging/relay/Containerfile.dockerignore"] {
        let ignored = fs::read_to_string(root().join(ignored)).unwrap();
        assert!(ignored.lines().any(|line| line == "target") && ignored.lines().any(|line| line == ".git"));
    }
}

#[test]
fn systemd_understands_the_units_and_finds_them_shut_in() {
    if Command::new("systemd-analyze").arg("--version").output().is_err() {
        println!("NOT TESTED: there is no systemd-analyze here");
        return;
    }
    for (program, folder) in PROGRAMS {
        let dir = tempfile::tempdir().unwrap();
        let unit = fs::read_to_string(root().join(format!("packaging/{folder}/{program}.service"))).unwrap();
        // It looks for the program, which is not installed here.
        let unit = unit.replace(&format!("ExecStart={program}"), "ExecStart=/bin/true");
        let file = dir.path().join(format!("{program}.service"));
        fs::write(&file, unit).unwrap();
        for arguments in [vec!["verify"], vec!["security", "--offline=true", "--no-pager", "--threshold", EXPOSURE]] {
            let output = Command::new("systemd-analyze").args(&arguments).arg(&file).output().unwrap();
            let said = String::from_utf8(output.stderr).unwrap();
            assert!(
                output.status.success(),
                "{program}, {arguments:?}: {said}{}",
                String::from_utf8_lossy(&output.stdout)
            );
            assert!(!said.contains(&format!("{program}.service:")), "{program}, {arguments:?}: {said}");
        }
    }
}
