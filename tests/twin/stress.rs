//! Random programs, each run twice on the same twin: no request may hang, and both runs must answer
//! alike. What the twin could see too early or too late (a call that is not yet blocked, a process
//! that is not yet gone) would differ.
//!
//! `HOST_TWIN_PROGRAMS` sets how many programs (default 40), `HOST_TWIN_SEED` the first seed.

mod harness;
#[path = "../need/mod.rs"]
mod need;
mod transcript;

use harness::Twin;
use serde_json::Value;
use transcript::start;

/// A small generator (xorshift64*): the same seed gives the same program.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) % bound
    }

    fn pick<'a>(&mut self, words: &[&'a str]) -> &'a str {
        words[self.below(words.len() as u64) as usize]
    }
}

const SIGNALS: [&str; 9] = [
    "SIGUSR1", "SIGUSR2", "SIGTERM", "SIGKILL", "SIGSTOP", "SIGCONT", "SIGCHLD", "SIGPIPE",
    "SIGTSTP",
];

const PATHS: [&str; 5] = ["/tmp/elf", "/tmp/fifo", "/tmp/a", "/tmp/a/b", "/tmp/script"];

/// What stands before each program: files to run, and a named pipe.
const PRELUDE: [&str; 9] = [
    r#"{"pid":1,"call":"creat","path":"/tmp/elf","mode":"0755"}"#,
    r#"{"pid":1,"call":"write","fd":3,"data":"\u007fELF"}"#,
    r#"{"pid":1,"call":"close","fd":3}"#,
    r#"{"pid":1,"call":"creat","path":"/tmp/script","mode":"0755"}"#,
    r##"{"pid":1,"call":"write","fd":3,"data":"#!/tmp/elf"}"##,
    r#"{"pid":1,"call":"close","fd":3}"#,
    r#"{"pid":1,"call":"mknod","path":"/tmp/fifo","mode":"S_IFIFO|0666"}"#,
    r#"{"pid":1,"call":"pipe"}"#,
    r#"{"pid":1,"call":"fork"}"#,
];

/// One request of a process among the first few pids.
fn request(random: &mut Random) -> String {
    let pid = random.below(5) + 1;
    let fd = random.below(8) + 2;
    let other = random.below(6);
    let signal = random.pick(&SIGNALS);
    let path = random.pick(&PATHS);
    let rest = match random.below(30) {
        0..=2 => r#""call":"fork""#.to_owned(),
        3..=4 => r#""call":"pipe""#.to_owned(),
        5..=6 => format!(r#""call":"read","fd":{fd},"count":5"#),
        7..=8 => format!(r#""call":"write","fd":{fd},"data":"abcdefg""#),
        9 => format!(r#""call":"write","fd":{fd},"data":"{}""#, "x".repeat(70_000)),
        10 => format!(r#""call":"close","fd":{fd}"#),
        11 => format!(r#""call":"dup2","oldfd":{fd},"newfd":{other}"#),
        12..=13 => format!(r#""call":"kill","target":{other},"sig":"{signal}""#),
        14 => {
            let handler = random.pick(&["caught", "caught", "SIG_IGN", "SIG_DFL"]);
            let flags = random.pick(&["", "SA_RESTART", "SA_RESTART|SA_NODEFER", "SA_RESETHAND"]);
            let act = format!(r#"{{"handler":"{handler}","flags":"{flags}","mask":["SIGUSR1"]}}"#);
            format!(r#""call":"rt_sigaction","signum":"{signal}","act":{act}"#)
        }
        15 => r#""call":"rt_sigreturn""#.to_owned(),
        16 => {
            let options = random.pick(&["0", "WNOHANG", "WUNTRACED", "WUNTRACED|WCONTINUED"]);
            format!(r#""call":"wait4","wpid":-1,"options":"{options}""#)
        }
        17 => format!(r#""call":"exit_group","status":{other}"#),
        18 => {
            let timeout = random.pick(&["0", "-1"]);
            let fds = format!(r#"[{{"fd":{fd},"events":"POLLIN|POLLOUT"}}]"#);
            format!(r#""call":"poll","fds":{fds},"timeout":{timeout}"#)
        }
        19 => format!(r#""call":"rt_sigprocmask","how":"SIG_SETMASK","set":["{signal}"]"#),
        20 => random
            .pick(&[r#""call":"vfork""#, r#""call":"pause""#, r#""call":"setsid""#])
            .to_owned(),
        21..=22 => {
            let flags = random.pick(&[
                "O_RDONLY",
                "O_WRONLY",
                "O_RDWR|O_CREAT",
                "O_WRONLY|O_APPEND|O_CREAT",
            ]);
            format!(r#""call":"open","path":"{path}","flags":"{flags}","mode":"0755""#)
        }
        23 => format!(r#""call":"execve","path":"{path}","argv":["x"],"envp":[]"#),
        24 => format!(r#""call":"unlink","path":"{path}""#),
        25 => {
            let new = random.pick(&PATHS);
            format!(r#""call":"rename","oldpath":"{path}","newpath":"{new}""#)
        }
        26 => format!(r#""call":"mkdir","path":"{path}","mode":"0755""#),
        27 => {
            let flags = random.pick(&[
                "CLONE_VM|CLONE_FILES|CLONE_SIGHAND|CLONE_THREAD",
                "CLONE_VM|CLONE_VFORK|SIGCHLD",
                "CLONE_FILES|CLONE_PARENT|SIGCHLD",
            ]);
            format!(r#""call":"clone","flags":"{flags}""#)
        }
        28 => format!(r#""call":"fcntl","fd":{fd},"cmd":"F_SETLKW","arg":{{"type":"F_WRLCK"}}"#),
        _ => format!(r#""call":"setpgid","target":{other},"pgid":0"#),
    };
    format!(r#"{{"pid":{pid},{rest}}}"#)
}

fn run(twin: &mut Twin, seed: u64) -> Vec<(String, Vec<Value>)> {
    let mut random = Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
    twin.ask(r#"{"op":"reset"}"#);
    for request in PRELUDE {
        twin.ask(request);
    }
    let mut told = Vec::new();
    for _ in 0..40 {
        let request = request(&mut random);
        let lines = twin.ask(&request);
        told.push((request, lines));
    }
    for end in [r#"{"op":"processes"}"#, r#"{"op":"tree","path":"/tmp"}"#] {
        let lines = twin.ask(end);
        told.push((end.to_owned(), lines));
    }
    told
}

fn number(name: &str, default: u64) -> u64 {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}

#[test]
fn the_same_program_gives_the_same_answers() {
    same_answers(&["--real-time", "yes"]);
}

/// Where real-time priorities are not allowed, order and quiet must hold as well.
#[test]
fn so_it_does_without_real_time() {
    same_answers(&["--real-time", "no"]);
}

fn same_answers(options: &[&str]) {
    let Some(mut twin) = start(options) else { return };
    let first = number("HOST_TWIN_SEED", 1);
    for seed in first..first + number("HOST_TWIN_PROGRAMS", 40) {
        let once = run(&mut twin, seed);
        let again = run(&mut twin, seed);
        for (at, (a, b)) in once.iter().zip(&again).enumerate() {
            let before: Vec<String> =
                once[..at].iter().map(|(r, l)| format!("{r} {l:?}")).collect();
            assert_eq!(a, b, "seed {seed}, after\n{}", before.join("\n"));
        }
    }
    twin.end();
}
