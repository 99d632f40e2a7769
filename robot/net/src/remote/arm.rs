//! An arm on another machine, for a loop that knows nothing of that.

use std::io;
use std::ops::Range;
use std::sync::Arc;

use sinew_drivers::arm::{ArmCounts, Follower, Observation, Reach, Sent};
use sinew_drivers::bus::{BusCounts, Timing};
use sinew_drivers::clock::MILLI;
use sinew_drivers::spec::ArmSpec;
use sinew_drivers::stop::{Cause, MotorStop, StopFlag, StopPolicy, StopReport};
use sinew_drivers::{Error as DriverError, Nanos};

use super::lease::{Goal, Goals, Lease, Left};
use super::link::{SILENCE, Seen};
use crate::Error;
use crate::message::{ArmDescription, MOST_VALUES, Mode};

/// How long a robot that said yes may go on saying that nobody drives it: what was on its way.
const BEGINS: Nanos = 1000 * MILLI;

/// An arm on another machine.
pub struct RemoteArm {
    spec: ArmSpec,
    reaches: Vec<Reach>,
    /// Which one of the robot's it is, and which of the robot's values are its own.
    number: usize,
    values: Range<usize>,
    lease: Arc<Lease>,
    goals: Goals,
    flag: Option<StopFlag>,
    observation: Observation,
    sent: Sent,
    counts: ArmCounts,
    state: State,
    /// Under which lease it was driven last.
    driven: u64,
    /// The newest tick of the robot's that was looked at.
    seen: u64,
    /// When the robot read its joints for that, on its own clock.
    read: Nanos,
    /// From one tick of the robot's to the next.
    period: Nanos,
    stop: StopPolicy,
    report: Option<StopReport>,
    words: Option<String>,
}

/// Where it is in its life, as far as this side of the network is concerned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Looked at; nobody was asked for torque.
    Connected,
    /// Asked for torque and got it, at this instant; the robot's ticks do not say so yet.
    Begins { since: Nanos },
    /// Takes commands.
    Active,
    /// Takes none any more.
    Stopped(Cause),
}

impl RemoteArm {
    pub(super) fn new(
        number: usize,
        spec: ArmSpec,
        arm: &ArmDescription,
        values: Range<usize>,
        goals: Goals,
        lease: &Arc<Lease>,
        flag: Option<StopFlag>,
    ) -> Self {
        let steps = arm.max_step.iter().copied().chain(std::iter::repeat(None));
        let reach = |(reach, max_step): (&crate::message::ReachDescription, _)| Reach {
            units: reach.unit,
            degrees: reach.degrees,
            range: (reach.low, reach.high),
            max_step,
        };
        let description = &lease.holding().link.description;
        Self {
            reaches: arm.reaches.iter().zip(steps).map(reach).collect(),
            observation: Observation::new(values.len()),
            sent: Sent::new(values.len(), spec.joints.len()),
            lease: Arc::clone(lease),
            stop: description.stop.parse().unwrap_or_default(),
            period: lease.holding().link.period(),
            counts: ArmCounts::default(),
            state: State::Connected,
            driven: 0,
            seen: 0,
            read: Nanos::MIN,
            report: None,
            words: None,
            number,
            spec,
            values,
            goals,
            flag,
        }
    }

    /// Stops if somebody here asked for it: its loop ends, and then it gives the lease back.
    fn obey(&mut self) -> Result<(), DriverError> {
        if !matches!(self.state, State::Begins { .. } | State::Active) {
            return Ok(());
        }
        match self.flag.as_ref().and_then(StopFlag::raised) {
            Some(wish) => self.give_up(wish.cause),
            None => Ok(()),
        }
    }

    fn give_up(&mut self, cause: Cause) -> Result<(), DriverError> {
        self.state = State::Stopped(cause);
        Err(DriverError::Stopped { cause })
    }

    /// Takes the robot's newest tick, if there is one.
    fn fill(&mut self, now: Nanos) {
        let link = &self.lease.holding().link;
        let newest = link.newest();
        let Observation { values, fresh, ages, timing } = &mut self.observation;
        let Some(Seen { number, state, .. }) = newest.as_deref() else { return };
        // One that cannot be seen goes on saying what was read last.
        let is_new = *number != self.seen && state.at != self.read;
        (self.seen, self.read) = (*number, state.at);
        let at = link.here(state.at, now);
        let spread = state.spread.clamp(0, self.period);
        *timing = Timing { first_out: at - spread / 2, last_in: at + spread / 2 };
        let age = now - at;
        // What was not read in that tick is older than one.
        let new = self.period;
        let (first, count) = (self.values.start, self.values.len());
        let there = state.values.iter().zip(&state.ages).skip(first).take(count);
        let here = values.iter_mut().zip(fresh.iter_mut()).zip(ages.iter_mut());
        for (((value, fresh), old), (there, then)) in here.zip(there) {
            *value = *there;
            *fresh = is_new && *then < new;
            *old = age.saturating_add((*then).max(0));
            self.counts.stale += u64::from(!*fresh);
        }
        if self.state == State::Active && state.lease == self.driven {
            self.sent.at = link.here(state.sent_at, now);
            let there = state.sent.iter().skip(first);
            self.sent.values.iter_mut().zip(there).for_each(|(sent, there)| *sent = *there);
        }
    }

    /// Looks whether it is still driven from here.
    fn watch(&mut self, now: Nanos) -> Result<(), DriverError> {
        let since = match self.state {
            State::Connected | State::Stopped(_) => return Ok(()),
            State::Begins { since } => since,
            State::Active => Nanos::MIN,
        };
        let link = &self.lease.holding().link;
        let newest = link.newest();
        let (heard, mode, cause, lease) = newest
            .as_deref()
            .map_or((since, Mode::Free, None, 0), |Seen { heard, state, .. }| {
                (*heard, state.mode, state.cause, state.lease)
            });
        drop(newest);
        if now - heard.max(since) >= SILENCE {
            self.counts.port_lost += 1;
            self.state = State::Stopped(Cause::LostPort);
            let silence = format!("nothing was heard of it for {} ms", (now - heard) / MILLI);
            let source = io::Error::new(io::ErrorKind::TimedOut, silence);
            return Err(DriverError::Lost { port: self.port(), source });
        }
        if lease == self.driven && mode == Mode::Driven {
            self.state = State::Active;
            return Ok(());
        }
        if since != Nanos::MIN && now - since < BEGINS {
            return Ok(());
        }
        self.give_up(match cause.filter(|_| lease == self.driven || mode == Mode::Stopped) {
            // Whose wish it was there is another's here.
            Some(cause) if cause.is_wish() => Cause::Remote,
            Some(cause) => cause,
            None => Cause::Lease,
        })
    }

    fn port(&self) -> String {
        self.lease.holding().link.address.clone()
    }

    /// Puts the robot under torque where it stands.
    fn drive(&mut self) -> Result<(), DriverError> {
        let holding = self.lease.holding();
        let driven = holding.drive(self.driven).map_err(|error| self.as_port(&error))?;
        self.driven = driven;
        self.state = State::Begins { since: holding.link.clock().now() };
        (self.report, self.words) = (None, None);
        // What was sent last, for all who go on from there, is to stand still.
        self.sent.values.copy_from_slice(&self.observation.values);
        Ok(())
    }

    /// What went wrong on the network, as what goes wrong on a port.
    fn as_port(&self, error: &Error) -> DriverError {
        let kind = match error {
            Error::Refused { .. } => io::ErrorKind::PermissionDenied,
            Error::NotThere { .. } => io::ErrorKind::TimedOut,
            _ => io::ErrorKind::Other,
        };
        DriverError::Port { port: self.port(), source: io::Error::new(kind, error.to_string()) }
    }

    /// The report of a stop of which nobody here knows how it went.
    fn unconfirmed(&self, cause: Cause) -> StopReport {
        let motor = |(name, id)| MotorStop { id, name, torque: None, ok: false };
        let motors = motors(&self.spec).map(motor).collect();
        StopReport { arm: self.spec.name.clone(), policy: self.stop, cause, motors }
    }
}

/// The names and ids of an arm's motors.
fn motors(spec: &ArmSpec) -> impl Iterator<Item = (String, u8)> {
    spec.servos().map(|(name, id, _)| (format!("{}{name}", spec.prefix), id))
}

/// Whether a report is of this arm, and says of each of its motors how it was left.
fn speaks_of(report: &StopReport, spec: &ArmSpec) -> bool {
    let there = report.motors.iter().map(|motor| (motor.name.clone(), motor.id));
    report.arm == spec.name && there.eq(motors(spec))
}

impl Follower for RemoteArm {
    fn spec(&self) -> &ArmSpec {
        &self.spec
    }

    fn reaches(&self) -> &[Reach] {
        &self.reaches
    }

    fn configure(&mut self) -> Result<(), DriverError> {
        match self.state {
            State::Connected => self.drive(),
            State::Begins { .. } | State::Active => Ok(()),
            State::Stopped(cause) => Err(DriverError::Stopped { cause }),
        }
    }

    fn resume(&mut self) -> Result<(), DriverError> {
        if let Some(flag) = &self.flag {
            flag.clear();
        }
        self.drive()
    }

    fn observe(&mut self) -> Result<&Observation, DriverError> {
        self.obey()?;
        let now = self.lease.holding().link.clock().now();
        self.counts.ticks += 1;
        self.watch(now)?;
        self.fill(now);
        Ok(&self.observation)
    }

    fn observation(&self) -> &Observation {
        &self.observation
    }

    fn command(&mut self, values: &[f64]) -> Result<&Sent, DriverError> {
        self.obey()?;
        match self.state {
            State::Connected => return Err(DriverError::NotConfigured),
            State::Stopped(cause) => return Err(DriverError::Stopped { cause }),
            State::Begins { .. } | State::Active => {}
        }
        if values.len() != self.values.len() {
            let (expected, got) = (self.values.len(), values.len());
            return Err(DriverError::ValueCount { expected, got });
        }
        let at = self.lease.holding().link.clock().now();
        let mut goal = Goal { at, count: values.len(), values: [0.0; MOST_VALUES] };
        let last = values.iter().zip(&self.sent.values);
        for (place, (asked, last)) in goal.values.iter_mut().zip(last) {
            // What is no number moves nothing.
            *place = if asked.is_finite() { *asked } else { *last };
        }
        self.goals.push(goal);
        self.counts.commands += 1;
        Ok(&self.sent)
    }

    fn sent(&self) -> &Sent {
        &self.sent
    }

    fn end(&mut self) -> StopReport {
        // A wish that is obeyed here is an error to a loop, and none to its end.
        self.obey().ok();
        if let Some(report) = &self.report {
            return report.clone();
        }
        let cause = self.stopped().unwrap_or(Cause::Asked);
        let left = self.lease.holding().release();
        if !cause.is_wish() || cause == Cause::Remote {
            // By now what was said of it has come as well.
            self.words = self.lease.holding().link.words();
        }
        let report = match left {
            Left::Stopped(reports) => {
                reports.into_iter().nth(self.number).filter(|report| speaks_of(report, &self.spec))
            }
            Left::Taken => Some(StopReport { motors: Vec::new(), ..self.unconfirmed(cause) }),
            Left::Unknown => None,
        };
        let report = report.unwrap_or_else(|| {
            let silent = || "its host does not say how it was left".to_owned();
            self.words.get_or_insert_with(silent);
            self.unconfirmed(cause)
        });
        self.state = State::Stopped(cause);
        let report = StopReport { cause, ..report };
        self.report = Some(report.clone());
        report
    }

    fn stopped(&self) -> Option<Cause> {
        if let State::Stopped(cause) = self.state { Some(cause) } else { None }
    }

    fn last_words(&self) -> Option<&str> {
        self.words.as_deref()
    }

    fn counts(&self) -> ArmCounts {
        self.counts
    }

    fn bus_counts(&self) -> BusCounts {
        // Its bus is another machine's, which tells of it in its own words.
        BusCounts::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_is_one_only_if_it_speaks_of_every_motor() {
        let spec = ArmSpec::builtin("so101_follower").unwrap();
        let motor = |(name, id)| MotorStop { id, name, torque: Some(false), ok: true };
        let (arm, policy) = (spec.name.clone(), StopPolicy::Limp);
        let motors = motors(&spec).map(motor).collect();
        let whole = StopReport { arm, policy, cause: Cause::Asked, motors };
        assert!(speaks_of(&whole, &spec));
        let changed = |change: fn(&mut StopReport)| {
            let mut report = whole.clone();
            change(&mut report);
            speaks_of(&report, &spec)
        };
        assert!(!changed(|report| report.motors.clear()));
        assert!(!changed(|report| report.motors.truncate(5)));
        assert!(!changed(|report| report.motors[3].id = 9));
        assert!(!changed(|report| report.motors[3].name = report.motors[2].name.clone()));
        assert!(!changed(|report| report.motors.push(report.motors[0].clone())));
        assert!(!changed(|report| report.arm = "koch_follower".into()));
    }
}
