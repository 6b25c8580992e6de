//! The public face's data types and pure functions, fact by fact from the contract (API.md,
//! SEMANTICS.md sections 8 to 13). One test a fact; the modules are named after the face's.

#[path = "face_types/boxes.rs"]
mod boxes;
#[path = "face_types/devices.rs"]
mod devices;
#[path = "face_types/dns.rs"]
mod dns;
#[path = "face_types/mounts.rs"]
mod mounts;
#[path = "face_types/permissions.rs"]
mod permissions;
#[path = "face_types/plain.rs"]
mod plain;
#[path = "face_types/rules.rs"]
mod rules;
#[path = "face_types/small.rs"]
mod small;
#[path = "face_types/vfs.rs"]
mod vfs;
