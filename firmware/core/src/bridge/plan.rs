//! What a host tells a board before the board runs the bus by itself.

use super::fields::{Fields, put_maybe};
use crate::limits::{BackOff, Limits};
use crate::packet::{Protocol, Sink};

/// What becomes of the motors in the end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Stop {
    /// They stay under torque where they are.
    Hold,
    /// They move slowly to their rest pose, and then are limp.
    Park,
    /// Their torque is taken off.
    Limp,
}

impl Stop {
    pub(super) fn read(byte: u8) -> Option<Self> {
        [Self::Hold, Self::Park, Self::Limp].into_iter().find(|stop| *stop as u8 == byte)
    }
}

/// What a servo's goal is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Drive {
    /// None: it is only looked at, and stopped with the others.
    Watched,
    /// A place.
    Position,
    /// A speed, zero when nobody commands.
    Speed,
}

/// One servo that the board looks after. Everything is in the servo's own counts.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Joint {
    /// The servo.
    pub id: u8,
    /// What its goal is.
    pub drive: Drive,
    /// What it may be told. They travel as 32-bit numbers.
    pub limits: Limits,
    /// Where it parks.
    pub rest: Option<i32>,
    /// From this temperature on, in °C, it gives way; zero stands for the board's own setting.
    pub hot: u8,
}

/// How the board runs the bus.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Plan {
    /// The servos' wire format.
    pub protocol: Protocol,
    /// How many servos were told with [`super::Request::Joint`], from place zero.
    pub joints: u8,
    /// From one cycle to the next; zero stands for the board's own setting. What the bus cannot do is
    /// made longer.
    pub period_us: u32,
    /// A host silent for this long is taken for stalled: the joints hold.
    pub hold_ms: u16,
    /// A host silent for this long is gone: the motors are stopped.
    pub stop_ms: u16,
    /// How.
    pub stop: Stop,
    /// How fast a joint parks, in counts per second.
    pub park_speed: f32,
    /// The supply, in tenths of a volt, below which and above which nothing moves; zero is no limit.
    pub supply_dv: (u8, u8),
}

/// A rest pose that there is not.
const NO_REST: i32 = i32::MIN;

fn protocol(byte: u8) -> Option<Protocol> {
    match byte {
        0 => Some(Protocol::Feetech0),
        1 => Some(Protocol::Feetech1),
        2 => Some(Protocol::Dynamixel2),
        _ => None,
    }
}

fn protocol_byte(protocol: Protocol) -> u8 {
    match protocol {
        Protocol::Feetech0 => 0,
        Protocol::Feetech1 => 1,
        Protocol::Dynamixel2 => 2,
    }
}

impl Joint {
    pub(super) fn write(&self, sink: &mut Sink) {
        let Limits { min, max, max_step, max_velocity, max_acceleration, back_off } = self.limits;
        sink.extend(&[self.id, self.drive as u8]);
        sink.extend(&min.to_le_bytes());
        sink.extend(&max.to_le_bytes());
        for limit in [max_step, max_velocity, max_acceleration] {
            put_maybe(sink, limit.map(|limit| limit as f32));
        }
        put_maybe(sink, back_off.map(|back_off| back_off.load));
        put_maybe(sink, back_off.map(|back_off| back_off.free_speed));
        put_maybe(sink, back_off.map(|back_off| back_off.after as f32));
        sink.extend(&self.rest.unwrap_or(NO_REST).to_le_bytes());
        sink.push(self.hot);
    }

    pub(super) fn read(fields: &mut Fields) -> Option<Self> {
        let id = fields.byte()?;
        let drive = fields.byte()?;
        let drives = [Drive::Watched, Drive::Position, Drive::Speed];
        let drive = drives.into_iter().find(|one| *one as u8 == drive)?;
        let (min, max) = (fields.i32()?, fields.i32()?);
        let max_step = fields.maybe()?.map(f64::from);
        let max_velocity = fields.maybe()?.map(f64::from);
        let max_acceleration = fields.maybe()?.map(f64::from);
        let back_off = match (fields.maybe()?, fields.maybe()?, fields.maybe()?) {
            (Some(load), Some(free_speed), Some(after)) => {
                Some(BackOff { load, free_speed, after: f64::from(after) })
            }
            (None, None, None) => None,
            _ => return None,
        };
        let rest = fields.i32()?;
        let hot = fields.byte()?;
        let limits = Limits { min, max, max_step, max_velocity, max_acceleration, back_off };
        Some(Self { id, drive, limits, rest: (rest != NO_REST).then_some(rest), hot })
    }
}

impl Plan {
    pub(super) fn write(&self, sink: &mut Sink) {
        sink.extend(&[protocol_byte(self.protocol), self.joints]);
        sink.extend(&self.period_us.to_le_bytes());
        sink.extend(&self.hold_ms.to_le_bytes());
        sink.extend(&self.stop_ms.to_le_bytes());
        sink.push(self.stop as u8);
        sink.extend(&self.park_speed.to_le_bytes());
        sink.extend(&[self.supply_dv.0, self.supply_dv.1]);
    }

    pub(super) fn read(fields: &mut Fields) -> Option<Self> {
        Some(Self {
            protocol: protocol(fields.byte()?)?,
            joints: fields.byte()?,
            period_us: fields.u32()?,
            hold_ms: fields.u16()?,
            stop_ms: fields.u16()?,
            stop: Stop::read(fields.byte()?)?,
            park_speed: fields.f32().filter(|speed| speed.is_finite())?,
            supply_dv: (fields.byte()?, fields.byte()?),
        })
    }
}
