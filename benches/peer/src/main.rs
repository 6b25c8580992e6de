//! The peer twin: one generated program of `KernelVm` calls runs on tickernel and on the published
//! crate `secure-exec-kernel` 0.3.3 as a black box. The first difference that `differences.json`
//! does not accept is printed with the shrunk program, and the exit status is 1.
//!
//!     cargo run --release --manifest-path benches/peer/Cargo.toml -- --programs 500 --seed 1
//!
//! `--all` goes on after a difference and prints one example of each kind; `--only N` runs the one
//! program of that seed and prints every step.

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
/// From so many programs on an entry of the list that was never met is worth a word.
const RARE: u64 = 20_000;

struct Options {
    programs: u64,
    seed: u64,
    all: bool,
    only: Option<u64>,
}

fn options() -> Result<Options, String> {
    let mut options = Options { programs: 500, seed: 1, all: false, only: None };
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
    std::panic::set_hook(Box::new(|_| {}));
    std::thread::spawn(watchdog);
    if let Some(seed) = options.only {
        return show(seed, &list);
    }
    search(&options, &list)
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

fn search(options: &Options, list: &[Accepted]) -> ExitCode {
    let started = Instant::now();
    let mut matched = vec![0; list.len()];
    let mut kinds: BTreeMap<_, u64> = BTreeMap::new();
    let mut steps = 0;
    for at in 0..options.programs {
        let seed = options.seed.wrapping_mul(1_000_003).wrapping_add(at);
        SEED.store(seed, Ordering::Relaxed);
        let program = generate::program(seed);
        steps += program.ops.len();
        let Some(difference) = compare(&program, list, &mut matched) else { continue };
        let count = kinds.entry(difference.kind()).or_default();
        *count += 1;
        if *count == 1 {
            let (program, difference) = shrunk(&program, &difference, list);
            report(seed, &program, &difference);
        }
        if !options.all {
            return ExitCode::FAILURE;
        }
    }
    for (kind, count) in &kinds {
        println!("{count} times {kind:?}");
    }
    let entries = list.iter().zip(&matched).filter(|(entry, _)| entry.how != How::Avoided);
    let mut met = 0;
    for (entry, count) in entries {
        met += count;
        if *count == 0 && options.programs >= RARE {
            println!("never met: {} ({})", entry.id, entry.what);
        }
    }
    println!(
        "{} programs, {steps} steps from seed {}: {} differences, {met} accepted ones, {:.1} s",
        options.programs,
        options.seed,
        kinds.values().sum::<u64>(),
        started.elapsed().as_secs_f64()
    );
    if kinds.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
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
