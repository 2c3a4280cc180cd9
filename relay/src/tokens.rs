//! Tokens that let homes in: a file of the operator's, a line each, read anew whenever somebody brings one. A token is good for any
//! number of homes, or for as many as its line says; which of these it was used for stands in the index, with hashes like invites.

use std::io::Read as _;
use std::path::Path;

/// The shortest token, in characters: nobody should guess it.
const SHORTEST: usize = 32;
/// The longest file, in bytes.
const MAX_FILE: u64 = 1 << 20;

/// The tokens of a file. Their text is in no error and no log.
pub(crate) struct Tokens(Vec<Token>);

struct Token {
    hash: blake3::Hash,
    homes: Option<u64>,
}

impl Tokens {
    /// Reads a file of tokens.
    ///
    /// # Errors
    /// What is wrong with it, in words.
    pub(crate) fn read(path: &Path) -> Result<Self, String> {
        let mut text = String::new();
        let read = std::fs::File::open(path).and_then(|file| file.take(MAX_FILE + 1).read_to_string(&mut text));
        let length = read.map_err(|e| e.to_string())?;
        if length as u64 > MAX_FILE {
            return Err(format!("it has more than {MAX_FILE} bytes"));
        }
        Self::parse(&text)
    }

    fn parse(text: &str) -> Result<Self, String> {
        let mut tokens = Vec::new();
        for (number, line) in text.lines().enumerate() {
            let mut words = line.split_whitespace();
            let Some(token) = words.next().filter(|word| !word.starts_with('#')) else { continue };
            let fault = |what: String| Err(format!("line {}: {what}", number + 1));
            let length = token.chars().count();
            if length < SHORTEST {
                return fault(format!("a token of {length} characters, at least {SHORTEST} are needed"));
            }
            let homes = match words.next().map(str::parse::<u64>) {
                None => None,
                Some(Ok(homes)) => Some(homes),
                Some(Err(_)) => return fault("behind a token stands for how many homes it is good, or nothing".into()),
            };
            if words.next().is_some() {
                return fault("a token, and for how many homes it is good, is all that a line holds".into());
            }
            tokens.push(Token { hash: blake3::hash(token.as_bytes()), homes });
        }
        if tokens.is_empty() { Err("it holds no token".into()) } else { Ok(Self(tokens)) }
    }

    /// For how many homes these words are good; `None` when they are no token, `Some(None)` without bound.
    pub(crate) fn homes(&self, words: &str) -> Option<Option<u64>> {
        // Equal in a time that says nothing of what is equal.
        let hash = blake3::hash(words.as_bytes());
        self.0.iter().find(|token| token.hash == hash).map(|token| token.homes)
    }
}

/// What stands in the index for the `number`th home that was founded with a token.
pub(crate) fn use_of(words: &str, number: u64) -> [u8; 32] {
    let mut hasher = blake3::Hasher::new_derive_key("privet 2026 a home founded with a token");
    hasher.update(words.as_bytes());
    hasher.update(&number.to_be_bytes());
    *hasher.finalize().as_bytes()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const ONE: &str = "0123456789abcdef0123456789abcdef";
    const OTHER: &str = "fedcba9876543210fedcba9876543210";

    #[test]
    fn a_line_is_a_token_and_for_how_many_homes_it_is_good() {
        let tokens = Tokens::parse(&format!("# of the club\n\n{ONE} 3\n\t{OTHER}\r\n")).unwrap();
        assert_eq!((tokens.homes(ONE), tokens.homes(OTHER)), (Some(Some(3)), Some(None)));
        for no in ["", "# of the club", "3", &ONE[1..], &format!("{ONE} 3")] {
            assert_eq!(tokens.homes(no), None, "{no}");
        }
    }

    #[test]
    fn what_is_wrong_is_named_by_line_and_never_repeated() {
        for (text, said) in [
            ("# nothing\n".to_owned(), "it holds no token"),
            (format!("{ONE}\nhunter2"), "line 2: a token of 7 characters, at least 32 are needed"),
            (format!("{ONE} hunter2"), "line 1: behind a token stands for how many homes it is good, or nothing"),
            (format!("{ONE} -1"), "line 1: behind a token stands for how many homes it is good, or nothing"),
            (
                format!("{ONE} 1 hunter2"),
                "line 1: a token, and for how many homes it is good, is all that a line holds",
            ),
        ] {
            assert_eq!(Tokens::parse(&text).err().unwrap(), said);
        }
    }

    #[test]
    fn each_use_of_a_token_has_a_place_of_its_own() {
        let uses = [use_of(ONE, 0), use_of(ONE, 1), use_of(OTHER, 0), *blake3::hash(ONE.as_bytes()).as_bytes()];
        let all: std::collections::BTreeSet<_> = uses.into_iter().collect();
        assert_eq!(all.len(), 4);
    }
}
