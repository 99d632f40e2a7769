//! A leader that moves by itself for a while, so that a person can take it where the follower is.
//!
//! ```text
//!  limp ─ brace, joint by joint ─▶ takes commands ─ release, confirmed joint by joint ─▶ limp
//! ```
//! Its joints move no faster than a hand can follow, and give way to one: a goal is never far from where
//! the joint is. However it stops, they end limp.

use sinew_core::limits::Limits;

use super::handshake::OUTSIDE;
use super::observe::GLANCE;
use super::{Arm, DOOR, State};
use crate::bus::Patience;
use crate::stop::{Cause, StopPolicy};
use crate::{Error, Nanos};

/// How fast a joint that a hand usually moves goes by itself, in degrees per second.
pub(super) const GENTLE_SPEED: f64 = 90.0;

/// How far its goal may be from where it is, in degrees: what holds it there pushes it away.
pub(super) const GENTLE_STEP: f64 = 10.0;

/// Whether a joint that usually moves freely is under torque.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Loan {
    /// It moves freely, or always was under torque.
    None,
    /// For a while.
    Lent,
    /// It was told to be limp, and has not confirmed that.
    Returning,
}

impl Arm {
    /// Puts one more of the joints that usually move freely under torque, where it stands, and answers
    /// whether all are now: then it takes commands. A tick has time for one, and none to ask twice: one
    /// that misses may be tried again with the next call. Where a joint was seen outside its range, none
    /// comes under torque.
    pub fn brace(&mut self) -> Result<bool, Error> {
        self.obey()?;
        match self.state {
            State::Connected => return Err(Error::NotConfigured),
            State::Stopped(cause) => return Err(Error::Stopped { cause }),
            State::Lost { .. } => return Err(Error::Stopped { cause: Cause::LostPort }),
            State::Active | State::Held => {}
        }
        self.stands_inside()?;
        let Some(index) = self.axes.iter().position(|axis| !axis.torque) else { return Ok(true) };
        self.lend(index, true);
        // From here on silence is a reason to stop.
        self.heard();
        let usual = self.bus.patience();
        self.bus.set_patience(Patience { answer: GLANCE, retries: 0, ..usual });
        let energised = self.energise(index);
        self.bus.set_patience(usual);
        if energised.is_err() {
            self.lend(index, false);
        }
        self.or_lost(energised)?;
        self.heard();
        Ok(self.axes.iter().all(|axis| axis.torque))
    }

    fn lend(&mut self, index: usize, torque: bool) {
        if let Some(axis) = self.axes.get_mut(index) {
            (axis.torque, axis.loan) = (torque, Loan::Lent);
        }
    }

    /// Refuses where a joint would be pulled into its range as soon as there is torque.
    fn stands_inside(&self) -> Result<(), Error> {
        for ((axis, reading), joint) in self.axes.iter().zip(&self.readings).zip(&self.spec.joints)
        {
            let Some(stands) = reading.last.filter(|_| !axis.torque).map(|last| last.value) else {
                continue;
            };
            let Limits { min, max, .. } = *axis.limiter.limits();
            let counts = (min.saturating_sub(stands)).max(stands.saturating_sub(max));
            if counts > OUTSIDE {
                return Err(Error::OutsideRange { joint: joint.name.clone(), counts });
            }
        }
        Ok(())
    }

    /// Takes the torque off all joints that usually move freely, with one request that nobody answers.
    /// [`Arm::release`] hears of each whether it is limp.
    pub fn let_go(&mut self) {
        for (axis, joint) in self.axes.iter_mut().zip(&self.spec.joints) {
            if !joint.torque {
                (axis.torque, axis.loan) = (false, Loan::Returning);
            }
        }
        // Nobody commands it any more, and nobody needs to.
        (self.last_command, self.watched) = (None, None);
        if self.state == State::Held {
            self.state = State::Active;
        }
        if matches!(self.state, State::Lost { .. }) {
            return;
        }
        let returning = self.axes.iter().filter(|axis| axis.loan == Loan::Returning);
        let rows = returning.map(|axis| (axis.id, 0));
        let told = self.bus.sync_write(DOOR, self.registers.torque, rows);
        // A port that is gone is tried again with each tick.
        self.or_lost(told).ok();
    }

    /// Lets go of all those joints, and then hears it of one with each call, for as long as it takes:
    /// one that is stiff is told again, and a port that went away is opened again. Answers whether all
    /// have confirmed that they are limp. Only somebody's wish to stop is an error.
    pub fn release(&mut self) -> Result<bool, Error> {
        if !self.is_braced() {
            return Ok(true);
        }
        self.obey()?;
        if let State::Lost { next_try, .. } = self.state {
            self.lost(next_try).ok();
            return Ok(false);
        }
        if self.axes.iter().any(|axis| axis.loan == Loan::Lent) {
            self.let_go();
            return Ok(false);
        }
        let joints = self.axes.len().max(1);
        let from = self.asked % joints;
        let mut turns = (from..joints).chain(0..from);
        let returning =
            |index: &usize| self.axes.get(*index).is_some_and(|axis| axis.loan == Loan::Returning);
        let Some(index) = turns.find(returning) else { return Ok(true) };
        self.asked = index + 1;
        let heard = self.is_limp(index);
        match self.or_lost(heard) {
            Ok(limp) => self.heard_of(index, limp),
            Err(_) => return Ok(false),
        }
        Ok(!self.is_braced())
    }

    /// Asks a joint once whether it is limp, and tells it again to be so where it does not say yes.
    fn is_limp(&mut self, index: usize) -> Result<bool, Error> {
        let Some(id) = self.axes.get(index).map(|axis| axis.id) else { return Ok(true) };
        let torque = self.registers.torque;
        let mut under = [1];
        let heard = self.bus.glance(id, torque.address, GLANCE, &mut under)?;
        if heard.is_ok() && under == [0] {
            return Ok(true);
        }
        self.bus.sync_write(DOOR, torque, std::iter::once((id, 0)))?;
        Ok(false)
    }

    /// Notes whether a joint has confirmed that it is limp.
    pub(super) fn heard_of(&mut self, index: usize, limp: bool) {
        if let Some(axis) = self.axes.get_mut(index).filter(|_| limp) {
            axis.loan = Loan::None;
        }
    }

    /// Whether joints that usually move freely are under torque, or may be.
    pub fn is_braced(&self) -> bool {
        self.axes.iter().any(|axis| axis.loan != Loan::None)
    }

    /// Which these joints are.
    pub fn braced(&self) -> impl Iterator<Item = &str> {
        let joints = self.axes.iter().zip(&self.spec.joints);
        joints.filter(|(axis, _)| axis.loan != Loan::None).map(|(_, joint)| joint.name.as_str())
    }

    /// Stops it in the middle of a loop. One that a hand usually moves is let go of, and whoever ends
    /// the loop hears whether it is limp: another arm may wait for its turn to stop.
    pub(super) fn give_up(&mut self, cause: Cause, policy: StopPolicy) {
        match self.is_braced() {
            true => self.let_go(),
            false => drop(self.stop_because(cause, policy)),
        }
    }

    fn heard(&mut self) {
        let now: Nanos = self.clock.now();
        self.last_command = Some(now);
        self.state = State::Active;
    }
}

#[cfg(test)]
mod tests;
