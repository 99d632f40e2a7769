//! What the board needs to know of the servos on its bus, taken from their tables.

use crate::bridge::{JointSeen, Torque};
use crate::packet::{Protocol, Status};
use crate::register::{Faults, Reg, Register};
use crate::tables::{self, DYNAMIXEL_X, STS};

/// Neighbouring registers that are read together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Block {
    pub address: u16,
    pub width: u16,
}

/// What the board needs to know of a servo series.
#[derive(Clone, Copy)]
pub(super) struct Series {
    pub protocol: Protocol,
    table: &'static tables::Series,
    pub goal: &'static Register,
    pub goal_speed: &'static Register,
    pub torque: &'static Register,
    /// What every servo is asked in every cycle.
    pub all: Block,
    /// What one servo is asked in every cycle, in turn, where `all` does not have it.
    pub turn: Option<Block>,
}

/// The widest block that is still read from all servos at once.
const MOST_BLOCK: u16 = 40;

/// What every cycle wants to know.
const WANTED: [Reg; 6] = [
    Reg::PresentPosition,
    Reg::PresentVelocity,
    Reg::PresentLoad,
    Reg::PresentPwm,
    Reg::PresentVoltage,
    Reg::PresentTemperature,
];
/// What a servo says of itself that its answers to everything do not say anyway.
const STATE: [Reg; 3] = [Reg::TorqueEnable, Reg::HardwareErrorStatus, Reg::Status];

impl Block {
    /// The smallest with all of these that the series has.
    fn of(table: &'static tables::Series, wanted: &[Reg]) -> Option<Self> {
        let rows = || wanted.iter().filter_map(|reg| table.get(*reg));
        let address = rows().map(|row| row.address).min()?;
        let end = rows().map(|row| row.address.wrapping_add(u16::from(row.width))).max()?;
        Some(Self { address, width: end.wrapping_sub(address) })
    }

    fn has(&self, row: &Register) -> bool {
        row.address >= self.address && row.address < self.address.wrapping_add(self.width)
    }
}

impl Series {
    /// The series of a wire format, or `None` where the board cannot run one: without sync reads there
    /// is no time for it.
    pub fn of(protocol: Protocol) -> Option<Self> {
        let table = match protocol {
            Protocol::Feetech0 => &STS,
            Protocol::Dynamixel2 => &DYNAMIXEL_X,
            Protocol::Feetech1 => return None,
        };
        let torque = table.get(Reg::TorqueEnable)?;
        let values = Block::of(table, &WANTED)?;
        let state = Block::of(table, &STATE)?;
        // A few bytes more of everybody are cheaper than a question more.
        let first = values.address.min(state.address);
        let end = |block: Block| block.address.wrapping_add(block.width);
        let both = end(values).max(end(state)).wrapping_sub(first);
        let together = both <= MOST_BLOCK;
        Some(Self {
            protocol,
            table,
            goal: table.get(Reg::GoalPosition)?,
            goal_speed: table.get(Reg::GoalVelocity)?,
            torque,
            all: if together { Block { address: first, width: both } } else { values },
            turn: (!together).then_some(state),
        })
    }

    /// The value of a register in `data`, which is a block.
    fn value(&self, block: Block, reg: Reg, data: &[u8]) -> Option<i32> {
        let row = self.table.get(reg).filter(|row| block.has(row))?;
        let from = usize::from(row.address.wrapping_sub(block.address));
        row.decode(self.protocol.byte_order(), data.get(from..)?)
    }

    /// What an answer says of a servo, beside what was known before.
    pub fn seen(&self, block: Block, status: &Status, data: &[u8], before: JointSeen) -> JointSeen {
        let value = |reg| self.value(block, reg, data);
        let byte = |reg| value(reg).map(|value| u8::try_from(value).unwrap_or(u8::MAX));
        let narrow = |value: i32| {
            i16::try_from(value).unwrap_or(if value < 0 { i16::MIN } else { i16::MAX })
        };
        let torque =
            value(Reg::TorqueEnable).map(|on| if on == 0 { Torque::Off } else { Torque::On });
        let dynamixel = self.protocol == Protocol::Dynamixel2;
        // Feetech: 0.1 % of full duty. Dynamixel: 0.113 %, 885 being all of it.
        let load = if dynamixel {
            value(Reg::PresentPwm).map(|duty| duty.wrapping_mul(1000).wrapping_div(885))
        } else {
            value(Reg::PresentLoad)
        };
        let faults = if dynamixel {
            byte(Reg::HardwareErrorStatus).map(Faults::from_dynamixel_hardware)
        } else {
            let said = byte(Reg::Status).unwrap_or_default() | status.error;
            Some(Faults::from_status(self.protocol, said))
        };
        JointSeen {
            position: value(Reg::PresentPosition).unwrap_or(before.position),
            speed: value(Reg::PresentVelocity).map_or(before.speed, narrow),
            load: load.map_or(before.load, narrow),
            supply_dv: byte(Reg::PresentVoltage).unwrap_or(before.supply_dv),
            celsius: byte(Reg::PresentTemperature).unwrap_or(before.celsius),
            faults: faults.unwrap_or(before.faults),
            torque: torque.unwrap_or(before.torque),
            ..before
        }
    }
}
