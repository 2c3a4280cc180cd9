//! Who may use whom (`docs/design/0001-crates.md`), held against what cargo really links; and that the tree stays readable:
//! links alive, files short, tests linked once.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use cargo_metadata::{DependencyKind, Metadata, MetadataCommand, PackageId};

/// What a program links: the packages reached from each workspace member without dev-dependencies.
struct Graph {
    reached: BTreeMap<String, BTreeSet<String>>,
    direct: BTreeMap<String, BTreeSet<String>>,
}

impl Graph {
    fn load() -> Self {
        let metadata: Metadata = MetadataCommand::new()
            .manifest_path(root().join("Cargo.toml"))
            .other_options(["--locked".to_string(), "--offline".to_string()])
            .exec()
            .expect("cargo metadata");
        let resolve = metadata.resolve.as_ref().unwrap();
        let name = |id: &PackageId| metadata[id].name.to_string();
        let linked: BTreeMap<&PackageId, Vec<&PackageId>> = resolve
            .nodes
            .iter()
            .map(|node| {
                let linked = node
                    .deps
                    .iter()
                    .filter(|dep| dep.dep_kinds.iter().any(|kind| !matches!(kind.kind, DependencyKind::Development)));
                (&node.id, linked.map(|dep| &dep.pkg).collect())
            })
            .collect();
        let (mut reached, mut direct) = (BTreeMap::new(), BTreeMap::new());
        for member in &metadata.workspace_members {
            let mut seen = BTreeSet::new();
            let mut open: Vec<&PackageId> = linked[member].clone();
            while let Some(id) = open.pop() {
                if seen.insert(id) {
                    open.extend(&linked[id]);
                }
            }
            reached.insert(name(member), seen.into_iter().map(name).collect());
            direct.insert(name(member), linked[member].iter().map(|id| name(id)).collect());
        }
        Self { reached, direct }
    }

    fn must_not_reach(&self, from: &str, forbidden: &[&str]) {
        let reached = &self.reached[from];
        for package in forbidden {
            let found: Vec<_> = reached.iter().filter(|r| matches(r, package)).collect();
            assert!(found.is_empty(), "{from} must not link {package}, and links {found:?}");
        }
    }
}

/// `name*` matches every package whose name starts with `name`.
fn matches(name: &str, pattern: &str) -> bool {
    pattern.strip_suffix('*').map_or(name == pattern, |start| name.starts_with(start))
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_path_buf()
}

const SEALING: &[&str] = &["openmls*", "privet-home", "privet-segment", "gstreamer*", "retina", "mp4-atom", "coset"];
const NETWORK: &[&str] = &["tokio", "quinn*", "rustls", "retina", "reqwest", "hyper", "sled", "mio", "socket2"];

#[test]
fn the_relay_can_link_neither_mls_nor_the_sealing_code() {
    let graph = Graph::load();
    graph.must_not_reach("privet-relay", SEALING);
    graph.must_not_reach("privet-relay-client", SEALING);
    let ours: Vec<_> = graph.reached["privet-relay"].iter().filter(|name| name.starts_with("privet-")).collect();
    assert_eq!(
        ours,
        ["privet-config", "privet-congestion", "privet-numbers", "privet-protocol", "privet-push", "privet-store"]
    );
}

#[test]
fn what_both_sides_agree_on_does_no_input_or_output() {
    let graph = Graph::load();
    for protocol in ["privet-protocol", "privet-segment", "privet-home", "privet-notice", "privet-notify"] {
        graph.must_not_reach(protocol, NETWORK);
        graph.must_not_reach(
            protocol,
            &["gstreamer*", "privet-store", "privet-relay*", "privet-hub", "privet-app-core"],
        );
    }
}

#[test]
fn what_speaks_to_home_automation_knows_no_hub_and_no_keys_and_has_the_one_tls() {
    let graph = Graph::load();
    graph.must_not_reach("privet-mqtt", SEALING);
    graph.must_not_reach(
        "privet-mqtt",
        &["native-tls", "openssl", "openssl-sys", "rustls-pemfile", "async-tungstenite"],
    );
    let ours: Vec<_> = graph.reached["privet-mqtt"].iter().filter(|name| name.starts_with("privet-")).collect();
    assert_eq!(ours, ["privet-protocol"]);
}

#[test]
fn reading_a_configuration_knows_no_program_and_only_servers_do_it() {
    let graph = Graph::load();
    graph.must_not_reach("privet-config", &["privet-*"]);
    graph.must_not_reach("privet-config", NETWORK);
    let users: Vec<_> =
        graph.direct.iter().filter(|(_, uses)| uses.contains("privet-config")).map(|(member, _)| member).collect();
    assert_eq!(users, ["privet-hub", "privet-relay"]);
}

#[test]
fn what_serves_numbers_knows_no_program() {
    let graph = Graph::load();
    graph.must_not_reach("privet-numbers", &["privet-*"]);
}

#[test]
fn the_phone_links_no_server_and_no_camera() {
    let graph = Graph::load();
    for phone in ["privet-app-core", "privet-uniffi"] {
        graph.must_not_reach(phone, &["privet-hub", "privet-relay", "retina", "gstreamer*"]);
    }
    let uniffi: Vec<_> = graph.direct["privet-uniffi"].iter().filter(|name| name.starts_with("privet-")).collect();
    assert_eq!(uniffi, ["privet-app-core"]);
}

#[test]
fn only_tests_and_examples_use_the_hub() {
    let graph = Graph::load();
    let may = ["privet-tests", "privet-bench", "privet-demo"];
    for (member, reached) in &graph.reached {
        assert!(!reached.contains("privet-hub") || may.contains(&member.as_str()), "{member} uses the hub");
    }
}

#[test]
fn every_link_in_the_docs_is_alive() {
    let mut dead = Vec::new();
    for page in tracked_files().into_iter().filter(|file| file.extension().is_some_and(|e| e == "md")) {
        let text = fs::read_to_string(root().join(&page)).unwrap();
        for link in links(&text) {
            if link.contains("://") || link.starts_with("mailto:") {
                continue;
            }
            let (file, anchor) = link.split_once('#').map_or((link.as_str(), None), |(f, a)| (f, Some(a)));
            let target =
                if file.is_empty() { root().join(&page) } else { root().join(&page).parent().unwrap().join(file) };
            if !target.exists() {
                dead.push(format!("{}: {link}", page.display()));
            } else if let Some(anchor) = anchor
                && target.extension().is_some_and(|e| e == "md")
                && !anchors(&fs::read_to_string(&target).unwrap()).contains(anchor)
            {
                dead.push(format!("{}: {link} (no such heading)", page.display()));
            }
        }
    }
    assert!(dead.is_empty(), "dead links:\n{}", dead.join("\n"));
}

#[test]
fn every_page_of_the_docs_is_reached_from_its_index() {
    for folder in ["docs/guide", "docs/reference", "docs/design"] {
        let index = fs::read_to_string(root().join(folder).join("README.md")).unwrap_or_default();
        let linked: BTreeSet<String> = links(&index).into_iter().collect();
        for entry in fs::read_dir(root().join(folder)).unwrap() {
            let name = entry.unwrap().file_name().into_string().unwrap();
            assert!(
                name == "README.md" || !name.ends_with(".md") || linked.contains(&name),
                "{folder}/README.md does not link {name}"
            );
        }
    }
}

#[test]
fn no_source_file_is_long() {
    for file in tracked_files().into_iter().filter(|file| file.extension().is_some_and(|e| e == "rs")) {
        let lines = fs::read_to_string(root().join(&file)).unwrap().lines().count();
        assert!(lines <= 600, "{} has {lines} lines: its second subject wants a file of its own", file.display());
    }
}

/// Programs of tests beside the one that a crate has. Each says why.
const APART: [&str; 1] = ["protocol/segment/tests/memory.rs"];

#[test]
fn the_tests_of_a_crate_are_one_program_and_no_file_of_it_is_forgotten() {
    let files = tracked_files();
    let sources = || files.iter().map(PathBuf::as_path).filter(|file| file.extension().is_some_and(|e| e == "rs"));
    let mut programs: BTreeMap<&Path, Vec<&Path>> = BTreeMap::new();
    for file in sources().filter(|file| !APART.map(Path::new).contains(file)) {
        // As cargo finds them: a file in `tests`, or a folder there with a `main.rs`.
        let folder = if file.ends_with("main.rs") { file.ancestors().nth(2) } else { file.parent() };
        if let Some(tests) = folder
            && tests.ends_with("tests")
            && root().join(tests).with_file_name("Cargo.toml").exists()
        {
            programs.entry(tests).or_default().push(file);
        }
    }
    assert!(!programs.is_empty());
    for of_one in programs.values() {
        assert!(of_one.len() == 1, "{of_one:?} are linked one by one, and could be modules of `tests/it/main.rs`");
    }
    for main in sources().filter(|file| file.ends_with("tests/it/main.rs")) {
        let text = fs::read_to_string(root().join(main)).unwrap();
        for file in sources().filter(|file| *file != main && file.parent() == main.parent()) {
            let line = format!("mod {};", file.file_stem().unwrap().display());
            assert!(
                text.lines().any(|l| l == line),
                "{} is compiled by nobody: {} lacks it",
                file.display(),
                main.display()
            );
        }
    }
}

#[test]
fn scripts_are_well_formed() {
    for script in ["dev", ".ci/run", "relay/tests/postgres.sh"] {
        let status = Command::new("bash").arg("-n").arg(root().join(script)).status().unwrap();
        assert!(status.success(), "{script}");
    }
}

/// The files of the project: what git knows; in an unpacked archive, everything but the build's folders.
fn tracked_files() -> Vec<PathBuf> {
    let git = Command::new("git").args(["ls-files", "-z"]).current_dir(root()).output();
    if let Some(output) = git.ok().filter(|output| output.status.success()) {
        let names = String::from_utf8(output.stdout).unwrap();
        return names
            .split('\0')
            .filter(|n| !n.is_empty())
            .map(PathBuf::from)
            .filter(|f| root().join(f).exists())
            .collect();
    }
    let (mut files, mut open) = (Vec::new(), vec![root()]);
    while let Some(folder) = open.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            if path.is_dir() && name != "target" && !name.starts_with('.') {
                open.push(path);
            } else if path.is_file() {
                files.push(path.strip_prefix(root()).unwrap().to_path_buf());
            }
        }
    }
    files
}

/// The targets of `[text](target)` and `src="target"` outside code.
fn links(markdown: &str) -> Vec<String> {
    let mut links = Vec::new();
    let mut in_code = false;
    for line in markdown.lines() {
        if line.trim_start().starts_with("```") {
            in_code = !in_code;
        }
        if in_code {
            continue;
        }
        let text: String = line.split('`').step_by(2).collect::<Vec<_>>().join("");
        for (start, end) in [("](", ')'), ("src=\"", '"')] {
            let targets = text.split(start).skip(1).filter_map(|rest| rest.split(end).next());
            links.extend(targets.map(|t| t.split(' ').next().unwrap_or_default().to_string()));
        }
    }
    links
}

/// The anchors that GitHub makes of a page's headings.
fn anchors(markdown: &str) -> BTreeSet<String> {
    let headings = markdown.lines().filter(|line| line.starts_with('#'));
    headings
        .map(|line| {
            let text = line.trim_start_matches('#').trim().to_lowercase();
            text.chars()
                .filter(|c| c.is_alphanumeric() || " -_".contains(*c))
                .map(|c| if c == ' ' { '-' } else { c })
                .collect()
        })
        .collect()
}
