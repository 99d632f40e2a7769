//! Servo series and models as data: a file per series, a line per register.
//!
//! A new series is a file beside this one; a new model of a known series is a row in its `MODELS`
//! and nothing else. Addresses and codes are facts from the manufacturers' manuals and from
//! LeRobot's tables, which users' files already follow.

mod dynamixel_x;
mod scs;
mod sts;

pub use dynamixel_x::DYNAMIXEL_X;
pub use scs::SCS;
pub use sts::STS;

use crate::packet::Protocol;
use crate::register::{Reg, Register};

/// How a servo applies its homing offset.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Homing {
    /// Present = actual − offset (Feetech STS).
    Subtracts,
    /// Present = actual + offset (Dynamixel).
    Adds,
    /// The series has no such register.
    None,
}

/// The servos that share a register table.
#[derive(Debug)]
pub struct Series {
    /// What users call it.
    pub name: &'static str,
    /// The wire format.
    pub protocol: Protocol,
    /// Every register, ascending.
    pub registers: &'static [Register],
    /// Registers that LeRobot spells differently in this series than [`Reg::name`] does.
    pub spellings: &'static [(Reg, &'static str)],
    /// Baud rates that can be set, with the code each is stored as; the factory's first.
    pub bauds: &'static [(u32, u8)],
    /// How the homing offset acts.
    pub homing: Homing,
    /// What the registers hold when a servo leaves the factory, where that is not zero.
    pub factory: &'static [(Reg, i32)],
    /// The models that share the table.
    pub models: &'static [Model],
    /// Where each [`Reg`] stands in `registers`; built from it.
    pub(crate) index: [u8; Reg::COUNT],
}

/// One servo model.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Model {
    /// As LeRobot spells it.
    pub name: &'static str,
    /// What the register `Model_Number` holds.
    pub number: u16,
    /// Counts per turn.
    pub counts: u16,
    /// Supply voltages it is sold for, in tenths of a volt.
    pub supply_dv: &'static [u16],
    /// Where this model's factory values differ from its series'.
    pub factory: &'static [(Reg, i32)],
}

/// Every series there is.
pub static ALL: [&Series; 3] = [&STS, &SCS, &DYNAMIXEL_X];

const ABSENT: u8 = u8::MAX;

/// Where each meaning stands in a table of rows.
#[allow(clippy::indexing_slicing)] // constants only: out of bounds would not compile
const fn index(registers: &[Register]) -> [u8; Reg::COUNT] {
    let mut index = [ABSENT; Reg::COUNT];
    let mut at = 0;
    while at < registers.len() {
        index[registers[at].reg as usize] = at as u8;
        at += 1;
    }
    index
}

impl Series {
    /// The register with this meaning, or `None` where the series has none.
    pub fn get(&self, reg: Reg) -> Option<&'static Register> {
        let at = *self.index.get(reg as usize)?;
        self.registers.get(usize::from(at))
    }

    /// The register of this name, in LeRobot's spelling for this series or in our own.
    pub fn named(&self, name: &str) -> Option<&'static Register> {
        let special = self.spellings.iter().find(|(_, spelling)| *spelling == name);
        let by_name = || self.registers.iter().find(|row| row.reg.name() == name);
        special.and_then(|(reg, _)| self.get(*reg)).or_else(by_name)
    }

    /// The code that a baud rate is stored as.
    pub fn baud_code(&self, baud: u32) -> Option<u8> {
        self.bauds.iter().find(|row| row.0 == baud).map(|row| row.1)
    }

    /// The baud rate that a code stands for.
    pub fn baud(&self, code: u8) -> Option<u32> {
        self.bauds.iter().find(|row| row.1 == code).map(|row| row.0)
    }
}

/// The model with this name, and its series.
pub fn by_name(name: &str) -> Option<(&'static Series, &'static Model)> {
    models().find(|(_, model)| model.name.eq_ignore_ascii_case(name))
}

/// The model with this number on this wire format, and its series.
pub fn by_number(protocol: Protocol, number: u16) -> Option<(&'static Series, &'static Model)> {
    models().find(|(series, model)| series.protocol == protocol && model.number == number)
}

/// Every model of every series.
pub fn models() -> impl Iterator<Item = (&'static Series, &'static Model)> {
    ALL.into_iter().flat_map(|series| series.models.iter().map(move |model| (series, model)))
}
