//! A wall clock that somebody sets: the program sees it through a small library (`shift.c`) that is preloaded into it. The
//! program itself knows nothing of it.

use std::ffi::OsString;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{SystemTime, UNIX_EPOCH};

/// A clock that is right at first.
pub struct Clock {
    library: PathBuf,
    file: PathBuf,
    shift_s: i64,
}

impl Clock {
    /// Builds the library in `folder`.
    ///
    /// # Panics
    /// Without a C compiler, which Rust needs as well.
    pub fn new(folder: &Path) -> Self {
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/shift.c");
        let library = folder.join("shift.so");
        let mut compiler = Command::new("cc");
        compiler.args(["-shared", "-fPIC", "-O2", "-Wall", "-Werror", "-o"]).arg(&library).arg(&source);
        assert!(compiler.status().expect("cc").success(), "{} can't be compiled", source.display());
        let file = folder.join("shift");
        std::fs::write(&file, 0_i64.to_ne_bytes()).unwrap();
        Self { library, file, shift_s: 0 }
    }

    /// What a program needs in its environment to see this clock.
    pub fn environment(&self) -> Vec<(String, OsString)> {
        vec![
            ("LD_PRELOAD".into(), self.library.clone().into()),
            ("PRIVET_TEST_CLOCK_SHIFT".into(), self.file.clone().into()),
        ]
    }

    /// Sets it on, or back, by so many seconds.
    ///
    /// # Panics
    /// When the file can't be written.
    pub fn set(&mut self, by_s: i64) {
        self.shift_s += by_s;
        let file = std::fs::File::options().write(true).open(&self.file).unwrap();
        file.write_all_at(&(self.shift_s * 1_000_000_000).to_ne_bytes(), 0).unwrap();
    }

    /// What it shows, in milliseconds since 1970.
    ///
    /// # Panics
    /// When this machine's clock is before 1970.
    pub fn now_ms(&self) -> i64 {
        let real = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis();
        i64::try_from(real).unwrap() + self.shift_s * 1000
    }
}
