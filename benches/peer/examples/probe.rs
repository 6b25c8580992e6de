use secure_exec_kernel as k;
use k::kernel::*; use k::permissions::*; use k::vfs::*; use k::command_registry::*;
use std::sync::{Arc,Mutex};
use std::time::Duration;
fn main(){
 let log: Arc<Mutex<Vec<String>>> = Default::default();
 let mut c=KernelVmConfig::new("v"); c.permissions=Permissions::allow_all();
 let l=log.clone();
 c.permissions.filesystem=Some(Arc::new(move |r:&FsAccessRequest|{l.lock().unwrap().push(format!("{:?} {}",r.op,r.path)); PermissionDecision{allow:true,reason:None}}));
 let mut fs=MemoryFileSystem::new(); fs.mkdir("/etc/agentos",true).unwrap(); fs.write_file("/f",b"x".to_vec()).unwrap(); fs.mkdir("/d",false).unwrap(); fs.symlink("/f","/lf").unwrap(); fs.symlink("/d","/ld").unwrap(); fs.symlink("/nope","/ldang").unwrap();fs.write_file("/d/g",b"x".to_vec()).unwrap();
 let mut vm=KernelVm::new(fs,c);
 macro_rules! p{($e:expr)=>{{ let r=$e; let r=match r {Ok(v)=>format!("Ok {v:?}"),Err(e)=>format!("Err {}",e)}; let v=std::mem::take(&mut *log.lock().unwrap()); println!("{:60} {:40} {:?}",stringify!($e),&r[..r.len().min(70)],v);}}}
 p!(vm.register_driver(CommandDriver::new("a",["sh","job"])));
 p!(vm.register_driver(CommandDriver::new("b",["sh","x"])));
 let h=vm.create_virtual_process("a","a","x",vec![],Default::default()).unwrap(); let _=h;
 p!(vm.spawn_process("/bin/sh",vec![],Default::default()));
 p!(vm.spawn_process("/f",vec![],Default::default()));
 p!(vm.spawn_process("/nope",vec![],Default::default()));
 p!(vm.read_file("/f")); p!(vm.read_file("/n")); p!(vm.read_file("/ld/g")); p!(vm.read_file("/d"));
 p!(vm.pread_file("/f",0,1));
 p!(vm.write_file("/f","y")); p!(vm.write_file("/new","y")); p!(vm.write_file("/ld/new","y")); p!(vm.write_file("/m/n/o","y")); p!(vm.write_file("/lf","y")); p!(vm.write_file("/ldang","y"));p!(vm.write_file("/f/x","y"));
 p!(vm.write_file_for_process("a",1,"/f","y",None)); p!(vm.write_file_for_process("a",1,"/new2","y",None)); p!(vm.write_file_for_process("a",1,"/new3","y",Some(0o600)));p!(vm.write_file_for_process("a",1,"/f","y",Some(0o600)));
 p!(vm.write_file_for_process("a",1,"/ld/new4","y",None));p!(vm.write_file_for_process("a",1,"/p/q/new4","y",None));
 p!(vm.create_dir("/c1")); p!(vm.create_dir("/c1")); p!(vm.create_dir("/mm/c1")); p!(vm.mkdir("/c2",false)); p!(vm.mkdir("/c2",false)); p!(vm.mkdir("/c3/c4",true)); p!(vm.mkdir("/ld/c3/c4",true)); p!(vm.mkdir("/f/c3",true));p!(vm.mkdir("/f",true));p!(vm.mkdir("/f",false));
 p!(vm.create_dir_for_process("a",1,"/c5",None)); p!(vm.create_dir_for_process("a",1,"/c5",Some(0o700)));p!(vm.mkdir_for_process("a",1,"/c6",false,None));p!(vm.mkdir_for_process("a",1,"/c6/a/b",true,Some(0o700)));p!(vm.mkdir_for_process("a",1,"/c6/a/b",true,Some(0o700)));
 p!(vm.exists("/f")); p!(vm.exists("/ld/n")); p!(vm.exists("/ldang")); p!(vm.exists("/n/n")); p!(vm.exists_for_process("a",1,"/f"));
 p!(vm.stat("/f")); p!(vm.stat("/n")); p!(vm.lstat("/lf")); p!(vm.lstat("/n"));p!(vm.lstat("/ld/x")); p!(vm.read_link("/lf")); p!(vm.read_link("/f")); p!(vm.read_link("/ld/x"));p!(vm.realpath("/lf")); p!(vm.realpath("/n")); p!(vm.read_dir("/ld")); p!(vm.read_dir("/n"));p!(vm.read_dir("/f"));
 p!(vm.symlink("/x","/s1")); p!(vm.symlink("/x","/s1")); p!(vm.symlink("/x","/ld/s1")); p!(vm.symlink("/x","/nn/s1"));
 p!(vm.link("/f","/h1")); p!(vm.link("/lf","/ld/h1")); p!(vm.link("/n","/h2")); p!(vm.link("/f","/h1")); p!(vm.link("/d","/h9"));p!(vm.link("/f","/nn/h9"));
 p!(vm.chmod("/lf",0o600)); p!(vm.chmod("/n",0o600)); p!(vm.chown("/lf",1,1)); p!(vm.utimes("/lf",1,1)); p!(vm.utimes_spec("/lf",VirtualUtimeSpec::Now,VirtualUtimeSpec::Omit)); p!(vm.lutimes("/lf",VirtualUtimeSpec::Now,VirtualUtimeSpec::Omit)); p!(vm.lutimes("/n",VirtualUtimeSpec::Now,VirtualUtimeSpec::Omit));p!(vm.truncate("/lf",0)); p!(vm.truncate("/n",0)); p!(vm.utimes("/n",0,0));
 p!(vm.rename("/h1","/h3")); p!(vm.rename("/n","/h3")); p!(vm.rename("/lf","/ld/lf2")); p!(vm.rename("/h3","/nn/h3"));p!(vm.rename("/h3","/h3"));
 p!(vm.remove_file("/ld/lf2")); p!(vm.remove_file("/n"));p!(vm.remove_file("/nn/n")); p!(vm.remove_dir("/c1")); p!(vm.remove_file("/d")); p!(vm.remove_dir("/f"));
 for (path,flags) in [("/f",0),("/f",1),("/f",2),("/f",0o100|2),("/o1",0o100|2),("/o2",0o300|1),("/f",0o300|2),("/f",0o1000),("/f",0o1001),("/f",0o1102),("/n",0),("/n",2),("/d",0),("/d",2),("/d",0o100),("/ld/o3",0o100|1),("/pp/o4",0o100|1),("/ldang2",0o101),("/ldang",0o102),("/dev/null",2),("/dev/null",0o102),("/dev/null",0o302),("/dev/zero",0o1002),("/dev",0),("/dev",2),("/dev/fd",0),("/dev/pts",0),("/dev/x",0o102),("/etc/agentos",0)] { println!("open {path} {flags:o}"); p!(vm.fd_open("a",1,path,flags,None)); }
 p!(vm.fd_open("a",1,"/o9",0o102,Some(0o4777)));p!(vm.stat("/o9"));
 let fd=vm.fd_open("a",1,"/f",2,None).unwrap(); log.lock().unwrap().clear();
 p!(vm.fd_read("a",1,fd,3)); p!(vm.fd_write("a",1,fd,b"abc")); p!(vm.fd_pread("a",1,fd,3,0)); p!(vm.fd_pwrite("a",1,fd,b"x",1)); p!(vm.fd_seek("a",1,fd,0,2)); p!(vm.fd_seek("a",1,fd,0,0)); p!(vm.fd_stat("a",1,fd)); p!(vm.fd_path("a",1,fd)); p!(vm.dev_fd_stat("a",1,fd)); p!(vm.futimes("a",1,fd,VirtualUtimeSpec::Now,VirtualUtimeSpec::Omit)); p!(vm.fd_flock("a",1,fd,2)); p!(vm.poll_fds("a",1,vec![k::poll::PollFd::new(fd,k::poll::POLLIN)],0)); p!(vm.fd_dup("a",1,fd));
 let fd=vm.fd_open("a",1,"/f",0o2001,None).unwrap(); log.lock().unwrap().clear();
 p!(vm.fd_write("a",1,fd,b"abc")); p!(vm.fd_pwrite("a",1,fd,b"abc",0)); p!(vm.fd_pwrite("a",1,fd,b"",u64::MAX));p!(vm.fd_write("a",1,fd,b""));
 for d in ["/dev/null","/dev/zero","/dev/stdin","/dev/stdout","/dev/stderr","/dev/urandom"] { println!("{d}"); let fd=vm.fd_open("a",1,d,2,None).unwrap(); p!(vm.fd_read("a",1,fd,3)); p!(vm.fd_write("a",1,fd,b"xyz")); p!(vm.fd_pread("a",1,fd,3,2)); p!(vm.fd_pwrite("a",1,fd,b"abc",1)); p!(vm.fd_seek("a",1,fd,0,1)); p!(vm.fd_seek("a",1,fd,5,2)); p!(vm.fd_read("a",1,fd,3));p!(vm.fd_seek("a",1,fd,0,1));p!(vm.dev_fd_stat("a",1,fd)); p!(vm.fd_stat("a",1,fd)); p!(vm.fd_path("a",1,fd));p!(vm.fd_flock("a",1,fd,2));
  p!(vm.read_file(d));p!(vm.write_file(d,"x"));p!(vm.pread_file(d,0,2));p!(vm.truncate(d,3));p!(vm.exists(d));p!(vm.stat(d));p!(vm.lstat(d));p!(vm.read_link(d));p!(vm.realpath(d));p!(vm.read_dir(d));p!(vm.remove_file(d));p!(vm.remove_dir(d));p!(vm.rename(d,"/r"));p!(vm.rename("/f",d));p!(vm.rename(d,d));p!(vm.link(d,"/r"));p!(vm.link("/f",d));p!(vm.symlink("/f",d));p!(vm.create_dir(d));p!(vm.mkdir(d,false));p!(vm.mkdir(d,true));p!(vm.chmod(d,0));p!(vm.chown(d,0,0));p!(vm.utimes(d,0,0)); p!(vm.lutimes(d,VirtualUtimeSpec::Now,VirtualUtimeSpec::Now));p!(vm.stat_for_process("a",1,d));p!(vm.write_file_for_process("a",1,d,"x",None));p!(vm.create_dir_for_process("a",1,d,None));}
 for d in ["/dev","/dev/fd","/dev/pts"] { println!("{d}");
  p!(vm.read_file(d));p!(vm.write_file(d,"x"));p!(vm.pread_file(d,0,2));p!(vm.truncate(d,3));p!(vm.exists(d));p!(vm.stat(d));p!(vm.lstat(d));p!(vm.stat_for_process("a",1,d));p!(vm.lstat_for_process("a",1,d));p!(vm.read_link(d));p!(vm.realpath(d));p!(vm.read_dir(d));p!(vm.read_dir_for_process("a",1,d));p!(vm.remove_file(d));p!(vm.remove_dir(d));p!(vm.rename(d,"/r"));p!(vm.rename("/f",d));p!(vm.rename("/d",d));p!(vm.link(d,"/r"));p!(vm.link("/f",d));p!(vm.symlink("/f",d));p!(vm.create_dir(d));p!(vm.mkdir(d,false));p!(vm.mkdir(d,true));p!(vm.chmod(d,0));p!(vm.chown(d,0,0));p!(vm.utimes(d,0,0)); p!(vm.lutimes(d,VirtualUtimeSpec::Now,VirtualUtimeSpec::Now));p!(vm.write_file_for_process("a",1,d,"x",None));p!(vm.create_dir_for_process("a",1,d,None));p!(vm.exists_for_process("a",1,d));p!(vm.realpath_for_process("a",1,d));}
 p!(vm.read_dir("/"));p!(vm.exists("/"));p!(vm.write_file("/","x"));p!(vm.stat("/"));p!(vm.mkdir("/",false));p!(vm.mkdir("/",true));p!(vm.create_dir("/"));p!(vm.remove_file("/"));p!(vm.remove_dir("/"));p!(vm.rename("/","/q"));p!(vm.rename("/f","/"));p!(vm.symlink("/f","/"));p!(vm.link("/","/q"));p!(vm.link("/f","/"));p!(vm.chmod("/",0o755));p!(vm.read_link("/"));p!(vm.truncate("/",0));
 let h=vm.create_virtual_process("a","a","x",vec![],Default::default()).unwrap();
 for s in [0,-1,65,100,17,19,18,20,23,21] { h.kill(s); println!("kill {s} {:?} {:?} {:?}",h.kill_signals(),vm.list_processes()[&h.pid()].status,h.wait(Duration::ZERO)); let h2=vm.create_virtual_process("a","a","x",vec![],Default::default()).unwrap(); h2.kill(s); println!("   fresh {:?} {:?} {:?}",h2.kill_signals(),vm.list_processes()[&h2.pid()],h2.wait(Duration::ZERO));}
 let h=vm.create_virtual_process("a","a","x",vec![],Default::default()).unwrap(); vm.sigprocmask("a",h.pid(),k::process_table::SigmaskHow::Block,k::process_table::SignalSet::from_signal(15).unwrap()).unwrap(); h.kill(15); println!("masked {:?} {:?}",h.kill_signals(),h.wait(Duration::ZERO));
}
