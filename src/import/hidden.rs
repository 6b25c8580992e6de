//! Where the importer keeps what must exist and has no known name: targets of links that nobody
//! read, files behind descriptors without a path, a working directory that is never told. The place
//! is a directory that no call of the recording lists, so that no program sees it.

use super::hints::Hints;
use super::initial::Shape;
use super::paths;

/// The name of the directory.
const NAME: &[u8] = b".unknown";

/// The directory below one that is not listed.
pub(super) fn home_in(above: &[u8]) -> Vec<u8> {
    [above.strip_suffix(b"/").unwrap_or(above), b"/", NAME].concat()
}

/// Links at the top that lead below /usr where the two are merged (hier(7)).
const MERGED: &[&[u8]] = &[b"/bin", b"/sbin", b"/lib", b"/lib32", b"/lib64", b"/libx32"];

/// The text of a link that nobody read.
pub(super) fn unknown_target(home: &[u8], own: &[u8]) -> Vec<u8> {
    if MERGED.contains(&own) {
        return [b"usr".as_slice(), own].concat();
    }
    [home, own].concat()
}

/// Whether a link's text is one that was made up.
pub(super) fn is_made_up(target: &[u8]) -> bool {
    target.split(|byte| *byte == b'/').any(|name| name == NAME)
}

impl Hints {
    /// A directory that was there, on the root's volume, whose names nobody asked for.
    pub(super) fn not_listed(&self) -> Vec<u8> {
        if !self.listed.contains(b"".as_slice()) {
            return Vec::new();
        }
        const VOLUMES: &[&[u8]] = &[b"/proc", b"/sys", b"/dev", b"/tmp", b"/run"];
        let mounts = self.identities.mounts.keys().map(Vec::as_slice);
        let apart: Vec<&[u8]> = mounts.chain(VOLUMES.iter().copied()).collect();
        let is_apart = |path: &[u8]| {
            apart.iter().any(|top| {
                path.strip_prefix(*top).is_some_and(|rest| matches!(rest, [] | [b'/', ..]))
            })
        };
        let fits = |path: &&Vec<u8>| {
            // No link may be on the way.
            let is_plain = |end: usize| {
                let above = path.get(..end).unwrap_or_default();
                !matches!(self.shapes.get(above), Some(Shape::Link(_)))
                    && !self.identities.links.iter().any(|(link, _)| link == above)
            };
            let ends = paths::ends(path);
            !self.listed.contains(*path)
                && !path.is_empty()
                && !is_apart(path)
                && !self.sights.is_changed(path)
                && ends.iter().all(|(_, end)| is_plain(*end))
        };
        self.passed.iter().find(fits).cloned().unwrap_or_default()
    }
}
