//! What the choices of actions on objects without a name choose among: counters of eventfd(2),
//! pidfds, files of memory, pages that go from pipe to pipe.

use super::Action;
use super::lower::Lowering;
use super::player::Kind;
use serde_json::{Value, json};

/// Values of a counter around what matters, as their eight bytes.
const COUNTS: [u64; 6] = [1, 2, 0, u64::MAX - 1, u64::MAX, 1 << 40];
const LENGTHS: [i64; 9] = [5, 1, 100, 4096, 4097, 70_000, 0, 20, 1 << 40];
const SPLICE_FLAGS: [&str; 5] =
    ["0", "SPLICE_F_NONBLOCK", "0", "SPLICE_F_MOVE|SPLICE_F_MORE", "0x100"];

/// Eight bytes in base 64 (RFC 4648).
pub(super) fn counter_bytes(value: u64) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let bits = u128::from(value.swap_bytes()) << 8;
    let letter = |at: u32| char::from(LETTERS[(bits >> (66 - 6 * at)) as usize & 63]);
    (0..11).map(letter).chain(['=']).collect()
}

impl Lowering<'_> {
    pub(super) fn object(&self, action: Action) -> Value {
        match action {
            Action::Eventfd => {
                let flags = ["0", "EFD_NONBLOCK", "EFD_SEMAPHORE", "EFD_CLOEXEC|EFD_NONBLOCK", "2"];
                json!({"call": "eventfd2", "initval": self.pick(1, &[0, 0, 1, 3, -1]),
                    "flags": self.pick(0, &flags)})
            }
            Action::EventWrite => {
                let fd = self.counter(0);
                match self.choices[2] {
                    200.. => json!({"call": "write", "fd": fd, "data": self.pick(1, &["", "x"])}),
                    _ => json!({"call": "write", "fd": fd,
                        "data_b64": counter_bytes(self.pick(1, &COUNTS))}),
                }
            }
            Action::EventRead => {
                json!({"call": "read", "fd": self.counter(0), "count": self.pick(1, &[8, 100, 7, 0])})
            }
            Action::PidfdOpen => {
                let flags = self.pick(1, &["0", "0", "PIDFD_NONBLOCK", "1"]);
                let target = self.pick(2, &[self.process_id(0), self.process_id(0), 0, -1]);
                json!({"call": "pidfd_open", "target": target, "flags": flags})
            }
            Action::PidfdSendSignal => {
                let flags = self.pick(3, &[0, 0, 0, 2, 8]);
                json!({"call": "pidfd_send_signal", "pidfd": self.pidfd(0),
                    "sig": self.any_signal(2), "flags": flags})
            }
            Action::PidfdGetfd => {
                let target = self.pick(1, &[1, 3, 4, 99, -1]);
                json!({"call": "pidfd_getfd", "pidfd": self.pidfd(0), "targetfd": target,
                    "flags": self.pick(2, &[0, 0, 0, 1])})
            }
            Action::PidfdWait => {
                let nohang = if self.alone { "|WNOHANG" } else { "" };
                let options = self.pick(1, &["WEXITED", "WEXITED|WSTOPPED", "WEXITED|WNOWAIT"]);
                json!({"call": "waitid", "idtype": "P_PIDFD", "id": self.pidfd(0),
                    "options": format!("{options}{nohang}")})
            }
            Action::Memfd => {
                let flags = ["MFD_ALLOW_SEALING", "0", "MFD_CLOEXEC", "MFD_NOEXEC_SEAL", "0x20"];
                json!({"call": "memfd_create", "name": self.pick(1, &["m", "", "a/b"]),
                    "flags": self.pick(0, &flags)})
            }
            Action::Seal => {
                let fd = self.fd(0, &[Kind::Memory]);
                match self.choices[1] {
                    180.. => json!({"call": "fcntl", "fd": fd, "cmd": "F_GET_SEALS"}),
                    _ => json!({"call": "fcntl", "fd": fd, "cmd": "F_ADD_SEALS",
                        "arg": self.pick(2, &[2, 4, 8, 1, 0x10, 0, 0x40])}),
                }
            }
            Action::Tee => {
                json!({"call": "tee", "fd_in": self.fd(0, &[Kind::Reader]),
                    "fd_out": self.fd(1, &[Kind::Writer]), "len": self.pick(2, &LENGTHS),
                    "flags": self.splice_flags()})
            }
            _ => self.splice(),
        }
    }

    fn counter(&self, choice: usize) -> i64 {
        self.fd(choice, &[Kind::Counter])
    }

    fn pidfd(&self, choice: usize) -> i64 {
        self.fd(choice, &[Kind::Process])
    }

    pub(super) fn splice_flags(&self) -> &'static str {
        let flags = self.pick(3, &SPLICE_FLAGS);
        if self.alone && flags == "0" { "SPLICE_F_NONBLOCK" } else { flags }
    }

    /// From a pipe, or of bytes that never change: what lies in a pipe would change with the file
    /// that it came from.
    fn splice(&self) -> Value {
        let input = self.fd(0, &[Kind::Reader, Kind::Reader, Kind::Zeros, Kind::Socket]);
        let input = match self.kind_of(input) {
            Some(Kind::File | Kind::Memory) => -1,
            _ => input,
        };
        let output = self.fd(1, &[Kind::Writer, Kind::File, Kind::Memory, Kind::Socket]);
        let len = self.pick(2, &LENGTHS);
        let len = if self.kind_of(input) == Some(Kind::Zeros) { len.min(70_000) } else { len };
        let mut request = json!({"call": "splice", "fd_in": input, "fd_out": output, "len": len,
            "flags": self.splice_flags()});
        match self.choices[3] % 8 {
            6 => request["off_out"] = self.pick(2, &[0, 5, 4095, -1]).into(),
            7 => request["off_in"] = 0.into(),
            _ => {}
        }
        request
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_counter_is_written_in_base_64() {
        assert_eq!(super::counter_bytes(1), "AQAAAAAAAAA=");
        assert_eq!(super::counter_bytes(u64::MAX), "//////////8=");
    }
}
