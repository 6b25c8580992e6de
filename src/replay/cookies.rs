//! Cookies of renames in what a read of inotify(7) gives: a counter of the whole machine, so they
//! are bound (IMPORT.md, "cookies").

use std::collections::BTreeMap;
use tickernel_systems::abi::flags::{IN_MOVED_FROM, IN_MOVED_TO};

/// Bytes of `struct inotify_event` without its name.
const EVENT_BYTES: usize = 16;

/// Cookies of the recording with those of the simulation.
#[derive(Debug, Default)]
pub(super) struct Cookies(BTreeMap<u32, u32>);

/// An event: the bytes beside the cookie, and the cookie.
type Event<'b> = ([&'b [u8]; 2], u32);

impl Cookies {
    /// Whether both are events that are alike but for the cookies, and these go together as before.
    pub(super) fn bind(&mut self, recorded: &[u8], simulated: &[u8]) -> bool {
        let (Some(recorded), Some(simulated)) = (events(recorded), events(simulated)) else {
            return false;
        };
        let alike = recorded.len() == simulated.len()
            && recorded.iter().zip(&simulated).all(|(one, other)| one.0 == other.0);
        alike
            && recorded.iter().zip(&simulated).all(|(one, other)| {
                let bound = *self.0.entry(one.1).or_insert(other.1);
                bound == other.1 && (one.1 == 0) == (other.1 == 0)
            })
    }
}

/// The bytes as events; only those of renames have a cookie.
fn events(mut rest: &[u8]) -> Option<Vec<Event<'_>>> {
    let mut found = Vec::new();
    while !rest.is_empty() {
        let (head, tail) = rest.split_first_chunk::<EVENT_BYTES>()?;
        let word = |at: usize| Some(u32::from_le_bytes(*head.get(at..)?.first_chunk()?));
        let (mask, cookie, length) = (word(4)?, word(8)?, word(12)? as usize);
        if cookie != 0 && mask & (IN_MOVED_FROM | IN_MOVED_TO) == 0 {
            return None;
        }
        let name = tail.get(..length)?;
        found.push(([rest.get(..8)?, name], cookie));
        rest = tail.get(length..)?;
    }
    Some(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(mask: u32, cookie: u32, name: &str) -> Vec<u8> {
        let mut bytes = 1u32.to_le_bytes().to_vec();
        for word in [mask, cookie, 16] {
            bytes.extend(word.to_le_bytes());
        }
        bytes.extend(name.as_bytes());
        bytes.resize(32, 0);
        bytes
    }

    #[test]
    fn a_cookie_goes_with_one_other() {
        let mut cookies = Cookies::default();
        let pair = |cookie, name| [event(0x40, cookie, name), event(0x80, cookie, "b")].concat();
        assert!(cookies.bind(&pair(700, "a"), &pair(1, "a")));
        assert!(cookies.bind(&pair(701, "a"), &pair(2, "a")));
        assert!(!cookies.bind(&pair(700, "a"), &pair(2, "a")), "it went with another");
        assert!(!cookies.bind(&pair(702, "a"), &pair(3, "c")), "another name");
        assert!(!cookies.bind(&event(0x40, 9, "a"), &event(0x40, 0, "a")));
        assert!(!cookies.bind(&event(2, 9, "a"), &event(2, 4, "a")), "a write has none");
        assert!(!cookies.bind(b"hello", b"there"));
    }
}
