//! The same events give the same outputs and digests, however they are taken: one by one, from the
//! queue, with other row layouts, after a snapshot and restore at every event. And the books
//! balance: after every tick a walk over everything finds what the counters say.

use ::proptest::prelude::*;
use tickernel::proptest::programs;
use tickernel_systems::event::{Event, Outcome, Output};
use tickernel_systems::wire::{Wire, WireReader};
use tickernel_systems::{Config, Kernel};

fn decode(bytes: &[u8]) -> Event<'_> {
    Event::get(&mut WireReader::new(bytes)).expect("it was just encoded")
}

/// Everything that left a kernel for these events, and the digests at the end.
#[derive(Debug, PartialEq)]
struct Run {
    outcomes: Vec<Outcome>,
    outputs: Vec<Output>,
    digests: Vec<(&'static str, u64)>,
}

/// Takes the events one by one; `between` may replace the kernel before each.
fn run(mut kernel: Kernel, events: &[Vec<u8>], mut between: impl FnMut(Kernel) -> Kernel) -> Run {
    let (mut outcomes, mut outputs) = (Vec::new(), Vec::new());
    for event in events {
        kernel = between(kernel);
        outcomes.push(kernel.take(decode(event)));
        outputs.extend(std::iter::from_fn(|| kernel.poll_output()));
        kernel.audit().unwrap_or_else(|defect| panic!("{defect} after {:?}", decode(event)));
    }
    let digests = kernel.digests();
    assert_eq!(digests, kernel.digests_by_walk());
    Run { outcomes, outputs, digests }
}

fn fresh() -> Kernel {
    Kernel::new(Config::default())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    #[test]
    fn events_mean_the_same_however_they_are_taken(program in programs(40)) {
        let events = program.events();
        let plain = run(fresh(), &events, |kernel| kernel);

        let again = run(fresh(), &events, |mut kernel| {
            kernel.digests();
            kernel
        });
        prop_assert_eq!(&plain, &again, "digests on the way change something");

        let disturbed = run(fresh(), &events, |mut kernel| {
            kernel.disturb_rows(7);
            kernel
        });
        prop_assert_eq!(&plain, &disturbed, "row numbers show");

        let restored = run(fresh(), &events, |kernel| {
            Kernel::restore(&kernel.snapshot()).expect("its own snapshot")
        });
        prop_assert_eq!(&plain, &restored, "a snapshot loses something");
    }

    #[test]
    fn a_queue_of_events_means_what_single_events_mean(program in programs(40)) {
        let events = program.events();
        let plain = run(fresh(), &events, |kernel| kernel);
        let mut kernel = fresh();
        for event in &events {
            prop_assert!(kernel.submit(&decode(event)));
        }
        while kernel.step() {}
        let (mut outcomes, mut outputs) = (Vec::new(), Vec::new());
        while let Some(output) = kernel.poll_output() {
            match output {
                Output::Outcome(_, outcome) => outcomes.push(outcome),
                Output::Completion(_) | Output::Effect(_) => outputs.push(output),
            }
        }
        let queued = Run { outcomes, outputs, digests: kernel.digests() };
        prop_assert_eq!(plain, queued);
    }

    #[test]
    fn damaged_snapshots_are_refused(
        program in programs(20), at in any::<prop::sample::Index>(), to in any::<u8>(),
    ) {
        let mut kernel = fresh();
        for event in program.events() {
            kernel.take(decode(&event));
        }
        let bytes = kernel.snapshot();
        let place = at.index(bytes.len());
        let mut damaged = bytes.clone();
        damaged[place] ^= to.max(1);
        prop_assert!(Kernel::restore(&damaged).is_err());
        // Somebody may put a right sum behind wrong contents: refused, or sound enough to run.
        let end = damaged.len() - 8;
        let sum = tickernel_systems::digest::hash64(1, &damaged[..end]).to_le_bytes();
        damaged[end..].copy_from_slice(&sum);
        if let Ok(mut kernel) = Kernel::restore(&damaged) {
            for task in 1..4 {
                kernel.call(task, tickernel_systems::event::Call::Getpid {});
                kernel.call(task, tickernel_systems::event::Call::ExitGroup { status: 0 });
            }
        }
        let cut = at.index(bytes.len());
        prop_assert!(Kernel::restore(&bytes[..cut]).is_err());
    }
}
