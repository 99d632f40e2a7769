//! Its arm and base, for a loop that knows nothing of that.

use std::io;
use std::sync::Arc;

use rtrb::Producer;
use sinew_core::joint::Units;

use super::host::{Goals, LeKiwi, VALUES};
use crate::arm::{ArmCounts, Follower, Observation, Reach, Sent};
use crate::bus::{BusCounts, Timing};
use crate::clock::{MILLI, SECOND};
use crate::spec::ArmSpec;
use crate::stop::{Cause, MotorStop, StopFlag, StopPolicy, StopReport};
use crate::{Error, Nanos};

/// How long nothing may be heard of it while it is driven.
const SILENCE: Nanos = SECOND;
/// How long a base may take to stand still.
const STANDS: Nanos = SECOND;
/// What counts as standing still: metres and degrees per second.
const STILL: [f64; 3] = [0.01, 0.01, 2.0];

/// A LeKiwi that LeRobot's host program runs.
pub struct LeKiwiArm {
    spec: ArmSpec,
    robot: Arc<LeKiwi>,
    goals: Producer<Goals>,
    reaches: Vec<Reach>,
    observation: Observation,
    sent: Sent,
    counts: ArmCounts,
    flag: Option<StopFlag>,
    seen: u64,
    active: bool,
    stopped: Option<Cause>,
    report: Option<StopReport>,
}

impl LeKiwiArm {
    /// The one arm of a robot. Degrees are what its host tells unless it is set otherwise.
    pub fn new(robot: &Arc<LeKiwi>, spec: ArmSpec, flag: Option<StopFlag>) -> Result<Self, Error> {
        let goals = robot.goals().filter(|_| spec.value_count() <= VALUES);
        let Some(goals) = goals else { return Err(Error::BadBase { arm: spec.name }) };
        let reach = |units: Units| Reach {
            units,
            degrees: 1.0,
            range: if units == Units::Range0To100 { (0.0, 100.0) } else { (-180.0, 180.0) },
            max_step: None,
        };
        Ok(Self {
            reaches: spec.joints.iter().map(|joint| reach(joint.units)).collect(),
            observation: Observation::new(spec.value_count()),
            sent: Sent::new(spec.value_count(), spec.joints.len()),
            robot: Arc::clone(robot),
            goals,
            spec,
            counts: ArmCounts::default(),
            flag,
            seen: 0,
            active: false,
            stopped: None,
            report: None,
        })
    }

    fn obey(&mut self) -> Result<(), Error> {
        let wish = self.flag.as_ref().and_then(StopFlag::raised).filter(|_| self.active);
        match wish {
            Some(wish) => {
                (self.active, self.stopped) = (false, Some(wish.cause));
                Err(Error::Stopped { cause: wish.cause })
            }
            None => Ok(()),
        }
    }

    fn fill(&mut self) -> Result<(), Error> {
        let shared = self.robot.shared();
        let now = shared.clock.now();
        let newest = shared.newest();
        let Some(heard) = newest.as_deref() else { return Ok(()) };
        let is_new = heard.number != self.seen;
        self.seen = heard.number;
        let age = now - heard.at;
        let Observation { values, fresh, ages, timing } = &mut self.observation;
        *timing = Timing { first_out: heard.at, last_in: heard.at };
        for (((value, fresh), old), there) in
            values.iter_mut().zip(fresh.iter_mut()).zip(ages.iter_mut()).zip(&heard.values)
        {
            (*value, *fresh, *old) = (*there, is_new, age);
            self.counts.stale += u64::from(!is_new);
        }
        drop(newest);
        if age < SILENCE || !self.active {
            return Ok(());
        }
        (self.active, self.stopped) = (false, Some(Cause::LostPort));
        self.counts.port_lost += 1;
        let silence = format!("nothing was heard of it for {} ms", age / MILLI);
        let source = io::Error::new(io::ErrorKind::TimedOut, silence);
        Err(Error::Lost { port: shared.address.clone(), source })
    }

    fn push(&mut self, values: &[f64]) {
        let mut goals = Goals([0.0; VALUES]);
        goals.0.iter_mut().zip(values).for_each(|(goal, value)| *goal = *value);
        // Without room its host takes nothing; its base then stops by itself.
        self.goals.push(goals).unwrap_or_default();
        self.robot.wake();
    }

    /// The base's speeds as they were heard last.
    fn moves(&self) -> bool {
        let speeds = self.observation.values.iter().skip(self.spec.joints.len());
        speeds.zip(STILL).any(|(speed, still)| speed.abs() > still)
    }
}

impl Follower for LeKiwiArm {
    fn spec(&self) -> &ArmSpec {
        &self.spec
    }

    fn reaches(&self) -> &[Reach] {
        &self.reaches
    }

    fn configure(&mut self) -> Result<(), Error> {
        if let Some(cause) = self.stopped {
            return Err(Error::Stopped { cause });
        }
        self.resume()
    }

    fn resume(&mut self) -> Result<(), Error> {
        (self.active, self.stopped, self.report) = (true, None, None);
        self.fill()?;
        self.sent.values.copy_from_slice(&self.observation.values);
        Ok(())
    }

    fn observe(&mut self) -> Result<&Observation, Error> {
        self.obey()?;
        self.counts.ticks += 1;
        self.fill()?;
        Ok(&self.observation)
    }

    fn observation(&self) -> &Observation {
        &self.observation
    }

    fn command(&mut self, values: &[f64]) -> Result<&Sent, Error> {
        self.obey()?;
        if let Some(cause) = self.stopped {
            return Err(Error::Stopped { cause });
        }
        if !self.active {
            return Err(Error::NotConfigured);
        }
        if values.len() != self.spec.value_count() {
            let expected = self.spec.value_count();
            return Err(Error::ValueCount { expected, got: values.len() });
        }
        let mut goal = [0.0; VALUES];
        let reaches = self.reaches.iter().map(|reach| reach.range);
        let base = std::iter::repeat((f64::NEG_INFINITY, f64::INFINITY));
        let places = goal.iter_mut().zip(&mut self.sent.values).zip(values);
        for (((goal, sent), asked), (low, high)) in places.zip(reaches.chain(base)) {
            // What is no number moves nothing.
            *sent = if asked.is_finite() { asked.clamp(low, high) } else { *sent };
            *goal = *sent;
        }
        self.sent.at = self.robot.shared().clock.now();
        self.push(&goal);
        self.counts.commands += 1;
        Ok(&self.sent)
    }

    fn sent(&self) -> &Sent {
        &self.sent
    }

    fn end(&mut self) -> StopReport {
        self.obey().ok();
        if let Some(report) = &self.report {
            return report.clone();
        }
        let driven = self.counts.commands > 0;
        let cause = self.stopped.unwrap_or(Cause::Asked);
        (self.active, self.stopped) = (false, Some(cause));
        // The base stands, the arm stays; its host takes the torque off when it ends itself.
        let clock = self.robot.shared().clock.clone();
        let end = clock.now() + STANDS;
        let mut stay = self.observation.values.clone();
        stay.iter_mut().skip(self.spec.joints.len()).for_each(|speed| *speed = 0.0);
        let still = loop {
            if driven && cause != Cause::LostPort {
                self.push(&stay);
            }
            let before = self.seen;
            clock.sleep(50 * MILLI);
            self.fill().ok();
            let heard = self.seen != before;
            if heard && !self.moves() {
                break true;
            }
            if clock.now() >= end {
                break false;
            }
        };
        let motor = |(name, id, _): (&str, u8, _)| MotorStop {
            id,
            name: format!("{}{name}", self.spec.prefix),
            torque: None,
            ok: still,
        };
        let motors = self.spec.servos().map(motor).collect();
        let (arm, policy) = (self.spec.name.clone(), StopPolicy::Hold);
        let report = StopReport { arm, policy, cause, motors };
        self.report = Some(report.clone());
        report
    }

    fn stopped(&self) -> Option<Cause> {
        self.stopped
    }

    fn counts(&self) -> ArmCounts {
        self.counts
    }

    fn bus_counts(&self) -> BusCounts {
        BusCounts::default()
    }
}
