//! The arguments of one call, in two halves: what strace prints when the call is entered, and what
//! it can only print when the call is over. The families are in the files beside; a call that has
//! nothing but inputs in its table's order needs no line there.

use std::borrow::Cow;

use tickernel_systems::abi::flags::{AT_FDCWD, Names, major, minor};
use tickernel_systems::abi::{Errno, SigSet};
use tickernel_systems::event::{Answer, Call, FieldSink, FieldValue, Payload, Style};
use tickernel_systems::fs::{Kind, Place};
use tickernel_systems::{Kernel, WaitsView};

use super::structs;
use super::values::{self, ADDRESS};
use crate::strace::{Fd, Int, Radix, Value};

/// How a call ended, if it did.
pub(super) type End<'a> = Option<&'a Result<Answer, Errno>>;

/// What descriptors are, for the text behind them (`-yy`).
#[derive(Clone, Copy)]
pub(super) struct Look<'a> {
    pub(super) kernel: Option<&'a Kernel>,
    pub(super) task: u32,
}

/// The text of a call's arguments.
pub(super) struct Args<'a> {
    /// The call's name in the text.
    pub(super) name: &'a str,
    pub(super) end: End<'a>,
    pub(super) look: Look<'a>,
    entry: String,
    exit: String,
    /// An output has been printed: all that follows stands in the second half.
    split: bool,
    is_first: bool,
}

/// Both halves.
pub(super) struct Halves {
    /// After the opening parenthesis.
    pub(super) entry: String,
    /// Before the closing one.
    pub(super) exit: String,
}

/// The arguments of a call.
pub(super) fn halves(name: &str, call: &Call<'_>, end: End<'_>, look: Look<'_>) -> Halves {
    let (entry, exit) = (String::new(), String::new());
    let mut args = Args { name, end, look, entry, exit, split: false, is_first: true };
    super::io::args(&mut args, call);
    Halves { entry: args.entry, exit: args.exit }
}

impl Args<'_> {
    /// One argument that is known at the entry.
    pub(super) fn put(&mut self, text: impl AsRef<str>) -> &mut Self {
        let half = if self.split { &mut self.exit } else { &mut self.entry };
        if !self.is_first {
            half.push_str(", ");
        }
        half.push_str(text.as_ref());
        self.is_first = false;
        self
    }

    /// One that the call writes.
    pub(super) fn put_output(&mut self, text: impl AsRef<str>) -> &mut Self {
        if !self.split {
            if !self.is_first {
                self.entry.push_str(", ");
            }
            (self.split, self.is_first) = (true, true);
        }
        self.put(text)
    }

    /// What the call wrote, by `show`; an address where it wrote nothing.
    pub(super) fn output(&mut self, show: impl Fn(&Payload) -> Option<String>) -> &mut Self {
        let text = self.payload().and_then(show);
        self.put_output(text.as_deref().unwrap_or(ADDRESS))
    }

    /// The same for what need not be asked for: NULL where the call wrote nothing.
    pub(super) fn optional_output(
        &mut self,
        show: impl Fn(&Payload) -> Option<String>,
    ) -> &mut Self {
        let text = self.payload().and_then(show);
        self.put_output(text.as_deref().unwrap_or("NULL"))
    }

    /// The end of an argument whose beginning stood at the entry.
    pub(super) fn join(&mut self, text: &str) -> &mut Self {
        self.split = true;
        self.exit.push_str(text);
        self
    }

    /// What a successful call wrote.
    pub(super) fn payload(&self) -> Option<&Payload> {
        match self.end? {
            Ok(answer) => Some(&answer.payload),
            Err(_) => None,
        }
    }

    /// Bytes that the call wrote.
    pub(super) fn data(&mut self) -> &mut Self {
        self.output(|payload| match payload {
            Payload::Data(bytes) => Some(values::text(&bytes.0)),
            _ => None,
        })
    }

    pub(super) fn number(&mut self, number: impl Into<i128>) -> &mut Self {
        self.put(number.into().to_string())
    }

    /// A descriptor.
    pub(super) fn fd(&mut self, fd: i32) -> &mut Self {
        let text = self.look.fd(fd);
        self.put(text)
    }

    pub(super) fn path(&mut self, path: Option<&[u8]>) -> &mut Self {
        self.put(values::path(path))
    }

    pub(super) fn flags(&mut self, number: impl Into<u64>, table: Names) -> &mut Self {
        self.put(values::flags(number, table))
    }

    pub(super) fn choice(&mut self, number: impl Into<u64>, table: Names) -> &mut Self {
        self.put(values::choice(number, table))
    }

    pub(super) fn octal(&mut self, number: u32) -> &mut Self {
        self.put(values::octal(number))
    }

    /// NULL, or the value.
    pub(super) fn optional<T>(
        &mut self,
        value: &Option<T>,
        show: impl FnOnce(&T) -> String,
    ) -> &mut Self {
        let text = value.as_ref().map_or_else(|| "NULL".to_owned(), show);
        self.put(text)
    }

    /// All fields in the order of the table, as their kinds and styles say.
    pub(super) fn plain(&mut self, call: &Call<'_>) {
        let named = call.is_face();
        call.show(&mut Plain { args: self, named });
    }
}

/// Prints a call whose arguments are its fields.
struct Plain<'a, 'b> {
    args: &'a mut Args<'b>,
    /// With the fields' names: what strace has no form for.
    named: bool,
}

impl FieldSink for Plain<'_, '_> {
    fn field(&mut self, name: &'static str, style: Style, value: FieldValue<'_>) {
        let is_fd = matches!(
            name,
            "fd" | "oldfd"
                | "sockfd"
                | "pidfd"
                | "dirfd"
                | "olddirfd"
                | "newdirfd"
                | "fd_in"
                | "fd_out"
                | "out_fd"
                | "in_fd"
        );
        let fd = match value {
            FieldValue::Number(number) if is_fd => i32::try_from(number).ok(),
            _ => None,
        };
        let text = match fd {
            Some(fd) if !self.named => self.args.look.fd(fd),
            _ => field_text(style, &value),
        };
        self.args.put(if self.named { format!("{name}={text}") } else { text });
    }
}

fn field_text(style: Style, value: &FieldValue<'_>) -> String {
    let bytes = |bytes: &Cow<'_, [u8]>| values::text(bytes);
    match value {
        FieldValue::Number(number) => values::styled(*number, style),
        FieldValue::Null => "NULL".to_owned(),
        // Every byte string in the table's order is a path or the name of an attribute.
        FieldValue::Bytes(text) => values::path(Some(text)),
        FieldValue::List(words) => values::list(words.iter().map(bytes)),
        FieldValue::Numbers(numbers) => values::list(numbers.iter().map(i64::to_string)),
        FieldValue::Set(set) => values::sigset(*set),
        FieldValue::Time(time) => structs::timespec(*time),
        FieldValue::Action(action) => structs::sigaction(action),
        FieldValue::Info(info) => structs::siginfo(info),
        FieldValue::Poll(fds) => values::list(fds.iter().map(|entry| entry.fd.to_string())),
        FieldValue::Limit(limit) => structs::rlimit(*limit),
        FieldValue::Timer(timer) => structs::itimer(*timer, true),
        FieldValue::SigEvent(event) => structs::sigevent(event),
        FieldValue::Lock(lock) => structs::lock(lock, false),
        FieldValue::Owner(owner) => structs::owner(*owner),
        FieldValue::Termios(termios) => structs::termios(termios),
        FieldValue::Termios2(termios) => structs::termios2(termios),
        FieldValue::Winsize(size) => structs::winsize(*size),
        FieldValue::Interface(interface) => structs::interface(interface),
        FieldValue::Address(address) => structs::address(address).0,
        FieldValue::AltStack(stack) => structs::alt_stack(*stack),
        FieldValue::Cred(cred) => structs::cred(*cred),
        FieldValue::OptionValue(value) => structs::option_value(value),
        FieldValue::Messages(messages) => format!("[{} messages]", messages.len()),
    }
}

impl Look<'_> {
    /// The mask that the innermost handler's return brings back.
    pub(super) fn returning_mask(self) -> Option<SigSet> {
        self.kernel?.frames_of(self.task).last().map(|frame| frame.mask)
    }

    /// A descriptor with what it is: `3</etc/motd>`, `-100 /* AT_FDCWD */</tmp>`.
    pub(super) fn fd(self, fd: i32) -> String {
        let number = if fd == AT_FDCWD { "-100 /* AT_FDCWD */".to_owned() } else { fd.to_string() };
        self.behind(fd).map_or(number.clone(), |text| number + &text)
    }

    /// `<…>` of a descriptor; `None` if it is not open, or nothing is known of it.
    fn behind(self, fd: i32) -> Option<String> {
        let kernel = self.kernel?;
        if fd == AT_FDCWD {
            return self.place(kernel, kernel.cwd_of(self.task)?, true);
        }
        let view = kernel.fd_view(self.task, fd)?;
        if let Some(place) = view.place {
            return self.place(kernel, place, false);
        }
        Some(match (view.pipe, view.counter, view.process) {
            (Some(pipe), ..) => format!("<pipe:[{}]>", pipe.id),
            (None, Some(_), _) => "<anon_inode:[eventfd]>".to_owned(),
            (None, None, Some((_, Some(pid)))) => format!("<pid:{pid}>"),
            (None, None, Some((_, None))) => "<pid:-1>".to_owned(),
            (None, None, None) if view.notices => "<anon_inode:inotify>".to_owned(),
            (None, None, None) => match view.waits? {
                WaitsView::Epoll => "<anon_inode:[eventpoll]>".to_owned(),
                WaitsView::Timer { .. } => "<anon_inode:[timerfd]>".to_owned(),
                WaitsView::Signals => "<anon_inode:[signalfd]>".to_owned(),
            },
        })
    }

    fn place(self, kernel: &Kernel, place: Place, is_cwd: bool) -> Option<String> {
        let mut text = kernel.path_of(self.task, place);
        // Of the working directory strace prints what its link in /proc says.
        let deleted = !is_cwd && text.ends_with(DELETED) && kernel.fs().is_deleted(place);
        if deleted {
            text.truncate(text.len() - DELETED.len());
        }
        let inode = kernel.fs().inode(place);
        let device = inode.and_then(|inode| match &inode.kind {
            Kind::CharDevice(rdev) => Some(("char", *rdev)),
            Kind::BlockDevice(rdev) => Some(("block", *rdev)),
            Kind::Regular(_) | Kind::Directory(_) | Kind::Symlink(_) => None,
            Kind::Fifo | Kind::Socket => None,
        });
        let device = device
            .map(|(kind, rdev)| format!("{kind} {}:{}", major(rdev), minor(rdev)).into_bytes());
        let nothing = Int { magnitude: 0, negative: false, radix: Radix::Decimal, digits: 1 };
        let fd = Fd { number: Value::Int(nothing), text, device, deleted };
        // Its form behind a number, which is not this one.
        fd.to_string().strip_prefix('0').map(str::to_owned)
    }
}

/// What stands behind the path of a file that has no name any more.
const DELETED: &[u8] = b" (deleted)";
