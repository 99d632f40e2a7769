//! A servo's settings for life: id, rate, gains, limits, mode, offset; and starting anew.
//!
//! Nothing here asks or prints. What was done comes back as steps, each read back from the servo.
//! On Feetech servos torque is taken off and the lock opened before, and closed after; without
//! that a setting is lost with the power. On Dynamixel taking the torque off is enough.

mod repair;
#[cfg(test)]
mod tests;

use sinew_core::packet::{MAX_ID, Protocol, Request};
use sinew_core::register::{Reg, Register, Store};
use sinew_core::tables::Series;

pub use repair::{Plan, Repair, apply, plan};

use crate::bus::Heard;
use crate::calibrate::eeprom;
use crate::clock::{MILLI, SECOND};
use crate::scan::{self, Expected, Progress, ScanOptions};
use crate::{Bus, Error, Nanos};

/// One setting of one servo that was made and read back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Step {
    /// The servo, by the id it had at the time.
    pub id: u8,
    /// Which register.
    pub what: &'static str,
    /// What it held.
    pub was: i32,
    /// What it holds.
    pub now: i32,
}

/// How long a servo may take to answer again after it was told to start anew.
const START: Nanos = 2 * SECOND;
/// How often it is asked meanwhile.
const START_POLL: Nanos = 20 * MILLI;
/// How often an id is called before it counts as free.
const CALLS: usize = 3;

/// Gives servo `from` the id `to`, which must be free.
pub fn change_id(bus: &mut Bus, series: &Series, from: u8, to: u8) -> Result<Vec<Step>, Error> {
    let register = row(series, Reg::Id)?;
    if from == to {
        return Ok(Vec::new());
    }
    for _ in 0..CALLS {
        if to > MAX_ID || bus.hear(to)? != Heard::Silence {
            return Err(Error::IdTaken { port: bus.wire().name().to_owned(), id: to });
        }
    }
    eeprom::open(bus, series, from)?;
    let written = unless_unheard(bus.write(from, register, i32::from(to)));
    if let Err(error) = written.and_then(|()| verify(bus, to, register, i32::from(to))) {
        // It may still be there under its old id: it must not stay open.
        eeprom::close(bus, series, from).unwrap_or_default();
        return Err(error);
    }
    eeprom::close(bus, series, to)?;
    Ok(vec![Step { id: from, what: register.reg.name(), was: from.into(), now: to.into() }])
}

/// Sets servo `id` to another rate, and the wire with it. If the servo cannot be reached
/// there, the wire is back at the old rate.
pub fn change_baud(bus: &mut Bus, series: &Series, id: u8, baud: u32) -> Result<Vec<Step>, Error> {
    let register = row(series, Reg::BaudRate)?;
    let code = series.baud_code(baud).ok_or(Error::NoSuchBaud { series: series.name, baud })?;
    let (was, old) = (bus.read(id, register)?.value, bus.wire().baud());
    if was == i32::from(code) && old == baud {
        return Ok(Vec::new());
    }
    eeprom::open(bus, series, id)?;
    unless_unheard(bus.write(id, register, i32::from(code)))?;
    let moved = bus.wire_mut().set_baud(baud);
    let reached = moved.and_then(|()| verify(bus, id, register, i32::from(code)));
    if let Err(error) = reached {
        bus.wire_mut().set_baud(old)?;
        eeprom::close(bus, series, id).unwrap_or_default();
        return Err(error);
    }
    eeprom::close(bus, series, id)?;
    Ok(vec![Step { id, what: register.reg.name(), was, now: code.into() }])
}

/// Sets the gains of the position loop.
pub fn gains(
    bus: &mut Bus,
    series: &Series,
    id: u8,
    (p, i, d): (i32, i32, i32),
) -> Result<Vec<Step>, Error> {
    let values = [(Reg::PCoefficient, p), (Reg::ICoefficient, i), (Reg::DCoefficient, d)];
    set(bus, series, id, &values)
}

/// Sets the range of positions that the servo itself keeps to.
pub fn limits(
    bus: &mut Bus,
    series: &Series,
    id: u8,
    (min, max): (i32, i32),
) -> Result<Vec<Step>, Error> {
    set(bus, series, id, &[(Reg::MinPositionLimit, min), (Reg::MaxPositionLimit, max)])
}

/// Sets the operating mode by its code in the series' manual.
pub fn operating_mode(
    bus: &mut Bus,
    series: &Series,
    id: u8,
    mode: i32,
) -> Result<Vec<Step>, Error> {
    set(bus, series, id, &[(Reg::OperatingMode, mode)])
}

/// Sets the homing offset, in counts.
pub fn homing_offset(
    bus: &mut Bus,
    series: &Series,
    id: u8,
    offset: i32,
) -> Result<Vec<Step>, Error> {
    set(bus, series, id, &[(Reg::HomingOffset, offset)])
}

/// Sets how long the servo waits before it answers, in steps of two microseconds.
pub fn return_delay(
    bus: &mut Bus,
    series: &Series,
    id: u8,
    delay: i32,
) -> Result<Vec<Step>, Error> {
    set(bus, series, id, &[(Reg::ReturnDelayTime, delay)])
}

/// Makes settings of a servo whose torque is off afterwards. What it holds already is not
/// written again, so that its EEPROM lasts. An id and a rate have ways of their own.
fn set(bus: &mut Bus, series: &Series, id: u8, values: &[(Reg, i32)]) -> Result<Vec<Step>, Error> {
    let mut rows = Vec::with_capacity(values.len());
    for (reg, value) in values {
        rows.push((row(series, *reg)?, *value));
    }
    let guarded = rows.iter().any(|(register, _)| register.store == Store::Eeprom);
    if guarded {
        eeprom::open(bus, series, id)?;
    }
    let mut steps = Vec::new();
    let mut made = Ok(());
    for (register, value) in rows {
        made = keep(bus, id, register, value, &mut steps);
        if made.is_err() {
            break;
        }
    }
    // A servo is closed again even if a setting failed; the first failure is the one to tell.
    let closed = if guarded { eeprom::close(bus, series, id) } else { Ok(()) };
    made.and(closed)?;
    Ok(steps)
}

fn keep(
    bus: &mut Bus,
    id: u8,
    register: &Register,
    value: i32,
    steps: &mut Vec<Step>,
) -> Result<(), Error> {
    let was = bus.read(id, register)?.value;
    eeprom::keep(bus, id, register, value)?;
    if was != value {
        steps.push(Step { id, what: register.reg.name(), was, now: value });
    }
    Ok(())
}

/// Starts a servo anew and waits until it answers again.
pub fn reboot(bus: &mut Bus, id: u8) -> Result<(), Error> {
    bus.tell(id, &Request::Reboot)?;
    await_start(bus, id)
}

/// Gives a servo its factory settings back. It keeps its id and comes back at the wire's rate.
pub fn factory_reset(bus: &mut Bus, series: &Series, id: u8) -> Result<Vec<Step>, Error> {
    let home = bus.wire().baud();
    eeprom::open(bus, series, id)?;
    // Feetech's reset keeps the id by itself, Dynamixel's is told to keep id and rate.
    bus.tell(id, &Request::FactoryReset { keep: 0x02 })?;
    let factory = series.bauds.first().map_or(home, |row| row.0);
    if series.protocol != Protocol::Dynamixel2 && factory != home {
        bus.wire_mut().set_baud(factory)?;
    }
    await_start(bus, id)?;
    change_baud(bus, series, id, home)
}

fn await_start(bus: &mut Bus, id: u8) -> Result<(), Error> {
    let clock = bus.wire().clock().clone();
    let deadline = clock.now() + START;
    loop {
        clock.sleep(START_POLL);
        if matches!(bus.hear(id)?, Heard::Answer(_)) {
            return Ok(());
        }
        if clock.now() >= deadline {
            let port = bus.wire().name().to_owned();
            return Err(Error::NoAnswer { port, id, what: "its start" });
        }
    }
}

/// Sets up the only motor that is plugged in: finds it at whatever id and rate it has, makes sure
/// that it is of the right model, and gives it the joint's id and the bus's rate.
pub fn only_motor(
    bus: &mut Bus,
    wanted: &Expected,
    options: &ScanOptions,
    progress: impl FnMut(Progress),
) -> Result<Vec<Step>, Error> {
    let report = scan::scan(bus, options, progress)?;
    let port = report.port;
    let motor = match report.motors.as_slice() {
        [motor] if !motor.shared => motor,
        [] => return Err(Error::NoMotor { port }),
        several => {
            let ids = several.iter().map(|motor| motor.id).collect();
            return Err(Error::NotAlone { port, ids });
        }
    };
    let repair = Repair::new(motor, wanted.id, options.home);
    match (motor.number == Some(wanted.model.number), repair) {
        (true, Some(repair)) => apply(bus, &repair),
        _ => {
            let (id, found) = (motor.id, motor.describe());
            Err(Error::WrongModel { port, id, found, wanted: wanted.model.name })
        }
    }
}

fn row(series: &Series, reg: Reg) -> Result<&'static Register, Error> {
    series.get(reg).ok_or(Error::NoSuchRegister { series: series.name, what: reg.name() })
}

/// A servo that takes a new id or rate may send its receipt under the new one, or none.
fn unless_unheard<T>(written: Result<T, Error>) -> Result<(), Error> {
    match written {
        Ok(_) | Err(Error::NoAnswer { .. } | Error::Corrupt { .. }) => Ok(()),
        Err(error) => Err(error),
    }
}

fn verify(bus: &mut Bus, id: u8, register: &Register, wrote: i32) -> Result<(), Error> {
    let holds = bus.read(id, register)?.value;
    if holds == wrote {
        return Ok(());
    }
    let port = bus.wire().name().to_owned();
    Err(Error::NotKept { port, id, what: register.reg.name(), wrote, holds })
}
