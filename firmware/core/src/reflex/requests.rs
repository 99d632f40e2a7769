//! What the host asks for, and what it is answered.

use super::axis::Axis;
use super::cycle::Phase;
use super::series::Series;
use super::settings::{BAUDS, PERIODS};
use super::{Board, Micros};
use crate::bridge::{
    Capability, Describe, Joint, JointSeen, MOST_JOINTS, Mode, Observation, Plan, Refusal, Reply,
    Request, VERSION,
};
use crate::limits::{Applied, Limits};
use crate::packet::Decoder;

/// What every board can do.
const CAN: [Capability; 6] = [
    Capability::Cycle,
    Capability::Interpolation,
    Capability::Watchdog,
    Capability::Park,
    Capability::Settings,
    Capability::Bootloader,
];

/// The version of the logic in this crate, which a board's firmware shows as its own.
const FIRMWARE: [u8; 3] = [0, 1, 0];

/// No joint parks faster than this, in counts per second: sixteen turns.
const FASTEST_PARK: f32 = 65_536.0;
/// The highest id of one servo; those above are everybody's or nobody's.
const HIGHEST_ID: u8 = 253;

/// Whether there can be such a joint.
fn makes_sense(joint: &Joint) -> bool {
    let Limits { min, max, .. } = joint.limits;
    joint.id <= HIGHEST_ID
        && min <= max
        && joint.rest.is_none_or(|rest| (min..=max).contains(&rest))
}

impl Board {
    /// Carries out one message of the host.
    pub(super) fn message(&mut self, now: Micros, message: &[u8]) {
        let (number, request) = match Request::decode(message) {
            Ok(found) => found,
            Err(number) => {
                self.counts.refused = self.counts.refused.wrapping_add(1);
                if let Some(number) = number {
                    self.reply(number, &Reply::Refused(Refusal::Unknown));
                }
                return;
            }
        };
        if !matches!(self.mode, Mode::Running | Mode::Held) {
            self.heard = now;
        }
        let reply = match self.carry_out(now, number, &request) {
            Ok(Some(reply)) => reply,
            Ok(None) => return,
            Err(why) => {
                self.counts.refused = self.counts.refused.wrapping_add(1);
                Reply::Refused(why)
            }
        };
        self.reply(number, &reply);
    }

    /// Says something to the host. What there is no room for is lost, and counted.
    pub(super) fn reply(&mut self, number: u16, reply: &Reply) {
        if !self.to_host.add(|room| reply.encode(number, room)) {
            self.counts.lost = self.counts.lost.wrapping_add(1);
        }
    }

    fn carry_out(
        &mut self,
        now: Micros,
        number: u16,
        request: &Request,
    ) -> Result<Option<Reply<'static>>, Refusal> {
        let free = |board: &Self| if board.engaged() { Err(Refusal::Engaged) } else { Ok(()) };
        let busy = |board: &Self| if board.engaged() { Ok(()) } else { Err(Refusal::NotEngaged) };
        Ok(Some(match request {
            Request::Hello { .. } => Reply::Describe(self.describe()),
            Request::Time => Reply::Time { now_us: now },
            Request::Settings => Reply::Settings(self.settings),
            Request::Watch => Reply::Observation(self.observation(now)),
            Request::Baud { baud } => {
                free(self)?;
                if !BAUDS.contains(baud) {
                    return Err(Refusal::Unknown);
                }
                self.baud = *baud;
                Reply::Done
            }
            Request::Through { bytes } => {
                if !self.claim(now) {
                    return Err(Refusal::BusTaken);
                }
                if !self.queue(bytes) {
                    self.counts.lost = self.counts.lost.wrapping_add(1);
                    return Err(Refusal::TooMuch);
                }
                return Ok(None);
            }
            Request::Joint { place, joint } => {
                if !makes_sense(joint) {
                    return Err(Refusal::Joints);
                }
                if *place == 0 {
                    // None of an earlier host's joints is taken for one of this.
                    self.told = [None; MOST_JOINTS];
                }
                let place = self.told.get_mut(usize::from(*place)).ok_or(Refusal::Joints)?;
                *place = Some(*joint);
                Reply::Done
            }
            Request::Engage { plan } => Reply::Engaged { period_us: self.engage(now, plan)? },
            Request::Release => {
                self.let_go(now)?;
                Reply::Done
            }
            Request::Act { over_us, goals } => {
                busy(self)?;
                if goals.as_slice().len() != usize::from(self.plan.joints) {
                    return Err(Refusal::Joints);
                }
                if self.mode == Mode::Held {
                    // Goals have gone on while the joints held.
                    self.axes_mut().iter_mut().for_each(Axis::catch_up);
                }
                if matches!(self.mode, Mode::Running | Mode::Held) {
                    (self.mode, self.heard) = (Mode::Running, now);
                    self.act(now, *over_us, goals);
                }
                let seen = self.observation(now);
                for axis in self.axes_mut() {
                    axis.seen.applied = Applied::NONE;
                }
                Reply::Observation(seen)
            }
            Request::Stop { stop } => {
                busy(self)?;
                self.heard = now;
                self.stop_motors(now, *stop);
                Reply::Observation(self.observation(now))
            }
            Request::Save { settings } => {
                free(self)?;
                if self.saving.is_some() {
                    return Err(Refusal::NotKept);
                }
                (self.saving, self.save) = (Some((number, *settings)), true);
                return Ok(None);
            }
            Request::Bootloader => {
                free(self)?;
                self.bootloader = true;
                Reply::Done
            }
        }))
    }

    /// The record of the latest [`super::Step::save`] is where [`Board::new`] finds it, or could not be
    /// written there.
    pub fn saved(&mut self, kept: bool) {
        let Some((number, settings)) = self.saving.take() else { return };
        let reply = if kept {
            self.settings = settings;
            Reply::Done
        } else {
            self.counts.refused = self.counts.refused.wrapping_add(1);
            Reply::Refused(Refusal::NotKept)
        };
        self.reply(number, &reply);
    }

    /// Who it is.
    pub fn describe(&self) -> Describe {
        let can = CAN.into_iter().fold(0, |can, one| can | 1 << one as u8);
        let (kind, joints) = (self.kind as u8, MOST_JOINTS as u8);
        Describe { version: VERSION, firmware: FIRMWARE, kind, can, joints }
    }

    /// What it sees.
    pub fn observation(&self, now_us: Micros) -> Observation {
        let mut seen = [JointSeen::NEVER; MOST_JOINTS];
        for (place, axis) in seen.iter_mut().zip(self.axes()) {
            let JointSeen { goal, applied, .. } = axis.seen;
            *place = JointSeen { goal, applied, ..axis.shown };
        }
        let (cycle, asked_us, took_us) = self.latest;
        Observation {
            mode: self.mode,
            cycle,
            asked_us,
            took_us,
            now_us,
            counts: self.counts(),
            joints: self.plan.joints,
            seen,
        }
    }

    /// Begins to run the bus, with the joints told before. Returns the period.
    fn engage(&mut self, now: Micros, plan: &Plan) -> Result<u32, Refusal> {
        let series = Series::of(plan.protocol).ok_or(Refusal::Protocol)?;
        let count = usize::from(plan.joints);
        let joints = self.told.get(..count).filter(|joints| !joints.is_empty());
        let joints = joints.ok_or(Refusal::Joints)?;
        for (place, joint) in joints.iter().enumerate() {
            let joint = joint.ok_or(Refusal::Joints)?;
            let twice = |other: &Joint| other.id == joint.id;
            if joints.iter().take(place).flatten().any(twice) {
                return Err(Refusal::Joints);
            }
        }
        if !(0.0..=FASTEST_PARK).contains(&plan.park_speed) {
            return Err(Refusal::Joints);
        }
        let wished = if plan.period_us == 0 { self.settings.period_us } else { plan.period_us };
        let least = u32::try_from(self.least_period(&series, plan)).unwrap_or(u32::MAX);
        let (shortest, longest) = PERIODS;
        let period_us = wished.max(least).max(shortest);
        if period_us > longest {
            return Err(Refusal::TooMuch);
        }
        if !self.claim(now) {
            return Err(Refusal::BusTaken);
        }
        for (axis, joint) in self.axes.iter_mut().zip(&self.told) {
            *axis = joint.map_or_else(Axis::absent, Axis::new);
        }
        self.plan = Plan { period_us, ..*plan };
        self.series = Some(series);
        self.decoder = Decoder::new(plan.protocol);
        (self.mode, self.phase, self.heard) = (Mode::Running, Phase::Idle, now);
        self.queue.clear();
        (self.pace_us, self.acted, self.urgent) = (0, None, false);
        (self.cycle, self.latest, self.next_cycle) = (0, (0, now, 0), now);
        (self.turn, self.waited, self.supply) = (0, 0, super::watch::Supply::default());
        Ok(period_us)
    }

    /// Leaves the bus alone once that is safe. Whoever asks may be a stranger who has just opened the
    /// port: motors that still move, or hold without anybody, are stopped first.
    fn let_go(&mut self, now: Micros) -> Result<(), Refusal> {
        if matches!(self.mode, Mode::Running | Mode::Held) {
            self.stop_motors(now, self.plan.stop);
        }
        if self.engaged() && !self.is_safe() {
            return Err(Refusal::Engaged);
        }
        self.release();
        Ok(())
    }

    /// Leaves the bus alone; the motors stay as they are.
    pub(super) fn release(&mut self) {
        (self.mode, self.phase) = (Mode::Free, Phase::Idle);
        self.queue.clear();
    }
}
