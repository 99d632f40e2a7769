//! Every message there is, and its bytes.

use super::fields::{Fields, put_small};
use super::{FRAME_ROOM, Joint, MOST_JOINTS, MOST_THROUGH, Observation, PAYLOAD_ROOM, Plan, Stop};
use crate::packet::{EncodeError, Sink};
use crate::reflex::Settings;

/// What a host says.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Request<'a> {
    /// Who are you? Answered by [`Reply::Describe`], whatever the version.
    Hello {
        /// The version the host speaks.
        version: u8,
    },
    /// Take this rate on the bus.
    Baud {
        /// Bits per second.
        baud: u32,
    },
    /// Put these bytes on the bus, as soon as there is time. Nothing comes back but what the servos
    /// say, as [`Reply::Through`].
    Through {
        /// At most [`MOST_THROUGH`].
        bytes: &'a [u8],
    },
    /// This is the servo at a place. It counts from the next [`Request::Engage`] on. The one at place
    /// zero is told first: those of an earlier host are forgotten then.
    Joint {
        /// Its place in actions and observations.
        place: u8,
        /// The servo.
        joint: Joint,
    },
    /// Run the bus from now on. Answered by [`Reply::Engaged`].
    Engage {
        /// How.
        plan: Plan,
    },
    /// Leave the bus alone. Motors that are driven are stopped first, as the plan says, and until they
    /// say that they are this is refused.
    Release,
    /// Go there. Answered by [`Reply::Observation`].
    Act {
        /// In how many microseconds; zero leaves that to the board, which knows how often it is told.
        over_us: u32,
        /// Where, servo by servo.
        goals: Goals,
    },
    /// What do you see? Answered by [`Reply::Observation`].
    Watch,
    /// Stop the motors now. Answered by [`Reply::Observation`].
    Stop {
        /// How.
        stop: Stop,
    },
    /// What time is it? Answered by [`Reply::Time`].
    Time,
    /// What are your settings? Answered by [`Reply::Settings`].
    Settings,
    /// Keep these settings, also without power. Answered once they are kept.
    Save {
        /// All of them.
        settings: Settings,
    },
    /// Start again as a disk that takes new firmware. Refused while the board runs the bus.
    Bootloader,
}

/// What a board says.
#[allow(clippy::large_enum_variant)] // without a heap there is nothing to box it in
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Reply<'a> {
    /// Who it is.
    Describe(Describe),
    /// It did what it was asked to.
    Done,
    /// It runs the bus.
    Engaged {
        /// From one cycle to the next, as the bus allows.
        period_us: u32,
    },
    /// What came from the bus, and is none of the board's own answers.
    Through {
        /// At most [`MOST_THROUGH`].
        bytes: &'a [u8],
    },
    /// What it sees.
    Observation(Observation),
    /// What time it is.
    Time {
        /// On the board's clock.
        now_us: u64,
    },
    /// Its settings.
    Settings(Settings),
    /// It did not do what it was asked to.
    Refused(Refusal),
}

/// Why a board does not do what it is asked to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Refusal {
    /// It knows no such message, or its fields make no sense.
    Unknown,
    /// A servo of the plan was not told or told twice, there are too many, or there can be none such.
    Joints,
    /// It cannot run a bus of this wire format.
    Protocol,
    /// It does not run the bus.
    NotEngaged,
    /// It runs the bus.
    Engaged,
    /// It stopped the motors; it must be engaged anew.
    Stopped,
    /// The other port has the bus.
    BusTaken,
    /// More bytes than there is time or room for beside the cycle.
    TooMuch,
    /// It could not keep its settings.
    NotKept,
}

const REFUSALS: [Refusal; 9] = [
    Refusal::Unknown,
    Refusal::Joints,
    Refusal::Protocol,
    Refusal::NotEngaged,
    Refusal::Engaged,
    Refusal::Stopped,
    Refusal::BusTaken,
    Refusal::TooMuch,
    Refusal::NotKept,
];

impl Refusal {
    /// What messages call it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Unknown => "it does not know this message",
            Self::Joints => "its servos were not told, or are too many",
            Self::Protocol => "it cannot run a bus of these servos",
            Self::NotEngaged => "it does not run the bus",
            Self::Engaged => "it runs the bus",
            Self::Stopped => "it has stopped the motors",
            Self::BusTaken => "its other port has the bus",
            Self::TooMuch => "there is no time on the bus for so many bytes",
            Self::NotKept => "it could not keep its settings",
        }
    }
}

/// What a board can do beyond passing bytes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Capability {
    /// Runs the bus by itself.
    Cycle,
    /// Goes evenly from one action to the next.
    Interpolation,
    /// Holds and stops by itself.
    Watchdog,
    /// Parks.
    Park,
    /// Keeps settings without power.
    Settings,
    /// Starts as a disk for new firmware on demand.
    Bootloader,
}

/// Who a board is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Describe {
    /// The version of the messages it speaks.
    pub version: u8,
    /// Its firmware: major, minor, patch.
    pub firmware: [u8; 3],
    /// What it is, as its makers number it; see [`crate::reflex::Kind`].
    pub kind: u8,
    /// A bit for each [`Capability`].
    pub can: u32,
    /// How many servos it can look after.
    pub joints: u8,
}

impl Describe {
    /// Whether it can do this.
    pub const fn can(&self, what: Capability) -> bool {
        self.can & (1 << what as u8) != 0
    }
}

/// An action: a goal for each servo.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Goals {
    len: u8,
    goals: [i32; MOST_JOINTS],
}

impl Goals {
    /// These goals, or `None` where they are more than there can be servos.
    pub fn new(goals: impl IntoIterator<Item = i32>) -> Option<Self> {
        let mut all = Self { len: 0, goals: [0; MOST_JOINTS] };
        for goal in goals {
            *all.goals.get_mut(usize::from(all.len))? = goal;
            all.len += 1;
        }
        Some(all)
    }

    /// The goals, servo by servo.
    pub fn as_slice(&self) -> &[i32] {
        self.goals.get(..usize::from(self.len)).unwrap_or_default()
    }
}

mod kind {
    pub const HELLO: u8 = 0x01;
    pub const BAUD: u8 = 0x02;
    pub const THROUGH: u8 = 0x03;
    pub const JOINT: u8 = 0x04;
    pub const ENGAGE: u8 = 0x05;
    pub const RELEASE: u8 = 0x06;
    pub const ACT: u8 = 0x07;
    pub const WATCH: u8 = 0x08;
    pub const STOP: u8 = 0x09;
    pub const TIME: u8 = 0x0A;
    pub const SETTINGS: u8 = 0x0B;
    pub const SAVE: u8 = 0x0C;
    pub const BOOTLOADER: u8 = 0x0D;

    pub const DESCRIBE: u8 = 0x41;
    pub const DONE: u8 = 0x42;
    pub const FROM_BUS: u8 = 0x43;
    pub const ENGAGED: u8 = 0x45;
    pub const OBSERVATION: u8 = 0x48;
    pub const NOW: u8 = 0x4A;
    pub const KEPT: u8 = 0x4B;
    pub const REFUSED: u8 = 0x4F;
}

/// The message with this head, framed.
fn framed(
    code: u8,
    number: u16,
    out: &mut [u8],
    fields: impl FnOnce(&mut Sink),
) -> Result<usize, EncodeError> {
    let mut payload = [0; PAYLOAD_ROOM];
    let mut sink = Sink::new(&mut payload);
    sink.push(code);
    sink.extend(&number.to_le_bytes());
    fields(&mut sink);
    let len = sink.finish()?;
    super::frame(payload.get(..len).unwrap_or_default(), out)
}

/// Bytes for or from the bus, no more than one message carries.
fn through(bytes: &[u8]) -> Result<&[u8], EncodeError> {
    match bytes.len() {
        0..=MOST_THROUGH => Ok(bytes),
        params => Err(EncodeError::TooLong { params, most: MOST_THROUGH }),
    }
}

impl<'a> Request<'a> {
    /// Writes the whole frame into `out`, which has room with [`FRAME_ROOM`], and returns its length.
    pub fn encode(&self, number: u16, out: &mut [u8]) -> Result<usize, EncodeError> {
        let mut bare = |code| framed(code, number, &mut *out, |_sink| ());
        match *self {
            Self::Release => bare(kind::RELEASE),
            Self::Watch => bare(kind::WATCH),
            Self::Time => bare(kind::TIME),
            Self::Settings => bare(kind::SETTINGS),
            Self::Bootloader => bare(kind::BOOTLOADER),
            Self::Hello { version } => framed(kind::HELLO, number, out, |sink| sink.push(version)),
            Self::Baud { baud } => {
                framed(kind::BAUD, number, out, |sink| sink.extend(&baud.to_le_bytes()))
            }
            Self::Through { bytes } => {
                let bytes = through(bytes)?;
                framed(kind::THROUGH, number, out, |sink| sink.extend(bytes))
            }
            Self::Joint { place, joint } => framed(kind::JOINT, number, out, |sink| {
                sink.push(place);
                joint.write(sink);
            }),
            Self::Engage { plan } => framed(kind::ENGAGE, number, out, |sink| plan.write(sink)),
            Self::Act { over_us, goals } => framed(kind::ACT, number, out, |sink| {
                sink.extend(&over_us.to_le_bytes());
                goals.as_slice().iter().for_each(|goal| put_small(sink, *goal));
            }),
            Self::Stop { stop } => framed(kind::STOP, number, out, |sink| sink.push(stop as u8)),
            Self::Save { settings } => framed(kind::SAVE, number, out, |sink| settings.write(sink)),
        }
    }

    /// The request in a message that [`super::Framer`] found, and its number. `Err` has the number of
    /// a message that makes no sense, where it has one.
    pub fn decode(message: &'a [u8]) -> Result<(u16, Self), Option<u16>> {
        let mut fields = Fields(message);
        let (Some(code), Some(number)) = (fields.byte(), fields.u16()) else { return Err(None) };
        let request = Self::read(code, &mut fields).filter(|_| fields.0.is_empty());
        request.map(|request| (number, request)).ok_or(Some(number))
    }

    fn read(code: u8, fields: &mut Fields<'a>) -> Option<Self> {
        Some(match code {
            kind::HELLO => {
                // A newer host may have more to say.
                let version = fields.byte()?;
                fields.rest();
                Self::Hello { version }
            }
            kind::BAUD => Self::Baud { baud: fields.u32()? },
            kind::THROUGH => Self::Through { bytes: through(fields.rest()).ok()? },
            kind::JOINT => Self::Joint { place: fields.byte()?, joint: Joint::read(fields)? },
            kind::ENGAGE => Self::Engage { plan: Plan::read(fields)? },
            kind::RELEASE => Self::Release,
            kind::ACT => {
                let over_us = fields.u32()?;
                let mut goals = Goals { len: 0, goals: [0; MOST_JOINTS] };
                while !fields.0.is_empty() {
                    *goals.goals.get_mut(usize::from(goals.len))? = fields.small()?;
                    goals.len += 1;
                }
                Self::Act { over_us, goals }
            }
            kind::WATCH => Self::Watch,
            kind::STOP => Self::Stop { stop: Stop::read(fields.byte()?)? },
            kind::TIME => Self::Time,
            kind::SETTINGS => Self::Settings,
            kind::SAVE => Self::Save { settings: Settings::read(fields.rest())? },
            kind::BOOTLOADER => Self::Bootloader,
            _ => return None,
        })
    }
}

impl<'a> Reply<'a> {
    /// Writes the whole frame into `out`, which has room with [`FRAME_ROOM`], and returns its length.
    pub fn encode(&self, number: u16, out: &mut [u8]) -> Result<usize, EncodeError> {
        match *self {
            Self::Describe(Describe { version, firmware, kind, can, joints }) => {
                framed(kind::DESCRIBE, number, out, |sink| {
                    sink.push(version);
                    sink.extend(&firmware);
                    sink.push(kind);
                    sink.extend(&can.to_le_bytes());
                    sink.push(joints);
                })
            }
            Self::Done => framed(kind::DONE, number, out, |_sink| ()),
            Self::Engaged { period_us } => {
                framed(kind::ENGAGED, number, out, |sink| sink.extend(&period_us.to_le_bytes()))
            }
            Self::Through { bytes } => {
                let bytes = through(bytes)?;
                framed(kind::FROM_BUS, number, out, |sink| sink.extend(bytes))
            }
            Self::Observation(ref seen) => {
                framed(kind::OBSERVATION, number, out, |sink| seen.write(sink))
            }
            Self::Time { now_us } => {
                framed(kind::NOW, number, out, |sink| sink.extend(&now_us.to_le_bytes()))
            }
            Self::Settings(settings) => {
                framed(kind::KEPT, number, out, |sink| settings.write(sink))
            }
            Self::Refused(why) => framed(kind::REFUSED, number, out, |sink| sink.push(why as u8)),
        }
    }

    /// The reply in a message that [`super::Framer`] found, and the number of its request.
    pub fn decode(message: &'a [u8]) -> Option<(u16, Self)> {
        let mut fields = Fields(message);
        let (code, number) = (fields.byte()?, fields.u16()?);
        let reply = Self::read(code, &mut fields).filter(|_| fields.0.is_empty())?;
        Some((number, reply))
    }

    fn read(code: u8, fields: &mut Fields<'a>) -> Option<Self> {
        Some(match code {
            kind::DESCRIBE => {
                let described = Describe {
                    version: fields.byte()?,
                    firmware: fields.array()?,
                    kind: fields.byte()?,
                    can: fields.u32()?,
                    joints: fields.byte()?,
                };
                // A newer board may have more to say.
                fields.rest();
                Self::Describe(described)
            }
            kind::DONE => Self::Done,
            kind::ENGAGED => Self::Engaged { period_us: fields.u32()? },
            kind::FROM_BUS => Self::Through { bytes: through(fields.rest()).ok()? },
            kind::OBSERVATION => Self::Observation(Observation::read(fields)?),
            kind::NOW => Self::Time { now_us: fields.u64()? },
            kind::KEPT => Self::Settings(Settings::read(fields.rest())?),
            kind::REFUSED => {
                let why = fields.byte()?;
                Self::Refused(REFUSALS.into_iter().find(|one| *one as u8 == why)?)
            }
            _ => return None,
        })
    }
}

const _: () = assert!(MOST_THROUGH + 3 <= PAYLOAD_ROOM && PAYLOAD_ROOM < FRAME_ROOM);
