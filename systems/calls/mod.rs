//! Phase 1, dispatch: one file a family of system calls. Each decodes, checks in Linux's order, and
//! only then changes something. A call answers, fails, blocks on a condition, or asks the host.

mod capability;
mod descriptor;
pub(crate) mod discipline;
mod epoll;
mod eventfd;
mod exec;
mod face_dispose;
mod face_fds;
mod face_files;
mod face_line;
mod face_policy;
pub(crate) mod face_poll;
mod face_proc;
mod face_process;
mod face_pty;
mod face_room;
mod face_sockets;
mod face_streams;
mod face_tree;
mod fallocate;
mod groups;
mod ids;
mod inet;
mod inet_options;
pub(crate) mod inotify;
mod interfaces;
mod io;
mod ioctl;
pub(crate) mod job_control;
mod knocking;
mod lent;
pub(crate) mod lock;
mod memfd;
mod message;
mod messages;
mod mount;
mod network;
pub(crate) mod notices;
pub(crate) mod object;
mod open;
mod overlay;
mod path;
mod pathconf;
mod peek_offset;
mod pidfd;
mod pipe;
pub(crate) mod poll;
mod proc_write;
mod process;
pub(crate) mod record_lock;
pub(crate) mod rights;
mod signal;
mod signalfd;
pub(crate) mod socket;
mod socket_options;
mod socket_waits;
pub(crate) mod splice;
mod splice_sockets;
mod splice_terminals;
pub(crate) mod stat;
mod stream;
mod sync;
mod tcp;
mod tcp_options;
pub(crate) mod terminal;
pub(crate) mod terminal_io;
mod terminal_ioctl;
mod time;
pub(crate) mod timer;
mod timerfd;
pub(crate) mod transfer;
mod udp;
mod udp_cork;
mod udp_errors;
mod unix;
mod unix_connect;
mod unix_names;
mod unnamed;
mod unreachable;
mod urgent;
mod vectors;
mod wait;
mod xattr;

use crate::abi::flags::*;
use crate::abi::{AltStack, Errno, Timespec};
use crate::components::message::{Form, Receiving};
use crate::event::{Answer, Call, HostAnswer, Question};
use crate::kernel::{CallResult, Kernel};
use crate::rows::TaskRow;
pub use face_fds::FaceFd;
pub use face_files::DEVICES;
use ids::Kind;
use message::Outgoing;
use open::How;

/// No alternate signal stack.
pub(crate) const NO_ALT_STACK: AltStack = AltStack { sp: 0, flags: SS_DISABLE, size: 0 };

/// Whether readv(2) of so many bytes ends before the file is looked at.
const fn is_odd(count: u64) -> bool {
    count == 0 || count > i64::MAX as u64
}

impl Kernel {
    /// Performs a call of a task. Split by subject so that each part fits a screen.
    // Inlined up to `Kernel::call`, as what it calls by itself: the answer is then built where the
    // caller wants it, and not moved from frame to frame (each move waits for the stores before
    // it).
    #[inline(always)]
    pub(crate) fn dispatch(&mut self, task: TaskRow, call: &Call<'_>) -> CallResult {
        match call {
            Call::Readv { fd, count } if is_odd(*count) => self.read_odd(task, *fd, *count),
            Call::Read { fd, count } => self.read(task, *fd, *count),
            // A vector's length is cut down before it is looked at.
            Call::Readv { fd, count } => self.read(task, *fd, (*count).min(io::MAX_RW_COUNT)),
            Call::Writev { fd, data: [] } => self.write_nothing(task, *fd),
            Call::Write { fd, data } | Call::Writev { fd, data } => self.write(task, *fd, data),
            Call::Close { fd } => self.close(task, *fd),
            Call::Dup { oldfd } => self.dup(task, *oldfd),
            Call::Getpid {} => self.getpid(task),
            Call::Fork {} => self.fork(task),
            Call::ExitGroup { status } => self.exit_group(task, *status),
            Call::Wait4 { wpid, options } => self.wait4(task, *wpid, *options),
            Call::Pipe {} => self.pipe2(task, 0),
            Call::Pipe2 { flags } => self.pipe2(task, *flags),
            // What servers and builds do most goes past the subjects that stand before it.
            Call::Poll { .. } | Call::EpollWait { .. } => self.dispatch_waits(task, call),
            Call::Sendto { .. } | Call::Recvfrom { .. } => self.dispatch_sockets(task, call),
            Call::Connect { .. } | Call::Accept { .. } => self.dispatch_sockets(task, call),
            Call::Open { .. } | Call::Openat { .. } => self.dispatch_opens(task, call),
            Call::Stat { .. } | Call::Lstat { .. } => self.dispatch_opens(task, call),
            Call::Fstat { .. } | Call::Newfstatat { .. } => self.dispatch_opens(task, call),
            Call::Unlink { .. } | Call::Unlinkat { .. } => self.dispatch_names(task, call),
            Call::Rename { .. } | Call::Mkdir { .. } => self.dispatch_names(task, call),
            other => self.dispatch_descriptors(task, other),
        }
    }

    fn dispatch_descriptors(&mut self, task: TaskRow, call: &Call<'_>) -> CallResult {
        match *call {
            Call::FacePoll { ref fds, ref sockets, timeout } => {
                self.face_poll(task, fds, sockets, timeout)
            }
            Call::FaceRead { fd, count, timeout } => {
                // Its own time-out in the place of the configured one, for this call alone.
                self.read_timeout_ns = u64::try_from(timeout).ok();
                let result = self.read(task, fd, count);
                self.read_timeout_ns = None;
                result
            }
            Call::Dup2 { oldfd, newfd } => self.dup2(task, oldfd, newfd),
            Call::Dup3 { oldfd, newfd, flags } => self.dup3(task, oldfd, newfd, flags),
            Call::CloseRange { first, last, flags } => self.close_range(task, first, last, flags),
            Call::Fcntl { fd, cmd, arg } => self.fcntl(task, fd, cmd, arg),
            Call::Ioctl { fd, request, arg } => self.ioctl(task, fd, request, arg),
            Call::Preadv { fd, count, offset: 0.. }
                if is_odd(count) && self.has_place(task, fd) =>
            {
                self.read_odd(task, fd, count)
            }
            Call::Pread64 { fd, count, offset } => self.pread(task, fd, count, offset),
            Call::Preadv { fd, count, offset } => {
                self.pread(task, fd, count.min(io::MAX_RW_COUNT), offset)
            }
            Call::Pwritev { fd, data: [], offset: 0.. } if self.has_place(task, fd) => {
                self.write_nothing(task, fd)
            }
            Call::Pwrite64 { fd, data, offset } | Call::Pwritev { fd, data, offset } => {
                self.pwrite(task, fd, data, offset)
            }
            Call::Preadv2 { fd, count, offset, flags } => {
                self.preadv2(task, fd, count, offset, flags)
            }
            Call::Pwritev2 { fd, data, offset, flags } => {
                self.pwritev2(task, fd, data, offset, flags)
            }
            Call::Lseek { fd, offset, whence } => self.lseek(task, fd, offset, whence),
            Call::Getdents64 { fd, count } => self.getdents64(task, fd, count),
            Call::Ftruncate { fd, length } => self.ftruncate(task, fd, length),
            Call::Fallocate { fd, mode, offset, len } => {
                self.fallocate(task, fd, mode, offset, len)
            }
            Call::Fsync { fd } | Call::Fdatasync { fd } => self.fsync(task, fd),
            Call::Syncfs { fd } => self.syncfs(task, fd),
            Call::SyncFileRange { fd, offset, nbytes, flags } => {
                self.sync_file_range(task, fd, (offset, nbytes), flags)
            }
            Call::Readahead { fd, count, .. } => self.readahead(task, fd, count),
            Call::Fadvise64 { fd, len, advice, .. } => self.fadvise(task, fd, len, advice),
            Call::Flock { fd, operation } => self.flock(task, fd, operation),
            Call::Sendfile { out_fd, in_fd, offset, count } => {
                self.sendfile(task, out_fd, in_fd, offset, count)
            }
            Call::Splice { fd_in, off_in, fd_out, off_out, len, flags } => {
                self.splice(task, (fd_in, off_in), (fd_out, off_out), len, flags)
            }
            Call::Tee { fd_in, fd_out, len, flags } => self.tee(task, fd_in, fd_out, len, flags),
            Call::CopyFileRange { fd_in, off_in, fd_out, off_out, len, flags } => {
                self.copy_file_range(task, (fd_in, off_in), (fd_out, off_out), len, flags)
            }
            ref other => self.dispatch_objects(task, other),
        }
    }

    fn dispatch_objects(&mut self, task: TaskRow, call: &Call<'_>) -> CallResult {
        match *call {
            Call::Sync {} => Ok(Answer::default()),
            Call::Vhangup {} => self.vhangup(task),
            Call::EpollCreate { size } => self.epoll_create(task, size),
            Call::EpollCreate1 { flags } => self.epoll_create1(task, flags),
            Call::EpollCtl { epfd, op, fd, events, data } => {
                self.epoll_ctl(task, epfd, epoll::Ctl { op, fd, events, data })
            }
            Call::MemfdCreate { name, flags } => self.memfd_create(task, name, flags),
            Call::TimerfdCreate { clockid, flags } => self.timerfd_create(task, clockid, flags),
            Call::TimerfdSettime { fd, flags, new_value } => {
                self.timerfd_settime(task, fd, flags, new_value)
            }
            Call::TimerfdGettime { fd } => self.timerfd_gettime(task, fd),
            Call::Signalfd { fd, mask } => self.signalfd(task, fd, mask, 0),
            Call::Signalfd4 { fd, mask, flags } => self.signalfd(task, fd, mask, flags),
            Call::Eventfd { initval } => self.eventfd(task, initval, 0),
            Call::Eventfd2 { initval, flags } => self.eventfd(task, initval, flags),
            Call::PidfdOpen { target, flags } => self.pidfd_open(task, target, flags),
            Call::PidfdSendSignal { pidfd, sig, info, flags } => {
                self.pidfd_send_signal(task, pidfd, sig, info, flags)
            }
            Call::PidfdGetfd { pidfd, targetfd, flags } => {
                self.pidfd_getfd(task, pidfd, targetfd, flags)
            }
            Call::InotifyInit {} => self.inotify_init(task, 0),
            Call::InotifyInit1 { flags } => self.inotify_init(task, flags),
            Call::InotifyAddWatch { fd, pathname, mask } => {
                self.inotify_add_watch(task, fd, pathname, mask)
            }
            Call::InotifyRmWatch { fd, wd } => self.inotify_rm_watch(task, fd, wd),
            Call::Socket { domain, r#type, protocol } => {
                self.socket(task, domain, r#type, protocol)
            }
            Call::Socketpair { domain, r#type, protocol } => {
                self.socketpair(task, domain, r#type, protocol)
            }
            ref other => self.dispatch_sockets(task, other),
        }
    }

    fn dispatch_sockets(&mut self, task: TaskRow, call: &Call<'_>) -> CallResult {
        match *call {
            Call::Sendto { sockfd, data, flags, ref addr } => {
                let to = addr.as_ref();
                let message = Outgoing { data, flags, to, fds: &[], cred: None };
                self.sendmsg(task, sockfd, call.number(), message)
            }
            Call::Sendmsg { sockfd, data, flags, ref addr, ref fds, cred } => {
                let (to, fds) = (addr.as_ref(), fds.as_deref().unwrap_or_default());
                let message = Outgoing { data, flags, to, fds, cred };
                self.sendmsg(task, sockfd, call.number(), message)
            }
            Call::Recvfrom { sockfd, count, flags } => {
                let receiving = Receiving::one(count, flags, Form::From);
                self.recvmsg(task, sockfd, call.number(), receiving)
            }
            Call::Recvmsg { sockfd, count, flags } => {
                let receiving = Receiving::one(count, flags, Form::Message);
                self.recvmsg(task, sockfd, call.number(), receiving)
            }
            Call::Sendmmsg { sockfd, ref messages, flags } => {
                self.sendmmsg(task, sockfd, messages, flags)
            }
            Call::Recvmmsg { sockfd, ref counts, flags, timeout } => {
                self.recvmmsg(task, sockfd, counts, flags, timeout)
            }
            Call::Bind { sockfd, ref addr } => self.bind(task, sockfd, addr),
            Call::Connect { sockfd, ref addr } => self.connect(task, sockfd, addr),
            Call::Listen { sockfd, backlog } => self.listen(task, sockfd, backlog),
            Call::Accept { sockfd } => self.accept(task, sockfd, 0, call),
            Call::Accept4 { sockfd, flags } => self.accept(task, sockfd, flags, call),
            Call::Getsockname { sockfd } => self.getsockname(task, sockfd),
            Call::Getpeername { sockfd } => self.getpeername(task, sockfd),
            Call::Shutdown { sockfd, how } => self.shutdown(task, sockfd, how),
            Call::Setsockopt { sockfd, level, optname, ref optval, optlen } => {
                self.setsockopt(task, sockfd, (level, optname), optval.as_ref(), optlen)
            }
            Call::Getsockopt { sockfd, level, optname, optlen } => {
                self.getsockopt(task, sockfd, (level, optname), optlen)
            }
            ref other => self.dispatch_waits(task, other),
        }
    }

    fn dispatch_waits(&mut self, task: TaskRow, call: &Call<'_>) -> CallResult {
        match call {
            Call::EpollWait { epfd, maxevents, timeout } => {
                self.epoll_wait(task, *epfd, *maxevents, *timeout)
            }
            Call::EpollPwait { epfd, maxevents, timeout, sigmask } => {
                self.epoll_pwait(task, (*epfd, *maxevents), *timeout, *sigmask)
            }
            Call::EpollPwait2 { epfd, maxevents, timeout, sigmask } => {
                self.epoll_pwait2(task, (*epfd, *maxevents), *timeout, *sigmask)
            }
            Call::Poll { fds, timeout } => self.poll(task, fds, *timeout),
            Call::Ppoll { fds, timeout, sigmask } => self.ppoll(task, fds, *timeout, *sigmask),
            Call::Select { nfds, readfds, writefds, exceptfds, timeout } => {
                self.select(task, *nfds, [readfds, writefds, exceptfds], *timeout, None)
            }
            Call::Pselect6 { nfds, readfds, writefds, exceptfds, timeout, sigmask } => {
                self.select(task, *nfds, [readfds, writefds, exceptfds], *timeout, *sigmask)
            }
            Call::Waitid { idtype, id, options } => self.waitid(task, *idtype, *id, *options),
            Call::Pause {} => self.pause(),
            Call::Nanosleep { request } => self.nanosleep(*request),
            Call::ClockNanosleep { clockid, flags, request } => {
                self.clock_nanosleep(*clockid, *flags, *request)
            }
            Call::Alarm { seconds } => self.alarm(task, *seconds),
            Call::Setitimer { which, new_value } => {
                self.itimer(task, *which, Some(new_value.unwrap_or_default()))
            }
            Call::TimerCreate { clockid, sevp } => self.timer_create(task, *clockid, *sevp),
            Call::TimerSettime { timerid, flags, new_value } => {
                self.timer_settime(task, *timerid, *flags, *new_value)
            }
            Call::TimerGettime { timerid } => self.timer_gettime(task, *timerid),
            Call::TimerGetoverrun { timerid } => self.timer_getoverrun(task, *timerid),
            Call::TimerDelete { timerid } => self.timer_delete(task, *timerid),
            Call::Getitimer { which } => self.itimer(task, *which, None),
            other => self.dispatch_processes(task, other),
        }
    }

    fn dispatch_processes(&mut self, task: TaskRow, call: &Call<'_>) -> CallResult {
        match *call {
            Call::Vfork {} => self.vfork(task),
            Call::Clone { flags, set_tid } => self.clone_task(task, flags, set_tid),
            Call::Execve { path, ref argv, ref envp } => self.execve(task, path, argv, envp),
            Call::Exit { status } => self.exit(task, status),
            Call::Kill { target, sig } => self.kill(task, target, sig),
            Call::Tkill { tid, sig } => self.tgkill(task, None, tid, sig),
            Call::Tgkill { tgid, tid, sig } => self.tgkill(task, Some(tgid), tid, sig),
            Call::RtSigaction { signum, act } => self.rt_sigaction(task, signum, act),
            Call::RtSigprocmask { how, set } => self.rt_sigprocmask(task, how, set),
            Call::RtSigpending {} => self.rt_sigpending(task),
            Call::RtSigsuspend { set } => self.rt_sigsuspend(task, set),
            Call::RtSigtimedwait { set, timeout } => self.rt_sigtimedwait(task, set, timeout),
            Call::RtSigqueueinfo { target, sig, info } => {
                self.rt_sigqueueinfo(task, target, sig, info)
            }
            Call::RtTgsigqueueinfo { tgid, tid, sig, info } => {
                self.rt_tgsigqueueinfo(task, (tgid, tid), sig, info)
            }
            Call::Sigaltstack { ss } => self.sigaltstack(task, ss),
            Call::RtSigreturn {} => self.rt_sigreturn(task),
            ref other => self.dispatch_ids(task, other),
        }
    }

    fn dispatch_ids(&mut self, task: TaskRow, call: &Call<'_>) -> CallResult {
        let who = &self.rows[task].credentials;
        match *call {
            Call::Gettid {} => Ok(Answer::value(i64::from(self.rows[task].tid))),
            Call::Getppid {} => self.getppid(task),
            Call::Getuid {} => Ok(Answer::value(i64::from(who.uid))),
            Call::Geteuid {} => Ok(Answer::value(i64::from(who.euid))),
            Call::Getgid {} => Ok(Answer::value(i64::from(who.gid))),
            Call::Getegid {} => Ok(Answer::value(i64::from(who.egid))),
            Call::Getresuid {} => self.get_three(task, Kind::User),
            Call::Getresgid {} => self.get_three(task, Kind::Group),
            Call::Setuid { uid } => self.set_id(task, Kind::User, uid),
            Call::Setgid { gid } => self.set_id(task, Kind::Group, gid),
            Call::Setreuid { ruid, euid } => self.set_two(task, Kind::User, ruid, euid),
            Call::Setregid { rgid, egid } => self.set_two(task, Kind::Group, rgid, egid),
            Call::Setresuid { ruid, euid, suid } => {
                self.set_three(task, Kind::User, [ruid, euid, suid])
            }
            Call::Setresgid { rgid, egid, sgid } => {
                self.set_three(task, Kind::Group, [rgid, egid, sgid])
            }
            Call::Getgroups { size } => self.getgroups(task, size),
            Call::Setgroups { ref groups } => self.setgroups(task, groups),
            Call::Getpgrp {} => self.group_or_session(task, 0, false),
            Call::Getpgid { target } => self.group_or_session(task, target, false),
            Call::Getsid { target } => self.group_or_session(task, target, true),
            Call::Setpgid { target, pgid } => self.setpgid(task, target, pgid),
            Call::Setsid {} => self.setsid(task),
            Call::Umask { mask } => self.umask(task, mask),
            Call::Getrlimit { resource } => self.prlimit(task, 0, resource, None),
            Call::Setrlimit { resource, new_limit } => {
                self.prlimit(task, 0, resource, Some(new_limit))?;
                Ok(Answer::default())
            }
            Call::Prlimit64 { target, resource, new_limit } => {
                self.prlimit(task, target, resource, new_limit)
            }
            ref other => self.dispatch_opens(task, other),
        }
    }

    fn dispatch_opens(&mut self, task: TaskRow, call: &Call<'_>) -> CallResult {
        match *call {
            Call::Open { path, flags, mode } => self.openat(task, AT_FDCWD, path, flags, mode),
            Call::Creat { path, mode } => {
                self.openat(task, AT_FDCWD, path, O_CREAT | O_WRONLY | O_TRUNC, mode)
            }
            Call::Openat { dirfd, path, flags, mode } => {
                self.openat(task, dirfd, path, flags, mode)
            }
            Call::Openat2 { dirfd, path, flags, mode, resolve } => {
                self.openat2(task, How { dirfd, path, flags, mode, resolve })
            }
            Call::Stat { path } => self.stat_at(task, AT_FDCWD, path, 0),
            Call::Lstat { path } => self.stat_at(task, AT_FDCWD, path, AT_SYMLINK_NOFOLLOW),
            Call::Fstat { fd } => self.fstat(task, fd),
            Call::Newfstatat { dirfd, path, flags } => self.stat_at(task, dirfd, path, flags),
            Call::Statx { dirfd, path, flags, mask } => self.statx(task, dirfd, path, flags, mask),
            Call::Access { path, mode } => self.access_at(task, AT_FDCWD, path, mode, 0),
            Call::Faccessat { dirfd, path, mode } => self.access_at(task, dirfd, path, mode, 0),
            Call::Faccessat2 { dirfd, path, mode, flags } => {
                self.access_at(task, dirfd, path, mode, flags)
            }
            Call::Chdir { path } => self.chdir(task, path),
            Call::Fchdir { fd } => self.fchdir(task, fd),
            Call::Mount { source, target, filesystemtype, mountflags, data } => {
                let (kind, flags) = (filesystemtype, mountflags);
                self.mount(task, mount::MountCall { source, target, kind, flags, data })
            }
            Call::Umount2 { target, flags } => self.umount(task, target, flags),
            Call::Chroot { path } => self.chroot(task, path),
            Call::Capset { target, effective, permitted, inheritable } => {
                self.capset(task, target, [effective, permitted, inheritable])
            }
            Call::Prctl { option, arg2, arg3, arg4, arg5 } => {
                self.prctl(task, option, [arg2, arg3, arg4, arg5])
            }
            Call::Getcwd { size } => self.getcwd(task, size),
            Call::Readlink { path, bufsiz } => self.readlink_at(task, AT_FDCWD, path, bufsiz),
            Call::Readlinkat { dirfd, path, bufsiz } => self.readlink_at(task, dirfd, path, bufsiz),
            Call::Truncate { path, length } => self.truncate(task, path, length),
            Call::Statfs { path } => {
                let spot = self.spot(task, AT_FDCWD, path, 0)?;
                self.statfs(&spot)
            }
            Call::Fstatfs { fd } => {
                let spot = self.spot_of_fd(task, fd)?;
                self.statfs(&spot)
            }
            Call::Pathconf { path, name } => {
                let spot = self.spot(task, AT_FDCWD, path, 0)?;
                self.pathconf(&spot, name)
            }
            Call::Fpathconf { fd, name } => {
                let spot = self.spot_of_fd(task, fd)?;
                self.pathconf(&spot, name)
            }
            ref other => self.dispatch_names(task, other),
        }
    }

    fn dispatch_names(&mut self, task: TaskRow, call: &Call<'_>) -> CallResult {
        match *call {
            Call::Mkdir { path, mode } => self.mkdir_at(task, AT_FDCWD, path, mode),
            Call::Mkdirat { dirfd, path, mode } => self.mkdir_at(task, dirfd, path, mode),
            Call::Mknod { path, mode, major, minor } => {
                self.mknod_at(task, AT_FDCWD, path, mode, makedev(major, minor))
            }
            Call::Mknodat { dirfd, path, mode, major, minor } => {
                self.mknod_at(task, dirfd, path, mode, makedev(major, minor))
            }
            Call::Rmdir { path } => self.unlink_at(task, AT_FDCWD, path, AT_REMOVEDIR),
            Call::Unlink { path } => self.unlink_at(task, AT_FDCWD, path, 0),
            Call::Unlinkat { dirfd, path, flags } => self.unlink_at(task, dirfd, path, flags),
            Call::Rename { oldpath, newpath } => {
                self.rename_at(task, (AT_FDCWD, oldpath), (AT_FDCWD, newpath), 0)
            }
            Call::Renameat { olddirfd, oldpath, newdirfd, newpath } => {
                self.rename_at(task, (olddirfd, oldpath), (newdirfd, newpath), 0)
            }
            Call::Renameat2 { olddirfd, oldpath, newdirfd, newpath, flags } => {
                self.rename_at(task, (olddirfd, oldpath), (newdirfd, newpath), flags)
            }
            Call::Link { oldpath, newpath } => {
                self.link_at(task, (AT_FDCWD, oldpath), (AT_FDCWD, newpath), 0)
            }
            Call::Linkat { olddirfd, oldpath, newdirfd, newpath, flags } => {
                self.link_at(task, (olddirfd, oldpath), (newdirfd, newpath), flags)
            }
            Call::Symlink { target, linkpath } => self.symlink_at(task, target, AT_FDCWD, linkpath),
            Call::Symlinkat { target, newdirfd, linkpath } => {
                self.symlink_at(task, target, newdirfd, linkpath)
            }
            ref other => self.dispatch_attributes(task, other),
        }
    }

    fn dispatch_attributes(&mut self, task: TaskRow, call: &Call<'_>) -> CallResult {
        match *call {
            Call::Chmod { path, mode } => self.chmod_at(task, AT_FDCWD, path, mode, 0),
            Call::Fchmodat { dirfd, path, mode } => self.chmod_at(task, dirfd, path, mode, 0),
            Call::Fchmodat2 { dirfd, path, mode, flags } => {
                self.chmod_at(task, dirfd, path, mode, flags)
            }
            Call::Fchmod { fd, mode } => {
                let spot = self.open_spot(task, fd)?;
                self.chmod(task, spot, mode)
            }
            Call::Chown { path, uid, gid } => self.chown_at(task, AT_FDCWD, path, (uid, gid), 0),
            Call::Lchown { path, uid, gid } => {
                self.chown_at(task, AT_FDCWD, path, (uid, gid), AT_SYMLINK_NOFOLLOW)
            }
            Call::Fchownat { dirfd, path, uid, gid, flags } => {
                self.chown_at(task, dirfd, path, (uid, gid), flags)
            }
            Call::Fchown { fd, uid, gid } => {
                let spot = self.open_spot(task, fd)?;
                self.chown(task, spot, uid, gid)
            }
            Call::Utimensat { dirfd, path, atime, mtime, flags } => {
                // NULL is neither of them; one that is left out stays.
                let omit = Timespec { sec: 0, nsec: UTIME_OMIT };
                let given = atime.is_some() || mtime.is_some();
                let times = given.then(|| [atime.unwrap_or(omit), mtime.unwrap_or(omit)]);
                self.utimensat(task, dirfd, path, times, flags)
            }
            ref other => self.dispatch_xattr_reads(task, other),
        }
    }

    fn dispatch_xattr_reads(&mut self, task: TaskRow, call: &Call<'_>) -> CallResult {
        match *call {
            Call::Getxattr { path, name, size } => {
                Self::check_xattr(name, None)?;
                let spot = self.spot(task, AT_FDCWD, path, 0)?;
                self.xattr(task, &spot, Some(name), size)
            }
            Call::Lgetxattr { path, name, size } => {
                Self::check_xattr(name, None)?;
                let spot = self.spot(task, AT_FDCWD, path, AT_SYMLINK_NOFOLLOW)?;
                self.xattr(task, &spot, Some(name), size)
            }
            Call::Fgetxattr { fd, name, size } => {
                Self::check_xattr(name, None)?;
                let spot = self.xattr_spot(task, fd)?;
                self.xattr(task, &spot, Some(name), size)
            }
            Call::Listxattr { path, size } => {
                let spot = self.spot(task, AT_FDCWD, path, 0)?;
                self.xattr(task, &spot, None, size)
            }
            Call::Llistxattr { path, size } => {
                let spot = self.spot(task, AT_FDCWD, path, AT_SYMLINK_NOFOLLOW)?;
                self.xattr(task, &spot, None, size)
            }
            Call::Flistxattr { fd, size } => {
                let spot = self.open_spot(task, fd)?;
                self.xattr(task, &spot, None, size)
            }
            ref other => self.dispatch_xattrs(task, other),
        }
    }

    fn dispatch_xattrs(&mut self, task: TaskRow, call: &Call<'_>) -> CallResult {
        match *call {
            Call::Setxattr { path, name, value, flags } => {
                Self::check_xattr(name, Some((value, flags)))?;
                let spot = self.spot(task, AT_FDCWD, path, 0)?;
                self.set_xattr(task, &spot, name, Some((value, flags)))
            }
            Call::Lsetxattr { path, name, value, flags } => {
                Self::check_xattr(name, Some((value, flags)))?;
                let spot = self.spot(task, AT_FDCWD, path, AT_SYMLINK_NOFOLLOW)?;
                self.set_xattr(task, &spot, name, Some((value, flags)))
            }
            Call::Fsetxattr { fd, name, value, flags } => {
                Self::check_xattr(name, Some((value, flags)))?;
                let spot = self.xattr_spot(task, fd)?;
                self.set_xattr(task, &spot, name, Some((value, flags)))
            }
            Call::Removexattr { path, name } => {
                Self::check_xattr(name, None)?;
                let spot = self.spot(task, AT_FDCWD, path, 0)?;
                self.set_xattr(task, &spot, name, None)
            }
            Call::Lremovexattr { path, name } => {
                Self::check_xattr(name, None)?;
                let spot = self.spot(task, AT_FDCWD, path, AT_SYMLINK_NOFOLLOW)?;
                self.set_xattr(task, &spot, name, None)
            }
            Call::Fremovexattr { fd, name } => {
                Self::check_xattr(name, None)?;
                let spot = self.open_spot(task, fd)?;
                self.set_xattr(task, &spot, name, None)
            }
            ref other if self.config.face.present && other.is_face() => {
                self.file_call_of(task, other)
            }
            Call::Unmodelled { number } => self.unmodelled(number),
            // Every other call is in one of the tables before this one.
            ref other => self.unmodelled(other.number()),
        }
    }

    /// A call without a model: ENOSYS, or what the host says.
    pub(crate) fn unmodelled(&mut self, number: u32) -> CallResult {
        if !self.config.ask_unmodelled {
            return Err(Errno::ENOSYS.into());
        }
        match self.ask(Question::Unmodelled { number })? {
            HostAnswer::Result(value) => Ok(Answer::value(value)),
            HostAnswer::Bytes(bytes) => Ok(Answer::data(bytes.0)),
            HostAnswer::Error(errno) => Err(errno.into()),
            HostAnswer::Answer(answer) => Ok(answer),
            HostAnswer::Absent => Err(Errno::ENOSYS.into()),
        }
    }

    fn chmod_at(
        &mut self,
        task: TaskRow,
        dirfd: i32,
        path: crate::event::Path<'_>,
        mode: u32,
        flags: u32,
    ) -> CallResult {
        if flags & !(AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH) != 0 {
            return Err(Errno::EINVAL.into());
        }
        let spot = self.spot(task, dirfd, path, flags)?;
        self.chmod(task, spot, mode)
    }

    fn chown_at(
        &mut self,
        task: TaskRow,
        dirfd: i32,
        path: crate::event::Path<'_>,
        (uid, gid): (i64, i64),
        flags: u32,
    ) -> CallResult {
        if flags & !(AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH) != 0 {
            return Err(Errno::EINVAL.into());
        }
        let spot = self.spot(task, dirfd, path, flags)?;
        self.chown(task, spot, uid, gid)
    }
}
