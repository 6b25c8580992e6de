//! The README's table of the contract: every section is there, with modules that have tests, or
//! with the issue that brings it; and every module of tests here stands in it.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// The headings of SEMANTICS.md; those without a number stand below the one before them.
const SECTIONS: &[&str] = &[
    "Profiles",
    "0. Order of checks",
    "1. VM life cycle",
    "2. Processes",
    "2. waitpid",
    "2. Signals",
    "3. File descriptors",
    "4. Pipes",
    "5. PTY",
    "6. poll",
    "7. Sockets",
    "8. DNS",
    "9. Permissions",
    "10. Resource limits",
    "11. Users",
    "12. Devices",
    "13. File system and paths",
    "13. Mount table",
    "13. Root file system, overlay",
    "14. Commands, shebang",
    "15. Read-only guard",
    "16. procfs",
    "17. Time",
];
/// Modules that hold no section but all of them to bad input and foreign drivers, and tools.
const OF_ALL: &[&str] = &["bad_input", "isolation", "methods", "table"];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The cells of the table under the heading.
fn rows(text: &str) -> Vec<(String, String)> {
    let lines = text.lines().skip_while(|line| *line != "## The contract, section by section");
    let lines = lines.skip(1).take_while(|line| !line.starts_with("## "));
    let table = lines.filter(|line| line.starts_with('|')).skip(2);
    let row = |line: &str| {
        let mut cells = line.trim_matches('|').split('|').map(|cell| cell.trim().to_owned());
        (cells.next().unwrap_or_default(), cells.next().unwrap_or_default())
    };
    table.map(row).collect()
}

/// `target` is tests/target.rs, `target::module` the file of that name beside it or in a folder.
fn source_of(test: &str) -> Option<PathBuf> {
    let tests = root().join("tests");
    let path = match test.split_once("::") {
        None => tests.join(format!("{test}.rs")),
        Some((target, module)) => tests.join(target).join(format!("{module}.rs")),
    };
    path.is_file().then_some(path)
}

/// What is wrong with a row's second cell.
fn wrong(cell: &str) -> Vec<String> {
    let named: Vec<&str> = cell.split('`').skip(1).step_by(2).collect();
    let issue = cell.split("later: issue ").nth(1);
    let later = issue.is_some_and(|text| text.starts_with(|c: char| c.is_ascii_digit()));
    let mut found = Vec::new();
    if named.is_empty() && !later {
        found.push("neither `target::module` nor `later: issue N`".to_owned());
    }
    for test in named {
        let text = source_of(test).and_then(|path| fs::read_to_string(path).ok());
        if !text.is_some_and(|text| text.contains("#[test]\n")) {
            found.push(format!("no tests `{test}`"));
        }
    }
    found
}

#[test]
fn every_section_has_tests_or_an_issue() {
    let text = fs::read_to_string(root().join("README.md")).unwrap();
    let rows = rows(&text);
    let sections: Vec<&str> = rows.iter().map(|(section, _)| section.as_str()).collect();
    assert_eq!(sections, SECTIONS, "README.md: the sections of the contract, in its order");
    let found: Vec<String> = rows
        .iter()
        .flat_map(|(section, cell)| wrong(cell).into_iter().map(move |w| format!("{section}: {w}")))
        .collect();
    assert!(found.is_empty(), "README.md: {}", found.join("; "));
}

#[test]
fn every_module_stands_in_the_table() {
    let text = fs::read_to_string(root().join("README.md")).unwrap();
    let cells: String = rows(&text).into_iter().map(|(_, cell)| cell).collect();
    let folder = fs::read_dir(root().join("tests/face_contract")).unwrap();
    let modules: BTreeSet<String> = folder
        .map(|entry| entry.unwrap().path())
        .filter(|path| fs::read_to_string(path).unwrap().contains("#[test]\n"))
        .map(|path| path.file_stem().unwrap().to_string_lossy().into_owned())
        .collect();
    assert!(modules.len() > 15, "{modules:?}");
    for module in modules.iter().filter(|module| !OF_ALL.contains(&module.as_str())) {
        let name = format!("`face_contract::{module}`");
        assert!(cells.contains(&name), "README.md: {name} is not in the table of the contract");
    }
}

#[test]
fn the_checks_of_the_table_can_fail() {
    let text =
        "## The contract, section by section\n| a | b |\n|---|---|\n| 1 | `x::y` |\n## B\n| c |";
    assert_eq!(rows(text), [("1".to_owned(), "`x::y`".to_owned())]);
    assert_eq!(wrong("`face_contract::none`").len(), 1);
    assert_eq!(wrong("`face_contract::support`").len(), 1, "it has no tests");
    assert_eq!(wrong("later: soon").len(), 1);
    assert_eq!(wrong("").len(), 1);
    assert!(wrong("`face_vm`, `face_contract::table`; later: issue 8").is_empty());
}
