//! Servers whose answers have every wrong shape: there is an error, or an answer where one can be
//! read in spite of it, and never a panic or a wait without end.

use crate::server::{addresses, config, sockets};
use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;
use tickernel::dns::{
    DnsLookupPolicy, DnsResolverError, DnsResolverErrorKind, HickoryDnsResolver, RecordType,
    resolve_dns, resolve_dns_records,
};
use tickernel::kernel::{KernelVm, KernelVmConfig};
use tickernel::permissions::Permissions;
use tickernel::vfs::MemoryFileSystem;

/// What a look-up may take whose answer cannot be read: nothing is asserted about it.
const LIMIT: Duration = Duration::from_millis(30);
/// The bytes of a header (RFC 1035 section 4.1.1).
const HEADER: usize = 12;

/// Answers each datagram with what it is told to, and is silent on connections unless told
/// otherwise. It ends with its owner.
pub struct Raw {
    pub at: SocketAddr,
    stop: Arc<AtomicBool>,
    threads: Vec<JoinHandle<()>>,
}

impl Raw {
    pub fn start(answer: impl FnMut(&[u8]) -> Vec<Vec<u8>> + Send + 'static) -> Self {
        Self::with_connections(answer, |_| {})
    }

    /// The same with what is done to a connection once its question has been read.
    pub fn with_connections(
        mut answer: impl FnMut(&[u8]) -> Vec<Vec<u8>> + Send + 'static,
        mut on_connection: impl FnMut(&mut TcpStream) + Send + 'static,
    ) -> Self {
        let (udp, tcp) = sockets();
        let at = udp.local_addr().expect("its address");
        udp.set_nonblocking(false).expect("a flag");
        tcp.set_nonblocking(false).expect("a flag");
        let stop = Arc::new(AtomicBool::new(false));
        let (on_udp, on_tcp) = (Arc::clone(&stop), Arc::clone(&stop));
        let datagrams = std::thread::spawn(move || {
            let mut question = [0; 4096];
            while let Ok((length, from)) = udp.recv_from(&mut question) {
                if on_udp.load(Ordering::Relaxed) {
                    break;
                }
                assert!(length >= HEADER, "a question of {length} bytes");
                for message in answer(&question[..length]) {
                    // Who asked may have gone.
                    let _ = udp.send_to(&message, from);
                }
            }
        });
        let connections = std::thread::spawn(move || accept(&tcp, &on_tcp, &mut on_connection));
        Self { at, stop, threads: vec![datagrams, connections] }
    }
}

fn accept(tcp: &TcpListener, stop: &AtomicBool, act: &mut dyn FnMut(&mut TcpStream)) {
    // Kept, so that the silent ones stay silent.
    let mut open = Vec::new();
    while let Ok((mut stream, _)) = tcp.accept() {
        if stop.load(Ordering::Relaxed) {
            break;
        }
        let mut question = [0; HEADER + 2];
        if stream.read_exact(&mut question).is_ok() {
            act(&mut stream);
        }
        open.push(stream);
    }
}

impl Drop for Raw {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        let socket = UdpSocket::bind("127.0.0.1:0").expect("a port");
        socket.send_to(&[], self.at).expect("it is sent");
        drop(TcpStream::connect(self.at));
        let joined = self.threads.drain(..).all(|thread| thread.join().is_ok());
        assert!(joined || std::thread::panicking(), "the server panicked");
    }
}

/// The question of a message, without its header.
fn question_of(message: &[u8]) -> &[u8] {
    let name = message[HEADER..].iter().position(|byte| *byte == 0).expect("its end");
    &message[HEADER..HEADER + name + 5]
}

/// The type that a message asks for.
fn asked(message: &[u8]) -> u8 {
    question_of(message).iter().rev().nth(2).copied().expect("a type")
}

/// A message: flags, counts of questions, answers, authorities and additionals, and what stands
/// behind the question.
fn message(question: &[u8], flags: u16, counts: [u16; 4], rest: &[u8]) -> Vec<u8> {
    let mut message = question[..2].to_vec();
    message.extend(flags.to_be_bytes());
    message.extend(counts.iter().flat_map(|count| count.to_be_bytes()));
    message.extend(question_of(question));
    message.extend(rest);
    message
}

/// QR, RD, RA.
const ANSWER: u16 = 0x8180;

/// A record of the name that was asked for.
fn record(kind: u8, class: u8, data: &[u8]) -> Vec<u8> {
    named(&[0xc0, 12], kind, class, data)
}

fn named(name: &[u8], kind: u8, class: u8, data: &[u8]) -> Vec<u8> {
    let length = u16::try_from(data.len()).expect("it fits");
    let head = [0, kind, 0, class, 0, 0, 1, 44];
    [name, &head, &length.to_be_bytes(), data].concat()
}

/// A right answer: 10.1.2.3 to who asks for A, and nothing to the rest.
fn right(question: &[u8]) -> Vec<u8> {
    match asked(question) {
        1 => message(question, ANSWER, [1, 1, 0, 0], &record(1, 1, &[10, 1, 2, 3])),
        _ => message(question, ANSWER, [1, 0, 0, 0], &[]),
    }
}

/// What comes of a look-up: an answer or a clear error.
#[track_caller]
fn clear<T: std::fmt::Debug>(result: &Result<T, DnsResolverError>, what: &str) {
    let Err(error) = result else { return };
    let text = error.to_string();
    assert_eq!(error.kind(), DnsResolverErrorKind::LookupFailed, "{what}: {text}");
    assert!(text.starts_with("failed to resolve DNS ") && text.contains("host.test"), "{text}");
    assert!(!text.contains("panicked"), "{what}: {text}");
}

/// Looks the name up at a server whose every answer is made by `shape`.
#[track_caller]
fn fails(what: &str, shape: impl Fn(&[u8]) -> Vec<u8> + Send + 'static) {
    let server = Raw::start(move |question| vec![shape(question)]);
    let (config, resolver) = (config(server.at), HickoryDnsResolver.within(LIMIT));
    let found = resolve_dns(&config, &resolver, "host.test");
    assert!(found.is_err(), "{what}: {found:?}");
    clear(&found, what);
    let found = resolve_dns_records(&config, &resolver, "host.test", RecordType::A);
    assert!(found.is_err(), "{what}: {found:?}");
    clear(&found, what);
}

#[test]
fn a_right_answer_is_read() {
    let server = Raw::start(|question| vec![right(question)]);
    let found = addresses(&config(server.at), &HickoryDnsResolver, "host.test");
    assert_eq!(found.expect("it is right"), ["10.1.2.3"]);
}

#[test]
fn what_is_no_message_is_an_error() {
    for length in [0, 1, 2, 11, 12, 13, 16, 26] {
        fails("a part of a right answer", move |question| right(question)[..length].to_vec());
    }
    for left in 1..16 {
        fails("an answer without its end", move |question| {
            let answer = message(question, ANSWER, [1, 1, 0, 0], &record(1, 1, &[10, 1, 2, 3]));
            answer[..answer.len() - left].to_vec()
        });
    }
    fails("zeros", |_| vec![0; 600]);
    fails("ones", |_| vec![0xff; 600]);
    fails("a text", |_| b"HTTP/1.1 400 Bad Request\r\n\r\n".to_vec());
    fails("the longest datagram", |_| vec![0x80; 65_507]);
}

#[test]
fn another_message_is_no_answer() {
    fails("another number", |question| {
        let mut answer = right(question);
        answer[0] ^= 0x55;
        answer
    });
    fails("the question itself", <[u8]>::to_vec);
    fails("another question", |question| {
        let mut answer = right(question);
        answer[HEADER + 1] ^= 1;
        answer
    });
}

#[test]
fn absurd_counts_are_an_error() {
    for at in 0..4 {
        fails("65,535 of something, and nothing there", move |question| {
            let mut counts = [1, 0, 0, 0];
            counts[at] = u16::MAX;
            message(question, ANSWER, counts, &[])
        });
    }
    fails("none of anything, and an answer there", |question| {
        message(question, ANSWER, [0; 4], &record(1, 1, &[10, 1, 2, 3]))
    });
}

#[test]
fn records_of_wrong_shapes_are_an_error() {
    let shapes: [(&str, Vec<u8>); 12] = [
        ("three bytes of four", record(1, 1, &[10, 1, 2])),
        ("no bytes of four", record(1, 1, &[])),
        ("more than is there", [&record(1, 1, &[10, 1, 2, 3])[..12], &[10]].concat()),
        ("a name that is itself", named(&[0xc0, 27], 1, 1, &[10, 1, 2, 3])),
        ("a name beyond the end", named(&[0xff, 0xff], 1, 1, &[10, 1, 2, 3])),
        ("a label of 64 bytes", named(&[&[64; 65][..], &[0]].concat(), 1, 1, &[10, 1, 2, 3])),
        ("a name of 300 bytes", named(&[[1, b'a'].repeat(150), vec![0]].concat(), 1, 1, &[1; 4])),
        ("a label of another kind", named(&[0x80, 0], 1, 1, &[10, 1, 2, 3])),
        ("another name that is itself", record(5, 1, &[0xc0, 12])),
        ("another name beyond the end", record(5, 1, &[0xdf, 0xff])),
        ("an exchanger without a name", record(15, 1, &[0])),
        ("a text longer than its record", record(16, 1, &[200, b'a'])),
    ];
    for (what, shape) in shapes {
        fails(what, move |question| message(question, ANSWER, [1, 1, 0, 0], &shape));
    }
}

#[test]
fn each_code_of_failure_is_an_error() {
    for code in 0..16 {
        fails("a code", move |question| message(question, ANSWER | code, [1, 0, 0, 0], &[]));
    }
}

/// Of 60 bytes that are right each is changed to each of some values, and cut behind.
#[test]
fn damaged_answers_do_no_harm() {
    let mut round = 0usize;
    let server = Raw::start(move |question| {
        let mut answer = right(question);
        let (at, how) = (2 + round / 4 % (answer.len() - 2), round % 4);
        round += 1;
        answer[at] = match how {
            0 => !answer[at],
            1 => 0,
            2 => 0xc0,
            _ => answer[at].wrapping_add(1),
        };
        // The damaged one, one that is cut there, and the right one at last.
        vec![answer.clone(), answer[..at].to_vec(), right(question)]
    });
    let (config, resolver) = (config(server.at), HickoryDnsResolver.within(LIMIT));
    for _ in 0..120 {
        clear(&resolve_dns(&config, &resolver, "host.test"), "damaged");
        let found = resolve_dns_records(&config, &resolver, "host.test", RecordType::A);
        clear(&found, "damaged");
    }
}

/// Nobody guesses an answer before the right one is there: others are passed over.
#[test]
fn a_right_answer_behind_others_is_found() {
    let server = Raw::start(|question| {
        let mut other = message(question, ANSWER, [1, 1, 0, 0], &record(1, 1, &[6, 6, 6, 6]));
        other[0] ^= 0x55;
        vec![other, right(question)]
    });
    let found = addresses(&config(server.at), &HickoryDnsResolver, "host.test");
    assert_eq!(found.expect("the right one"), ["10.1.2.3"]);
}

/// Each question is answered with another name, without end.
#[test]
fn a_chain_without_an_end_is_an_error() {
    let mut links = 0u32;
    let server = Raw::start(move |question| {
        links += 1;
        let name = format!("link{links:06}");
        let other = [&[10][..], name.as_bytes(), b"\x04test\0"].concat();
        vec![message(question, ANSWER, [1, 1, 0, 0], &record(5, 1, &other))]
    });
    let found = resolve_dns(&config(server.at), &HickoryDnsResolver, "host.test");
    assert!(found.is_err(), "{found:?}");
    clear(&found, "a chain");
}

#[test]
fn addresses_of_other_names_and_classes_are_no_answer() {
    fails("another name's address", |question| {
        let stranger = named(b"\x05other\x04test\0", 1, 1, &[6, 6, 6, 6]);
        message(question, ANSWER, [1, 1, 0, 0], &stranger)
    });
    fails("an address of another class", |question| {
        message(question, ANSWER, [1, 1, 0, 0], &record(1, 3, &[6, 6, 6, 6]))
    });
}

/// What a server does to a connection.
type Act = fn(&mut TcpStream);

#[test]
fn connections_that_misbehave_are_an_error() {
    let too_long = |question: &[u8]| vec![message(question, ANSWER | 0x200, [1, 0, 0, 0], &[])];
    let acts: [(&str, Act); 4] = [
        ("it hangs up", |stream| drop(stream.shutdown(Shutdown::Both))),
        ("it promises more than it has", |stream| {
            let _ = stream.write_all(&[0xff, 0xff, 1, 2, 3]);
            drop(stream.shutdown(Shutdown::Write));
        }),
        ("a message of no bytes", |stream| {
            let _ = stream.write_all(&[0; 64]);
        }),
        ("noise", |stream| {
            let _ = stream.write_all(&[0xa5; 4096]);
        }),
    ];
    for (what, act) in acts {
        let server = Raw::with_connections(too_long, act);
        let (config, resolver) = (config(server.at), HickoryDnsResolver.within(LIMIT * 10));
        let found = resolve_dns_records(&config, &resolver, "host.test", RecordType::A);
        assert!(found.is_err(), "{what}: {found:?}");
        clear(&found, what);
    }
}

/// Through a machine: EHOSTUNREACH with the name, and the machine goes on.
#[test]
fn a_machine_says_that_the_host_is_unreachable() {
    let server = Raw::start(|_| vec![vec![0xff; 100]]);
    let mut own = KernelVmConfig::new("dns");
    own.permissions = Permissions::allow_all();
    own.dns = config(server.at);
    own.dns_resolver = Arc::new(HickoryDnsResolver.within(LIMIT));
    let vm = KernelVm::new(MemoryFileSystem::new(), own);
    let check = DnsLookupPolicy::CheckPermissions;
    let error = vm.resolve_dns("host.test", check).expect_err("garbage");
    assert_eq!(error.code(), "EHOSTUNREACH");
    assert!(error.to_string().contains("host.test"), "{error}");
    let error = vm.resolve_dns_records("host.test", RecordType::MX, check).expect_err("garbage");
    assert_eq!(error.code(), "EHOSTUNREACH");
    let found = vm.resolve_dns("127.0.0.1", check).expect("a literal");
    assert_eq!(found.addresses().len(), 1);
}
