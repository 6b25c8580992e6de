//! Runs every operation of the benches 1,000 and then 2,000 times for `tests/instructions.rs`,
//! which counts instructions between the calls of `mark` (valgrind --tool=callgrind
//! --dump-before). The difference of the two counts is what 1,000 operations cost and nothing
//! else.
//!
//! `ops IDLE` runs all of them beside so many idle processes; `ops IDLE NAME COUNT` one of them,
//! for a profiler.

#[path = "../../benches/operations/mod.rs"]
mod operations;

use operations::{Operation, Scene};
use std::hint::black_box;

/// Operations in the first of the two counts.
const COUNT: u32 = 1000;

/// Where valgrind writes what it has counted so far, and begins anew.
#[inline(never)]
fn mark(name: &str) {
    black_box(name);
}

fn repeat(scene: &mut Scene, operation: Operation, count: u32) {
    for _ in 0..count {
        scene.run(black_box(operation));
    }
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let number = |at: usize| arguments.get(at).and_then(|argument| argument.parse().ok());
    let mut scene = Scene::new(number(0).unwrap_or(0) as usize);
    if let Some(name) = arguments.get(1) {
        let named = Operation::ALL.into_iter().find(|operation| operation.name() == name);
        let Some(operation) = named else { panic!("no operation is called {name}") };
        return repeat(&mut scene, operation, number(2).unwrap_or(COUNT));
    }
    for operation in Operation::ALL {
        // The first round fills what is kept: buffers, capacities.
        for count in [COUNT, COUNT, 2 * COUNT] {
            mark(operation.name());
            repeat(&mut scene, operation, count);
        }
    }
    mark("the end");
    // Last, so that it is in no count.
    Operation::ALL.iter().for_each(|operation| println!("{}", operation.name()));
}
