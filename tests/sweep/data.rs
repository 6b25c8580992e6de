//! What lies in files: holes, fallocate(2) in all its modes, truncation, copies between files, and
//! the ends of what offsets can say.

use crate::case::{Case, ROOT, Sink, mknod, open};
use serde_json::{Value, json};

/// Layouts of a file: ranges that are written, and its size.
const LAYOUTS: [(&[(i64, usize)], i64); 6] = [
    (&[], 0),
    (&[(0, 5)], 5),
    (&[(0, 4096), (8192, 4096)], 12_288),
    (&[(4096, 100)], 20_000),
    (&[(0, 12_288)], 12_288),
    (&[(1000, 1), (9000, 1)], 9001),
];

fn write(fd: i64, at: i64, length: usize) -> Value {
    let data: String = ('a'..='z').cycle().take(length).collect();
    json!({"call": "pwrite64", "fd": fd, "data": data, "offset": at})
}

/// A case with a laid out file open at 3.
fn laid_out((ranges, size): (&[(i64, usize)], i64)) -> Case {
    let mut case = Case::new(ROOT, vec![mknod("x", "S_IFREG|0644")], open("x", "O_RDWR"));
    for (at, length) in ranges {
        case = case.then(write(3, *at, *length));
    }
    case.then(json!({"call": "ftruncate", "fd": 3, "length": size}))
}

/// What the file holds afterwards.
fn looked_at(mut case: Case) -> Case {
    case = case.then(json!({"call": "fstat", "fd": 3}));
    // A look at what is only reserved makes it data, once its zeros are in memory.
    for at in [0, 1000, 4096, 8192, 12_288] {
        for whence in ["SEEK_DATA", "SEEK_HOLE"] {
            case = case.then(json!({"call": "lseek", "fd": 3, "offset": at, "whence": whence}));
        }
    }
    case.then(json!({"call": "pread64", "fd": 3, "count": 24_000, "offset": 0}))
}

pub(crate) fn data(sink: &mut Sink<'_>) {
    allocations(sink);
    lengths(sink);
    copies(sink);
    accesses(sink);
    ends(sink);
}

fn allocations(sink: &mut Sink<'_>) {
    let modes = [
        "0",
        "FALLOC_FL_KEEP_SIZE",
        "FALLOC_FL_PUNCH_HOLE",
        "FALLOC_FL_PUNCH_HOLE|FALLOC_FL_KEEP_SIZE",
        "FALLOC_FL_ZERO_RANGE",
        "FALLOC_FL_ZERO_RANGE|FALLOC_FL_KEEP_SIZE",
        "FALLOC_FL_COLLAPSE_RANGE",
        "FALLOC_FL_COLLAPSE_RANGE|FALLOC_FL_KEEP_SIZE",
        "FALLOC_FL_INSERT_RANGE",
        "FALLOC_FL_INSERT_RANGE|FALLOC_FL_KEEP_SIZE",
        "FALLOC_FL_UNSHARE_RANGE",
        "FALLOC_FL_PUNCH_HOLE|FALLOC_FL_ZERO_RANGE|FALLOC_FL_KEEP_SIZE",
        "0x80",
        "0x100",
    ];
    let ranges = [
        (0, 5),
        (0, 4096),
        (4096, 4096),
        (4096, 8192),
        (1000, 3000),
        (8192, 4096),
        (12_288, 4096),
        (0, 20_480),
        (100, 9000),
        (16_384, 4096),
        (0, 0),
        (-1, 5),
        (0, -1),
        (i64::MAX, 1),
        (1 << 44, 4096),
        ((1 << 44) - 4096, 4096),
    ];
    for layout in LAYOUTS {
        for (mode, (offset, len)) in
            modes.into_iter().flat_map(|mode| ranges.map(|range| (mode, range)))
        {
            let asked =
                json!({"call": "fallocate", "fd": 3, "mode": mode, "offset": offset, "len": len});
            let case = laid_out(layout).then(asked);
            // Deliberate: which zeros ext4 writes and which it leaves as holes, its extents say.
            if mode.contains("ZERO_RANGE") {
                let read = json!({"call": "pread64", "fd": 3, "count": 24_000, "offset": 0});
                sink(case.then(json!({"call": "fstat", "fd": 3})).then(read).watching(&["x"]));
            } else {
                sink(looked_at(case).watching(&["x"]));
            }
        }
    }
}

fn lengths(sink: &mut Sink<'_>) {
    for layout in LAYOUTS {
        for length in [
            0,
            1,
            5,
            1000,
            4095,
            4096,
            4097,
            9000,
            12_288,
            30_000,
            (1_i64 << 44) - 4096,
            1 << 44,
            -1,
        ] {
            let asked = json!({"call": "ftruncate", "fd": 3, "length": length});
            let again = json!({"call": "ftruncate", "fd": 3, "length": 16_384});
            sink(looked_at(laid_out(layout).then(asked.clone())));
            sink(looked_at(laid_out(layout).then(asked).then(again)));
        }
        for (at, length) in [(0, 1), (5, 4096), (4096, 1), (20_000, 100), (12_000, 0)] {
            sink(looked_at(laid_out(layout).then(write(3, at, length))));
            let append = json!({"call": "fcntl", "fd": 3, "cmd": "F_SETFL", "arg": "O_APPEND"});
            sink(looked_at(laid_out(layout).then(append).then(write(3, at, length))));
        }
    }
}

fn copies(sink: &mut Sink<'_>) {
    let offsets = [Value::Null, 0.into(), 3.into(), 4096.into(), 30_000.into(), (-1).into()];
    for layout in LAYOUTS {
        for (from, to) in offsets.iter().flat_map(|from| offsets.iter().map(move |to| (from, to))) {
            for (length, out) in
                [0, 5, 4096, 10_000, -1].into_iter().flat_map(|n| [3, 4].map(|out| (n, out)))
            {
                let mut asked = json!({"call": "copy_file_range", "fd_in": 3, "fd_out": out,
                    "len": length, "flags": 0});
                for (name, offset) in [("off_in", from), ("off_out", to)] {
                    if !offset.is_null() {
                        asked[name] = offset.clone();
                    }
                }
                let other =
                    json!({"call": "open", "path": "y", "flags": "O_RDWR|O_CREAT", "mode": "0644"});
                let back = json!({"call": "lseek", "fd": 3, "offset": 0, "whence": "SEEK_SET"});
                let case = laid_out(layout).then(back).then(other).then(asked);
                let case =
                    case.then(json!({"call": "pread64", "fd": 4, "count": 24_000, "offset": 0}));
                sink(looked_at(case).watching(&["x"]));
            }
        }
    }
}

/// What counts as an access of the file that is read, and what does not.
fn accesses(sink: &mut Sink<'_>) {
    let ends = [0, 5, 12_288, (1 << 44) - 4097, (1 << 44) - 4096, i64::MAX - 5];
    for layout in [LAYOUTS[0], LAYOUTS[4]] {
        for (at, count) in ends.iter().flat_map(|at| [0, 5].map(|count| (*at, count))) {
            let send = |out: i64| {
                let mut asked = json!({"call": "sendfile", "in_fd": 3, "offset": at});
                (asked["out_fd"], asked["count"]) = (out.into(), count.into());
                asked
            };
            let splice = json!({"call": "splice", "fd_in": 3, "off_in": at, "fd_out": 8,
                "len": count, "flags": "SPLICE_F_NONBLOCK"});
            let copy = json!({"call": "copy_file_range", "fd_in": 3, "off_in": at, "fd_out": 6,
                "len": count, "flags": 0});
            let read = json!({"call": "pread64", "fd": 3, "count": count, "offset": at});
            for asked in [send(4), send(5), send(6), send(8), splice, copy, read] {
                let mut case = laid_out(layout);
                for (path, flags) in
                    [("/dev/full", "O_RDWR"), ("/dev/null", "O_RDWR"), ("y", "O_RDWR|O_CREAT")]
                {
                    case = case.then(open(path, flags));
                }
                let case = case.then(json!({"call": "pipe"})).then(asked);
                sink(case.watching(&["x"]));
            }
        }
    }
}

/// Offsets and sizes at the ends of their types.
fn ends(sink: &mut Sink<'_>) {
    let largest = (1_i64 << 44) - 4096;
    for at in [
        largest - 1,
        largest,
        largest + 1,
        1 << 44,
        (1 << 44) - 1,
        i64::MAX - 1,
        i64::MAX,
        i64::MIN,
        -1,
    ] {
        let requests = [
            write(3, at, 3),
            write(3, at, 0),
            json!({"call": "pread64", "fd": 3, "count": 3, "offset": at}),
            json!({"call": "lseek", "fd": 3, "offset": at, "whence": "SEEK_SET"}),
            json!({"call": "lseek", "fd": 3, "offset": at, "whence": "SEEK_END"}),
            json!({"call": "lseek", "fd": 3, "offset": at, "whence": "SEEK_DATA"}),
            json!({"call": "ftruncate", "fd": 3, "length": at}),
            json!({"call": "truncate", "path": "x", "length": at}),
            // Room for that much has no disk: nothing that could be had is asked for.
            json!({"call": "fallocate", "fd": 3, "mode": 0, "offset": 5, "len": at.max(largest)}),
            json!({"call": "readahead", "fd": 3, "offset": at, "count": 5}),
            json!({"call": "sync_file_range", "fd": 3, "offset": at, "nbytes": 5, "flags": 0}),
            json!({"call": "fadvise64", "fd": 3, "offset": at, "len": 5, "advice": 0}),
            json!({"call": "fcntl", "fd": 3, "cmd": "F_SETLK", "arg": {"type": "F_WRLCK",
                "whence": "SEEK_SET", "start": at, "len": 5}}),
            json!({"call": "fcntl", "fd": 3, "cmd": "F_SETLK", "arg": {"type": "F_WRLCK",
                "whence": "SEEK_END", "start": at, "len": 0}}),
            json!({"call": "fcntl", "fd": 3, "cmd": "F_SETLK", "arg": {"type": "F_WRLCK",
                "whence": "SEEK_SET", "start": 5, "len": at}}),
        ];
        for asked in requests {
            let after = json!({"call": "write", "fd": 3, "data": "z"});
            let case = laid_out(LAYOUTS[1]).then(asked).then(after);
            sink(case.then(json!({"call": "fstat", "fd": 3})));
        }
    }
}
