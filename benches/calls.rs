//! Times system calls through [`Kernel::call`](tickernel_systems::Kernel::call), alone and among
//! 10,000 live processes, polls, sockets and terminals among 100,000 too, beside the same calls on
//! the Linux underneath.
//!
//! `cargo bench --bench calls` takes about a minute and a half. Compare within one run: a noisy
//! machine moves all alike.

#[path = "host/mod.rs"]
mod host;
#[path = "operations/mod.rs"]
mod operations;

use criterion::measurement::{Measurement, WallTime};
use criterion::{Criterion, criterion_group, criterion_main};
use host::Host;
use operations::{Operation, Scene};
use std::hint::black_box;
use std::time::Duration;

fn calls(criterion: &mut Criterion) {
    let mut host = Host::new(); // before the process is large
    let mut alone = Scene::new(0);
    let mut crowded = Scene::new(10_000);
    // Built when it is first needed: `cargo bench --bench calls -- getpid` does without.
    let mut throng: Option<Scene> = None;
    for operation in Operation::ALL {
        let mut group = criterion.benchmark_group(operation.name());
        group.bench_function("alone", |bench| bench.iter(|| alone.run(black_box(operation))));
        group.bench_function("among 10,000", |bench| {
            bench.iter(|| crowded.run(black_box(operation)));
        });
        if is_of_many(operation) {
            group.bench_function("among 100,000", |bench| {
                let throng = throng.get_or_insert_with(|| Scene::new(100_000));
                bench.iter(|| throng.run(black_box(operation)));
            });
        }
        if operation == Operation::Spawn {
            group.bench_function("Linux", |bench| {
                bench.iter_custom(|times| {
                    let begin = WallTime.start();
                    host.spawn(times);
                    WallTime.end(begin)
                });
            });
        } else if host.can(operation) {
            group.bench_function("Linux", |bench| bench.iter(|| host.run(black_box(operation))));
        }
        group.finish();
    }
}

/// What servers of many clients do: measured among more of them.
const fn is_of_many(operation: Operation) -> bool {
    matches!(operation, Operation::Channel(_) | Operation::Poll64 | Operation::EpollReady)
}

fn short() -> Criterion {
    Criterion::default()
        .without_plots()
        .warm_up_time(Duration::from_millis(200))
        .measurement_time(Duration::from_millis(600))
        .sample_size(30)
}

criterion_group! { name = benches; config = short(); targets = calls }
criterion_main!(benches);
