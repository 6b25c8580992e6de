//! The house rules, checked as a test: module headers, lengths, columns, banned words, names at the
//! top, sizes, links and the code map. Every message is `file:line: what is wrong: what to do`.
//!
//! What clippy can say (hash order, banned methods, `_` in a match) is in `.clippy.toml` and
//! `Cargo.toml`.

mod checkers;
mod documents;
mod lexer;
mod rules;

use rules::EXCEPTIONS;
use std::fs;
use std::path::Path;

/// Every file of the repository: path from the top with `/`, size. Build output and dot-names are
/// left out.
fn files() -> Vec<(String, u64)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut found = Vec::new();
    let mut folders = vec![String::new()];
    while let Some(folder) = folders.pop() {
        for name in names(&root.join(&folder)) {
            let path = if folder.is_empty() { name.clone() } else { format!("{folder}/{name}") };
            let info = fs::symlink_metadata(root.join(&path)).expect("a listed file has metadata");
            if name.starts_with('.') || name == "target" {
                continue;
            }
            if info.is_dir() {
                folders.push(path);
            } else {
                found.push((path, info.len()));
            }
        }
    }
    found.sort();
    found
}

fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).expect("a folder of the repository can be listed");
    let name = |entry: std::io::Result<fs::DirEntry>| entry.expect("an entry").file_name();
    entries.map(|entry| name(entry).to_string_lossy().into_owned()).collect()
}

fn read(path: &str) -> String {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    fs::read_to_string(root.join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

fn texts(ending: &str) -> Vec<(String, String)> {
    let paths = files().into_iter().map(|(path, _)| path);
    paths.filter(|path| path.ends_with(ending)).map(|path| (path.clone(), read(&path))).collect()
}

#[track_caller]
fn report(found: &[String]) {
    assert!(found.is_empty(), "{} found:\n{}", found.len(), found.join("\n"));
}

#[test]
fn rust_files_keep_the_house_rules() {
    let sources = texts(".rs");
    assert!(sources.len() > 10, "the walk has found too little: {}", sources.len());
    let check = |(path, text): &(String, String)| rules::check_file(path, text, EXCEPTIONS);
    report(&sources.iter().flat_map(check).collect::<Vec<_>>());
}

#[test]
fn every_exception_is_needed_and_has_a_reason() {
    for (index, exception) in EXCEPTIONS.iter().enumerate() {
        let (file, word) = (exception.file, exception.word);
        let others = [&EXCEPTIONS[..index], &EXCEPTIONS[index + 1..]].concat();
        let found = |exceptions: &[_]| rules::check_file(file, &read(file), exceptions).len();
        let is_needed = found(&others) > found(EXCEPTIONS);
        assert!(is_needed, "{file}: the exception for `{word}` meets nothing: remove it");
        assert!(exception.reason.len() > 10, "{file}: the exception for `{word}` needs a reason");
    }
}

#[test]
fn top_level_holds_only_its_names() {
    report(&documents::top_level(&names(Path::new(env!("CARGO_MANIFEST_DIR")))));
}

#[test]
fn large_files_lie_in_traces_only() {
    report(&documents::sizes(&files()));
}

#[test]
fn links_lead_somewhere() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let exists = |path: &str| root.join(path).exists();
    let documents = texts(".md");
    let check = |(path, text): &(String, String)| documents::links(path, text, &exists);
    report(&documents.iter().flat_map(check).collect::<Vec<_>>());
}

#[test]
fn code_map_names_every_file_of_the_core() {
    let core = files().into_iter().filter_map(|(path, _)| {
        path.strip_prefix("systems/").filter(|path| path.ends_with(".rs")).map(str::to_owned)
    });
    if Path::new(env!("CARGO_MANIFEST_DIR")).join("systems/README.md").exists() {
        report(&documents::code_map(&read("systems/README.md"), &core.collect::<Vec<_>>()));
    }
}
