//! Links of which strace printed only the beginning of the text (`-s`, 32 bytes if not said): the
//! length is told, and often another call names what they lead to.

use std::collections::{BTreeMap, BTreeSet};

use super::hints::Hints;
use super::initial::Shape;

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
        let text = |link: &Vec<u8>, printed: &Vec<u8>, length: usize| {
            let missing = length.saturating_sub(printed.len());
            let whole = absolute(link, printed);
            let fits = |path: &&Vec<u8>| path.len() == whole.len() + missing;
            let begins = |path: &&Vec<u8>| path.starts_with(&whole);
            let below = named.iter().map(|set| set.range(whole.clone()..));
            let found: BTreeSet<&Vec<u8>> =
                below.flat_map(|paths| paths.take_while(begins).filter(fits)).collect();
            // Of several the one that is called like the link: nm -> x86_64-linux-gnu-nm.
            let own = link.rsplit(|byte| *byte == b'/').next().unwrap_or_default();
            let like = found.iter().find(|path| path.ends_with(own));
            let only = found.first().filter(|_| found.len() == 1);
            let rest = like.or(only).and_then(|path| path.get(whole.len()..));
            let rest = rest.map_or_else(|| vec![b'?'; missing], <[u8]>::to_vec);
            [printed.as_slice(), &rest].concat()
        };
        let all = self.0.iter();
        all.map(|(link, (printed, length))| (link.clone(), text(link, printed, *length))).collect()
    }
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
