//! What is wrong with a configuration, and where.

use std::path::{Path, PathBuf};

/// Why the configuration can't be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    /// The file is not there, or not ours to read.
    #[error("{}: can't be read: {cause}; name the file with --config", file.display())]
    Unreadable {
        /// The file.
        file: PathBuf,
        /// What the system said.
        cause: String,
    },
    /// Not TOML, an unknown or missing key, or a value of the wrong type.
    #[error("{}:{line}:{column}: {message}", file.display())]
    Syntax {
        /// The file.
        file: PathBuf,
        /// Line, from 1.
        line: usize,
        /// Column, from 1.
        column: usize,
        /// What is wrong and what is allowed.
        message: String,
    },
    /// A value that is not allowed.
    #[error("{}:{line}: {key} is {found}; allowed: {allowed}", file.display())]
    NotAllowed {
        /// The file.
        file: PathBuf,
        /// Line of the key, or of its table where the key is missing.
        line: usize,
        /// The key.
        key: String,
        /// What stands there.
        found: String,
        /// What may stand there.
        allowed: String,
    },
    /// A camera's password file can't be read.
    #[error("{}: camera {place} ('{camera}'): password_file {} can't be read: {cause}", file.display(), password_file.display())]
    PasswordFile {
        /// The configuration.
        file: PathBuf,
        /// The camera's name.
        camera: String,
        /// Its place in the file, from 1.
        place: usize,
        /// The password file.
        password_file: PathBuf,
        /// What the system said.
        cause: String,
    },
}

impl ConfigError {
    /// The parser's error with its place. The text itself is not repeated: it might be a password.
    pub(super) fn from_toml(path: &Path, text: &str, error: &toml::de::Error) -> Self {
        let at = error.span().map_or(0, |span| span.start.min(text.len()));
        let before = text.get(..at).unwrap_or_default();
        let line = before.matches('\n').count() + 1;
        let column = before.chars().rev().take_while(|c| *c != '\n').count() + 1;
        Self::Syntax { file: path.to_owned(), line, column, message: error.message().to_owned() }
    }
}

/// The line of `key` (`table.name` or `name`), in the `place`-th table of that name; of the table where the key is missing.
pub(super) fn line_of(text: &str, key: &str, place: usize) -> usize {
    let (table, name) = key.rsplit_once('.').unwrap_or(("", key));
    let mut inside = table.is_empty();
    let mut seen = 0;
    let mut header = 1;
    for (number, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.starts_with('[') {
            let here = line.trim_matches(|c| c == '[' || c == ']').trim() == table;
            inside = here && seen == place;
            if inside {
                header = number + 1;
            }
            seen += usize::from(here);
        } else if inside && line.split('=').next().is_some_and(|k| k.trim() == name) {
            return number + 1;
        }
    }
    header
}
