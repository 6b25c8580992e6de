//! The control channel: one System V shared memory segment, mapped at the same address in the
//! coordinator and in every worker, so that pointers in it mean the same everywhere and no emulated
//! process holds a descriptor that is not its own.
//!
//! Layout: a header (number of events reserved; a word to sleep on; the slot of the image that
//! starts next), a ring of events, the workers' code, the slots (one a worker), stacks for workers
//! that share their parent's memory, and the areas that hold the memory of a request. `image.rs`
//! uses the same offsets. The segment is marked for destruction at once (shmctl(2)): Linux still
//! attaches by id, and it vanishes with the last process.

use std::io;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering::SeqCst};

/// The address of the segment.
pub(crate) const SHARED: u64 = 0x6000_0000_0000;
/// Offset of the word that is counted up and woken with every event.
pub(crate) const EVENTS: usize = 4;
/// Offset of the ring of events, and its length.
pub(crate) const RING: usize = 0x1000;
pub(crate) const RING_LEN: usize = 4096;
const CODE_OFFSET: usize = 0x18_0000;
/// The address of the workers' code.
pub(crate) const CODE: u64 = SHARED + CODE_OFFSET as u64;
const SLOTS: usize = 0x20_0000;
/// How many workers there may be at a time.
pub(crate) const SLOT_COUNT: usize = 1024;
const STACKS: usize = 0x40_0000;
const STACK_BYTES: usize = 0x1_0000;
const AREAS: usize = 0x800_0000;
const AREA_BYTES: usize = 0x10_0000;
const AREA_COUNT: usize = 512;
const TOTAL_BYTES: usize = AREAS + AREA_COUNT * AREA_BYTES;

/// The control words of one worker. The order is `image.rs`'s.
#[repr(C)]
pub(crate) struct Slot {
    itself: AtomicU64,
    asked: AtomicU32,
    taken: AtomicU32,
    operation: AtomicU32,
    request: AtomicU32,
    number: AtomicU64,
    arguments: [AtomicU64; 6],
    child: AtomicU64,
    _unused: [u64; 21],
}

#[repr(C)]
struct RawEvent {
    ready: AtomicU32,
    kind: AtomicU32,
    slot: AtomicU64,
    request: AtomicU32,
    outer: AtomicU32,
    value: AtomicU64,
    siginfo: [u8; 128],
    _unused: [u8; 96],
}

/// What a worker has posted.
#[derive(Clone, Copy)]
pub(crate) struct Event {
    /// DONE, SIGNAL, STARTED or EXECED of `image.rs`.
    pub(crate) kind: u32,
    /// Index of the worker's slot.
    pub(crate) slot: usize,
    /// The request that it belongs to; of SIGNAL the interrupted one.
    pub(crate) request: u32,
    /// Of SIGNAL: what is known of the interrupted call.
    pub(crate) outer: u32,
    /// The call's result.
    pub(crate) value: i64,
    /// The siginfo_t of SIGNAL.
    pub(crate) siginfo: [u8; 128],
}

/// What to run in a worker.
pub(crate) struct Order {
    /// OP_CALL or OP_RETURN.
    pub(crate) operation: u32,
    /// The request's number, which comes back in events.
    pub(crate) request: u32,
    /// The system call's number and arguments.
    pub(crate) number: i64,
    pub(crate) arguments: [u64; 6],
    /// The slot of the child that the call makes.
    pub(crate) child: Option<usize>,
}

/// The segment as the coordinator sees it.
pub(crate) struct Shared {
    shmid: i32,
    free_areas: Vec<usize>,
    used_slots: Vec<bool>,
    read: u32,
    late: Vec<u32>,
}

impl Shared {
    /// Makes and maps the segment and puts the workers' code in. Call it once, after IPC namespaces
    /// are settled.
    pub(crate) fn new(code: &[u8]) -> io::Result<Self> {
        // SAFETY: plain system calls; the address range is checked by the kernel, which refuses one
        // in use.
        let shmid = unsafe {
            let shmid = libc::shmget(libc::IPC_PRIVATE, TOTAL_BYTES, libc::SHM_NORESERVE | 0o777);
            if shmid < 0 {
                return Err(io::Error::last_os_error());
            }
            let at = libc::shmat(shmid, SHARED as *const libc::c_void, 0);
            let error = io::Error::last_os_error();
            libc::shmctl(shmid, libc::IPC_RMID, std::ptr::null_mut());
            if at as u64 != SHARED {
                return Err(error);
            }
            std::ptr::copy_nonoverlapping(code.as_ptr(), CODE as *mut u8, code.len());
            shmid
        };
        Ok(Self {
            shmid,
            free_areas: (0..AREA_COUNT).rev().collect(),
            used_slots: vec![false; SLOT_COUNT],
            read: 0,
            late: Vec::new(),
        })
    }

    /// The id by which workers attach.
    pub(crate) fn shmid(&self) -> i32 {
        self.shmid
    }

    /// Forgets all slots and areas; no worker may be alive.
    pub(crate) fn reset(&mut self) {
        self.free_areas = (0..AREA_COUNT).rev().collect();
        self.used_slots.fill(false);
        self.read = atomic(0).load(SeqCst);
        self.late.clear();
    }

    /// A free slot, made empty; none when there are too many workers.
    pub(crate) fn take_slot(&mut self) -> Option<usize> {
        let index = self.used_slots.iter().position(|used| !used)?;
        self.used_slots[index] = true;
        let slot = slot(index);
        slot.asked.store(0, SeqCst);
        slot.taken.store(0, SeqCst);
        slot.itself.store(slot_address(index), SeqCst);
        Some(index)
    }

    /// Gives a slot back.
    pub(crate) fn free_slot(&mut self, index: usize) {
        self.used_slots[index] = false;
    }

    /// A free area for the memory of a request.
    pub(crate) fn take_area(&mut self) -> Option<Area> {
        Some(Area { index: self.free_areas.pop()?, used: 0 })
    }

    /// Gives an area back; pages of large ones go back to the system.
    pub(crate) fn free_area(&mut self, area: Area) {
        if area.used > 0x1_0000 {
            let start = (SHARED as usize + AREAS + area.index * AREA_BYTES) as *mut libc::c_void;
            // SAFETY: the range is one whole area of the segment, and no request uses it any more.
            unsafe { libc::madvise(start, AREA_BYTES, libc::MADV_REMOVE) };
        }
        self.free_areas.push(area.index);
    }

    /// Takes the next event, in the order in which they were posted.
    pub(crate) fn next_event(&mut self) -> Option<Event> {
        if let Some(at) = self.late.iter().position(|&number| is_ready(number)) {
            return Some(event(self.late.remove(at)));
        }
        while self.read != atomic(0).load(SeqCst) {
            let number = self.read;
            self.read = self.read.wrapping_add(1);
            if is_ready(number) {
                return Some(event(number));
            }
            self.late.push(number);
        }
        None
    }
}

/// The count of events posted; to be passed to [`wait_for_event`].
pub(crate) fn event_count() -> u32 {
    atomic(EVENTS).load(SeqCst)
}

/// Sleeps until an event beyond `seen` is posted, at most `timeout_us` microseconds.
pub(crate) fn wait_for_event(seen: u32, timeout_us: u32) {
    let timeout = libc::timespec { tv_sec: 0, tv_nsec: i64::from(timeout_us) * 1000 };
    let word = SHARED as usize + EVENTS;
    // SAFETY: the word lies in the segment, which stays mapped.
    unsafe { libc::syscall(libc::SYS_futex, word, libc::FUTEX_WAIT, seen, &raw const timeout) };
}

/// Hands an order to the worker of a slot and wakes it.
pub(crate) fn send(index: usize, order: &Order) {
    let to = slot(index);
    to.operation.store(order.operation, SeqCst);
    to.request.store(order.request, SeqCst);
    to.number.store(order.number as u64, SeqCst);
    for (cell, value) in to.arguments.iter().zip(order.arguments) {
        cell.store(value, SeqCst);
    }
    to.child.store(order.child.map_or(0, slot_address), SeqCst);
    set_starting_slot(index);
    to.asked.fetch_add(1, SeqCst);
    let word = slot_address(index) + 8;
    // SAFETY: the word lies in the segment, which stays mapped.
    unsafe { libc::syscall(libc::SYS_futex, word, libc::FUTEX_WAKE, 1) };
}

/// Says which slot an image that starts now belongs to.
pub(crate) fn set_starting_slot(index: usize) {
    // SAFETY: the header's second quad is used through atomics only.
    let cell = unsafe { &*((SHARED + 8) as *const AtomicU64) };
    cell.store(slot_address(index), SeqCst);
}

/// Whether the worker has taken every order.
pub(crate) fn is_served(index: usize) -> bool {
    slot(index).asked.load(SeqCst) == slot(index).taken.load(SeqCst)
}

/// The address on which the worker of a slot sleeps between orders.
pub(crate) fn sleeping_address(index: usize) -> u64 {
    slot_address(index) + 8
}

/// The top of the stack for a worker that shares its parent's memory.
pub(crate) fn stack_top(index: usize) -> u64 {
    SHARED + (STACKS + (index + 1) * STACK_BYTES) as u64
}

fn slot_address(index: usize) -> u64 {
    SHARED + (SLOTS + index * size_of::<Slot>()) as u64
}

fn slot(index: usize) -> &'static Slot {
    assert!(index < SLOT_COUNT);
    // SAFETY: slots lie in the segment, which stays mapped, and are used through atomics only.
    unsafe { &*(slot_address(index) as *const Slot) }
}

fn atomic(offset: usize) -> &'static AtomicU32 {
    // SAFETY: only the header's words are asked for; they are used through atomics only.
    unsafe { &*((SHARED as usize + offset) as *const AtomicU32) }
}

fn raw_event(number: u32) -> &'static RawEvent {
    let at = SHARED as usize + RING + (number as usize % RING_LEN) * size_of::<RawEvent>();
    // SAFETY: the ring lies in the segment; a worker has finished an entry before it marks it
    // ready.
    unsafe { &*(at as *const RawEvent) }
}

fn is_ready(number: u32) -> bool {
    raw_event(number).ready.load(SeqCst) == number.wrapping_add(1)
}

fn event(number: u32) -> Event {
    let raw = raw_event(number);
    let offset = raw.slot.load(SeqCst).wrapping_sub(slot_address(0)) as usize;
    Event {
        kind: raw.kind.load(SeqCst),
        slot: offset / size_of::<Slot>(),
        request: raw.request.load(SeqCst),
        outer: raw.outer.load(SeqCst),
        value: raw.value.load(SeqCst) as i64,
        siginfo: raw.siginfo,
    }
}

/// The memory of one request: what it passes by pointer, and where the kernel writes. It stays
/// until the call has ended, across signal handlers that make calls of their own.
pub(crate) struct Area {
    index: usize,
    used: usize,
}

impl Area {
    /// Room for `bytes`, aligned to 16; zeroed if it is small.
    pub(crate) fn room(&mut self, bytes: usize) -> Result<u64, String> {
        let at = self.used.next_multiple_of(16);
        if bytes > AREA_BYTES.saturating_sub(at) {
            return Err(format!("{bytes} bytes are more than the host twin's buffer holds"));
        }
        self.used = at + bytes;
        let address = SHARED + (AREAS + self.index * AREA_BYTES + at) as u64;
        // SAFETY: the range was just taken from this area, which belongs to one request.
        unsafe { std::ptr::write_bytes(address as *mut u8, 0, bytes.min(4096)) };
        Ok(address)
    }

    /// How much room is left.
    pub(crate) fn left(&self) -> usize {
        AREA_BYTES.saturating_sub(self.used.next_multiple_of(16))
    }

    /// A copy of `bytes`.
    pub(crate) fn bytes(&mut self, bytes: &[u8]) -> Result<u64, String> {
        let address = self.room(bytes.len())?;
        // SAFETY: as in `room`; the source is ordinary memory of the coordinator.
        unsafe { std::ptr::copy_nonoverlapping(bytes.as_ptr(), address as *mut u8, bytes.len()) };
        Ok(address)
    }

    /// A copy of `bytes` with a NUL behind it.
    pub(crate) fn c_string(&mut self, bytes: &[u8]) -> Result<u64, String> {
        let mut copy = bytes.to_vec();
        copy.push(0);
        self.bytes(&copy)
    }

    /// A copy of a C structure.
    pub(crate) fn put<T: Copy>(&mut self, value: &T) -> Result<u64, String> {
        let address = self.room(size_of::<T>())?;
        // SAFETY: as in `room`; 16 bytes of alignment are enough for every structure of the ABI.
        unsafe { std::ptr::write(address as *mut T, *value) };
        Ok(address)
    }
}

/// Reads a C structure of plain numbers at an address that an [`Area`] gave.
pub(crate) fn get<T: Copy>(address: u64) -> T {
    // SAFETY: addresses come from `Area::room` of a request that is not freed; any bit pattern is a
    // value of T.
    unsafe { std::ptr::read_unaligned(address as *const T) }
}

/// Reads bytes at an address that an [`Area`] gave.
pub(crate) fn get_bytes(address: u64, count: usize) -> Vec<u8> {
    // SAFETY: as in `get`.
    unsafe { std::slice::from_raw_parts(address as *const u8, count.min(AREA_BYTES)) }.to_vec()
}

/// Writes the stack of a slot into a `struct clone_args` (clone(2)): its sixth and seventh field.
pub(crate) fn put_clone3_stack(clone_args: u64, index: usize) {
    let stack = [stack_top(index) - STACK_BYTES as u64, STACK_BYTES as u64];
    // SAFETY: the address is that of a clone_args in a request's area.
    unsafe { std::ptr::write((clone_args + 40) as *mut [u64; 2], stack) };
}
