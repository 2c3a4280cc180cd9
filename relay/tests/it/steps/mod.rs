//! What a client may do that keeps to no rule, drawn by dice: the same seed says the same.

use privet_protocol::id::{HomeId, MailboxId, StreamId};
use privet_protocol::relay::{
    CapabilityKey, From as Start, MAX_ENTRY, MAX_MESSAGE, MAX_WAKE, Principal, Request, Retention, Rights, Side,
    Urgency, frame,
};
use privet_protocol::time::Timestamp;

/// One thing that a client does.
pub enum Step {
    /// A request, and what follows it on its stream.
    Ask { request: Request, body: Vec<u8> },
    /// Bytes that are no message, or not a whole one, to the end of the stream.
    Say(Vec<u8>),
    /// Bytes, and then the stream is reset.
    BreakOff(Vec<u8>),
    /// A segment that comes piece by piece, while others do what they do. Its last byte is [`END`], or it breaks off.
    Trickle { request: Request, body: Vec<u8> },
    /// A request on a stream that stays open, whose answer is never read.
    Ignore(Request),
    /// A hello, which a connection has one of.
    Hello,
    /// A unidirectional stream, which the relay takes none of.
    Uni,
    /// A datagram, which the relay takes none of.
    Datagram,
}

/// The last byte of every film's segment that was written to its end, and no other one.
pub const END: u8 = 0xff;
/// A film's segments have numbers below this: few, so that the same ones are written, resumed and dropped by several.
pub const FILMED: u64 = 2;

/// What there is to ask for.
pub struct Known {
    pub homes: [HomeId; 2],
    pub streams: [StreamId; 4],
    /// Streams that only whole segments, and those that break off, are written to.
    pub films: [StreamId; 2],
    pub mailboxes: [MailboxId; 2],
    pub keys: [CapabilityKey; 3],
}

impl Known {
    pub fn step(&self, dice: &mut Dice) -> Step {
        match dice.below(16) {
            0..=6 => {
                let request = self.request(dice);
                let body = match request {
                    // Beyond what a segment may have, at times.
                    Request::Put { .. } if dice.one_in(4) => dice.bytes(100_000),
                    Request::Put { .. } => dice.bytes(3000),
                    _ if dice.one_in(4) => dice.bytes(100),
                    _ => Vec::new(),
                };
                Step::Ask { request, body }
            }
            7 | 8 => Step::Say(self.no_message(dice)),
            9 => {
                let whole = frame(&self.request(dice));
                Step::BreakOff(cut(whole, dice))
            }
            10 | 11 => Step::Ignore(self.request(dice)),
            12 => Step::Hello,
            13 | 14 => {
                let (stream, index) = (dice.pick(&self.films), dice.below(FILMED));
                let retention = Retention::Keep { until: Timestamp(i64::MAX) };
                let request = Request::Put { stream, index, retention, resume: dice.one_in(2) };
                let mut body = dice.bytes(60_000);
                body.iter_mut().for_each(|byte| *byte &= 0x7f);
                // Whoever breaks off never comes to the end, however much of it arrived.
                if !dice.one_in(3) {
                    body.push(END);
                }
                Step::Trickle { request, body }
            }
            _ if dice.one_in(2) => Step::Uni,
            _ => Step::Datagram,
        }
    }

    pub fn principal(&self, dice: &mut Dice) -> Principal {
        let (home, mailbox) = (dice.pick(&self.homes), dice.pick(&self.mailboxes));
        match dice.below(4) {
            0 => Principal::Founder { home, invite: Some("no invite of anybody".into()) },
            1 => Principal::Mailbox { mailbox },
            _ => Principal::Member { home },
        }
    }

    fn no_message(&self, dice: &mut Dice) -> Vec<u8> {
        let mut whole = frame(&self.request(dice));
        match dice.below(8) {
            0 => cut(whole, dice),
            1 => {
                // Announced longer than any message may be.
                let length = MAX_MESSAGE as u32 + 1 + dice.below(1 << 30) as u32;
                [&length.to_be_bytes()[..], &dice.bytes(500)].concat()
            }
            2 => {
                // One item, and more after it.
                let more = [0x01, 0x02, 0x03];
                framed(&[&whole[4..], &more].concat())
            }
            3 => {
                let place = dice.below(whole.len() as u64) as usize;
                whole[place] ^= 1 << dice.below(8);
                whole
            }
            4 => frame(&("Append", dice.number(), dice.bytes(50))),
            // Lists in lists, and none of them ends.
            5 => framed(&vec![0x81; 1 + dice.below(5000) as usize]),
            6 => framed(&dice.bytes(300)),
            _ => dice.bytes(300),
        }
    }

    fn request(&self, dice: &mut Dice) -> Request {
        let (stream, mailbox, key) = (dice.pick(&self.streams), dice.pick(&self.mailboxes), dice.pick(&self.keys));
        // Everything but a put.
        let any = if dice.one_in(3) { dice.pick(&self.films) } else { stream };
        let side = dice.pick(&[Side::Hub, Side::Phone]);
        let follow = dice.one_in(2);
        match dice.below(27) {
            0 => Request::Append { seq: dice.number(), entry: entry(dice) },
            1 => Request::ReadLog { from: dice.number(), follow },
            2 => Request::AckLog { upto: dice.number() },
            3 => Request::Send { message: entry(dice) },
            4 => Request::ReadInbox { from: dice.number(), follow },
            5 => Request::AckInbox { upto: dice.number() },
            6 | 7 => {
                let retention = if dice.one_in(2) { Retention::Pass } else { Retention::Keep { until: dice.time() } };
                Request::Put { stream, index: dice.number(), retention, resume: dice.one_in(3) }
            }
            8 => Request::Finish { stream: any, segments: dice.number() },
            9 => Request::Get { stream: any, index: dice.number(), offset: dice.number() },
            10 => {
                let from = if dice.one_in(2) { Start::Newest } else { Start::Index(dice.number()) };
                Request::Follow { stream: any, from }
            }
            11 => Request::Stat { stream: any },
            12 => Request::AckStream { stream: any },
            13 | 25 | 26 => Request::DropStream { stream: any },
            14 => {
                let log_upto = dice.one_in(3).then(|| dice.number());
                let [log, segments, inbox] = [0; 3].map(|_| dice.one_in(2));
                Request::Grant { key, rights: Rights { log, segments, inbox, log_upto } }
            }
            15 => Request::Revoke { key },
            16 => Request::OpenMailbox { mailbox, key, until: dice.time() },
            17 => Request::CloseMailbox { mailbox },
            18 => Request::Post { mailbox, to: side, message: entry(dice) },
            19 => Request::Collect { mailbox, side, from: dice.number() },
            20 => Request::PushKey,
            21 => Request::SetPush { sealed: dice.bytes(5000) },
            22 => {
                let id = [dice.below(3) as u8; 16];
                let urgency = dice.pick(&[Urgency::High, Urgency::Normal]);
                let payload = dice.bytes(MAX_WAKE as u64 + 100);
                Request::Wake { key, id, payload, urgency, until: dice.time() }
            }
            23 if follow => Request::AckWakes { upto: dice.number() },
            23 => Request::ReadWakes { from: dice.number(), follow: dice.one_in(2) },
            _ => Request::Usage,
        }
    }
}

/// Now and then one byte longer than any may be.
fn entry(dice: &mut Dice) -> Vec<u8> {
    if dice.one_in(20) { vec![7; MAX_ENTRY + 1] } else { dice.bytes(500) }
}

fn cut(mut whole: Vec<u8>, dice: &mut Dice) -> Vec<u8> {
    whole.truncate(dice.below(whole.len() as u64) as usize);
    whole
}

fn framed(body: &[u8]) -> Vec<u8> {
    [&(body.len() as u32).to_be_bytes()[..], body].concat()
}

/// Numbers from a seed (xorshift64).
pub struct Dice(u64);

impl Dice {
    pub fn new(seed: u64) -> Self {
        Self(seed.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    pub fn below(&mut self, most: u64) -> u64 {
        self.roll() % most
    }

    pub fn one_in(&mut self, times: u64) -> bool {
        self.below(times) == 0
    }

    pub fn pick<T: Clone>(&mut self, from: &[T]) -> T {
        from[self.below(from.len() as u64) as usize].clone()
    }

    pub fn id(&mut self) -> [u8; 16] {
        let (one, two) = (self.roll(), self.roll());
        ((u128::from(one) << 64) | u128::from(two)).to_be_bytes()
    }

    /// Small ones more often than others, and those at the ends.
    fn number(&mut self) -> u64 {
        match self.below(8) {
            0..=3 => self.below(4),
            4 => u64::MAX - self.below(3),
            5 => u64::MAX / 2 - 1 + self.below(3),
            _ => {
                let bits = self.below(64);
                self.roll() >> bits
            }
        }
    }

    fn time(&mut self) -> Timestamp {
        const SOME_YEAR: i64 = 2_000_000_000_000;
        Timestamp(self.pick(&[i64::MIN, -1, 0, SOME_YEAR, i64::MAX]))
    }

    fn bytes(&mut self, most: u64) -> Vec<u8> {
        (0..self.below(most)).map(|_| self.roll() as u8).collect()
    }

    fn roll(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 >> 3
    }
}
