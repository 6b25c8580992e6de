//! Holds the README to what is there: the quick start is two commands that exist, and every row of
//! the table of what is supported names a lockstep test and calls of the kernel. Its Rust example
//! is a documentation test.

use std::fs;
use std::path::{Path, PathBuf};
use tickernel_systems::event::Call;

/// One row of the table: its line from 1, the calls and the tests that it names.
#[derive(Debug, PartialEq)]
struct Row {
    line: usize,
    calls: Vec<String>,
    tests: Vec<String>,
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn readme() -> String {
    fs::read_to_string(root().join("README.md")).expect("README.md")
}

/// The lines under the heading, up to the next of the same rank, with their numbers from 1.
fn section<'a>(text: &'a str, heading: &str) -> Vec<(usize, &'a str)> {
    let lines = text.lines().enumerate().map(|(index, line)| (index + 1, line));
    let after = lines.skip_while(|(_, line)| *line != format!("## {heading}")).skip(1);
    after.take_while(|(_, line)| !line.starts_with("## ")).collect()
}

/// The fenced blocks of a section, as the lines inside.
fn blocks<'a>(section: &[(usize, &'a str)]) -> Vec<Vec<&'a str>> {
    let mut blocks: Vec<Vec<&str>> = Vec::new();
    let mut is_inside = false;
    for (_, line) in section {
        if line.starts_with("```") {
            is_inside = !is_inside;
            if is_inside {
                blocks.push(Vec::new());
            }
        } else if let (true, Some(block)) = (is_inside, blocks.last_mut()) {
            block.push(line);
        }
    }
    blocks
}

/// What stands between backticks.
fn quoted(cell: &str) -> Vec<String> {
    cell.split('`').skip(1).step_by(2).map(str::to_owned).collect()
}

/// The rows of the table under the heading, its head left out.
fn rows(section: &[(usize, &str)]) -> Vec<Row> {
    let lines = section.iter().filter(|(_, line)| line.starts_with('|')).skip(2);
    let row = |(line, text): &(usize, &str)| {
        let cells: Vec<&str> = text.trim_matches('|').split('|').collect();
        let cell = |index: usize| cells.get(index).map(|cell| quoted(cell)).unwrap_or_default();
        Row { line: *line, calls: cell(1), tests: cell(2) }
    };
    lines.map(row).collect()
}

/// What is wrong with the table. `has_test` takes a target of `tests/` and the name of a test in
/// it.
fn table(rows: &[Row], calls: &[&str], has_test: &dyn Fn(&str, &str) -> bool) -> Vec<String> {
    let mut found = Vec::new();
    let mut seen: Vec<&str> = Vec::new();
    for row in rows {
        let line = row.line;
        if row.calls.is_empty() || row.tests.is_empty() {
            found.push(format!(
                "README.md:{line}: a row names `calls` and `target::test`: fill it in"
            ));
        }
        for call in &row.calls {
            if !calls.contains(&call.as_str()) {
                found.push(format!("README.md:{line}: the kernel has no call `{call}`: remove it"));
            }
            if seen.contains(&call.as_str()) {
                found.push(format!("README.md:{line}: `{call}` stands in two rows: keep one"));
            }
            seen.push(call);
        }
        for test in &row.tests {
            let is_there =
                test.split_once("::").is_some_and(|(target, name)| has_test(target, name));
            if !is_there {
                found.push(format!(
                    "README.md:{line}: no test `{test}`: write it or remove the row"
                ));
            }
        }
    }
    found
}

/// The Rust files of one test target: `tests/NAME.rs` and all below `tests/NAME/`.
fn target_files(target: &str) -> Vec<PathBuf> {
    let mut files = vec![root().join(format!("tests/{target}.rs"))];
    let mut folders = vec![root().join("tests").join(target)];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
            let path = entry.path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                files.push(path);
            }
        }
    }
    files
}

/// Whether the source has a function of this name under `#[test]`.
fn declares_test(source: &str, name: &str) -> bool {
    let mut is_test = false;
    for line in source.lines().map(str::trim) {
        if line == "#[test]" {
            is_test = true;
        } else if !line.starts_with(['#', '/']) {
            if is_test && line.starts_with(&format!("fn {name}(")) {
                return true;
            }
            is_test = false;
        }
    }
    false
}

fn has_test(target: &str, name: &str) -> bool {
    let sources = target_files(target).into_iter().filter_map(|path| fs::read_to_string(path).ok());
    sources.into_iter().any(|source| declares_test(&source, name))
}

#[test]
fn quick_start_is_two_commands_that_exist() {
    let text = readme();
    let blocks = blocks(&section(&text, "Quick start"));
    let [block] = blocks.as_slice() else { panic!("one fenced block is wanted: {blocks:?}") };
    let [replay, tests] = block.as_slice() else { panic!("two commands are wanted: {block:?}") };
    assert_eq!(*tests, "bash tests/all.sh");
    let trace = replay.strip_prefix("cargo run --release -- replay ").expect("replay comes first");
    let is_session = |name: &str| name.contains(".strace");
    let names = fs::read_dir(root().join("traces")).expect("traces/").flatten();
    let sessions: Vec<String> = names
        .map(|entry| format!("traces/{}", entry.file_name().to_string_lossy()))
        .filter(|name| is_session(name))
        .collect();
    assert!(sessions.is_empty() || sessions.iter().any(|name| name == trace), "no {trace}");
}

#[test]
fn support_table_names_tests_and_calls_that_exist() {
    let text = readme();
    let names: Vec<&str> = Call::NAMES.iter().map(|(_, name)| *name).collect();
    let found = table(&rows(&section(&text, "What is supported")), &names, &has_test);
    assert!(found.is_empty(), "{}", found.join("\n"));
}

#[test]
fn the_checks_of_the_table_can_fail() {
    let text = "## A\n```\nx\n```\n| h | c | t |\n|---|---|---|\n\
                | a | `pipe`, `read` | `t::one` |\n| b | `rad`, `read` | `t::two` |\n| c | | |\n## B\n| z |\n";
    let section = section(text, "A");
    assert_eq!(blocks(&section), [["x"]]);
    let rows = rows(&section);
    assert_eq!(rows.len(), 3);
    assert_eq!((rows[0].line, rows[0].calls.len(), rows[0].tests.len()), (7, 2, 1));
    let found = table(&rows, &["pipe", "read"], &|target, name| target == "t" && name == "one");
    let wanted = [
        "8: the kernel has no call `rad`",
        "8: `read` stands in two",
        "8: no test `t::two`",
        "9: a row",
    ];
    assert_eq!(found.len(), wanted.len(), "{found:?}");
    for (message, wanted) in found.iter().zip(wanted) {
        assert!(message.starts_with(&format!("README.md:{wanted}")), "{message}");
    }
}

#[test]
fn a_test_is_found_by_its_name() {
    let source =
        "#[test]\n#[cfg(unix)]\nfn one() {\n}\n    #[test]\n    fn two() {}\nfn three() {}\n";
    assert!(declares_test(source, "one") && declares_test(source, "two"));
    assert!(!declares_test(source, "three") && !declares_test(source, "on"));
    assert!(has_test("readme", "a_test_is_found_by_its_name") && !has_test("readme", "has_test"));
    assert!(has_test("tidy", "links_lead_somewhere") && !has_test("none", "one"));
}
