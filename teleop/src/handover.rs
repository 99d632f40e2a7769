//! A policy drives, and a person takes over where it goes wrong.
//!
//! ```text
//!            pause                   correct
//!  Policy ◀────────▶ Pause (holds) ◀─────────▶ Person
//! ```
//! A leader that can be driven comes to the follower while the policy pauses, is held there, and gives
//! way once it is a person's turn. Whoever takes over, the follower is brought from where it was asked to
//! be to where it is asked to be now over a ramp: it never jumps.

use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, OnceLock};

use sinew_drivers::arm::ArmCounts;
use sinew_drivers::bus::BusCounts;
use sinew_drivers::clock::SECOND;
use sinew_drivers::stop::StopReport;
use sinew_drivers::{Error, Nanos};

use crate::fed::Fed;
use crate::ramp::{PAUSE, Ramp};
use crate::source::{Lead, Source};

/// Whose turn it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Turn {
    /// The policy drives.
    #[default]
    Policy,
    /// Nobody does: the follower holds still.
    Pause,
    /// Whoever holds the leader does.
    Person,
}

impl Turn {
    const ALL: [Self; 3] = [Self::Policy, Self::Pause, Self::Person];

    /// Whose turn it is after the key that stops the policy and lets it go on.
    pub fn paused(self) -> Self {
        match self {
            Self::Policy => Self::Pause,
            Self::Pause => Self::Policy,
            // A correction is ended first.
            Self::Person => Self::Person,
        }
    }

    /// Whose turn it is after the key that begins and ends a correction.
    pub fn corrected(self) -> Self {
        match self {
            Self::Policy | Self::Pause => Self::Person,
            Self::Person => Self::Pause,
        }
    }
}

/// Whose turn it is, for everybody who needs to know.
#[derive(Clone, Debug, Default)]
pub struct Baton {
    turn: Arc<AtomicU8>,
    /// Whether the leader comes to the follower.
    smooth: bool,
    /// Why a leader does not.
    trouble: Arc<OnceLock<Trouble>>,
}

/// Why a leader did not come to its follower.
#[derive(Debug)]
pub struct Trouble {
    /// What went wrong, if it is not only that it did not let go.
    pub error: Option<Error>,
    /// The motors that did not confirm that they are limp.
    pub stiff: Vec<String>,
}

impl Baton {
    /// Where it is `smooth`, leaders come to their followers before a person takes them.
    pub fn new(smooth: bool) -> Self {
        Self { smooth, ..Self::default() }
    }

    /// Whose turn it is.
    pub fn turn(&self) -> Turn {
        let number = usize::from(self.turn.load(Ordering::Acquire));
        Turn::ALL.get(number).copied().unwrap_or_default()
    }

    /// Gives somebody the turn.
    pub fn give(&self, turn: Turn) {
        self.turn.store(turn as u8, Ordering::Release);
    }

    /// Whether leaders come to their followers before a person takes them.
    pub fn is_smooth(&self) -> bool {
        self.smooth && self.trouble().is_none()
    }

    /// Why a leader did not come to its follower: the follower goes to it since.
    pub fn trouble(&self) -> Option<&Trouble> {
        self.trouble.get()
    }
}

/// What a leader does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Hand {
    /// It moves freely.
    Free,
    /// It comes to the follower, or is held there.
    Comes,
    /// It is about to move freely.
    GivesWay,
}

/// When a leader that has not let go is told of, and how often it was asked by then.
const LATE: Nanos = SECOND;
const ASKED: u32 = 20;

/// A policy and a person who take turns in driving a follower.
pub struct Handover {
    policy: Fed,
    person: Box<dyn Source>,
    baton: Baton,
    turn: Turn,
    hand: Hand,
    /// Since when the leader has been giving way, and how often it was asked about that.
    giving: Option<(Nanos, u32)>,
    /// Why it does not come, before that is told.
    error: Option<Error>,
    ramp: Ramp,
    lead: Lead,
    now: Nanos,
}

impl Handover {
    /// The policy has the first turn.
    pub fn new(policy: Fed, person: Box<dyn Source>, baton: Baton) -> Self {
        let values = policy.lead().values.len();
        let (ramp, lead) = (Ramp::new(values), Lead::new(values));
        let (turn, hand) = (Turn::Policy, Hand::Free);
        Self { policy, person, baton, turn, hand, giving: None, error: None, ramp, lead, now: 0 }
    }

    /// Sees to the leader, a tick of it. Whatever fails there, it lets go, and the follower goes to it
    /// from then on; only somebody's wish to stop ends the loop.
    fn see_to_leader(&mut self, now: Nanos, is_new: bool) -> Result<(), Error> {
        // Before anybody was asked for anything, there is nowhere to come to.
        let comes = self.lead.age != Nanos::MAX && self.baton.is_smooth() && self.error.is_none();
        match (self.turn, self.hand) {
            (Turn::Pause, _) | (Turn::Person, Hand::Free | Hand::GivesWay) if is_new && comes => {
                self.hand = Hand::Comes;
            }
            (Turn::Policy, Hand::Comes) => self.hand = Hand::GivesWay,
            _ => {}
        }
        let done = match self.hand {
            Hand::Free => return Ok(()),
            Hand::Comes => self.person.meet(now, &self.lead.values),
            Hand::GivesWay => self.person.give_way(),
        };
        self.hand = match (done, self.hand) {
            (Ok(true), Hand::Comes) if self.turn == Turn::Person => Hand::GivesWay,
            (Ok(true), Hand::GivesWay) => Hand::Free,
            (Ok(_), hand) => hand,
            (Err(Error::Stopped { cause }), _) if cause.is_wish() => {
                return Err(Error::Stopped { cause });
            }
            (Err(error), _) => {
                // Only the first is told: it is the reason for all that follow.
                self.error.get_or_insert(error);
                Hand::GivesWay
            }
        };
        self.tell(now);
        if self.hand == Hand::Free && self.turn == Turn::Person {
            // It may not be just where it was to come to.
            self.ramp.again();
        }
        Ok(())
    }

    /// Lets everybody know why the leader does not come, as soon as it is known how it was left, or it
    /// should be.
    fn tell(&mut self, now: Nanos) {
        let late = match self.hand {
            Hand::GivesWay => {
                let (since, asked) = self.giving.get_or_insert((now, 0));
                *asked += 1;
                now - *since >= LATE && *asked >= ASKED
            }
            Hand::Free | Hand::Comes => {
                self.giving = None;
                false
            }
        };
        let settled = self.hand == Hand::Free && self.error.is_some();
        if (late || settled) && self.baton.trouble().is_none() {
            let trouble = Trouble { error: self.error.take(), stiff: self.person.stiff() };
            self.baton.trouble.set(trouble).unwrap_or_default();
        }
    }
}

impl Source for Handover {
    fn read(&mut self, now: Nanos) -> Result<&Lead, Error> {
        let turn = self.baton.turn();
        let is_new = std::mem::replace(&mut self.turn, turn) != turn;
        if is_new {
            self.ramp.again();
        }
        self.now = now;
        let hand = self.hand;
        self.see_to_leader(now, is_new)?;
        if turn != Turn::Policy {
            // What it meant before somebody took over is nothing to go on with.
            self.policy.forget();
        }
        let asked = match turn {
            Turn::Policy => Some(self.policy.read(now)?),
            Turn::Pause => None,
            // In the tick in which it gave way it was looked at already.
            Turn::Person if (hand, self.hand) != (Hand::Free, Hand::Free) => None,
            Turn::Person => Some(self.person.read(now)?),
        };
        match asked {
            // Nobody was asked for anything yet: the loop itself brings the follower there.
            Some(asked) if self.lead.age == Nanos::MAX => self.lead.clone_from(asked),
            // A person who cannot be heard any more is nobody to hold still for: the dead-man is.
            Some(asked) if turn == Turn::Person || asked.age <= PAUSE => {
                let goal = self.ramp.toward(now, &self.lead.values, &asked.values);
                self.lead.values.copy_from_slice(goal);
                self.lead.age = asked.age;
            }
            _ if self.lead.age == Nanos::MAX => {}
            _ => self.lead.age = 0,
        }
        Ok(&self.lead)
    }

    fn lead(&self) -> &Lead {
        &self.lead
    }

    fn corrects(&self) -> bool {
        self.turn == Turn::Person && self.hand == Hand::Free && self.ramp.is_over(self.now)
    }

    fn begin(&mut self, now: Nanos) {
        self.policy.begin(now);
        self.person.begin(now);
    }

    fn silent(&self) -> Vec<String> {
        self.person.silent()
    }

    fn prepare(&mut self) -> Result<(), Error> {
        self.person.prepare()
    }

    fn configure(&mut self) -> Result<(), Error> {
        self.person.configure()
    }

    fn bus_counts(&self) -> BusCounts {
        self.person.bus_counts()
    }

    fn arm_counts(&self) -> ArmCounts {
        self.person.arm_counts()
    }

    fn let_go(&mut self) {
        self.person.let_go();
    }

    fn give_way(&mut self) -> Result<bool, Error> {
        self.person.give_way()
    }

    fn end(&mut self) -> Option<StopReport> {
        self.person.end()
    }
}

#[cfg(test)]
mod tests {
    use sinew_drivers::clock::MILLI;

    use super::*;
    use crate::fed::{BLEND, Chunk, Feeder, fed};

    /// A leader that is held there.
    struct Held(Lead);

    impl Source for Held {
        fn read(&mut self, _now: Nanos) -> Result<&Lead, Error> {
            Ok(&self.0)
        }

        fn lead(&self) -> &Lead {
            &self.0
        }
    }

    fn handover(place: f64) -> (Feeder, Baton, Handover) {
        let (feeder, policy) = fed(0, 1);
        let baton = Baton::default();
        let person = Held(Lead { values: vec![place], age: 0 });
        (feeder, baton.clone(), Handover::new(policy, Box::new(person), baton))
    }

    fn feed(feeder: &mut Feeder, first: Nanos, place: f64) {
        let chunk = Chunk { first, rate: 1.0, blend: BLEND, width: 1, rows: vec![place; 60] };
        assert!(feeder.feed(Arc::new(chunk)));
    }

    /// Ticks until then, and says how far it went at once at most.
    fn run(handover: &mut Handover, now: &mut Nanos, span: Nanos) -> f64 {
        let mut most: f64 = 0.0;
        let end = *now + span;
        while *now < end {
            *now += 10 * MILLI;
            let before = handover.lead.values[0];
            let after = handover.read(*now).unwrap().values[0];
            most = most.max((after - before).abs());
        }
        most
    }

    #[test]
    fn whoever_takes_over_moves_the_arm_smoothly() {
        let (mut feeder, baton, mut handover) = handover(40.0);
        let mut now = 0;
        assert_eq!(handover.read(now).unwrap().age, Nanos::MAX, "nobody has said anything");
        feed(&mut feeder, 0, -20.0);
        run(&mut handover, &mut now, SECOND);
        assert_eq!(handover.lead.values, [-20.0]);
        baton.give(Turn::Pause);
        assert_eq!(run(&mut handover, &mut now, SECOND), 0.0, "it holds still");
        assert_eq!(handover.lead.age, 0, "and says so");
        baton.give(Turn::Person);
        run(&mut handover, &mut now, 20 * MILLI);
        assert!(!handover.corrects(), "it is still on its way");
        assert!(run(&mut handover, &mut now, 3 * SECOND) < 2.0);
        assert_eq!(handover.lead.values, [40.0]);
        assert!(handover.corrects());
        baton.give(Turn::Policy);
        assert_eq!(run(&mut handover, &mut now, SECOND), 0.0, "the old chunk is forgotten");
        assert!(!handover.corrects());
        feed(&mut feeder, now, 0.0);
        assert!(run(&mut handover, &mut now, 3 * SECOND) < 2.0);
        assert_eq!(handover.lead.values, [0.0]);
    }

    #[test]
    fn a_leader_that_is_not_heard_holds_nothing_up() {
        let (mut feeder, baton, mut handover) = handover(1.0);
        let mut now = 0;
        feed(&mut feeder, 0, 0.0);
        run(&mut handover, &mut now, SECOND);
        handover.person = Box::new(Held(Lead { values: vec![1.0], age: 2 * SECOND }));
        baton.give(Turn::Person);
        assert_eq!(handover.read(now).unwrap().age, 2 * SECOND);
    }

    #[test]
    fn keys_go_round_between_three_turns() {
        let mut turn = Turn::Policy;
        for (next, wanted) in [
            (Turn::paused as fn(Turn) -> Turn, Turn::Pause),
            (Turn::paused, Turn::Policy),
            (Turn::corrected, Turn::Person),
            (Turn::paused, Turn::Person),
            (Turn::corrected, Turn::Pause),
            (Turn::corrected, Turn::Person),
        ] {
            turn = next(turn);
            assert_eq!(turn, wanted);
        }
        for turn in Turn::ALL {
            let baton = Baton::default();
            baton.give(turn);
            assert_eq!(baton.turn(), turn);
        }
    }
}
