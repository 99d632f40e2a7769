//! How many messages were refused, and why.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::message::Refusal;

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

#[cfg(test)]
mod tests {
    use super::*;

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
