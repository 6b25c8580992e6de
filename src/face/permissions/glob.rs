//! The patterns of rules and policies (SEMANTICS.md section 9): the core's, which decides by them.

/// Whether the whole value matches: `?` is one byte but `/`, `*` any run without `/`, `**` (or more
/// stars) any run, all else itself.
///
/// The time is at most the product of both lengths, whatever the pattern.
pub fn permission_glob_matches(pattern: &str, value: &str) -> bool {
    tickernel_systems::glob_matches(pattern.as_bytes(), value.as_bytes())
}
