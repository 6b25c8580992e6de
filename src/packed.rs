//! Records that are too many to be kept as they are: put one after another, packed in blocks
//! (RFC 8878), and read by number again. What the blocks take beyond a limit lies in a temporary
//! file without a name, so that memory does not grow with what is kept.
//!
//! Used while a recording is imported (`strace/kept.rs`, `import/items.rs`). A record is any bytes;
//! what they mean is its writer's. Not here: files that outlive the process (`trace/`).

use std::cell::Cell;
use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt, OpenOptionsExt};

use crate::trace::varint::{Cursor, put_varint};

/// A block is packed when it has so many bytes.
const BLOCK_BYTES: usize = 256 << 10;
/// Bytes of blocks that one store keeps in memory, and of these such as are not packed: the first
/// ones, so that what is short costs little time.
const MEMORY_BYTES: usize = 32 << 20;
const RAW_BYTES: usize = 16 << 20;
/// Unpacked blocks that a reader keeps, and their bytes beside those of the last one.
const CACHED_BLOCKS: usize = 4;
const CACHED_BYTES: usize = 2 << 20;
/// zstd's fastest: text shrinks ten times with it.
const LEVEL: i32 = 1;

/// Where a packed block lies.
#[derive(Debug)]
enum Place {
    Raw(Box<[u8]>),
    Memory(Box<[u8]>),
    File { offset: u64, len: usize },
}

#[derive(Debug)]
struct Block {
    /// The number of its first record.
    first: u64,
    raw_bytes: usize,
    place: Place,
}

/// Records in packed blocks.
#[derive(Debug)]
pub(crate) struct Packed {
    max_memory_bytes: usize,
    max_raw_bytes: usize,
    blocks: Vec<Block>,
    /// The block that is being filled, and the number of its first record.
    raw: Vec<u8>,
    first: u64,
    count: u64,
    memory_bytes: usize,
    file: Option<File>,
    file_bytes: u64,
    /// Why the file takes no more. What comes then stays in memory: whoever fills this must stop.
    failure: Option<io::Error>,
    /// Something could not be read back.
    broken: Cell<bool>,
}

impl Default for Packed {
    fn default() -> Self {
        Self {
            max_memory_bytes: MEMORY_BYTES,
            max_raw_bytes: RAW_BYTES,
            blocks: Vec::new(),
            raw: Vec::new(),
            first: 0,
            count: 0,
            memory_bytes: 0,
            file: None,
            file_bytes: 0,
            failure: None,
            broken: Cell::new(false),
        }
    }
}

impl Packed {
    /// How many records there are.
    pub(crate) fn count(&self) -> u64 {
        self.count
    }

    /// Why there is no room for more, once.
    pub(crate) fn take_failure(&mut self) -> Option<io::Error> {
        self.failure.take()
    }

    /// Whether something could not be read back.
    pub(crate) fn is_broken(&self) -> bool {
        self.broken.get()
    }

    /// Puts a record at the end.
    pub(crate) fn push(&mut self, record: &[u8]) {
        put_varint(&mut self.raw, record.len() as u64);
        self.raw.extend_from_slice(record);
        self.count += 1;
        if self.raw.len() >= BLOCK_BYTES {
            self.seal();
        }
    }

    /// Packs what is open, so that every record can be read.
    pub(crate) fn seal(&mut self) {
        if self.raw.is_empty() {
            return;
        }
        let place = if self.memory_bytes + self.raw.len() <= self.max_raw_bytes {
            self.memory_bytes += self.raw.len();
            Place::Raw(self.raw.as_slice().into())
        } else {
            match zstd::bulk::compress(&self.raw, LEVEL) {
                Ok(packed) => self.place(packed),
                Err(why) => {
                    self.failure.get_or_insert(why);
                    Place::Memory(Box::default())
                }
            }
        };
        self.blocks.push(Block { first: self.first, raw_bytes: self.raw.len(), place });
        self.first = self.count;
        self.raw.clear();
        // One record of many bytes shall not hold that room for the next ones.
        self.raw.shrink_to(2 * BLOCK_BYTES);
    }

    fn place(&mut self, packed: Vec<u8>) -> Place {
        if self.memory_bytes + packed.len() > self.max_memory_bytes {
            match self.put_away(&packed) {
                Ok(place) => return place,
                Err(why) => {
                    self.failure.get_or_insert(why);
                }
            }
        }
        self.memory_bytes += packed.len();
        Place::Memory(packed.into_boxed_slice())
    }

    fn put_away(&mut self, packed: &[u8]) -> io::Result<Place> {
        let file = match self.file.take() {
            Some(file) => file,
            None => unnamed_file()?,
        };
        let file = self.file.insert(file);
        let offset = self.file_bytes;
        file.write_all_at(packed, offset)?;
        self.file_bytes += packed.len() as u64;
        Ok(Place::File { offset, len: packed.len() })
    }

    fn unpack(&self, index: usize) -> Option<Unpacked> {
        let block = self.blocks.get(index)?;
        let bytes = match &block.place {
            Place::Raw(bytes) => bytes.to_vec(),
            Place::Memory(packed) => zstd::bulk::decompress(packed, block.raw_bytes).ok()?,
            Place::File { offset, len } => {
                let mut packed = vec![0; *len];
                self.file.as_ref()?.read_exact_at(&mut packed, *offset).ok()?;
                zstd::bulk::decompress(&packed, block.raw_bytes).ok()?
            }
        };
        let mut starts = Vec::new();
        let mut cursor = Cursor::new(&bytes, 0);
        while !cursor.is_empty() {
            starts.push(cursor.position());
            let len = cursor.varint()?;
            cursor.take(len)?;
        }
        Some(Unpacked { index, bytes, starts, used: 0 })
    }
}

/// A file that goes with the process.
fn unnamed_file() -> io::Result<File> {
    let base = std::env::temp_dir();
    for attempt in 0..1000_u32 {
        let path = base.join(format!("tickernel-{}-{attempt}.blocks", std::process::id()));
        let mut options = OpenOptions::new();
        match options.read(true).write(true).create_new(true).mode(0o600).open(&path) {
            Ok(file) => {
                std::fs::remove_file(&path)?;
                return Ok(file);
            }
            Err(why) if why.kind() == io::ErrorKind::AlreadyExists => {}
            Err(why) => return Err(why),
        }
    }
    Err(io::Error::other("no free name for a temporary file"))
}

#[derive(Debug)]
struct Unpacked {
    index: usize,
    bytes: Vec<u8>,
    /// Where each record begins, with its length.
    starts: Vec<usize>,
    /// When it was used last.
    used: u64,
}

/// Reads records; keeps the blocks that were used last.
#[derive(Debug, Default)]
pub(crate) struct Reader {
    cached: Vec<Unpacked>,
    now: u64,
}

impl Reader {
    /// The record of that number. A block that cannot be read any more has none.
    pub(crate) fn get(&mut self, packed: &Packed, number: u64) -> Option<&[u8]> {
        let index = packed.blocks.partition_point(|block| block.first <= number).checked_sub(1)?;
        let place = usize::try_from(number - packed.blocks.get(index)?.first).ok()?;
        self.now += 1;
        let at = match self.cached.iter().position(|block| block.index == index) {
            Some(at) => at,
            None => self.fetch(packed, index)?,
        };
        let block = self.cached.get_mut(at)?;
        block.used = self.now;
        let mut cursor = Cursor::new(&block.bytes, *block.starts.get(place)?);
        let len = cursor.varint()?;
        cursor.take(len)
    }

    fn fetch(&mut self, packed: &Packed, index: usize) -> Option<usize> {
        let bytes =
            |cached: &[Unpacked]| cached.iter().map(|block| block.bytes.len()).sum::<usize>();
        while self.cached.len() >= CACHED_BLOCKS || bytes(&self.cached) > CACHED_BYTES {
            let oldest = (0..self.cached.len()).min_by_key(|at| self.cached[*at].used)?;
            self.cached.swap_remove(oldest);
        }
        let Some(unpacked) = packed.unpack(index) else {
            packed.broken.set(true);
            return None;
        };
        self.cached.push(unpacked);
        self.cached.len().checked_sub(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Bytes that hardly shrink, of any length up to some thousand.
    fn record(number: u64) -> Vec<u8> {
        let mut state = number + 1;
        let bytes = (0..number * 7 % 3000).map(|_| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (state >> 56) as u8
        });
        bytes.collect()
    }

    #[test]
    fn records_are_read_back_by_number_from_memory_and_from_the_file() {
        for (max_memory_bytes, max_raw_bytes) in
            [(usize::MAX, usize::MAX), (usize::MAX, 0), (600 << 10, 300 << 10), (0, 0)]
        {
            let mut packed = Packed { max_memory_bytes, max_raw_bytes, ..Packed::default() };
            for number in 0..1000 {
                packed.push(&record(number));
            }
            packed.seal();
            assert!(packed.take_failure().is_none());
            assert_eq!(packed.file.is_some(), max_memory_bytes < usize::MAX);
            assert!(packed.memory_bytes <= max_memory_bytes);
            let mut reader = Reader::default();
            let back_and_forth = (0..1000).chain((0..1000).rev().step_by(17)).chain([0, 999, 500]);
            for number in back_and_forth {
                assert_eq!(reader.get(&packed, number), Some(record(number).as_slice()));
            }
            assert_eq!(reader.get(&packed, 1000), None);
            assert!(!packed.is_broken());
        }
    }

    #[test]
    fn what_is_gone_from_the_file_is_said_to_be_gone() {
        let mut packed = Packed { max_memory_bytes: 0, max_raw_bytes: 0, ..Packed::default() };
        packed.push(&record(400));
        packed.seal();
        packed.file.as_ref().expect("nothing fits into memory").set_len(9).expect("shorter");
        assert_eq!(Reader::default().get(&packed, 0), None);
        assert!(packed.is_broken());
    }
}
