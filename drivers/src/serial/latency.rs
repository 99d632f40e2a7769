//! Asking a USB adapter not to keep bytes back.

use std::os::fd::{AsRawFd, BorrowedFd};

/// FTDI's driver gathers received bytes for up to 16 ms unless it is told not to.
const ASYNC_LOW_LATENCY: libc::c_int = 0x2000;

/// The kernel's `struct serial_struct`.
#[repr(C)]
struct SerialStruct {
    kind: libc::c_int,
    line: libc::c_int,
    port: libc::c_uint,
    irq: libc::c_int,
    flags: libc::c_int,
    xmit_fifo_size: libc::c_int,
    custom_divisor: libc::c_int,
    baud_base: libc::c_int,
    close_delay: libc::c_ushort,
    io_type: libc::c_char,
    reserved_char: [libc::c_char; 1],
    hub6: libc::c_int,
    closing_wait: libc::c_ushort,
    closing_wait2: libc::c_ushort,
    iomem_base: *mut libc::c_uchar,
    iomem_reg_shift: libc::c_ushort,
    port_high: libc::c_uint,
    iomap_base: libc::c_ulong,
}

/// Sets the low-latency flag where the driver has one. Ports without it, and users who may not
/// set it, lose some speed and nothing else.
pub(super) fn make_low(fd: BorrowedFd) {
    let mut settings = std::mem::MaybeUninit::<SerialStruct>::zeroed();
    // SAFETY: the kernel fills in at most one `serial_struct`, and the place holds one.
    let got = unsafe { libc::ioctl(fd.as_raw_fd(), libc::TIOCGSERIAL, settings.as_mut_ptr()) };
    if got < 0 {
        return;
    }
    // SAFETY: every field may be all zeros, and the kernel wrote the rest.
    let mut settings = unsafe { settings.assume_init() };
    settings.flags |= ASYNC_LOW_LATENCY;
    // SAFETY: the kernel only reads the struct, which the ioctl before has filled.
    unsafe { libc::ioctl(fd.as_raw_fd(), libc::TIOCSSERIAL, &raw const settings) };
}
