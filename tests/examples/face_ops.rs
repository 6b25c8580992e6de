//! Runs every operation of the face's benches 1,000 and then 2,000 times for
//! `tests/instructions.rs`, as `ops.rs` does for the core's. `face_ops IDLE` runs all of them
//! beside so many idle processes; `face_ops IDLE NAME COUNT` one of them, for a profiler.

#[macro_use]
#[path = "../../benches/operations/face.rs"]
mod operations;

use operations::FaceOperation;
use std::hint::black_box;

mod face {
    use super::operations::FaceOperation;
    face_scene!(scene, tickernel);
}
use face::scene::Scene;

/// Operations in the first of the two counts.
const COUNT: u32 = 1000;

/// Where valgrind writes what it has counted so far, and begins anew.
#[inline(never)]
fn mark(name: &str) {
    black_box(name);
}

fn repeat(scene: &mut Scene, operation: FaceOperation, count: u32) {
    for _ in 0..count {
        scene.run(black_box(operation));
    }
}

/// Writes of 64 bytes in bursts that fit the pipe; with a recording, what recording costs.
fn writes(scene: &mut Scene, count: u32) {
    for at in 0..count {
        scene.write(black_box(&[7; 64]));
        if at % 1000 == 999 {
            scene.empty();
        }
    }
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let number = |at: usize| arguments.get(at).and_then(|argument| argument.parse().ok());
    let mut scene = Scene::new(number(0).unwrap_or(0));
    if let Some(name) = arguments.get(1) {
        let count = number(2).unwrap_or(COUNT);
        if name == "write" || name == "recorded write" {
            if name == "recorded write" {
                scene.vm.record_to(std::io::sink()).expect("a recording");
            }
            return writes(&mut scene, count);
        }
        let named = FaceOperation::ALL.into_iter().find(|operation| operation.name() == name);
        let Some(operation) = named else { panic!("no operation is called {name}") };
        return repeat(&mut scene, operation, count);
    }
    for operation in FaceOperation::ALL {
        // The first round fills what is kept: buffers, capacities.
        for count in [COUNT, COUNT, 2 * COUNT] {
            mark(operation.name());
            repeat(&mut scene, operation, count);
        }
    }
    mark("the end");
    // Last, so that it is in no count.
    FaceOperation::ALL.iter().for_each(|operation| println!("face: {}", operation.name()));
}
