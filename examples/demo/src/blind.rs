//! Did the relay see anything? Searches all that it stored and received for what the camera sent.
//!
//! What is looked for: out of every chunk of media that the phone decrypted (the camera's access units, byte for byte), 16 bytes from every
//! 64; the parameter sets; the names. What is searched: every byte of every given file, at every offset. Sixteen bytes of compressed video
//! do not stand in ciphertext by chance (2^-128 a place), so one find is a leak.

use std::collections::{HashMap, HashSet};
use std::fs;
use std::path::{Path, PathBuf};

use crate::Trouble;
use crate::film::Contents;

const NEEDLE: usize = 16;
const STEP: usize = 64;
const HEAD: usize = 8;

/// What is looked for.
#[derive(Default)]
pub struct Needles {
    /// By their first bytes.
    by_head: HashMap<[u8; HEAD], Vec<(Vec<u8>, String)>>,
    count: u64,
}

/// What was found, and where.
#[derive(Clone, Debug)]
pub struct Find {
    /// What.
    pub what: String,
    /// In which file.
    pub file: PathBuf,
    /// At which byte.
    pub offset: usize,
}

/// The outcome of a search.
#[derive(Clone, Debug, Default)]
pub struct Search {
    /// Bytes searched.
    pub bytes: u64,
    /// Files searched.
    pub files: u64,
    /// What was found; the first hundred.
    pub finds: Vec<Find>,
}

impl Needles {
    /// Nothing yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// How many there are.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// Looks for a film's media and parameter sets.
    pub fn add_film(&mut self, name: &str, film: &Contents) {
        for set in &film.parameter_sets {
            // A picture parameter set of four bytes stands anywhere by chance; eight do not, in some megabytes.
            if set.len() >= HEAD {
                self.add(set.clone(), format!("a parameter set of {name}"));
            }
        }
        for (number, media) in film.media.iter().enumerate() {
            for piece in media.chunks(STEP) {
                if let Some(piece) = piece.get(..NEEDLE).filter(|piece| is_telling(piece)) {
                    self.add(piece.to_vec(), format!("media of {name}, chunk {number}"));
                }
            }
        }
    }

    /// Looks for a name of at least eight bytes.
    pub fn add_name(&mut self, name: &str) {
        if name.len() >= HEAD {
            self.add(name.as_bytes().to_vec(), format!("the name '{name}'"));
        }
    }

    fn add(&mut self, bytes: Vec<u8>, what: String) {
        if let Some(head) = bytes.first_chunk::<HEAD>() {
            self.by_head.entry(*head).or_default().push((bytes, what));
            self.count += 1;
        }
    }

    /// Searches files, and folders with all that is in them.
    ///
    /// # Errors
    /// [`Trouble`] when one can't be read: what was not searched is not known to be blind.
    pub fn search(&self, places: &[&Path]) -> Result<Search, Trouble> {
        let mut search = Search::default();
        let mut open: Vec<PathBuf> = places.iter().map(|place| place.to_path_buf()).collect();
        while let Some(place) = open.pop() {
            let wrong = |e: std::io::Error| Trouble::new(format!("{}: {e}", place.display()));
            if place.is_dir() {
                for entry in fs::read_dir(&place).map_err(wrong)? {
                    open.push(entry.map_err(wrong)?.path());
                }
            } else {
                let bytes = fs::read(&place).map_err(wrong)?;
                self.search_bytes(&place, &bytes, &mut search);
            }
        }
        Ok(search)
    }

    fn search_bytes(&self, file: &Path, bytes: &[u8], search: &mut Search) {
        search.files += 1;
        search.bytes += bytes.len() as u64;
        for (offset, window) in bytes.windows(HEAD).enumerate() {
            let Some(needles) = window.first_chunk::<HEAD>().and_then(|head| self.by_head.get(head)) else { continue };
            for (needle, what) in needles {
                if bytes[offset..].starts_with(needle) && search.finds.len() < 100 {
                    search.finds.push(Find { what: what.clone(), file: file.into(), offset });
                }
            }
        }
    }
}

/// Whether the bytes are of one film only: runs of the same byte stand in every file.
fn is_telling(bytes: &[u8]) -> bool {
    bytes.iter().collect::<HashSet<_>>().len() >= NEEDLE / 2 + 2
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn plaintext_is_found_wherever_it_stands_and_ciphertext_is_not() {
        let media: Vec<u8> = (0..4096_u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
        let film = Contents { media: vec![media.clone()], ..Contents::default() };
        let mut needles = Needles::new();
        needles.add_film("film", &film);
        needles.add_name("Back garden");
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, bytes: &[u8]| fs::write(folder.path().join(name), bytes).unwrap();
        write("sealed", &media.iter().map(|b| b ^ 0x5A).collect::<Vec<_>>());
        assert!(needles.search(&[folder.path()]).unwrap().finds.is_empty());
        write("leak", &[&[0; 77], &media[100..400]].concat());
        assert!(!needles.search(&[folder.path()]).unwrap().finds.is_empty());
        write("leak", b"camera=Back garden;");
        assert_eq!(needles.search(&[folder.path()]).unwrap().finds.len(), 1);
        needles.search(&[&folder.path().join("not there")]).unwrap_err();
    }
}
