//! `privet-hub pair`: a QR code in the terminal, as a picture and as text, and what becomes of it.

use std::io::IsTerminal;
use std::path::{Path, PathBuf};

use clap::Args;
use image::{GrayImage, Luma};
use privet_hub::config::Config;
use privet_hub::control::{Answer, Client, Request};
use qrcode::{Color, EcLevel, QrCode};

use super::{Failure, print_json, succeeded, unexpected};

/// Light modules round the code.
const QUIET: usize = 4;
/// Pixels of a module in the picture.
const MODULE: u32 = 8;

#[derive(Debug, Args)]
pub(super) struct Options {
    /// Also write the code as a picture. It lets a phone in: delete it afterwards.
    #[arg(long, value_name = "FILE")]
    png: Option<PathBuf>,
    /// Seconds that the code is good for.
    #[arg(long, value_name = "SECONDS", default_value_t = 600, value_parser = clap::value_parser!(u64).range(10..=3600))]
    ttl: u64,
    /// Do not wait for the phone: print the code and leave it open.
    #[arg(long)]
    no_wait: bool,
}

pub(super) fn pair(config: &Config, options: &Options, json: bool) -> Result<(), Failure> {
    let request = Request::Pair { ttl_s: options.ttl, detached: options.no_wait };
    let mut client = Client::ask(&config.data_dir, &request)?;
    while let Some(answer) = client.answer()? {
        let answer = succeeded(answer)?;
        if json {
            print_json(&answer);
        }
        match &answer {
            Answer::Code { code, relay, .. } => {
                if let Some(file) = &options.png {
                    write_png(code, file)?;
                }
                if !json {
                    show(code, options.ttl, relay)?;
                }
            }
            Answer::Ready {} if options.no_wait => return Ok(()),
            Answer::Ready {} => talk(json, "waiting for a phone to scan it (Ctrl-C takes it back)"),
            Answer::Refused { cause, over: false } => talk(json, &format!("somebody tried and was refused: {cause}")),
            Answer::Refused { cause, over: true } => {
                return Err(Failure::Relay(format!("no phone was let in: {cause}")));
            }
            Answer::Joined { name, safety_number, .. } => {
                talk(json, &format!("'{name}' is let in"));
                if let (false, Some(number)) = (json, safety_number) {
                    println!("safety number (must be the same on the phone): {number}");
                }
            }
            Answer::Paired { device } => {
                if !json {
                    println!("paired: {}", device.0);
                }
                return Ok(());
            }
            Answer::Expired {} => {
                return Err(Failure::Relay("nobody scanned the code in time; run `privet-hub pair` again".into()));
            }
            other => return Err(unexpected(other)),
        }
    }
    Err(Failure::Relay("the hub stopped before a phone came".into()))
}

fn talk(json: bool, text: &str) {
    if !json {
        eprintln!("{text}");
    }
}

fn encode(code: &str) -> Result<QrCode, Failure> {
    QrCode::with_error_correction_level(code, EcLevel::L)
        .map_err(|e| Failure::Other(format!("the code does not fit a QR code: {e}; use a shorter relay host name")))
}

fn show(text: &str, ttl: u64, relay: &str) -> Result<(), Failure> {
    let code = encode(text)?;
    print!("{}", half_blocks(&code, std::io::stdout().is_terminal()));
    println!("{text}");
    eprintln!("good for {} min, for one phone; the phone must be able to reach the relay at {relay}", ttl.div_ceil(60));
    Ok(())
}

/// Two modules a character. On a terminal the colours are set, so that dark terminals show it the right way round.
fn half_blocks(code: &QrCode, colours: bool) -> String {
    let width = code.width();
    let modules = code.to_colors();
    let dark = |x: usize, y: usize| {
        let inside = x.checked_sub(QUIET).zip(y.checked_sub(QUIET)).filter(|(x, y)| *x < width && *y < width);
        inside.is_some_and(|(x, y)| modules[y * width + x] == Color::Dark)
    };
    let side = width + 2 * QUIET;
    let mut out = String::new();
    for y in (0..side).step_by(2) {
        if colours {
            out.push_str("\x1b[30;107m");
        }
        for x in 0..side {
            out.push(match (dark(x, y), y + 1 < side && dark(x, y + 1)) {
                (true, true) => '█',
                (true, false) => '▀',
                (false, true) => '▄',
                (false, false) => ' ',
            });
        }
        out.push_str(if colours { "\x1b[0m\n" } else { "\n" });
    }
    out
}

fn write_png(text: &str, file: &Path) -> Result<(), Failure> {
    let code = encode(text)?;
    let width = code.width();
    let modules = code.to_colors();
    let quiet = u32::try_from(QUIET).unwrap_or(4);
    let side = (u32::try_from(width).unwrap_or(0) + 2 * quiet) * MODULE;
    let picture = GrayImage::from_fn(side, side, |x, y| {
        let at = |p: u32| (p / MODULE).checked_sub(quiet).map(|m| m as usize).filter(|m| *m < width);
        let dark = at(x).zip(at(y)).is_some_and(|(x, y)| modules[y * width + x] == Color::Dark);
        Luma([if dark { 0 } else { 255 }])
    });
    // Whoever reads this file can come in: it is made for its owner alone.
    use std::os::unix::fs::OpenOptionsExt;
    let failed = |e: &dyn std::fmt::Display| Failure::Other(format!("{} can't be written: {e}", file.display()));
    let mut out = std::fs::OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(file)
        .map_err(|e| failed(&e))?;
    picture.write_to(&mut out, image::ImageFormat::Png).map_err(|e| failed(&e))
}
