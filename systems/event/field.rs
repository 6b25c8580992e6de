//! How the fields of a call are shown and read by name: the base of the JSON twin and of printing.
//!
//! [`FieldValue`] is the common form of a field; [`Style`] says how a person writes it. What text
//! it becomes is the shell's business.

use crate::abi::flags::Names;
use crate::abi::socket::{Message, OptionValue, Ucred};
use crate::abi::{
    Address, AltStack, FileOwner, Flock, Interface, PollFd, Rlimit, SigAction, SigEvent, SigInfo,
    SigSet, Termios, Termios2, Timespec, Winsize,
};
use crate::wire::Wire;
use alloc::borrow::Cow;
use alloc::vec::Vec;

/// A path argument; `None` is a NULL pointer (EFAULT).
pub type Path<'a> = Option<&'a [u8]>;

/// How a person writes a field.
#[derive(Clone, Copy, Debug)]
pub enum Style {
    /// As its kind says.
    Plain,
    /// A number in octal: modes.
    Octal,
    /// Names joined by `|`.
    Flags(Names),
    /// One name.
    Choice(Names),
    /// A signal's name.
    Signal,
    /// A descriptor of a directory, `AT_FDCWD` when left out.
    Dirfd,
    /// May be left out: then 0, or nothing.
    Optional,
    /// Flags that may be left out.
    OptionalFlags(Names),
    /// One name, or left out for 0.
    OptionalChoice(Names),
    /// The name of a socket's option: which names there are, the field `level` says.
    SocketOption,
}

/// A field in its common form.
#[derive(Clone, Debug, PartialEq)]
pub enum FieldValue<'a> {
    /// A number.
    Number(i128),
    /// Nothing: NULL, or left out.
    Null,
    /// Bytes.
    Bytes(Cow<'a, [u8]>),
    /// A list of byte strings: argv.
    List(Vec<Cow<'a, [u8]>>),
    /// A list of numbers: groups, descriptors.
    Numbers(Vec<i64>),
    /// A set of signals.
    Set(SigSet),
    /// A time.
    Time(Timespec),
    /// A disposition.
    Action(SigAction),
    /// siginfo of rt_sigqueueinfo(2).
    Info(SigInfo),
    /// poll(2)'s list.
    Poll(Vec<PollFd>),
    /// A limit.
    Limit(Rlimit),
    /// An interval timer.
    Timer(crate::abi::Itimer),
    /// What a timer does.
    SigEvent(SigEvent),
    /// A record lock.
    Lock(Flock),
    /// Who is told by signals.
    Owner(FileOwner),
    /// Terminal settings.
    Termios(Termios),
    /// The same with their speeds.
    Termios2(Termios2),
    /// A window size.
    Winsize(Winsize),
    /// An interface.
    Interface(Interface),
    /// A socket's address.
    Address(Address),
    /// An alternate signal stack.
    AltStack(AltStack),
    /// Who somebody is: `SCM_CREDENTIALS`.
    Cred(Ucred),
    /// The value of a socket's option.
    OptionValue(OptionValue),
    /// Messages of sendmmsg(2).
    Messages(Vec<Message>),
}

/// Takes the fields of a call, in order.
pub trait FieldSink {
    /// One field.
    fn field(&mut self, name: &'static str, style: Style, value: FieldValue<'_>);
}

/// Gives the fields of a call, asked for by name.
pub trait FieldSource<'a> {
    /// Why a field cannot be given.
    type Error;
    /// The field; `kind` is a value of the wanted variant. A field that is left out is `Null`.
    ///
    /// # Errors
    /// It is missing, or of the wrong kind.
    fn field(
        &mut self,
        name: &'static str,
        style: Style,
        kind: &FieldValue<'_>,
    ) -> Result<FieldValue<'a>, Self::Error>;
    /// The error for a value that does not fit the field.
    fn misfit(&self, name: &'static str) -> Self::Error;
}

/// A type that a field of a call can have.
pub trait Field<'a>: Wire<'a> {
    /// A value of the variant that stands for this type.
    fn kind() -> FieldValue<'static>;
    /// The common form.
    fn show(&self) -> FieldValue<'_>;
    /// From the common form; `None` if it does not fit.
    fn read(value: FieldValue<'a>) -> Option<Self>;
}

// A number outside the type is taken as C converts one between the signed and the unsigned type of
// that width: -1 is a size_t, 0xffffffff an int.
macro_rules! number_fields {
    ($($kind:ty, $other:ty);*) => {$(
        impl<'a> Field<'a> for $kind {
            fn kind() -> FieldValue<'static> {
                FieldValue::Number(0)
            }
            fn show(&self) -> FieldValue<'_> {
                FieldValue::Number(i128::from(*self))
            }
            fn read(value: FieldValue<'a>) -> Option<Self> {
                match value {
                    FieldValue::Number(number) => <$kind>::try_from(number)
                        .ok()
                        .or_else(|| {
                            <$other>::try_from(number).ok().map(|wrapped| wrapped as $kind)
                        }),
                    FieldValue::Null => Some(0),
                    _ => None,
                }
            }
        }
    )*};
}
number_fields!(i32, u32; u32, i32; u64, i64; i64, u64);

macro_rules! plain_fields {
    ($($kind:ty: $variant:ident),*) => {$(
        impl<'a> Field<'a> for $kind {
            fn kind() -> FieldValue<'static> {
                FieldValue::$variant(Default::default())
            }
            fn show(&self) -> FieldValue<'_> {
                FieldValue::$variant(self.clone())
            }
            fn read(value: FieldValue<'a>) -> Option<Self> {
                match value {
                    FieldValue::$variant(value) => Some(value),
                    _ => None,
                }
            }
        }
    )*};
}
plain_fields!(crate::abi::Itimer: Timer, SigSet: Set, Timespec: Time, SigAction: Action,
    SigInfo: Info, SigEvent: SigEvent, Rlimit: Limit,
    Address: Address, AltStack: AltStack, Ucred: Cred, OptionValue: OptionValue,
    Vec<i64>: Numbers, Vec<PollFd>: Poll, Vec<Message>: Messages);

impl<'a> Field<'a> for &'a [u8] {
    fn kind() -> FieldValue<'static> {
        FieldValue::Bytes(Cow::Borrowed(&[]))
    }
    fn show(&self) -> FieldValue<'_> {
        FieldValue::Bytes(Cow::Borrowed(self))
    }
    fn read(value: FieldValue<'a>) -> Option<Self> {
        match value {
            FieldValue::Bytes(Cow::Borrowed(bytes)) => Some(bytes),
            _ => None,
        }
    }
}

impl<'a, T: Field<'a>> Field<'a> for Option<T> {
    fn kind() -> FieldValue<'static> {
        T::kind()
    }
    fn show(&self) -> FieldValue<'_> {
        self.as_ref().map_or(FieldValue::Null, Field::show)
    }
    fn read(value: FieldValue<'a>) -> Option<Self> {
        match value {
            FieldValue::Null => Some(None),
            value => T::read(value).map(Some),
        }
    }
}

impl<'a> Field<'a> for Vec<&'a [u8]> {
    fn kind() -> FieldValue<'static> {
        FieldValue::List(Vec::new())
    }
    fn show(&self) -> FieldValue<'_> {
        FieldValue::List(self.iter().map(|item| Cow::Borrowed(*item)).collect())
    }
    fn read(value: FieldValue<'a>) -> Option<Self> {
        let FieldValue::List(items) = value else { return None };
        items
            .into_iter()
            .map(|item| match item {
                Cow::Borrowed(bytes) => Some(bytes),
                Cow::Owned(_) => None,
            })
            .collect()
    }
}

/// The third argument of fcntl(2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FcntlArg {
    /// A number, 0 if none.
    Number(i64),
    /// A lock.
    Lock(Flock),
    /// Who is told by signals.
    Owner(FileOwner),
}

impl<'a> Field<'a> for FcntlArg {
    fn kind() -> FieldValue<'static> {
        FieldValue::Lock(Flock::default())
    }
    fn show(&self) -> FieldValue<'_> {
        match self {
            FcntlArg::Number(number) => FieldValue::Number(i128::from(*number)),
            FcntlArg::Lock(lock) => FieldValue::Lock(*lock),
            FcntlArg::Owner(owner) => FieldValue::Owner(*owner),
        }
    }
    fn read(value: FieldValue<'a>) -> Option<Self> {
        match value {
            FieldValue::Number(number) => i64::try_from(number).ok().map(FcntlArg::Number),
            FieldValue::Null => Some(FcntlArg::Number(0)),
            FieldValue::Lock(lock) => Some(FcntlArg::Lock(lock)),
            FieldValue::Owner(owner) => Some(FcntlArg::Owner(owner)),
            _ => None,
        }
    }
}

/// The third argument of ioctl(2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IoctlArg {
    /// A number, 0 if none.
    Number(i64),
    /// A window size.
    Winsize(Winsize),
    /// Terminal settings.
    Termios(Termios),
    /// The same with their speeds.
    Termios2(Termios2),
    /// An interface.
    Interface(Interface),
}

impl<'a> Field<'a> for IoctlArg {
    fn kind() -> FieldValue<'static> {
        FieldValue::Termios(Termios::default())
    }
    fn show(&self) -> FieldValue<'_> {
        match self {
            IoctlArg::Number(number) => FieldValue::Number(i128::from(*number)),
            IoctlArg::Winsize(size) => FieldValue::Winsize(*size),
            IoctlArg::Interface(interface) => FieldValue::Interface(*interface),
            IoctlArg::Termios(termios) => FieldValue::Termios(*termios),
            IoctlArg::Termios2(termios) => FieldValue::Termios2(*termios),
        }
    }
    fn read(value: FieldValue<'a>) -> Option<Self> {
        match value {
            FieldValue::Number(number) => i64::try_from(number).ok().map(IoctlArg::Number),
            FieldValue::Null => Some(IoctlArg::Number(0)),
            FieldValue::Winsize(size) => Some(IoctlArg::Winsize(size)),
            FieldValue::Interface(interface) => Some(IoctlArg::Interface(interface)),
            FieldValue::Termios(termios) => Some(IoctlArg::Termios(termios)),
            FieldValue::Termios2(termios) => Some(IoctlArg::Termios2(termios)),
            _ => None,
        }
    }
}

crate::wire_enum!(FcntlArg { 0 Number(number), 1 Lock(lock), 2 Owner(owner) });
crate::wire_enum!(IoctlArg {
    0 Number(number), 1 Winsize(size), 2 Termios(termios), 23 Termios2(termios),
    24 Interface(interface)
});
