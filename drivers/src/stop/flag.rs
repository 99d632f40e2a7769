//! The wish to stop, raised by anybody, looked at by the arm.

use std::sync::atomic::{AtomicU8, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::{CAUSES, Cause, StopPolicy, StopReport, signals};

/// A wish to stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StopRequest {
    /// Why.
    pub cause: Cause,
    /// The state asked for; `None` is the one the arm is configured with.
    pub policy: Option<StopPolicy>,
}

/// Shared by an arm's owner and all who may want it to stop. Looking at it takes no lock.
#[derive(Clone, Debug, Default)]
pub struct StopFlag(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    /// Zero, or a [`Cause`].
    cause: AtomicU8,
    /// Zero, or one more than the place of a policy in [`POLICIES`].
    policy: AtomicU8,
    wishes: AtomicUsize,
    /// Signals seen before this flag began to listen, plus one; zero does not listen.
    listening: AtomicUsize,
    outcome: Mutex<Outcome>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct Outcome {
    /// Arms that look at the flag, and those that did and said how their stop went.
    seats: Vec<Seat>,
    /// How many arms have ever looked at it.
    joined: usize,
}

/// One arm's place.
#[derive(Debug)]
struct Seat {
    arm: usize,
    looks: bool,
    /// How its latest stop went.
    report: Option<StopReport>,
}

impl Outcome {
    fn seat(&mut self, arm: usize) -> Option<&mut Seat> {
        self.seats.iter_mut().find(|seat| seat.arm == arm)
    }

    /// Whether somebody still has to say how they stopped.
    fn is_pending(&self) -> bool {
        self.seats.iter().any(|seat| seat.looks && seat.report.is_none())
    }
}

const POLICIES: [StopPolicy; 3] = [StopPolicy::Hold, StopPolicy::Park, StopPolicy::Limp];

impl StopFlag {
    /// A flag that nobody has raised.
    pub fn new() -> Self {
        Self::default()
    }

    /// Lets Ctrl-C, SIGTERM and SIGHUP raise it from now on.
    pub fn listen_to_signals(&self) -> std::io::Result<()> {
        signals::install()?;
        self.0.listening.store(signals::count() + 1, Ordering::Release);
        Ok(())
    }

    /// Lets a panic of any thread raise it, so that an arm in another thread stops as well.
    pub fn listen_to_panics(&self) {
        let flag = self.clone();
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            flag.raise(Cause::Panic, None);
            before(info);
        }));
    }

    /// Raises it. The first cause stays.
    pub fn raise(&self, cause: Cause, policy: Option<StopPolicy>) {
        let place = policy.and_then(|policy| POLICIES.iter().position(|other| *other == policy));
        let code = place.and_then(|place| u8::try_from(place + 1).ok()).unwrap_or(0);
        if code > 0 {
            self.0.policy.store(code, Ordering::Release);
        }
        let shared = &self.0;
        shared.wishes.fetch_add(1, Ordering::AcqRel);
        // Whoever came first is the cause; a later wish only adds urgency.
        shared.cause.compare_exchange(0, cause as u8, Ordering::AcqRel, Ordering::Acquire).ok();
    }

    /// The wish, if there is one.
    pub fn raised(&self) -> Option<StopRequest> {
        let cause = match self.0.cause.load(Ordering::Acquire) {
            0 if self.signals() > 0 => signals::last(),
            0 => return None,
            code => CAUSES.into_iter().find(|cause| *cause as u8 == code)?,
        };
        let policy = usize::from(self.0.policy.load(Ordering::Acquire));
        let policy = policy.checked_sub(1).and_then(|place| POLICIES.get(place).copied());
        Some(StopRequest { cause, policy })
    }

    /// Whether it was raised again after the first time: no time left for a slow stop.
    pub fn urgent(&self) -> bool {
        self.0.wishes.load(Ordering::Acquire) + self.signals() > 1
    }

    /// Takes the wish back, for going on after a stop.
    pub fn clear(&self) {
        self.0.cause.store(0, Ordering::Release);
        self.0.policy.store(0, Ordering::Release);
        self.0.wishes.store(0, Ordering::Release);
        if self.0.listening.load(Ordering::Acquire) > 0 {
            self.0.listening.store(signals::count() + 1, Ordering::Release);
        }
        let mut outcome = self.outcome();
        outcome.seats.retain(|seat| seat.looks);
        outcome.seats.iter_mut().for_each(|seat| seat.report = None);
    }

    fn signals(&self) -> usize {
        match self.0.listening.load(Ordering::Acquire) {
            0 => 0,
            before => signals::count().saturating_sub(before - 1),
        }
    }

    fn outcome(&self) -> MutexGuard<'_, Outcome> {
        self.0.outcome.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Says that one more arm looks at the flag, and which one it is from now on.
    pub(crate) fn join(&self) -> usize {
        let mut outcome = self.outcome();
        let arm = outcome.joined;
        outcome.joined += 1;
        outcome.seats.push(Seat { arm, looks: true, report: None });
        arm
    }

    /// Says that an arm looks at it no longer.
    pub(crate) fn leave(&self, arm: usize) {
        if let Some(seat) = self.outcome().seat(arm) {
            seat.looks = false;
        }
        self.0.changed.notify_all();
    }

    /// Hands over how an arm's stop went; what it said before is no longer true. Nothing is said of one
    /// that goes on.
    pub(crate) fn report(&self, arm: usize, report: Option<&StopReport>) {
        if let Some(seat) = self.outcome().seat(arm) {
            seat.report = report.cloned();
        }
        self.0.changed.notify_all();
    }

    /// Waits until every arm that looks at the flag has stopped, and returns how that went.
    pub fn wait_for_reports(&self, patience: Duration) -> Vec<StopReport> {
        let outcome = self.outcome();
        let pending = |outcome: &mut Outcome| outcome.is_pending();
        let waited = self.0.changed.wait_timeout_while(outcome, patience, pending);
        let outcome = waited.unwrap_or_else(PoisonError::into_inner).0;
        outcome.seats.iter().filter_map(|seat| seat.report.clone()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_cause_stays_and_a_second_wish_is_urgent() {
        let flag = StopFlag::new();
        assert_eq!(flag.raised(), None);
        flag.raise(Cause::Remote, Some(StopPolicy::Park));
        assert!(!flag.urgent());
        flag.raise(Cause::Interrupt, None);
        let policy = Some(StopPolicy::Park);
        assert_eq!(flag.raised(), Some(StopRequest { cause: Cause::Remote, policy }));
        assert!(flag.urgent());
        flag.clear();
        assert_eq!(flag.raised(), None);
    }

    #[test]
    fn every_cause_is_seen_as_what_it_is() {
        for cause in CAUSES {
            let flag = StopFlag::new();
            flag.raise(cause, None);
            assert_eq!(flag.raised().map(|request| request.cause), Some(cause));
        }
    }

    #[test]
    fn reports_are_awaited_until_every_arm_has_stopped() {
        let flag = StopFlag::new();
        let key = flag.join();
        let sent = report("one", Cause::Remote);
        let theirs = flag.clone();
        let send = move || theirs.report(key, Some(&report("one", Cause::Remote)));
        let arm = std::thread::Builder::new().spawn(send).unwrap();
        assert_eq!(flag.wait_for_reports(Duration::from_secs(60)), [sent]);
        arm.join().unwrap();
        flag.clear();
        flag.leave(key);
        assert!(flag.wait_for_reports(Duration::from_secs(60)).is_empty());
    }

    fn report(arm: &str, cause: Cause) -> StopReport {
        StopReport { arm: arm.to_owned(), policy: StopPolicy::Limp, cause, motors: Vec::new() }
    }

    #[test]
    fn one_arm_that_says_it_twice_or_has_left_stands_for_no_other() {
        let flag = StopFlag::new();
        let [leader, follower, gone] = [flag.join(), flag.join(), flag.join()];
        flag.report(leader, Some(&report("leader", Cause::LostPort)));
        flag.report(leader, Some(&report("leader", Cause::Remote)));
        flag.report(gone, Some(&report("gone", Cause::Dropped)));
        flag.leave(gone);
        assert!(flag.outcome().is_pending());
        flag.report(follower, Some(&report("follower", Cause::Remote)));
        assert!(!flag.outcome().is_pending());
        let said = flag.wait_for_reports(Duration::ZERO);
        assert_eq!(said[0], report("leader", Cause::Remote));
        assert_eq!(said.len(), 3);
        flag.report(leader, None);
        assert!(flag.outcome().is_pending(), "it goes on");
    }
}
