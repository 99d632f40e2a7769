//! From motors as they were found to an arm that takes commands.

use sinew_core::register::{Reg, Store};

use super::{Arm, DOOR, State};
use crate::Error;
use crate::bus::Patience;
use crate::calibrate::eeprom;
use crate::spec::{Change, Setting};
use crate::stop::{Cause, StopPolicy};

/// How often a motor is asked again while it is set up. Nothing is waited for yet, and a machine that has
/// much else to do leaves its serial ports alone for longer than a tick.
const RETRIES: u8 = 4;

impl Arm {
    /// Sets every motor up as the arm's file says and puts those joints under torque that are
    /// driven, each where it stands. Only what differs is written, so that the motors' EEPROM
    /// lasts.
    pub fn configure(&mut self) -> Result<(), Error> {
        if let State::Stopped(cause) = self.state {
            return Err(Error::Stopped { cause });
        }
        self.state = State::Active;
        (self.last_command, self.watched) = (None, None);
        let usual = self.bus.patience();
        self.bus.set_patience(Patience { retries: usual.retries.max(RETRIES), ..usual });
        let done = self.set_up();
        self.bus.set_patience(usual);
        match done {
            Err(Error::Lost { port, source }) => self.or_lost(Err(Error::Lost { port, source })),
            // Motors half set up are no arm.
            Err(error) => {
                self.stop_because(Cause::Failed, StopPolicy::Limp);
                Err(error)
            }
            Ok(()) => Ok(()),
        }
    }

    /// Lets every motor that is limp answer as soon as [`Self::configure`] will: a new one takes half a
    /// millisecond more, and how fast an arm can be read would look three times as slow. One that holds
    /// something is left as it is.
    pub fn prepare(&mut self) -> Result<(), Error> {
        if self.state != State::Connected {
            return Ok(());
        }
        let delay = |setting: &&Setting| setting.register.reg == Reg::ReturnDelayTime;
        let Some(setting) = self.spec.settings.iter().find(delay).copied() else { return Ok(()) };
        let Some(torque) = self.spec.series.get(Reg::TorqueEnable) else { return Ok(()) };
        let ids: Vec<u8> = self.spec.servos().map(|servo| servo.1).collect();
        let Change::Value(wanted) = setting.change else { return Ok(()) };
        for id in ids {
            let is_as_wanted = self.bus.read(id, setting.register)?.value == wanted;
            if !is_as_wanted && self.bus.read(id, torque)?.value == 0 {
                eeprom::open(&mut self.bus, self.spec.series, id)?;
                self.apply(id, setting)?;
            }
        }
        Ok(())
    }

    fn set_up(&mut self) -> Result<(), Error> {
        self.take_bus()?;
        let ids: Vec<u8> = self.spec.servos().map(|servo| servo.1).collect();
        for id in &ids {
            eeprom::open(&mut self.bus, self.spec.series, *id)?;
        }
        for id in ids {
            for index in 0..self.spec.settings.len() {
                if let Some(setting) = self.spec.settings.get(index).copied() {
                    self.apply(id, setting)?;
                }
            }
        }
        for index in 0..self.spec.joints.len() {
            self.set_up_joint(index)?;
        }
        for index in 0..self.spec.wheels().len() {
            self.set_up_wheel(index)?;
        }
        self.put_under_torque()?;
        // What was sent last, for all who go on from there, is to stand still.
        let sent = self.sent.values.iter_mut().zip(&mut self.sent.goals);
        for ((value, goal), axis) in sent.zip(&self.axes).filter(|(_, axis)| axis.torque) {
            *goal = axis.limiter.goal();
            *value = axis.scale.user(*goal);
        }
        Ok(())
    }

    /// A board looks after the motors from before the first has torque: one that its host leaves in the
    /// middle of this is stopped like any other.
    fn put_under_torque(&mut self) -> Result<(), Error> {
        for index in 0..self.axes.len() {
            // To set it up its torque was taken off.
            self.heard_of(index, true);
            self.find(index)?;
        }
        self.engage()?;
        let turns: Vec<i32> = self.axes.iter().map(|axis| axis.turn).collect();
        for index in 0..self.spec.wheels().len() {
            self.remind()?;
            self.start_wheel(index)?;
        }
        for index in 0..self.axes.len() {
            self.remind()?;
            self.aim(index)?;
            // Where answers are lost, either of the two takes long.
            self.remind()?;
            self.take_hold(index)?;
        }
        if self.has_reflexes() && !turns.iter().eq(self.axes.iter().map(|axis| &axis.turn)) {
            // Somebody has turned one on: its limits lie elsewhere in its own counts now.
            self.engage()?;
        }
        self.see_torque()
    }

    /// Goes on after a stop: finds every joint where it now is and puts it under torque there.
    /// The wish to stop is taken back.
    pub fn resume(&mut self) -> Result<(), Error> {
        if let Some(flag) = &self.options.stop_flag {
            flag.clear();
        }
        self.go_on()
    }

    /// The same, while a wish to stop stays one.
    pub fn go_on(&mut self) -> Result<(), Error> {
        if matches!(self.state, State::Lost { .. }) {
            self.replugged()?;
        }
        let mut notices = std::mem::take(&mut self.notices);
        let seen = self.first_look(&mut notices);
        self.notices = notices;
        self.or_lost(seen)?;
        self.state = State::Connected;
        self.configure()
    }

    fn set_up_joint(&mut self, index: usize) -> Result<(), Error> {
        let Some(joint) = self.spec.joints.get(index) else { return Ok(()) };
        let (id, mode) = (joint.id, joint.mode.code(self.spec.series));
        // The mode first: changing it resets a Dynamixel's gains.
        if let (Some(register), Some(mode)) = (self.spec.series.get(Reg::OperatingMode), mode) {
            eeprom::keep(&mut self.bus, id, register, mode)?;
        }
        let settings = joint_settings(self, index);
        for setting in settings {
            self.apply(id, setting)?;
        }
        Ok(())
    }

    fn set_up_wheel(&mut self, index: usize) -> Result<(), Error> {
        let Some(wheel) = self.spec.wheels().get(index) else { return Ok(()) };
        let id = wheel.id;
        let mode = crate::spec::Mode::Velocity.code(self.spec.series);
        if let (Some(register), Some(mode)) = (self.spec.series.get(Reg::OperatingMode), mode) {
            eeprom::keep(&mut self.bus, id, register, mode)?;
        }
        Ok(())
    }

    /// Puts a wheel under torque, standing still.
    fn start_wheel(&mut self, index: usize) -> Result<(), Error> {
        let Some(wheel) = self.spec.wheels().get(index) else { return Ok(()) };
        let id = wheel.id;
        if let Some(goal) = self.registers.goal_speed {
            self.bus.drive(DOOR, id, goal, 0)?;
        }
        self.remind()?;
        self.bus.drive(DOOR, id, self.registers.torque, 1)?;
        eeprom::close(&mut self.bus, self.spec.series, id)
    }

    /// Finds out where a joint stands that is to be driven, and within which of its turns.
    fn find(&mut self, index: usize) -> Result<(), Error> {
        let position = self.registers.position;
        let Some(axis) = self.axes.get_mut(index).filter(|axis| axis.torque) else { return Ok(()) };
        let stands = self.bus.read(axis.id, position)?.value;
        axis.rest_anew(stands);
        Ok(())
    }

    /// Puts a joint under torque where it stands, and lets a spring take hold.
    pub(super) fn energise(&mut self, index: usize) -> Result<(), Error> {
        self.aim(index)?;
        self.take_hold(index)
    }

    /// Gives a joint the place for its goal where it stands.
    fn aim(&mut self, index: usize) -> Result<(), Error> {
        self.find(index)?;
        let Some(axis) = self.axes.get(index).filter(|axis| axis.torque) else { return Ok(()) };
        let (id, goal) = (axis.id, axis.on_servo(axis.limiter.goal()));
        self.bus.drive(DOOR, id, self.registers.goal, goal).map(drop)
    }

    /// Puts a joint under torque that has its goal, and lets a spring take hold.
    fn take_hold(&mut self, index: usize) -> Result<(), Error> {
        let Some(axis) = self.axes.get(index).filter(|axis| axis.torque) else { return Ok(()) };
        let id = axis.id;
        let spring = axis.spring.map(|spring| axis.on_servo(spring));
        self.bus.drive(DOOR, id, self.registers.torque, 1)?;
        eeprom::close(&mut self.bus, self.spec.series, id)?;
        match spring {
            Some(spring) => self.bus.drive(DOOR, id, self.registers.goal, spring).map(drop),
            None => Ok(()),
        }
    }

    fn apply(&mut self, id: u8, setting: Setting) -> Result<(), Error> {
        let value = match setting.change {
            Change::Value(value) => value,
            Change::Clear(bits) => self.bus.read(id, setting.register)?.value & !bits,
        };
        eeprom::keep(&mut self.bus, id, setting.register, value)
    }

    /// Sets anew what a servo forgets when its power fails, and puts it under torque again where
    /// it stands.
    pub(super) fn revive(&mut self, index: usize) -> Result<(), Error> {
        let Some(id) = self.axes.get(index).map(|axis| axis.id) else { return Ok(()) };
        let mut settings = self.spec.settings.clone();
        settings.extend(joint_settings(self, index));
        for setting in settings.into_iter().filter(|s| s.register.store == Store::Ram) {
            self.apply(id, setting)?;
        }
        self.energise(index)
    }
}

fn joint_settings(arm: &Arm, index: usize) -> Vec<Setting> {
    arm.spec.joints.get(index).map(|joint| joint.settings.clone()).unwrap_or_default()
}
