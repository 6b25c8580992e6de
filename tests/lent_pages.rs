//! Pages of files that lie in pipes, through the `Kernel` interface: they outlast a snapshot at any
//! step, are let go of by whoever reads or closes the pipe, and are counted as a walk counts them.

use tickernel_systems::abi::flags::{O_CREAT, O_NONBLOCK, O_RDWR};
use tickernel_systems::event::{Answer, Call, Outcome, Payload};
use tickernel_systems::{Config, Kernel};

const PAGE: usize = 4096;

/// A kernel that is put away and taken out again before each call.
struct Again(Kernel);

impl Again {
    fn call(&mut self, call: Call<'_>) -> Outcome {
        self.0.audit().expect("counters that a walk finds");
        let mut again = Kernel::restore(&self.0.snapshot()).expect("an own snapshot");
        assert_eq!(again.digests(), self.0.digests());
        self.0 = again;
        self.0.call(1, call)
    }

    fn value(&mut self, call: Call<'_>) -> i64 {
        match self.call(call) {
            Outcome::Done(Answer { value, .. }) => value,
            other => panic!("{other:?}"),
        }
    }

    fn bytes(&mut self, fd: i32) -> Vec<u8> {
        match self.call(Call::Read { fd, count: 100_000 }) {
            Outcome::Done(Answer { payload: Payload::Data(data), .. }) => data.0,
            other => panic!("{other:?}"),
        }
    }

    fn write(&mut self, fd: i32, byte: u8, count: usize, offset: i64) {
        let written = self.value(Call::Pwrite64 { fd, data: &vec![byte; count], offset });
        assert_eq!(written, count as i64);
    }

    /// The pages of the file at 3, into the pipe at 4 and 5.
    fn splice(&mut self, offset: i64, len: u64) {
        let (fd_in, fd_out, off_in) = (3, 5, Some(offset));
        let call = Call::Splice { fd_in, off_in, fd_out, off_out: None, len, flags: 0 };
        assert_eq!(self.value(call), len as i64);
    }
}

/// Two pages of `a` at 3; a pipe from 5 to 4, another from 7 to 6.
fn begin() -> Again {
    let mut kernel = Again(Kernel::new(Config::default()));
    let path = Some(&b"/tmp/f"[..]);
    let open = Call::Open { path, flags: O_RDWR | O_CREAT, mode: 0o644 };
    assert_eq!(kernel.value(open), 3);
    kernel.write(3, b'a', 2 * PAGE, 0);
    kernel.value(Call::Pipe2 { flags: O_NONBLOCK });
    kernel.value(Call::Pipe2 { flags: O_NONBLOCK });
    kernel
}

#[test]
fn a_snapshot_keeps_whose_pages_they_are() {
    let mut kernel = begin();
    assert!(kernel.0.fs().lends_nothing());
    kernel.splice(10, 2 * PAGE as u64 - 10);
    let tee = Call::Tee { fd_in: 4, fd_out: 7, len: 100_000, flags: 0 };
    assert_eq!(kernel.value(tee), 2 * PAGE as i64 - 10);
    kernel.write(3, b'b', 20, 0);
    // The second page leaves the file as it is, the first does not.
    assert_eq!(kernel.value(Call::Ftruncate { fd: 3, length: PAGE as i64 }), 0);
    kernel.write(3, b'c', 2 * PAGE, 15);
    let wanted = [&[b'b'; 5][..], &[b'c'; PAGE - 15], &[b'a'; PAGE]].concat();
    assert_eq!(kernel.bytes(4), wanted);
    assert!(!kernel.0.fs().lends_nothing());
    kernel.write(3, b'd', 20, 0);
    let wanted = [&[b'd'; 10][..], &[b'c'; PAGE - 20], &[b'a'; PAGE]].concat();
    assert_eq!(kernel.bytes(6), wanted);
    assert!(kernel.0.fs().lends_nothing());
}

#[test]
fn a_file_that_is_gone_leaves_its_pages_to_the_pipe() {
    let mut kernel = begin();
    kernel.splice(0, 100);
    assert_eq!(kernel.value(Call::Unlink { path: Some(b"/tmp/f") }), 0);
    kernel.write(3, b'b', 50, 0);
    assert_eq!(kernel.value(Call::Close { fd: 3 }), 0);
    assert_eq!(kernel.0.pipe_bytes(1, 4, 100), [[b'b'; 50], [b'a'; 50]].concat());
    assert_eq!(kernel.bytes(4), [[b'b'; 50], [b'a'; 50]].concat());
    assert!(kernel.0.fs().lends_nothing());
}

#[test]
fn a_pipe_that_is_closed_lets_go_of_them() {
    let mut kernel = begin();
    kernel.splice(0, 5000);
    for fd in [4, 5] {
        assert!(!kernel.0.fs().lends_nothing());
        assert_eq!(kernel.value(Call::Close { fd }), 0);
    }
    assert!(kernel.0.fs().lends_nothing());
    kernel.0.audit().expect("counters that a walk finds");
}
