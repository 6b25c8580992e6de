//! The rules on one Rust file, and the exceptions to them with their reasons. Each returns what it
//! found as `file:line: what is wrong: what to do`; `check_file` runs them all.

use crate::lexer::{Source, is_name, line_of};

const FILE_LINES_MAX: usize = 700;
const FUNCTION_LINES_MAX: usize = 70;
const COLUMNS_MAX: usize = 100;

/// Places where a rule does not hold: file, the rule's word, the line's own text, and why.
pub(crate) const EXCEPTIONS: &[Exception] = &[
    Exception {
        file: "systems/rows.rs",
        word: ".expect(\"",
        line_holds: "a live row",
        reason: "a dangling reference inside the core is a defect of the core, never input",
    },
    Exception {
        file: "systems/fs/table.rs",
        word: ".expect(\"",
        line_holds: "a reference inside the file system names a live row",
        reason: "the file system's own references; decoding checks those that come from outside",
    },
];

/// One place where a rule on words does not hold.
#[derive(Clone, Copy)]
pub(crate) struct Exception {
    pub(crate) file: &'static str,
    pub(crate) word: &'static str,
    /// A part of the line, so that a second use in the same file is found.
    pub(crate) line_holds: &'static str,
    pub(crate) reason: &'static str,
}

/// In which files a word is banned.
#[derive(Clone, Copy, PartialEq)]
enum Scope {
    /// All Rust files.
    All,
    /// `systems/` and `src/`, tests apart.
    Shipped,
    /// As `Shipped`, the command line apart: it talks to people.
    Quiet,
    /// `systems/`, tests apart.
    Core,
}

/// Banned words: scope, word, what to do. A word that begins or ends in a letter ends there.
const WORDS: &[(Scope, &str, &str)] = &[
    (Scope::Core, "std::", "the core is no_std: use core or alloc"),
    (Scope::Core, "extern crate std", "the core is no_std: use core or alloc"),
    (Scope::Core, "f32", "no floats in the core: integers with a unit in the name"),
    (Scope::Core, "f64", "no floats in the core: integers with a unit in the name"),
    (Scope::Shipped, ".unwrap()", "return an error, or make the case impossible by type"),
    (Scope::Shipped, ".expect(\"", "return an error, or make the case impossible by type"),
    (Scope::Shipped, "panic!", "return an error, or assert an invariant of our own"),
    (Scope::Quiet, "print!", "libraries are quiet: return a value; the command prints"),
    (Scope::Quiet, "println!", "libraries are quiet: return a value; the command prints"),
    (Scope::Quiet, "eprint!", "libraries are quiet: return a value; the command prints"),
    (Scope::Quiet, "eprintln!", "libraries are quiet: return a value; the command prints"),
    (Scope::All, "todo!", "finish it, or leave it out"),
    (Scope::All, "unimplemented!", "finish it, or leave it out"),
    (Scope::All, "dbg!", "remove it"),
    (Scope::All, "#[ignore", "run it, or delete it: an ignored test proves nothing"),
];

/// All that is wrong with the file at `path` (relative to the repository, with `/`).
pub(crate) fn check_file(path: &str, text: &str, exceptions: &[Exception]) -> Vec<String> {
    let source = Source::new(text);
    let mut found = header(path, text);
    found.extend(lengths(path, &source));
    found.extend(columns(path, &source));
    found.extend(words(path, &source, exceptions));
    found
}

fn header(path: &str, text: &str) -> Vec<String> {
    let lines = text.lines().map_while(|line| line.strip_prefix("//!"));
    let prose = lines.collect::<Vec<_>>().join(" ");
    let is_sentence = prose.split_whitespace().count() >= 4 && prose.contains(['.', ':', ';']);
    if is_sentence {
        return Vec::new();
    }
    vec![format!(
        "{path}:1: no module header: begin with `//!` and a sentence on what this file owns"
    )]
}

fn lengths(path: &str, source: &Source) -> Vec<String> {
    let mut found = Vec::new();
    let lines = source.text.lines().count();
    if lines > FILE_LINES_MAX {
        let line = FILE_LINES_MAX + 1;
        found.push(format!("{path}:{line}: {lines} lines, {FILE_LINES_MAX} allowed: split by job"));
    }
    for function in source.functions() {
        if function.lines > FUNCTION_LINES_MAX {
            let (name, line, lines) = (function.name, function.line, function.lines);
            let allowed = FUNCTION_LINES_MAX;
            found.push(format!(
                "{path}:{line}: fn {name} has {lines} lines, {allowed} allowed: split"
            ));
        }
    }
    found
}

/// Text in strings may be longer (breaking a message makes it hard to search for), and so may URLs.
fn columns(path: &str, source: &Source) -> Vec<String> {
    let is_long = |line: &str| line.chars().count() > COLUMNS_MAX && !line.contains("://");
    let lines = source.text.lines().zip(source.without_strings.lines()).enumerate();
    lines
        .filter(|(_, (line, without_strings))| is_long(line) && is_long(without_strings))
        .map(|(index, (line, _))| {
            let (number, columns) = (index + 1, line.chars().count());
            format!("{path}:{number}: {columns} columns, {COLUMNS_MAX} allowed: break the line")
        })
        .collect()
}

fn words(path: &str, source: &Source, exceptions: &[Exception]) -> Vec<String> {
    let shipped = source.shipped_code();
    let mut found = Vec::new();
    for (scope, word, advice) in WORDS {
        if !holds(*scope, path) {
            continue;
        }
        let code = if *scope == Scope::All { &source.code } else { &shipped };
        for offset in places(code, word) {
            let line = line_of(code, offset);
            let text = source.text.lines().nth(line - 1).unwrap_or("");
            if !exceptions.iter().any(|exception| exception.covers(path, word, text)) {
                found.push(format!("{path}:{line}: `{word}`: {advice}"));
            }
        }
    }
    found
}

impl Exception {
    /// Whether the exception is meant for this word on this line.
    fn covers(&self, path: &str, word: &str, line: &str) -> bool {
        self.file == path && self.word == word && line.contains(self.line_holds)
    }
}

fn holds(scope: Scope, path: &str) -> bool {
    let is_test = path.ends_with("/tests.rs") || path.contains("/tests/");
    let is_core = path.starts_with("systems/") && !is_test;
    let is_shell = path.starts_with("src/") && !is_test;
    let is_command = path == "src/main.rs" || path.starts_with("src/cli");
    match scope {
        Scope::All => true,
        Scope::Shipped => is_core || is_shell,
        Scope::Quiet => (is_core || is_shell) && !is_command,
        Scope::Core => is_core,
    }
}

/// Where the word stands, not as a part of a longer name. The formatter may have put a line's end
/// after its `(`: a message to `expect` too long for the line. (A parser's own `expect(b'x')` is
/// another method.)
fn places(code: &str, word: &str) -> Vec<usize> {
    let (word, rest) = word.split_once('(').map_or((word, ""), |(name, rest)| (name, rest));
    let has_rest = |end: usize| {
        let after = code[end..].strip_prefix('(').map(str::trim_start);
        rest.is_empty() || after.is_some_and(|after| after.starts_with(rest))
    };
    let found = code.match_indices(word).map(|(offset, _)| offset);
    let is_meant =
        |offset: &usize| is_whole(code.as_bytes(), *offset, word) && has_rest(*offset + word.len());
    found.filter(is_meant).collect()
}

/// Whether the match is not a part of a longer name (`eprintln!` holds `println!`, `af32` holds
/// `f32`).
fn is_whole(code: &[u8], offset: usize, word: &str) -> bool {
    let bytes = word.as_bytes();
    let end = offset + bytes.len();
    let joined = |one: Option<&u8>, other: Option<&u8>| {
        one.is_some_and(|byte| is_name(*byte)) && other.is_some_and(|byte| is_name(*byte))
    };
    let before = offset.checked_sub(1).and_then(|at| code.get(at));
    // A number's suffix (`1.0f64`) is the type all the same.
    let is_suffix = before.is_some_and(u8::is_ascii_digit);
    (is_suffix || !joined(before, bytes.first())) && !joined(bytes.last(), code.get(end))
}
