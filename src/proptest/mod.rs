//! Generators for tests: programs of system calls, as `drive` takes them (feature `proptest`).
//!
//! A [`Program`] is a list of abstract [`Step`]s that shrink well. A [`Player`] turns them into
//! requests while it watches the answers, so that most requests name processes, descriptors and
//! paths that exist. The same requests can then be sent to another kernel and compared: see
//! tests/lockstep.rs.
//!
//! ```
//! use proptest::strategy::{Strategy, ValueTree};
//! use proptest::test_runner::TestRunner;
//! use tickernel::drive::Drive;
//!
//! let mut runner = TestRunner::deterministic();
//! let program = tickernel::proptest::programs(40).new_tree(&mut runner).unwrap().current();
//! let mut drive = Drive::new(Default::default());
//! for (request, answers) in program.play(|line| drive.answer(line)) {
//!     println!("{} -> {}", serde_json::Value::from(request), answers.len());
//! }
//! ```

mod action;
mod at_forms;
mod internet;
mod lower;
mod mounts;
mod objects;
mod opens;
mod player;
mod sockets;
mod terminals;
mod waits;

pub use action::{Action, Subject};
pub use player::Player;

use crate::drive::Drive;
use crate::json::{Object, Request};
use ::proptest::collection::vec;
use ::proptest::prelude::{Just, Strategy, any};
use ::proptest::strategy::Union;
use tickernel_systems::Config;
use tickernel_systems::event::Event;
use tickernel_systems::wire::Wire;

/// One request before it is known what exists: an action, and bytes that choose among what there
/// is. Smaller bytes choose simpler things.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Step {
    /// Chooses the process that speaks.
    pub actor: u8,
    /// What it does.
    pub action: Action,
    /// Choose descriptors, paths, flags, sizes, signals.
    pub choices: [u8; 4],
}

/// A program of up to so many requests.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Program {
    /// Its steps, in order.
    pub steps: Vec<Step>,
}

/// How much more often than else the actions of its subject stand in a program about it.
const ABOUT: u32 = 6;

/// Programs of 1 to `most` requests over up to three processes: descriptors, pipes, FIFOs, signals,
/// waits and files.
pub fn programs(most: usize) -> impl Strategy<Value = Program> {
    weighted(None, most)
}

/// The same, with the actions of one subject six times as often.
pub fn programs_about(subject: Subject, most: usize) -> impl Strategy<Value = Program> {
    weighted(Some(subject), most)
}

fn weighted(about: Option<Subject>, most: usize) -> impl Strategy<Value = Program> {
    let times = |action: Action| if about == Some(action.subject()) { ABOUT } else { 1 };
    // Terminals only in programs about them: the importer, which reads what others say, stands in
    // for terminals and does not play them yet.
    let fits = |entry: &&(u32, Action)| {
        about == Some(Subject::Terminals) || entry.1.subject() != Subject::Terminals
    };
    let weights = Action::WEIGHTED.iter().filter(fits);
    let action = Union::new_weighted(
        weights.map(|&(weight, action)| (weight * times(action), Just(action))).collect(),
    );
    let step = (any::<u8>(), action, any::<[u8; 4]>()).prop_map(|(actor, action, choices)| Step {
        actor,
        action,
        choices,
    });
    vec(step, 1..=most.max(1)).prop_map(move |steps| {
        let bits = steps.first().map_or(0, |step: &Step| step.choices[3]);
        let mut all = match about {
            Some(Subject::Terminals) => terminals::beginning(bits),
            Some(_) | None => Vec::new(),
        };
        all.extend(steps);
        Program { steps: all }
    })
}

impl Program {
    /// The program's calls as a fresh kernel takes them, each an encoded [`Event`]. Requests that
    /// are no calls, or none that can be made, give no event.
    pub fn events(&self) -> Vec<Vec<u8>> {
        let mut drive = Drive::new(Config::default());
        let played = self.play(|line| drive.answer(line));
        let mut events = Vec::new();
        for (request, _) in played {
            let request = Request::new(request);
            let (Ok(task), Ok(call)) = (request.number::<u32>("pid"), request.call()) else {
                continue;
            };
            let mut bytes = Vec::new();
            Event::Call { task, call }.put(&mut bytes);
            events.push(bytes);
        }
        events
    }

    /// Sends the program's requests to `peer`, which gives back all lines that a request caused,
    /// the answer last. Ends early once every process waits for another.
    pub fn play(&self, mut peer: impl FnMut(&[u8]) -> Vec<Object>) -> Vec<(Object, Vec<Object>)> {
        let mut player = Player::new();
        let mut transcript = Vec::new();
        let mut ask = |player: &mut Player, request: Object| {
            let line = serde_json::Value::Object(request.clone()).to_string();
            let answers = peer(line.as_bytes());
            player.observe(&request, &answers);
            transcript.push((request, answers));
        };
        if self.steps.iter().any(|step| step.action == Action::Execve) {
            for request in player::program_file() {
                ask(&mut player, request);
            }
        }
        for step in &self.steps {
            let Some(request) = player.request(step) else { break };
            ask(&mut player, request);
        }
        transcript
    }
}
