//! Times the public face (`KernelVm`) alone and among 10,000 live processes, and what recording
//! adds to it. `cargo bench --bench face` takes about half a minute. Beside the core's own calls
//! and the published crate: `cargo bench --manifest-path benches/peer/Cargo.toml`.

#[macro_use]
#[path = "operations/face.rs"]
mod operations;

use criterion::measurement::{Measurement, WallTime};
use criterion::{Criterion, criterion_group, criterion_main};
use operations::FaceOperation;
use std::hint::black_box;
use std::io;
use std::time::Duration;

/// Writes between two looks at the clock.
const BURST: u64 = 1000;

mod face {
    use super::operations::FaceOperation;
    face_scene!(scene, tickernel);
}
use face::scene::Scene;

fn all(criterion: &mut Criterion) {
    for idle in [0, 10_000] {
        let mut scene = Scene::new(idle);
        let mut group = criterion.benchmark_group(format!("face among {idle}"));
        for operation in FaceOperation::ALL {
            group.bench_function(operation.name(), |bench| {
                bench.iter(|| scene.run(black_box(operation)));
            });
        }
        group.finish();
    }
}

/// Writes of 64 bytes in bursts of a thousand, which fit the pipe and the recording's buffer, with
/// and without a recording. Emptying the pipe between bursts is not timed.
fn recording(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("64-byte pipe write");
    for recorded in [false, true] {
        let mut scene = Scene::new(0);
        if recorded {
            scene.vm.record_to(io::sink()).expect("a recording");
        }
        let name = if recorded { "recorded" } else { "not recorded" };
        group.bench_function(name, |bench| {
            bench.iter_custom(|times| {
                let mut spent = Duration::ZERO;
                let mut left = times;
                while left > 0 {
                    let burst = left.min(BURST);
                    let begin = WallTime.start();
                    for _ in 0..burst {
                        scene.write(black_box(&[7; 64]));
                    }
                    spent += WallTime.end(begin);
                    scene.empty();
                    left -= burst;
                }
                spent
            });
        });
    }
    group.finish();
}

fn short() -> Criterion {
    Criterion::default()
        .without_plots()
        .warm_up_time(Duration::from_millis(200))
        .measurement_time(Duration::from_millis(600))
        .sample_size(30)
}

criterion_group! { name = benches; config = short(); targets = all, recording }
criterion_main!(benches);
