use secure_exec_kernel as k;
use k::kernel::*; use k::permissions::*; use k::vfs::*;
fn main(){ let mut c=KernelVmConfig::new("v"); c.permissions=Permissions::allow_all();
 let mut vm=KernelVm::new(MemoryFileSystem::new(),c);
 for d in ["/dev","/dev/fd","/dev/pts","/dev/null","/dev/zero","/dev/stdin","/dev/stdout","/dev/stderr","/dev/urandom"] { println!("{d} {:x?}",vm.stat(d)); }
 println!("{:?}",vm.read_dir("/dev"));
 let h=vm.create_virtual_process("a","a","x",vec![],Default::default()).unwrap(); h.kill(15);
 let o=SpawnOptions{parent_pid:Some(1),..Default::default()};
 vm.register_driver(k::command_registry::CommandDriver::new("a",["sh"])).unwrap();
 let _=vm.spawn_process("sh",vec![],o.clone()); vm.waitpid(1).unwrap(); let _=vm.spawn_process("sh",vec![],o); let _=vm.spawn_process("sh",vec![],SpawnOptions{parent_pid:Some(2),..Default::default()});let _=vm.spawn_process("sh",vec![],SpawnOptions{parent_pid:Some(0),..Default::default()}); println!("{:?}",vm.list_processes().values().map(|i|(i.pid,i.ppid,i.pgid,i.sid)).collect::<Vec<_>>());
 for (n,f) in [("lock",0)] {let _=(n,f);}
 vm.write_file("/a","1").unwrap(); vm.write_file("/b","1").unwrap(); println!("{} {}",vm.stat("/a").unwrap().ino,vm.stat("/b").unwrap().ino); vm.remove_file("/a").unwrap(); vm.write_file("/c","1").unwrap(); println!("{}",vm.stat("/c").unwrap().ino);
}
