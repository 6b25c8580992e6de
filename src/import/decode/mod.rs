//! A recorded call to the core's [`Call`] and to what the recording says came of it.
//!
//! One file a family: `inputs.rs` and below for arguments, `outputs.rs` for what was written.
//! Nothing here knows a state: descriptors and paths stay what the program said.

mod files;
mod inputs;
mod outputs;
mod process;
mod sockets;
mod terminal;
mod waiting;

pub use inputs::asked_lock;
pub(super) use inputs::request;
pub(crate) use terminal::has_characters;

use std::rc::Rc;

use tickernel_systems::abi::Errno;
use tickernel_systems::event::{Call, Payload};
use tickernel_systems::wire::{Wire, WireReader};

use super::numbers;
use super::scope::is_out_of_scope;
use crate::replay::{CUT, Expected, FED, IGNORE_VALUE, Recorded, Role};
use crate::strace::{self, Value};

/// A call ready for the kernel.
#[derive(Clone, Debug)]
pub struct Decoded {
    /// The encoded [`Call`]; `None` if the kernel has no such call, or the text says too little.
    pub call: Option<Rc<[u8]>>,
    /// What is expected of it.
    pub expected: Expected,
    /// An address stood where data was needed and the call failed with EFAULT, or only the
    /// beginning of a list was printed.
    pub unreadable: bool,
    /// The flags of a preadv2(2) or pwritev2(2), of which `call` is the plain form: what they
    /// change is the kernel's to find out.
    pub vector_flags: Option<u32>,
}

impl Decoded {
    /// The call; `None` if there is none. What was encoded here can be read.
    pub fn parsed(&self) -> Option<Call<'_>> {
        Call::get(&mut WireReader::new(self.call.as_ref()?)).ok()
    }

    /// The call with the flags with which it was made.
    pub fn with_flags<'a>(&self, plain: &Call<'a>) -> Call<'a> {
        /// An offset that stands for the description's own.
        const OWN: i64 = -1;
        match (self.vector_flags, plain) {
            (Some(flags), Call::Readv { fd, count }) => {
                Call::Preadv2 { fd: *fd, count: *count, offset: OWN, flags }
            }
            (Some(flags), Call::Preadv { fd, count, offset }) => {
                Call::Preadv2 { fd: *fd, count: *count, offset: *offset, flags }
            }
            (Some(flags), Call::Writev { fd, data }) => {
                Call::Pwritev2 { fd: *fd, data, offset: OWN, flags }
            }
            (Some(flags), Call::Pwritev { fd, data, offset }) => {
                Call::Pwritev2 { fd: *fd, data, offset: *offset, flags }
            }
            (Some(_) | None, other) => other.clone(),
        }
    }
}

/// Longest data of which strace printed only the beginning: the rest is made up.
const MAX_CUT_BYTES: u64 = 16 << 20;

/// strace's name of a call whose task was killed before it could look.
const NAMELESS: &str = "???";

/// The number that stands for a call without a row in the core's table.
const NO_NUMBER: u32 = 1000;

/// Decodes a call whose result is known or never came.
pub fn decode(call: &strace::Call) -> Decoded {
    let args = Args { call };
    let call_bytes = inputs::inputs(&args);
    let recorded = recorded(call);
    let scope = is_scopeless(call);
    let is_nameless = &*call.name == NAMELESS;
    let role = match (&call_bytes, scope) {
        (_, true) => Role::OutOfScope,
        (Some(_), false) => Role::Call,
        // Its task ended before strace had printed it whole: there is nothing to compare.
        (None, false) if recorded == Recorded::Never && (is_known(&call.name) || is_nameless) => {
            Role::Call
        }
        (None, false) => Role::Unsupported,
    };
    let mut expected = Expected { recorded, ..Expected::only(role, &call.name) };
    if let Recorded::Value(value) = recorded {
        outputs::outputs(&args, value, &mut expected);
    }
    let fault = recorded == Recorded::Errno(Errno::EFAULT);
    // strace -e inject: the kernel was not asked.
    let says = |word| call.result.as_ref().is_some_and(|result| result.says(word));
    let injected = says("INJECTED");
    // Of such a call perhaps not even the arguments are known, but that what it made closes on
    // exec.
    let is_bare = call.args.iter().all(|arg| arg.name() == Some("O_CLOEXEC"));
    let is_unreadable =
        injected && is_bare || known_in_part(call) || is_raw(call) || asks_the_machine(call);
    let is_answered = is_unreadable && !scope && call_bytes.is_none();
    let unreadable = !scope
        && !is_answered
        && (injected
            || fault && (call_bytes.is_none() || args.has_address())
            || args.has_part_of_a_poll());
    if unreadable {
        expected.role = Role::Taken;
        expected.flags |= FED;
    }
    if is_answered {
        expected.role = Role::Call;
        expected.flags |= FED;
    }
    // `dump --strace` of a call that the kernel did not know.
    let is_unsupported = says("UNSUPPORTED") && !scope && !unreadable;
    if is_unsupported {
        expected.role = Role::Unsupported;
    }
    let call = match call_bytes.filter(|_| !is_unsupported) {
        Some(bytes) => Some(bytes.into()),
        None if !scope && !unreadable => Some(unmodelled(&call.name).into()),
        None => None,
    };
    let vector_flags = inputs::vector_flags(&args);
    Decoded { call, expected, unreadable, vector_flags }
}

/// Whether strace cut an argument of a call that the kernel knows (`-s`): what that was it cannot
/// know.
pub fn known_in_part(call: &strace::Call) -> bool {
    let is_cut = |value: &Value| {
        value.as_text().is_some_and(|text| text.cut)
            || value.as_array().is_some_and(|list| list.more)
    };
    is_known(&call.name) && call.args.iter().any(is_cut)
}

/// Whether strace printed an address in place of a text or a structure without which a call that
/// the kernel knows cannot be made (`-e raw`, `-e verbose=none`).
pub fn is_raw(call: &strace::Call) -> bool {
    // Here it is the number that the kernel does not know, perhaps.
    let asks = matches!(&*call.name, "ioctl" | "fcntl" | "prctl" | "getsockopt" | "setsockopt");
    let is_address = |arg: &Value| arg.as_pointer().is_some_and(|at| at > LAST_NUMBER);
    !asks
        && is_known(&call.name)
        && call.args.iter().any(is_address)
        && inputs::inputs(&Args { call }).is_none()
}

/// Whether a call asks the machine for what only that can know, and the kernel has no such object:
/// where on the disk a file lies (FS_IOC_FIEMAP), its interfaces (netdevice(7)), its routes and
/// logs (netlink(7)).
fn asks_the_machine(call: &strace::Call) -> bool {
    /// `_IOWR('f', 11, struct fiemap)`, linux/fs.h.
    const FS_IOC_FIEMAP: u64 = 0xc020_660b;
    /// linux/sockios.h
    const SIOC: std::ops::RangeInclusive<u64> = 0x8900..=0x89ff;
    const AF_NETLINK: u64 = 16;
    let is = |at: usize, number: &dyn Fn(u64) -> bool, name: &dyn Fn(&str) -> bool| {
        call.arg(at)
            .is_some_and(|it| it.as_u64().is_some_and(number) || it.name().is_some_and(name))
    };
    match &*call.name {
        "ioctl" => is(1, &|it| it == FS_IOC_FIEMAP || SIOC.contains(&it), &|name| {
            name == "FS_IOC_FIEMAP" || name.starts_with("SIOCG")
        }),
        "socket" => is(0, &|it| it == AF_NETLINK, &|name| name == "AF_NETLINK"),
        _ => false,
    }
}

/// Addresses begin beyond it.
const LAST_NUMBER: u64 = 0xfff;

/// Whether the kernel has a call of this name.
pub fn is_known(name: &str) -> bool {
    Call::NAMES.iter().any(|entry| entry.1 == name)
}

/// Whether a call is out of scope; restart_syscall(2) is the call that it goes on with.
pub fn is_scopeless(call: &strace::Call) -> bool {
    let resumed = match call.arg(0) {
        Some(Value::Resuming(name)) if &*call.name == "restart_syscall" => Some(name),
        _ => None,
    };
    is_out_of_scope(resumed.unwrap_or(&call.name))
}

/// restart_syscall(2) of a restart_syscall(2) that was interrupted in its turn: what it resumes
/// stands further above.
pub fn resumes_itself(call: &strace::Call) -> bool {
    let name = &*call.name;
    name == "restart_syscall" && matches!(call.arg(0), Some(Value::Resuming(it)) if &**it == name)
}

/// The encoded call that stands for one that is answered as recorded.
pub fn unmodelled(name: &str) -> Vec<u8> {
    let known = Call::NAMES.iter().find(|entry| entry.1 == name);
    encoded(&Call::Unmodelled { number: known.map_or(NO_NUMBER, |entry| entry.0) })
}

fn encoded(call: &Call<'_>) -> Vec<u8> {
    let mut out = Vec::new();
    call.put(&mut out);
    out
}

/// The ranges of a writing call's data that strace did not print.
pub fn unknown_parts(call: &strace::Call) -> Vec<(u64, u64)> {
    let mut parts = Vec::new();
    let mut add = |data: Option<&Value>, start: u64, length: u64| {
        match data.and_then(Value::as_text) {
            Some(text) if text.cut => {
                parts.push((start + text.bytes.len() as u64, start + length));
            }
            Some(_) => {}
            // An address: nothing is known.
            None => parts.push((start, start + length)),
        }
    };
    let length = |value: Option<&Value>| value.and_then(Value::as_u64).unwrap_or(0);
    match &*call.name {
        "write" | "pwrite64" | "sendto" => {
            add(call.arg(1), 0, length(call.arg(2)));
        }
        "writev" | "pwritev" | "pwritev2" | "sendmsg" => {
            let list = call.arg(1).map(|list| list.field("msg_iov").unwrap_or(list));
            let list = list.and_then(Value::as_array);
            let mut start = 0_u64;
            for item in list.into_iter().flat_map(|list| &list.items) {
                let own = length(item.field("iov_len"));
                add(item.field("iov_base"), start, own);
                start = start.saturating_add(own);
            }
            if list.is_some_and(|list| list.more) {
                parts.push((start, u64::MAX));
            }
        }
        _ => {}
    }
    parts
}

/// The recorded result; a restart is none yet.
pub fn recorded(call: &strace::Call) -> Recorded {
    let Some(result) = &call.result else { return Recorded::Never };
    if result.restart().is_some() {
        return Recorded::Never;
    }
    if let Some(errno) = result.errno.as_deref().and_then(numbers::errno) {
        return Recorded::Errno(errno);
    }
    match result.number() {
        Some(number) => Recorded::Value(number as i64),
        None => Recorded::Never,
    }
}

/// The arguments of a call.
pub(super) struct Args<'a> {
    pub(super) call: &'a strace::Call,
}

impl<'a> Args<'a> {
    pub(super) fn name(&self) -> &'a str {
        &self.call.name
    }

    pub(super) fn get(&self, index: usize) -> Option<&'a Value> {
        self.call.args.get(index)
    }

    pub(super) fn fd(&self, index: usize) -> Option<i32> {
        let value = self.get(index)?;
        let number = value.resolve(&|name| (name == "AT_FDCWD").then_some(-100))?;
        i32::try_from(number).ok().or_else(|| u32::try_from(number).ok().map(u32::cast_signed))
    }

    pub(super) fn int(&self, index: usize) -> Option<i32> {
        self.get(index)?.as_i32()
    }

    pub(super) fn long(&self, index: usize) -> Option<i64> {
        let value = self.get(index)?;
        value.as_i64().or_else(|| value.as_u64().map(u64::cast_signed))
    }

    pub(super) fn size(&self, index: usize) -> Option<u64> {
        self.get(index)?.as_u64()
    }

    pub(super) fn flags(
        &self,
        index: usize,
        table: tickernel_systems::abi::flags::Names,
    ) -> Option<u32> {
        numbers::bits32(self.get(index)?, table)
    }

    pub(super) fn mode(&self, index: usize) -> Option<u32> {
        match self.get(index) {
            Some(value) => numbers::mode(value),
            None => Some(0),
        }
    }

    /// A path: NULL and an address are `None` inside.
    pub(super) fn path(&self, index: usize) -> Option<Option<&'a [u8]>> {
        let value = self.get(index)?;
        match value.as_text() {
            Some(text) if !text.cut => Some(Some(&text.bytes)),
            Some(_) => None,
            None => value.as_pointer().filter(|at| *at == 0 || self.is_fault()).map(|_| None),
        }
    }

    /// Whether an address among the arguments is told to be bad; else strace did not print what
    /// stands there (`-e raw`, `-e verbose=none`).
    fn is_fault(&self) -> bool {
        recorded(self.call) == Recorded::Errno(Errno::EFAULT)
    }

    /// Data that the call was given, `count` bytes of it; a cut string is filled with zeros.
    pub(super) fn data(&self, index: usize, count: Option<u64>) -> Option<Vec<u8>> {
        let value = self.get(index)?;
        let text = match value.as_text() {
            Some(text) => text,
            // A zero length needs no data.
            None if count == Some(0) => return Some(Vec::new()),
            None if value.as_pointer().is_some_and(|at| at > 0) && self.succeeded() => {
                let count = count.filter(|count| *count <= MAX_CUT_BYTES)?;
                return Some(vec![0; count as usize]);
            }
            None => return None,
        };
        let mut bytes = text.bytes.clone();
        if let Some(count) = count.filter(|_| text.cut) {
            if count > MAX_CUT_BYTES {
                return None;
            }
            bytes.resize(count as usize, 0);
        }
        Some(bytes)
    }

    /// The data of an iovec list, joined.
    pub(super) fn vector(&self, index: usize) -> Option<Vec<u8>> {
        let mut bytes = Vec::new();
        for item in self.get(index)?.items()? {
            let length = item.field("iov_len")?.as_u64()?;
            match item.field("iov_base")?.as_text() {
                Some(text) => {
                    let mut part = text.bytes.clone();
                    if text.cut {
                        if length > MAX_CUT_BYTES || bytes.len() as u64 > MAX_CUT_BYTES {
                            return None;
                        }
                        part.resize(length as usize, 0);
                    }
                    bytes.extend_from_slice(&part);
                }
                None if length == 0 => {}
                None => return None,
            }
        }
        // Of a list that was cut it is only known how much was taken.
        if let Recorded::Value(value @ 0..) = recorded(self.call)
            && self.get(index)?.as_array()?.more
            && value.cast_unsigned() <= MAX_CUT_BYTES
        {
            bytes.resize(bytes.len().max(value as usize), 0);
        }
        Some(bytes)
    }

    /// The room of an iovec list, for reading; of a cut one at least what was read.
    pub(super) fn vector_count(&self, index: usize) -> Option<u64> {
        let list = self.get(index)?.as_array()?;
        let mut items = list.items.iter();
        let sum =
            items.try_fold(0u64, |sum, item| sum.checked_add(item.field("iov_len")?.as_u64()?))?;
        match recorded(self.call) {
            Recorded::Value(value) if list.more => Some(sum.max(u64::try_from(value).ok()?)),
            _ => Some(sum),
        }
    }

    /// Whether strace printed only the first entries of a poll's list (`-s`).
    fn has_part_of_a_poll(&self) -> bool {
        matches!(self.name(), "poll" | "ppoll")
            && self.get(0).and_then(Value::as_array).is_some_and(|list| list.more)
    }

    /// Whether a bare address stands anywhere among the arguments.
    fn has_address(&self) -> bool {
        self.call
            .args
            .iter()
            .any(|arg| matches!(arg.as_pointer(), Some(address) if address > 0xfff))
            || self.call.args.iter().any(|arg| arg.is_null())
    }

    /// Whether the recorded call succeeded.
    pub(super) fn succeeded(&self) -> bool {
        matches!(recorded(self.call), Recorded::Value(value) if value >= 0)
    }

    pub(super) fn failed_with(&self, errno: Errno) -> bool {
        recorded(self.call) == Recorded::Errno(errno)
    }

    pub(super) fn done(&self, call: &Call<'_>) -> Option<Vec<u8>> {
        Some(encoded(call))
    }
}

/// Marks a payload of which strace printed only the beginning.
fn cut(expected: &mut Expected) {
    expected.flags |= CUT;
}

/// What is only known by its value: nothing of the payload.
fn value_is_free(expected: &mut Expected) {
    expected.flags |= IGNORE_VALUE;
    expected.payload = Payload::None;
}
