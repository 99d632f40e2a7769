//! What happens where the program cannot go on.

use core::panic::PanicInfo;

/// Starts the chip again. What embassy takes for impossible can get here; that nothing in the core does is
/// shown by the image for QEMU, which would not link, and by `panics`, which searches this one.
#[panic_handler]
fn start_again(_what: &PanicInfo) -> ! {
    cortex_m::peripheral::SCB::sys_reset()
}
