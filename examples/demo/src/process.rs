//! Starting programs and watching them: each has its log in a file, is waited for by what it says, and is ended by its id.

use std::ffi::{OsStr, OsString};
use std::fs::{self, File};
use std::io::{BufRead, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::Trouble;

/// A running program.
pub struct Process {
    name: String,
    child: Child,
    log: PathBuf,
    lines: Receiver<String>,
}

impl Process {
    /// Starts `program` with `arguments`; its standard error goes to `log`, which is kept when the program is started again.
    ///
    /// # Errors
    /// [`Trouble`] when there is no such program.
    pub fn start<A: AsRef<OsStr>>(name: &str, program: &Path, arguments: &[A], log: &Path) -> Result<Self, Trouble> {
        Self::start_with(name, program, arguments, &[], log)
    }

    /// The same with more in its environment.
    ///
    /// # Errors
    /// As [`Process::start`].
    pub fn start_with<A: AsRef<OsStr>>(
        name: &str,
        program: &Path,
        arguments: &[A],
        environment: &[(String, OsString)],
        log: &Path,
    ) -> Result<Self, Trouble> {
        let errors = File::options().create(true).append(true).open(log);
        let errors = errors.map_err(|e| Trouble::new(format!("can't write {}: {e}", log.display())))?;
        let mut command = Command::new(program);
        command.args(arguments).envs(environment.iter().map(|(name, value)| (name, value)));
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(errors);
        let mut child = command
            .spawn()
            .map_err(|e| Trouble::new(format!("can't start {}: {e}. ./dev demo builds it", program.display())))?;
        let (sender, lines) = mpsc::channel();
        if let Some(stdout) = child.stdout.take() {
            thread::spawn(move || {
                // Read on to the end even when nobody listens, so that the program never blocks on its output.
                for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                    let _ = sender.send(line);
                }
            });
        }
        Ok(Self { name: name.into(), child, log: log.into(), lines })
    }

    /// Waits for a JSON line of its standard output that `wanted` accepts.
    ///
    /// # Errors
    /// [`Trouble`] when the program ends or `bound` passes first, with the end of its log.
    pub fn wait_for(&mut self, bound: Duration, mut wanted: impl FnMut(&Value) -> bool) -> Result<Value, Trouble> {
        let until = Instant::now() + bound;
        loop {
            let line = self.line(until.saturating_duration_since(Instant::now()))?;
            match serde_json::from_str::<Value>(&line) {
                Ok(value) if wanted(&value) => return Ok(value),
                _ => {}
            }
        }
    }

    /// Waits for the next line of its standard output, whatever it is.
    ///
    /// # Errors
    /// As [`Process::wait_for`].
    pub fn line(&mut self, bound: Duration) -> Result<String, Trouble> {
        match self.lines.recv_timeout(bound) {
            Ok(line) => Ok(line),
            Err(RecvTimeoutError::Timeout) => Err(self.trouble("did not say in time what was waited for")),
            Err(RecvTimeoutError::Disconnected) => {
                let status = self.child.wait().map_or_else(|e| e.to_string(), |status| status.to_string());
                Err(self.trouble(&format!("ended ({status})")))
            }
        }
    }

    /// Writes a line to its standard input.
    pub fn tell(&mut self, line: &str) {
        if let Some(stdin) = &mut self.child.stdin {
            // One that is gone can't be told anything; the next look at it says so.
            let _ = writeln!(stdin, "{line}");
        }
    }

    /// Waits for its first JSON line.
    ///
    /// # Errors
    /// As [`Process::wait_for`].
    pub fn ready(&mut self, bound: Duration) -> Result<Value, Trouble> {
        self.wait_for(bound, |_| true)
    }

    /// Its process id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Whether it still runs.
    pub fn is_running(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    /// How it ended, if it did.
    pub fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().ok().flatten()
    }

    /// Sends it a signal: "TERM", "STOP", "CONT".
    pub fn signal(&self, signal: &str) {
        let _ = Command::new("kill").arg(format!("-{signal}")).arg(self.id().to_string()).status();
    }

    /// Ends it at once, as a power cut would.
    pub fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// Asks it to end and waits for that; after `bound` it is killed.
    ///
    /// # Errors
    /// [`Trouble`] when it had to be killed or did not end well.
    pub fn stop(&mut self, bound: Duration) -> Result<(), Trouble> {
        self.signal("TERM");
        let until = Instant::now() + bound;
        loop {
            match self.child.try_wait() {
                Ok(Some(status)) if status.success() => return Ok(()),
                Ok(Some(status)) => return Err(self.trouble(&format!("ended badly: {status}"))),
                _ if Instant::now() > until => {
                    self.kill();
                    return Err(self.trouble(&format!("did not end within {bound:?} of being asked to")));
                }
                _ => thread::sleep(Duration::from_millis(20)),
            }
        }
    }

    /// Where its standard error goes.
    pub fn log(&self) -> &Path {
        &self.log
    }

    fn trouble(&self, what: &str) -> Trouble {
        Trouble::new(format!("{} {what}. The end of {}:\n{}", self.name, self.log.display(), tail(&self.log, 25)))
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
        if thread::panicking() {
            eprintln!("---- the end of {}'s log, {}\n{}", self.name, self.log.display(), tail(&self.log, 60));
        }
    }
}

/// What a program said that ran to its end.
#[derive(Debug)]
pub struct Said {
    /// Its exit code; -1 when a signal ended it.
    pub code: i32,
    /// The JSON lines of its standard output.
    pub lines: Vec<Value>,
    /// Its standard output.
    pub out: String,
    /// Its standard error.
    pub err: String,
}

impl Said {
    /// Its first JSON line, if it ended well.
    ///
    /// # Errors
    /// [`Trouble`] with what it said when it did not.
    pub fn first(self) -> Result<Value, Trouble> {
        let all = self.ok()?;
        let said = format!("it said nothing in JSON: {}{}", all.out, all.err);
        all.lines.into_iter().next().ok_or_else(|| Trouble::new(said))
    }

    /// Itself, if it ended well.
    ///
    /// # Errors
    /// [`Trouble`] with what it said when it did not.
    pub fn ok(self) -> Result<Self, Trouble> {
        if self.code == 0 {
            return Ok(self);
        }
        Err(Trouble::new(format!("exit code {}: {}{}", self.code, self.out, self.err)))
    }
}

/// Runs a program to its end.
///
/// # Errors
/// [`Trouble`] when it can't be started or is not done within `bound`.
pub fn run<A: AsRef<OsStr>>(program: &Path, arguments: &[A], bound: Duration) -> Result<Said, Trouble> {
    run_with(program, arguments, &[], bound)
}

/// The same with more in its environment.
///
/// # Errors
/// As [`run`].
pub fn run_with<A: AsRef<OsStr>>(
    program: &Path,
    arguments: &[A],
    environment: &[(String, OsString)],
    bound: Duration,
) -> Result<Said, Trouble> {
    let mut command = Command::new(program);
    command.args(arguments).envs(environment.iter().map(|(name, value)| (name, value)));
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let child = command.spawn().map_err(|e| Trouble::new(format!("can't start {}: {e}", program.display())))?;
    let id = child.id();
    let (sender, done) = mpsc::channel();
    thread::spawn(move || sender.send(child.wait_with_output()));
    let output = match done.recv_timeout(bound) {
        Ok(output) => output.map_err(|e| Trouble::new(format!("{}: {e}", program.display())))?,
        Err(_) => {
            let _ = Command::new("kill").arg("-9").arg(id.to_string()).status();
            let words: Vec<_> = arguments.iter().map(|a| a.as_ref().to_string_lossy()).collect();
            return Err(Trouble::new(format!(
                "{} {} was not done within {bound:?}",
                program.display(),
                words.join(" ")
            )));
        }
    };
    let out = String::from_utf8_lossy(&output.stdout).into_owned();
    let lines = out.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
    let err = String::from_utf8_lossy(&output.stderr).into_owned();
    Ok(Said { code: output.status.code().unwrap_or(-1), lines, out, err })
}

/// One of our programs, built beside the one that is running.
///
/// # Errors
/// [`Trouble`] when it was not built.
pub fn program(name: &str) -> Result<PathBuf, Trouble> {
    let own = std::env::current_exe().map_err(|e| Trouble::new(format!("where am I? {e}")))?;
    let found = own.ancestors().skip(1).take(2).map(|folder| folder.join(name)).find(|path| path.is_file());
    found.ok_or_else(|| Trouble::new(format!("{name} is not built. cargo build -p {name}")))
}

/// Looks again and again until `condition` gives something.
///
/// # Errors
/// [`Trouble`] naming `what` after `bound`.
pub fn until<T>(what: &str, bound: Duration, mut condition: impl FnMut() -> Option<T>) -> Result<T, Trouble> {
    let end = Instant::now() + bound;
    loop {
        if let Some(found) = condition() {
            return Ok(found);
        }
        if Instant::now() > end {
            return Err(Trouble::new(format!("waited {bound:?} in vain: {what}")));
        }
        thread::sleep(Duration::from_millis(100));
    }
}

/// The proportional set size (memory, with what is shared counted once) of a process and all its children, in KiB.
///
/// # Errors
/// [`Trouble`] where the system does not let this user see it, as of a camera's worker.
pub fn pss_kib(id: u32) -> Result<u64, Trouble> {
    let mut sum = 0;
    for id in family(id) {
        sum += match fs::read_to_string(format!("/proc/{id}/smaps_rollup")) {
            Ok(rollup) => kib(&rollup, "Pss:"),
            // It ended meanwhile.
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => 0,
            Err(e) => return Err(Trouble::new(format!("the memory of process {id} can't be seen: {e}; root can"))),
        };
    }
    Ok(sum)
}

/// The memory that one process wrote itself, in KiB: neither code nor what other processes' coming and going shifts. 0 when it is gone.
pub fn anonymous_kib(id: u32) -> u64 {
    kib(&fs::read_to_string(format!("/proc/{id}/status")).unwrap_or_default(), "RssAnon:")
}

fn kib(text: &str, field: &str) -> u64 {
    let line = text.lines().find_map(|line| line.strip_prefix(field));
    line.and_then(|l| l.split_whitespace().next()?.parse().ok()).unwrap_or(0)
}

/// Processor time used by a process and its living children so far. Exact to the nanosecond where the kernel keeps `schedstat`.
pub fn cpu(id: u32) -> Duration {
    family(id).into_iter().map(cpu_of_one).sum()
}

fn cpu_of_one(id: u32) -> Duration {
    let threads = fs::read_dir(format!("/proc/{id}/task")).into_iter().flatten().flatten();
    let nanoseconds = threads.filter_map(|thread| {
        let stat = fs::read_to_string(thread.path().join("schedstat")).ok()?;
        stat.split_whitespace().next()?.parse::<u64>().ok()
    });
    let precise: u64 = nanoseconds.sum();
    if precise > 0 {
        return Duration::from_nanos(precise);
    }
    let stat = fs::read_to_string(format!("/proc/{id}/stat")).unwrap_or_default();
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    // Fields 14 and 15 of proc(5), in hundredths of a second.
    let ticks: u64 = [11, 12].iter().filter_map(|i| fields.get(*i)?.parse::<u64>().ok()).sum();
    Duration::from_millis(ticks * 10)
}

/// A process and its children, down to the last.
pub fn family(id: u32) -> Vec<u32> {
    let mut all = vec![id];
    let mut next = 0;
    while let Some(parent) = all.get(next).copied() {
        next += 1;
        let threads = fs::read_dir(format!("/proc/{parent}/task")).into_iter().flatten().flatten();
        for thread in threads {
            let children = fs::read_to_string(thread.path().join("children")).unwrap_or_default();
            all.extend(children.split_whitespace().filter_map(|id| id.parse::<u32>().ok()));
        }
    }
    all
}

fn tail(file: &Path, lines: usize) -> String {
    let text = fs::read(file).map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default();
    let all: Vec<&str> = text.lines().collect();
    all[all.len().saturating_sub(lines)..].join("\n")
}
