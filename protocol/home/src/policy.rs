//! What a member may do to the group, checked before anything is merged (RFC 9420 leaves it to the application, and openmls
//! does not refuse it by itself).

/// Which rule a message broke.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PolicyError {
    /// Only messages encrypted for the group are read: no external commits, proposals or public messages.
    #[error("a message that is not encrypted for the group")]
    NotEncrypted,
    /// Only the hub commits.
    #[error("a commit by another member than the hub")]
    NotTheHub,
    /// Phones propose updates of themselves and nothing else.
    #[error("a proposal to {0}, which phones may not make")]
    Proposal(&'static str),
    /// The hub commits adds, removals, updates and the pairing's key, and nothing else.
    #[error("a commit to {0}, which no one may make")]
    Commit(&'static str),
    /// A key the phone was not told of.
    #[error("a commit with a pre-shared key that was not announced")]
    ForeignKey,
    /// A leaf whose credential is not signed by the identity it names, or names another one than before.
    #[error("a credential that is not valid: {0}")]
    Credential(&'static str),
    /// Authenticated data travels in clear, so there must be none.
    #[error("authenticated data in clear")]
    ClearData,
    /// The group is not of the one kind this version makes.
    #[error("another kind of group: {0}")]
    Group(&'static str),
    /// The home's generation went back.
    #[error("generation {found} of the home, after {known}")]
    Generation {
        /// The one known.
        known: u32,
        /// The one found.
        found: u32,
    },
}
