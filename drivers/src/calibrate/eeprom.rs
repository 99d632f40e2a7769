//! The calibration that a servo itself holds.

use sinew_core::calibration::Calibration;
use sinew_core::packet::Protocol;
use sinew_core::register::{Reg, Register};
use sinew_core::tables::Series;

use crate::{Bus, Error};

/// What a servo's EEPROM says of its joint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stored {
    /// The homing offset, zero where the series has none.
    pub homing_offset: i32,
    /// The least position.
    pub range_min: i32,
    /// The greatest position.
    pub range_max: i32,
    /// Whether it counts backwards; Feetech servos hold no such thing.
    pub drive_mode: Option<u8>,
}

impl Stored {
    /// Whether a file says the same.
    pub fn agrees_with(&self, file: &Calibration) -> bool {
        self.homing_offset == file.homing_offset
            && self.range_min == file.range_min
            && self.range_max == file.range_max
            && self.drive_mode.is_none_or(|mode| mode == file.drive_mode)
    }
}

/// Reads what servo `id` holds.
pub fn read(bus: &mut Bus, series: &Series, id: u8) -> Result<Stored, Error> {
    let mut get = |reg| match series.get(reg) {
        Some(register) => bus.read(id, register).map(|answer| Some(answer.value)),
        None => Ok(None),
    };
    let drive_mode = get(Reg::DriveMode)?;
    Ok(Stored {
        homing_offset: get(Reg::HomingOffset)?.unwrap_or_default(),
        range_min: get(Reg::MinPositionLimit)?.unwrap_or_default(),
        range_max: get(Reg::MaxPositionLimit)?.unwrap_or_default(),
        // Only the lowest bit is the direction; the others choose profiles.
        drive_mode: drive_mode.map(|mode| u8::from(mode & 1 != 0)),
    })
}

/// Writes a calibration to its servo and reads it back. The joint's torque is taken off first:
/// EEPROM cannot be written under torque.
pub fn write(bus: &mut Bus, series: &Series, calibration: &Calibration) -> Result<(), Error> {
    let id = calibration.id;
    open(bus, series, id)?;
    let mut values = vec![
        (Reg::HomingOffset, calibration.homing_offset),
        (Reg::MinPositionLimit, calibration.range_min),
        (Reg::MaxPositionLimit, calibration.range_max),
    ];
    if let Some(register) = series.get(Reg::DriveMode) {
        let others = bus.read(id, register)?.value & !1;
        values.push((Reg::DriveMode, others | i32::from(calibration.drive_mode & 1)));
    }
    for (reg, value) in values {
        if let Some(register) = series.get(reg) {
            keep(bus, id, register, value)?;
        }
    }
    close(bus, series, id)
}

/// Takes the torque off and opens the EEPROM.
pub(crate) fn open(bus: &mut Bus, series: &Series, id: u8) -> Result<(), Error> {
    if let Some(torque) = series.get(Reg::TorqueEnable) {
        bus.write(id, torque, 0)?;
    }
    match lock(series) {
        Some(lock) => bus.write(id, lock, 0).map(drop),
        None => Ok(()),
    }
}

/// Closes the EEPROM.
pub(crate) fn close(bus: &mut Bus, series: &Series, id: u8) -> Result<(), Error> {
    match lock(series) {
        Some(lock) => bus.write(id, lock, 1).map(drop),
        None => Ok(()),
    }
}

fn lock(series: &Series) -> Option<&'static Register> {
    series.get(Reg::Lock).filter(|_| series.protocol != Protocol::Dynamixel2)
}

/// Writes a register unless it holds the value already, and makes sure that it does.
pub(crate) fn keep(bus: &mut Bus, id: u8, register: &Register, value: i32) -> Result<(), Error> {
    if bus.read(id, register)?.value == value {
        return Ok(());
    }
    bus.write(id, register, value)?;
    let holds = bus.read(id, register)?.value;
    if holds == value {
        return Ok(());
    }
    let port = bus.wire().name().to_owned();
    Err(Error::NotKept { port, id, what: register.reg.name(), wrote: value, holds })
}
