//! A list of digests: one number of 64 bits for each subsystem of the kernel.
//!
//! Written at the header's cadence and at the end; repeated in the footer. The container keeps
//! names and numbers in the order in which they were given. Layout: `traces/README.md`, "Digests".

use super::error::TraceError;
use super::varint::{Cursor, put_bytes, put_varint};
use super::{MAX_DIGEST_NAME_BYTES, MAX_DIGESTS};

/// The digests of a state.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Digests {
    /// Sequence number of the event that comes next: the state is that after the event before it.
    pub next_sequence: u64,
    /// Names of subsystems and their digests.
    pub entries: Vec<(String, u64)>,
}

impl Digests {
    /// Copies `entries` if the format can hold them.
    pub(super) fn checked(
        next_sequence: u64,
        entries: &[(&str, u64)],
    ) -> Result<Digests, TraceError> {
        let name_fits = |name: &str| (1..=MAX_DIGEST_NAME_BYTES).contains(&name.len());
        if entries.len() > MAX_DIGESTS || !entries.iter().all(|(name, _)| name_fits(name)) {
            return Err(TraceError::Digests { count: entries.len() });
        }
        let entries = entries.iter().map(|(name, digest)| ((*name).to_owned(), *digest)).collect();
        Ok(Digests { next_sequence, entries })
    }

    /// Appends the list.
    pub(super) fn put(&self, out: &mut Vec<u8>) {
        put_varint(out, self.next_sequence);
        put_varint(out, self.entries.len() as u64);
        for (name, digest) in &self.entries {
            put_bytes(out, name.as_bytes());
            out.extend_from_slice(&digest.to_le_bytes());
        }
    }

    /// Takes a list; `None` if there is none in a valid form.
    pub(super) fn take(cursor: &mut Cursor<'_>) -> Option<Digests> {
        let next_sequence = cursor.varint()?;
        let count = usize::try_from(cursor.varint()?).ok().filter(|count| *count <= MAX_DIGESTS)?;
        let mut entries = Vec::new();
        for _ in 0..count {
            let name_bytes = cursor.varint()?;
            if !(1..=MAX_DIGEST_NAME_BYTES as u64).contains(&name_bytes) {
                return None;
            }
            let name = std::str::from_utf8(cursor.take(name_bytes)?).ok()?.to_owned();
            entries.push((name, cursor.u64()?));
        }
        Some(Digests { next_sequence, entries })
    }
}
