//! The library that an app carries: its size without symbols, and which crates it is made of.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use privet_demo::Trouble;

use super::BENCH;
use crate::figure::{Figure, Goal};
use crate::folder;

/// So many of the largest parts are named.
const NAMED: usize = 12;

pub(super) fn run() -> Result<Vec<Figure>, Trouble> {
    let library = library()?;
    let stripped = folder("phone-library")?.join("stripped.so");
    output(Command::new("strip").arg("-o").arg(&stripped).arg(&library))?;
    let mib = |bytes: u64| bytes as f64 / f64::from(1 << 20);
    let size = stripped.metadata().map_err(|e| Trouble::new(format!("{}: {e}", stripped.display())))?.len();
    let case = format!("library for {}, stripped", std::env::consts::ARCH);
    let mut figures = vec![Figure::known(BENCH, &case, "size", mib(size), "MiB").with_goal(Goal::AtMost(12.0))];
    let mut parts: Vec<_> = parts(&library)?.into_iter().collect();
    parts.sort_by_key(|(_, bytes)| std::cmp::Reverse(*bytes));
    for (name, bytes) in parts.into_iter().take(NAMED) {
        figures.push(Figure::known(BENCH, format!("in it: {name}"), "size", mib(bytes), "MiB"));
    }
    Ok(figures)
}

/// As phones carry it, in the folder of that profile beside this program's.
fn library() -> Result<PathBuf, Trouble> {
    let own = std::env::current_exe().map_err(|e| Trouble::new(format!("this program: {e}")))?;
    let folder = own.parent().and_then(Path::parent).unwrap_or(&own);
    let path = folder.join("phone/libprivet_uniffi.so");
    if !path.exists() {
        return Err(Trouble::new(format!(
            "{} is not there: run this as ./dev bench phone, which builds it",
            path.display()
        )));
    }
    Ok(path)
}

/// Bytes of code and data by the crate that they are named after; what has no name of Rust's is of C's libraries.
fn parts(library: &Path) -> Result<BTreeMap<String, u64>, Trouble> {
    let listed = output(Command::new("nm").args(["--print-size", "--demangle=rust", "--defined-only"]).arg(library))?;
    let mut parts = BTreeMap::new();
    for line in listed.lines() {
        let mut words = line.splitn(4, ' ');
        let (_, Some(size), _, Some(name)) = (words.next(), words.next(), words.next(), words.next()) else { continue };
        let Ok(size) = u64::from_str_radix(size, 16) else { continue };
        *parts.entry(part_of(name)).or_default() += size;
    }
    Ok(parts)
}

/// `<alloc::vec::Vec<privet_home::X> as core::fmt::Debug>::fmt` is of what it is written for: the first of our crates or others' that it names.
fn part_of(name: &str) -> String {
    if name.starts_with("aws_lc") {
        return "aws-lc (C and assembly)".into();
    }
    if !name.contains("::") {
        return "C, and what has no name".into();
    }
    let std = ["core", "alloc", "std"];
    let mut crates = name
        .split(|letter: char| !(letter.is_alphanumeric() || letter == '_' || letter == ':'))
        .filter_map(|word| word.split_once("::"))
        .map(|(first, _)| first)
        .filter(|first| !first.is_empty());
    let named = crates.clone().find(|first| !std.contains(first)).or_else(|| crates.next());
    named.unwrap_or("other").to_owned()
}

fn output(command: &mut Command) -> Result<String, Trouble> {
    let said = command.output().map_err(|e| Trouble::new(format!("{command:?}: {e}; binutils has it")))?;
    if !said.status.success() {
        return Err(Trouble::new(format!("{command:?}: {}", String::from_utf8_lossy(&said.stderr))));
    }
    Ok(String::from_utf8_lossy(&said.stdout).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn code_is_of_the_crate_that_it_is_written_for() {
        assert_eq!(part_of("quinn_proto::connection::Connection::poll"), "quinn_proto");
        assert_eq!(part_of("<alloc::vec::Vec<privet_home::log::LogEntry> as core::fmt::Debug>::fmt"), "privet_home");
        assert_eq!(part_of("core::str::from_utf8"), "core");
        assert_eq!(part_of("aws_lc_0_32_p256_mul"), "aws-lc (C and assembly)");
        assert_eq!(part_of("memcpy"), "C, and what has no name");
    }
}
