//! Where the importer keeps what must exist and has no known name: targets of links that nobody
//! read, files behind descriptors without a path, a working directory that is never told. The place
//! is a directory that no call of the recording lists, so that no program sees it.

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
