//! Where a row lies: the only file that names `hecs::World`'s accessors.
//!
//! Every process, task, descriptor table, context, handler table, description and pipe is an
//! entity. The world keeps its cold components; the hot component of a kind stands in a dense
//! column of that kind, whose rows each have an entity for good: a row that becomes free keeps it
//! for the next value, because to spawn and despawn one costs 20 to 40 ns. The texts of processes
//! are such rows too: those of a fork share them, and it does not touch the world. A reference is
//! the row's place and which of its uses is meant, so that one to a value that is gone finds
//! nothing. To follow it takes one nanosecond, through `&self` too, beside 4 to 7 for
//! `query_one_mut` and 12 to 21 for `World::get` (DESIGN section 6).
//!
//! ```text
//!   reference = (at, generation) ──at──▶ column of the kind:
//!       [generation, value, own id, share of the digest, Entity] ──▶ World: cold components
//! ```
//!
//! Order never comes from here: columns are visited by digests (commutative) and, sorted by own
//! id, by snapshots. A mutable access marks the row for the next digest.

#![allow(
    clippy::disallowed_methods,
    reason = "the one file through which the world is reached; World::get only for cold components"
)]

use crate::components::{
    ColdText, Context, Description, Epoll, Event, Files, Handlers, Pidfd, Pipe, Process,
    ProcessText, Socket, Task, Terminal, Text, TextDefault,
};
use crate::digest::{hash_number, hash64};
use crate::memory::{
    DESCRIPTION_BYTES, EPOLL_BYTES, EVENT_BYTES, PIDFD_BYTES, PIPE_BYTES, PROCESS_BYTES,
    SOCKET_BYTES, TASK_BYTES, TERMINAL_BYTES,
};
use crate::wire::Wire;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::num::NonZeroU32;
use core::ops::{Index, IndexMut};
use hecs::{Entity, World};

/// One row of a column. What every access looks at stands first and in this order, beside the first
/// fields of the value: in a large crowd each cache line more is a wait for memory.
#[derive(Debug)]
#[repr(C)]
struct Row<T> {
    /// Which use of the row this is: raised when it becomes free.
    generation: NonZeroU32,
    /// It stands in the list of dirty rows.
    dirty: bool,
    /// What it holds; `None` while it is free.
    value: Option<T>,
    entity: Entity,
    own_id: u64,
    /// The row's part of the column's digest, as of when it was last taken.
    share: u64,
}

/// The hot components of one kind.
#[derive(Debug)]
struct Column<T> {
    rows: Vec<Row<T>>,
    free: Vec<u32>,
    dirty: Vec<u32>,
    sum: u64,
    live: u64,
}

impl<T: TextDefault> Column<T> {
    const fn new() -> Self {
        Self { rows: Vec::new(), free: Vec::new(), dirty: Vec::new(), sum: 0, live: 0 }
    }

    /// A new row, which is free.
    fn grow(&mut self, world: &mut World) {
        let at = self.rows.len() as u32;
        self.rows.push(Row {
            value: None,
            generation: NonZeroU32::MIN,
            dirty: false,
            entity: world.spawn((T::Cold::default(),)),
            own_id: 0,
            share: 0,
        });
        self.free.push(at);
    }

    #[inline]
    fn insert(&mut self, world: &mut World, own_id: u64, value: T) -> (u32, NonZeroU32) {
        if self.free.is_empty() {
            self.grow(world);
        }
        // `grow` left one; a column of 2^32 rows does not fit in memory.
        let at = self.free.pop().unwrap_or(u32::MAX);
        self.live += 1;
        let row = &mut self.rows[at as usize];
        (row.own_id, row.value) = (own_id, Some(value));
        if !row.dirty {
            row.dirty = true;
            note(&mut self.dirty, at);
        }
        (at, row.generation)
    }

    /// Frees a row; false if the reference is to an earlier use of it.
    fn remove(&mut self, world: &mut World, at: u32, generation: NonZeroU32) -> bool {
        let row = self.rows.get_mut(at as usize).filter(|row| row.generation == generation);
        let Some(row) = row else { return false };
        row.value = None;
        row.generation = row.generation.checked_add(1).unwrap_or(NonZeroU32::MIN);
        self.sum = self.sum.wrapping_sub(core::mem::take(&mut row.share));
        self.live -= 1;
        self.free.push(at);
        if size_of::<T::Cold>() > 0 {
            set_cold(world, row.entity, T::Cold::default());
        }
        true
    }

    /// What a row adds to the digest: nothing if it is free, or says nothing of itself.
    fn share(&self, rows: &Rows, at: u32, salt: u64, bytes: &mut Vec<u8>) -> u64
    where
        T: Encode,
    {
        let row = &self.rows[at as usize];
        let Some(value) = &row.value else { return 0 };
        bytes.clear();
        value.encode(rows, bytes);
        if bytes.is_empty() {
            return 0;
        }
        hash64(hash_number(salt, row.own_id), bytes)
    }

    fn disturb(&mut self, world: &mut World, count: u32) {
        for n in 0..count {
            self.grow(world);
            if n % 2 == 0 {
                self.free.pop();
            }
        }
    }

    #[inline(always)]
    fn touch(&mut self, at: u32, generation: NonZeroU32) -> Option<&mut T> {
        let index = at as usize;
        if index >= self.rows.len() || self.rows[index].generation != generation {
            return None;
        }
        let row = &mut self.rows[index];
        if !row.dirty {
            row.dirty = true;
            note(&mut self.dirty, at);
        }
        row.value.as_mut()
    }

    #[inline]
    fn find(&self, at: u32, generation: NonZeroU32) -> Option<&Row<T>> {
        let at = at as usize;
        if at >= self.rows.len() || self.rows[at].generation != generation {
            return None;
        }
        Some(&self.rows[at])
    }

    #[inline]
    fn look(&self, at: u32, generation: NonZeroU32) -> Option<&T> {
        self.find(at, generation)?.value.as_ref()
    }
}

/// Puts a row onto the list of the next digest: once for each, so out of line.
#[cold]
fn note(dirty: &mut Vec<u32>, at: u32) {
    dirty.push(at);
}

fn set_cold<C: Send + Sync + 'static>(world: &mut World, entity: Entity, cold: C) {
    if let Ok(slot) = world.query_one_mut::<&mut C>(entity) {
        *slot = cold;
    }
}

/// A component that digests and snapshots can write: canonical, references as own ids.
pub trait Encode {
    /// Appends the canonical encoding.
    fn encode(&self, rows: &Rows, out: &mut Vec<u8>);
}

/// Rows that are counted with the row that holds them.
const NO_BYTES: u64 = 0;

/// The table of kinds, each with the salt of its digest and what a row counts as.
macro_rules! kinds {
    ($($(#[$doc:meta])* $row:ident $column:ident: $value:ident $salt:literal $bytes:ident,)*) => {
        $(
            $(#[$doc])*
            #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
            pub struct $row {
                at: u32,
                generation: NonZeroU32,
            }

            impl Index<$row> for Rows {
                type Output = $value;
                #[inline(always)]
                fn index(&self, row: $row) -> &$value {
                    // A dangling reference inside the core is a defect of the core, never input.
                    self.$column.look(row.at, row.generation).expect("a live row")
                }
            }

            impl IndexMut<$row> for Rows {
                #[inline(always)]
                fn index_mut(&mut self, row: $row) -> &mut $value {
                    self.$column.touch(row.at, row.generation).expect("a live row")
                }
            }

            impl RowKind for $row {
                type Value = $value;
                #[inline]
                fn spawn(rows: &mut Rows, own_id: u64, value: $value) -> Self {
                    let (at, generation) = rows.$column.insert(&mut rows.world, own_id, value);
                    rows.bytes += $bytes;
                    $row { at, generation }
                }
                fn remove(self, rows: &mut Rows) -> bool {
                    let gone = rows.$column.remove(&mut rows.world, self.at, self.generation);
                    rows.bytes -= if gone { $bytes } else { 0 };
                    gone
                }
                fn own_id(self, rows: &Rows) -> u64 {
                    rows.$column.find(self.at, self.generation).map_or(0, |row| row.own_id)
                }
                fn all(rows: &Rows) -> Vec<(u64, Self)> {
                    let rows = (0..).zip(&rows.$column.rows);
                    let live = rows.filter(|(_, row)| row.value.is_some());
                    let mut all: Vec<(u64, Self)> = live
                        .map(|(at, row)| (row.own_id, $row { at, generation: row.generation }))
                        .collect();
                    all.sort_unstable_by_key(|entry| entry.0);
                    all
                }
                fn is_live(self, rows: &Rows) -> bool {
                    rows.$column.look(self.at, self.generation).is_some()
                }
                fn live(rows: &Rows) -> u64 {
                    rows.$column.live
                }
                fn digest(rows: &mut Rows) -> u64 {
                    let mut dirty = core::mem::take(&mut rows.$column.dirty);
                    let mut bytes = core::mem::take(&mut rows.scratch);
                    for at in dirty.drain(..) {
                        let share = rows.$column.share(rows, at, $salt, &mut bytes);
                        let row = &mut rows.$column.rows[at as usize];
                        let change = share.wrapping_sub(row.share);
                        (row.share, row.dirty) = (share, false);
                        rows.$column.sum = rows.$column.sum.wrapping_add(change);
                    }
                    rows.$column.dirty = dirty;
                    rows.scratch = bytes;
                    rows.$column.sum
                }
                fn digest_walk(rows: &Rows) -> u64 {
                    let mut bytes = Vec::new();
                    let all = 0..rows.$column.rows.len() as u32;
                    let shares = all.map(|at| rows.$column.share(rows, at, $salt, &mut bytes));
                    shares.fold(0, u64::wrapping_add)
                }
            }
        )*

        /// All rows of the kernel.
        pub struct Rows {
            world: World,
            scratch: Vec<u8>,
            /// What all rows count as (`memory.rs`).
            bytes: u64,
            $($column: Column<$value>,)*
        }

        impl Rows {
            /// Empty columns; the archetypes are registered in the order of this table.
            pub fn new() -> Self {
                let mut world = World::new();
                $(register_archetype::<$value>(&mut world);)*
                Self {
                    world, scratch: Vec::new(), bytes: 0,
                    $($column: Column::new(),)*
                }
            }

            /// Adds `count` free rows to every column and takes every other one away for good: rows
            /// used later stand elsewhere, and nothing changes that can be seen (a test's means to
            /// prove it).
            pub fn disturb(&mut self, count: u32) {
                $(self.$column.disturb(&mut self.world, count);)*
            }
        }
    };
}

/// What every kind of row can do.
pub trait RowKind: Sized + Copy {
    /// The hot component.
    type Value;
    /// Makes an entity with this own id.
    fn spawn(rows: &mut Rows, own_id: u64, value: Self::Value) -> Self;
    /// Ends it and drops its value; false if it was not live.
    fn remove(self, rows: &mut Rows) -> bool;
    /// Its own id.
    fn own_id(self, rows: &Rows) -> u64;
    /// All rows in the order of their own ids.
    fn all(rows: &Rows) -> Vec<(u64, Self)>;
    /// Whether the entity still exists.
    fn is_live(self, rows: &Rows) -> bool;
    /// How many there are.
    fn live(rows: &Rows) -> u64;
    /// The digest: rows changed since the last one are hashed anew.
    fn digest(rows: &mut Rows) -> u64;
    /// The same by walking everything.
    fn digest_walk(rows: &Rows) -> u64;
}

fn register_archetype<V: TextDefault>(world: &mut World) {
    // The order of archetypes is the order of these calls, whatever happens later (HOUSES, H4).
    world.reserve::<(V::Cold,)>(0);
}

kinds! {
    /// A task (thread).
    TaskRow tasks: Task 0x7461736b TASK_BYTES,
    /// A process (thread group).
    ProcessRow processes: Process 0x70726f63 PROCESS_BYTES,
    /// A descriptor table.
    FilesRow files: Files 0x66696c65 NO_BYTES,
    /// A file system context: cwd, root, umask.
    ContextRow contexts: Context 0x63747874 NO_BYTES,
    /// A table of signal dispositions.
    HandlersRow handlers: Handlers 0x68616e64 NO_BYTES,
    /// An open file description.
    DescriptionRow descriptions: Description 0x64657363 DESCRIPTION_BYTES,
    /// A pipe or an opened FIFO.
    PipeRow pipes: Pipe 0x70697065 PIPE_BYTES,
    /// A socket.
    SocketRow sockets: Socket 0x736f636b SOCKET_BYTES,
    /// The texts of processes. No digest or snapshot lists them: each process writes its own.
    TextRow texts: Text 0x74657874 NO_BYTES,
    /// A counter of eventfd(2).
    EventRow events: Event 0x6576656e EVENT_BYTES,
    /// What a pidfd refers to.
    PidfdRow pidfds: Pidfd 0x70696466 PIDFD_BYTES,
    /// An instance of epoll(7).
    EpollRow epolls: Epoll 0x65706f6c EPOLL_BYTES,
    /// A pseudo-terminal.
    TerminalRow terminals: Terminal 0x7465726d TERMINAL_BYTES,
}

impl Default for Rows {
    fn default() -> Self {
        Self::new()
    }
}

impl core::fmt::Debug for Rows {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Rows").field("entities", &self.world.len()).finish_non_exhaustive()
    }
}

impl Rows {
    /// What all rows count as, in bytes (`memory.rs`).
    #[inline]
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Two tables of dispositions, the second to change.
    #[inline]
    pub fn handlers_pair(
        &mut self,
        from: HandlersRow,
        to: HandlersRow,
    ) -> Option<(&Handlers, &mut Handlers)> {
        self.handlers.touch(to.at, to.generation)?;
        self.handlers.find(from.at, from.generation)?;
        let pair = [from.at as usize, to.at as usize];
        let [from, to] = self.handlers.rows.get_disjoint_mut(pair).ok()?;
        from.value.as_ref().zip(to.value.as_mut())
    }

    /// The texts of a process: command line, environment, name.
    pub fn text(&self, process: ProcessRow) -> Arc<ProcessText> {
        let text = self[process].text;
        let row = text.and_then(|text| self.texts.find(text.at, text.generation));
        let cold = row.and_then(|row| self.world.get::<&ColdText>(row.entity).ok());
        cold.and_then(|cold| (*cold).clone()).unwrap_or_default()
    }

    /// Appends the texts of a process.
    pub fn put_text(&self, process: &Process, out: &mut Vec<u8>) {
        let row = process.text.and_then(|text| self.texts.find(text.at, text.generation));
        let cold = row.and_then(|row| self.world.get::<&ColdText>(row.entity).ok());
        match cold.as_deref() {
            Some(Some(text)) => text.put(out),
            Some(None) | None => ProcessText::default().put(out),
        }
    }

    /// Replaces the texts of a process, which it may have shared.
    pub fn set_text(&mut self, process: ProcessRow, text: Arc<ProcessText>) {
        let old = self[process].text.take();
        self.drop_text(old);
        let new = TextRow::spawn(self, 0, Text { users: 1 });
        if let Some(row) = self.texts.find(new.at, new.generation) {
            set_cold(&mut self.world, row.entity, Some(text));
        }
        self[process].text = Some(new);
    }

    /// fork(2): the texts have one user more. The child's are the same until it executes a program.
    pub fn share_text(&mut self, text: Option<TextRow>) {
        if let Some(text) = text {
            self[text].users += 1;
        }
    }

    /// One user less; the last one frees them.
    pub fn drop_text(&mut self, text: Option<TextRow>) {
        let Some(text) = text else { return };
        let shared = &mut self[text];
        shared.users -= 1;
        if shared.users == 0 {
            text.remove(self);
        }
    }
}
