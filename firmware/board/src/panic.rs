//! What happens where the program cannot go on.

use core::panic::PanicInfo;

/// Starts the chip again. Nothing in the core can get here, which `firmware/report` checks; what
/// embassy takes for impossible can.
#[panic_handler]
fn start_again(_what: &PanicInfo) -> ! {
    cortex_m::peripheral::SCB::sys_reset()
}
