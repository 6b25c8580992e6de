//! Our side of a lockstep: a fresh kernel under the restrictions that the machine has.

use tickernel::drive::Drive;
use tickernel_systems::fs::Protected;

/// A fresh kernel of ours, with the machine's restrictions of links (proc_sys_fs(5)).
pub(crate) fn our_kernel() -> Drive {
    let sysctl = |name: &str| {
        let text = std::fs::read_to_string(format!("/proc/sys/fs/protected_{name}"));
        text.ok().and_then(|text| text.trim().parse::<u8>().ok()).unwrap_or(0)
    };
    let mut drive = Drive::new(Default::default());
    // As the machine it runs for a while already: a timer can be set to what is past.
    drive.answer(br#"{"op":"advance","ns":1000000000}"#);
    drive.kernel_mut().set_protected(Protected {
        hardlinks: sysctl("hardlinks") != 0,
        symlinks: sysctl("symlinks") != 0,
        regular: sysctl("regular"),
        fifos: sysctl("fifos"),
    });
    drive
}
