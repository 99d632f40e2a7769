//! What a board has seen: one message with everything that a control loop asks for.

use super::MOST_JOINTS;
use super::fields::{Fields, put_small};
use crate::limits::Applied;
use crate::packet::Sink;
use crate::register::Faults;

/// What the board does with the motors.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(u8)]
pub enum Mode {
    /// Nothing: it passes bytes on.
    #[default]
    Free,
    /// It runs the bus and follows the host's goals.
    Running,
    /// The host fell silent: the joints hold, until the next goals.
    Held,
    /// They move to their rest pose.
    Parking,
    /// The motors were stopped, and stay so until the board is engaged again.
    Stopped,
}

/// Whether a servo is under torque.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(u8)]
pub enum Torque {
    /// Nobody has asked it yet.
    #[default]
    Unknown,
    /// It is limp.
    Off,
    /// It holds.
    On,
}

/// One servo as the board saw it last.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct JointSeen {
    /// Where it is, in its own counts.
    pub position: i32,
    /// Where it was told to go.
    pub goal: i32,
    /// Its speed, as the register has it.
    pub speed: i16,
    /// Its load, in thousandths of the most it can give.
    pub load: i16,
    /// Its supply, in tenths of a volt.
    pub supply_dv: u8,
    /// Its temperature, in °C.
    pub celsius: u8,
    /// What it complains of.
    pub faults: Faults,
    /// Whether it holds.
    pub torque: Torque,
    /// It gives way: too hot, or its servo has tripped.
    pub gives_way: bool,
    /// What the limits, or the board's own care, changed since the latest action came; its answer still has
    /// those of the one before.
    pub applied: Applied,
    /// How many cycles ago it answered, 255 for never or long ago.
    pub age: u8,
}

impl JointSeen {
    /// One that nobody has seen.
    pub const NEVER: Self = Self {
        position: 0,
        goal: 0,
        speed: 0,
        load: 0,
        supply_dv: 0,
        celsius: 0,
        faults: Faults::NONE,
        torque: Torque::Unknown,
        gives_way: false,
        applied: Applied::NONE,
        age: u8::MAX,
    };
}

/// What has happened since the board started. They wrap.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Answers that did not come, or came damaged.
    pub missed: u16,
    /// Cycles that began late.
    pub late: u16,
    /// How often a silent host made the joints hold.
    pub holds: u16,
    /// How often a silent host made the motors stop.
    pub stops: u16,
    /// Messages of the host that were damaged or made no sense.
    pub refused: u16,
    /// Bytes for the bus or the host that there was no room for.
    pub lost: u16,
    /// How often a joint began to give way.
    pub gave_way: u16,
    /// How often the supply left its limits.
    pub supply: u16,
}

/// Everything the board knows after a cycle.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Observation {
    /// What it does.
    pub mode: Mode,
    /// The cycle's number.
    pub cycle: u32,
    /// When that cycle asked the servos, on the board's clock.
    pub asked_us: u64,
    /// From there to the last answer.
    pub took_us: u16,
    /// When this was said, on the board's clock.
    pub now_us: u64,
    /// What has happened.
    pub counts: Counts,
    /// How many servos there are.
    pub joints: u8,
    /// The servos, in the places they were given.
    pub seen: [JointSeen; MOST_JOINTS],
}

impl Observation {
    /// The servos there are.
    pub fn joints(&self) -> &[JointSeen] {
        self.seen.get(..usize::from(self.joints)).unwrap_or_default()
    }

    pub(super) fn write(&self, sink: &mut Sink) {
        sink.push(self.mode as u8);
        sink.extend(&self.cycle.to_le_bytes());
        sink.extend(&self.asked_us.to_le_bytes());
        sink.extend(&self.took_us.to_le_bytes());
        sink.extend(&self.now_us.to_le_bytes());
        for count in self.counts.all() {
            sink.extend(&count.to_le_bytes());
        }
        sink.push(self.joints);
        for joint in self.joints() {
            put_small(sink, joint.position);
            put_small(sink, joint.goal.wrapping_sub(joint.position));
            put_small(sink, i32::from(joint.speed));
            put_small(sink, i32::from(joint.load));
            let flags = joint.torque as u8 | u8::from(joint.gives_way) << 2;
            sink.extend(&[joint.supply_dv, joint.celsius, joint.faults.bits(), flags]);
            sink.extend(&[joint.applied.bits(), joint.age]);
        }
    }

    pub(super) fn read(fields: &mut Fields) -> Option<Self> {
        let mode = fields.byte()?;
        let modes = [Mode::Free, Mode::Running, Mode::Held, Mode::Parking, Mode::Stopped];
        let mode = modes.into_iter().find(|one| *one as u8 == mode)?;
        let (cycle, asked_us, took_us) = (fields.u32()?, fields.u64()?, fields.u16()?);
        let now_us = fields.u64()?;
        let mut counts = [0; 8];
        for count in &mut counts {
            *count = fields.u16()?;
        }
        let joints = fields.byte().filter(|joints| usize::from(*joints) <= MOST_JOINTS)?;
        let mut seen = [JointSeen::NEVER; MOST_JOINTS];
        for place in seen.iter_mut().take(usize::from(joints)) {
            *place = joint(fields)?;
        }
        let counts = Counts::from_all(counts);
        Some(Self { mode, cycle, asked_us, took_us, now_us, counts, joints, seen })
    }
}

fn joint(fields: &mut Fields) -> Option<JointSeen> {
    let position = fields.small()?;
    let goal = position.wrapping_add(fields.small()?);
    let speed = i16::try_from(fields.small()?).ok()?;
    let load = i16::try_from(fields.small()?).ok()?;
    let [supply_dv, celsius, faults, flags, applied, age] = fields.array()?;
    let torque = match flags & 3 {
        0 => Torque::Unknown,
        1 => Torque::Off,
        2 => Torque::On,
        _ => return None,
    };
    let gives_way = flags & 4 != 0;
    (flags < 8).then_some(())?;
    Some(JointSeen {
        position,
        goal,
        speed,
        load,
        supply_dv,
        celsius,
        faults: Faults::from_bits(faults),
        torque,
        gives_way,
        applied: Applied::from_bits(applied)?,
        age,
    })
}

impl Counts {
    fn all(&self) -> [u16; 8] {
        let Self { missed, late, holds, stops, refused, lost, gave_way, supply } = *self;
        [missed, late, holds, stops, refused, lost, gave_way, supply]
    }

    fn from_all(all: [u16; 8]) -> Self {
        let [missed, late, holds, stops, refused, lost, gave_way, supply] = all;
        Self { missed, late, holds, stops, refused, lost, gave_way, supply }
    }
}
