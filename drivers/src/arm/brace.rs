//! A leader that moves by itself for a while, so that a person can take it where the follower is.
//!
//! ```text
//!  limp ─ brace, joint by joint ─▶ takes commands ─ release, confirmed joint by joint ─▶ limp
//! ```
//! Its joints move no faster than a hand can follow, and give way to one: a goal is never far from where
//! the joint is. However it stops, they end limp.

use super::{Arm, DOOR, State};
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
    /// whether all are now: then it takes commands. A tick has time for one.
    pub fn brace(&mut self) -> Result<bool, Error> {
        self.obey()?;
        match self.state {
            State::Connected => return Err(Error::NotConfigured),
            State::Stopped(cause) => return Err(Error::Stopped { cause }),
            State::Lost { .. } => {
                return Err(Error::Stopped { cause: crate::stop::Cause::LostPort });
            }
            State::Active | State::Held => {}
        }
        let Some(index) = self.axes.iter().position(|axis| !axis.torque) else { return Ok(true) };
        if let Some(axis) = self.axes.get_mut(index) {
            (axis.torque, axis.loan) = (true, Loan::Lent);
        }
        // From here on silence is a reason to stop.
        self.heard();
        let energised = self.energise(index);
        self.or_lost(energised)?;
        self.heard();
        Ok(self.axes.iter().all(|axis| axis.torque))
    }

    /// Takes the torque off again, of all those joints at once, and then hears it of one with each call.
    /// Answers whether all have confirmed it.
    pub fn release(&mut self) -> Result<bool, Error> {
        self.obey()?;
        let torque = self.registers.torque;
        if self.axes.iter().any(|axis| axis.loan == Loan::Lent) {
            let lent = self.axes.iter().filter(|axis| axis.loan == Loan::Lent);
            let told = self.bus.sync_write(DOOR, torque, lent.map(|axis| (axis.id, 0)));
            self.or_lost(told)?;
            for axis in self.axes.iter_mut().filter(|axis| axis.loan == Loan::Lent) {
                (axis.torque, axis.loan) = (false, Loan::Returning);
            }
            // Nobody commands it any more, and nobody needs to.
            (self.last_command, self.watched) = (None, None);
            return Ok(false);
        }
        let returning = |axis: &&mut super::Axis| axis.loan == Loan::Returning;
        let Some(axis) = self.axes.iter_mut().find(returning) else { return Ok(true) };
        match self.bus.read(axis.id, torque)?.value {
            0 => axis.loan = Loan::None,
            _ => self.bus.drive(DOOR, axis.id, torque, 0).map(drop)?,
        }
        Ok(self.axes.iter().all(|axis| axis.loan == Loan::None))
    }

    /// Whether joints that usually move freely are under torque, or may be.
    pub fn is_braced(&self) -> bool {
        self.axes.iter().any(|axis| axis.loan != Loan::None)
    }

    /// What was lent is nothing that a stop holds on to.
    pub(super) fn forget_loans(&mut self) {
        for axis in self.axes.iter_mut().filter(|axis| axis.loan != Loan::None) {
            (axis.torque, axis.loan) = (false, Loan::None);
        }
    }

    fn heard(&mut self) {
        let now: Nanos = self.clock.now();
        self.last_command = Some(now);
        self.state = State::Active;
    }
}

#[cfg(test)]
mod tests {
    use super::super::bench::Bench;
    use super::*;
    use crate::ArmSpec;
    use crate::arm::{ArmOptions, OnMismatch};
    use crate::clock::{MILLI, SECOND};
    use crate::stop::{Cause, StopFlag, StopPolicy};
    use sinew_core::register::Reg;

    const TICK: Nanos = 20 * MILLI;

    fn leader(name: &str, options: ArmOptions) -> (Bench, Arm) {
        let spec = ArmSpec::builtin(name).unwrap();
        let bench = Bench::new(&spec);
        let calibration = bench.calibration(&spec);
        let options = ArmOptions { on_mismatch: OnMismatch::Write, ..options };
        let mut arm = Arm::connect(spec, bench.bus(), &calibration, options).unwrap();
        arm.configure().unwrap();
        (bench, arm)
    }

    fn torques(bench: &Bench) -> Vec<i32> {
        bench.servos().servos.iter().map(|servo| servo.get(Reg::TorqueEnable)).collect()
    }

    /// A leader that is under torque.
    fn braced(options: ArmOptions) -> (Bench, Arm) {
        let (bench, mut arm) = leader("so101_leader", options);
        for joint in 1..=6 {
            bench.clock.sleep(TICK);
            arm.observe().unwrap();
            assert_eq!(arm.brace().unwrap(), joint == 6);
            assert_eq!(torques(&bench).iter().sum::<i32>(), joint);
        }
        assert!(arm.is_braced() && arm.brace().unwrap());
        (bench, arm)
    }

    fn tick(bench: &Bench, arm: &mut Arm, value: f64) -> Result<(), Error> {
        bench.clock.sleep(TICK);
        arm.observe()?;
        arm.command(&[value; 6]).map(drop)
    }

    #[test]
    fn it_goes_gently_and_is_limp_once_it_has_said_so() {
        let (bench, mut arm) = braced(ArmOptions::default());
        bench.servos().goals.clear();
        let mut last = 2048;
        for _ in 0..20 {
            tick(&bench, &mut arm, 90.0).unwrap();
            let goal = bench.get(1, Reg::GoalPosition);
            // 90 degrees a second are 20.5 counts in 20 ms.
            assert!((0..=24).contains(&(goal - last)), "{goal} after {last}");
            last = goal;
        }
        assert!(last > 2300, "{last}");
        assert!(!arm.release().unwrap());
        assert_eq!(torques(&bench), [0; 6], "all at once");
        // One did not hear it.
        bench.set(2, Reg::TorqueEnable, 1);
        let heard = (0..20).position(|_| arm.release().unwrap());
        assert_eq!(heard, Some(6), "one by one, and one twice");
        assert_eq!(torques(&bench), [0; 6]);
        assert!(!arm.is_braced());
        // It may be moved for as long as anybody likes, and nothing takes it again.
        for _ in 0..200 {
            bench.clock.sleep(TICK);
            arm.observe().unwrap();
        }
        assert_eq!((torques(&bench), arm.stopped()), (vec![0; 6], None));
        assert!(!arm.brace().unwrap(), "and it may be braced again");
    }

    #[test]
    fn a_hand_in_the_way_is_not_pushed_far() {
        let (bench, mut arm) = braced(ArmOptions::default());
        for _ in 0..100 {
            // It is held where it is.
            bench.set(1, Reg::PresentPosition, 2048);
            tick(&bench, &mut arm, 90.0).unwrap();
            let off = bench.get(1, Reg::GoalPosition) - 2048;
            assert!(off <= 114, "ten degrees at most: {off} counts");
        }
    }

    #[test]
    fn however_it_stops_it_ends_limp() {
        for policy in [StopPolicy::Hold, StopPolicy::Park, StopPolicy::Limp] {
            let flag = StopFlag::new();
            let stop_flag = Some(flag.clone());
            let options = || ArmOptions { stop: policy, ..ArmOptions::default() };
            // A signal in the middle of its way, or while it gives way.
            for gives_way in [false, true] {
                let flag = StopFlag::new();
                let (bench, mut arm) =
                    braced(ArmOptions { stop_flag: Some(flag.clone()), ..options() });
                tick(&bench, &mut arm, 40.0).unwrap();
                if gives_way {
                    arm.release().unwrap();
                    bench.set(3, Reg::TorqueEnable, 1);
                }
                flag.raise(Cause::Interrupt, Some(policy));
                bench.clock.sleep(TICK);
                assert!(matches!(arm.observe(), Err(Error::Stopped { cause: Cause::Interrupt })));
                assert_eq!(torques(&bench), [0; 6], "{policy}");
                assert!(arm.stop_report().unwrap().motors.iter().all(|motor| motor.ok));
                assert!(arm.brace().is_err(), "and stays so");
            }
            // Between two joints; dropped; a program that hangs.
            let (bench, mut arm) = leader("so101_leader", ArmOptions { stop_flag, ..options() });
            arm.brace().unwrap();
            flag.raise(Cause::Interrupt, None);
            assert!(arm.brace().is_err());
            assert_eq!(torques(&bench), [0; 6]);
            let (bench, arm) = braced(options());
            drop(arm);
            assert_eq!(torques(&bench), [0; 6], "{policy}");
            let (bench, mut arm) = braced(options());
            bench.clock.sleep(SECOND);
            arm.observe().unwrap();
            bench.clock.sleep(SECOND);
            assert!(matches!(arm.observe(), Err(Error::Stopped { cause: Cause::DeadMan })));
            assert_eq!(torques(&bench), [0; 6], "{policy}");
        }
    }

    #[test]
    fn a_joint_that_is_silent_stops_it_and_an_unplugged_one_is_limp_on_its_return() {
        let (bench, mut arm) = braced(ArmOptions::default());
        bench.servos().dead.insert(4);
        let ended = (0..100).find_map(|_| tick(&bench, &mut arm, 0.0).err());
        assert!(matches!(ended, Some(Error::Blind { .. })), "{ended:?}");
        assert_eq!(torques(&bench), [0, 0, 0, 1, 0, 0], "it hears nothing");
        let stiff = arm.stop_report().unwrap().motors.iter().filter(|motor| !motor.ok).count();
        assert_eq!(stiff, 1);
        let (bench, mut arm) = braced(ArmOptions { stop: StopPolicy::Hold, ..Default::default() });
        bench.servos().unplugged = true;
        assert!(tick(&bench, &mut arm, 0.0).is_err());
        bench.servos().unplugged = false;
        bench.clock.sleep(SECOND);
        assert!(arm.observe().is_err());
        assert_eq!(torques(&bench), [0; 6]);
    }

    #[test]
    fn a_trigger_keeps_its_spring() {
        let (bench, mut arm) = leader("koch_leader", ArmOptions::default());
        let spring = bench.get(6, Reg::GoalPosition);
        assert_eq!(torques(&bench), [0, 0, 0, 0, 0, 1]);
        while !arm.brace().unwrap() {}
        for _ in 0..20 {
            tick(&bench, &mut arm, 20.0).unwrap();
        }
        assert_eq!(torques(&bench), [1; 6]);
        assert_eq!(bench.get(6, Reg::GoalPosition), spring);
        assert_ne!(bench.get(1, Reg::GoalPosition), 2048);
        while !arm.release().unwrap() {}
        assert_eq!(torques(&bench), [0, 0, 0, 0, 0, 1]);
    }
}
