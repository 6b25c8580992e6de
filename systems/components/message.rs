//! Messages on their way between a call and a socket (send(2), recv(2)): what a blocked call keeps.

use crate::abi::socket::{ExtendedError, Got, Message, Received, Ucred};
use crate::abi::{Address, Errno};
use crate::components::socket::SocketRef;
use crate::event::{Answer, Payload};
use crate::rows::DescriptionRow;
use crate::wire::Bytes;
use alloc::boxed::Box;
use alloc::vec::Vec;

/// How a message is sent, beside its bytes.
#[derive(Debug, Default)]
pub struct Manner {
    /// `MSG_*`.
    pub flags: u32,
    /// To whom, if not to the peer.
    pub to: Option<Address>,
    /// The open descriptions that go with it, held.
    pub rights: Vec<DescriptionRow>,
    /// Who the sender says to be.
    pub cred: Option<Ucred>,
    /// The socket whose queue is full, while the call waits for it.
    pub at: Option<SocketRef>,
    /// The other messages of sendmmsg(2).
    pub batch: Option<Box<Outgoings>>,
    /// It is made of pages of splice(2) or sendfile(2), which try again themselves.
    pub is_pages: bool,
    /// The byte that is sent this moment is the last of one with `MSG_OOB`.
    pub is_urgent: bool,
}

/// What sendmmsg(2) has beside the message that is sent this moment.
#[derive(Debug, Default)]
pub struct Outgoings {
    /// `MSG_*`, of every message.
    pub flags: u32,
    /// How much of each message is sent.
    pub lengths: Vec<u32>,
    /// Those behind, the next last.
    pub rest: Vec<Message>,
}

crate::wire_struct!(Outgoings { flags, lengths, rest });

/// What recvmmsg(2) has beside the message that is received this moment.
#[derive(Clone, Debug, Default)]
pub struct Incomings {
    /// The room of each message.
    pub counts: Vec<i64>,
    /// What came.
    pub got: Vec<Got>,
    /// When it is over, looked at behind each message only.
    pub until_ns: Option<u64>,
    /// It waits for the first only (`MSG_WAITFORONE`).
    pub for_one: bool,
}

crate::wire_struct!(Incomings { counts, got, until_ns, for_one });

impl Manner {
    /// Whether it is what write(2) does.
    pub fn is_plain(&self) -> bool {
        let bare = self.flags == 0 && self.to.is_none() && self.cred.is_none();
        bare && self.rights.is_empty() && self.at.is_none() && self.batch.is_none()
    }
}

/// Which call receives: what its answer looks like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// read(2).
    Read,
    /// recvfrom(2).
    From,
    /// recvmsg(2).
    Message,
}

crate::wire_enum!(Form { 0 Read, 1 From, 2 Message });

/// How a message is received.
#[derive(Clone, Debug)]
pub struct Receiving {
    /// How many bytes at most.
    pub count: u64,
    /// `MSG_*`.
    pub flags: u32,
    /// By which call.
    pub form: Form,
    /// What came so far, of a call that waits for all (`MSG_WAITALL`).
    pub taken: Vec<u8>,
    /// The messages of recvmmsg(2).
    pub batch: Option<Box<Incomings>>,
}

/// What was taken out of a socket for one call.
#[derive(Debug, Default)]
pub struct Taken {
    /// The bytes.
    pub bytes: Vec<u8>,
    /// The length of the whole packet, if it did not fit.
    pub cut_from: Option<u64>,
    /// How long it was, if `MSG_TRUNC` asks for that though nothing was cut.
    pub whole: Option<u64>,
    /// What a message of the queue of errors tells.
    pub error: Option<Box<ExtendedError>>,
    /// The name of the sender.
    pub from: Option<Address>,
    /// Who the sender says to be.
    pub cred: Option<Ucred>,
    /// Open descriptions that came along, held.
    pub rights: Vec<DescriptionRow>,
    /// What it says of itself: `MSG_OOB`, `MSG_TRUNC`.
    pub flags: u32,
    /// It is an urgent byte of unix(7), which counts even where there is no room for it.
    pub is_urgent: bool,
    /// What comes behind is for another call.
    pub stops: bool,
}

impl Receiving {
    /// How a call receives one message.
    pub const fn one(count: u64, flags: u32, form: Form) -> Self {
        Self { count, flags, form, taken: Vec::new(), batch: None }
    }

    /// read(2) of so many bytes.
    pub const fn read(count: u64) -> Self {
        Self::one(count, 0, Form::Read)
    }

    /// The answer of the call that got this.
    pub fn answer(&self, value: i64, received: Received) -> Answer {
        let payload = match self.form {
            Form::Read => Payload::Data(received.data),
            Form::From | Form::Message => Payload::Received(Box::new(received)),
        };
        Answer { value, payload }
    }

    /// What there is of the message that is received this moment.
    pub fn part(&mut self) -> Option<Answer> {
        if self.taken.is_empty() {
            return None;
        }
        let bytes = core::mem::take(&mut self.taken);
        Some(self.of_bytes(bytes))
    }

    /// The answer of a call that ends with what it has.
    pub fn partial(&mut self) -> Option<Answer> {
        let part = self.part();
        let Some(batch) = &self.batch else { return part };
        // It stays as it is: so it is counted (`memory.rs`).
        let mut all = batch.got.clone();
        all.extend(part.map(got));
        (!all.is_empty()).then(|| answer_of(all))
    }

    /// The answer of a call that got bytes and nothing else.
    pub fn of_bytes(&self, bytes: Vec<u8>) -> Answer {
        let flags = (self.form == Form::Message).then_some(0);
        let value = bytes.len() as i64;
        self.answer(value, Received { data: Bytes(bytes), flags, ..Received::default() })
    }
}

/// What one message of recvmmsg(2) gave, of the answer that recvmsg(2) would have.
pub fn got(answer: Answer) -> Got {
    let received = match answer.payload {
        Payload::Received(received) => *received,
        _ => Received::default(),
    };
    Got { length: answer.value as u32, received }
}

/// The answer of recvmmsg(2).
pub fn answer_of(got: Vec<Got>) -> Answer {
    Answer { value: got.len() as i64, payload: Payload::Messages(got) }
}

impl Outgoings {
    /// The answer of sendmmsg(2).
    pub fn answer(&self) -> Answer {
        let lengths = self.lengths.clone();
        Answer { value: lengths.len() as i64, payload: Payload::Lengths(lengths) }
    }

    /// The same of one that ends while a message is on its way, if it has done something.
    pub fn partial(&self, written: u64) -> Option<Answer> {
        let mut lengths = self.lengths.clone();
        lengths.extend((written > 0).then_some(written as u32));
        let value = lengths.len() as i64;
        (value > 0).then_some(Answer { value, payload: Payload::Lengths(lengths) })
    }
}

/// What a try to receive came to if it is over: an answer or an errno; nothing if it must wait.
pub type Tried = Result<Option<Answer>, Errno>;
