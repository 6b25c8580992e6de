//! Flags and control characters of termios(3), as ioctl_tty(2) uses them on x86-64 Linux.
//!
//! Tables only; the line discipline is not here. In each table a name whose bits include another's
//! stands before it, so that a reader of the bits finds the widest name first.

use super::flags::{Names, constants};

constants! {
    /// Input modes.
    TERMIOS_IFLAGS: u32 {
        IGNBRK = 0o1, BRKINT = 0o2, IGNPAR = 0o4, PARMRK = 0o10, INPCK = 0o20, ISTRIP = 0o40,
        INLCR = 0o100, IGNCR = 0o200, ICRNL = 0o400, IUCLC = 0o1000, IXON = 0o2000,
        IXANY = 0o4000, IXOFF = 0o10000, IMAXBEL = 0o20000, IUTF8 = 0o40000,
    }
}
constants! {
    /// Output modes.
    TERMIOS_OFLAGS: u32 {
        OPOST = 0o1, OLCUC = 0o2, ONLCR = 0o4, OCRNL = 0o10, ONOCR = 0o20, ONLRET = 0o40,
        OFILL = 0o100, OFDEL = 0o200, NL1 = 0o400, CR3 = 0o3000, CR2 = 0o2000, CR1 = 0o1000,
        TAB3 = 0o14000, TAB2 = 0o10000, TAB1 = 0o4000, BS1 = 0o20000, VT1 = 0o40000,
        FF1 = 0o100000,
    }
}
constants! {
    /// Control modes: speeds, the size of a character, and the rest.
    TERMIOS_CFLAGS: u32 {
        B4000000 = 0o10017, B3500000 = 0o10016, B3000000 = 0o10015, B2500000 = 0o10014,
        B2000000 = 0o10013, B1500000 = 0o10012, B1152000 = 0o10011, B1000000 = 0o10010,
        B921600 = 0o10007, B576000 = 0o10006, B500000 = 0o10005, B460800 = 0o10004,
        B230400 = 0o10003, B115200 = 0o10002, B57600 = 0o10001, B38400 = 0o17, B19200 = 0o16,
        B9600 = 0o15, B4800 = 0o14, B2400 = 0o13, B1800 = 0o12, B1200 = 0o11, B600 = 0o10,
        B300 = 0o7, B200 = 0o6, B150 = 0o5, B134 = 0o4, B110 = 0o3, B75 = 0o2, B50 = 0o1,
        CS8 = 0o60, CS7 = 0o40, CS6 = 0o20, CSTOPB = 0o100, CREAD = 0o200, PARENB = 0o400,
        PARODD = 0o1000, HUPCL = 0o2000, CLOCAL = 0o4000, CBAUDEX = 0o10000,
        CMSPAR = 0o10000000000, CRTSCTS = 0o20000000000,
    }
}
constants! {
    /// Local modes.
    TERMIOS_LFLAGS: u32 {
        ISIG = 0o1, ICANON = 0o2, XCASE = 0o4, ECHO = 0o10, ECHOE = 0o20, ECHOK = 0o40,
        ECHONL = 0o100, NOFLSH = 0o200, TOSTOP = 0o400, ECHOCTL = 0o1000, ECHOPRT = 0o2000,
        ECHOKE = 0o4000, FLUSHO = 0o10000, PENDIN = 0o40000, IEXTEN = 0o100000,
        EXTPROC = 0o200000,
    }
}
constants! {
    /// Places of the control characters in `c_cc`.
    TERMIOS_CC: u8 {
        VINTR = 0, VQUIT = 1, VERASE = 2, VKILL = 3, VEOF = 4, VTIME = 5, VMIN = 6, VSWTC = 7,
        VSTART = 8, VSTOP = 9, VSUSP = 10, VEOL = 11, VREPRINT = 12, VDISCARD = 13, VWERASE = 14,
        VLNEXT = 15, VEOL2 = 16,
    }
}
constants! {
    /// What a master in packet mode is told (ioctl_tty(2), TIOCPKT).
    PACKET_STATUS: u8 {
        TIOCPKT_FLUSHREAD = 1, TIOCPKT_FLUSHWRITE = 2, TIOCPKT_STOP = 4, TIOCPKT_START = 8,
        TIOCPKT_NOSTOP = 16, TIOCPKT_DOSTOP = 32, TIOCPKT_IOCTL = 64,
    }
}
