use secure_exec_kernel as k;
use k::kernel::*; use k::permissions::*; use k::vfs::*;
fn tree(fs:&mut MemoryFileSystem,p:&str){ let st=fs.lstat(p); if let Ok(s)=st { println!("   {p} {:o} {}",s.mode, fs.read_link(p).unwrap_or_default()); if s.is_directory { for n in fs.read_dir(p).unwrap_or_default() { tree(fs,&format!("{}/{n}",if p=="/" {""} else {p})); } } } else {println!("  {p} {st:?}")} }
fn main(){
 for (t,op) in [("/missing",0),("/missing",1),("x",0),("/missing",2),("/m/n",1),("/l1",0)] {
 let mut fs=MemoryFileSystem::new(); fs.symlink(t,"/l1").unwrap(); println!("{t} {op} {:?}", match op {0=>fs.write_file("/l1/z",b"x".to_vec()),1=>fs.mkdir("/l1/z",true),_=>fs.mkdir("/l1/z",false)}); tree(&mut fs,"/"); }
 let mut fs=MemoryFileSystem::new(); fs.symlink("/d","/l1").unwrap(); println!("mkdir rec on dangling {:?}",fs.mkdir("/l1",true));println!("mkdir on dangling {:?}",fs.mkdir("/l1",false)); fs.mkdir("/d",false).unwrap(); println!("mkdir rec on link to dir {:?}",fs.mkdir("/l1",true)); println!("{:?}",fs.create_dir("/l1"));println!("{:?}",fs.mkdir("/l1",false)); println!("rec below link {:?}",fs.mkdir("/l1/a/b",true)); tree(&mut fs,"/");
 let mut fs=MemoryFileSystem::new(); fs.write_file("/f",b"".to_vec()).unwrap(); println!("{:?} {:?} {:?} {:?} {:?} {:?}",fs.symlink("x","/f/x"),fs.create_dir("/f/x"),fs.mkdir("/f/x",true),fs.write_file("/f/x",b"".to_vec()),fs.rename("/f","/f/x"),fs.remove_file("/f/x"));
 println!("{:?} {:?} {:?} {:?}",fs.realpath("/f/x"),fs.lstat("/f/x"),fs.read_link("/f/x"),fs.stat("/f/x"));
 let mut c=KernelVmConfig::new("v"); c.permissions=Permissions::allow_all();
 let mut vm=KernelVm::new(fs,c);
 println!("{:?} {:?} {:?} {:?} {:?} {:?}",vm.symlink("x","/f/x"),vm.create_dir("/f/x"),vm.mkdir("/f/x",true),vm.write_file("/f/x",b"".to_vec()),vm.rename("/f","/f/x"),vm.remove_file("/f/x"));
}
