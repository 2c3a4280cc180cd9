//! Who may found a home: anybody, who brings the operator's word (an invite or a token), or who has worked for it. What the operator
//! gave is used up in the same commit that makes the home, by one home only, at however many relays it is brought at once; where no word
//! of his is asked for, an hour has only so many new homes.

use std::sync::{Mutex, MutexGuard, PoisonError};

use privet_protocol::id::HomeId;
use privet_protocol::random::{Random, secret};
use privet_protocol::relay::{CapabilityKey, Code, Refusal, Solution, WorkFault, WorkKey};
use privet_protocol::storage::StoreError;
use privet_protocol::time::Timestamp;

use super::Relay;
use super::last_hour::LastHour;
use super::records::invite_key;
use super::wire::Failure;
use crate::config::Policy;
use crate::invites::{InviteError, InviteState};
use crate::tokens::{Tokens, use_of};

/// What the relay needs to know to let homes in.
pub(super) struct Founding {
    work: WorkKey,
    /// Homes founded without the operator's word.
    open: Mutex<LastHour>,
}

/// What lets a home in.
pub(super) enum Admission {
    /// Nothing but that there is still room in this hour.
    Open,
    /// A token without bound.
    Token,
    /// One of a token's homes, by what notes that it is used.
    TokenUse([u8; 32]),
    /// An invite, by its hash.
    Invite([u8; 32]),
}

impl Admission {
    /// What is used up with the home, by its key in the index.
    pub(super) fn used(&self) -> Option<Vec<u8>> {
        match self {
            Self::Open | Self::Token => None,
            Self::TokenUse(hash) | Self::Invite(hash) => Some(invite_key(hash)),
        }
    }
}

impl Founding {
    /// The key for challenges is made now: those of an earlier run are asked anew.
    pub(super) fn new(random: &dyn Random, now: Timestamp) -> Self {
        Self { work: WorkKey::new(&secret(random)), open: Mutex::new(LastHour::new(now)) }
    }

    fn open(&self) -> MutexGuard<'_, LastHour> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Relay {
    /// What lets this home in, that is not there yet. It may be used by another one before this one is there.
    pub(super) async fn admit(
        &self,
        home: HomeId,
        founder: &CapabilityKey,
        words: Option<String>,
    ) -> Result<Admission, Failure> {
        match self.config.homes.policy {
            Policy::Open => self.room_this_hour().map(|()| Admission::Open),
            Policy::Invite => self.admit_invite(words).await,
            Policy::Token => self.admit_token(words).await,
            Policy::ProofOfWork => {
                // Before anybody works for nothing.
                self.room_this_hour()?;
                self.admit_work(home, founder, words.as_deref()).map(|()| Admission::Open)
            }
        }
    }

    /// The home is there.
    pub(super) async fn admitted(&self, admission: Admission) {
        match admission {
            Admission::Open => self.founding.open().add(self.now()),
            Admission::Invite(hash) => self.note_used(hash).await,
            Admission::Token | Admission::TokenUse(_) => {}
        }
    }

    fn room_this_hour(&self) -> Result<(), Failure> {
        let (limit, now) = (self.limits.now().homes_per_h, self.now());
        let mut open = self.founding.open();
        if open.left(limit, now) > 0 {
            return Ok(());
        }
        let minutes = open.minutes_until_next(limit, now);
        let text = format!("this relay takes {limit} new homes an hour, and has them: come again in {minutes} min");
        Err(Failure::refuse(Code::Quota, text))
    }

    fn admit_work(&self, home: HomeId, founder: &CapabilityKey, words: Option<&str>) -> Result<(), Failure> {
        let (bits, now) = (self.config.homes.work_bits, self.now());
        let work = &self.founding.work;
        let reason = match words.map(str::parse::<Solution>) {
            Some(Ok(solution)) => match work.verify(home, founder, bits, &solution, now) {
                Ok(()) => return Ok(()),
                Err(WorkFault::Stale) => "the work took too long: here is another challenge",
                Err(WorkFault::Wrong) => "the challenge is not solved",
                Err(_) => "this was not worked for here: here is a challenge",
            },
            _ => "this relay takes new homes by proof of work; if this is all you see, update Privet",
        };
        let challenge = Some(work.challenge(home, founder, bits, now));
        Err(Failure::Refused(Refusal { challenge, ..Refusal::new(Code::Denied, reason) }))
    }

    async fn admit_token(&self, words: Option<String>) -> Result<Admission, Failure> {
        let refuse = |text| Err(Failure::refuse(Code::Denied, text));
        let unknown = "this relay takes new homes by token; ask its operator for it";
        let (Some(words), Some(file)) = (words, self.config.homes.token_file.clone()) else { return refuse(unknown) };
        let given = words.clone();
        let read = tokio::task::spawn_blocking(move || Tokens::read(&file).map(|tokens| tokens.homes(&given)));
        let homes = match read.await {
            Ok(Ok(homes)) => homes,
            Ok(Err(error)) => return Err(StoreError::Io(format!("homes.token_file: {error}")).into()),
            Err(error) => return Err(StoreError::Io(error.to_string()).into()),
        };
        match homes {
            None => refuse(unknown),
            Some(None) => Ok(Admission::Token),
            Some(Some(homes)) => match self.first_unused(&words, homes).await? {
                Some(unused) => Ok(Admission::TokenUse(unused)),
                None => refuse("as many homes as this token is good for were made already; ask for another one"),
            },
        }
    }

    /// The first of a token's `homes` uses that no home was founded with. They are used in order, and none is given back.
    async fn first_unused(&self, words: &str, homes: u64) -> Result<Option<[u8; 32]>, Failure> {
        let (mut first, mut end) = (0, homes);
        while first < end {
            let middle = first + (end - first) / 2;
            if self.storage.get(invite_key(&use_of(words, middle))).await?.is_some() {
                first = middle + 1;
            } else {
                end = middle;
            }
        }
        Ok((first < homes).then(|| use_of(words, first)))
    }

    /// The hash of an invite that lets one more home in.
    async fn admit_invite(&self, words: Option<String>) -> Result<Admission, Failure> {
        let refuse = |text| Err(Failure::refuse(Code::Denied, text));
        let unknown = "this relay takes new homes by invite; ask its operator for one";
        let Some(words) = words else { return refuse(unknown) };
        let hash = *blake3::hash(words.as_bytes()).as_bytes();
        // In the configuration or made by the command, used is used.
        let there = self.storage.get(invite_key(&hash)).await?.is_some();
        let configured = self.config.homes.invites.contains(&words);
        let made = match self.invites.state(&words, self.wall()).await {
            Ok(state) => state,
            Err(InviteError::Store(error)) => return Err(error.into()),
            Err(error) => return Err(StoreError::Io(error.to_string()).into()),
        };
        match made {
            _ if there && (configured || made.is_some()) => {
                self.note_used(hash).await;
                refuse("this invite was used already; ask for another one")
            }
            _ if configured => Ok(Admission::Invite(hash)),
            Some(InviteState::Open) => Ok(Admission::Invite(hash)),
            Some(InviteState::Used) => refuse("this invite was used already; ask for another one"),
            Some(InviteState::Ended) => refuse("this invite has ended; ask for another one"),
            None => refuse(unknown),
        }
    }

    /// Notes for the operator's list that an invite was used; the index knows it in any case.
    async fn note_used(&self, invite: [u8; 32]) {
        if let Err(error) = self.invites.mark_used(invite, self.wall()).await {
            tracing::warn!(%error, "the list of invites shows a used one as open until the next start");
        }
    }
}
