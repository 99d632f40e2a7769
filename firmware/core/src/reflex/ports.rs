//! A board's two ports and its one wire: whose bytes go where.

use super::{Board, Micros, Owner};

impl Board {
    /// Somebody sends `bytes` on the transparent port. Returns what of that is to go out on the wire.
    pub fn adapter_bytes<'a>(&mut self, now_us: Micros, bytes: &'a [u8]) -> &'a [u8] {
        if bytes.is_empty() || self.transparent(now_us) { bytes } else { &[] }
    }

    /// Servos say `bytes`. Returns what of that is to go out on the transparent port.
    pub fn wire_bytes<'a>(&mut self, now_us: Micros, bytes: &'a [u8]) -> &'a [u8] {
        // Who listens keeps the bus: a long answer on a slow wire is still an answer.
        if self.owner(now_us) == Owner::Transparent && self.transparent(now_us) {
            return bytes;
        }
        // Also where nobody has it: an answer to the bridge's last question is for nobody else.
        self.bus_bytes(now_us, bytes);
        &[]
    }

    /// The wire's rate: the bridge's own while it has the bus, and else what the host has set on the
    /// transparent port.
    pub fn wire_baud(&self, now_us: Micros, adapter: u32) -> u32 {
        if self.owner(now_us) == Owner::Bridge { self.baud } else { adapter }
    }
}
