//! Does a program lose data when its disk is full? A logger writes five records; in branches of one
//! world the first, second … write fails with ENOSPC, and each branch is recorded and replayed.
//!
//! `cargo run --example sim_fault`

use std::error::Error;
use tickernel::import::Imported;
use tickernel::record::TraceBuffer;
use tickernel::replay::{Options, replay};
use tickernel::sim::{CallError, Fault, Sim};
use tickernel_systems::abi::Errno;
use tickernel_systems::abi::flags::{O_APPEND, O_CREAT, O_RDWR};
use tickernel_systems::event::Call;

const RECORDS: usize = 5;

/// The program under test: it writes each record, and again if the disk was full.
fn log(sim: &mut Sim, pid: u32, fd: i32) -> Result<(), CallError> {
    for number in 0..RECORDS {
        let record = format!("record {number}\n");
        let write = Call::Write { fd, data: record.as_bytes() };
        match sim.call(pid, write.clone()) {
            Err(CallError::Failed(Errno::ENOSPC)) => sim.call(pid, write).map(drop)?,
            other => other.map(drop)?,
        }
    }
    Ok(())
}

/// Every write of the program is made to fail once.
pub fn main() -> Result<(), Box<dyn Error>> {
    let mut world = Sim::new();
    let pid = world.spawn(1)?;
    let path = Some(b"/tmp/log".as_slice());
    let open = Call::Open { path, flags: O_RDWR | O_CREAT | O_APPEND, mode: 0o644 };
    let fd = world.call(pid, open)?.value as i32;

    for nth in 1..=RECORDS as u64 {
        let (mut branch, trace) = (world.branch()?, TraceBuffer::default());
        branch.record_to(trace.clone())?;
        branch.inject(Fault::new("write", Errno::ENOSPC)?.of(pid).at(nth));
        log(&mut branch, pid, fd)?;
        let read = branch.call(pid, Call::Pread64 { fd, count: 4096, offset: 0 })?;
        let lines = read.bytes().split_inclusive(|byte| *byte == b'\n').count();
        let made = branch.faults().first().map_or(0, Fault::seen);
        branch.finish_recording()?;
        let digest = format!("{:016x}", branch.digest());
        let replayed = replay(Imported::of_trace(trace.bytes()), &mut Options::default())?;
        println!("write {nth} failed: {made} writes, {lines} lines, digest {digest}");
        if lines != RECORDS || made != RECORDS as u64 + 1 || replayed.report.digest != digest {
            return Err("a record is lost, or the replay differs".into());
        }
    }
    // The world that was branched has not been touched.
    let read = world.call(pid, Call::Pread64 { fd, count: 4096, offset: 0 })?;
    if read.value == 0 { Ok(()) } else { Err("a branch wrote into its parent".into()) }
}
