//! Links of which strace printed only the beginning of the text (`-s`, 32 bytes if not said): the
//! length is told, and often another call names what they lead to.

use std::collections::{BTreeMap, BTreeSet};

use super::hints::Hints;
use super::initial::Shape;
use super::paths::last;

/// What was printed of each link, by its path, and how long the text is.
#[derive(Debug, Default)]
pub(super) struct CutLinks(BTreeMap<Vec<u8>, (Vec<u8>, usize)>);

impl CutLinks {
    /// A readlink(2) gave so many bytes, of which the first were printed. One into a small buffer
    /// gives less than there is.
    pub(super) fn see(&mut self, link: Vec<u8>, printed: &[u8], length: usize) {
        let known = self.0.entry(link).or_default();
        if known.1 < length {
            *known = (printed.to_vec(), length);
        }
    }

    /// Link and text of each. Where a path of the recording fits, that is where it leads; else it
    /// is as long as it was.
    pub(super) fn texts(&self, named: &[&BTreeSet<Vec<u8>>]) -> Vec<(Vec<u8>, Vec<u8>)> {
        let called_like: BTreeSet<Vec<u8>> =
            self.0.iter().filter_map(|it| like(it, named)).collect();
        let text = |(link, (printed, length)): (&Vec<u8>, &(Vec<u8>, usize))| {
            let fitting = || fitting((link, printed), *length, named).into_iter();
            // One that another link is called like is that one's.
            let only = || {
                let mut others = fitting().filter(|path| !called_like.contains(*path));
                others.next().filter(|_| fitting().count() == 1).cloned()
            };
            let found = like((link, &(printed.clone(), *length)), named).or_else(only);
            let begun = absolute(link, printed).len();
            let rest = found.as_ref().and_then(|path| path.get(begun..));
            let missing = length.saturating_sub(printed.len());
            let rest = rest.map_or_else(|| made_up(link, missing), <[u8]>::to_vec);
            (link.clone(), [printed.as_slice(), &rest].concat())
        };
        self.0.iter().map(text).collect()
    }
}

/// A text of so many bytes that no other link beside this one has.
fn made_up(link: &[u8], len: usize) -> Vec<u8> {
    let own = Some(last(link)).filter(|own| own.len() <= len).unwrap_or_default();
    [vec![b'?'; len - own.len()].as_slice(), own].concat()
}

/// The paths of the recording to which a link may lead.
fn fitting<'a>(
    (link, printed): (&[u8], &[u8]),
    length: usize,
    named: &[&'a BTreeSet<Vec<u8>>],
) -> BTreeSet<&'a Vec<u8>> {
    let whole = absolute(link, printed);
    let len = whole.len() + length.saturating_sub(printed.len());
    let below = named.iter().map(|set| set.range(whole.clone()..));
    let begins = |path: &&Vec<u8>| path.starts_with(&whole);
    below.flat_map(|paths| paths.take_while(begins)).filter(|path| path.len() == len).collect()
}

/// The one of them that is called like the link: nm -> x86_64-linux-gnu-nm.
fn like(
    (link, (printed, length)): (&Vec<u8>, &(Vec<u8>, usize)),
    named: &[&BTreeSet<Vec<u8>>],
) -> Option<Vec<u8>> {
    let fitting = fitting((link, printed), *length, named);
    fitting.into_iter().find(|path| path.ends_with(last(link))).cloned()
}

impl Hints {
    /// Where links lead of which only the beginning was printed.
    pub(super) fn see_cut_links(&mut self) {
        let named = [&self.was_opened, &self.passed, &self.prefixes, self.sights.changes()];
        for (link, text) in self.cut_links.texts(&named) {
            match self.shapes.get(&link) {
                Some(Shape::Link(known)) if !known.is_empty() => {}
                _ => drop(self.shapes.insert(link, Shape::Link(text))),
            }
        }
    }
}

/// Where a text leads, as far as that shows: dots are taken away, links on the way are not known.
fn absolute(link: &[u8], text: &[u8]) -> Vec<u8> {
    let above = link.iter().rposition(|byte| *byte == b'/').unwrap_or(0);
    let above = if text.first() == Some(&b'/') { &[] } else { link.get(..above).unwrap_or(&[]) };
    let mut names: Vec<&[u8]> = Vec::new();
    let whole = [above, b"/", text].concat();
    let mut parts = whole.split(|byte| *byte == b'/').skip(1).peekable();
    while let Some(part) = parts.next() {
        let is_last = parts.peek().is_none();
        match part {
            // The last one may go on.
            b"" | b"." if !is_last => {}
            b".." if !is_last => drop(names.pop()),
            part => names.push(part),
        }
    }
    names.iter().flat_map(|name| [b"/".as_slice(), name].concat()).collect()
}
