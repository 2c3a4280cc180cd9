//! What is wrong with a file, in the words that the operator reads.

/// Why a configuration can't be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    /// The file is not there, or not ours to read.
    #[error("{file}: can't be read: {cause}; allowed: a file of TOML, named with {named_with}")]
    Unreadable {
        /// The file.
        file: String,
        /// What the system said.
        cause: String,
        /// How the program is told which file to read.
        named_with: &'static str,
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
