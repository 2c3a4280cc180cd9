//! `privet-chaos`: kills relay, hub and phone at random, again and again, and says whether anything was lost.

#![forbid(unsafe_code)]

use std::path::PathBuf;
use std::process::ExitCode;

use privet_tests::chaos::{Outcome, Wish, make_folder, run};
use privet_tests::dice::seed;

const USAGE: &str = "privet-chaos [--rounds N] [--seconds S] [--seed X] [--folder DIR]

Kills relay, hub and phone at random while a house is busy, N times (200 if not said), and holds what was promised against what
is there. No round begins after S seconds. The same seed makes the same choices. All is kept in DIR (target/chaos if not said),
which is made anew; one that no run made and that is not empty is refused. Prints one line of JSON; exit code 0 only if all is well.";

fn main() -> ExitCode {
    let wish = match parse(std::env::args().skip(1)) {
        Ok(Some(wish)) => wish,
        Ok(None) => {
            println!("{USAGE}");
            return ExitCode::SUCCESS;
        }
        Err(why) => {
            eprintln!("privet-chaos: {why}\n\n{USAGE}");
            return ExitCode::from(2);
        }
    };
    if let Err(error) = make_folder(&wish.folder) {
        eprintln!("privet-chaos: {error}");
        return ExitCode::from(2);
    }
    let outcome = run(&wish);
    report(&wish, &outcome);
    if outcome.all_well { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// What is wished; nothing when help is.
fn parse(mut words: impl Iterator<Item = String>) -> Result<Option<Wish>, String> {
    let mut wish = Wish { rounds: 200, seconds: None, seed: seed(), folder: PathBuf::from("target/chaos") };
    while let Some(word) = words.next() {
        if matches!(word.as_str(), "--help" | "-h") {
            return Ok(None);
        }
        let value = words.next().ok_or_else(|| format!("{word}: what?"))?;
        let number = || value.parse::<u64>().map_err(|_| format!("{word}: '{value}' is not a number"));
        match word.as_str() {
            "--rounds" => {
                wish.rounds = u32::try_from(number()?).map_err(|_| format!("{word}: {value} are too many"))?
            }
            "--seconds" => wish.seconds = Some(number()?),
            "--seed" => wish.seed = number()?,
            "--folder" => wish.folder = PathBuf::from(&value),
            _ => return Err(format!("there is no '{word}'")),
        }
    }
    Ok(Some(wish))
}

fn report(wish: &Wish, outcome: &Outcome) {
    let Outcome { seed, rounds, kills, clips_verified, events, lost, seconds, .. } = outcome;
    for wrong in &outcome.wrong {
        eprintln!("{wrong}");
    }
    eprintln!(
        "{}: {rounds} rounds in {seconds} s; killed: relay {}, hub {}, phone {}; {clips_verified} clips verified, {events} events, {lost} lost",
        if outcome.all_well { "all is well" } else { "NOT WELL" },
        kills.relay,
        kills.hub,
        kills.phone,
    );
    if !outcome.all_well {
        eprintln!("once more the same: ./dev chaos --rounds {} --seed {seed}", wish.rounds);
        eprintln!("logs: {}/*.log", wish.folder.display());
    }
    match serde_json::to_string(outcome) {
        Ok(line) => println!("{line}"),
        Err(error) => eprintln!("privet-chaos: {error}"),
    }
}
