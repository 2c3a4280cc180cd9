//! A process for a test alone, which looks at all of its process: its memory, its panics. `cargo nextest` gives every test one anyway;
//! `cargo test` runs all tests of a program in one.

use std::fs::File;
use std::process::Command;

/// Set in the environment of a test that is alone already: the file by which it says that it ran.
const ALONE: &str = "PRIVET_TEST_ALONE";

/// Where the test that asks, by its full name, shares its process, it is run again in one of its own. True there; false here, when all
/// is done.
pub fn alone(test: &str) -> bool {
    if std::env::var("NEXTEST_EXECUTION_MODE").is_ok_and(|mode| mode == "process-per-test") {
        return true;
    }
    if let Some(ran) = std::env::var_os(ALONE) {
        File::create(ran).unwrap();
        return true;
    }
    let folder = tempfile::tempdir().unwrap();
    let ran = folder.path().join("ran");
    let mut again = Command::new(std::env::current_exe().unwrap());
    let output = again.args(["--exact", test, "--nocapture"]).env(ALONE, &ran).output().unwrap();
    let said = [output.stdout, output.stderr].concat();
    println!("{}", String::from_utf8_lossy(&said));
    assert!(output.status.success(), "{test} failed in its process: {}", output.status);
    // A test that was renamed here only would be none at all, and that succeeds.
    assert!(ran.exists(), "NOT TESTED: there is no test named {test}");
    false
}
