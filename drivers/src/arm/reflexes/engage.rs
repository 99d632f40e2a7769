//! Whose the bus is: the board takes it over before a motor has torque, and gives it back when they are
//! stopped.

use sinew_core::bridge::{Drive, Joint, JointSeen, Mode, Observation, Plan, Refusal, Stop, Torque};
use sinew_core::limits::Limits;
use sinew_core::packet::Protocol;

use super::held::Held;
use super::{ONE_CYCLE, Reflexes, SILENCE, stop};
use crate::arm::options::per_degree;
use crate::arm::{Arm, Axis, DOOR, Notice};
use crate::clock::MILLI;
use crate::spec::Role;
use crate::stop::StopPolicy;
use crate::{Error, Nanos, Wire};

/// How long the first cycle may take.
const FIRST_CYCLE: Nanos = 200 * MILLI;
/// How far the supply may be from what the arm is sold with before nothing moves, as parts of it.
const SUPPLY: (f64, f64) = (0.65, 1.3);
/// Counts a turn of the servos that a board can look after, for the speed it parks at.
const TURN: u16 = 4096;
/// Why a board does not look after motors that are set up.
const STOPPED: &str = "it has stopped them, as it heard nothing for too long; let it wait longer (the watchdog) \
                       or look for what loses answers";
const ABSENT: &str = "it starts anew again and again, or says nothing; look at its supply";

impl Arm {
    /// Hands the joints over to the board, where there is one and somebody is to drive them.
    pub(in crate::arm) fn engage(&mut self) -> Result<(), Error> {
        self.forget_board();
        if self.goes_without_reflexes() {
            return Ok(());
        }
        // A leader is in a hand, which may well put it down for longer than a host may be silent.
        let driven = self.spec.role == Role::Follower;
        if !driven || self.axes.iter().all(|axis| !axis.torque) {
            return Ok(());
        }
        let plan = self.plan();
        let wheels = self.spec.base.as_ref().map_or(0, |base| base.max_speed);
        let wheels = self.wheels.iter().map(|reading| wheel(reading.id, wheels));
        let joints: Vec<Joint> = self.axes.iter().map(joint).chain(wheels).collect();
        let Some(bridge) = self.bridge() else { return Ok(()) };
        match bridge.engage(DOOR, joints.iter().copied(), plan) {
            Err(error) => {
                // It may run the bus all the same, if only its answer was lost.
                bridge.release().ok();
                Err(error)
            }
            Ok(()) => {
                let first = bridge.clock_now().saturating_add(FIRST_CYCLE);
                // It believes no place that it has seen only once.
                bridge.watch(0, first)?;
                let Some(seen) = bridge.watch(1, first)?.copied() else {
                    bridge.release().ok();
                    let (port, what) = (bridge.name().to_owned(), "run the bus");
                    return Err(Error::Board { port, what, why: "it does not say what it sees" });
                };
                let held = Held::new(&seen, plan.supply_dv);
                let (cycles, told) = (vec![0; joints.len()], bridge.clock_now());
                self.reflexes = Some(Reflexes { cycle: 0, cycles, told, held });
                Ok(())
            }
        }
    }

    /// Whether no board can run the bus, though one was asked for; that is said.
    pub(in crate::arm) fn goes_without_reflexes(&mut self) -> bool {
        let servos = self.spec.servos().count();
        let protocol = self.spec.series.protocol;
        let why = match self.bus.wire_mut().bridge().map(|bridge| bridge.board()) {
            None => return false,
            Some(Err(why)) => why.to_string(),
            Some(Ok(_)) if protocol == Protocol::Feetech1 => Refusal::Protocol.name().to_owned(),
            Some(Ok(board)) if servos > usize::from(board.joints) => {
                Refusal::Joints.name().to_owned()
            }
            Some(Ok(_)) => return false,
        };
        let port = self.bus.wire().name().to_owned();
        Notice::NoReflexes { port, why }.note(&mut self.notices);
        true
    }

    fn plan(&self) -> Plan {
        let hold = self.options.dead_man.unwrap_or(SILENCE);
        let ms = |span: Nanos| u16::try_from((span / MILLI).max(1)).unwrap_or(u16::MAX);
        let volts =
            |part: f64, volts: Option<f64>| volts.map_or(0, |volts| (volts * part * 10.0) as u8);
        let lowest = self.spec.supply.iter().copied().reduce(f64::min);
        let highest = self.spec.supply.iter().copied().reduce(f64::max);
        Plan {
            protocol: self.spec.series.protocol,
            joints: 0,
            period_us: 0,
            hold_ms: ms(hold),
            stop_ms: ms(hold.saturating_mul(2)),
            stop: stop(self.options.stop),
            park_speed: (self.options.park_speed.clamp(1.0, 180.0) * per_degree(TURN)) as f32,
            supply_dv: (volts(SUPPLY.0, lowest), volts(SUPPLY.1, highest)),
        }
    }

    /// Lets the board know that its host is there, and still sets the motors up.
    pub(in crate::arm) fn remind(&mut self) -> Result<(), Error> {
        self.looked_after(0).map(drop)
    }

    /// Waits until the board has seen that the motors have torque: it tells a limp one nothing. What it has
    /// not seen in time is left to first aid, but it must be there and look.
    pub(in crate::arm) fn see_torque(&mut self) -> Result<(), Error> {
        // It asks one motor a cycle, where it does not ask all of them.
        let rounds = 2 * self.spec.servos().count();
        let mut looks = false;
        for _ in 0..rounds {
            if !self.has_reflexes() {
                return Ok(());
            }
            let seen = self.looked_after(ONE_CYCLE)?;
            looks = seen.is_some();
            let Some(seen) = seen else { continue };
            let limp =
                |(axis, joint): (&Axis, &JointSeen)| axis.torque && joint.torque != Torque::On;
            if !self.axes.iter().zip(seen.joints()).any(limp) {
                break;
            }
        }
        if looks { Ok(()) } else { Err(self.not_looked_after(ABSENT)) }
    }

    /// Reminds the board and looks whether it looks after every motor, a new cycle of it where one comes
    /// within `patience`. One that has started anew is engaged anew, and that, like one that says nothing,
    /// is `None`; one that has stopped the motors is an error.
    fn looked_after(&mut self, patience: Nanos) -> Result<Option<Observation>, Error> {
        if !self.has_reflexes() {
            return Ok(None);
        }
        self.act_through_board(|axis| axis.limiter.goal())?;
        let servos = self.spec.servos().count();
        let (Some(reflexes), Some(bridge)) = (&mut self.reflexes, self.bus.wire_mut().bridge())
        else {
            return Ok(None);
        };
        let deadline = bridge.clock_now().saturating_add(patience);
        let Some(seen) = bridge.watch(reflexes.cycle, deadline)?.copied() else { return Ok(None) };
        reflexes.cycle = seen.cycle;
        match seen.mode {
            Mode::Running | Mode::Held if seen.joints().len() == servos => Ok(Some(seen)),
            // It has lost its power for a moment and knows of nothing.
            Mode::Free | Mode::Running | Mode::Held => self.engage().map(|()| None),
            Mode::Parking | Mode::Stopped => Err(self.not_looked_after(STOPPED)),
        }
    }

    fn not_looked_after(&self, why: &'static str) -> Error {
        let port = self.bus.wire().name().to_owned();
        Error::Board { port, what: "look after the motors while they are set up", why }
    }

    /// Takes the bus from a board that still has it, from this host or an earlier one, before the motors
    /// are set up.
    pub(in crate::arm) fn take_bus(&mut self) -> Result<(), Error> {
        let ours = self.forget_board();
        let Some(bridge) = self.bridge() else { return Ok(()) };
        if ours {
            // Whoever sets it up again while it stands under torque wants it to stay there until then.
            bridge.stop(DOOR, Stop::Hold)?;
        }
        bridge.release()
    }

    /// Takes the bus back from the board. One that could not stop every motor keeps it, and goes on
    /// stopping them.
    pub(in crate::arm) fn disengage(&mut self, unstopped: Option<StopPolicy>) -> Result<(), Error> {
        let drove = self.forget_board();
        let Some(bridge) = self.bridge().filter(|_| drove) else { return Ok(()) };
        match unstopped {
            None => bridge.release(),
            Some(policy) => bridge.stop(DOOR, stop(policy)),
        }
    }

    /// From now on no board runs the bus, as far as this host is concerned; whether one did.
    pub(in crate::arm) fn forget_board(&mut self) -> bool {
        let Some(reflexes) = self.reflexes.take() else { return false };
        self.say_held(&reflexes.held);
        true
    }
}

/// A joint as the board knows it, in the servo's own counts.
fn joint(axis: &Axis) -> Joint {
    let limits = *axis.limiter.limits();
    let (min, max) = (axis.on_servo(limits.min), axis.on_servo(limits.max));
    // What a spring pulls back needs no goals.
    let drive = if axis.spring.is_some() { Drive::Watched } else { Drive::Position };
    let rest = axis.rest.filter(|_| axis.torque);
    let rest = rest.map(|rest| axis.on_servo(rest).max(min).min(max));
    Joint { id: axis.id, drive, limits: Limits { min, max, ..limits }, rest, hot: 0 }
}

fn wheel(id: u8, fastest: i32) -> Joint {
    let limits = Limits {
        min: fastest.saturating_neg(),
        max: fastest,
        max_step: None,
        max_velocity: None,
        max_acceleration: None,
        back_off: None,
    };
    Joint { id, drive: Drive::Speed, limits, rest: None, hot: 0 }
}
