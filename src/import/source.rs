//! Opens an input: what it is, unpacked, with its side file (CLI.md, "Commands").

use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

use super::meta::SideFile;
use super::{Format, ImportError, Twin};
use crate::replay::Damage;
use crate::strace::{self, Events, Reason, Recording, looks_like_strace, read_dir_of_pids};
use crate::trace::MAGIC;

/// Most bytes of an input after unpacking.
const MAX_INPUT_BYTES: u64 = 768 << 20;
/// Most bytes of a recording's text after unpacking: a packed file may stand for any number.
const MAX_TEXT_BYTES: u64 = 64 << 30;
/// Most bytes of the files in an archive: they are unpacked on the disk.
const MAX_ARCHIVE_BYTES: u64 = 16 << 30;
/// Most bytes of a side file.
const MAX_SIDE_BYTES: u64 = 64 << 20;

/// An opened input.
pub(super) enum Opened {
    /// strace text, parsed, and its side file.
    Recording(Box<(Recording, SideFile)>),
    /// The bytes of a trace.
    Trace(Vec<u8>),
    /// The file is a trace as it is.
    Stored,
    /// The JSON twin's text.
    Twin(Twin),
}

/// Bytes from which an input is told.
const HEAD_BYTES: u64 = 64 << 10;
/// The name that stands for standard input.
const STANDARD_INPUT: &str = "-";

/// A file being read, unpacked.
struct Unpacked {
    reader: Box<dyn Read>,
    /// It is unpacked: what goes wrong is most likely the packing's.
    is_packed: bool,
}

impl Unpacked {
    /// Opens a file. What its name ends in says how it is packed; of standard input its first
    /// bytes do (RFC 8878, RFC 1952).
    fn open(path: &Path) -> io::Result<Self> {
        let mut file: Box<dyn BufRead> = match path.to_str() {
            Some(STANDARD_INPUT) => Box::new(BufReader::new(io::stdin())),
            _ => Box::new(BufReader::new(File::open(path)?)),
        };
        let packing = match path.extension().and_then(|end| end.to_str()) {
            Some(end @ ("zst" | "gz")) => end.to_owned(),
            _ if path == Path::new(STANDARD_INPUT) => match file.fill_buf()? {
                [0x28, 0xb5, 0x2f, 0xfd, ..] => "zst".to_owned(),
                [0x1f, 0x8b, ..] => "gz".to_owned(),
                _ => String::new(),
            },
            _ => String::new(),
        };
        Ok(match packing.as_str() {
            "zst" => Self { reader: Box::new(zstd::Decoder::with_buffer(file)?), is_packed: true },
            "gz" => Self {
                reader: Box::new(flate2::bufread::MultiGzDecoder::new(file)),
                is_packed: true,
            },
            _ => Self { reader: Box::new(file), is_packed: false },
        })
    }

    /// Reads on after `bytes` to the end, or to an error, or one byte beyond the limit.
    fn read_on(&mut self, bytes: &mut Vec<u8>, limit: u64) -> Option<io::Error> {
        let left = limit.saturating_sub(bytes.len() as u64);
        self.reader.by_ref().take(left + 1).read_to_end(bytes).err()
    }
}

/// What is packed is read in order, so the packing's error is that of the line where it comes.
fn unpacking(mut recording: Recording, is_packed: bool) -> Recording {
    recording.error = recording.error.map(|error| match error.reason {
        Reason::Io(why) if is_packed => strace::Error { reason: Reason::Unpacking(why), ..error },
        reason => strace::Error { reason, ..error },
    });
    recording
}

/// Opens what stands at a path.
pub(super) fn open(path: &Path) -> Result<(Format, Opened), ImportError> {
    let failed = |why: io::Error| ImportError::Io { path: path.to_owned(), why };
    let refused = |why| ImportError::Strace { path: path.to_owned(), why: Box::new(why) };
    let is_stream = path == Path::new(STANDARD_INPUT);
    let kind = if is_stream { None } else { Some(fs::metadata(path).map_err(failed)?.file_type()) };
    let is_file = kind.is_some_and(|kind| kind.is_file());
    if kind.is_some_and(|kind| kind.is_dir()) {
        let recording = read_dir_of_pids(path).map_err(refused)?;
        return Ok((Format::Strace, Opened::Recording(Box::new((recording, SideFile::default())))));
    }
    let mut input = Unpacked::open(path).map_err(failed)?;
    let mut bytes = Vec::new();
    let mut cut = input.read_on(&mut bytes, HEAD_BYTES);
    match cut {
        Some(why) if bytes.is_empty() => return Err(failed(why)),
        None if bytes.is_empty() => return Err(ImportError::Empty { path: path.to_owned() }),
        Some(_) | None => {}
    }
    let is_twin = bytes.trim_ascii_start().first() == Some(&b'{');
    let (is_archive, is_trace) = (is_tar(&bytes), bytes.starts_with(&MAGIC));
    if is_archive {
        let rest: Box<dyn Read> = match cut {
            Some(why) => Box::new(Failing(Some(why))),
            None => input.reader,
        };
        return open_tar(path, io::Cursor::new(bytes).chain(rest));
    }
    if is_trace && !input.is_packed && is_file {
        return Ok((Format::Trace, Opened::Stored));
    }
    if is_twin || is_trace {
        if cut.is_none() {
            cut = input.read_on(&mut bytes, MAX_INPUT_BYTES);
        }
        if bytes.len() as u64 > MAX_INPUT_BYTES {
            let (path, limit_bytes) = (path.to_owned(), MAX_INPUT_BYTES);
            return Err(ImportError::TooLarge { path, limit_bytes });
        }
        return match cut {
            cut if is_twin => {
                Ok((Format::Twin, Opened::Twin(whole_lines(bytes, cut).map_err(failed)?)))
            }
            // A trace that is cut lacks its end, and its reader says so.
            _ => Ok((Format::Trace, Opened::Trace(bytes))),
        };
    }
    if bytes.starts_with(b"\xff\xfe") || bytes.starts_with(b"\xfe\xff") {
        return Err(ImportError::Utf16 { path: path.to_owned() });
    }
    if let Some((_, by)) = PACKED.iter().find(|(magic, _)| bytes.starts_with(magic)) {
        return Err(ImportError::Packed { path: path.to_owned(), by });
    }
    let named = plain_name(path).extension().is_some_and(|end| end == "strace");
    if !named && !looks_like_strace(&bytes) {
        return Err(ImportError::Foreign { path: path.to_owned() });
    }
    let side = if is_stream { SideFile::default() } else { side_file(path) };
    let is_packed = input.is_packed;
    let rest: Box<dyn Read> = match cut {
        Some(why) => Box::new(Failing(Some(why))),
        None => input.reader,
    };
    let text = BufReader::new(io::Cursor::new(bytes).chain(rest));
    let recording = Events::new(text).read_all_within(MAX_TEXT_BYTES);
    Ok((Format::Strace, Opened::Recording(Box::new((unpacking(recording, is_packed), side)))))
}

/// How files begin that were packed otherwise than is undone here.
const PACKED: &[(&[u8], &str)] = &[
    (b"\xfd7zXZ\0", "xz"),
    (b"BZh", "bzip2"),
    (b"PK\x03\x04", "zip"),
    (b"7z\xbc\xaf\x27\x1c", "7-Zip"),
    (b"\x04\x22\x4d\x18", "lz4"),
];

/// A reader whose end is an error that came before.
struct Failing(Option<io::Error>);

impl Read for Failing {
    fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
        self.0.take().map_or(Ok(0), Err)
    }
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

/// A tar of `NAME.PID` files: unpacked into a temporary folder.
fn open_tar<R: Read>(path: &Path, input: R) -> Result<(Format, Opened), ImportError> {
    let failed = |why: io::Error| ImportError::Io { path: path.to_owned(), why };
    let folder = TemporaryFolder::new().map_err(failed)?;
    let mut archive = tar::Archive::new(input);
    let mut left = MAX_ARCHIVE_BYTES;
    for entry in archive.entries().map_err(failed)? {
        let mut entry = entry.map_err(failed)?;
        if !entry.header().entry_type().is_file() {
            continue;
        }
        let name = entry.path().map_err(failed)?.file_name().map(PathBuf::from);
        let Some(name) = name else { continue };
        let mut out = File::create(folder.0.join(name)).map_err(failed)?;
        left =
            left.saturating_sub(io::copy(&mut (&mut entry).take(left), &mut out).map_err(failed)?);
        if left == 0 {
            let (path, limit_bytes) = (path.to_owned(), MAX_ARCHIVE_BYTES);
            return Err(ImportError::TooLarge { path, limit_bytes });
        }
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

/// `NAME.meta.json` beside the recording, also packed. A recording is usable without it: what is
/// wrong with the file is told as damage.
fn side_file(path: &Path) -> SideFile {
    let plain = plain_name(path);
    let base = match plain.extension().and_then(|end| end.to_str()) {
        Some("strace") => plain.with_extension(""),
        _ => plain,
    };
    for end in [".meta.json", ".meta.json.zst", ".meta.json.gz"] {
        let mut name = base.clone().into_os_string();
        name.push(end);
        let name = PathBuf::from(name);
        if name.exists() {
            return read_side_file(&name);
        }
    }
    SideFile::default()
}

fn read_side_file(name: &Path) -> SideFile {
    let unusable = |why: &dyn std::fmt::Display, line: Option<u64>| {
        SideFile::unusable(format_args!("{}: {why}", name.display()), line)
    };
    let mut text = Vec::new();
    let read = Unpacked::open(name).map(|mut file| file.read_on(&mut text, MAX_SIDE_BYTES));
    match read {
        Err(why) | Ok(Some(why)) => return unusable(&why, None),
        Ok(None) => {}
    }
    if text.len() as u64 > MAX_SIDE_BYTES {
        let limit = MAX_SIDE_BYTES >> 20;
        return unusable(&format_args!("larger than the {limit} MiB that are read"), None);
    }
    SideFile::parse(&text).unwrap_or_else(|why| {
        let line = u64::try_from(why.line()).ok().filter(|line| *line > 0);
        unusable(&why, line)
    })
}
