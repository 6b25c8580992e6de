//! Answers that tell what was there: refusals by modes and owners, by kinds of files, by mounts.

use super::support::agrees;

fn session(lines: &str) -> String {
    format!(
        "10 execve(\"./t\", [\"t\"], 0x7ffd /* 3 vars */) = 0\n{lines}\
         10 exit_group(0) = ?\n10 +++ exited with 0 +++\n"
    )
}

/// Somebody who is refused files is not root; what he did he might do.
#[test]
fn refusals_tell_of_modes_and_owners() {
    agrees(
        &session(
            "10 openat(AT_FDCWD, \"/etc/shadow\", O_RDONLY) = -1 EACCES (Permission denied)\n\
             10 openat(AT_FDCWD, \"/etc/passwd\", O_RDONLY) = 3\n\
             10 openat(AT_FDCWD, \"/etc/passwd\", O_WRONLY) = -1 EACCES (Permission denied)\n\
             10 access(\"/root/x\", F_OK) = -1 EACCES (Permission denied)\n\
             10 mkdir(\"/etc/foo\", 0755) = -1 EACCES (Permission denied)\n\
             10 unlink(\"/etc/passwd\") = -1 EACCES (Permission denied)\n\
             10 chmod(\"/etc/passwd\", 0644) = -1 EPERM (Operation not permitted)\n\
             10 rename(\"/home/me/a\", \"/etc/own\") = -1 EACCES (Permission denied)\n\
             10 access(\"/etc/passwd\", X_OK) = -1 EACCES (Permission denied)\n\
             10 execve(\"/etc/passwd\", [\"x\"], 0x7ffd /* 3 vars */) = -1 EACCES (Permission denied)\n\
             10 execve(\"/etc\", [\"x\"], 0x7ffd /* 3 vars */) = -1 EACCES (Permission denied)\n\
             10 chdir(\"/root\") = -1 EACCES (Permission denied)\n\
             10 mkdir(\"/home/me/d\", 0700) = 0\n\
             10 openat(AT_FDCWD, \"/home/me/f\", O_WRONLY|O_CREAT, 0644) = 4\n\
             10 truncate(\"/home/me/g\", 0) = 0\n\
             10 chmod(\"/home/me/h\", 0600) = 0\n\
             10 openat(AT_FDCWD, \"/etc/hostname\", O_RDONLY|O_NOATIME) = -1 EPERM (Operation not permitted)\n\
             10 link(\"/etc/shadow\", \"/home/me/l\") = -1 EPERM (Operation not permitted)\n\
             10 mknodat(AT_FDCWD, \"/home/me/dev\", S_IFCHR|0600, makedev(0x1, 0x1)) = -1 EPERM (Operation not permitted)\n\
             10 openat(AT_FDCWD, \"/home/me/shut\", O_RDWR|O_CREAT, 000) = -1 EACCES (Permission denied)\n\
             10 unlink(\"/var/stick/f\") = -1 EPERM (Operation not permitted)\n",
        ),
        0,
    );
}

/// What is known to be no directory explains the refusal: nothing is said of the other name.
#[test]
fn a_rename_below_a_file_tells_nothing_of_the_old_name() {
    agrees(
        &session(
            "10 openat(AT_FDCWD, \"/w/new\", O_WRONLY|O_CREAT|O_EXCL, 0644) = 3\n\
             10 rename(\"/w/none\", \"/w/new/x\") = -1 ENOTDIR (Not a directory)\n\
             10 newfstatat(AT_FDCWD, \"/w/none\", 0x7ffd, 0) = -1 ENOENT (No such file or directory)\n",
        ),
        0,
    );
}

/// What kind of file a path is, by what it is not good for.
#[test]
fn errors_tell_of_kinds() {
    agrees(
        &session(
            "10 openat(AT_FDCWD, \"/w/sh/\", O_RDONLY) = -1 ENOTDIR (Not a directory)\n\
             10 newfstatat(AT_FDCWD, \"/w/cat/x\", 0x7ffd, 0) = -1 ENOTDIR (Not a directory)\n\
             10 openat(AT_FDCWD, \"/w/cat\", O_RDONLY|O_DIRECTORY) = -1 ENOTDIR (Not a directory)\n\
             10 rmdir(\"/w/file\") = -1 ENOTDIR (Not a directory)\n\
             10 chdir(\"/w/other\") = -1 ENOTDIR (Not a directory)\n\
             10 rename(\"/w/a\", \"/w/dir\") = -1 EISDIR (Is a directory)\n\
             10 rename(\"/w/dir\", \"/w/a\") = -1 ENOTDIR (Not a directory)\n\
             10 unlink(\"/w/dir\") = -1 EISDIR (Is a directory)\n\
             10 rename(\"/w/dir\", \"/w/full\") = -1 ENOTEMPTY (Directory not empty)\n\
             10 newfstatat(AT_FDCWD, \"/w/loop\", 0x7ffd, 0) = -1 ELOOP (Too many levels of symbolic links)\n\
             10 openat(AT_FDCWD, \"/w/link\", O_RDONLY|O_NOFOLLOW) = -1 ELOOP (Too many levels of symbolic links)\n\
             10 readlink(\"/w/one\", \"two\", 99) = 3\n\
             10 openat(AT_FDCWD, \"/w/one\", O_RDONLY) = -1 ELOOP (Too many levels of symbolic links)\n\
             10 openat(AT_FDCWD, \"./t\", O_RDWR) = -1 ETXTBSY (Text file busy)\n",
        ),
        0,
    );
}

/// Mounts show themselves where a call does not get over their borders.
#[test]
fn errors_tell_of_mounts() {
    agrees(
        &session(
            "10 rename(\"/w/a\", \"/mnt/x/a\") = -1 EXDEV (Invalid cross-device link)\n\
             10 link(\"/w/a\", \"/mnt/x/b\") = -1 EXDEV (Invalid cross-device link)\n\
             10 rename(\"/w/a\", \"/w/b\") = 0\n\
             10 openat(AT_FDCWD, \"/ro/f\", O_WRONLY) = -1 EROFS (Read-only file system)\n\
             10 openat(AT_FDCWD, \"/ro/new\", O_WRONLY|O_CREAT, 0600) = -1 EROFS (Read-only file system)\n\
             10 mkdir(\"/ro/d\", 0700) = -1 EROFS (Read-only file system)\n\
             10 openat(AT_FDCWD, \"/ro/f\", O_RDONLY) = 3\n\
             10 access(\"/ro/f\", W_OK) = -1 EROFS (Read-only file system)\n\
             10 unlink(\"/ro/f\") = -1 EROFS (Read-only file system)\n\
             10 rmdir(\"/w/top\") = -1 EBUSY (Device or resource busy)\n",
        ),
        0,
    );
}

/// Of a link's text strace printed 32 bytes; how long it is, and who else names that file, tell the
/// rest.
#[test]
fn a_link_is_cut() {
    agrees(
        &session(
            "10 openat(AT_FDCWD, \"/w/link\", O_RDONLY) = 3\n\
             10 read(3, \"own\\n\", 99) = 4\n\
             10 close(3) = 0\n\
             10 readlink(\"/w/link\", \"/w/../w/../w/../w/../w/../w/own.\"..., 64) = 35\n\
             10 readlink(\"/w/link\", \"/w/../w/../w/../w/../w/../w/own.\"..., 1023) = 35\n\
             10 openat(AT_FDCWD, \"/w/own.txt\", O_RDONLY) = 3\n\
             10 read(3, \"own\\n\", 99) = 4\n\
             10 readlink(\"/w/other\", \"/far/away/where/nobody/ever/looks\"..., 64) = 40\n",
        ),
        0,
    );
}

/// RESOLVE_IN_ROOT: an absolute path begins at the descriptor, and is not the one that another call
/// opens (openat2(2)).
#[test]
fn a_path_may_begin_at_a_descriptor() {
    agrees(
        &session(
            "10 openat(AT_FDCWD, \"/w/root\", O_RDONLY|O_DIRECTORY) = 3\n\
             10 openat2(3, \"/etc/passwd\", {flags=O_RDONLY, resolve=RESOLVE_IN_ROOT}, 24) = 4\n\
             10 read(4, \"inner\\n\", 100) = 6\n\
             10 close(4) = 0\n\
             10 openat2(3, \"../../etc/passwd\", {flags=O_RDONLY, resolve=RESOLVE_IN_ROOT}, 24) = 4\n\
             10 close(4) = 0\n\
             10 openat2(3, \"/etc/passwd\", {flags=O_RDONLY, resolve=RESOLVE_BENEATH}, 24) = -1 EXDEV (Invalid cross-device link)\n\
             10 openat(AT_FDCWD, \"/etc/passwd\", O_RDONLY) = 4\n\
             10 read(4, \"root:x:0\", 100) = 8\n\
             10 openat(3, \"etc/passwd\", O_RDONLY) = 5\n\
             10 read(5, \"inner\\n\", 100) = 6\n",
        ),
        0,
    );
}

/// What mount(2) and umount2(2) do is done, though they count as out of scope.
#[test]
fn mounts_are_carried_out() {
    agrees(
        &session(
            "10 mkdir(\"/w/m\", 0755) = 0\n\
             10 openat(AT_FDCWD, \"/w/m/a\", O_WRONLY|O_CREAT, 0600) = 3\n\
             10 mount(\"none\", \"/w/m\", \"tmpfs\", MS_NOSUID|MS_NODEV, \"mode=0755\") = 0\n\
             10 access(\"/w/m/a\", F_OK) = -1 ENOENT (No such file or directory)\n\
             10 openat(AT_FDCWD, \"/w/m/b\", O_WRONLY|O_CREAT, 0600) = 4\n\
             10 close(4) = 0\n\
             10 mount(NULL, \"/w/m\", 0x7ffd, MS_RDONLY|MS_REMOUNT, NULL) = 0\n\
             10 unlink(\"/w/m/b\") = -1 EROFS (Read-only file system)\n\
             10 umount2(\"/w/m\", MNT_DETACH) = 0\n\
             10 access(\"/w/m/b\", F_OK) = -1 ENOENT (No such file or directory)\n\
             10 access(\"/w/m/a\", F_OK) = 0\n",
        ),
        0,
    );
}

/// Of what strace cut the beginning is known: a script is one, and a word that is too long was.
#[test]
fn the_beginning_of_what_is_cut_is_known() {
    agrees(
        "10 execve(\"/usr/bin/tool\", [\"tool\"], 0x7ffd /* 3 vars */) = 0\n\
         10 readlink(\"/proc/self/exe\", \"/usr/bin/perl\", 4095) = 13\n\
         10 openat(AT_FDCWD, \"/usr/bin/tool\", O_RDONLY) = 3\n\
         10 read(3, \"#!/usr/bin/perl\\n\\n# Copyright (C)\"..., 8192) = 8192\n\
         10 execve(\"/bin/sh\", [\"sh\", \"-c\", \"cccccccccccccccccccccccccccccccc\"...], 0x7ffd /* 3 vars */) = -1 E2BIG (Argument list too long)\n\
         10 exit_group(0) = ?\n\
         10 +++ exited with 0 +++\n",
        0,
    );
}

/// What a copy of a copy shows was in the first file, though the second is gone.
#[test]
fn a_copy_of_a_copy_that_is_gone() {
    agrees(
        &session(
            "10 openat(AT_FDCWD, \"/w/a\", O_RDONLY) = 3\n\
             10 openat(AT_FDCWD, \"/w/b\", O_WRONLY|O_CREAT|O_EXCL, 0600) = 4\n\
             10 copy_file_range(3, NULL, 4, NULL, 9223372035781033984, 0) = 6\n\
             10 close(3) = 0\n\
             10 close(4) = 0\n\
             10 openat(AT_FDCWD, \"/w/b\", O_RDONLY) = 3\n\
             10 openat(AT_FDCWD, \"/w/c\", O_WRONLY|O_CREAT|O_EXCL, 0600) = 4\n\
             10 copy_file_range(3, NULL, 4, NULL, 9223372035781033984, 0) = 6\n\
             10 close(3) = 0\n\
             10 close(4) = 0\n\
             10 unlink(\"/w/b\") = 0\n\
             10 openat(AT_FDCWD, \"/w/c\", O_RDONLY) = 3\n\
             10 read(3, \"hello\\n\", 100) = 6\n",
        ),
        0,
    );
}
