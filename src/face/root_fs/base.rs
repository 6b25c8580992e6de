//! The bundled trees: directories and account files such as Alpine Linux has them (hier(7),
//! passwd(5), group(5)), and the minimal one that stands in where no layer is wanted.

use super::{
    FilesystemEntry, RootFilesystemError, RootFilesystemImportLimits, RootFilesystemSnapshot,
    validate_snapshot_import_limits,
};

/// Directories of the bundled tree, root's and 0755.
const DIRECTORIES: &[&str] = &[
    "/",
    "/bin",
    "/etc",
    "/etc/apk",
    "/etc/busybox-paths.d",
    "/etc/crontabs",
    "/etc/logrotate.d",
    "/etc/modprobe.d",
    "/etc/modules-load.d",
    "/etc/network",
    "/etc/opt",
    "/etc/periodic",
    "/etc/profile.d",
    "/etc/secfixes.d",
    "/etc/ssl",
    "/etc/ssl1.1",
    "/etc/sysctl.d",
    "/etc/udhcpc",
    "/home",
    "/lib",
    "/lib/apk",
    "/lib/firmware",
    "/lib/modules-load.d",
    "/lib/sysctl.d",
    "/media",
    "/media/cdrom",
    "/media/floppy",
    "/media/usb",
    "/mnt",
    "/opt",
    "/run",
    "/run/lock",
    "/sbin",
    "/srv",
    "/usr",
    "/usr/bin",
    "/usr/lib",
    "/usr/local",
    "/usr/sbin",
    "/usr/share",
    "/var",
    "/var/cache",
    "/var/lib",
    "/var/local",
    "/var/log",
    "/var/mail",
    "/var/opt",
    "/var/spool",
    "/var/spool/cron",
];
/// Directories with another mode or owner.
const OTHER_DIRECTORIES: &[(&str, u32, u32)] = &[
    ("/home/agentos", 0o2755, 1000),
    ("/root", 0o700, 0),
    ("/sys", 0o555, 0),
    ("/tmp", 0o1777, 0),
    ("/var/empty", 0o555, 0),
    ("/var/tmp", 0o1777, 0),
    ("/workspace", 0o755, 1000),
];
const LINKS: &[(&str, &str)] = &[
    ("/etc/os-release", "../usr/lib/os-release"),
    ("/usr/bin/env", "/bin/busybox"),
    ("/var/lock", "../run/lock"),
    ("/var/run", "../run"),
    ("/var/spool/cron/crontabs", "../../../etc/crontabs"),
];
const FILES: &[(&str, &str)] = &[
    ("/etc/alpine-release", "3.22.0\n"),
    ("/etc/group", "root:x:0:root\nshadow:x:42:\nnobody:x:65534:\nagentos:x:1000:agentos\n"),
    ("/etc/hostname", "tickernel\n"),
    ("/etc/nsswitch.conf", "passwd: files\ngroup: files\nshadow: files\nhosts: files dns\n"),
    (
        "/etc/passwd",
        "root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/:/sbin/nologin\n\
         agentos:x:1000:1000::/home/agentos:/bin/sh\n",
    ),
    ("/etc/profile", "export PATH=/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin\numask 022\n"),
    ("/etc/shells", "/bin/sh\n"),
    ("/usr/lib/os-release", "ID=tickernel\nNAME=\"tickernel\"\nPRETTY_NAME=\"tickernel\"\n"),
];
/// Directories of the minimal tree.
const MINIMAL: &[&str] = &[
    "/",
    "/bin",
    "/boot",
    "/dev",
    "/etc",
    "/etc/agentos",
    "/home",
    "/lib",
    "/media",
    "/mnt",
    "/opt",
    "/proc",
    "/root",
    "/run",
    "/sbin",
    "/srv",
    "/sys",
    "/tmp",
    "/usr",
    "/usr/bin",
    "/usr/games",
    "/usr/include",
    "/usr/lib",
    "/usr/libexec",
    "/usr/local",
    "/usr/local/bin",
    "/usr/man",
    "/usr/sbin",
    "/usr/share",
    "/usr/share/man",
    "/var",
    "/var/cache",
    "/var/empty",
    "/var/lib",
    "/var/lock",
    "/var/log",
    "/var/run",
    "/var/spool",
    "/var/tmp",
];

fn directories(paths: &[&str]) -> Vec<FilesystemEntry> {
    paths.iter().map(|path| FilesystemEntry::directory(*path)).collect()
}

/// The tree that lies below all layers.
pub(super) fn bundled() -> RootFilesystemSnapshot {
    let mut entries = directories(DIRECTORIES);
    entries.extend(OTHER_DIRECTORIES.iter().map(|(path, mode, owner)| FilesystemEntry {
        mode: *mode,
        uid: *owner,
        gid: *owner,
        ..FilesystemEntry::directory(*path)
    }));
    entries.extend(FILES.iter().map(|(path, text)| FilesystemEntry::file(*path, *text)));
    entries.extend(LINKS.iter().map(|(path, target)| FilesystemEntry::symlink(*path, *target)));
    let shadow = "root:*::0:::::\nnobody:!::0:::::\nagentos:!::0:::::\n";
    let shadow = FilesystemEntry::file("/etc/shadow", shadow);
    entries.push(FilesystemEntry { mode: 0o640, gid: 42, ..shadow });
    RootFilesystemSnapshot { entries }
}

/// The tree that stands in where there is neither the bundled one nor a layer.
pub(super) fn minimal() -> RootFilesystemSnapshot {
    let mut entries = directories(MINIMAL);
    entries.push(FilesystemEntry::file("/usr/bin/env", Vec::new()));
    RootFilesystemSnapshot { entries }
}

/// The bundled tree, if it fits.
///
/// # Errors
/// It does not.
pub fn load_bundled_base_snapshot_with_limits(
    limits: &RootFilesystemImportLimits,
) -> Result<RootFilesystemSnapshot, RootFilesystemError> {
    let snapshot = bundled();
    validate_snapshot_import_limits(&snapshot, limits, "bundled root filesystem")?;
    Ok(snapshot)
}
