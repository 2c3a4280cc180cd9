//! The folder of a run. It is emptied before the run, so only one that a run made is taken, or one with nothing in it.

use std::fs;
use std::io::{self, ErrorKind};
use std::path::Path;

/// Lies in every folder that a run made.
const MARK: &str = ".made-by-privet-chaos";

/// Why a folder can't be had.
#[derive(Debug, thiserror::Error)]
pub enum FolderError {
    /// It holds something that no run made.
    #[error(
        "{0} is not empty and was not made by privet-chaos, so nothing in it is touched: say another one with --folder, or remove it yourself"
    )]
    NotOurs(String),
    /// It can't be read or written.
    #[error("{0}: {1}")]
    System(String, #[source] io::Error),
}

/// Makes the folder, empty but for its mark. What an earlier run left there is removed.
///
/// # Errors
/// [`FolderError::NotOurs`] for a folder with something in it that no run made; that stays as it is.
pub fn make(folder: &Path) -> Result<(), FolderError> {
    let system = |error| FolderError::System(folder.display().to_string(), error);
    let mark = folder.join(MARK);
    match fs::read_dir(folder) {
        Ok(entries) => {
            let entries = entries.collect::<io::Result<Vec<_>>>().map_err(system)?;
            let is_ours = entries.iter().any(|entry| entry.file_name() == MARK);
            if !is_ours && !entries.is_empty() {
                return Err(FolderError::NotOurs(folder.display().to_string()));
            }
            // The mark stays: whoever ends this half way can begin anew.
            for entry in entries.iter().filter(|entry| entry.file_name() != MARK) {
                let (path, kind) = (entry.path(), entry.file_type().map_err(system)?);
                if kind.is_dir() { fs::remove_dir_all(path) } else { fs::remove_file(path) }.map_err(system)?;
            }
        }
        Err(error) if error.kind() == ErrorKind::NotFound => fs::create_dir_all(folder).map_err(system)?,
        Err(error) => return Err(system(error)),
    }
    fs::write(mark, "privet-chaos makes this folder anew at each run\n").map_err(system)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn only_what_a_run_made_is_removed() {
        let scratch = tempfile::tempdir().unwrap();
        let ours = scratch.path().join("of/chaos");
        for _ in 0..2 {
            make(&ours).unwrap();
            assert_eq!(fs::read_dir(&ours).unwrap().count(), 1);
            fs::create_dir(ours.join("relay")).unwrap();
            fs::write(ours.join("relay/index"), "old").unwrap();
            fs::write(ours.join("relay.log"), "old").unwrap();
        }
        let film = scratch.path().join("holiday.mp4");
        fs::write(&film, "not to be lost").unwrap();
        let refused = make(scratch.path()).unwrap_err();
        assert!(matches!(refused, FolderError::NotOurs(_)) && refused.to_string().contains("--folder"), "{refused}");
        assert!(matches!(make(&film), Err(FolderError::System(..))));
        assert_eq!(fs::read_to_string(&film).unwrap(), "not to be lost");
        assert_eq!(fs::read_dir(&ours).unwrap().count(), 3);
        let empty = scratch.path().join("empty");
        fs::create_dir(&empty).unwrap();
        make(&empty).unwrap();
    }
}
