//! A PostgreSQL for one test, which may be stopped and killed.

use std::path::Path;
use std::process::Command;

use tempfile::TempDir;

/// A server of its own, in a scratch directory.
pub struct Postgres {
    dir: TempDir,
    /// How it is reached.
    pub reached: String,
}

impl Postgres {
    pub fn start() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let reached = run("start", dir.path());
        Self { dir, reached }
    }

    pub fn stop(&self) {
        run("stop", self.dir.path());
    }

    pub fn kill(&self) {
        run("kill", self.dir.path());
    }

    pub fn start_again(&self) {
        run("start", self.dir.path());
    }

    /// Lets this role in with its password only, from now on.
    pub fn guard(&self, role: &str) {
        let rules = self.dir.path().join("data/pg_hba.conf");
        let others = std::fs::read_to_string(&rules).unwrap();
        std::fs::write(&rules, format!("local all {role} scram-sha-256\n{others}")).unwrap();
        self.stop();
        self.start_again();
    }

    /// What it answers, as its owner is answered.
    pub fn ask(&self, sql: &str) -> String {
        let arguments = ["-qtA", "-v", "ON_ERROR_STOP=1", "-d", &self.reached, "-c", sql];
        let output = Command::new("psql").args(arguments).output().expect("psql");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        let stopped = command("kill", self.dir.path()).output();
        if !std::thread::panicking() {
            assert!(stopped.unwrap().status.success(), "PostgreSQL does not stop");
        }
    }
}

fn command(what: &str, dir: &Path) -> Command {
    let mut command = Command::new(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/postgres.sh"));
    command.arg(what).arg(dir);
    command
}

fn run(what: &str, dir: &Path) -> String {
    let output = command(what, dir).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}
