//! A thousand processes play ping-pong over pipes, five hundred pairs in an order that a seed
//! chooses, and two worlds of the same order come to the same digest.
//!
//! `cargo run --release --example sim_ping_pong`

use std::error::Error;
use tickernel::sim::{CallError, Sim};
use tickernel_systems::event::Call;

const PAIRS: usize = 500;
/// How often the ball is struck in all.
const STROKES: u64 = 50_000;

/// Two processes and the ends at which each hears and strikes.
struct Pair {
    players: [u32; 2],
    /// For reading and for writing, of each player.
    ends: [[i32; 2]; 2],
    /// Who has the ball.
    turn: usize,
}

fn pair(sim: &mut Sim) -> Result<Pair, CallError> {
    let (there, back) = (sim.pipe(1)?, sim.pipe(1)?);
    let players = [sim.spawn(1)?, sim.spawn(1)?];
    for fd in there.into_iter().chain(back) {
        sim.call(1, Call::Close { fd })?;
    }
    let pair = Pair { players, ends: [[back[0], there[1]], [there[0], back[1]]], turn: 0 };
    // Both listen: the first has to wait for his own serve to come back.
    pair.listen(sim, 1)?;
    Ok(pair)
}

impl Pair {
    /// The player waits for the ball.
    fn listen(&self, sim: &mut Sim, player: usize) -> Result<(), CallError> {
        match sim.call(self.players[player], Call::Read { fd: self.ends[player][0], count: 1 }) {
            Err(CallError::Waits(_)) => Ok(()),
            other => other.map(drop),
        }
    }

    /// Who has the ball strikes it; the other one, who waited, has it then. Who struck listens.
    fn stroke(&mut self, sim: &mut Sim) -> Result<(), CallError> {
        let own = self.turn;
        sim.call(self.players[own], Call::Write { fd: self.ends[own][1], data: b"o" })?;
        self.turn = 1 - own;
        self.listen(sim, own)
    }
}

/// A game: how often the ball was heard, and the digest of the world.
fn game(seed: u64) -> Result<(u64, u64), CallError> {
    let mut sim = Sim::new();
    let mut pairs = (0..PAIRS).map(|_| pair(&mut sim)).collect::<Result<Vec<_>, _>>()?;
    let (mut state, mut heard) = (seed, 0);
    for _ in 0..STROKES {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963);
        pairs[(state >> 33) as usize % PAIRS].stroke(&mut sim)?;
        for completion in sim.completions() {
            heard += completion.result?.bytes().len() as u64;
        }
    }
    Ok((heard, sim.digest()))
}

/// Two games of one order and one of another.
pub fn main() -> Result<(), Box<dyn Error>> {
    let (heard, digest) = game(7)?;
    println!("{} processes, {STROKES} strokes, {heard} heard", 2 * PAIRS);
    println!("digest {digest:016x}");
    let (same, other) = (game(7)?, game(8)?);
    println!("again  {:016x}, in another order {:016x}", same.1, other.1);
    let is_right = heard == STROKES && same == (heard, digest) && other.1 != digest;
    if is_right { Ok(()) } else { Err("the games went wrong".into()) }
}
