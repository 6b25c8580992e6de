//! Extended attributes: name spaces, sizes and flags, on every kind of file, by several users.

use crate::case::{Case, Sink, THINGS, Thing, chmod, lchown};
use serde_json::{Value, json};

fn names() -> Vec<String> {
    let fixed = [
        "user.a",
        "user.",
        "user",
        "trusted.a",
        "security.a",
        "system.a",
        "other.a",
        "",
        "security.capability",
        "system.posix_acl_access",
        "system.posix_acl_default",
        ".a",
    ];
    let long = [255, 256, 300].map(|length| format!("user.{}", "n".repeat(length - 5)));
    fixed.map(str::to_owned).into_iter().chain(long).collect()
}

/// Every request about every name on every kind of file by every user.
pub(crate) fn xattrs(sink: &mut Sink<'_>) {
    let values = ["v", "", &"v".repeat(300), &"v".repeat(4000)].map(str::to_owned);
    for name in names() {
        for thing in THINGS {
            for (actor, mode) in [0, 1, 2, 4]
                .into_iter()
                .flat_map(|actor| ["0644", "0600", "01777"].map(|m| (actor, m)))
            {
                let mut setup = thing.make("x");
                if thing != Thing::Nothing {
                    setup.push(lchown("x", 1000, 1000));
                }
                if matches!(thing, Thing::File | Thing::Empty | Thing::Fifo) {
                    setup.push(chmod("x", mode));
                }
                for (at, value) in values.iter().enumerate() {
                    let flags = ["0", "XATTR_CREATE", "XATTR_REPLACE", "7"][(at + name.len()) % 4];
                    sink(one_case(actor, &setup, &name, (value, flags)));
                }
            }
        }
    }
}

fn one_case(actor: usize, setup: &[Value], name: &str, (value, flags): (&str, &str)) -> Case {
    let prefix = if name.len().is_multiple_of(2) { "l" } else { "" };
    let on = |call: &str, rest: Value| {
        let mut request = json!({"call": format!("{prefix}{call}"), "path": "x"});
        if let (Value::Object(request), Value::Object(rest)) = (&mut request, rest) {
            request.extend(rest);
        }
        request
    };
    let set = on("setxattr", json!({"name": name, "value": value, "flags": flags}));
    Case::new(actor, setup.to_vec(), set)
        .then(on("setxattr", json!({"name": name, "value": "w", "flags": "XATTR_REPLACE"})))
        .then(on("getxattr", json!({"name": name, "size": 5})))
        .then(on("getxattr", json!({"name": name, "size": 0})))
        .then(on("getxattr", json!({"name": name, "size": 5000})))
        .then(on("listxattr", json!({"size": 5000})))
        .then(on("listxattr", json!({"size": 3})))
        .then(on("removexattr", json!({"name": name})))
        .then(on("removexattr", json!({"name": name})))
        .watching(&["x", "xt"])
}
