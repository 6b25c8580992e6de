//! The values that stand in strace's argument lists: one generic tree for every system call.
//!
//! Nothing here knows a system call or a constant's number. A name that the recording gives
//! without its number stays a [`Value::Name`]; [`Value::resolve`] takes the caller's table.
//! Renderings: FORMAT.md sections 2 and 3; strace(1).

use std::sync::Arc;

/// A constant's, field's or call's name. Shared: equal names of one reading are one allocation.
pub type Name = Arc<str>;

/// How a number was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Radix {
    /// `42`
    Decimal,
    /// `0644`
    Octal,
    /// `0x2a`
    Hex,
    /// `'S'`: a character constant (SG_IO's `interface_id`).
    Char,
}

/// A number: 64 bits and a sign, as written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Int {
    /// The absolute value.
    pub magnitude: u64,
    /// Whether a minus stood before it.
    pub negative: bool,
    /// How it was written.
    pub radix: Radix,
    /// How many digits were written (leading zeros count; the `0x` does not).
    pub digits: u8,
}

impl Int {
    /// The value with its sign.
    pub fn value(self) -> i128 {
        if self.negative { -i128::from(self.magnitude) } else { i128::from(self.magnitude) }
    }
}

/// A string in quotes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Text {
    /// The bytes, escapes undone. For a cut string: the part that was printed.
    pub bytes: Vec<u8>,
    /// `"..."...`: strace printed only the beginning (`-s`).
    pub cut: bool,
    /// `@"..."`: an abstract unix address; the leading NUL is not in `bytes`.
    pub at: bool,
    /// Every byte was printed as `\xNN` (-xx; random bytes always).
    pub hex: bool,
}

/// A descriptor with what it is (`-y`, `-yy`): `1</dev/null<char 1:3>>`, or, with `-Y`, a process
/// with its command name: `6291<bash>`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fd {
    /// The number, or the name `AT_FDCWD`, or both (`-100 /* AT_FDCWD */`).
    pub number: Value,
    /// The text in `<...>`, escapes undone; for a device without its nested part.
    pub text: Vec<u8>,
    /// The nested part: `char 136:0`, `block 8:1`.
    pub device: Option<Vec<u8>>,
    /// `(deleted)` after the text: the file has no name any more.
    pub deleted: bool,
}

/// A list in `[...]`: an array, a set, or a pointer to one or more values.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Array {
    /// The members that were printed.
    pub items: Vec<Value>,
    /// `...`: strace printed only the beginning.
    pub more: bool,
    /// `~[...]`: everything but these.
    pub complement: bool,
    /// Blanks, not commas, between the members: a set (signals, descriptors, processors).
    pub spaced: bool,
}

/// A `{...}`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Struct {
    /// The members in the order printed.
    pub members: Vec<Member>,
    /// `...`: strace left members out.
    pub more: bool,
    /// Blanks, not commas, between the members (old termios).
    pub spaced: bool,
}

/// One member of a [`Struct`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// The field's name; `None` for a member that is only a value.
    pub name: Option<Name>,
    /// The value; [`Value::Empty`] where nothing stands after the `=`.
    pub value: Value,
}

/// What joins the operands of a [`Value::Operation`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operator {
    /// `A|B`
    Or,
    /// `8192*1024`
    Times,
    /// `21<<MAP_HUGE_SHIFT`
    Shift,
    /// `WIFEXITED(s) && WEXITSTATUS(s) == 3`
    And,
    /// `WEXITSTATUS(s) == 3`
    Equals,
    /// `SNDCTL_TMR_STOP or TCSETSW`: one number, several names.
    Either,
}

/// One printed value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// Nothing is printed where a value stands: no flags, zero.
    Empty,
    /// `NULL`
    Null,
    /// A number; a bare address is one too (hexadecimal).
    Int(Int),
    /// A constant's name without its number; also `-echo` (old termios), `&name` and
    /// `!PR_TAGGED_ADDR_ENABLE` (the flag is not set).
    Name(Name),
    /// A string.
    Str(Text),
    /// A number with `<...>`.
    Fd(Box<Fd>),
    /// `[...]`
    Array(Array),
    /// `{...}`
    Struct(Struct),
    /// `before => after`: the call changed it. `[128 => 16]` is an array of one of these.
    InOut(Box<(Value, Value)>),
    /// `htons(80)`, `makedev(0x1, 0x3)`, `WIFEXITED(s)`
    Macro(Name, Vec<Value>),
    /// Two or more operands of one operator.
    Operation(Operator, Vec<Value>),
    /// `name=value` in an argument list (clone), `in [3]` and `left {...}` after a result.
    Named(Name, Box<Value>),
    /// `[VINTR]=0x3`: a member at an index.
    Indexed(Box<(Value, Value)>),
    /// A value with a comment: `0x241 /* O_WRONLY|O_CREAT|O_TRUNC */`, `0x7ffe /* 35 vars */`.
    Noted(Box<Value>, Name),
    /// `~0x3`: complement of something that is not a list.
    Not(Box<Value>),
    /// `<... resuming interrupted X ...>`: the argument of restart_syscall; the name is X.
    Resuming(Name),
    /// `<unavailable>`: strace could not tell.
    Unavailable,
}

impl Value {
    /// The value without its comment and without its `<...>`.
    pub fn bare(&self) -> &Value {
        match self {
            Value::Noted(value, _) => value.bare(),
            Value::Fd(fd) => fd.number.bare(),
            Value::Named(_, value) => value.bare(),
            _ => self,
        }
    }

    /// The number, where everything needed for it is printed: or-ed terms, products and shifts of
    /// numbers too; NULL and an empty value are 0. `None` for an abbreviated name.
    pub fn number(&self) -> Option<i128> {
        self.resolve(&|_| None)
    }

    /// The number, with `constant` answering for the names that have none.
    pub fn resolve(&self, constant: &dyn Fn(&str) -> Option<i128>) -> Option<i128> {
        match self {
            Value::Empty | Value::Null => Some(0),
            Value::Int(int) => Some(int.value()),
            Value::Name(name) => constant(name),
            Value::Fd(fd) => fd.number.resolve(constant),
            Value::Noted(value, _) | Value::Named(_, value) => value.resolve(constant),
            Value::Not(value) => value.resolve(constant).map(|number| !number),
            Value::Operation(operator, operands) => fold(*operator, operands, constant),
            Value::InOut(pair) => pair.1.resolve(constant),
            Value::Array(array) => {
                match array.items.as_slice() {
                    [
                        one @ (Value::InOut(_) | Value::Int(_) | Value::Noted(..) | Value::Name(_)),
                    ] if !array.complement && !array.more => one.resolve(constant),
                    _ => None,
                }
            }
            Value::Str(_) | Value::Struct(_) | Value::Macro(..) | Value::Indexed(_) => None,
            Value::Resuming(_) | Value::Unavailable => None,
        }
    }

    /// [`Value::number`] as i64. Unsigned values above its range do not fit: `None`.
    pub fn as_i64(&self) -> Option<i64> {
        self.number().and_then(|number| i64::try_from(number).ok())
    }

    /// [`Value::number`] as u64. A negative value is its two's complement in 64 bits.
    pub fn as_u64(&self) -> Option<u64> {
        let number = self.number()?;
        match u64::try_from(number) {
            Ok(value) => Some(value),
            Err(_) => i64::try_from(number).ok().map(i64::cast_unsigned),
        }
    }

    /// A descriptor's number (also a pid or any small number). A 32-bit pattern that stands for a
    /// negative number (`0xffffff9c`) is that number.
    pub fn as_i32(&self) -> Option<i32> {
        let number = self.number()?;
        match i32::try_from(number) {
            Ok(value) => Some(value),
            Err(_) => u32::try_from(number).ok().map(u32::cast_signed),
        }
    }

    /// The address, where a bare address (or NULL: 0) stands instead of what it points to.
    pub fn as_pointer(&self) -> Option<u64> {
        match self.bare() {
            Value::Null => Some(0),
            Value::Int(int) if int.radix == Radix::Hex && !int.negative => Some(int.magnitude),
            _ => None,
        }
    }

    /// The bytes of a string, also of a cut one.
    pub fn as_bytes(&self) -> Option<&[u8]> {
        self.as_text().map(|text| text.bytes.as_slice())
    }

    /// The string.
    pub fn as_text(&self) -> Option<&Text> {
        match self.bare() {
            Value::Str(text) => Some(text),
            _ => None,
        }
    }

    /// The descriptor with its `<...>`.
    pub fn as_fd(&self) -> Option<&Fd> {
        match self {
            Value::Fd(fd) => Some(fd),
            Value::Noted(value, _) | Value::Named(_, value) => value.as_fd(),
            _ => None,
        }
    }

    /// The list.
    pub fn as_array(&self) -> Option<&Array> {
        match self.bare() {
            Value::Array(array) => Some(array),
            _ => None,
        }
    }

    /// The members of a list.
    pub fn items(&self) -> Option<&[Value]> {
        self.as_array().map(|array| array.items.as_slice())
    }

    /// The only member of a list of one: what a pointer points to.
    pub fn pointee(&self) -> Option<&Value> {
        match self.items() {
            Some([one]) => Some(one),
            _ => None,
        }
    }

    /// The struct; of a changed one (`{..} => {..}`) the struct as it was given to the call.
    pub fn as_struct(&self) -> Option<&Struct> {
        match self.bare() {
            Value::Struct(structure) => Some(structure),
            Value::InOut(pair) => pair.0.as_struct(),
            _ => None,
        }
    }

    /// A struct's field. Of a changed struct (`{..} => {..}`) the changed field, else the given.
    pub fn field(&self, name: &str) -> Option<&Value> {
        match self.bare() {
            Value::Struct(structure) => structure.field(name),
            Value::InOut(pair) => pair.1.field(name).or_else(|| pair.0.field(name)),
            _ => None,
        }
    }

    /// What was given to the call, where the call changed the value; else the value itself.
    pub fn before(&self) -> &Value {
        match self {
            Value::InOut(pair) => &pair.0,
            Value::Array(_) => match self.pointee() {
                Some(one @ Value::InOut(_)) => one.before(),
                _ => self,
            },
            _ => self,
        }
    }

    /// What the call left, where the call changed the value; else the value itself.
    pub fn after(&self) -> &Value {
        match self {
            Value::InOut(pair) => &pair.1,
            Value::Array(_) => match self.pointee() {
                Some(one @ Value::InOut(_)) => one.after(),
                _ => self,
            },
            _ => self,
        }
    }

    /// The comment after the value.
    pub fn comment(&self) -> Option<&str> {
        match self {
            Value::Noted(_, comment) => Some(comment),
            Value::Fd(fd) => fd.number.comment(),
            Value::Named(_, value) => value.comment(),
            _ => None,
        }
    }

    /// Whether strace gave an address, nothing or NULL where text or a struct could stand.
    pub fn is_null(&self) -> bool {
        matches!(self.bare(), Value::Null)
    }

    /// All names of a flag word in their order: bare ones and those in comments.
    pub fn names(&self) -> Vec<&str> {
        let mut names = Vec::new();
        self.collect_names(true, &mut names);
        names
    }

    /// The bare names: those that the recording gives no number for.
    pub fn unresolved(&self) -> Vec<&str> {
        let mut names = Vec::new();
        self.collect_names(false, &mut names);
        names
    }

    /// The only name of the value, bare or in the comment.
    pub fn name(&self) -> Option<&str> {
        match self.names().as_slice() {
            [one] => Some(one),
            _ => None,
        }
    }

    /// Whether the value or a part of it is cut (`"..."...`, `{..., ...}`, `[..., ...]`).
    pub fn is_cut(&self) -> bool {
        match self {
            Value::Str(text) => text.cut,
            Value::Array(array) => array.more || array.items.iter().any(Value::is_cut),
            Value::Struct(structure) => {
                structure.more || structure.members.iter().any(|member| member.value.is_cut())
            }
            Value::InOut(pair) | Value::Indexed(pair) => pair.0.is_cut() || pair.1.is_cut(),
            Value::Noted(value, _) | Value::Named(_, value) | Value::Not(value) => value.is_cut(),
            Value::Macro(_, values) | Value::Operation(_, values) => {
                values.iter().any(Value::is_cut)
            }
            Value::Empty | Value::Null | Value::Int(_) | Value::Name(_) | Value::Fd(_) => false,
            Value::Resuming(_) | Value::Unavailable => false,
        }
    }

    fn collect_names<'a>(&'a self, comments: bool, names: &mut Vec<&'a str>) {
        match self {
            Value::Name(name) => names.push(name),
            Value::Noted(_, comment) if comments => {
                names.extend(comment.split('|').map(str::trim).filter(|name| is_name(name)));
            }
            Value::Noted(value, _) => value.collect_names(comments, names),
            Value::Fd(fd) => fd.number.collect_names(comments, names),
            Value::Named(_, value) | Value::Not(value) => value.collect_names(comments, names),
            Value::Operation(_, operands) => {
                for operand in operands {
                    operand.collect_names(comments, names);
                }
            }
            _ => {}
        }
    }
}

impl Struct {
    /// The value of the first member of that name.
    pub fn field(&self, name: &str) -> Option<&Value> {
        self.members
            .iter()
            .find(|member| member.name.as_deref() == Some(name))
            .map(|member| &member.value)
    }
}

fn is_name(word: &str) -> bool {
    word.bytes().next().is_some_and(|byte| byte.is_ascii_alphabetic() || byte == b'_')
}

fn fold(
    operator: Operator,
    operands: &[Value],
    constant: &dyn Fn(&str) -> Option<i128>,
) -> Option<i128> {
    let mut terms = operands.iter().map(|operand| operand.resolve(constant));
    match operator {
        Operator::Or => terms.try_fold(0, |sum, term| Some(sum | term?)),
        Operator::Times => terms.try_fold(1, |product: i128, term| product.checked_mul(term?)),
        Operator::Shift => {
            let first = terms.next()??;
            terms.try_fold(first, |value, term| {
                let places = u32::try_from(term?).ok().filter(|places| *places < 64)?;
                value.checked_mul(1_i128 << places)
            })
        }
        Operator::Either => terms.find_map(|term| term),
        Operator::And | Operator::Equals => None,
    }
}
