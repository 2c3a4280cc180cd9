//! The attackers as a process of their own: this program once more, on the core that is theirs.

use std::io::{self, BufRead as _};
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use data_encoding::HEXLOWER;
use privet_demo::Trouble;
use privet_demo::process::Process;
use privet_relay_client::{RelayTarget, Trust};
use tokio::runtime::Builder;

use super::attack::{Deeds, Kind, send_off};
use super::cores::Stay;
use crate::relay::trouble;

/// The hidden command that is the attackers.
const COMMAND: &str = "attackers";
/// Within this they say how far they are, however busy they keep themselves.
const ANSWER: Duration = Duration::from_secs(10);

/// What the attackers have done so far.
#[derive(Clone, Copy, Debug)]
pub struct Done {
    /// How often one of them tried.
    pub tries: u64,
    /// How often one of them came as far as it wanted.
    pub came: u64,
}

/// An attack that goes on until this is dropped.
pub struct Attack {
    process: Process,
}

impl Attack {
    /// Begins one, on this core if they have one of their own, with its log in this folder.
    pub fn begin(kind: Kind, target: &RelayTarget, core: Option<usize>, folder: &Path) -> Result<Self, Trouble> {
        let Trust::Pin(pin) = target.trust else { return Err(Trouble::new("the attackers know the relay by its pin")) };
        let mut words =
            vec![COMMAND.to_owned(), kind.name().to_owned(), target.port.to_string(), HEXLOWER.encode(&pin)];
        words.extend(core.into_iter().flat_map(|core| ["--core".to_owned(), core.to_string()]));
        let own = std::env::current_exe().map_err(trouble)?;
        let process = Process::start("the attackers", &own, &words, &folder.join("attackers.log"))?;
        Ok(Self { process })
    }

    /// How far they are. An attack that ended by itself is trouble.
    pub fn done(&mut self) -> Result<Done, Trouble> {
        self.process.tell("how far?");
        let line = self.process.line(ANSWER)?;
        let numbers: Vec<u64> = line.split_whitespace().flat_map(str::parse::<u64>).collect();
        match numbers[..] {
            [tries, came] => Ok(Done { tries, came }),
            _ => Err(Trouble::new(format!("the attackers said '{line}'"))),
        }
    }
}

/// The hidden command `attackers`.
pub fn main(kind: &str, port: u16, pin: &str, core: Option<usize>) -> ExitCode {
    match serve(kind, port, pin, core) {
        Ok(()) => ExitCode::SUCCESS,
        Err(trouble) => {
            eprintln!("{trouble}");
            ExitCode::FAILURE
        }
    }
}

/// Attacks, and says how far it is as often as it is asked, until nobody can ask any more.
fn serve(kind: &str, port: u16, pin: &str, core: Option<usize>) -> Result<(), Trouble> {
    let known = Kind::ALL.into_iter().find(|known| known.name() == kind);
    let kind = known.ok_or_else(|| Trouble::new(format!("there is no attack '{kind}'")))?;
    let bytes = HEXLOWER.decode(pin.as_bytes()).ok().and_then(|bytes| bytes.try_into().ok());
    let trust = Trust::Pin(bytes.ok_or_else(|| Trouble::new(format!("'{pin}' is no pin")))?);
    let target = RelayTarget { host: "127.0.0.1".into(), port, trust };

    // Both count for the threads that begin from now on.
    let _stay = match core {
        Some(core) => Some(Stay::on(&[core])?),
        None => {
            rustix::process::setpriority_process(None, 19).map_err(trouble)?;
            None
        }
    };
    let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build().map_err(trouble)?;
    let deeds = Arc::new(Deeds::default());
    let attacking = Arc::clone(&deeds);
    runtime.spawn(async move {
        if let Err(trouble) = send_off(kind, &target, &attacking).await {
            eprintln!("{}: {trouble}", kind.name());
            std::process::exit(1);
        }
    });
    for _ in io::stdin().lock().lines().map_while(Result::ok) {
        let Done { tries, came } = deeds.done();
        println!("{tries} {came}");
    }
    runtime.shutdown_background();
    Ok(())
}
