//! Disks that are full: a small tmpfs in a mount namespace of the test's own, so that nothing of it is left when the test ends.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Set in the environment of a test that already is in a namespace of its own: the file by which it says that it ran.
const INSIDE: &str = "PRIVET_INSIDE_NAMESPACE";

/// Runs the test that asks, by its full name, again in a mount namespace of its own. True there; false here, when all is done.
///
/// # Panics
/// When it fails there, or there is no test of that name; and where no mount namespace can be made, because then nothing was tested.
pub fn inside_namespace(test: &str) -> bool {
    if let Some(ran) = std::env::var_os(INSIDE) {
        File::create(ran).unwrap();
        return true;
    }
    // Without root the test is root in a user namespace.
    let can = |words: &[&str]| Command::new("unshare").args(words).arg("true").status().is_ok_and(|s| s.success());
    let words: &[&str] = [&["--mount"][..], &["--user", "--map-root-user", "--mount"]]
        .into_iter()
        .find(|words| can(words))
        .unwrap_or_else(|| {
            panic!("NOT TESTED: {test} needs root or user namespaces (unshare --mount), and has neither")
        });
    let folder = tempfile::tempdir().unwrap();
    let ran = folder.path().join("ran");
    let status = Command::new("unshare")
        .args(words)
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", test, "--nocapture"])
        .env(INSIDE, &ran)
        .status()
        .unwrap();
    assert!(status.success(), "{test} failed in its namespace: {status}");
    // A test that was renamed here only would be none at all, and that succeeds.
    assert!(ran.exists(), "NOT TESTED: there is no test named {test}");
    false
}

/// A small disk.
pub struct Disk {
    folder: PathBuf,
}

impl Disk {
    /// A disk of so many MiB at `folder`, which is made.
    ///
    /// # Panics
    /// When it can't be mounted.
    pub fn mount(folder: &Path, mib: u64) -> Self {
        fs::create_dir_all(folder).unwrap();
        let size = format!("size={mib}m");
        let words = ["-t", "tmpfs", "-o", &size, "tmpfs"].map(OsStr::new);
        let status = Command::new("mount").args(words).arg(folder).status().unwrap();
        assert!(status.success(), "NOT TESTED: no tmpfs can be mounted at {}: {status}", folder.display());
        Self { folder: folder.into() }
    }

    /// Fills the disk with another file until so many bytes are left.
    pub fn fill(&self, leave: u64) {
        let mut file = File::options().create(true).append(true).open(self.filler()).unwrap();
        let zeros = vec![0; 64 * 1024];
        while self.free() > leave {
            let length = usize::try_from(self.free() - leave).unwrap().min(zeros.len());
            if file.write(&zeros[..length]).is_err() {
                // Another was faster with the last byte.
                break;
            }
        }
    }

    /// Removes that file.
    pub fn clear(&self) {
        fs::remove_file(self.filler()).unwrap();
    }

    /// Bytes that are free.
    pub fn free(&self) -> u64 {
        privet_store::free_bytes(&self.folder).unwrap()
    }

    fn filler(&self) -> PathBuf {
        self.folder.join("somebody-else's")
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        // Programs that still run on it are no hindrance: it goes with the last of them.
        let _ = Command::new("umount").arg("--lazy").arg(&self.folder).status();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[should_panic(expected = "NOT TESTED: there is no test named")]
    fn a_test_that_does_not_exist_does_not_succeed() {
        inside_namespace("space::tests::of_another_name");
    }

    #[test]
    fn a_test_runs_once_more_inside() {
        const NAME: &str = "space::tests::a_test_runs_once_more_inside";
        assert_eq!(inside_namespace(NAME), std::env::var_os(INSIDE).is_some());
    }
}
