//! What an operator reads about a file that is wrong, for a small program of our own.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::path::Path;

use privet_config::{Fault, Form};
use serde::Deserialize;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Values {
    name: String,
    #[serde(default)]
    word: String,
    #[serde(default)]
    limits: Limits,
    #[serde(default)]
    door: Vec<Door>,
    #[serde(default, rename = "shelf")]
    _shelf: BTreeMap<String, Shelf>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Shelf {
    #[serde(rename = "height")]
    _height: f64,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Limits {
    keys: u64,
    open: bool,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Door {
    place: String,
}

const FORM: Form<Values> = Form {
    named_with: "--config",
    keys: &[&[
        ("name", "a text in quotes"),
        ("word", "a secret text in quotes"),
        ("limits", "a table, `[limits]`"),
        ("limits.open", "true or false"),
        ("door", "tables, `[[door]]`"),
        ("door.place", "a text in quotes, not empty"),
        ("shelf", "tables, `[shelf.NAME]`"),
        ("shelf.NAME.height", "a number"),
    ]],
    numbers: &[("limits.keys", |values| values.limits.keys, 0..=9)],
    lists: &["door"],
    named: &["shelf"],
    secrets: &["word"],
};

fn fault(values: &Values) -> Option<Fault> {
    if values.name.is_empty() {
        return Some(Fault::new("name", "empty"));
    }
    if values.limits.open && values.word.is_empty() {
        return Some(Fault::new("word", "missing").instead("a word, with limits.open = true"));
    }
    let empty = values.door.iter().position(|door| door.place.is_empty());
    empty.map(|place| Fault::new("door.place", "empty").of_item(place)).or_else(|| FORM.number_out_of_bounds(values))
}

fn said(text: &str) -> String {
    FORM.parse(Path::new("my.toml"), text, fault).map_or_else(|error| error.to_string(), |_| "good".into())
}

#[test]
fn an_error_names_file_line_key_what_is_there_and_what_is_allowed() {
    for (text, expected) in [
        ("name = 'a'\n[limits]\nkeys = 9\n[[door]]\nplace = 'x'", "good"),
        ("", "my.toml:1: name is missing; allowed: a text in quotes"),
        ("word = 'a'", "my.toml:1: name is missing; allowed: a text in quotes"),
        (
            "name = 'a'\nname = 'b'",
            "my.toml:2:1: not TOML at `name`: duplicate key; allowed: lines `key = value` and `[table]`, each once",
        ),
        ("\nname = 5", "my.toml:2: name is 5; allowed: a text in quotes"),
        ("name = ''", "my.toml:1: name is empty; allowed: a text in quotes"),
        ("name = 'a'\nlimits.open = true", "my.toml:1: word is missing; allowed: a word, with limits.open = true"),
        ("name = 'a'\nnames = 'b'", "my.toml:2: names is not a key; allowed: name, word, limits, door, shelf"),
        ("name = 'a'\n[limits]\nkey = 1", "my.toml:3: limits.key is not a key; allowed: open, keys"),
        ("name = 'a'\n[limits]\nkeys = 10", "my.toml:3: limits.keys is 10; allowed: a whole number from 0 to 9"),
        ("name = 'a'\nlimits.keys = 'ten'", "my.toml:2: limits.keys is 'ten'; allowed: a whole number from 0 to 9"),
        ("name = 'a'\nlimits = [{ keys = 3 }]", "my.toml:2: limits is [{ keys = 3 }]; allowed: a table, `[limits]`"),
    ] {
        assert_eq!(said(text), expected, "{text:?}");
    }
}

#[test]
fn in_a_list_of_tables_the_line_is_that_of_the_table_that_is_wrong() {
    let doors = "name = 'a'\n[[door]]\nplace = 'front'\n[[door]]\n";
    let allowed = "allowed: a text in quotes, not empty";
    assert_eq!(said(&format!("{doors}place = ''")), format!("my.toml:5: door.place is empty; {allowed}"));
    assert_eq!(said(&format!("{doors}place = 7")), format!("my.toml:5: door.place is 7; {allowed}"));
    assert_eq!(said(doors), format!("my.toml:4: door.place is missing; {allowed}"));
}

#[test]
fn what_the_owner_names_is_found_under_any_name() {
    let shelf = "name = 'a'\n[shelf.'top one']\n";
    assert_eq!(said(&format!("{shelf}height = 1.5")), "good");
    assert_eq!(
        said(&format!("{shelf}height = 'high'")),
        "my.toml:3: shelf.top one.height is 'high'; allowed: a number"
    );
    assert_eq!(said(&format!("{shelf}width = 2")), "my.toml:3: shelf.top one.width is not a key; allowed: height");
}

#[test]
fn no_error_repeats_a_secret_or_a_long_text() {
    assert_eq!(said("name = 'a'\nword = 1234"), "my.toml:2: word is of type integer; allowed: a secret text in quotes");
    let long = "x".repeat(100);
    assert_eq!(
        said(&format!("name = 'a'\nlimits = '{long}'")),
        "my.toml:2: limits is of type string; allowed: a table, `[limits]`"
    );
}

#[test]
fn a_file_that_cannot_be_read_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("my.toml");
    let name = file.display().to_string();
    let error = || FORM.read(&file).unwrap_err().to_string().replace(&name, "my.toml");
    assert_eq!(
        error(),
        "my.toml: can't be read: No such file or directory (os error 2); allowed: a file of TOML, named with --config"
    );
    std::fs::write(&file, b"\nname = '\xff'").unwrap();
    assert_eq!(
        error(),
        "my.toml:2:9: not TOML at `name`: not UTF-8 text; allowed: lines `key = value` and `[table]`, each once"
    );
    std::fs::write(&file, "name = 'a'").unwrap();
    assert_eq!(FORM.read(&file).unwrap(), "name = 'a'");
}
