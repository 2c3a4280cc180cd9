//! Whom a session acts for, and what it may ask.

use privet_protocol::id::MailboxId;
use privet_protocol::relay::{Request, Rights};

use super::tally::Kind;
use super::wake;

/// Bytes that a hub may have on their way, for its segments.
const OWNER_WINDOW: u32 = 8 * 1024 * 1024;
/// The same of all others, who send messages only.
const OTHERS_WINDOW: u32 = 256 * 1024;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    Owner,
    Member,
    Mailbox(MailboxId),
    /// Another node, for its followers.
    Node,
}

impl Role {
    pub(crate) fn receive_window(self) -> u32 {
        match self {
            Self::Owner => OWNER_WINDOW,
            Self::Member | Self::Mailbox(_) | Self::Node => OTHERS_WINDOW,
        }
    }

    /// What it is counted as.
    pub(crate) fn kind(self) -> Kind {
        match self {
            Self::Owner => Kind::Owner,
            Self::Member | Self::Node => Kind::Member,
            Self::Mailbox(_) => Kind::Mailbox,
        }
    }

    /// Whether it may make this request; what a member may is what it was granted.
    pub(crate) fn may(self, request: &Request, granted: impl FnOnce() -> Rights) -> bool {
        match self {
            Self::Owner => true,
            Self::Member => member_may(request, &granted()),
            Self::Mailbox(own) => {
                matches!(request, Request::Post { mailbox, .. } | Request::Collect { mailbox, .. } if *mailbox == own)
            }
            Self::Node => matches!(request, Request::Follow { .. }),
        }
    }
}

fn member_may(request: &Request, rights: &Rights) -> bool {
    match request {
        Request::ReadLog { .. } | Request::AckLog { .. } => rights.log,
        Request::Send { .. } => rights.inbox,
        Request::Get { .. } | Request::Follow { .. } | Request::Stat { .. } | Request::AckStream { .. } => {
            rights.segments
        }
        Request::Usage => *rights != Rights::default() && rights.log_upto.is_none(),
        Request::PushKey | Request::SetPush { .. } | Request::ReadWakes { .. } | Request::AckWakes { .. } => {
            wake::may_be_woken(rights)
        }
        Request::Append { .. }
        | Request::ReadInbox { .. }
        | Request::AckInbox { .. }
        | Request::Put { .. }
        | Request::Finish { .. }
        | Request::DropStream { .. }
        | Request::Grant { .. }
        | Request::Revoke { .. }
        | Request::OpenMailbox { .. }
        | Request::CloseMailbox { .. }
        | Request::Post { .. }
        | Request::Collect { .. }
        | Request::Wake { .. } => false,
    }
}
