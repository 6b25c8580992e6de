//! Scenes of job control: who reads, writes and sets in the background, what the keyboard sends.

use crate::scenes::{Scene, action, ask, call, ioctl, kill, plain, read, scene, with_job, write};
use serde_json::{Value, json};

/// What a child has done, if anything.
pub(crate) fn wait(pid: i64) -> Value {
    call(
        pid,
        json!({"call": "wait4", "wpid": -1,
        "options": "WUNTRACED|WCONTINUED|WNOHANG"}),
    )
}

/// Settings with TOSTOP.
pub(crate) fn tostop(pid: i64) -> Value {
    ioctl(
        pid,
        4,
        "TCSETS",
        json!({"iflag": "ICRNL", "oflag": "OPOST|ONLCR",
        "cflag": "B38400|CS8|CREAD", "lflag": "ISIG|ICANON|TOSTOP", "cc": {"VSUSP": 26,
        "VINTR": 3}}),
    )
}

/// All of them.
pub(crate) fn all() -> Vec<Scene> {
    vec![jobs_1(), jobs_2(), jobs_3(), jobs_4(), jobs_5(), jobs_6(), jobs_7()]
}

fn jobs_1() -> Scene {
    scene(
        "a job in the background reads",
        with_job(),
        vec![
            read(3, 4, 10),
            wait(2),
            ioctl(2, 4, "TIOCSPGRP", 3.into()),
            kill(2, 3, "SIGCONT"),
            wait(2),
            write(1, 3, "to it\n"),
            read(3, 4, 10),
            write(1, 3, "\u{1a}"),
            wait(2),
            ioctl(2, 4, "TIOCSPGRP", 2.into()),
            read(2, 4, 10),
        ],
    )
}

fn jobs_2() -> Scene {
    scene(
        "a job goes to the background while it reads",
        with_job(),
        vec![
            ioctl(2, 4, "TIOCSPGRP", 3.into()),
            read(3, 4, 10),
            write(1, 3, "\u{1a}"),
            action(2, "SIGTTOU", "SIG_IGN", "0"),
            ioctl(2, 4, "TIOCSPGRP", 2.into()),
            kill(2, 3, "SIGCONT"),
            wait(2),
            write(1, 3, "not to it\n"),
            read(2, 4, 20),
        ],
    )
}

fn jobs_3() -> Scene {
    scene(
        "SIGTTIN is caught, blocked, ignored",
        with_job(),
        vec![
            action(3, "SIGTTIN", "caught", "0"),
            read(3, 4, 10),
            plain(3, "rt_sigreturn"),
            action(3, "SIGTTIN", "SIG_IGN", "0"),
            read(3, 4, 10),
            action(3, "SIGTTIN", "SIG_DFL", "0"),
            call(3, json!({"call": "rt_sigprocmask", "how": "SIG_BLOCK", "set": ["SIGTTIN"]})),
            read(3, 4, 10),
        ],
    )
}

fn jobs_4() -> Scene {
    scene(
        "TOSTOP stops who writes, and settings need the foreground anyway",
        with_job(),
        vec![
            write(3, 4, "allowed\n"),
            tostop(2),
            write(3, 4, "stops\n"),
            wait(2),
            action(2, "SIGTTOU", "SIG_IGN", "0"),
            ioctl(2, 4, "TIOCSPGRP", 3.into()),
            kill(2, 3, "SIGCONT"),
            write(2, 4, "ignored\n"),
            read(1, 3, 100),
            ioctl(2, 4, "TIOCSPGRP", 2.into()),
            tostop(3),
            wait(2),
        ],
    )
}

fn jobs_5() -> Scene {
    scene(
        "TIOCSPGRP from the background, and of strange groups",
        with_job(),
        vec![
            ioctl(2, 4, "TIOCSPGRP", 1.into()),
            ioctl(2, 4, "TIOCSPGRP", (-1).into()),
            ioctl(2, 4, "TIOCSPGRP", 77.into()),
            ioctl(2, 4, "TIOCSPGRP", 0.into()),
            ioctl(1, 3, "TIOCSPGRP", 2.into()),
            action(3, "SIGTTOU", "caught", "SA_RESTART"),
            ioctl(3, 4, "TIOCSPGRP", 3.into()),
            ioctl(2, 4, "TIOCSPGRP", 3.into()),
            plain(3, "rt_sigreturn"),
            ask(3, 4, "TIOCGPGRP"),
        ],
    )
}

fn jobs_6() -> Scene {
    scene(
        "a group that nobody could continue",
        with_job(),
        vec![
            plain(3, "fork"),
            call(4, json!({"call": "setpgid", "target": 0, "pgid": 0})),
            call(3, json!({"call": "exit_group", "status": 0})),
            read(4, 4, 10),
            tostop(2),
            write(4, 4, "x"),
            tostop(4),
        ],
    )
}

fn jobs_7() -> Scene {
    scene(
        "signals from the keyboard reach the foreground group",
        with_job(),
        vec![
            ioctl(2, 4, "TIOCSPGRP", 3.into()),
            plain(3, "fork"),
            action(4, "SIGINT", "caught", "SA_RESTART"),
            read(4, 4, 10),
            read(3, 4, 10),
            write(1, 3, "lost\u{3}"),
            plain(4, "rt_sigreturn"),
            read(1, 3, 100),
            write(1, 3, "kept\n"),
            write(1, 3, "\u{1c}"),
            wait(2),
        ],
    )
}
