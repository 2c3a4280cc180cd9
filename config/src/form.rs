//! What may stand in a program's file, and what is said about a file that has something else.

use std::ops::RangeInclusive;
use std::path::Path;

use serde::de::DeserializeOwned;
use toml::de::DeTable;

use crate::entries::{Entry, entries, joined, place};
use crate::error::ConfigError;

/// A key for a whole number, how to find the number in the values, and what it may be.
pub type Number<C> = (&'static str, fn(&C) -> u64, RangeInclusive<u64>);

/// What may stand in the file whose values are a `C`. Keys are written with their tables: `table.key`.
pub struct Form<C: 'static> {
    /// How the program is told which file to read, such as "--config".
    pub named_with: &'static str,
    /// Keys and what may stand there, in words, in groups; those of [`Form::numbers`] need no words. What the owner names
    /// is called NAME in them.
    pub keys: &'static [&'static [(&'static str, &'static str)]],
    /// The whole numbers that have bounds.
    pub numbers: &'static [Number<C>],
    /// Keys of `[[key]]`: tables of which there may be several.
    pub lists: &'static [&'static str],
    /// Tables whose keys are names that the owner gives.
    pub named: &'static [&'static str],
    /// Keys whose values no error repeats; what holds such a key belongs here too.
    pub secrets: &'static [&'static str],
}

/// A value that is of the right type and still not allowed.
pub struct Fault {
    key: String,
    item: Option<usize>,
    found: String,
    allowed: Option<String>,
}

impl Fault {
    /// At this key stands `found`, which the error repeats as it is.
    pub fn new(key: &str, found: impl Into<String>) -> Self {
        Self { key: key.into(), item: None, found: found.into(), allowed: None }
    }

    /// Where more can be said than the form says of the key in general.
    #[must_use]
    pub fn instead(mut self, allowed: &str) -> Self {
        self.allowed = Some(allowed.into());
        self
    }

    /// The key is in this table of its list, counted from 0.
    #[must_use]
    pub fn of_item(mut self, place: usize) -> Self {
        self.item = Some(place);
        self
    }
}

impl<C: DeserializeOwned> Form<C> {
    /// The text of a file.
    ///
    /// # Errors
    /// [`ConfigError`] if the file can't be read or is not text.
    pub fn read(&self, file: &Path) -> Result<String, ConfigError> {
        let bytes = std::fs::read(file).map_err(|e| ConfigError::Unreadable {
            file: shown(file),
            cause: e.to_string(),
            named_with: self.named_with,
        })?;
        String::from_utf8(bytes).map_err(|e| {
            let valid = e.as_bytes().get(..e.utf8_error().valid_up_to()).unwrap_or_default();
            let before = String::from_utf8_lossy(valid);
            self.not_toml(file, &before, before.len(), "not UTF-8 text")
        })
    }

    /// The values in `text`, which is the text of `file`; `fault` looks for what their types allow and the program does not.
    ///
    /// # Errors
    /// [`ConfigError`] for the first thing that is not allowed.
    pub fn parse(&self, file: &Path, text: &str, fault: impl FnOnce(&C) -> Option<Fault>) -> Result<C, ConfigError> {
        let values = toml::from_str(text).map_err(|e| self.misfit(file, text, &e))?;
        fault(&values).map_or(Ok(values), |fault| Err(self.refused(file, text, fault)))
    }

    /// What is said about a fault in `text`, which is the text of `file`.
    pub fn refused(&self, file: &Path, text: &str, fault: Fault) -> ConfigError {
        let Fault { key, item, found, allowed } = fault;
        let root = DeTable::parse(text).map(toml::Spanned::into_inner).unwrap_or_default();
        let entries = entries(&root, self.lists);
        let of = |key: &str| entries.iter().find(|e| e.key == key && e.item == item).map(|e| e.name.start);
        let start = of(&key).or_else(|| of(key.rsplit_once('.')?.0)).unwrap_or(0);
        let allowed = allowed.or_else(|| self.allowed(&key)).unwrap_or_default();
        ConfigError::NotAllowed { file: shown(file), line: place(text, start).0, key, found, allowed }
    }

    /// The first number that is out of its bounds.
    pub fn number_out_of_bounds(&self, values: &C) -> Option<Fault> {
        let (key, number, _) = self.numbers.iter().find(|(_, number, range)| !range.contains(&number(values)))?;
        Some(Fault::new(key, number(values).to_string()))
    }

    /// What may stand at this key; nothing if there is no such key.
    pub fn allowed(&self, key: &str) -> Option<String> {
        let general = self.general(key);
        let key = general.as_str();
        let range = self.numbers.iter().find(|(name, ..)| *name == key);
        range
            .map(|(_, _, range)| format!("a whole number from {} to {}", range.start(), range.end()))
            .or_else(|| self.texts().find(|(name, _)| *name == key).map(|(_, text)| (*text).to_owned()))
    }

    fn texts(&self) -> impl Iterator<Item = &'static (&'static str, &'static str)> {
        self.keys.iter().copied().flatten()
    }

    /// The key with NAME in place of what the owner named.
    fn general(&self, key: &str) -> String {
        for table in self.named {
            let Some(named) = key.strip_prefix(table).and_then(|rest| rest.strip_prefix('.')) else { continue };
            return match named.rsplit_once('.') {
                Some((_, last)) => format!("{table}.NAME.{last}"),
                None => format!("{table}.NAME"),
            };
        }
        key.to_owned()
    }

    fn all_keys(&self) -> impl Iterator<Item = &'static str> {
        self.texts().map(|(name, _)| *name).chain(self.numbers.iter().map(|(name, ..)| *name))
    }

    /// The keys that may stand where this one stands.
    fn keys_beside(&self, key: &str) -> String {
        let key = self.general(key);
        let table = key.rsplit_once('.').map_or("", |(table, _)| table);
        let beside: Vec<_> = self
            .all_keys()
            .filter_map(|name| match name.rsplit_once('.') {
                Some((of, name)) => (of == table).then_some(name),
                None => table.is_empty().then_some(name),
            })
            .collect();
        beside.join(", ")
    }

    fn not_toml(&self, file: &Path, text: &str, at: usize, message: &str) -> ConfigError {
        let (line, column) = place(text, at);
        let key = self.key_on_line(text, line);
        ConfigError::NotToml { file: shown(file), line, column, key, message: message.into() }
    }

    /// What the parser says, in terms of keys.
    fn misfit(&self, file: &Path, text: &str, error: &toml::de::Error) -> ConfigError {
        let at = error.span().map_or(0, |span| span.start.min(text.len()));
        let Ok(root) = DeTable::parse(text) else { return self.not_toml(file, text, at, error.message()) };
        let entries = entries(root.get_ref(), self.lists);
        let missing = error.message().strip_prefix("missing field `");
        // Only a table can lack something; where the whole file does, its first key holds the place, too.
        let fits = |e: &&Entry| e.holds(at) && (missing.is_none() || e.has_keys());
        let entry = entries.iter().filter(fits).max_by_key(|e| e.key.len());
        let table = entry.map_or("", |e| e.key.as_str());
        let (key, found, allowed) = if let Some(name) = missing {
            let key = joined(table, name.trim_end_matches('`'));
            let allowed = self.allowed(&key).unwrap_or_default();
            (key, "missing".into(), allowed)
        } else if let Some(entry) = entry {
            let (found, allowed) = match self.allowed(&entry.key) {
                Some(allowed) => (self.value(entry, text), allowed),
                None => ("not a key".into(), self.keys_beside(&entry.key)),
            };
            (entry.key.clone(), found, allowed)
        } else {
            ("the file".into(), error.message().to_owned(), self.keys_beside(""))
        };
        ConfigError::NotAllowed { file: shown(file), line: place(text, at).0, key, found, allowed }
    }

    /// The value as it stands there; but no secret, and nothing long.
    fn value(&self, entry: &Entry, text: &str) -> String {
        let value = text.get(entry.value.clone()).unwrap_or_default();
        let short = value.len() <= 80 && !value.contains(char::is_control);
        if entry.kind == "table" || !short || self.secrets.contains(&entry.key.as_str()) {
            return format!("of type {}", entry.kind);
        }
        value.to_owned()
    }

    /// The key or table at the start of the line, as " at `key`"; nothing where it may as well be a part of a value.
    fn key_on_line(&self, text: &str, line: usize) -> String {
        let line = text.lines().nth(line - 1).unwrap_or_default().trim_start_matches('\u{feff}').trim();
        let is_key = |c: char| c.is_ascii_alphanumeric() || "_-.[]".contains(c);
        let (word, rest) = line.split_at(line.find(|c| !is_key(c)).unwrap_or(line.len()));
        let known = self.all_keys().any(|key| key.rsplit('.').next() == Some(word)) || word.starts_with('[');
        if known || rest.trim_start().starts_with('=') { format!(" at `{word}`") } else { String::new() }
    }
}

fn shown(file: &Path) -> String {
    file.display().to_string()
}
