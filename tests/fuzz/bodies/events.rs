//! The target `events`: events of every kind are fed to a kernel, and after every tick the books
//! must balance; now and then it goes on from its own snapshot; when everybody has been killed
//! nothing may be left.
//!
//! The bytes are taken 16 at a time: the first 16 choose the kernel, each next 16 are one event, so
//! that a change of one leaves the others what they were. About a third are steps of
//! `tickernel::proptest`'s programs, which name what exists; the others are calls of any kind, and
//! what comes from outside.

use super::alphabet::{Chooser, SPANS};
use std::collections::BTreeMap;
use tickernel::json::{self, Form, Object, Request};
use tickernel::proptest::{Action, Player, Step};
use tickernel_systems::abi::flags::{O_NOCTTY, O_RDWR, TIOCGPTPEER, TIOCSPTLCK};
use tickernel_systems::abi::{Errno, SigInfo, Signal, Timespec};
use tickernel_systems::event::{
    Answer, Call, CallId, Effect, Event, HostAnswer, IoctlArg, Outcome, Output, Refusal,
    TerminalEnd, Unchosen,
};
use tickernel_systems::fs::Fs;
use tickernel_systems::wire::Bytes;
use tickernel_systems::{
    Boot, Config, Entropy, FaceConfig, FaceLimits, Kernel, Policy, ProcessRow, ProcessState,
    Profile, WakeMode,
};

/// Bytes of one event.
pub const EVENT_BYTES: usize = 16;
/// Events in one run at most.
const EVENTS_MAX: usize = 300;
/// Answers to the questions of one call at most.
const ANSWERS_MAX: usize = 64;

/// Feeds the events to a kernel; gives how many calls were done.
///
/// # Panics
/// At a defect.
pub fn run(bytes: &[u8]) -> u64 {
    let mut chunks = bytes.chunks(EVENT_BYTES);
    let mut session = Session::begin(chunks.next().unwrap_or(&[]));
    for chunk in chunks.take(EVENTS_MAX) {
        session.feed(chunk);
    }
    session.end();
    session.done
}

/// What is known of a call: its request as `drive` would have it, and its name.
struct Asked {
    request: Object,
    name: &'static str,
}

struct Session {
    kernel: Kernel,
    /// What programs know.
    player: Player,
    names: BTreeMap<CallId, &'static str>,
    blocked: Vec<CallId>,
    /// Every task that ever was.
    tasks: Vec<u32>,
    face: bool,
    on_demand: bool,
    /// The call that asks the host.
    asking: Option<Asked>,
    done: u64,
}

/// The configuration that the bytes choose.
fn config(choose: &mut Chooser<'_, '_>) -> (Config, bool) {
    let mode = choose.byte();
    let bits = choose.byte();
    let face = mode % 4 == 3;
    let mut config = Config { ask_unmodelled: bits & 1 != 0, ..Config::default() };
    if mode % 4 == 2 {
        config.wake = WakeMode::OnDemand;
    }
    if bits & 2 != 0 {
        config.entropy = Entropy::Host;
    }
    if bits & 4 != 0 {
        config.max_tasks = 5;
        config.max_descriptions = 24;
        config.max_pipe_pages = 20;
    }
    if bits & 8 != 0 {
        config.max_memory_bytes = 80_000;
        config.max_file_bytes = 100_000;
        config.max_inodes = 60;
    }
    if face || bits & 16 != 0 {
        config.profile = Profile::SecureExec;
    }
    if face {
        let policies = [Policy::Allow, Policy::Ask, Policy::Deny, Policy::Allow];
        let limits = FaceLimits {
            max_processes: choose.pick(&[u64::MAX, 3]),
            max_open_fds: choose.pick(&[u64::MAX, 8]),
            max_pipes: choose.pick(&[u64::MAX, 2]),
            max_blocking_read_ms: choose.pick(&[u64::MAX, 0, 10]),
            max_filesystem_bytes: choose.pick(&[u64::MAX, 10_000]),
            ..FaceLimits::default()
        };
        config.face = FaceConfig {
            present: true,
            ids: [1000; 4],
            limits,
            zombie_ttl_ns: choose.pick(&[0, 1_000_000]),
            foreign_root: choose.pick(&[false, false, false, true]),
            file_policy: choose.pick(&policies),
            command_policy: choose.pick(&policies),
            ..FaceConfig::default()
        };
    }
    (config, bits & 32 != 0)
}

impl Session {
    fn begin(bytes: &[u8]) -> Self {
        let (config, is_init) = config(&mut Chooser::new(bytes, &[]));
        let (face, on_demand) = (config.face.present, config.wake == WakeMode::OnDemand);
        let kernel = if face {
            Kernel::for_face(config, None)
        } else {
            let fs = Fs::new(Timespec::from_ns(config.start_ns));
            let boot = Boot { is_init, ..Boot::default() };
            Kernel::boot(config, fs, &boot).expect("a small machine has room for the first process")
        };
        let mut session = Self {
            kernel,
            player: Player::new(),
            names: BTreeMap::new(),
            blocked: Vec::new(),
            tasks: vec![1],
            face,
            on_demand,
            asking: None,
            done: 0,
        };
        session.prologue();
        session
    }

    /// What programs find: a program file, a directory, a terminal; a process of the face.
    fn prologue(&mut self) {
        let by_face = [
            Call::FaceRegisterDriver { driver: b"d", commands: vec![b"sh"] },
            Call::FaceCreateProcess {
                requester: b"d",
                driver: b"d",
                command: b"sh",
                args: vec![],
                envp: vec![],
                cwd: b"/",
                parent: 0,
            },
            Call::FaceOpenPty { target: 1 },
            Call::FaceSocket { target: 1, domain: 0, kind: 0 },
            Call::FaceSocket { target: 1, domain: 0, kind: 0 },
            Call::FaceBind { target: 1, socket: 1, host: b"::1", port: 1 },
            Call::FaceListen { target: 1, socket: 1, backlog: 2 },
            Call::FaceConnect { target: 1, socket: 2, host: b"::1", port: 1 },
            Call::FaceSocket { target: 1, domain: 0, kind: 1 },
            Call::FaceBind { target: 1, socket: 4, host: b"::1", port: 1 },
        ];
        let by_first = [
            Call::Creat { path: Some(b"/tmp/x"), mode: 0o755 },
            Call::Write { fd: 3, data: b"\x7fELF" },
            Call::Close { fd: 3 },
            Call::Mkdir { path: Some(b"/tmp/d"), mode: 0o777 },
            Call::Open { path: Some(b"/dev/ptmx"), flags: O_RDWR | O_NOCTTY, mode: 0 },
            Call::Ioctl { fd: 3, request: TIOCSPTLCK, arg: IoctlArg::Number(0) },
            Call::Ioctl { fd: 3, request: TIOCGPTPEER, arg: IoctlArg::Number(O_RDWR.into()) },
        ];
        if self.face {
            by_face.into_iter().for_each(|call| self.call(0, call));
        } else {
            by_first.into_iter().for_each(|call| self.call(1, call));
        }
    }

    fn call(&mut self, task: u32, call: Call<'_>) {
        self.event(Event::Call { task, call });
        // As many questions as one call asks at most; none is left for what comes next.
        for _ in 0..ANSWERS_MAX {
            if self.kernel.question().is_none() {
                return;
            }
            self.event(Event::Answer(HostAnswer::Absent));
        }
    }

    /// One event of these bytes.
    fn feed(&mut self, bytes: &[u8]) {
        let tasks = self.tasks.clone();
        let mut choose = Chooser::new(bytes, &tasks);
        let kind = choose.byte();
        if self.kernel.question().is_some() {
            let answer = host_answer(&mut choose);
            return self.event(Event::Answer(answer));
        }
        match kind {
            0..=79 => self.step(&mut choose),
            80..=149 => self.speak(&mut choose, false),
            150..=159 => self.event(Event::Clock { delta_ns: choose.pick(&SPANS[..5]) }),
            160..=169 => {
                let (target, info) = (choose.pid(), choose.info());
                self.event(Event::Signal { target, info });
            }
            170..=175 => self.restore(),
            176..=178 => self.kernel.disturb_rows(u32::from(choose.byte() % 8)),
            179..=180 => self.event(Event::Clock { delta_ns: choose.pick(&SPANS) }),
            181..=199 if self.face => self.by_face(&mut choose),
            181..=189 if self.on_demand => self.speak(&mut choose, true),
            190..=235 if self.on_demand && !self.blocked.is_empty() => {
                let at = usize::from(choose.byte()) % self.blocked.len();
                let call = self.blocked[at];
                let max_bytes = choose.pick(&[u64::MAX, u64::MAX, 1, 100, 0, 4096]);
                self.event(Event::Resume { call, max_bytes });
            }
            236..=250 if self.on_demand => {
                let task = choose.pid();
                if let Some(signal) = Signal::new(choose.signal()) {
                    self.event(Event::Deliver { task, signal });
                }
            }
            251 => self.misplaced(&mut choose),
            255 => {
                self.event(Event::Incoming(choose.incoming()));
            }
            254 => {
                let what = choose.pick(&[Unchosen::Port, Unchosen::Name]);
                let number = choose.pick(&[0, 1, 32_768, 40_000, 60_999, u32::MAX]);
                self.event(Event::Unchosen { what, number });
            }
            252..=253 => {
                let end = choose.pick(&[TerminalEnd::Slave, TerminalEnd::Master]);
                let terminal = choose.pick(&[0, 0, 0, 1, 7]);
                self.event(Event::Carry { terminal, end });
            }
            181..=199 => self.step(&mut choose),
            200..=250 => self.speak(&mut choose, false),
        }
    }

    /// A request of a program.
    fn step(&mut self, choose: &mut Chooser<'_, '_>) {
        let step = Step {
            actor: choose.byte(),
            action: choose.pick(Action::WEIGHTED).1,
            choices: std::array::from_fn(|_| choose.byte()),
        };
        let Some(request) = self.player.request(&step) else { return };
        let request = Request::new(request);
        let (task, call) = (request.number::<u32>("pid"), request.call());
        let (task, call) = (task.expect("its own"), call.expect("its own"));
        self.event(Event::Call { task, call });
    }

    /// Any call of somebody who can speak, as far as that is known.
    fn speak(&mut self, choose: &mut Chooser<'_, '_>, park: bool) {
        let processes = self.kernel.processes().into_iter();
        let running = processes.filter(|process| process.state == ProcessState::Running);
        let running: Vec<u32> = running.map(|process| process.pid).collect();
        let task = match choose.byte() {
            byte @ 0..=199 if !running.is_empty() => running[usize::from(byte) % running.len()],
            // Threads have no row among the processes.
            _ => choose.pid(),
        };
        let Some(call) = choose.call(false) else { return };
        match park {
            true => self.event(Event::Park { task, call }),
            false => self.event(Event::Call { task, call }),
        }
    }

    fn by_face(&mut self, choose: &mut Chooser<'_, '_>) {
        let task = choose.pick(&[0, 0, 0, 0, 1]);
        if let Some(call) = choose.call(true) {
            self.event(Event::Call { task, call });
        }
    }

    /// A call that is made to fail, of the living or of nobody.
    fn inject(&mut self, choose: &mut Chooser<'_, '_>) {
        let task = choose.pick(&[0, 1, 1, 2, 3, 77]);
        let errno = choose.pick(&[Errno::EIO, Errno::EINTR, Errno::ENOSPC]);
        if let Some(call) = choose.call(self.face && task == 0) {
            self.event(Event::Inject { task, errno, call });
        }
    }

    /// What no wake mode, or nobody, is waiting for.
    fn misplaced(&mut self, choose: &mut Chooser<'_, '_>) {
        let call = CallId(u64::from(choose.byte()));
        match choose.byte() % 4 {
            0 => self.event(Event::Answer(HostAnswer::Absent)),
            1 => self.event(Event::Resume { call, max_bytes: 1 }),
            3 => self.inject(choose),
            _ => self.event(Event::Deliver { task: 1, signal: Signal::SIGUSR1 }),
        }
    }

    /// The kernel takes an event; what comes of it is noted, and the books must balance.
    fn event(&mut self, event: Event<'_>) {
        let shown = format!("{event:?}");
        let mut resumed = None;
        let asked = match &event {
            Event::Call { task, call }
            | Event::Park { task, call }
            | Event::Inject { task, call, .. } => Asked::of(*task, call),
            Event::Resume { call, .. } => {
                resumed = Some(*call);
                let name = self.names.get(call).copied().unwrap_or("");
                Asked { request: Object::new(), name }
            }
            Event::Answer(_) => self.asking.take().unwrap_or_default(),
            Event::Deliver { .. }
            | Event::Clock { .. }
            | Event::Signal { .. }
            | Event::Carry { .. }
            | Event::Unchosen { .. }
            | Event::Incoming(_) => Asked::default(),
        };
        let outcome = self.kernel.take(event);
        let mut lines = self.drain();
        if let (Some(call), Outcome::Done(_) | Outcome::Failed(_)) = (resumed, &outcome) {
            lines.push(self.ended(call));
        }
        match &outcome {
            Outcome::Done(answer) => {
                self.done += 1;
                self.note_birth(asked.name, answer.value);
            }
            Outcome::Blocked(id) => self.note_blocked(*id, asked.name),
            Outcome::Failed(_) | Outcome::Asking | Outcome::Refused(_) => {}
        }
        lines.push(self.answer(asked.name, &outcome));
        self.player.observe(&asked.request, &lines);
        if outcome == Outcome::Asking {
            self.asking = Some(asked);
        }
        assert_eq!(self.kernel.question().is_some(), self.asking.is_some(), "after {shown}");
        if let Err(defect) = self.kernel.audit() {
            panic!("{defect} after {shown}: {outcome:?}");
        }
    }

    fn drain(&mut self) -> Vec<Object> {
        let mut lines = Vec::new();
        while let Some(output) = self.kernel.poll_output() {
            match output {
                Output::Completion(completion) => {
                    let name = self.names.get(&completion.call).copied().unwrap_or("");
                    let mut line = self.ended(completion.call);
                    json::show_completed(&mut line, name, &completion.result, Form::Drive);
                    lines.push(line);
                }
                Output::Effect(effect @ Effect::Handler { .. }) => {
                    lines.push(json::show_effect(&effect));
                }
                Output::Effect(_) => {}
                Output::Outcome(..) => panic!("nothing was queued"),
            }
        }
        lines
    }

    /// A call waits no longer.
    fn ended(&mut self, call: CallId) -> Object {
        self.blocked.retain(|blocked| *blocked != call);
        self.names.remove(&call);
        let mut line = Object::new();
        line.insert("done".into(), call.0.into());
        line
    }

    fn note_birth(&mut self, name: &str, value: i64) {
        let births = ["fork", "vfork", "clone", "face_spawn", "face_create_process"];
        if let (true, Ok(task)) = (births.contains(&name), u32::try_from(value)) {
            self.note_task(task);
        }
    }

    fn note_task(&mut self, task: u32) {
        if !self.tasks.contains(&task) {
            self.tasks.push(task);
        }
    }

    fn note_blocked(&mut self, id: CallId, name: &'static str) {
        // It may have ended within its own event.
        let last = self.kernel.tick().saturating_sub(1);
        if id.0 == last && !self.blocked.contains(&id) {
            self.blocked.push(id);
            self.names.insert(id, name);
        }
        if matches!(name, "vfork" | "clone") {
            let born = self.kernel.processes();
            born.iter().for_each(|process| self.note_task(process.pid));
        }
    }

    /// The line that `drive` answers with.
    fn answer(&self, name: &str, outcome: &Outcome) -> Object {
        let mut line = Object::new();
        match outcome {
            Outcome::Refused(why) => {
                let why = match why {
                    Refusal::Gone => "it is gone",
                    Refusal::Stopped => "it is stopped",
                    Refusal::Blocked(_) | Refusal::Misplaced => "not now",
                };
                line.insert("error".into(), why.into());
            }
            Outcome::Asking => {}
            Outcome::Done(_) | Outcome::Failed(_) | Outcome::Blocked(_) => {
                json::show_outcome(&mut line, name, outcome, Form::Drive);
                if let (Outcome::Blocked(_), "vfork") = (outcome, name) {
                    line.insert("child".into(), self.tasks.last().copied().into());
                }
            }
        }
        line
    }

    /// Goes on from the own snapshot, which must be the same state to the byte.
    fn restore(&mut self) {
        let bytes = self.kernel.snapshot();
        let mut again = Kernel::restore(&bytes).expect("its own snapshot");
        assert!(again.snapshot() == bytes, "a snapshot of what was restored is another one");
        let digests = self.kernel.digests();
        assert_eq!(digests, self.kernel.digests_by_walk(), "a changed row was not marked");
        assert_eq!(digests, again.digests(), "a snapshot loses something");
        self.kernel = again;
    }

    /// Kills everybody: then nothing may be left.
    fn end(&mut self) {
        for _ in 0..ANSWERS_MAX {
            if self.kernel.question().is_none() {
                break;
            }
            self.event(Event::Answer(HostAnswer::Error(Errno::EIO)));
        }
        self.restore();
        let signo = i32::from(Signal::SIGKILL.number());
        let info = SigInfo { signo, ..SigInfo::default() };
        for process in self.kernel.processes().into_iter().rev() {
            self.event(Event::Signal { target: process.pid, info });
            if self.on_demand {
                self.event(Event::Deliver { task: process.pid, signal: Signal::SIGKILL });
            }
        }
        if self.face {
            self.call(0, Call::FaceDispose {});
            // Ends that nobody has asked for are kept.
            for process in self.kernel.processes() {
                self.call(0, Call::FaceWaitpid { target: process.pid });
            }
        }
        // Nobody can kill init: it goes by itself, if it is not waiting for ever.
        for task in self.tasks.clone() {
            self.call(task, Call::ExitGroup { status: 0 });
        }
        self.restore();
        let mut left = self.kernel.processes();
        let zombie = |process: &ProcessRow| process.state == ProcessState::Zombie;
        if left.iter().any(|process| process.pid == 1 && !zombie(process)) {
            // Its children stay until it waits for them.
            left.retain(|process| process.pid != 1);
            let mourned = left.iter().all(|process| process.ppid == 1 && zombie(process));
            assert!(mourned, "somebody can not be killed: {left:?}");
            return;
        }
        assert_eq!(left, [], "processes are left");
        assert_eq!(self.kernel.memory_bytes(), 0, "{:?}", self.kernel.counters());
        assert_eq!(self.kernel.next_deadline(), None);
    }
}

impl Default for Asked {
    fn default() -> Self {
        Self { request: Object::new(), name: "" }
    }
}

impl Asked {
    fn of(task: u32, call: &Call<'_>) -> Self {
        let name = call.name();
        // What is written tells programs nothing.
        let request = match name {
            "write" | "writev" | "pwrite64" | "pwritev" | "fs_write" | "fs_pwrite" => Object::new(),
            _ => json::show_call(task, call),
        };
        Self { request, name }
    }
}

fn host_answer(choose: &mut Chooser<'_, '_>) -> HostAnswer {
    match choose.byte() % 6 {
        0 | 1 => HostAnswer::Result(choose.pick(&[1, 0, -1, 7])),
        2 => HostAnswer::Absent,
        3 => HostAnswer::Error(choose.pick(&[Errno::EIO, Errno::ENOENT, Errno::EACCES])),
        4 => {
            let length = choose.pick(&[0, 1, 8, 5000]);
            HostAnswer::Bytes(Bytes(vec![b'7'; length]))
        }
        _ => HostAnswer::Answer(Answer::value(choose.pick(&[0, 1, -1, 100]))),
    }
}
