//! Where a row lies: the only file that names `hecs::World`'s accessors.
//!
//! Every process, task, descriptor table, context, handler table, description and pipe is an
//! entity. The world keeps its cold components; the hot component of a kind stands in a dense
//! column of that kind, whose rows each have an entity for good: a row that becomes free keeps it
//! for the next value, because to spawn and despawn one costs 20 to 40 ns. A reference is the
//! row's place and which of its uses is meant, so that one to a value that is gone finds nothing.
//! To follow it takes one nanosecond, through `&self` too, beside 4 to 7 for `query_one_mut` and
//! 12 to 21 for `World::get` (DESIGN section 6).
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
    Cold, ColdText, Context, Description, Files, Handlers, Pipe, Process, ProcessText, Socket,
    Task, TextDefault,
};
use crate::digest::{hash_number, hash64};
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
            self.dirty.push(at);
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

    /// What a row adds to the digest: nothing if it is free.
    fn share(&self, rows: &Rows, at: u32, salt: u64, bytes: &mut Vec<u8>) -> u64
    where
        T: Encode,
    {
        let row = &self.rows[at as usize];
        let Some(value) = &row.value else { return 0 };
        bytes.clear();
        value.encode(rows, bytes);
        rows.put_cold::<T::Cold>(row.entity, bytes);
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

    #[inline]
    fn touch(&mut self, at: u32, generation: NonZeroU32) -> Option<&mut T> {
        let row = self.rows.get_mut(at as usize).filter(|row| row.generation == generation)?;
        if !row.dirty {
            row.dirty = true;
            self.dirty.push(at);
        }
        row.value.as_mut()
    }

    #[inline]
    fn find(&self, at: u32, generation: NonZeroU32) -> Option<&Row<T>> {
        self.rows.get(at as usize).filter(|row| row.generation == generation)
    }

    #[inline]
    fn look(&self, at: u32, generation: NonZeroU32) -> Option<&T> {
        self.find(at, generation)?.value.as_ref()
    }
}

fn set_cold<C: Cold>(world: &mut World, entity: Entity, cold: C) {
    if let Ok(slot) = world.query_one_mut::<&mut C>(entity) {
        *slot = cold;
    }
}

/// A component that digests and snapshots can write: canonical, references as own ids.
pub trait Encode {
    /// Appends the canonical encoding.
    fn encode(&self, rows: &Rows, out: &mut Vec<u8>);
}

macro_rules! kinds {
    ($($(#[$doc:meta])* $row:ident $column:ident: $value:ident $salt:literal,)*) => {
        $(
            $(#[$doc])*
            #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
            pub struct $row {
                at: u32,
                generation: NonZeroU32,
            }

            impl Index<$row> for Rows {
                type Output = $value;
                #[inline]
                fn index(&self, row: $row) -> &$value {
                    // A dangling reference inside the core is a defect of the core, never input.
                    self.$column.look(row.at, row.generation).expect("a live row")
                }
            }

            impl IndexMut<$row> for Rows {
                #[inline]
                fn index_mut(&mut self, row: $row) -> &mut $value {
                    self.$column.touch(row.at, row.generation).expect("a live row")
                }
            }

            impl RowKind for $row {
                type Value = $value;
                #[inline]
                fn spawn(rows: &mut Rows, own_id: u64, value: $value) -> Self {
                    let (at, generation) = rows.$column.insert(&mut rows.world, own_id, value);
                    $row { at, generation }
                }
                fn remove(self, rows: &mut Rows) -> bool {
                    rows.$column.remove(&mut rows.world, self.at, self.generation)
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
                fn put_cold(self, rows: &Rows, out: &mut Vec<u8>) {
                    if let Some(row) = rows.$column.find(self.at, self.generation) {
                        rows.put_cold::<<$value as TextDefault>::Cold>(row.entity, out);
                    }
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
            $($column: Column<$value>,)*
        }

        impl Rows {
            /// Empty columns; the archetypes are registered in the order of this table.
            pub fn new() -> Self {
                let mut world = World::new();
                $(register_archetype::<$value>(&mut world);)*
                Self {
                    world, scratch: Vec::new(),
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
    /// Appends the cold component, for kinds that have one.
    fn put_cold(self, rows: &Rows, out: &mut Vec<u8>);
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
    TaskRow tasks: Task 0x7461736b,
    /// A process (thread group).
    ProcessRow processes: Process 0x70726f63,
    /// A descriptor table.
    FilesRow files: Files 0x66696c65,
    /// A file system context: cwd, root, umask.
    ContextRow contexts: Context 0x63747874,
    /// A table of signal dispositions.
    HandlersRow handlers: Handlers 0x68616e64,
    /// An open file description.
    DescriptionRow descriptions: Description 0x64657363,
    /// A pipe or an opened FIFO.
    PipeRow pipes: Pipe 0x70697065,
    /// A socket.
    SocketRow sockets: Socket 0x736f636b,
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
    /// The cold component of a process: command line, environment, name.
    pub fn text(&self, process: ProcessRow) -> Arc<ProcessText> {
        let row = self.processes.find(process.at, process.generation);
        let text = row.and_then(|row| self.world.get::<&ColdText>(row.entity).ok());
        text.and_then(|text| (*text).clone()).unwrap_or_default()
    }

    /// Appends the cold component of an entity.
    fn put_cold<C: Cold>(&self, entity: Entity, out: &mut Vec<u8>) {
        if size_of::<C>() > 0
            && let Ok(cold) = self.world.get::<&C>(entity)
        {
            cold.put_cold(out);
        }
    }

    /// Replaces the cold component of a process.
    pub fn set_text(&mut self, process: ProcessRow, text: Arc<ProcessText>) {
        // The text is part of the process's encoding: its digest is due.
        self.processes.touch(process.at, process.generation);
        if let Some(row) = self.processes.find(process.at, process.generation) {
            set_cold(&mut self.world, row.entity, Some(text));
        }
    }

    /// fork(2): the child, a new row, starts with the parent's texts.
    pub fn copy_text(&mut self, from: ProcessRow, to: ProcessRow) {
        let from = self.processes.find(from.at, from.generation);
        let to = self.processes.find(to.at, to.generation);
        if let (Some(from), Some(to)) = (from, to)
            && let Ok(text) = self.world.query_one_mut::<&ColdText>(from.entity)
        {
            let text = text.clone();
            set_cold(&mut self.world, to.entity, text);
        }
    }
}
