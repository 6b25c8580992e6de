//! Files that ran: they may be executed, begin like a program, and if they are scripts, their
//! interpreters were there too (execve(2)).

use tickernel_systems::fs::{Fs, Kind, Meta, Place};

use super::hints::Hints;
use super::initial::{Initial, NodeId, Shape, live_meta};
use super::ranges::gaps;
use crate::replay::stat_bits;

/// How a program begins (elf(5)).
pub(super) const PROGRAM: &[u8] = b"\x7fELF";

/// Most of a first line that execve(2) looks at.
const LINE_BYTES: u64 = 255;

/// How a program goes on of which only the beginning is known; `None` if that is enough.
pub(super) fn rest_of_program(known: &[u8]) -> Option<Vec<u8>> {
    if let Some(rest) = PROGRAM.strip_prefix(known) {
        return Some(rest.to_vec()).filter(|rest| !rest.is_empty());
    }
    let first = known.split(|byte| *byte == b'\n').next().unwrap_or_default();
    let is_whole = first.len() < known.len() || known.len() as u64 >= LINE_BYTES;
    match first.strip_prefix(b"#!") {
        _ if is_whole => None,
        None if first == b"#" => Some(b"!/bin/sh\n".to_vec()),
        None => None,
        Some(path) if path.contains(&b'/') => Some(b"?\n".to_vec()),
        Some(_) => Some(b"/bin/sh\n".to_vec()),
    }
}

impl Initial {
    /// A file that ran: executable, and a program if nothing else is known.
    pub fn see_program(&mut self, fs: &mut Fs, place: Place) {
        let head = fs.pages(place).map(|pages| pages.read(0, 4)).unwrap_or_default();
        let Some(id) = self.of(fs, place) else {
            // Perhaps a copy of one that nobody has read.
            if head == [0; PROGRAM.len()] {
                self.see_bytes(fs, place, 0, PROGRAM);
            }
            return;
        };
        if let Some(node) = self.nodes.get_mut(id) {
            node.executed = true;
            if node.known & stat_bits::MODE == 0 {
                node.meta.mode |= 0o111;
                if let Some(mut live) = live_meta(fs, place) {
                    live.mode |= 0o111;
                    fs.describe(place, &live).unwrap_or(());
                }
            }
        }
        if head.starts_with(b"#") {
            self.complete_script(fs, place, id);
        } else if !head.starts_with(PROGRAM) {
            if let Some(node) = self.nodes.get_mut(id) {
                if gaps(&node.ranges, 0, 4).is_empty() {
                    return;
                }
                node.pages.write(0, PROGRAM);
            }
            fs.describe_kind(place, |kind| {
                if let Kind::Regular(pages) = kind {
                    pages.write(0, PROGRAM);
                }
            })
            .unwrap_or(());
        }
    }

    /// A script of which strace cut the first line.
    fn complete_script(&mut self, fs: &mut Fs, place: Place, id: NodeId) {
        let Some(node) = self.nodes.get(id) else { return };
        let known = gaps(&node.ranges, 0, LINE_BYTES).first().map_or(LINE_BYTES, |gap| gap.0);
        let head = node.pages.read(0, known);
        if let Some(rest) = rest_of_program(&head) {
            self.see_bytes(fs, place, known, &rest);
        }
    }

    /// Scripts that ran: their interpreters were there.
    pub fn add_interpreters(&mut self, fs: &mut Fs, hints: &Hints) {
        for id in 0..self.nodes.len() {
            let Some(node) = self.nodes.get_mut(id).filter(|node| node.executed) else { continue };
            // What was read of it after it ran may end before its first line does.
            let known = gaps(&node.ranges, 0, LINE_BYTES).first().map_or(LINE_BYTES, |gap| gap.0);
            let start = node.pages.read(0, known);
            if start.starts_with(b"#")
                && let Some(rest) = rest_of_program(&start)
            {
                node.pages.write(known, &rest);
            }
            let head = node.pages.read(0, 256);
            let Some(line) = head.strip_prefix(b"#!") else { continue };
            let line = line.split(|byte| *byte == b'\n').next().unwrap_or_default().trim_ascii();
            let path = line.split(u8::is_ascii_whitespace).next().unwrap_or_default().to_vec();
            self.add_program(fs, hints, &path, 0);
        }
    }

    fn add_program(&mut self, fs: &mut Fs, hints: &Hints, path: &[u8], depth: u32) {
        if depth > 8 || path.first() != Some(&b'/') {
            return;
        }
        let names: Vec<&[u8]> =
            path.split(|byte| *byte == b'/').filter(|name| !name.is_empty()).collect();
        let (mut at, mut done) = (fs.root(), Vec::new());
        for (index, name) in names.iter().enumerate() {
            let above = done.clone();
            done.push(b'/');
            done.extend_from_slice(name);
            let is_last = index + 1 == names.len();
            at = match fs.at_path(&done) {
                Ok(place) => place,
                Err(_) => {
                    let (shape, mode) = match hints.shape(&done) {
                        Some(link @ Shape::Link(text)) if !text.is_empty() => (link.clone(), 0o777),
                        _ if is_last => (Shape::File, 0o755),
                        _ => (Shape::Directory, 0o755),
                    };
                    match self.add(fs, at, name, shape, Meta::mode(mode)) {
                        Ok(place) => place,
                        Err(_) => return,
                    }
                }
            };
            if let Some(Kind::Symlink(target)) = fs.inode(at).map(|inode| &inode.kind) {
                let mut next = if target.first() == Some(&b'/') { Vec::new() } else { above };
                next.push(b'/');
                next.extend_from_slice(target);
                for rest in names.get(index + 1..).unwrap_or_default() {
                    next.push(b'/');
                    next.extend_from_slice(rest);
                }
                return self.add_program(fs, hints, &next, depth + 1);
            }
        }
        self.see_program(fs, at);
    }
}
