//! What is wrong with a configuration: file, line, key, what stands there and what may stand there.

use std::ops::Range;
use std::path::Path;

use toml::de::{DeTable, DeValue};

use super::{KEYS, RANGES, SECRETS};

/// Why a configuration can't be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    /// The file is not there, or not ours to read.
    #[error("{file}: can't be read: {cause}; allowed: a file of TOML, named with --config or PRIVET_HUB_CONFIG")]
    Unreadable {
        /// The file.
        file: String,
        /// What the system said.
        cause: String,
    },
    /// It is not TOML.
    #[error("{file}:{line}:{column}: not TOML{key}: {message}; allowed: lines `key = value` and `[table]`, each once")]
    NotToml {
        /// The file.
        file: String,
        /// Counted from 1.
        line: usize,
        /// Counted from 1.
        column: usize,
        /// The key or table that stands on this line, as " at `key`"; empty where none can be made out.
        key: String,
        /// What the parser met.
        message: String,
    },
    /// A key that is not known or missing, or a value that is not allowed.
    #[error("{file}:{line}: {key} is {found}; allowed: {allowed}")]
    NotAllowed {
        /// The file.
        file: String,
        /// Line of the key, or of its table where the key is missing, from 1.
        line: usize,
        /// The key with its table.
        key: String,
        /// What stands there.
        found: String,
        /// What may stand there.
        allowed: String,
    },
}

impl ConfigError {
    /// A file that is not text.
    pub(super) fn not_text(file: &Path, bytes: &[u8], valid: usize) -> Self {
        let before = String::from_utf8_lossy(bytes.get(..valid).unwrap_or_default());
        let (line, column) = place(&before, before.len());
        let key = key_on_line(&before, line);
        Self::NotToml { file: file.display().to_string(), line, column, key, message: "not UTF-8 text".into() }
    }

    /// What the parser says, in terms of keys.
    pub(super) fn from_toml(file: &Path, text: &str, error: &toml::de::Error) -> Self {
        let at = error.span().map_or(0, |span| span.start.min(text.len()));
        let (line, column) = place(text, at);
        let Ok(root) = DeTable::parse(text) else {
            let (key, message) = (key_on_line(text, line), error.message().to_owned());
            return Self::NotToml { file: file.display().to_string(), line, column, key, message };
        };
        let entries = entries(root.get_ref());
        let entry = entries.iter().filter(|e| e.holds(at)).max_by_key(|e| e.key.len());
        let table = entry.map_or("", |e| e.key.as_str());
        if let Some(name) = error.message().strip_prefix("missing field `") {
            let key = joined(table, name.trim_end_matches('`'));
            let allowed = allowed(&key).unwrap_or_default();
            return Self::NotAllowed { file: file.display().to_string(), line, key, found: "missing".into(), allowed };
        }
        let Some(entry) = entry else {
            let (key, found) = ("the file".into(), error.message().to_owned());
            return Self::NotAllowed { file: file.display().to_string(), line, key, found, allowed: keys_beside("") };
        };
        let (found, allowed) = match allowed(&entry.key) {
            Some(allowed) => (entry.shown(text), allowed),
            None => ("not a key".into(), keys_beside(&entry.key)),
        };
        Self::NotAllowed { file: file.display().to_string(), line, key: entry.key.clone(), found, allowed }
    }

    /// A value of the right type that is still not allowed.
    pub(super) fn not_allowed(file: &Path, text: &str, fault: Fault) -> Self {
        let Fault { key, camera, found, allowed } = fault;
        let root = DeTable::parse(text).map(toml::Spanned::into_inner).unwrap_or_default();
        let entries = entries(&root);
        let of = |key: &str| entries.iter().find(|e| e.key == key && e.camera == camera).map(|e| e.name.start);
        let start = of(&key).or_else(|| of(key.rsplit_once('.')?.0)).unwrap_or(0);
        Self::NotAllowed { file: file.display().to_string(), line: place(text, start).0, key, found, allowed }
    }
}

/// A value of the right type that is still not allowed.
pub(super) struct Fault {
    key: String,
    camera: Option<usize>,
    found: String,
    allowed: String,
}

impl Fault {
    pub(super) fn new(key: &str, found: &str) -> Self {
        let found = found.chars().filter(|c| !c.is_control()).take(200).collect();
        Self { key: key.into(), camera: None, found, allowed: allowed(key).unwrap_or_default() }
    }

    /// Where more can be said than the key allows in general.
    pub(super) fn instead(mut self, allowed: &str) -> Self {
        self.allowed = allowed.into();
        self
    }

    pub(super) fn of_camera(mut self, place: usize) -> Self {
        self.camera = Some(place);
        self
    }
}

/// What may stand at this key; nothing if there is no such key.
pub(super) fn allowed(key: &str) -> Option<String> {
    let range = RANGES.iter().find(|(name, ..)| *name == key);
    range
        .map(|(_, _, range)| format!("a whole number from {} to {}", range.start(), range.end()))
        .or_else(|| KEYS.iter().find(|(name, _)| *name == key).map(|(_, text)| (*text).to_owned()))
}

fn all_keys() -> impl Iterator<Item = &'static str> {
    KEYS.iter().map(|(name, _)| *name).chain(RANGES.iter().map(|(name, ..)| *name))
}

/// The keys that may stand where this one stands.
fn keys_beside(key: &str) -> String {
    let table = key.rsplit_once('.').map_or("", |(table, _)| table);
    let beside: Vec<_> = all_keys()
        .filter_map(|name| match name.rsplit_once('.') {
            Some((of, name)) => (of == table).then_some(name),
            None => table.is_empty().then_some(name),
        })
        .collect();
    beside.join(", ")
}

/// A key of the file and where it and its value stand; in the how-manieth table, for `[[camera]]`.
struct Entry {
    key: String,
    camera: Option<usize>,
    name: Range<usize>,
    value: Range<usize>,
    kind: &'static str,
}

impl Entry {
    fn holds(&self, at: usize) -> bool {
        self.name.contains(&at) || self.value.contains(&at)
    }

    /// What stands there, as it stands there; but no secret, and nothing long.
    fn shown(&self, text: &str) -> String {
        let value = text.get(self.value.clone()).unwrap_or_default();
        let short = value.len() <= 80 && !value.contains(char::is_control);
        if self.kind == "table" || !short || SECRETS.contains(&self.key.as_str()) {
            return format!("of type {}", self.kind);
        }
        value.to_owned()
    }
}

fn entries(root: &DeTable<'_>) -> Vec<Entry> {
    let mut found = Vec::new();
    let mut waiting = vec![(String::new(), None, root)];
    while let Some((prefix, camera, table)) = waiting.pop() {
        for (name, value) in table {
            let key = joined(&prefix, name.get_ref());
            let kind = value.get_ref().type_str();
            found.push(Entry { key: key.clone(), camera, name: name.span(), value: value.span(), kind });
            match value.get_ref() {
                DeValue::Table(inner) => waiting.push((key, camera, inner)),
                DeValue::Array(list) => {
                    for (place, item) in list.iter().enumerate() {
                        let DeValue::Table(inner) = item.get_ref() else { continue };
                        let (name, kind) = (item.span(), "array");
                        found.push(Entry { key: key.clone(), camera: Some(place), name, value: item.span(), kind });
                        waiting.push((key.clone(), Some(place), inner));
                    }
                }
                _ => {}
            }
        }
    }
    found
}

fn joined(table: &str, name: &str) -> String {
    if table.is_empty() { name.to_owned() } else { format!("{table}.{name}") }
}

/// Line and column, from 1.
fn place(text: &str, at: usize) -> (usize, usize) {
    let before = text.get(..at).unwrap_or_default();
    (before.matches('\n').count() + 1, before.chars().rev().take_while(|c| *c != '\n').count() + 1)
}

/// The key or table at the start of the line, as " at `key`"; nothing where it may as well be a part of a value.
fn key_on_line(text: &str, line: usize) -> String {
    let line = text.lines().nth(line - 1).unwrap_or_default().trim_start_matches('\u{feff}').trim();
    let is_key = |c: char| c.is_ascii_alphanumeric() || "_-.[]".contains(c);
    let (word, rest) = line.split_at(line.find(|c| !is_key(c)).unwrap_or(line.len()));
    let known = all_keys().any(|key| key.rsplit('.').next() == Some(word)) || word.starts_with('[');
    if known || rest.trim_start().starts_with('=') { format!(" at `{word}`") } else { String::new() }
}
