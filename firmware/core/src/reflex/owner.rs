//! Whose the bus is: a board has two ports, and servos answer only one asker at a time.

use super::{Axis, Board, Micros};
use crate::bridge::{Mode, Stop, Torque};

/// Who has the bus.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Owner {
    /// Whoever comes first.
    Nobody,
    /// The bridge port, or the board itself on its behalf.
    Bridge,
    /// The transparent port.
    Transparent,
}

/// For how long a port keeps the bus after its last byte.
const KEPT_US: Micros = 200_000;
/// For how long a board that stopped the motors keeps the bus from the transparent port while its own
/// host is silent.
const STOPPED_US: Micros = 2_000_000;

/// Until when each port has the bus.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Claims {
    bridge: Micros,
    transparent: Micros,
}

impl Claims {
    pub fn owner(&self, now_us: Micros) -> Owner {
        if now_us < self.bridge {
            Owner::Bridge
        } else if now_us < self.transparent {
            Owner::Transparent
        } else {
            Owner::Nobody
        }
    }
}

impl Board {
    /// Who has the bus: where that is the transparent port, what comes from the bus goes there, and
    /// else to [`Board::bus_bytes`].
    pub fn owner(&self, now_us: Micros) -> Owner {
        if self.engaged() { Owner::Bridge } else { self.claims.owner(now_us) }
    }

    /// Somebody sends on the transparent port. Whether those bytes may go out on the bus; where they
    /// may not they are thrown away, as an adapter does that is not plugged in.
    pub fn transparent(&mut self, now_us: Micros) -> bool {
        let silent = now_us.saturating_sub(self.heard);
        if silent >= STOPPED_US && self.is_safe() {
            // Its host is gone and the motors are safe: whoever comes now may have them.
            self.release();
        }
        if self.owner(now_us) == Owner::Bridge {
            return false;
        }
        self.claims.transparent = now_us.saturating_add(KEPT_US);
        true
    }

    /// Whether the motors were stopped, and those that are to be limp say that they are.
    pub(super) fn is_safe(&self) -> bool {
        let limp = |axis: &Axis| axis.seen.torque == Torque::Off;
        let done = self.stop != Stop::Limp || self.axes().iter().all(limp);
        self.mode == Mode::Stopped && !self.urgent && done
    }

    /// Takes the bus for the bridge port. Whether it could be had.
    pub(super) fn claim(&mut self, now_us: Micros) -> bool {
        if self.owner(now_us) == Owner::Transparent {
            return false;
        }
        self.claims.bridge = now_us.saturating_add(KEPT_US);
        true
    }
}
