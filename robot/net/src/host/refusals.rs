//! How many messages were refused, and why; who asked for a lease in vain.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};

use sinew_drivers::Nanos;
use sinew_drivers::clock::SECOND;

use crate::message::{Event, Refusal};

const WORDS: [&str; 7] =
    ["too_big", "version", "malformed", "unsigned", "no_lease", "replayed", "too_fast"];

/// Counted from the threads of the network, read by whoever tells of it.
#[derive(Debug, Default)]
pub struct Refusals([AtomicU64; WORDS.len()]);

impl Refusals {
    /// One more of this kind.
    pub fn count(&self, refusal: &Refusal) {
        let place = WORDS.iter().position(|word| *word == refusal.word());
        if let Some(count) = place.and_then(|place| self.0.get(place)) {
            count.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Those that were there at all, by their words.
    pub fn told(&self) -> BTreeMap<String, u64> {
        let counts = self.0.iter().map(|count| count.load(Ordering::Relaxed));
        let named = WORDS.iter().zip(counts).filter(|(_, count)| *count > 0);
        named.map(|(word, count)| ((*word).to_owned(), count)).collect()
    }
}

/// Those who were turned away, told of once a second at most, however often they ask.
#[derive(Debug, Default)]
pub struct TurnedAway {
    said: Option<Nanos>,
    newest: Option<Event>,
    before: u64,
}

impl TurnedAway {
    /// One more; answers what is to be said now.
    pub fn one_more(&mut self, event: Event, now: Nanos) -> Option<Event> {
        self.before += u64::from(self.newest.replace(event).is_some());
        self.due(now)
    }

    /// What is to be said by now of those that nothing was said of.
    pub fn due(&mut self, now: Nanos) -> Option<Event> {
        match self.said {
            Some(said) if now.saturating_sub(said) < SECOND => None,
            _ => self.rest().inspect(|_| self.said = Some(now)),
        }
    }

    /// What nothing was said of.
    pub fn rest(&mut self) -> Option<Event> {
        let event = self.newest.take()?;
        Some(match std::mem::take(&mut self.before) {
            0 => event,
            before => Event { text: format!("{}, and {before} before", event.text), ..event },
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::{Kind, VERSION};

    #[test]
    fn a_flood_of_those_turned_away_is_told_of_once_a_second_and_in_full() {
        let mut turned = TurnedAway::default();
        let event = |number: i64| Event {
            v: VERSION,
            kind: Kind::LeaseRefused,
            wall: number,
            who: "ben".into(),
            text: "anna drives it".into(),
        };
        let told = |event: Option<Event>| event.map(|event| (event.wall, event.text));
        let said = |number, text: &str| Some((number, text.to_owned()));
        assert_eq!(told(turned.one_more(event(0), 7)), said(0, "anna drives it"));
        for number in 1..100 {
            assert_eq!(turned.one_more(event(number), 7 + number), None);
        }
        assert_eq!(turned.due(SECOND), None);
        assert_eq!(told(turned.due(7 + SECOND)), said(99, "anna drives it, and 98 before"));
        assert_eq!(turned.due(9 * SECOND), None, "said once");
        assert_eq!(told(turned.one_more(event(100), 9 * SECOND)), said(100, "anna drives it"));
        assert_eq!(turned.one_more(event(101), 9 * SECOND), None);
        assert_eq!(told(turned.rest()), said(101, "anna drives it"));
    }

    #[test]
    fn every_kind_of_refusal_is_counted_by_its_word() {
        let refusals = Refusals::default();
        let all = [
            Refusal::TooBig { bytes: 9, most: 1 },
            Refusal::Version(2),
            Refusal::malformed("x"),
            Refusal::Unsigned,
            Refusal::NoLease,
            Refusal::Replayed,
            Refusal::TooFast,
        ];
        all.iter().for_each(|refusal| refusals.count(refusal));
        refusals.count(&Refusal::Replayed);
        let told = refusals.told();
        assert_eq!(told.len(), WORDS.len());
        assert_eq!((told["replayed"], told["version"]), (2, 1));
    }
}
