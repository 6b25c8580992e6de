//! Where a row lies: the only file that names `hecs::World`'s accessors.
//!
//! Every process, task, descriptor table, context, handler table, description and pipe is an entity.
//! The world gives it its identity (a generational handle) and keeps its cold components; the hot
//! component of a kind stands in a dense column of that kind. A reference carries the entity and the
//! place of that row, and the row says whose it is: one nanosecond, and readable through `&self`,
//! beside 4 to 7 for `query_one_mut` and 12 to 21 for `World::get` (DESIGN section 6).
//!
//! ```text
//!   reference = (Entity, at) ──at──▶ column of the kind: [Entity, own id, value, hash]
//!                   └──────────────▶ World archetype of the kind: (OwnId, cold components)
//! ```
//!
//! Order never comes from here: columns are visited by digests (commutative) and, sorted by own id,
//! by snapshots. A mutable access marks the row for the next digest.

#![allow(
    clippy::disallowed_methods,
    reason = "the one file through which the world is reached; World::get only for cold components"
)]

use crate::components::{
    Cold, Context, Description, Files, Handlers, Pipe, Process, ProcessText, Task, TextDefault,
};
use crate::digest::{hash_number, hash64};
use alloc::vec::Vec;
use core::ops::{Index, IndexMut};
use hecs::{Entity, World};

/// The own id of an entity: what snapshots and digests know it by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OwnId(pub u64);

/// One row of a column.
#[derive(Debug)]
struct Row<T> {
    entity: Entity,
    own_id: u64,
    value: T,
    /// The row's share in the column's digest, as of when it was last taken.
    share: u64,
    dirty: bool,
}

/// The hot components of one kind.
#[derive(Debug)]
struct Column<T> {
    rows: Vec<Option<Row<T>>>,
    free: Vec<u32>,
    dirty: Vec<u32>,
    sum: u64,
    live: u64,
}

impl<T> Column<T> {
    const fn new() -> Self {
        Self { rows: Vec::new(), free: Vec::new(), dirty: Vec::new(), sum: 0, live: 0 }
    }

    fn insert(&mut self, entity: Entity, own_id: u64, value: T) -> u32 {
        self.live += 1;
        let row = Row { entity, own_id, value, share: 0, dirty: true };
        let at = match self.free.pop() {
            Some(at) => {
                self.rows[at as usize] = Some(row);
                at
            }
            None => {
                self.rows.push(Some(row));
                (self.rows.len() - 1) as u32
            }
        };
        self.dirty.push(at);
        at
    }

    fn remove(&mut self, entity: Entity, at: u32) -> Option<T> {
        let row = self.rows.get_mut(at as usize)?.take_if(|row| row.entity == entity)?;
        self.sum = self.sum.wrapping_sub(row.share);
        self.live -= 1;
        self.free.push(at);
        Some(row.value)
    }

    #[inline]
    fn touch(&mut self, entity: Entity, at: u32) -> Option<&mut T> {
        match self.rows.get_mut(at as usize) {
            Some(Some(row)) if row.entity == entity => {
                if !row.dirty {
                    row.dirty = true;
                    self.dirty.push(at);
                }
                Some(&mut row.value)
            }
            Some(_) | None => None,
        }
    }

    #[inline]
    fn find(&self, entity: Entity, at: u32) -> Option<&Row<T>> {
        match self.rows.get(at as usize) {
            Some(Some(row)) if row.entity == entity => Some(row),
            Some(_) | None => None,
        }
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
                entity: Entity,
                at: u32,
            }

            impl Index<$row> for Rows {
                type Output = $value;
                #[inline]
                fn index(&self, row: $row) -> &$value {
                    // A dangling reference inside the core is a defect of the core, never input.
                    &self.$column.find(row.entity, row.at).expect("a live row").value
                }
            }

            impl IndexMut<$row> for Rows {
                #[inline]
                fn index_mut(&mut self, row: $row) -> &mut $value {
                    self.$column.touch(row.entity, row.at).expect("a live row")
                }
            }

            impl RowKind for $row {
                type Value = $value;
                fn spawn(rows: &mut Rows, own_id: u64, value: $value) -> Self {
                    let entity = rows.world.spawn((OwnId(own_id), <$value>::cold()));
                    let at = rows.$column.insert(entity, own_id, value);
                    $row { entity, at }
                }
                fn remove(self, rows: &mut Rows) -> Option<$value> {
                    let value = rows.$column.remove(self.entity, self.at)?;
                    rows.world.despawn(self.entity).ok()?;
                    Some(value)
                }
                fn own_id(self, rows: &Rows) -> u64 {
                    rows.$column.find(self.entity, self.at).map_or(0, |row| row.own_id)
                }
                fn all(rows: &Rows) -> Vec<(u64, Self)> {
                    let mut all: Vec<(u64, Self)> = (0..).zip(&rows.$column.rows)
                        .filter_map(|(at, row)| {
                            let row = row.as_ref()?;
                            Some((row.own_id, $row { entity: row.entity, at }))
                        }).collect();
                    all.sort_unstable_by_key(|entry| entry.0);
                    all
                }
                fn put_cold(self, rows: &Rows, out: &mut Vec<u8>) {
                    rows.put_cold::<<$value as TextDefault>::Cold>(self.entity, out);
                }
                fn is_live(self, rows: &Rows) -> bool {
                    rows.$column.find(self.entity, self.at).is_some()
                }
                fn live(rows: &Rows) -> u64 {
                    rows.$column.live
                }
                fn digest(rows: &mut Rows) -> u64 {
                    let mut dirty = core::mem::take(&mut rows.$column.dirty);
                    let mut bytes = core::mem::take(&mut rows.scratch);
                    for at in &dirty {
                        let Some(row) = &rows.$column.rows[*at as usize] else { continue };
                        if !row.dirty { continue }
                        bytes.clear();
                        row.value.encode(rows, &mut bytes);
                        rows.put_cold::<<$value as TextDefault>::Cold>(row.entity, &mut bytes);
                        let share = hash64(hash_number($salt, row.own_id), &bytes);
                        if let Some(row) = rows.$column.rows[*at as usize].as_mut() {
                            let change = share.wrapping_sub(row.share);
                            row.share = share;
                            row.dirty = false;
                            rows.$column.sum = rows.$column.sum.wrapping_add(change);
                        }
                    }
                    dirty.clear();
                    rows.$column.dirty = dirty;
                    rows.scratch = bytes;
                    rows.$column.sum
                }
                fn digest_walk(rows: &Rows) -> u64 {
                    let mut sum = 0u64;
                    let mut bytes = Vec::new();
                    for row in rows.$column.rows.iter().flatten() {
                        bytes.clear();
                        row.value.encode(rows, &mut bytes);
                        rows.put_cold::<<$value as TextDefault>::Cold>(row.entity, &mut bytes);
                        sum = sum.wrapping_add(hash64(hash_number($salt, row.own_id), &bytes));
                    }
                    sum
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
        }
    };
}

/// What every kind of row can do.
pub trait RowKind: Sized + Copy {
    /// The hot component.
    type Value;
    /// Makes an entity with this own id.
    fn spawn(rows: &mut Rows, own_id: u64, value: Self::Value) -> Self;
    /// Removes the entity; its value, if it was live.
    fn remove(self, rows: &mut Rows) -> Option<Self::Value>;
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
    world.reserve::<(OwnId, V::Cold)>(0);
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
    pub fn text(&self, process: ProcessRow) -> ProcessText {
        match self.world.get::<&ProcessText>(process.entity) {
            Ok(text) => (*text).clone(),
            Err(_) => ProcessText::default(),
        }
    }

    /// Appends the cold component of an entity.
    fn put_cold<C: Cold>(&self, entity: Entity, out: &mut Vec<u8>) {
        if let Ok(cold) = self.world.get::<&C>(entity) {
            cold.put_cold(out);
        }
    }

    /// Replaces the cold component of a process.
    pub fn set_text(&mut self, process: ProcessRow, text: ProcessText) {
        if let Ok(slot) = self.world.query_one_mut::<&mut ProcessText>(process.entity) {
            *slot = text;
        }
        // The text is part of the process's encoding: its digest is due.
        self.processes.touch(process.entity, process.at);
    }

    /// fork(2): the child starts with the parent's texts.
    pub fn copy_text(&mut self, from: ProcessRow, to: ProcessRow) {
        let text = self.text(from);
        self.set_text(to, text);
    }

    /// Spawns and despawns `count` entities that belong to nothing: changes row numbers and nothing
    /// that can be seen (a test's means to prove it).
    pub fn disturb(&mut self, count: u32) {
        let unrelated: Vec<Entity> =
            (0..count).map(|n| self.world.spawn((OwnId(u64::from(n)), ()))).collect();
        for entity in unrelated.iter().step_by(2) {
            // It was made a line above: it is there.
            self.world.despawn(*entity).unwrap_or(());
        }
    }
}
