//! The peer twin: one generated program of `KernelVm` calls runs on tickernel and on the published
//! crate `secure-exec-kernel` 0.3.3 as a black box. The first difference that `differences.json`
//! does not accept is printed with the shrunk program, and the exit status is 1.
//!
//!     cargo run --release --manifest-path benches/peer/Cargo.toml -- --programs 500 --seed 1
//!
//! `--part FROM` is what it starts itself with for every 5,000 programs. `--all` goes on after a
//! difference and prints one example of each kind; `--only N` runs the one program of that seed and
//! prints every step.

mod accept;
mod book;
mod generate;
mod program;
mod random;
mod seen;
mod shrink;

/// The one kernel: ours. Its clock jumps over waits.
#[allow(clippy::duplicate_mod)]
#[path = "."]
mod ours {
    pub use tickernel as api;
    #[path = "convert.rs"]
    mod convert;
    #[path = "descriptors.rs"]
    mod descriptors;
    #[path = "run.rs"]
    pub mod run;
    #[path = "sockets.rs"]
    mod sockets;
    #[path = "terminals.rs"]
    mod terminals;

    fn tune(config: &mut api::kernel::KernelVmConfig) {
        config.clock = api::kernel::FaceClock::Virtual;
    }
}

/// The other: the origin.
#[allow(clippy::duplicate_mod)]
#[path = "."]
mod theirs {
    pub use secure_exec_kernel as api;
    #[path = "convert.rs"]
    mod convert;
    #[path = "descriptors.rs"]
    mod descriptors;
    #[path = "run.rs"]
    pub mod run;
    #[path = "sockets.rs"]
    mod sockets;
    #[path = "terminals.rs"]
    mod terminals;

    fn tune(_config: &mut api::kernel::KernelVmConfig) {}
}

use accept::{Accepted, Difference, How, first_difference};
use program::Program;
use std::collections::BTreeMap;
use std::process::ExitCode;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// Counts steps: a kernel that stands still for [`PATIENCE`] hangs.
static STEPS: AtomicU64 = AtomicU64::new(0);
/// The seed of the program that runs.
static SEED: AtomicU64 = AtomicU64::new(0);
/// The step of it, 1,000,000 more on the origin.
static STEP: AtomicU64 = AtomicU64::new(0);
const PATIENCE: Duration = Duration::from_secs(20);
/// So many programs run in one process: each machine of the origin leaves a thread behind.
const PART: u64 = 5_000;
/// From so many programs on an entry of the list that was never met is worth a word.
const RARE: u64 = 100_000;

struct Options {
    programs: u64,
    seed: u64,
    all: bool,
    only: Option<u64>,
    /// The first program, for the process that runs a part.
    part: Option<u64>,
}

fn options() -> Result<Options, String> {
    let mut options = Options { programs: 500, seed: 1, all: false, only: None, part: None };
    let mut words = std::env::args().skip(1);
    while let Some(word) = words.next() {
        let mut number = || -> Result<u64, String> {
            let text = words.next().ok_or(format!("{word} needs a number"))?;
            text.parse().map_err(|_| format!("{word} {text}: not a number"))
        };
        match word.as_str() {
            "--programs" => options.programs = number()?,
            "--seed" => options.seed = number()?,
            "--only" => options.only = Some(number()?),
            "--part" => options.part = Some(number()?),
            "--all" => options.all = true,
            other => {
                return Err(format!(
                    "{other}: not an option (--programs N, --seed N, --all, --only N)"
                ));
            }
        }
    }
    Ok(options)
}

fn main() -> ExitCode {
    let list = match accept::list() {
        Ok(list) => list,
        Err(error) => return failed(&error),
    };
    let options = match options() {
        Ok(options) => options,
        Err(error) => return failed(&error),
    };
    // A panic is a result here.
    std::panic::set_hook(Box::new(|_| {}));
    std::thread::spawn(watchdog);
    if let Some(seed) = options.only {
        return show(seed, &list);
    }
    match options.part {
        Some(from) => run_part(&options, from, &list),
        None => search(&options, &list),
    }
}

fn failed(error: &str) -> ExitCode {
    eprintln!("{error}");
    ExitCode::from(2)
}

/// Ends the run when a kernel hangs.
fn watchdog() {
    let mut last = (0, Instant::now());
    loop {
        std::thread::sleep(Duration::from_millis(500));
        let now = STEPS.load(Ordering::Relaxed);
        if now != last.0 {
            last = (now, Instant::now());
        } else if last.1.elapsed() > PATIENCE && now > 0 {
            let (seed, step) = (SEED.load(Ordering::Relaxed), STEP.load(Ordering::Relaxed));
            let who = if step >= 1_000_000 { "the origin" } else { "tickernel" };
            eprintln!("{who} hangs in the program of seed {seed} at step {}", step % 1_000_000);
            eprintln!("{}", generate::program(seed));
            std::process::exit(1);
        }
    }
}

fn note(step: u64) {
    STEPS.fetch_add(1, Ordering::Relaxed);
    STEP.store(step, Ordering::Relaxed);
}

/// Runs a program on both.
fn run_both(program: &Program) -> (Vec<seen::Seen>, Vec<seen::Seen>) {
    let ours = ours::run::run(program, |step| note(step as u64));
    let theirs = theirs::run::run(program, |step| note(1_000_000 + step as u64));
    (ours, theirs)
}

fn compare(program: &Program, list: &[Accepted], matched: &mut [u64]) -> Option<Difference> {
    let (ours, theirs) = run_both(program);
    first_difference(&program.ops, (&ours, &theirs), list, matched)
}

fn report(seed: u64, program: &Program, difference: &Difference) {
    println!(
        "seed {seed}, step {}, {}: the {}",
        difference.step.saturating_sub(1),
        difference.op,
        seen::PARTS[difference.part]
    );
    print!("{program}");
    let (ours, theirs) = (difference.ours.lines(), difference.theirs.lines());
    if difference.ours.lines().count() + difference.theirs.lines().count() <= 2 {
        println!("  ours   {}\n  theirs {}", difference.ours, difference.theirs);
        return;
    }
    let (ours, theirs): (Vec<_>, Vec<_>) = (ours.collect(), theirs.collect());
    for line in &ours {
        println!("  ours   {} {line}", if theirs.contains(line) { ' ' } else { '!' });
    }
    for line in &theirs {
        println!("  theirs {} {line}", if ours.contains(line) { ' ' } else { '!' });
    }
}

fn shrunk(program: &Program, difference: &Difference, list: &[Accepted]) -> (Program, Difference) {
    let kind = difference.kind();
    let mut nothing = vec![0; list.len()];
    shrink::shrink(program, difference, |program| {
        compare(program, list, &mut nothing).filter(|found| found.kind() == kind)
    })
}

/// What a run has found: steps, the kinds of difference and the accepted ones, by how often.
#[derive(Default)]
struct Found {
    steps: u64,
    kinds: BTreeMap<String, u64>,
    met: BTreeMap<String, u64>,
}

impl Found {
    /// As lines for the process that started this one.
    fn tell(&self) {
        println!("#steps {}", self.steps);
        self.kinds.iter().for_each(|(kind, count)| println!("#kind {count} {kind}"));
        self.met.iter().for_each(|(id, count)| println!("#met {count} {id}"));
    }

    /// Takes such a line; false for any other.
    fn take(&mut self, line: &str) -> bool {
        let mut words = line.splitn(3, ' ');
        let mut next = || words.next().unwrap_or_default();
        let (what, count, name) = (next(), next(), next());
        let count: u64 = count.parse().unwrap_or(0);
        match what {
            "#steps" => self.steps += count,
            "#kind" => *self.kinds.entry(name.to_owned()).or_default() += count,
            "#met" => *self.met.entry(name.to_owned()).or_default() += count,
            _ => return false,
        }
        true
    }
}

/// The programs of this process.
fn run_part(options: &Options, from: u64, list: &[Accepted]) -> ExitCode {
    let mut matched = vec![0; list.len()];
    let mut found = Found::default();
    for at in from..from.saturating_add(options.programs) {
        let seed = options.seed.wrapping_mul(1_000_003).wrapping_add(at);
        SEED.store(seed, Ordering::Relaxed);
        let program = generate::program(seed);
        found.steps += program.ops.len() as u64;
        let Some(difference) = compare(&program, list, &mut matched) else { continue };
        let count = found.kinds.entry(format!("{:?}", difference.kind())).or_default();
        *count += 1;
        if *count == 1 {
            let (program, difference) = shrunk(&program, &difference, list);
            report(seed, &program, &difference);
        }
        if !options.all {
            break;
        }
    }
    for (entry, count) in list.iter().zip(&matched).filter(|(_, count)| **count > 0) {
        found.met.insert(entry.id.clone(), *count);
    }
    found.tell();
    ExitCode::SUCCESS
}

/// All parts, one after the other, and the closing line.
fn search(options: &Options, list: &[Accepted]) -> ExitCode {
    let started = Instant::now();
    let mut found = Found::default();
    let mut from = 0;
    while from < options.programs && (options.all || found.kinds.is_empty()) {
        let count = PART.min(options.programs - from);
        if let Err(error) = start_part(options, (from, count), &mut found) {
            return failed(&error);
        }
        from += count;
    }
    found.kinds.iter().for_each(|(kind, count)| println!("{count} times {kind}"));
    for entry in list.iter().filter(|entry| entry.how != How::Avoided) {
        if !found.met.contains_key(&entry.id) && from >= RARE {
            println!("never met: {} ({})", entry.id, entry.what);
        }
    }
    println!(
        "{from} programs, {} steps from seed {}: {} differences, {} accepted ones, {:.1} s",
        found.steps,
        options.seed,
        found.kinds.values().sum::<u64>(),
        found.met.values().sum::<u64>(),
        started.elapsed().as_secs_f64()
    );
    if found.kinds.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Runs a part in a process of its own and takes what it found.
fn start_part(options: &Options, part: (u64, u64), found: &mut Found) -> Result<(), String> {
    let own = std::env::current_exe().map_err(|error| error.to_string())?;
    let (from, count) = (part.0.to_string(), part.1.to_string());
    let seed = options.seed.to_string();
    let words = ["--part", &from, "--programs", &count, "--seed", &seed];
    let mut command = std::process::Command::new(own);
    command.args(words).args(options.all.then_some("--all"));
    command.stderr(std::process::Stdio::inherit());
    let output = command.output().map_err(|error| error.to_string())?;
    for line in String::from_utf8_lossy(&output.stdout).lines() {
        if !found.take(line) {
            println!("{line}");
        }
    }
    match output.status.success() {
        true => Ok(()),
        false => Err(format!("the programs from {from} on ended with {}", output.status)),
    }
}

/// Every step of one program.
fn show(seed: u64, list: &[Accepted]) -> ExitCode {
    SEED.store(seed, Ordering::Relaxed);
    let program = generate::program(seed);
    println!("{:?}", program.setup);
    let (ours, theirs) = run_both(&program);
    for (step, our) in ours.iter().enumerate().skip(1) {
        let op =
            program.ops.get(step - 1).map_or_else(|| "tree".to_owned(), |op| format!("{op:?}"));
        println!("{op}\n    {}", our.result);
        match theirs.get(step) {
            Some(their) if their.result != our.result => println!("    {}", their.result),
            Some(_) | None => {}
        }
    }
    let mut matched = vec![0; list.len()];
    match first_difference(&program.ops, (&ours, &theirs), list, &mut matched) {
        None => ExitCode::SUCCESS,
        Some(difference) => {
            report(seed, &program, &difference);
            ExitCode::FAILURE
        }
    }
}
