//! Signals that a recording never shows: a task that ran on must have taken what was sent to it
//! (IMPORT.md section 3). What may not have come yet, or was held back, ignored or stopped, is no
//! mismatch.

mod replayed;

use replayed::replayed_text;
use tickernel::import::SideFile;
use tickernel::replay::Report;

fn replayed(text: &str) -> Report {
    replayed_text(text, &SideFile::default())
}

fn clean(text: &str) {
    let report = replayed(text);
    assert_eq!(report.first_mismatch, None);
    assert_eq!((report.mismatched, report.unsupported), (0, 0), "{:?}", report.by_call);
}

/// The first mismatch is that of this signal, in a call that ends at this line.
fn lost(text: &str, signal: &str, since: u64, line: u64) {
    let report = replayed(text);
    let first = report.first_mismatch.expect("a mismatch");
    let why =
        format!("signal {signal}, pending since line {since}, is never shown to be delivered");
    assert_eq!((first.why, first.line), (why, Some(line)));
    assert_eq!(report.mismatched, 1, "once for each");
}

/// A parent, and a child that catches SIGUSR1; `rest` follows.
fn with_child(rest: &str) -> String {
    const BEGIN: &str = r#"10 execve("/bin/sh", ["sh"], 0x7ffd /* 3 vars */) = 0
10 rt_sigprocmask(SIG_SETMASK, [], [], 8) = 0
10 clone(child_stack=NULL, flags=CLONE_CHILD_SETTID|SIGCHLD, child_tidptr=0x7f) = 11
11 rt_sigaction(SIGUSR1, {sa_handler=0x5555, sa_mask=[], sa_flags=SA_RESTORER, sa_restorer=0x7f}, NULL, 8) = 0
"#;
    let end = "11 +++ exited with 0 +++\n10 exit_group(0) = ?\n10 +++ exited with 0 +++\n";
    format!("{BEGIN}{rest}{end}")
}

const KILL: &str = "10 kill(11, SIGUSR1) = 0\n";
const SHOWN: &str = "11 --- SIGUSR1 {si_signo=SIGUSR1, si_code=SI_USER, si_pid=10, si_uid=0} ---\n11 rt_sigreturn({mask=[]}) = 0\n";
const CALL: &str = "11 getppid() = 10\n";
const END: &str = "11 exit_group(0) = ?\n";

#[test]
fn a_signal_from_another_task_is_lost_after_two_calls() {
    let calls = CALL.repeat(2);
    lost(&with_child(&format!("{CALL}{KILL}{calls}{CALL}{END}")), "SIGUSR1", 6, 9);
    lost(&with_child(&format!("{KILL}{calls}{END}")), "SIGUSR1", 5, 9);
    clean(&with_child(&format!("{KILL}{SHOWN}{calls}{CALL}{END}")));
    clean(&with_child(&format!("{KILL}{CALL}{SHOWN}{calls}{CALL}{END}")));
}

#[test]
fn one_that_comes_near_the_end_proves_nothing() {
    clean(&with_child(&format!("{CALL}{KILL}{END}")));
    clean(&with_child(&format!("{KILL}{CALL}{END}")));
    // The call that sends it ends after they have entered.
    let open = "10 kill(11, SIGUSR1 <unfinished ...>\n";
    let over = "10 <... kill resumed>) = 0\n";
    let calls = CALL.repeat(4);
    clean(&with_child(&format!("{open}{calls}{over}{CALL}{END}")));
}

#[test]
fn one_that_a_task_sends_itself_is_due_at_once() {
    let own = "11 kill(11, SIGUSR1) = 0\n";
    lost(&with_child(&format!("{own}{CALL}{END}")), "SIGUSR1", 5, 6);
    lost(&with_child(&format!("{own}{END}")), "SIGUSR1", 5, 7);
    let shown = SHOWN.replace("si_pid=10", "si_pid=11");
    clean(&with_child(&format!("{own}{shown}{CALL}{END}")));
}

#[test]
fn one_that_is_held_back_may_wait_until_it_is_let_through() {
    let block = "11 rt_sigprocmask(SIG_BLOCK, [USR1], [], 8) = 0\n";
    let free = "11 rt_sigprocmask(SIG_SETMASK, [], [USR1], 8) = 0\n";
    let calls = CALL.repeat(5);
    clean(&with_child(&format!("{block}{KILL}{calls}{END}")));
    clean(&with_child(&format!("{block}{KILL}{calls}{free}{SHOWN}{calls}{END}")));
    lost(&with_child(&format!("{block}{KILL}{calls}{free}{CALL}{END}")), "SIGUSR1", 12, 13);
}

#[test]
fn one_that_is_ignored_or_only_looked_for_is_none() {
    let ignore = "11 rt_sigaction(SIGUSR1, {sa_handler=SIG_IGN, sa_mask=[], sa_flags=SA_RESTORER, sa_restorer=0x7f}, {sa_handler=0x5555, sa_mask=[], sa_flags=SA_RESTORER, sa_restorer=0x7f}, 8) = 0\n";
    let calls = CALL.repeat(5);
    clean(&with_child(&format!("{ignore}{KILL}{calls}{END}")));
    clean(&with_child(&format!("10 kill(11, 0) = 0\n{calls}{END}")));
    // SIGCHLD of the default action is dropped.
    let nested = "11 clone(child_stack=NULL, flags=CLONE_CHILD_SETTID|SIGCHLD, child_tidptr=0x7f) = 12\n12 exit_group(0) = ?\n12 +++ exited with 0 +++\n";
    clean(&with_child(&format!("{nested}{calls}{END}")));
}

#[test]
fn one_that_would_have_ended_its_task_is_lost_too() {
    let calls = CALL.repeat(2);
    let term = "10 kill(11, SIGTERM) = 0\n";
    lost(&with_child(&format!("{term}{calls}{CALL}{END}")), "SIGTERM", 5, 8);
    let kill = "10 kill(11, SIGKILL) = 0\n";
    lost(&with_child(&format!("{kill}{calls}{CALL}{END}")), "SIGKILL", 5, 8);
}

#[test]
fn a_stopped_task_takes_nothing_but_what_goes_on_with_it() {
    let text = with_child(&format!(
        "10 kill(11, SIGSTOP) = 0
11 --- SIGSTOP {{si_signo=SIGSTOP, si_code=SI_USER, si_pid=10, si_uid=0}} ---
11 --- stopped by SIGSTOP ---
{KILL}10 getpid() = 10
10 getpid() = 10
10 kill(11, SIGCONT) = 0
11 --- SIGCONT {{si_signo=SIGCONT, si_code=SI_USER, si_pid=10, si_uid=0}} ---
{SHOWN}{CALL}{END}"
    ));
    clean(&text);
}

#[test]
fn a_child_whose_end_is_shown_late_has_not_told_of_it_yet() {
    // The reader of its pipe sees the end long before its line stands.
    let text = r#"10 execve("/bin/sh", ["sh"], 0x7ffd /* 3 vars */) = 0
10 rt_sigprocmask(SIG_SETMASK, [], [], 8) = 0
10 rt_sigaction(SIGCHLD, {sa_handler=0x5555, sa_mask=[], sa_flags=SA_RESTORER, sa_restorer=0x7f}, NULL, 8) = 0
10 pipe2([3, 4], 0) = 0
10 clone(child_stack=NULL, flags=CLONE_CHILD_SETTID|SIGCHLD, child_tidptr=0x7f) = 11
10 close(4) = 0
11 exit_group(0) = ?
10 read(3, "", 100) = 0
10 close(3) = 0
10 getpid() = 10
10 getpid() = 10
10 getpid() = 10
11 +++ exited with 0 +++
10 --- SIGCHLD {si_signo=SIGCHLD, si_code=CLD_EXITED, si_pid=11, si_uid=0, si_status=0, si_utime=0, si_stime=0} ---
10 rt_sigreturn({mask=[]}) = 10
10 wait4(-1, [{WIFEXITED(s) && WEXITSTATUS(s) == 0}], 0, NULL) = 11
10 exit_group(0) = ?
10 +++ exited with 0 +++
"#;
    clean(text);
    let hidden =
        text.lines().filter(|line| !line.contains("SIGCHLD {si") && !line.contains("sigreturn"));
    let hidden = hidden.collect::<Vec<_>>().join("\n") + "\n";
    let calls = "10 getpid() = 10\n10 getpid() = 10\n10 exit_group(0) = ?\n";
    lost(&hidden.replace("10 exit_group(0) = ?\n", calls), "SIGCHLD", 13, 16);
}

#[test]
fn a_recording_without_masks_may_leave_them_out() {
    // Only the end of the task, or of the recording, shows that it was never delivered.
    let calls = CALL.repeat(6);
    let plain = with_child(&format!("{KILL}{calls}{SHOWN}{CALL}{END}"));
    let mask = "10 rt_sigprocmask(SIG_SETMASK, [], [], 8) = 0\n";
    clean(&plain.replace(mask, ""));
    lost(&plain, "SIGUSR1", 5, 8);
    let never = with_child(&format!("{KILL}{calls}{END}")).replace(mask, "");
    lost(&never, "SIGUSR1", 4, 12);
    let open = never.split(END).next().unwrap_or_default();
    let report = replayed(open);
    let first = report.first_mismatch.expect("a mismatch");
    assert_eq!(first.pid, 11);
    assert!(first.why.contains("SIGUSR1, pending since line 4"), "{}", first.why);
}

/// Only the end tells that it is lost: count, text and exit status say so alike.
#[test]
fn one_that_is_lost_at_the_end_counts_where_its_tasks_last_call_does() {
    let calls = CALL.repeat(4);
    let text = with_child(&format!("{KILL}{calls}"))
        .replace("10 rt_sigprocmask(SIG_SETMASK, [], [], 8) = 0\n", "10 getpid() = 10\n");
    // The child goes on for ever.
    let text = text.replace("11 +++ exited with 0 +++\n", "");
    lost(&text, "SIGUSR1", 5, 9);
    let report = replayed(&text);
    assert_eq!(report.by_call["getppid"].mismatched, 1);
    assert_eq!(report.in_scope, report.compared + report.bound + report.fed + report.mismatched);
    assert!(!report.agrees(true) && report.to_text().contains("SIGUSR1"));
}
