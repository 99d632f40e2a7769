//! What a step took.

use core::ptr::{read_volatile, write_volatile};

/// The processor's own timer: control, reload, present value.
const TIMER: [usize; 3] = [0xE000_E010, 0xE000_E014, 0xE000_E018];
/// It counts down through so many bits.
const TIMER_MASK: u32 = 0x00FF_FFFF;

/// What untouched memory holds.
const PAINT: u32 = 0x5EED_5EED;

unsafe extern "C" {
    /// Where the stack may grow down to, from the linker.
    static mut __ebss: u32;
    /// Where it starts.
    static _stack_start: u32;
}

/// Starts the timer on the processor's clock.
pub fn start() {
    let [control, reload, value] = TIMER;
    // SAFETY: registers of every Cortex-M, which only this program uses.
    unsafe {
        write_volatile(reload as *mut u32, TIMER_MASK);
        write_volatile(value as *mut u32, 0);
        write_volatile(control as *mut u32, 5);
    }
}

/// The timer now.
pub fn now() -> u32 {
    // SAFETY: as above.
    unsafe { read_volatile(TIMER[2] as *const u32) }
}

/// The ticks since then; the timer counts down.
pub fn since(then: u32) -> u32 {
    then.wrapping_sub(now()) & TIMER_MASK
}

/// Paints the memory below the stack of `main`, less what calling this takes.
#[inline(never)]
pub fn paint() {
    let mut place = &raw mut __ebss;
    let here = (&raw const place).addr();
    while place.addr() + 64 < here {
        // SAFETY: between the program's variables and the stack there is nothing.
        unsafe { write_volatile(place, PAINT) };
        place = place.wrapping_add(1);
    }
}

/// The deepest that the stack has been, in bytes.
pub fn deepest_stack() -> u32 {
    let (mut place, top) = ((&raw const __ebss).cast::<u32>(), (&raw const _stack_start).addr());
    // SAFETY: memory of this machine, up to the start of the stack.
    while place.addr() < top && unsafe { read_volatile(place) } == PAINT {
        place = place.wrapping_add(1);
    }
    (top - place.addr()) as u32
}
