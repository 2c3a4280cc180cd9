//! The program `privet-relay`: data on stdout, talk on stderr, exit codes by class of failure.

#![forbid(unsafe_code)]

use std::io::IsTerminal as _;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, SystemTime};

use clap::{Args, Parser, Subcommand};
use data_encoding::HEXLOWER;
use privet_protocol::random::SystemRandom;
use privet_protocol::time::Timestamp;
use privet_relay::config::{Policy, StorageKind};
use privet_relay::doctor::{self, Verdict};
use privet_relay::{
    Config, ConfigError, DataDirectory, DataError, Finding, Identity, Invite, InviteError, InviteState, Invites,
    Report, Server, ServerError, check_shared, lines,
};
use serde_json::json;
use tokio::signal::unix::{SignalKind, signal};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::util::SubscriberInitExt as _;

/// The blind relay of Privet: stores and forwards sealed bytes for homes it knows nothing about.
#[derive(Parser)]
#[command(
    version,
    after_help = "Exit codes: 0 done, 1 anything else, 2 wrong usage, 3 wrong configuration, \
    4 identity, 5 storage, 6 the address can't be listened on."
)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Runs the relay. Prints one line of JSON on stdout once it listens: {"listening", "pin", "version"}.
    Run {
        /// The configuration file; without one, the defaults count.
        #[arg(long, env = "PRIVET_RELAY_CONFIG")]
        config: Option<PathBuf>,
        /// Listens here instead of where the configuration says; port 0 takes a free one.
        #[arg(long, value_parser = address)]
        listen: Option<SocketAddr>,
        /// Keeps everything here instead of where the configuration says.
        #[arg(long)]
        data: Option<PathBuf>,
    },
    /// Prints the pin that clients know this relay by; makes its identity first, where there is none.
    Identity {
        /// The configuration file.
        #[arg(long, env = "PRIVET_RELAY_CONFIG")]
        config: Option<PathBuf>,
        /// Where everything is kept instead of where the configuration says.
        #[arg(long)]
        data: Option<PathBuf>,
        /// Prints {"pin"} instead of the bare digits.
        #[arg(long)]
        json: bool,
    },
    /// Looks at configuration, machine, and the store and the relays that this one shares, for what stands in a relay's way, and says the
    /// next step. Exit code 1 if anything fails.
    Doctor {
        /// The configuration file; without one, the defaults count.
        #[arg(long, env = "PRIVET_RELAY_CONFIG")]
        config: Option<PathBuf>,
        /// Where everything is kept instead of where the configuration says.
        #[arg(long)]
        data: Option<PathBuf>,
        /// Prints [{"what", "verdict", "words"}] instead of lines.
        #[arg(long)]
        json: bool,
    },
    /// Makes an invite: the words that let one home in, printed once and kept nowhere. May be done while the relay runs.
    #[command(args_conflicts_with_subcommands = true)]
    Invite {
        #[command(subcommand)]
        command: Option<InviteCommand>,
        #[command(flatten)]
        place: Place,
        /// How many days it can be used.
        #[arg(long, default_value_t = 7, value_parser = clap::value_parser!(u16).range(1..=3650))]
        days: u16,
        /// For whom it is, for the list.
        #[arg(long, default_value = "")]
        note: String,
        /// Prints {"invite", "id", "note", "made", "until", "state"} instead of the bare words.
        #[arg(long)]
        json: bool,
    },
    /// Looks, while no relay runs, whether everything fits together: exits with 0 if so, otherwise with 1, and names what does not.
    Check {
        #[command(flatten)]
        place: Place,
        /// Puts in order what can be, and exits with 0 if that was all.
        #[arg(long)]
        repair: bool,
        /// Prints {"findings", "repaired", "homes", "segments", "unfinished"} on stdout.
        #[arg(long)]
        json: bool,
    },
    /// Copies everything, keys too, while no relay runs. To restore, copy it back.
    Backup {
        /// The directory to make; it must not be there yet.
        to: PathBuf,
        #[command(flatten)]
        place: Place,
        /// Prints {"files", "bytes"} on stdout.
        #[arg(long)]
        json: bool,
    },
    /// About the configuration.
    Config {
        #[command(subcommand)]
        command: ConfigCommand,
    },
}

// Whose data. (No doc comment: clap would take it for that of the command.)
#[derive(Args)]
struct Place {
    /// The configuration file.
    #[arg(long, env = "PRIVET_RELAY_CONFIG")]
    config: Option<PathBuf>,
    /// Where everything is kept instead of where the configuration says.
    #[arg(long)]
    data: Option<PathBuf>,
}

#[derive(Subcommand)]
enum InviteCommand {
    /// Shows the invites: id, what became of each, for whom it is.
    List {
        #[command(flatten)]
        place: Place,
        /// Prints {"invites", "open", "used", "ended"} on stdout; times are in milliseconds since 1970.
        #[arg(long)]
        json: bool,
    },
    /// Takes back an invite that was not used.
    Revoke {
        /// Its id, or the beginning of it.
        id: String,
        #[command(flatten)]
        place: Place,
    },
}

#[derive(Subcommand)]
enum ConfigCommand {
    /// Says whether a configuration file can be used, and if not, what is wrong where.
    Check {
        /// The file.
        #[arg(long, env = "PRIVET_RELAY_CONFIG")]
        config: PathBuf,
        /// Prints {"ok", "error"} on stdout.
        #[arg(long)]
        json: bool,
    },
}

#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error(transparent)]
    Config(#[from] ConfigError),
    #[error(transparent)]
    Server(#[from] ServerError),
    #[error(transparent)]
    Data(#[from] DataError),
    #[error(transparent)]
    Invite(#[from] InviteError),
    #[error("{0}")]
    System(#[from] std::io::Error),
}

impl Failure {
    fn exit_code(&self) -> u8 {
        match self {
            Self::Config(_) => 3,
            Self::Server(ServerError::Identity(_)) => 4,
            Self::Server(ServerError::Storage { .. }) => 5,
            Self::Server(ServerError::Listen { .. }) => 6,
            Self::Server(ServerError::Push(_)) => 3,
            Self::Data(DataError::Absent(_) | DataError::InUse(_) | DataError::Storage { .. }) => 5,
            Self::Invite(InviteError::File { .. } | InviteError::NoDirectory(_) | InviteError::Store(_)) => 5,
            Self::Server(_) | Self::Data(_) | Self::Invite(_) | Self::System(_) => 1,
        }
    }
}

fn main() -> ExitCode {
    match perform(Arguments::parse().command) {
        Ok(code) => code,
        Err(failure) => {
            eprintln!("privet-relay: {failure}");
            ExitCode::from(failure.exit_code())
        }
    }
}

fn perform(command: Command) -> Result<ExitCode, Failure> {
    match command {
        Command::Run { config, listen, data } => {
            let read = move || -> Result<Config, ConfigError> {
                let mut config = configuration(config.as_deref(), data.clone())?;
                config.listen = listen.unwrap_or(config.listen);
                Ok(config)
            };
            let config = read()?;
            start_logging(&config);
            let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
            runtime.block_on(run(config, read))?;
        }
        Command::Identity { config, data, json } => {
            let config = configuration(config.as_deref(), data)?;
            let identity = match &config.certificate {
                Some(files) => Identity::read(files),
                None => Identity::open(&config.data),
            };
            let pin = HEXLOWER.encode(&identity.map_err(ServerError::from)?.pin());
            if json { println!("{}", json!({ "pin": pin })) } else { println!("{pin}") }
        }
        Command::Doctor { config, data, json } => {
            let config = configuration(config.as_deref(), data);
            let findings = runtime()?.block_on(doctor::examine(&config));
            if json {
                let finding =
                    |f: &doctor::Finding| json!({ "what": f.what, "verdict": f.verdict.word(), "words": f.words });
                println!("{}", findings.iter().map(finding).collect::<serde_json::Value>());
            } else {
                findings.iter().for_each(|finding| println!("{finding}"));
            }
            if findings.iter().any(|finding| finding.verdict == Verdict::Fail) {
                return Ok(ExitCode::FAILURE);
            }
        }
        Command::Invite { command: None, place, days, note, json } => {
            let config = place.configuration()?;
            if config.homes.policy != Policy::Invite {
                eprintln!("privet-relay: homes.policy is not \"invite\": this relay does not ask for one");
            }
            let lasts = Duration::from_secs(u64::from(days) * 24 * 3600);
            let making = async { Invites::open(&config).await?.make(&note, lasts, now(), &SystemRandom).await };
            let (words, invite) = runtime()?.block_on(making)?;
            if json {
                let Invite { id, note, made, until, state, .. } = invite;
                let shown =
                    json!({ "invite": words, "id": id, "note": note, "made": made, "until": until, "state": state });
                println!("{shown}");
            } else {
                println!("{words}");
                eprintln!("good for one home, {days} days long; `invite revoke {}` takes it back", invite.id);
            }
        }
        Command::Invite { command: Some(InviteCommand::List { place, json }), .. } => {
            let config = place.configuration()?;
            let listing = async { Invites::open(&config).await?.list(now()).await };
            show_invites(&runtime()?.block_on(listing)?, json);
        }
        Command::Invite { command: Some(InviteCommand::Revoke { id, place }), .. } => {
            let config = place.configuration()?;
            let revoking = async { Invites::open(&config).await?.revoke(&id, now()).await };
            let invite = runtime()?.block_on(revoking)?;
            eprintln!("invite {} is taken back", invite.id);
        }
        Command::Check { place, repair, json } => {
            let config = place.configuration()?;
            let report = match config.storage.kind {
                StorageKind::Embedded => runtime()?.block_on(DataDirectory::open(&config.data)?.check(repair))?,
                StorageKind::Postgres => runtime()?.block_on(check_shared(&config.storage, repair))?,
            };
            show_report(&report, json);
            let left = report.findings.iter().any(|finding| !report.repaired || !finding.is_repairable());
            return Ok(ExitCode::from(u8::from(left)));
        }
        Command::Backup { to, place, json } => {
            let config = place.configuration()?;
            if config.storage.kind == StorageKind::Postgres {
                return Err(DataError::Shared.into());
            }
            let data = DataDirectory::open(&config.data)?;
            let copied = runtime()?.block_on(data.back_up(&to))?;
            if json {
                println!("{}", json!(copied));
            } else {
                println!("{}: {} files, {} bytes, compared and synced", to.display(), copied.files, copied.bytes);
            }
        }
        Command::Config { command: ConfigCommand::Check { config, json } } => match Config::read(&config) {
            Ok(_) if json => println!("{}", json!({ "ok": true })),
            Ok(_) => println!("{}: good", config.display()),
            Err(error) if json => {
                println!("{}", json!({ "ok": false, "error": error.to_string() }));
                return Ok(ExitCode::from(Failure::from(error).exit_code()));
            }
            Err(error) => return Err(error.into()),
        },
    }
    Ok(ExitCode::SUCCESS)
}

fn address(text: &str) -> Result<SocketAddr, &'static str> {
    text.parse().map_err(|_| "allowed: an IP address and a UDP port, such as [::]:4433 or 0.0.0.0:4433")
}

fn configuration(file: Option<&Path>, data: Option<PathBuf>) -> Result<Config, ConfigError> {
    let mut config = file.map_or(Ok(Config::default()), Config::read)?;
    config.data = data.unwrap_or(config.data);
    Ok(config)
}

impl Place {
    fn configuration(self) -> Result<Config, ConfigError> {
        configuration(self.config.as_deref(), self.data)
    }
}

fn now() -> Timestamp {
    SystemTime::now().into()
}

fn runtime() -> std::io::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_current_thread().enable_all().build()
}

fn show_invites(invites: &[Invite], json: bool) {
    let count = |state| invites.iter().filter(|invite| invite.state == state).count();
    let (open, used, ended) = (count(InviteState::Open), count(InviteState::Used), count(InviteState::Ended));
    if json {
        println!("{}", json!({ "invites": invites, "open": open, "used": used, "ended": ended }));
        return;
    }
    for Invite { id, note, until, state, .. } in invites {
        let state = match state {
            InviteState::Open => format!("open, ends in {} h", until.since(now()).as_secs() / 3600),
            InviteState::Used => "used".to_owned(),
            _ => "ended".to_owned(),
        };
        println!("{id}  {state:<20}  {note}");
    }
    println!("{open} open, {used} used, {ended} ended");
}

fn show_report(report: &Report, json: bool) {
    if json {
        println!("{}", json!(report));
        return;
    }
    for finding in &report.findings {
        let end = match (report.repaired && finding.is_repairable(), finding.is_loss()) {
            (false, _) => "",
            (true, false) => " (repaired)",
            (true, true) => " (repaired; what was lost stays lost)",
        };
        println!("{finding}{end}");
    }
    let Report { homes, segments, unfinished, .. } = report;
    let found = report.findings.len();
    let repairable = !report.repaired && report.findings.iter().any(Finding::is_repairable);
    let next = if repairable { "; `check --repair` puts in order what can be" } else { "" };
    println!(
        "{homes} homes, {segments} segments, {unfinished} unfinished uploads, {found} things that do not fit{next}"
    );
}

fn start_logging(config: &Config) {
    let filter = EnvFilter::try_from_default_env()
        .or_else(|_| EnvFilter::try_new(&config.log.filter))
        .unwrap_or_else(|_| EnvFilter::new("info"));
    lines::to(&config.log, filter, std::io::stderr, std::io::stderr().is_terminal()).init();
}

/// Runs until it is asked to end; `read` reads the configuration again.
async fn run(config: Config, read: impl Fn() -> Result<Config, ConfigError>) -> Result<(), Failure> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut hangup = signal(SignalKind::hangup())?;
    let mut drain = config.limits.drain();
    let mut server = Server::start(config).await?;
    let ready = json!({
        "listening": server.address().to_string(),
        "pin": HEXLOWER.encode(&server.pin()),
        "version": env!("CARGO_PKG_VERSION"),
    });
    println!("{ready}");
    tracing::info!("ready");
    loop {
        tokio::select! {
            _ = terminate.recv() => break,
            _ = interrupt.recv() => break,
            _ = hangup.recv() => match reload(&mut server, &read) {
                Ok(config) => drain = config.limits.drain(),
                Err(error) => tracing::error!(%error, "the configuration can't be used; all goes on with the one from before"),
            },
        }
    }
    server.leave();
    if !drain.is_zero() {
        tracing::info!(
            seconds = drain.as_secs(),
            "leaving: clients are served on for so long; another signal ends it now"
        );
        tokio::select! {
            () = tokio::time::sleep(drain) => {}
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    }
    tracing::info!("shutting down");
    server.shutdown().await;
    Ok(())
}

fn reload(server: &mut Server, read: &impl Fn() -> Result<Config, ConfigError>) -> Result<Config, Failure> {
    let config = read()?;
    let later = server.reload(&config)?;
    tracing::info!(pin = HEXLOWER.encode(&server.pin()), "certificate and limits were read again");
    if !later.is_empty() {
        tracing::warn!(keys = ?later, "these were changed too and count after a restart only");
    }
    Ok(config)
}
