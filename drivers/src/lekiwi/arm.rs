//! Its arm and base, for a loop that knows nothing of that.

use std::io;
use std::sync::Arc;

use sinew_core::joint::Units;

use super::goals::Goals;
use super::host::{LeKiwi, VALUES};
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
/// How often that is looked at.
const LOOK: Nanos = 50 * MILLI;
/// How far a joint that stays is from where it was one look before: degrees, or hundredths of its way.
const STAYS: f64 = 0.5;

/// A LeKiwi that LeRobot's host program runs.
pub struct LeKiwiArm {
    spec: ArmSpec,
    robot: Arc<LeKiwi>,
    goals: Goals,
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
        let seen = std::mem::replace(&mut self.seen, heard.number);
        let age = now - heard.at;
        let Observation { values, fresh, ages, timing } = &mut self.observation;
        *timing = Timing { first_out: heard.at, last_in: heard.at };
        for (((value, fresh), old), there) in
            values.iter_mut().zip(fresh.iter_mut()).zip(ages.iter_mut()).zip(&heard.values)
        {
            (*value, *fresh, *old) = (there.value, there.number > seen, now - there.at);
            self.counts.stale += u64::from(!*fresh);
        }
        drop(newest);
        if age < SILENCE || !self.active {
            return Ok(());
        }
        (self.active, self.stopped) = (false, Some(Cause::LostPort));
        self.counts.port_lost += 1;
        // Nothing of what it was told before may move it when it is there again.
        self.goals.cut(now);
        self.robot.wake();
        let silence = format!("nothing was heard of it for {} ms", age / MILLI);
        let source = io::Error::new(io::ErrorKind::TimedOut, silence);
        Err(Error::Lost { port: shared.address.clone(), source })
    }

    /// Says where to go; gives the number of that.
    fn push(&mut self, values: &[f64]) -> u64 {
        let number = self.goals.push(self.robot.shared().clock.now(), values);
        self.robot.wake();
        number
    }

    /// Where it is to stay: where it was seen, or else where it was sent.
    fn here(&self) -> Vec<f64> {
        let Observation { values, ages, .. } = &self.observation;
        let seen = values.iter().zip(ages).zip(&self.sent.values);
        let joints = seen.map(|((seen, age), sent)| if *age < SILENCE { *seen } else { *sent });
        let base = std::iter::repeat_n(0.0, values.len() - self.spec.joints.len());
        joints.take(self.spec.joints.len()).chain(base).collect()
    }

    /// Brings it to a stand, and says of which joints and of the wheels that was really seen. What nobody
    /// could tell it is seen of no joint.
    fn settle(&mut self, tell: bool) -> (Vec<bool>, bool) {
        let clock = self.robot.shared().clock.clone();
        let end = clock.now() + STANDS;
        let (stay, joints) = (self.here(), self.spec.joints.len());
        let (mut last, mut stays) = (vec![None; joints], vec![false; joints]);
        let (mut first, mut told, mut stands) = (None, false, false);
        let driven = self.counts.commands > 0;
        loop {
            if tell && driven {
                let number = self.push(&stay);
                first.get_or_insert(number);
            }
            clock.sleep(LOOK);
            // What comes from here on came after it was told.
            let before = std::mem::replace(
                &mut told,
                match first {
                    Some(first) => self.robot.shared().written() >= first,
                    None => !driven,
                },
            );
            self.fill().ok();
            let Observation { values, fresh, .. } = &self.observation;
            let seen = values.iter().zip(fresh).zip(last.iter_mut().zip(&mut stays));
            for ((value, _), (last, stays)) in seen.filter(|((_, fresh), _)| before && **fresh) {
                let was = last.replace(*value);
                *stays = was.is_some_and(|was: f64| (value - was).abs() <= STAYS);
            }
            let (speeds, fresh) = (values.iter().skip(joints), fresh.iter().skip(joints));
            if fresh.clone().all(|fresh| *fresh) {
                stands = speeds.zip(STILL).all(|(speed, still)| speed.abs() <= still);
            }
            if (stands && stays.iter().all(|stays| *stays)) || clock.now() >= end {
                return (stays, stands);
            }
        }
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
        let cause = self.stopped.unwrap_or(Cause::Asked);
        (self.active, self.stopped) = (false, Some(cause));
        // The base stands, the arm stays; its host takes the torque off when it ends itself.
        let (stays, stands) = self.settle(cause != Cause::LostPort);
        let motor = |((name, id, _), ok): ((&str, u8, _), bool)| MotorStop {
            id,
            name: format!("{}{name}", self.spec.prefix),
            torque: None,
            ok,
        };
        let wheels = std::iter::repeat(stands);
        let motors = self.spec.servos().zip(stays.into_iter().chain(wheels)).map(motor).collect();
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
