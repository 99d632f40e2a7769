//! Who waits for a policy: one question of each robot, in the order in which the robots came.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::message::{Observed, Refusal, SUPERSEDED, decode};

/// The most robots that wait.
const MOST_WAITING: usize = 64;
/// The most bytes that wait with them.
const MOST_BYTES: usize = 256 << 20;

/// What lies on a policy's desk; with each question its ticket, to whose holder the answer goes.
pub struct Desk<T> {
    lies: Mutex<Lies<T>>,
    changed: Condvar,
}

struct Lies<T> {
    waiting: VecDeque<Question<T>>,
    turned: BTreeMap<&'static str, u64>,
}

/// A question that waits.
pub struct Question<T> {
    /// What was seen.
    pub observed: Observed,
    /// Who is to be answered.
    pub ticket: T,
    bytes: usize,
}

impl<T> Desk<T> {
    /// An empty one.
    pub fn new() -> Self {
        let lies = Lies { waiting: VecDeque::new(), turned: BTreeMap::new() };
        Self { lies: Mutex::new(lies), changed: Condvar::new() }
    }

    fn lies(&self) -> MutexGuard<'_, Lies<T>> {
        self.lies.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lays a question down. Gives the ticket that gets no actions, and why: its own, or that of the
    /// question in whose place it came.
    pub fn lay(&self, payload: &[u8], ticket: T) -> Option<(T, String)> {
        let observed = match decode::<Observed>(payload) {
            Ok(observed) if !observed.frames.is_empty() => observed,
            Ok(_) => return Some(self.turn(ticket, &Refusal::malformed("nothing was seen"))),
            Err(refusal) => return Some(self.turn(ticket, &refusal)),
        };
        let bytes = payload.len();
        let mut lies = self.lies();
        let same = |one: &Question<T>| {
            (one.observed.asker, &one.observed.robot) == (observed.asker, &observed.robot)
        };
        let place = lies.waiting.iter().position(same);
        let instead = place.and_then(|place| lies.waiting.get(place)).map_or(0, |one| one.bytes);
        let waits: usize = lies.waiting.iter().map(|one| one.bytes).sum();
        let full = place.is_none() && lies.waiting.len() >= MOST_WAITING;
        if full || waits - instead + bytes > MOST_BYTES {
            *lies.turned.entry("too_many").or_default() += 1;
            return Some((ticket, "too many robots wait already".to_owned()));
        }
        let question = Question { observed, ticket, bytes };
        let turned = if let Some(place) = place {
            // It keeps the place of the one before: who asks often is not served later for it.
            let old = std::mem::replace(&mut lies.waiting[place], question);
            *lies.turned.entry(SUPERSEDED).or_default() += 1;
            Some((old.ticket, SUPERSEDED.to_owned()))
        } else {
            lies.waiting.push_back(question);
            None
        };
        drop(lies);
        self.changed.notify_one();
        turned
    }

    fn turn(&self, ticket: T, refusal: &Refusal) -> (T, String) {
        *self.lies().turned.entry(refusal.word()).or_default() += 1;
        (ticket, refusal.to_string())
    }

    /// The question whose turn it is, once there is one; waits so long at most.
    pub fn take(&self, patience: Duration) -> Option<Question<T>> {
        let empty = |lies: &mut Lies<T>| lies.waiting.is_empty();
        let waited = self.changed.wait_timeout_while(self.lies(), patience, empty);
        let (mut lies, _) = waited.unwrap_or_else(PoisonError::into_inner);
        lies.waiting.pop_front()
    }

    /// How many were turned away, and for what.
    pub fn turned(&self) -> BTreeMap<&'static str, u64> {
        self.lies().turned.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::{Frame, VERSION, View, encode};

    const NOW: Duration = Duration::ZERO;

    fn seen(robot: &str, asker: u64, state: f64) -> Vec<u8> {
        let frame =
            Frame { state: vec![state], environment_state: Vec::new(), images: BTreeMap::new() };
        let (robot, frames) = (robot.to_owned(), vec![frame]);
        encode(&Observed { v: VERSION, robot, asker, task: None, frames })
    }

    #[test]
    fn the_newest_question_of_a_robot_has_the_turn_of_its_oldest() {
        let desk = Desk::new();
        assert!(desk.lay(&seen("a", 1, 0.0), 10).is_none());
        assert!(desk.lay(&seen("b", 2, 0.0), 20).is_none());
        // Another one of the same name, and a's second and third.
        assert!(desk.lay(&seen("a", 3, 0.0), 30).is_none());
        let superseded = |ticket| Some((ticket, SUPERSEDED.to_owned()));
        assert_eq!(desk.lay(&seen("a", 1, 1.0), 11), superseded(10));
        assert_eq!(desk.lay(&seen("a", 1, 2.0), 12), superseded(11));
        let first = desk.take(NOW).unwrap();
        assert_eq!((first.ticket, first.observed.frames[0].state[0]), (12, 2.0));
        // Whoever was answered waits behind those who were not.
        assert!(desk.lay(&seen("a", 1, 3.0), 13).is_none());
        let then: Vec<_> = std::iter::from_fn(|| Some(desk.take(NOW)?.ticket)).collect();
        assert_eq!(then, [20, 30, 13]);
        assert_eq!(desk.turned(), BTreeMap::from([(SUPERSEDED, 2)]));
    }

    #[test]
    fn what_is_no_question_is_turned_away_with_the_reason() {
        let desk = Desk::new();
        let why = |payload: &[u8]| desk.lay(payload, ()).unwrap().1;
        assert_eq!(why(b"x"), "it ends too early");
        assert_eq!(why(&[]), "it ends too early");
        let empty =
            Observed { v: VERSION, robot: "a".into(), asker: 1, task: None, frames: Vec::new() };
        assert_eq!(why(&encode(&empty)), "nothing was seen");
        assert!(why(&encode(&Observed { v: 2, ..empty })).contains("version 2"));
        assert!(desk.take(NOW).is_none());
        assert_eq!(desk.turned().values().sum::<u64>(), 4);
    }

    #[test]
    fn there_is_an_end_to_who_waits() {
        let desk = Desk::new();
        let asker = |number| u64::try_from(number).unwrap();
        for number in 0..MOST_WAITING {
            assert!(desk.lay(&seen("a", asker(number), 0.0), number).is_none());
        }
        let (ticket, why) = desk.lay(&seen("a", 1 << 40, 0.0), 1000).unwrap();
        assert!(ticket == 1000 && why.contains("too many robots"), "{why}");
        assert!(desk.lay(&seen("a", 5, 0.0), 1001).is_some_and(|(ticket, _)| ticket == 5));
    }

    /// A question with this many bytes of pixels.
    fn large(asker: u64, bytes: usize) -> Vec<u8> {
        let data = vec![0; bytes];
        let view = View { width: 4096, height: 2560, format: "rgb8".into(), data };
        let images = BTreeMap::from([("observation.images.top".to_owned(), view)]);
        let frames = vec![Frame { state: vec![0.0], environment_state: Vec::new(), images }];
        encode(&Observed { v: VERSION, robot: "a".into(), asker, task: None, frames })
    }

    #[test]
    fn there_is_an_end_to_what_lies_there() {
        let desk = Desk::new();
        let lay = |asker| desk.lay(&large(asker, 30 << 20), asker).map(|(ticket, _)| ticket);
        assert_eq!((0..9).filter_map(lay).collect::<Vec<_>>(), [8]);
    }

    #[test]
    fn what_comes_in_the_place_of_something_small_has_the_same_end() {
        let desk = Desk::new();
        for asker in 0..9 {
            assert!(desk.lay(&seen("a", asker, 0.0), asker).is_none());
        }
        let lay = |asker| desk.lay(&large(asker, 30 << 20), 100 + asker);
        let turned: Vec<_> = (0..9).filter_map(lay).collect();
        assert!(turned.iter().take(8).all(|(_, why)| why == SUPERSEDED), "{turned:?}");
        assert!(turned[8].0 == 108 && turned[8].1.contains("too many"), "{turned:?}");
        // The question that was there stays, and a large one takes the place of a large one.
        assert_eq!(lay(3), Some((103, SUPERSEDED.to_owned())));
        assert_eq!(std::iter::from_fn(|| desk.take(NOW)).last().map(|one| one.ticket), Some(8));
    }
}
