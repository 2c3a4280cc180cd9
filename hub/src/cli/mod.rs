//! The command line. What was asked for goes to stdout (with `--json` as one JSON value a line), talk goes to stderr, and
//! each class of failure has an exit code of its own ([`Failure`]).

mod camera;
mod pair;
mod run;
mod show;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use privet_hub::config::{Config, ConfigError, DEFAULT_PATH};
use privet_hub::control::{Answer, Class, Client, ClientError, Request};
use privet_hub::hub::HubError;

/// End-to-end encrypted home cameras: the hub.
#[derive(Debug, Parser)]
#[command(name = "privet-hub", version, max_term_width = 100)]
#[command(after_help = "Exit codes: 0 done, 1 anything else, 2 wrong usage, 3 configuration, 4 state on disk, \
    5 no hub running, 6 camera, 7 relay or pairing.")]
struct Cli {
    /// The configuration file.
    #[arg(long, global = true, value_name = "FILE", env = "PRIVET_HUB_CONFIG", default_value = DEFAULT_PATH)]
    config: PathBuf,
    /// Print JSON, one value a line.
    #[arg(long, global = true)]
    json: bool,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the hub until it is told to stop (SIGTERM or Ctrl-C).
    Run,
    /// Show a QR code that lets one phone in, and wait for it.
    Pair(pair::Options),
    /// The phones of this home.
    #[command(subcommand)]
    Phones(Phones),
    /// The cameras.
    #[command(subcommand)]
    Camera(CameraCommand),
    /// What the hub is doing: relay, clips that wait, cameras, who watches, alarms, disk.
    Status,
    /// The configuration.
    #[command(subcommand)]
    Config(ConfigCommand),
    /// Used by the hub itself.
    #[command(hide = true)]
    CameraWorker,
}

#[derive(Debug, Subcommand)]
enum Phones {
    /// Show them.
    List,
    /// Remove one: it reads nothing from now on, all streams get new keys.
    Remove {
        /// Its id, as `phones list` shows it.
        id: String,
    },
}

#[derive(Debug, Subcommand)]
enum CameraCommand {
    /// Show them.
    List,
    /// Connect once, say what the camera sends, and what stands in the way.
    Test(camera::TestOptions),
}

#[derive(Debug, Subcommand)]
enum ConfigCommand {
    /// Read the file and say what is wrong with it.
    Check,
}

/// What went wrong, by exit code.
#[derive(Debug, thiserror::Error)]
enum Failure {
    /// Something else.
    #[error("{0}")]
    Other(String),
    /// The request makes no sense.
    #[error("{0}")]
    Usage(String),
    /// The configuration.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The state on disk.
    #[error("{0}")]
    State(String),
    /// No hub is running.
    #[error(transparent)]
    NotRunning(#[from] ClientError),
    /// A camera.
    #[error("{0}")]
    Camera(String),
    /// The relay, or a pairing that did not come about.
    #[error("{0}")]
    Relay(String),
}

impl Failure {
    fn code(&self) -> u8 {
        match self {
            Self::Other(_) => 1,
            Self::Usage(_) => 2,
            Self::Config(_) => 3,
            Self::State(_) => 4,
            Self::NotRunning(_) => 5,
            Self::Camera(_) => 6,
            Self::Relay(_) => 7,
        }
    }
}

impl From<HubError> for Failure {
    fn from(error: HubError) -> Self {
        Self::State(error.to_string())
    }
}

/// Runs the command that was typed.
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    match dispatch(&cli) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("privet-hub: {failure}");
            ExitCode::from(failure.code())
        }
    }
}

fn dispatch(cli: &Cli) -> Result<(), Failure> {
    match &cli.command {
        Command::CameraWorker => Err(Failure::Usage("camera-worker must be the first word".into())),
        Command::Config(ConfigCommand::Check) => {
            let config = Config::load(&cli.config)?;
            if cli.json {
                print_json(&serde_json::json!({ "ok": true, "cameras": config.cameras.len() }));
            } else {
                println!("{}: good, {} cameras", cli.config.display(), config.cameras.len());
            }
            Ok(())
        }
        Command::Run => run::run(Config::load(&cli.config)?, cli.json),
        Command::Pair(options) => pair::pair(&Config::load(&cli.config)?, options, cli.json),
        Command::Phones(Phones::List) => show::phones(ask(cli, &Request::Phones {})?, cli.json),
        Command::Phones(Phones::Remove { id }) => {
            let device = privet_hub::control::DeviceIdText(id.clone());
            show::removed(&ask(cli, &Request::RemovePhone { device })?, cli.json)
        }
        Command::Camera(CameraCommand::List) => show::cameras(ask(cli, &Request::Status {})?, cli.json),
        Command::Camera(CameraCommand::Test(options)) => camera::test(&cli.config, options, cli.json),
        Command::Status => show::status(ask(cli, &Request::Status {})?, cli.json),
    }
}

/// Asks the running hub one thing.
fn ask(cli: &Cli, request: &Request) -> Result<Answer, Failure> {
    let config = Config::load(&cli.config)?;
    let mut client = Client::ask(&config.data_dir, request)?;
    let answer = client.answer()?.ok_or_else(|| ClientError::HungUp("without an answer".into()))?;
    succeeded(answer)
}

fn succeeded(answer: Answer) -> Result<Answer, Failure> {
    match answer {
        Answer::Failed { class: Class::Request, text } => Err(Failure::Usage(text)),
        Answer::Failed { class: Class::State, text } => Err(Failure::State(text)),
        Answer::Failed { class: Class::Relay, text } => Err(Failure::Relay(text)),
        answer => Ok(answer),
    }
}

fn unexpected(answer: &Answer) -> Failure {
    Failure::Other(format!("the hub gave another answer than was asked for: {answer:?}; is it of another version?"))
}

fn print_json(value: &impl serde::Serialize) {
    match serde_json::to_string(value) {
        Ok(line) => println!("{line}"),
        Err(error) => eprintln!("privet-hub: {error}"),
    }
}
