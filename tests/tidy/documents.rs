//! The rules on the repository as a whole: names at the top, sizes of files, links in Markdown, and
//! the code map of `systems/README.md`. They take lists and texts, so that each can be tried on a
//! small case.

/// What may lie at the top, beside names that begin with a dot.
const TOP_LEVEL: &[&str] = &[
    "CHANGELOG.md",
    "Cargo.lock",
    "Cargo.toml",
    "LICENSE-APACHE",
    "LICENSE-MIT",
    "README.md",
    "benches",
    "src",
    "systems",
    "target",
    "tests",
    "traces",
];

const FILE_BYTES_MAX: u64 = 1 << 20;

/// Names at the top that have no place there.
pub(crate) fn top_level(names: &[String]) -> Vec<String> {
    let is_allowed = |name: &&String| name.starts_with('.') || TOP_LEVEL.contains(&name.as_str());
    let strangers = names.iter().filter(|name| !is_allowed(name));
    strangers
        .map(|name| format!("{name}:1: not a name for the top level: move it into a folder"))
        .collect()
}

/// Large files outside `traces/`.
pub(crate) fn sizes(files: &[(String, u64)]) -> Vec<String> {
    let is_large =
        |file: &&(String, u64)| file.1 > FILE_BYTES_MAX && !file.0.starts_with("traces/");
    let large = files.iter().filter(is_large);
    large
        .map(|(path, bytes)| format!("{path}:1: {bytes} bytes: only traces/ holds large files"))
        .collect()
}

/// Relative links of the Markdown file at `path` that lead nowhere. `exists` takes a path from the
/// top.
pub(crate) fn links(path: &str, text: &str, exists: &dyn Fn(&str) -> bool) -> Vec<String> {
    let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
    let headings = headings(text);
    let mut found = Vec::new();
    for (line, target) in link_targets(text) {
        let (file, anchor) = target.split_once('#').unwrap_or((&target, ""));
        let is_outside = target.contains("://") || target.starts_with("mailto:");
        let is_dead = match (is_outside, file.is_empty()) {
            (true, _) => false,
            (false, true) => !headings.iter().any(|heading| heading == anchor),
            (false, false) => !resolve(folder, file).is_some_and(|path| exists(&path)),
        };
        if is_dead {
            found.push(format!("{path}:{line}: dead link `{target}`: correct or remove it"));
        }
    }
    found
}

/// Lines of the text that are not inside a fenced block, with their numbers from 1.
pub(crate) fn prose(text: &str) -> Vec<(usize, &str)> {
    let mut is_fenced = false;
    let mut lines = Vec::new();
    for (index, line) in text.lines().enumerate() {
        if line.trim_start().starts_with("```") {
            is_fenced = !is_fenced;
        } else if !is_fenced {
            lines.push((index + 1, line));
        }
    }
    lines
}

fn link_targets(text: &str) -> Vec<(usize, String)> {
    let mut targets = Vec::new();
    for (number, line) in prose(text) {
        // Every second piece between backticks is code.
        let plain: String = line.split('`').step_by(2).collect::<Vec<_>>().join("`");
        for (at, _) in plain.match_indices("](") {
            let target = plain[at + 2..].split([')', ' ']).next().unwrap_or("");
            targets.push((number, target.to_owned()));
        }
        if plain.starts_with('[')
            && let Some((_, target)) = plain.split_once("]: ")
        {
            targets.push((number, target.trim().to_owned()));
        }
    }
    targets
}

/// The anchors that the headings give, as GitHub makes them.
fn headings(text: &str) -> Vec<String> {
    let headings = prose(text).into_iter().filter(|(_, line)| line.starts_with('#'));
    let anchor = |line: &str| {
        let lower = line.trim_start_matches('#').trim().to_lowercase();
        let kept = lower.chars().filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
        kept.map(|c| if c == ' ' { '-' } else { c }).collect()
    };
    headings.map(|(_, line)| anchor(line)).collect()
}

/// Joins a relative path to its folder; none if it leaves the repository.
fn resolve(folder: &str, file: &str) -> Option<String> {
    let mut parts: Vec<&str> = folder.split('/').filter(|part| !part.is_empty()).collect();
    for part in file.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop()?;
            }
            part => parts.push(part),
        }
    }
    Some(parts.join("/"))
}

/// Files of the core that its README does not name, and names there that no file has. `files` are
/// relative to `systems/`. A line of the map names `folder/file.rs`, or `folder/` and then files of
/// it: `folder/` alone stands for its `mod.rs`.
pub(crate) fn code_map(map: &str, files: &[String]) -> Vec<String> {
    let mut named = Vec::new();
    let mut found = Vec::new();
    for (index, line) in map.lines().enumerate() {
        let is_edge = |c: char| !(c.is_alphanumeric() || matches!(c, '_' | '/' | '.'));
        let words = line.split(is_edge).map(|word| word.trim_end_matches('.'));
        let mut folder = "";
        for word in words.filter(|word| !word.is_empty()) {
            if word.ends_with('/') {
                folder = word;
                named.push(format!("{word}mod.rs"));
            } else if word.ends_with(".rs") {
                let joined = format!("{folder}{word}");
                let path = if files.contains(&joined) { joined } else { word.to_owned() };
                if !files.contains(&path) && !path.starts_with("src/") {
                    let number = index + 1;
                    found.push(format!(
                        "systems/README.md:{number}: no file {path}: correct the map"
                    ));
                }
                named.push(path);
            }
        }
    }
    let missing = files.iter().filter(|file| !named.contains(file));
    found.extend(missing.map(|file| {
        format!("systems/{file}:1: not in the code map: name it in systems/README.md")
    }));
    found
}
