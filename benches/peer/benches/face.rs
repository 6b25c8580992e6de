//! Times the face beside the core's own calls and beside the published crate `secure-exec-kernel`
//! 0.3.3, a black box, in one run: descriptors, pipes, a process's life, files, polls, a signal,
//! sockets and a terminal's line, alone and among 10,000 processes. Nanoseconds an operation, of
//! the fastest of short rounds that take turns: what else a machine does only ever slows one down.
//!
//!     cargo bench --manifest-path benches/peer/Cargo.toml

#[macro_use]
#[path = "../../operations/face.rs"]
mod face;
#[allow(dead_code, reason = "the core's benches have more operations")]
#[path = "../../operations/mod.rs"]
mod operations;

use face::FaceOperation;
use operations::Operation;
use std::hint::black_box;
use std::time::{Duration, Instant};

mod machines {
    use super::face::FaceOperation;
    face_scene!(ours, tickernel);
    face_scene!(theirs, secure_exec_kernel);
}

/// Rounds of which the fastest counts.
const ROUNDS: usize = 60;
/// How long a round should take.
const ROUND: Duration = Duration::from_millis(3);
/// So many processes beside the one that calls, in the second table.
const CROWD: u32 = 10_000;

/// Names of the columns, in the order of [`Row`].
const WHO: [&str; 3] = ["core", "face", "published"];

/// The three kernels, in the order of [`WHO`].
struct Kernels {
    core: operations::Scene,
    ours: machines::ours::Scene,
    theirs: machines::theirs::Scene,
}

impl Kernels {
    fn new(idle: u32) -> Self {
        Self {
            core: operations::Scene::new(idle as usize),
            ours: machines::ours::Scene::new(idle),
            theirs: machines::theirs::Scene::new(idle),
        }
    }

    fn run(&mut self, who: usize, operation: FaceOperation, times: u64) -> Duration {
        let begin = Instant::now();
        match who {
            0 => {
                let Some(own) = of_core(operation) else { return ROUND };
                (0..times).for_each(|_| self.core.run(black_box(own)));
            }
            1 => (0..times).for_each(|_| self.ours.run(black_box(operation))),
            _ => (0..times).for_each(|_| self.theirs.run(black_box(operation))),
        }
        begin.elapsed()
    }

    /// Nanoseconds an operation of each.
    fn time(&mut self, operation: FaceOperation) -> [f64; 3] {
        let mut times = [1, 1, 1];
        for (who, times) in times.iter_mut().enumerate() {
            // Until a round is long enough to be timed; that warms up too.
            while self.run(who, operation, *times) < ROUND {
                *times *= 2;
            }
        }
        let mut fastest = [f64::MAX; 3];
        for _ in 0..ROUNDS {
            for (who, fastest) in fastest.iter_mut().enumerate() {
                let passed = self.run(who, operation, times[who]);
                *fastest = fastest.min(passed.as_nanos() as f64 / times[who] as f64);
            }
        }
        fastest
    }
}

fn of_core(operation: FaceOperation) -> Option<Operation> {
    Operation::ALL.into_iter().find(|own| own.name() == operation.name())
}

fn main() {
    println!("| operation | among | {} | published / face |", WHO.join(" | "));
    println!("|---|---|---|---|---|---|");
    for idle in [0, CROWD] {
        let mut kernels = Kernels::new(idle);
        for operation in FaceOperation::ALL {
            let [core, face, published] = kernels.time(operation);
            let (name, ratio) = (operation.name(), published / face);
            // The core's bench has no stat: benches/files.rs times it.
            let core = of_core(operation).map(|_| format!("{core:.0}")).unwrap_or_default();
            println!("| {name} | {idle} | {core} | {face:.0} | {published:.0} | {ratio:.1} |");
        }
    }
}
