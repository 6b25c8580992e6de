//! Runs every file operation of the benches 1,000 and then 2,000 times for
//! `tests/instructions.rs`, as `ops.rs` does for the core's. `file_ops FILES` runs all of them
//! among so many files; `file_ops FILES NAME COUNT` one of them, for a profiler.

#[path = "../../benches/operations/files.rs"]
mod operations;

use operations::{FileOperation, FileScene};
use std::hint::black_box;

/// Operations in the first of the two counts.
const COUNT: u32 = 1000;
/// What only copies memory is not counted.
const COUNTED: usize = 5;

/// Where valgrind writes what it has counted so far, and begins anew.
#[inline(never)]
fn mark(name: &str) {
    black_box(name);
}

fn repeat(scene: &mut FileScene, operation: FileOperation, count: u32) {
    for _ in 0..count {
        scene.run(black_box(operation));
    }
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let number = |at: usize| arguments.get(at).and_then(|argument| argument.parse().ok());
    let mut scene = FileScene::new(number(0).map_or(0, u64::from));
    if let Some(name) = arguments.get(1) {
        let named = FileOperation::ALL.into_iter().find(|operation| operation.name() == name);
        let Some(operation) = named else { panic!("no operation is called {name}") };
        return repeat(&mut scene, operation, number(2).unwrap_or(COUNT));
    }
    for operation in FileOperation::ALL.into_iter().take(COUNTED) {
        // The first round fills what is kept: buffers, capacities.
        for count in [COUNT, COUNT, 2 * COUNT] {
            mark(operation.name());
            repeat(&mut scene, operation, count);
        }
    }
    mark("the end");
    // Last, so that it is in no count.
    let counted = FileOperation::ALL.iter().take(COUNTED);
    counted.for_each(|operation| println!("{}", operation.name()));
}
