//! Finding every servo on a wire, at whatever rate and in whatever format it speaks.

mod diagnose;
#[cfg(test)]
mod tests;

use sinew_core::packet::{MAX_ID, Protocol, Request};
use sinew_core::register::{Faults, Reg};
use sinew_core::tables::{self, Model, Series};

pub use diagnose::{Expected, Problem, explain};

use crate::bus::{Heard, Patience};
use crate::clock::MILLI;
use crate::wire::line_time;
use crate::{Bus, Error, Nanos};

/// Where and how to look.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScanOptions {
    /// The rate that the bus is meant to run at; it is looked at first.
    pub home: u32,
    /// Other rates to look at.
    pub others: Vec<u32>,
    /// The wire formats to try at each rate that the format's servos can be set to.
    pub protocols: Vec<Protocol>,
}

impl ScanOptions {
    /// Only `home`, only servos of `protocol`: under a second where the format has a broadcast
    /// ping.
    pub fn here(home: u32, protocol: Protocol) -> Self {
        Self { home, others: Vec::new(), protocols: vec![protocol] }
    }

    /// Every rate that the servos of these wire formats can be set to, the fastest first.
    pub fn all_bauds(home: u32, protocols: &[Protocol]) -> Self {
        let mut others: Vec<u32> = tables::ALL
            .into_iter()
            .filter(|series| protocols.contains(&series.protocol))
            .flat_map(|series| series.bauds.iter().map(|row| row.0))
            .filter(|baud| *baud != home)
            .collect();
        others.sort_unstable_by_key(|baud| std::cmp::Reverse(*baud));
        others.dedup();
        Self { home, others, protocols: protocols.to_vec() }
    }

    /// What is looked at, in order.
    fn steps(&self) -> Vec<(u32, Protocol)> {
        let bauds = std::iter::once(self.home).chain(self.others.iter().copied());
        bauds
            .flat_map(|baud| self.protocols.iter().map(move |protocol| (baud, *protocol)))
            .filter(|(baud, protocol)| {
                let series = series_of(*protocol);
                *baud == self.home || series.is_some_and(|s| s.baud_code(*baud).is_some())
            })
            .collect()
    }
}

/// How far a scan has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// Rates and formats looked at so far.
    pub done: usize,
    /// Rates and formats in all.
    pub of: usize,
    /// The rate that is looked at now.
    pub baud: u32,
    /// The format that is tried now.
    pub protocol: Protocol,
    /// Motors found so far.
    pub motors: usize,
}

/// A servo that answered.
#[derive(Clone, Debug, PartialEq)]
pub struct FoundMotor {
    /// The rate it answers at.
    pub baud: u32,
    /// Its id.
    pub id: u8,
    /// The format it speaks.
    pub protocol: Protocol,
    /// What `Model_Number` holds.
    pub number: Option<u16>,
    /// The model of that number, where it is a known one.
    pub model: Option<&'static Model>,
    /// Its firmware, such as `3.10`.
    pub firmware: Option<String>,
    /// Its supply in volts.
    pub voltage: Option<f64>,
    /// Its temperature in degrees Celsius.
    pub temperature: Option<i32>,
    /// What it complains of.
    pub faults: Faults,
    /// More than one servo answers to this id.
    pub shared: bool,
}

impl FoundMotor {
    /// The register table it follows: its model's, else that of its format.
    pub fn series(&self) -> Option<&'static Series> {
        let known = self.number.and_then(|number| tables::by_number(self.protocol, number));
        known.map(|(series, _)| series).or_else(|| series_of(self.protocol))
    }

    /// What to call it.
    pub fn describe(&self) -> String {
        match (self.model, self.number) {
            (Some(model), _) => model.name.to_owned(),
            (None, Some(number)) => format!("unknown model {number}"),
            (None, None) => "a servo".to_owned(),
        }
    }
}

/// What a scan found.
#[derive(Clone, Debug, PartialEq)]
pub struct ScanReport {
    /// The port.
    pub port: String,
    /// The rate that the bus is meant to run at.
    pub home: u32,
    /// Every servo, those at the home rate first.
    pub motors: Vec<FoundMotor>,
    /// Rates that the port cannot run at; nobody was looked for there.
    pub refused: Vec<u32>,
    /// What is wrong, and what to do about it.
    pub problems: Vec<Problem>,
}

/// How often a servo is asked whether it is alone with its id. Colliding answers are readable
/// once in a while.
const LISTENS: usize = 6;
/// How many of those answers must be damaged. One may be noise.
const COLLISIONS: usize = 2;
/// How long a servo that is asked alone may take to say that it is there.
const PING_PATIENCE: Nanos = 8 * MILLI;
/// Servos answer a broadcast ping in the order of their ids, each in a slot of this length.
const SLOT: Nanos = 3 * MILLI;
/// How many ids beyond the highest one heard are called by themselves.
const NEIGHBOURS: u8 = 6;
/// SCS servos know no call to everybody, and calling every id at every rate takes half a minute.
/// At the home rate that is done; at others only ids that arms use are called.
const ARMS_NUMBER_TO: u8 = 32;
/// Ids that are called to guess a wire's format: arms count from 1.
const GUESSES: std::ops::RangeInclusive<u8> = 1..=6;
/// What the adapter and this machine may add to a broadcast.
const BROADCAST_SLACK: Nanos = 16 * MILLI;

/// Looks for servos and says what is wrong with what it finds. The bus is left at the home rate,
/// in the format it was in.
pub fn scan(
    bus: &mut Bus,
    options: &ScanOptions,
    mut progress: impl FnMut(Progress),
) -> Result<ScanReport, Error> {
    let (protocol, patience) = (bus.protocol(), bus.patience());
    let mut report = ScanReport {
        port: bus.wire().name().to_owned(),
        home: options.home,
        motors: Vec::new(),
        refused: Vec::new(),
        problems: Vec::new(),
    };
    let found = look_everywhere(bus, options, &mut report, &mut progress);
    bus.set_patience(patience);
    bus.set_protocol(protocol);
    found?;
    if bus.wire().baud() != options.home {
        bus.wire_mut().set_baud(options.home)?;
    }
    diagnose::general(&mut report);
    Ok(report)
}

/// The first of these formats in which anybody with a low id answers at the present rate: a quick
/// guess that saves a scan the time of waiting for servos of the other formats.
pub fn likeliest(bus: &mut Bus, protocols: &[Protocol]) -> Result<Option<Protocol>, Error> {
    let before = bus.protocol();
    for protocol in protocols {
        bus.set_protocol(*protocol);
        for id in GUESSES {
            if call(bus, id)? {
                bus.set_protocol(before);
                return Ok(Some(*protocol));
            }
        }
    }
    bus.set_protocol(before);
    Ok(None)
}

fn look_everywhere(
    bus: &mut Bus,
    options: &ScanOptions,
    report: &mut ScanReport,
    progress: &mut impl FnMut(Progress),
) -> Result<(), Error> {
    let steps = options.steps();
    let of = steps.len();
    for (done, (baud, protocol)) in steps.into_iter().enumerate() {
        progress(Progress { done, of, baud, protocol, motors: report.motors.len() });
        if report.refused.contains(&baud) {
            continue;
        }
        if bus.wire().baud() != baud {
            match bus.wire_mut().set_baud(baud) {
                Ok(()) => {}
                Err(Error::BaudRefused { .. }) => {
                    report.refused.push(baud);
                    continue;
                }
                Err(error) => return Err(error),
            }
        }
        look(bus, baud, protocol, report)?;
    }
    Ok(())
}

/// Looks for servos of one format at one rate.
fn look(
    bus: &mut Bus,
    baud: u32,
    protocol: Protocol,
    report: &mut ScanReport,
) -> Result<(), Error> {
    bus.set_protocol(protocol);
    let known: Vec<u8> =
        report.motors.iter().filter(|motor| motor.baud == baud).map(|motor| motor.id).collect();
    let (mut ids, garbled) = if protocol == Protocol::Feetech1 {
        (Vec::new(), true)
    } else {
        call_everybody(bus, protocol)?
    };
    // Where answers collided, or where the format has no call to everybody, each id is called by
    // itself. Otherwise only neighbours are: an answer to everybody's call may have been lost.
    let last = match ids.iter().max() {
        _ if protocol == Protocol::Feetech1 && baud != report.home => Some(ARMS_NUMBER_TO),
        _ if garbled => Some(MAX_ID),
        Some(highest) => Some(highest.saturating_add(NEIGHBOURS).min(MAX_ID)),
        None => None,
    };
    for id in last.into_iter().flat_map(|last| 0..=last).filter(|id| !known.contains(id)) {
        if !ids.contains(&id) && call(bus, id)? {
            ids.push(id);
        }
    }
    ids.sort_unstable();
    for id in ids.into_iter().filter(|id| !known.contains(id)) {
        let motor = identify(bus, baud, id)?;
        if motor.number.is_some() || answers_again(bus, id)? {
            report.motors.push(motor);
        }
    }
    Ok(())
}

/// Who answers a broadcast ping, and whether some answers were damaged.
fn call_everybody(bus: &mut Bus, protocol: Protocol) -> Result<(Vec<u8>, bool), Error> {
    let answers = usize::from(MAX_ID) * protocol.reply_len(protocol.ping_data());
    let slots = Nanos::from(MAX_ID) * SLOT;
    let window = line_time(answers, bus.wire().baud()) + slots + BROADCAST_SLACK;
    let damaged = bus.counts().corrupt;
    let mut ids = Vec::new();
    bus.ask_all(&Request::Ping, window, |status| {
        if status.id <= MAX_ID && !ids.contains(&status.id) {
            ids.push(status.id);
        }
    })?;
    Ok((ids, bus.counts().corrupt != damaged))
}

/// Whether anybody answers to this id, in however many voices.
fn call(bus: &mut Bus, id: u8) -> Result<bool, Error> {
    let patience = Patience { answer: PING_PATIENCE, ..bus.patience() };
    Ok(bus.with_patience(patience, |bus| bus.hear(id))? != Heard::Silence)
}

/// Whether a servo that tells nothing of itself is there at all: what was heard of it may have
/// been its late answer to a call at the rate before.
fn answers_again(bus: &mut Bus, id: u8) -> Result<bool, Error> {
    bus.wire().clock().sleep(bus.patience().late);
    for _ in 0..LISTENS {
        if call(bus, id)? {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Asks a servo who it is and how it fares.
fn identify(bus: &mut Bus, baud: u32, id: u8) -> Result<FoundMotor, Error> {
    let called_in = bus.protocol();
    let mut number = value(bus, id, Reg::ModelNumber)?.and_then(|n| u16::try_from(n).ok());
    // An SCS servo answers to an STS ping, and then its numbers read backwards.
    if let Some(swapped) = number.map(u16::swap_bytes)
        && bus.protocol() == Protocol::Feetech0
        && number.and_then(|n| tables::by_number(Protocol::Feetech0, n)).is_none()
        && tables::by_number(Protocol::Feetech1, swapped).is_some()
    {
        bus.set_protocol(Protocol::Feetech1);
        number = Some(swapped);
    }
    let protocol = bus.protocol();
    let firmware = firmware(bus, id)?;
    let voltage = value(bus, id, Reg::PresentVoltage)?.map(|tenths| f64::from(tenths) / 10.0);
    let temperature = value(bus, id, Reg::PresentTemperature)?;
    let (shared, faults) = listen(bus, id)?;
    bus.set_protocol(called_in);
    Ok(FoundMotor {
        baud,
        id,
        protocol,
        number,
        model: number.and_then(|number| tables::by_number(protocol, number)).map(|(_, m)| m),
        firmware,
        voltage,
        temperature,
        faults,
        shared,
    })
}

fn firmware(bus: &mut Bus, id: u8) -> Result<Option<String>, Error> {
    if let Some(version) = value(bus, id, Reg::FirmwareVersion)? {
        return Ok(Some(version.to_string()));
    }
    let major = value(bus, id, Reg::FirmwareMajorVersion)?;
    let minor = value(bus, id, Reg::FirmwareMinorVersion)?;
    Ok(major.zip(minor).map(|(major, minor)| format!("{major}.{minor}")))
}

/// The value of a register, or `None` where it cannot be had.
fn value(bus: &mut Bus, id: u8, reg: Reg) -> Result<Option<i32>, Error> {
    let Some(register) = series_of(bus.protocol()).and_then(|series| series.get(reg)) else {
        return Ok(None);
    };
    match bus.read(id, register) {
        Ok(answer) => Ok(Some(answer.value)),
        Err(Error::NoAnswer { .. } | Error::Corrupt { .. } | Error::Refused { .. }) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Whether two servos answer as one. Their positions differ, so that together they are
/// unreadable; a ping, which is the same from both, may well come through.
fn listen(bus: &mut Bus, id: u8) -> Result<(bool, Faults), Error> {
    let series = series_of(bus.protocol());
    let Some(position) = series.and_then(|series| series.get(Reg::PresentPosition)) else {
        return Ok((false, Faults::NONE));
    };
    let patience = Patience { retries: 0, ..bus.patience() };
    bus.with_patience(patience, |bus| {
        let mut damaged = 0;
        let mut faults = Faults::NONE;
        for _ in 0..LISTENS {
            match bus.read(id, position) {
                Ok(answer) => faults = answer.faults,
                Err(Error::Corrupt { .. }) => damaged += 1,
                Err(Error::NoAnswer { .. } | Error::Refused { .. }) => {}
                Err(error) => return Err(error),
            }
        }
        Ok((damaged >= COLLISIONS, faults))
    })
}

/// The series that stands for a format until a servo's model is known.
fn series_of(protocol: Protocol) -> Option<&'static Series> {
    tables::ALL.into_iter().find(|series| series.protocol == protocol)
}
