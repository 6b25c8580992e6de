//! The calls that take one path, each in the forms that check differently.

use serde_json::{Value, json};

/// A call as a request, its `path` left open.
pub(crate) struct Form {
    request: Value,
    /// The field that the path goes into.
    field: &'static str,
}

impl Form {
    /// The request for a path.
    pub(crate) fn on(&self, path: &Value) -> Value {
        let mut request = self.request.clone();
        request[self.field] = path.clone();
        request
    }
}

fn form(request: Value) -> Form {
    Form { request, field: "path" }
}

/// Every form: what asks, opens, makes, takes away, and changes.
pub(crate) fn forms() -> Vec<Form> {
    let mut all = asking();
    all.extend(opening());
    all.extend(making());
    all.extend(changing());
    all
}

fn asking() -> Vec<Form> {
    let requests = [
        json!({"call": "stat"}),
        json!({"call": "lstat"}),
        json!({"call": "newfstatat", "flags": "AT_SYMLINK_NOFOLLOW"}),
        json!({"call": "newfstatat", "flags": "AT_EMPTY_PATH"}),
        json!({"call": "newfstatat", "flags": "AT_EACCESS"}),
        json!({"call": "statx", "flags": "AT_SYMLINK_NOFOLLOW", "mask": "STATX_BASIC_STATS"}),
        json!({"call": "statx", "flags": "AT_EMPTY_PATH|AT_NO_AUTOMOUNT", "mask": "STATX_ALL"}),
        json!({"call": "statx", "flags": "AT_STATX_FORCE_SYNC|AT_STATX_DONT_SYNC", "mask": 0}),
        json!({"call": "statx", "flags": 0, "mask": 0x8000_0000_u32}),
        json!({"call": "access", "mode": "F_OK"}),
        json!({"call": "access", "mode": "R_OK|W_OK"}),
        json!({"call": "access", "mode": "X_OK"}),
        json!({"call": "access", "mode": 8}),
        json!({"call": "faccessat", "mode": "W_OK"}),
        json!({"call": "faccessat2", "mode": "R_OK", "flags": "AT_EACCESS"}),
        json!({"call": "faccessat2", "mode": "W_OK", "flags": "AT_SYMLINK_NOFOLLOW"}),
        json!({"call": "faccessat2", "mode": "X_OK", "flags": "AT_EMPTY_PATH|AT_EACCESS"}),
        json!({"call": "readlink", "bufsiz": 100}),
        json!({"call": "readlink", "bufsiz": 0}),
        json!({"call": "readlinkat", "bufsiz": 1}),
        json!({"call": "statfs"}),
        json!({"call": "pathconf", "name": "_PC_NAME_MAX"}),
        json!({"call": "getxattr", "name": "user.a", "size": 100}),
        json!({"call": "lgetxattr", "name": "trusted.a", "size": 0}),
        json!({"call": "listxattr", "size": 100}),
        json!({"call": "llistxattr", "size": 100}),
        json!({"call": "chdir"}),
    ];
    requests.into_iter().map(form).collect()
}

fn opening() -> Vec<Form> {
    let flags = [
        "O_RDONLY|O_NONBLOCK",
        "O_WRONLY|O_NONBLOCK",
        "O_RDWR|O_NONBLOCK",
        "O_RDWR|O_CREAT|O_NONBLOCK",
        "O_RDWR|O_CREAT|O_EXCL",
        "O_WRONLY|O_TRUNC|O_NONBLOCK",
        "O_RDONLY|O_DIRECTORY",
        "O_RDONLY|O_NOFOLLOW|O_NONBLOCK",
        "O_RDONLY|O_CREAT|O_NOFOLLOW|O_NONBLOCK",
        "O_RDONLY|O_CREAT|O_DIRECTORY",
        "O_PATH",
        "O_PATH|O_NOFOLLOW",
        "O_PATH|O_DIRECTORY|O_NOFOLLOW",
        "O_RDWR|O_TMPFILE",
        "O_RDONLY|O_NOATIME|O_NONBLOCK",
    ];
    let open = |flags| json!({"call": "open", "flags": flags, "mode": "0640"});
    let resolve = [
        "RESOLVE_NO_SYMLINKS",
        "RESOLVE_BENEATH",
        "RESOLVE_IN_ROOT",
        "RESOLVE_NO_XDEV|RESOLVE_NO_MAGICLINKS",
    ];
    let open2 = |resolve| json!({"call": "openat2", "flags": "O_RDONLY|O_NONBLOCK", "mode": 0, "resolve": resolve});
    let creat = json!({"call": "creat", "mode": "0604"});
    flags.map(open).into_iter().chain(resolve.map(open2)).chain([creat]).map(form).collect()
}

fn making() -> Vec<Form> {
    let requests = [
        json!({"call": "mkdir", "mode": "0755"}),
        json!({"call": "mkdirat", "mode": "07777"}),
        json!({"call": "mknod", "mode": "S_IFREG|0644"}),
        json!({"call": "mknod", "mode": "S_IFIFO|0644"}),
        json!({"call": "mknodat", "mode": "S_IFSOCK|0644"}),
        json!({"call": "mknod", "mode": "S_IFDIR|0644"}),
        json!({"call": "mknod", "mode": "0644"}),
        json!({"call": "mknod", "mode": "S_IFCHR|0644", "major": 1, "minor": 3}),
        json!({"call": "mknod", "mode": "0150644"}),
        json!({"call": "rmdir"}),
        json!({"call": "unlink"}),
        json!({"call": "unlinkat", "flags": "AT_REMOVEDIR"}),
        json!({"call": "unlinkat", "flags": "AT_SYMLINK_NOFOLLOW"}),
    ];
    let link = json!({"call": "symlink", "target": "nowhere"});
    let link = Form { request: link, field: "linkpath" };
    requests.into_iter().map(form).chain([link]).collect()
}

fn changing() -> Vec<Form> {
    let time = |sec: i64| json!({"sec": sec, "nsec": 9});
    let requests = [
        json!({"call": "chmod", "mode": "0604"}),
        json!({"call": "fchmodat", "mode": "06711"}),
        json!({"call": "fchmodat2", "mode": "0604", "flags": "AT_SYMLINK_NOFOLLOW"}),
        json!({"call": "fchmodat2", "mode": "0604", "flags": "AT_EMPTY_PATH"}),
        json!({"call": "fchmodat2", "mode": "0604", "flags": "AT_SYMLINK_FOLLOW"}),
        json!({"call": "chown", "uid": 1000, "gid": 2000}),
        json!({"call": "chown", "uid": -1, "gid": -1}),
        json!({"call": "lchown", "uid": -1, "gid": 1000}),
        json!({"call": "fchownat", "uid": 1001, "gid": -1, "flags": "AT_SYMLINK_NOFOLLOW"}),
        json!({"call": "fchownat", "uid": 1001, "gid": -1, "flags": "AT_EMPTY_PATH"}),
        json!({"call": "fchownat", "uid": 0, "gid": 0, "flags": "AT_REMOVEDIR"}),
        json!({"call": "truncate", "length": 3}),
        json!({"call": "truncate", "length": 5}),
        json!({"call": "truncate", "length": 5000}),
        json!({"call": "truncate", "length": -1}),
        json!({"call": "truncate", "length": i64::MAX}),
        json!({"call": "utimensat", "flags": 0}),
        json!({"call": "utimensat", "atime": time(7), "flags": 0}),
        json!({"call": "utimensat", "mtime": time(8), "flags": 0}),
        json!({"call": "utimensat", "atime": time(7), "mtime": time(8), "flags": 0}),
        json!({"call": "utimensat", "atime": "UTIME_OMIT", "mtime": time(8),
            "flags": "AT_SYMLINK_NOFOLLOW"}),
        json!({"call": "utimensat", "atime": "UTIME_NOW", "mtime": "UTIME_OMIT", "flags": 0}),
        json!({"call": "utimensat", "atime": "UTIME_OMIT", "mtime": "UTIME_OMIT", "flags": 0}),
        json!({"call": "utimensat", "atime": "UTIME_NOW", "mtime": "UTIME_NOW",
            "flags": "AT_EMPTY_PATH"}),
        json!({"call": "utimensat", "atime": {"sec": 1, "nsec": -5}, "mtime": time(8), "flags": 0}),
        json!({"call": "utimensat", "atime": time(1), "mtime": time(8), "flags": "AT_EACCESS"}),
        json!({"call": "setxattr", "name": "user.a", "value": "v", "flags": 0}),
        json!({"call": "setxattr", "name": "user.a", "value": "v", "flags": "XATTR_REPLACE"}),
        json!({"call": "lsetxattr", "name": "trusted.a", "value": "v", "flags": "XATTR_CREATE"}),
        json!({"call": "removexattr", "name": "user.a"}),
        json!({"call": "lremovexattr", "name": "trusted.a"}),
    ];
    requests.into_iter().map(form).collect()
}
