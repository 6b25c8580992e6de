//! A shell runs `printf … | sort | head -2` in a simulated world: three processes, two pipes,
//! dup2(2), wait4(2). The shell makes them as shells do; what the programs compute is played here.
//!
//! `cargo run --example sim_pipeline`

use std::error::Error;
use tickernel::sim::{CallError, Sim};
use tickernel_systems::abi::WaitStatus;
use tickernel_systems::event::Call;

const SHELL: u32 = 1;
const STDIN: i32 = 0;
const STDOUT: i32 = 1;
const READ: Call<'static> = Call::Read { fd: STDIN, count: 4096 };

/// A stage: made with its ends of the pipes as standard input and output, and all else closed.
fn stage(
    sim: &mut Sim,
    input: Option<i32>,
    output: Option<i32>,
    pipes: &[[i32; 2]],
) -> Result<u32, CallError> {
    let pid = sim.spawn(SHELL)?;
    for (fd, newfd) in [(input, STDIN), (output, STDOUT)] {
        if let Some(oldfd) = fd {
            sim.call(pid, Call::Dup2 { oldfd, newfd })?;
        }
    }
    for fd in pipes.iter().flatten() {
        sim.call(pid, Call::Close { fd: *fd })?;
    }
    Ok(pid)
}

/// A process waits for input that nobody has written yet.
fn begin_to_read(sim: &mut Sim, pid: u32) -> Result<(), CallError> {
    match sim.call(pid, READ) {
        Err(CallError::Waits(_)) => Ok(()),
        other => other.map(drop),
    }
}

/// What it reads up to the end of input: what its read that waited got, and all behind it.
fn read_all(sim: &mut Sim, pid: u32) -> Result<Vec<u8>, CallError> {
    let mut all = Vec::new();
    for completion in sim.completions() {
        println!("{} goes on", completion.task);
        all.extend_from_slice(completion.result?.bytes());
    }
    loop {
        let answer = sim.call(pid, READ)?;
        if answer.value == 0 {
            return Ok(all);
        }
        all.extend_from_slice(answer.bytes());
    }
}

/// A process writes its output and ends.
fn write_and_end(sim: &mut Sim, pid: u32, lines: &[&[u8]]) -> Result<(), CallError> {
    for data in lines {
        sim.call(pid, Call::Write { fd: STDOUT, data })?;
    }
    sim.call(pid, Call::ExitGroup { status: 0 }).map(drop)
}

/// The pipeline, and what came out of it.
pub fn main() -> Result<(), Box<dyn Error>> {
    let mut sim = Sim::new();
    // The shell reads what the last one writes, as for $(…).
    let pipes = [sim.pipe(SHELL)?, sim.pipe(SHELL)?, sim.pipe(SHELL)?];
    let [first, second, third] = pipes;
    let printf = stage(&mut sim, None, Some(first[1]), &pipes)?;
    let sort = stage(&mut sim, Some(first[0]), Some(second[1]), &pipes)?;
    let head = stage(&mut sim, Some(second[0]), Some(third[1]), &pipes)?;
    for fd in [first[0], first[1], second[0], second[1], third[1]] {
        sim.call(SHELL, Call::Close { fd })?;
    }
    println!("printf is {printf}, sort {sort}, head {head}");

    begin_to_read(&mut sim, head)?;
    begin_to_read(&mut sim, sort)?;
    write_and_end(&mut sim, printf, &[b"pear\napple\n", b"quince\nfig\n"])?;
    let text = read_all(&mut sim, sort)?;
    let mut lines: Vec<&[u8]> = text.split_inclusive(|byte| *byte == b'\n').collect();
    lines.sort_unstable();
    write_and_end(&mut sim, sort, &lines)?;
    let text = read_all(&mut sim, head)?;
    let lines: Vec<&[u8]> = text.split_inclusive(|byte| *byte == b'\n').take(2).collect();
    write_and_end(&mut sim, head, &lines)?;

    let out = sim.call(SHELL, Call::Read { fd: third[0], count: 4096 })?;
    print!("{}", String::from_utf8_lossy(out.bytes()));
    for pid in [printf, sort, head] {
        let status = sim.call(SHELL, Call::Wait4 { wpid: pid.cast_signed(), options: 0 })?.status();
        println!("{pid} ended: {status:?}");
        if status != Some(WaitStatus::Exited(0)) {
            return Err("a stage failed".into());
        }
    }
    if out.bytes() == b"apple\nfig\n" { Ok(()) } else { Err("another output".into()) }
}
