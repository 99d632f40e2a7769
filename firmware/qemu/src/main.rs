#![doc = include_str!("../README.md")]
#![no_std]
#![no_main]

mod cost;
mod uart;

use core::panic::PanicInfo;

use sinew_core::reflex::{Board, Kind};
use uart::{ADAPTER, BRIDGE, DIRECTOR, WIRE};

/// The most bytes that come by one way in a step.
const MOST: usize = 512;

/// What the director says: the time, how many bytes come from where, and the rate that the host has set
/// on the transparent port.
const ASKED: usize = 8 + 3 * 2 + 4;

#[cortex_m_rt::entry]
fn main() -> ! {
    static mut BUFFERS: [[u8; MOST]; 3] = [[0; MOST]; 3];
    cost::paint();
    cost::start();
    for uart in [WIRE, ADAPTER, BRIDGE, DIRECTOR] {
        uart.open();
    }
    let mut board = fresh();
    loop {
        let mut asked = [0; ASKED];
        DIRECTOR.read(&mut asked);
        let [now @ .., a, b, c, d, e, f, g, h, i, j] = asked;
        let now = u64::from_le_bytes(now);
        let lens = [[a, b], [c, d], [e, f]];
        let adapter_baud = u32::from_le_bytes([g, h, i, j]);
        let [wire, adapter, bridge] = BUFFERS;
        for ((buffer, uart), len) in
            [(&mut *wire, WIRE), (&mut *adapter, ADAPTER), (&mut *bridge, BRIDGE)]
                .into_iter()
                .zip(lens)
        {
            uart.read(taken(buffer, len));
        }

        let then = cost::now();
        let to_adapter = board.wire_bytes(now, taken(wire, lens[0]));
        let through = board.adapter_bytes(now, taken(adapter, lens[1]));
        board.host_bytes(now, taken(bridge, lens[2]));
        let through_baud = board.wire_baud(now, adapter_baud);
        let step = board.poll(now);
        let took = cost::since(then);
        let wanted = step.save.is_some();
        let wake = if wanted { now } else { step.wake_us };

        let baud = if step.bus.is_empty() { through_baud } else { step.baud };
        DIRECTOR.write(&wake.to_le_bytes());
        for len in [through.len() + step.bus.len(), to_adapter.len(), step.host.len()] {
            DIRECTOR.write(&(len as u16).to_le_bytes());
        }
        DIRECTOR.write(&[step.light as u8, u8::from(step.bootloader)]);
        for number in [baud, took, cost::deepest_stack()] {
            DIRECTOR.write(&number.to_le_bytes());
        }
        WIRE.write(through);
        WIRE.write(step.bus);
        ADAPTER.write(to_adapter);
        BRIDGE.write(step.host);
        if wanted {
            // It has nothing to keep them in.
            board.saved(false);
        }
    }
}

/// Apart, because making a board takes more stack than anything a board does later.
#[inline(never)]
fn fresh() -> Board {
    Board::new(Kind::Qemu, &[])
}

/// So much of a buffer, where it has that.
fn taken(buffer: &mut [u8], len: [u8; 2]) -> &mut [u8] {
    buffer.get_mut(..usize::from(u16::from_le_bytes(len))).unwrap_or_default()
}

unsafe extern "C" {
    /// Nobody has it: an image from which a panic can be reached does not link.
    fn a_panic_can_be_reached() -> !;
}

#[panic_handler]
fn panic(_what: &PanicInfo) -> ! {
    // SAFETY: never linked, so never called.
    unsafe { a_panic_can_be_reached() }
}
