//! Names that a list of a directory shows as links, and that were opened by a path with `..`
//! (compilers do so): where `-y` prints what the descriptor is, that is where the link leads.

use std::collections::BTreeMap;

use super::hints::Hints;
use super::initial::Shape;

/// Where such paths lead if no link is on the way to a `..`, and where the files were.
#[derive(Debug, Default)]
pub(super) struct Dotted(BTreeMap<Vec<u8>, Vec<u8>>);

impl Dotted {
    /// A path was opened, and the descriptor's own printed.
    pub(super) fn see(&mut self, path: &[u8], real: Vec<u8>) {
        if let Some(path) = without_dots(path) {
            self.0.insert(path, real);
        }
    }
}

impl Hints {
    /// Such names lead to what was opened.
    pub(super) fn see_links_by_dots(&mut self) {
        for (path, real) in std::mem::take(&mut self.dotted.0) {
            if let Some(Shape::Link(text)) = self.shapes.get_mut(&path)
                && text.is_empty()
                && path != real
            {
                *text = real;
            }
        }
    }
}

/// Where an absolute path with `..` leads if no link is on the way to one.
fn without_dots(path: &[u8]) -> Option<Vec<u8>> {
    let mut names: Vec<&[u8]> = Vec::new();
    let mut has_dots = false;
    for part in path.strip_prefix(b"/")?.split(|byte| *byte == b'/') {
        match part {
            b"" | b"." => {}
            b".." => {
                has_dots = true;
                names.pop();
            }
            part => names.push(part),
        }
    }
    let whole = names.iter().flat_map(|name| [b"/", *name].concat()).collect();
    has_dots.then_some(whole)
}
