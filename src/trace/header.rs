//! The trace's header: what a replay must know before the first event.
//!
//! Written once by a writer, read once by a reader. Layout and meaning of every field stand in
//! `traces/README.md`, "Header". The first image is not here (it comes as batches), only its
//! length.

use std::io::Read;

use tickernel_systems::digest::hash64;

use super::error::TraceError;
use super::scan::read_up_to;
use super::varint::Cursor;
use super::{DEFAULT_DIGEST_CADENCE, FORMAT_VERSION, MAGIC, MAX_CONFIGURATION_BYTES};

/// Bytes before the configuration.
const FIXED_BYTES: usize = 68;
const CRC_BYTES: usize = 4;
/// Room for fields that later writers of the same format version may add behind those known here.
const SPARE_BYTES: usize = 4096;
const FLAG_IMPORTED: u32 = 1;
const FLAG_COMPLETIONS_WHOLE: u32 = 2;

/// What a trace says about itself before its first event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Header {
    /// The version of the format, at most [`FORMAT_VERSION`]: it says how completions are summed.
    pub format_version: u16,
    /// The profile that the kernel ran with (a number of the kernel's; the container keeps it).
    pub profile: u8,
    /// Who wakes blocked calls (a number of the kernel's; the container keeps it).
    pub wake_mode: u8,
    /// The semantic version of the kernel: a replay by another one may differ.
    pub kernel_version: u32,
    /// True for a recording of a real session, false for one of this kernel.
    pub imported: bool,
    /// True if the events carry their answers whole, not only in the hash of the batch.
    pub completions_whole: bool,
    /// The seed of everything that the kernel draws.
    pub seed: u64,
    /// Sequence number of the first event.
    pub first_sequence: u64,
    /// Events between two lists of digests; 0: only at the end.
    pub digest_cadence: u64,
    /// The kernel's configuration in its own encoding.
    pub configuration: Vec<u8>,
}

impl Default for Header {
    fn default() -> Self {
        Header {
            format_version: FORMAT_VERSION,
            profile: 0,
            wake_mode: 0,
            kernel_version: 0,
            imported: false,
            completions_whole: false,
            seed: 0,
            first_sequence: 0,
            digest_cadence: DEFAULT_DIGEST_CADENCE,
            configuration: Vec::new(),
        }
    }
}

/// A header as it stood in a file.
pub(super) struct ReadHeader {
    pub(super) header: Header,
    pub(super) image_bytes: u64,
    /// The header's CRC, where the chain of the batches begins.
    pub(super) crc: u32,
    /// Bytes of the header, which is the offset of the first batch.
    pub(super) bytes: u64,
}

impl Header {
    /// The hash of `configuration`, by which two traces of the same one are told.
    pub fn configuration_hash(&self) -> u64 {
        hash64(0, &self.configuration)
    }

    fn flags(&self) -> u32 {
        u32::from(self.imported) * FLAG_IMPORTED
            + u32::from(self.completions_whole) * FLAG_COMPLETIONS_WHOLE
    }

    /// The header's bytes and their CRC for a trace whose first image has `image_bytes` bytes.
    pub(super) fn encode(&self, image_bytes: u64) -> Result<(Vec<u8>, u32), TraceError> {
        let configuration_bytes = self.configuration.len();
        if configuration_bytes > MAX_CONFIGURATION_BYTES {
            return Err(TraceError::ConfigurationTooLarge { bytes: configuration_bytes });
        }
        let total_bytes = FIXED_BYTES + configuration_bytes + CRC_BYTES;
        let mut out = Vec::with_capacity(total_bytes);
        out.extend_from_slice(&MAGIC);
        out.extend_from_slice(&self.format_version.to_le_bytes());
        out.extend_from_slice(&[self.profile, self.wake_mode]);
        out.extend_from_slice(&(total_bytes as u32).to_le_bytes());
        out.extend_from_slice(&self.kernel_version.to_le_bytes());
        out.extend_from_slice(&self.flags().to_le_bytes());
        for field in [
            self.seed,
            self.first_sequence,
            self.digest_cadence,
            self.configuration_hash(),
            image_bytes,
        ] {
            out.extend_from_slice(&field.to_le_bytes());
        }
        out.extend_from_slice(&(configuration_bytes as u32).to_le_bytes());
        out.extend_from_slice(&self.configuration);
        let crc = crc32c::crc32c(&out);
        out.extend_from_slice(&crc.to_le_bytes());
        Ok((out, crc))
    }

    /// Reads and checks the header at the beginning of `input`.
    pub(super) fn read(input: &mut impl Read) -> Result<ReadHeader, TraceError> {
        let mut bytes = Vec::new();
        read_up_to(input, &mut bytes, 16)?;
        if bytes.is_empty() {
            return Err(TraceError::Empty);
        }
        if !bytes.iter().zip(&MAGIC).all(|(found, known)| found == known) {
            return Err(TraceError::Foreign);
        }
        let damaged = |why| TraceError::HeaderDamaged { why };
        let cut = || damaged("the file ends inside it");
        let mut cursor = Cursor::new(&bytes, MAGIC.len());
        let version = cursor.u16().ok_or_else(cut)?;
        if version == 0 {
            return Err(damaged("it names format version 0"));
        }
        if version > FORMAT_VERSION {
            return Err(TraceError::NewerFormat { found: version, known: FORMAT_VERSION });
        }
        cursor.u16().ok_or_else(cut)?;
        let total_bytes = cursor.u32().ok_or_else(cut)? as usize;
        let most_bytes = FIXED_BYTES + MAX_CONFIGURATION_BYTES + SPARE_BYTES + CRC_BYTES;
        if !(FIXED_BYTES + CRC_BYTES..=most_bytes).contains(&total_bytes) {
            return Err(damaged("its length is beyond the limits"));
        }
        read_up_to(input, &mut bytes, total_bytes)?;
        if bytes.len() < total_bytes {
            return Err(cut());
        }
        Self::decode(&bytes).ok_or_else(|| damaged("its CRC or its fields are wrong"))?
    }

    /// Decodes a whole header of a known version; `None` if it contradicts itself.
    fn decode(bytes: &[u8]) -> Option<Result<ReadHeader, TraceError>> {
        let (covered, crc_bytes) = bytes.split_last_chunk::<CRC_BYTES>()?;
        let crc = u32::from_le_bytes(*crc_bytes);
        if crc32c::crc32c(covered) != crc {
            return None;
        }
        let mut cursor = Cursor::new(covered, MAGIC.len());
        let format_version = cursor.u16()?;
        let profile = cursor.u8()?;
        let wake_mode = cursor.u8()?;
        cursor.u32()?;
        let kernel_version = cursor.u32()?;
        let flags = cursor.u32()?;
        let unknown_flags = flags & !(FLAG_IMPORTED | FLAG_COMPLETIONS_WHOLE);
        if unknown_flags != 0 {
            return Some(Err(TraceError::UnknownFlags(unknown_flags)));
        }
        let seed = cursor.u64()?;
        let first_sequence = cursor.u64()?;
        let digest_cadence = cursor.u64()?;
        let configuration_hash = cursor.u64()?;
        let image_bytes = cursor.u64()?;
        let configuration_bytes = cursor.u32()?;
        let configuration = cursor.take(u64::from(configuration_bytes))?.to_vec();
        let header = Header {
            format_version,
            profile,
            wake_mode,
            kernel_version,
            imported: flags & FLAG_IMPORTED != 0,
            completions_whole: flags & FLAG_COMPLETIONS_WHOLE != 0,
            seed,
            first_sequence,
            digest_cadence,
            configuration,
        };
        if header.configuration_hash() != configuration_hash {
            return None;
        }
        Some(Ok(ReadHeader { header, image_bytes, crc, bytes: bytes.len() as u64 }))
    }
}
