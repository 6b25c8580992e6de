//! Mangled recordings never panic, hang or grow without bound: words of one line are put into
//! another, numbers made absurd, lines doubled, swapped and left out.

#[path = "fuzz/bodies/strace.rs"]
mod body;

use proptest::prelude::*;

const LINES: &[&str] = &[
    r#"10 execve("/bin/sh", ["sh"], ["A=1"]) = 0"#,
    r#"10 pipe2([3<pipe:[7]>, 4<pipe:[7]>], 0) = 0"#,
    r#"10 clone(child_stack=NULL, flags=CLONE_CHILD_SETTID|SIGCHLD, child_tidptr=0x7f) = 11"#,
    r#"11 dup2(4<pipe:[7]>, 1) = 1<pipe:[7]>"#,
    r#"10 read(3<pipe:[7]>, <unfinished ...>"#,
    r#"11 write(1<pipe:[7]>, "hello\n", 6) = 6"#,
    r#"10 <... read resumed>"hello\n", 100) = 6"#,
    r#"11 openat(AT_FDCWD</w>, "f", O_RDWR|O_CREAT|O_TRUNC, 0644) = 3</w/f>"#,
    r#"11 write(3</w/f>, "abcdef"..., 4096) = 4096"#,
    r#"11 pwrite64(3</w/f>, "x", 1, 65536) = 1"#,
    r#"11 lseek(3</w/f>, 0, SEEK_END) = 65537"#,
    r#"11 ftruncate(3</w/f>, 10) = 0"#,
    r#"11 copy_file_range(3</w/f>, [0], 3</w/f>, [100], 50, 0) = 10"#,
    r#"11 newfstatat(3</w/f>, "", {st_dev=makedev(0xfe, 0), st_ino=5, st_mode=S_IFREG|0644, st_nlink=1, st_uid=0, st_gid=0, st_blksize=4096, st_blocks=8, st_size=10, st_mtime=5, st_mtime_nsec=6}, AT_EMPTY_PATH) = 0"#,
    r#"11 getdents64(5</w>, [{d_ino=1, d_off=2, d_reclen=24, d_type=DT_DIR, d_name="."}, {d_ino=5, d_off=9, d_reclen=24, d_type=DT_REG, d_name="f"}], 32768) = 48"#,
    r#"11 rename("f", "g") = 0"#,
    r#"11 symlink("g", "l") = 0"#,
    r#"11 readlink("/bin/sh", "dash", 100) = 4"#,
    r#"11 poll([{fd=3, events=POLLIN}, {fd=-1}], 2, 100) = 0 (Timeout)"#,
    r#"11 select(5, [3 4], NULL, NULL, {tv_sec=1, tv_usec=5}) = 1 (in [3], left {tv_sec=0, tv_usec=5})"#,
    r#"11 rt_sigaction(SIGUSR1, {sa_handler=0x55, sa_mask=[], sa_flags=SA_RESTORER, sa_restorer=0x7f}, NULL, 8) = 0"#,
    r#"10 kill(11, SIGUSR1) = 0"#,
    r#"11 --- SIGUSR1 {si_signo=SIGUSR1, si_code=SI_USER, si_pid=10, si_uid=0} ---"#,
    r#"11 rt_sigreturn({mask=[]}) = -1 EINTR (Interrupted system call)"#,
    r#"11 setrlimit(RLIMIT_NOFILE, {rlim_cur=5, rlim_max=5}) = 0"#,
    r#"11 nanosleep({tv_sec=1, tv_nsec=5}, NULL) = 0"#,
    r#"11 fcntl(1, F_DUPFD_CLOEXEC, 10) = 10"#,
    r#"11 setsid() = 11"#,
    r#"11 vfork() = 12"#,
    r#"12 execve("./s.sh", ["s.sh"], []) = 0"#,
    r#"12 openat(AT_FDCWD</w>, "/proc/sys/vm/x", O_RDONLY) = 4</proc/sys/vm/x>"#,
    r#"12 read(4</proc/sys/vm/x>, "1", 10) = 1"#,
    r#"12 kill(0, SIGSTOP) = 0"#,
    r#"12 exit_group(3) = ?"#,
    r#"12 +++ exited with 3 +++"#,
    r#"11 exit_group(0) = ?"#,
    r#"11 +++ exited with 0 +++"#,
    r#"10 wait4(-1, [{WIFEXITED(s) && WEXITSTATUS(s) == 0}], 0, NULL) = 11"#,
    r#"10 +++ killed by SIGKILL +++"#,
];

const WORDS: &[&str] = &[
    "-1",
    "0",
    "1",
    "2",
    "3",
    "4",
    "10",
    "11",
    "12",
    "4096",
    "65537",
    "2147483647",
    "-2147483648",
    "4294967295",
    "9223372036854775807",
    "18446744073709551615",
    "NULL",
    "SIGKILL",
    "\"f\"",
    "\"/\"",
    "\"\"",
    "\"..\"",
    "\"/proc/self/fd/0\"",
    "[]",
    "{}",
    "0x7ffc",
    "?",
];

/// Puts `word` in the place of the `at`th word of a line.
fn replaced(line: &str, at: usize, word: &str) -> String {
    let is_part = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    let mut starts = Vec::new();
    let mut before = false;
    for (index, c) in line.char_indices() {
        if is_part(c) && !before {
            starts.push(index);
        }
        before = is_part(c);
    }
    let Some(&start) = starts.get(at % starts.len().max(1)) else { return line.to_owned() };
    let rest = &line[start..];
    let end = rest.find(|c: char| !is_part(c)).unwrap_or(rest.len());
    format!("{}{word}{}", &line[..start], &rest[end..])
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn mangled_recordings_are_read_to_their_end(
        changes in prop::collection::vec(
            (0..LINES.len(), 0..40usize, 0..WORDS.len(), 0..6u8),
            1..12,
        )
    ) {
        let mut lines: Vec<String> = LINES.iter().map(|line| (*line).to_owned()).collect();
        for (line, at, word, how) in changes {
            let line = line % lines.len();
            match how {
                0 => drop(lines.remove(line)),
                1 => lines.insert(at % lines.len(), lines[line].clone()),
                2 => {
                    let other = at % lines.len();
                    lines.swap(line, other);
                }
                _ => lines[line] = replaced(&lines[line], at, WORDS[word]),
            }
            if lines.is_empty() {
                return Ok(());
            }
        }
        body::run((lines.join("\n") + "\n").as_bytes());
    }
}
