//! What a step showed.

/// What a step showed.
#[derive(Clone, Debug, PartialEq)]
pub struct Seen {
    pub result: String,
    /// What the permission callbacks were asked, in order.
    pub log: Vec<String>,
    /// The counts, the state, the processes, the signals of each handle.
    pub after: Vec<String>,
    /// Facts of the step that accepted differences are recognised by.
    pub tags: Vec<&'static str>,
}

/// The parts of [`Seen`] in the order in which they are compared.
pub const PARTS: [&str; 6] = ["result", "log", "snapshot", "state", "processes", "signals"];

impl Seen {
    /// The kernel panicked.
    pub fn panic() -> Self {
        let after = vec![String::new(); PARTS.len() - 2];
        Self { result: "PANIC".to_owned(), log: Vec::new(), after, tags: Vec::new() }
    }

    /// A part by its place in [`PARTS`].
    pub fn part(&self, at: usize) -> String {
        match at {
            0 => self.result.clone(),
            1 => self.log.join("\n"),
            at => self.after[at - 2].clone(),
        }
    }
}

/// Bytes, run by run.
pub fn data_text(data: &[u8]) -> String {
    let mut text = String::new();
    for run in data.chunk_by(|a, b| a == b).take(12) {
        text.push_str(&format!("{}*{} ", run[0].escape_ascii(), run.len()));
    }
    format!("{}bytes {text}", data.len())
}
