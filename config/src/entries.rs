//! Where the keys of a text and their values stand.

use std::ops::Range;

use toml::de::{DeTable, DeValue};

/// A key and where it and its value stand.
pub(crate) struct Entry {
    /// With the tables that it is in, joined by dots.
    pub(crate) key: String,
    /// The how-manieth table of its list it is in, or is, for `[[list]]`.
    pub(crate) item: Option<usize>,
    pub(crate) name: Range<usize>,
    pub(crate) value: Range<usize>,
    /// What TOML calls the value's type.
    pub(crate) kind: &'static str,
}

impl Entry {
    pub(crate) fn holds(&self, at: usize) -> bool {
        self.name.contains(&at) || self.value.contains(&at)
    }

    /// Whether it is a table, or one of a list of tables.
    pub(crate) fn has_keys(&self) -> bool {
        matches!(self.kind, "table" | "array")
    }
}

/// Every key of the text; of what stands in lists, only the tables of `lists`.
pub(crate) fn entries(root: &DeTable<'_>, lists: &[&str]) -> Vec<Entry> {
    let mut found = Vec::new();
    let mut waiting = vec![(String::new(), None, root)];
    while let Some((prefix, item, table)) = waiting.pop() {
        for (name, value) in table {
            let key = joined(&prefix, name.get_ref());
            let kind = value.get_ref().type_str();
            found.push(Entry { key: key.clone(), item, name: name.span(), value: value.span(), kind });
            match value.get_ref() {
                DeValue::Table(inner) => waiting.push((key, item, inner)),
                DeValue::Array(list) if lists.contains(&key.as_str()) => {
                    for (place, item) in list.iter().enumerate() {
                        let DeValue::Table(inner) = item.get_ref() else { continue };
                        let (name, item) = (item.span(), Some(place));
                        found.push(Entry { key: key.clone(), item, value: name.clone(), name, kind });
                        waiting.push((key.clone(), item, inner));
                    }
                }
                _ => {}
            }
        }
    }
    found
}

/// The full name of a key in a table.
pub(crate) fn joined(table: &str, name: &str) -> String {
    if table.is_empty() { name.to_owned() } else { format!("{table}.{name}") }
}

/// Line and column, from 1.
pub(crate) fn place(text: &str, at: usize) -> (usize, usize) {
    let before = text.get(..at).unwrap_or_default();
    (before.matches('\n').count() + 1, before.chars().rev().take_while(|c| *c != '\n').count() + 1)
}
