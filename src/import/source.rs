//! Opens an input: what it is, unpacked, with its side file (CLI.md, "Commands").

use std::fs::{self, File};
use std::io::{self, BufReader, Read};
use std::path::{Path, PathBuf};

use super::meta::SideFile;
use super::{Format, ImportError, Twin};
use crate::replay::Damage;
use crate::strace::{self, Events, Reason, Recording, looks_like_strace, read_dir_of_pids};
use crate::trace::MAGIC;

/// Most bytes of an input after unpacking.
const MAX_INPUT_BYTES: u64 = 768 << 20;
/// Most memory for the text of a recording and what is made of it, about.
const MAX_MEMORY_BYTES: u64 = 960 << 20;
/// Most bytes of a side file.
const MAX_SIDE_BYTES: u64 = 64 << 20;

/// An opened input.
pub(super) enum Opened {
    /// strace text, parsed, and its side file.
    Recording(Box<(Recording, SideFile)>),
    /// The bytes of a trace.
    Trace(Vec<u8>),
    /// The JSON twin's text.
    Twin(Twin),
}

/// Reads a file whole, unpacked. What stands before the damage of a packed file is given, with why
/// it does not go on.
fn read_whole(path: &Path, limit: u64) -> Result<(Vec<u8>, Option<io::Error>), ImportError> {
    let failed = |why: io::Error| ImportError::Io { path: path.to_owned(), why };
    let file = BufReader::new(File::open(path).map_err(failed)?);
    let mut reader: Box<dyn Read> = match path.extension().and_then(|end| end.to_str()) {
        Some("zst") => Box::new(zstd::Decoder::with_buffer(file).map_err(failed)?),
        Some("gz") => Box::new(flate2::bufread::MultiGzDecoder::new(file)),
        _ => Box::new(file),
    };
    let mut bytes = Vec::new();
    let cut = reader.by_ref().take(limit + 1).read_to_end(&mut bytes).err();
    if bytes.len() as u64 > limit {
        return Err(ImportError::TooLarge { path: path.to_owned(), limit_bytes: limit });
    }
    match cut {
        Some(why) if bytes.is_empty() => Err(failed(why)),
        cut => Ok((bytes, cut)),
    }
}

/// Opens what stands at a path.
pub(super) fn open(path: &Path) -> Result<(Format, Opened), ImportError> {
    let failed = |why: io::Error| ImportError::Io { path: path.to_owned(), why };
    let refused = |why| ImportError::Strace { path: path.to_owned(), why: Box::new(why) };
    if fs::metadata(path).map_err(failed)?.is_dir() {
        let recording = read_dir_of_pids(path).map_err(refused)?;
        return Ok((Format::Strace, Opened::Recording(Box::new((recording, SideFile::default())))));
    }
    let (bytes, cut) = read_whole(path, MAX_INPUT_BYTES)?;
    if bytes.is_empty() {
        return Err(ImportError::Empty { path: path.to_owned() });
    }
    let is_twin = bytes.trim_ascii_start().first() == Some(&b'{');
    if is_twin {
        return Ok((Format::Twin, Opened::Twin(whole_lines(bytes, cut).map_err(failed)?)));
    }
    if is_tar(&bytes) {
        return cut.map_or_else(|| open_tar(path, &bytes), |why| Err(failed(why)));
    }
    // A trace that is cut lacks its end, and its reader says so.
    if bytes.starts_with(&MAGIC) {
        return Ok((Format::Trace, Opened::Trace(bytes)));
    }
    let named = plain_name(path).extension().is_some_and(|end| end == "strace");
    if !named && !looks_like_strace(&bytes) {
        return Err(ImportError::Foreign { path: path.to_owned() });
    }
    let side = side_file(path)?;
    let left = MAX_MEMORY_BYTES.saturating_sub(bytes.len() as u64);
    let mut recording = Events::new(bytes.as_slice()).read_all_within(left);
    if let Some(why) = cut {
        // Only a torn last line: an error farther up is the first damage.
        let line = bytes.iter().filter(|byte| **byte == b'\n').count() as u64 + 1;
        if recording.error.as_ref().is_none_or(|error| error.line >= line) {
            recording.error =
                Some(strace::Error { line, ..strace::Error::whole(Reason::Unpacking(why)) });
        }
    }
    Ok((Format::Strace, Opened::Recording(Box::new((recording, side)))))
}

/// A twin whose file may stop early: its whole lines.
fn whole_lines(mut text: Vec<u8>, cut: Option<io::Error>) -> Result<Twin, io::Error> {
    let Some(why) = cut else { return Ok(Twin { text, cut: None }) };
    let Some(end) = text.iter().rposition(|byte| *byte == b'\n') else { return Err(why) };
    text.truncate(end + 1);
    let line = text.iter().filter(|byte| **byte == b'\n').count() as u64 + 1;
    let why = format!("line {line}: {}", Reason::Unpacking(why));
    Ok(Twin { text, cut: Some(Damage { line: Some(line), offset: None, why }) })
}

fn is_tar(bytes: &[u8]) -> bool {
    bytes.get(257..262) == Some(b"ustar")
}

/// A tar of `NAME.PID` files: unpacked beside nothing, in memory-backed temporary files.
fn open_tar(path: &Path, bytes: &[u8]) -> Result<(Format, Opened), ImportError> {
    let failed = |why: io::Error| ImportError::Io { path: path.to_owned(), why };
    let folder = TemporaryFolder::new().map_err(failed)?;
    let mut archive = tar::Archive::new(bytes);
    for entry in archive.entries().map_err(failed)? {
        let mut entry = entry.map_err(failed)?;
        if !entry.header().entry_type().is_file() {
            continue;
        }
        let name = entry.path().map_err(failed)?.file_name().map(PathBuf::from);
        let Some(name) = name else { continue };
        let mut out = File::create(folder.0.join(name)).map_err(failed)?;
        io::copy(&mut (&mut entry).take(MAX_INPUT_BYTES), &mut out).map_err(failed)?;
    }
    let recording = read_dir_of_pids(&folder.0)
        .map_err(|why| ImportError::Strace { path: path.to_owned(), why: Box::new(why) })?;
    Ok((Format::Strace, Opened::Recording(Box::new((recording, SideFile::default())))))
}

/// A folder that goes when it is dropped.
struct TemporaryFolder(PathBuf);

impl TemporaryFolder {
    fn new() -> io::Result<Self> {
        let base = std::env::temp_dir();
        for attempt in 0..1000_u32 {
            let path = base.join(format!("tickernel-{}-{attempt}", std::process::id()));
            match fs::create_dir(&path) {
                Ok(()) => return Ok(Self(path)),
                Err(why) if why.kind() == io::ErrorKind::AlreadyExists => {}
                Err(why) => return Err(why),
            }
        }
        Err(io::Error::other("no free name for a temporary folder"))
    }
}

impl Drop for TemporaryFolder {
    fn drop(&mut self) {
        // Nothing to be done about what cannot be removed.
        fs::remove_dir_all(&self.0).unwrap_or(());
    }
}

/// The name without `.zst` or `.gz`.
fn plain_name(path: &Path) -> PathBuf {
    match path.extension().and_then(|end| end.to_str()) {
        Some("zst" | "gz") => path.with_extension(""),
        _ => path.to_owned(),
    }
}

/// `NAME.meta.json` beside the recording, also packed.
fn side_file(path: &Path) -> Result<SideFile, ImportError> {
    let plain = plain_name(path);
    let base = match plain.extension().and_then(|end| end.to_str()) {
        Some("strace") => plain.with_extension(""),
        _ => plain,
    };
    for end in [".meta.json", ".meta.json.zst", ".meta.json.gz"] {
        let mut name = base.clone().into_os_string();
        name.push(end);
        let name = PathBuf::from(name);
        if !name.exists() {
            continue;
        }
        let (text, cut) = read_whole(&name, MAX_SIDE_BYTES)?;
        if let Some(why) = cut {
            return Err(ImportError::Io { path: name, why });
        }
        return SideFile::parse(&text).map_err(|why| ImportError::SideFile { path: name, why });
    }
    Ok(SideFile::default())
}
