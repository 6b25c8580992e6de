//! What the choices of poll(2) and select(2) choose among.

use super::lower::Lowering;
use serde_json::{Value, json};

const EVENTS: [&str; 5] = ["POLLIN", "POLLOUT", "POLLIN|POLLOUT", "POLLPRI", ""];

impl Lowering<'_> {
    pub(super) fn poll(&self) -> Value {
        let item = |fd: i64, choice| json!({"fd": fd, "events": self.pick(choice, &EVENTS)});
        let mut fds = vec![item(self.any_fd(0), 1)];
        if self.choices[2] > 100 {
            fds.push(item(self.any_fd(2), 3));
        }
        if self.choices[2] > 220 {
            fds.push(item(self.pick(2, &[-1, 77]), 1));
        }
        let timeout = if self.alone || self.choices[3].is_multiple_of(2) { 0 } else { -1 };
        json!({"call": "poll", "fds": fds, "timeout": timeout})
    }

    pub(super) fn select(&self) -> Value {
        // Beside a descriptor now and then what lies in the last word, and beyond it.
        let list = |choice: usize| {
            let mut list = match self.any_fd(choice) {
                fd @ 0..=63 => vec![fd],
                _ => vec![],
            };
            match self.choices[choice] % 16 {
                11 => list.push(64),
                12 => list.extend([200, 5]),
                13 => list.push(63),
                14 => list.extend([64, 128]),
                15 => list.clear(),
                _ => {}
            }
            list
        };
        let nfds = self.pick(3, &[64, 64, 64, 4, -1, 0, 64, 1, 65, 1000, 6]);
        let mut request = json!({"call": "select", "nfds": nfds, "readfds": list(0),
            "writefds": list(1)});
        if self.choices[3] % 4 == 1 {
            request["exceptfds"] = list(2).into();
        }
        if self.choices[1] > 240 {
            request["writefds"] = Value::Null;
        }
        if self.alone || self.choices[2].is_multiple_of(2) {
            request["timeout"] = json!({"sec": 0, "usec": 0});
        }
        request
    }
}
