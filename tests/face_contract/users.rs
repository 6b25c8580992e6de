//! Section 11: the one user of a machine, and that its ids restrict nothing.

use crate::support::{DRIVER, process, refused, says, vm, vm_with};
use tickernel::user::{ProcessIdentity, UserConfig};

#[test]
fn every_process_is_the_configured_users() {
    let mut vm = vm_with(|config| {
        config.user = UserConfig {
            uid: Some(7),
            gid: Some(8),
            euid: Some(9),
            egid: Some(10),
            username: Some("agent".into()),
            homedir: Some("/h".into()),
            shell: Some("/bin/dash".into()),
            gecos: Some("An Agent".into()),
            group_name: Some("agents".into()),
            supplementary_gids: vec![20, 8, 30, 20],
        };
    });
    process(&mut vm, None);
    process(&mut vm, Some(1));
    let groups = vec![8, 20, 30];
    let identity =
        ProcessIdentity { uid: 7, gid: 8, euid: 9, egid: 10, supplementary_gids: groups.clone() };
    for pid in [1, 2] {
        assert_eq!(vm.process_identity(DRIVER, pid).unwrap(), identity);
        assert_eq!(vm.list_processes()[&pid].identity, identity);
    }
    let ids = [vm.getuid(DRIVER, 1), vm.getgid(DRIVER, 1), vm.geteuid(DRIVER, 1)];
    assert_eq!(ids.map(Result::unwrap), [7, 8, 9]);
    assert_eq!(vm.getegid(DRIVER, 1).unwrap(), 10);
    assert_eq!(vm.getgroups(DRIVER, 1).unwrap(), groups);
    assert_eq!(vm.getpwuid(7).unwrap(), "agent:x:7:8:An Agent:/h:/bin/dash");
    assert_eq!(vm.getgrgid(8).unwrap(), "agents:x:8:agent");
    assert_eq!(vm.getgrgid(30).unwrap(), "group30:x:30:agent");
    says(vm.getpwuid(9), "ENOENT", "9");
    says(vm.getgrgid(10), "ENOENT", "10");
    assert_eq!(vm.user_profile().identity(), identity);
    assert_eq!(vm.user_manager().getpwuid(7), vm.getpwuid(7).ok());
}

#[test]
fn looking_up_needs_an_owner_and_others_get_none() {
    let mut vm = vm();
    process(&mut vm, None);
    refused(&mut vm, "EPERM", |vm| vm.getuid("e", 1));
    refused(&mut vm, "EPERM", |vm| vm.getgid("e", 1));
    refused(&mut vm, "EPERM", |vm| vm.geteuid("e", 1));
    refused(&mut vm, "EPERM", |vm| vm.getegid("e", 1));
    refused(&mut vm, "EPERM", |vm| vm.getgroups("e", 1));
    refused(&mut vm, "ESRCH", |vm| vm.process_identity(DRIVER, 2));
}

#[test]
fn modes_and_owners_restrict_nothing() {
    let mut vm = vm();
    process(&mut vm, None);
    vm.write_file("/d/f", "x").unwrap();
    vm.chown("/d/f", 0, 0).unwrap();
    vm.chmod("/d/f", 0).unwrap();
    vm.chmod("/d", 0).unwrap();
    assert_eq!(vm.read_file_for_process(DRIVER, 1, "/d/f").unwrap(), b"x");
    let fd = vm.fd_open(DRIVER, 1, "/d/f", 2, None).unwrap();
    vm.fd_write(DRIVER, 1, fd, b"y").unwrap();
    assert_eq!(vm.read_file("/d/f").unwrap(), b"y");
    vm.remove_file("/d/f").unwrap();
}
