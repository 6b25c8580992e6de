//! The example runs, and its recording replays to the same digest (it fails otherwise).

#[path = "examples/agents.rs"]
mod agents;

#[test]
fn agents() {
    agents::main().expect("the digests agree");
}
