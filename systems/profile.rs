//! The profile: where the origin's contract bends Linux by another value or order inside a
//! primitive (DESIGN section 8; `shared/contract/SEMANTICS.md`). Each bend is a field here with its
//! reason, read by the primitive that it bends; nothing else asks which profile it is.
//!
//! Bends that compose or order checks otherwise are call families of their own:
//! `calls/face_*.rs`.

/// Whose rules hold where Linux and the origin's contract differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Profile {
    /// Linux's: recordings, `drive`, tests against Linux.
    #[default]
    Linux,
    /// The contract of secure-exec-kernel 0.3.3: the default of `KernelVmConfig::new`.
    SecureExec,
}

crate::wire_enum!(Profile { 0 Linux, 1 SecureExec });

/// Where primitives differ. Sections are those of SEMANTICS.md.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bends {
    /// A process may be in several calls at once: the face has no threads of guests, so each
    /// blocked call of a process is a task of its own (section 17; the origin's calls are free
    /// functions of a pid).
    pub calls_side_by_side: bool,
    /// A stopped process's driver may still call for it: the stop is of the guest's code, which
    /// the kernel does not run (section 2).
    pub stopped_may_call: bool,
    /// Process 1 adopts orphans but is killed like any other (section 2, "Exit").
    pub first_adopts: bool,
    /// Zombies without a living parent stay until a deadline, `waitpid` or `wait_and_reap` takes
    /// them (section 2, "Zombie TTL"). On Linux they are gone at once.
    pub zombies_stay: bool,
    /// Every signal that a process takes is told to its driver, ignored ones too (section 2,
    /// "Signals": `kill_signals`).
    pub signals_are_told: bool,
    /// SIGCONT cannot be blocked in effect (section 2, "Mask").
    pub continue_is_unblockable: bool,
    /// A pipe's room is counted in bytes and not in page slots; a write of more than PIPE_BUF
    /// takes what fits, a shorter one all or nothing (section 4).
    pub pipes_count_bytes: bool,
    /// The write end is ready while there is any room and somebody to read it (section 6).
    pub any_room_is_ready: bool,
    /// Readiness of a file follows the access mode (section 6).
    pub files_are_ready_by_mode: bool,
    /// A conversion of a flock(2) lock that must wait keeps the old lock (section 3).
    pub conversion_keeps_lock: bool,
    /// Limits on bytes are looked at before the access mode (section 0, item 4).
    pub limits_come_first: bool,
    /// SIGTSTP and its like stop members of orphaned groups too (section 2).
    pub orphans_stop: bool,
    /// A wait tells the number of an end, which may be any `i32` (section 2, "waitpid").
    pub waits_tell_numbers: bool,
    /// The signal of a handle is the driver's own affair: it passes the mask, and stops nothing
    /// (section 2, "Handle").
    pub handles_pass_masks: bool,
    /// A file's offset may be anywhere up to i64::MAX, a directory ends at its size, and a pipe has
    /// no offset whatever is asked of it (section 3, `fd_seek`).
    pub any_offset: bool,
    /// An end wakes the stopped members of its group and of its children's whenever those are
    /// orphaned, whether or not it was the end that made them so (section 2, "Orphaned groups").
    pub ends_wake_orphans: bool,
    /// A parent that is stopped is not told of its children by SIGCHLD (section 2, "Exit").
    pub stopped_parents_hear_nothing: bool,
    /// pwrite goes to its offset, also with O_APPEND (section 3, `fd_write`; POSIX too).
    pub pwrite_keeps_offset: bool,
    /// Devices show no type in their mode (section 12).
    pub devices_have_no_type: bool,
    /// flock(2) takes regular files only: EBADF (section 3).
    pub only_files_are_locked: bool,
    /// A process begins with the umask 022 and an empty mask, whatever its parent has (section 2).
    pub births_start_afresh: bool,
    /// A signal to -1 is one to the group 1, and not to all (section 2, "Signals").
    pub minus_one_is_a_group: bool,
    /// The leader of a session may be put into another group (section 2, "Signals").
    pub leaders_may_move: bool,
    /// A file is made with the directories that lead to it (sections 3 and 13).
    pub parents_are_made: bool,
    /// A directory may be opened for writing (section 3).
    pub directories_open_for_writing: bool,
    /// A time-out of poll below -1 is EINVAL, and not for ever (section 6).
    pub polls_refuse_negatives: bool,
    /// Names have no control characters, and a path 4,096 bytes at most, not 4,095 (section 9).
    pub names_are_printable: bool,
    /// Too long arguments are EINVAL, and not E2BIG (section 10).
    pub long_words_are_invalid: bool,
    /// A directory that is made may be there already (section 13).
    pub directories_may_exist: bool,
    /// What nobody does to the root is EPERM, and not EBUSY (section 13).
    pub root_is_forbidden: bool,
    /// A rename may put a file in the place of an empty directory, and the reverse; onto another
    /// name of the same file it removes the old one (section 13).
    pub renames_cross_kinds: bool,
    /// link(2) follows the link that it is given (section 13).
    pub links_follow: bool,
    /// Of a file that would be made through a link to nothing the link's own path is asked about,
    /// and not the file's (section 9).
    pub empty_links_are_asked_about: bool,
    /// While the files have more bytes than the limit, no write and no truncation is taken that
    /// leaves them with too many, the ones that make a file shorter included (section 10).
    pub full_stays_full: bool,
    /// /proc names a process by its whole command, not by 15 bytes of the command's last part, and
    /// has no `)` in it (section 16).
    pub proc_names_are_whole: bool,
    /// /proc/self leads to a path from the root (the origin; section 16 is silent).
    pub proc_self_is_absolute: bool,
    /// /proc shows the words and the directory of a zombie (the origin; section 16 is silent).
    pub zombies_keep_texts: bool,
    /// What is open of a process's /proc is ENOENT once it has gone, and not ESRCH (the origin;
    /// section 16 is silent).
    pub gone_processes_are_missing: bool,
    /// Every word of a script's first line is an argument, and not all of them one (section 14).
    pub shebangs_split: bool,
}

impl Profile {
    /// The bends of this profile. Those of the first kind are no matter of rules but of who speaks:
    /// they come with the face in either profile.
    pub const fn bends(self, face: bool) -> Bends {
        let bent = match self {
            Profile::Linux => false,
            Profile::SecureExec => true,
        };
        Bends {
            calls_side_by_side: face,
            stopped_may_call: face,
            first_adopts: face,
            zombies_stay: face,
            signals_are_told: face,
            continue_is_unblockable: bent,
            pipes_count_bytes: bent,
            any_room_is_ready: bent,
            files_are_ready_by_mode: bent,
            conversion_keeps_lock: bent,
            handles_pass_masks: bent,
            any_offset: bent,
            ends_wake_orphans: bent,
            stopped_parents_hear_nothing: bent,
            pwrite_keeps_offset: bent,
            devices_have_no_type: bent,
            only_files_are_locked: bent,
            limits_come_first: bent,
            orphans_stop: bent,
            births_start_afresh: bent,
            minus_one_is_a_group: bent,
            leaders_may_move: bent,
            parents_are_made: bent,
            directories_open_for_writing: bent,
            polls_refuse_negatives: bent,
            names_are_printable: bent,
            long_words_are_invalid: bent,
            directories_may_exist: bent,
            root_is_forbidden: bent,
            renames_cross_kinds: bent,
            links_follow: bent,
            empty_links_are_asked_about: bent,
            full_stays_full: bent,
            proc_names_are_whole: bent,
            proc_self_is_absolute: bent,
            zombies_keep_texts: bent,
            gone_processes_are_missing: bent,
            shebangs_split: bent,
            waits_tell_numbers: face,
        }
    }
}
