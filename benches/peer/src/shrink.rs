//! Makes a program smaller that shows a difference: steps go, halves first, then the setup.

use crate::accept::Difference;
use crate::program::{Policy, Program};

/// The smallest program found that `shows` the difference.
pub fn shrink(
    program: &Program,
    difference: &Difference,
    mut shows: impl FnMut(&Program) -> Option<Difference>,
) -> (Program, Difference) {
    let mut best = (program.clone(), difference.clone());
    best.0.ops.truncate(difference.step);
    let mut size = best.0.ops.len().div_ceil(2);
    while size > 0 {
        let mut at = 0;
        let mut smaller = false;
        while at < best.0.ops.len() {
            let mut next = best.0.clone();
            let end = (at + size).min(next.ops.len());
            next.ops.drain(at..end);
            match shows(&next) {
                Some(found) => {
                    next.ops.truncate(found.step);
                    best = (next, found);
                    smaller = true;
                }
                None => at += size,
            }
        }
        if !smaller || size > 1 {
            size /= 2;
        }
    }
    for next in simpler_setups(&best.0) {
        if let Some(found) = shows(&next) {
            best = (next, found);
        }
    }
    best
}

fn simpler_setups(program: &Program) -> Vec<Program> {
    let mut found = Vec::new();
    let mut with = |change: &dyn Fn(&mut Program)| {
        let mut next = program.clone();
        change(&mut next);
        if next != *program {
            found.push(next);
        }
    };
    with(&|next| next.setup.env.clear());
    with(&|next| next.setup.guarded = false);
    with(&|next| next.setup.limits.clear());
    with(&|next| next.setup.policy = Policy::AllowAll);
    with(&|next| {
        next.setup.env.clear();
        next.setup.ids = None;
        next.setup.limits.clear();
        next.setup.guarded = false;
        next.setup.policy = Policy::AllowAll;
    });
    found
}
