//! A recorded episode as a source: it asks for what was asked for then, at its own pace.

use sinew_drivers::clock::SECOND;
use sinew_drivers::{Error, Nanos};

use crate::source::{Lead, Source};

/// Rows of values that come one after the other, with the time in between filled in.
#[derive(Clone, Debug)]
pub struct Played {
    rows: Vec<f64>,
    width: usize,
    /// Rows per second.
    rate: f64,
    began: Option<Nanos>,
    lead: Lead,
}

impl Played {
    /// Plays rows of `width` values, one behind the other, so many a second. It stands at the first
    /// until it is told to begin. `None` without a whole row, or without a rate.
    pub fn new(rows: Vec<f64>, width: usize, rate: f64) -> Option<Self> {
        let whole = width > 0 && !rows.is_empty() && rows.len().is_multiple_of(width);
        let paced = rate.is_finite() && rate > 0.0;
        (whole && paced).then(|| Self { lead: Lead::new(width), rows, width, rate, began: None })
    }

    /// How long it lasts.
    pub fn span(&self) -> Nanos {
        let steps = self.rows.len() / self.width - 1;
        (steps as f64 / self.rate * SECOND as f64) as Nanos
    }
}

impl Source for Played {
    fn read(&mut self, now: Nanos) -> Result<&Lead, Error> {
        let since = self.began.map_or(0, |began| now - began);
        let place = since as f64 / SECOND as f64 * self.rate;
        let last = self.rows.len() / self.width - 1;
        // Casts keep to the range of the type, so that a time before the begin is the first row.
        let row = (place as usize).min(last);
        let share = (place - row as f64).clamp(0.0, 1.0);
        let at = |row: usize| self.rows.iter().skip(row.min(last) * self.width);
        let values = self.lead.values.iter_mut().zip(at(row).zip(at(row + 1)));
        for (value, (here, next)) in values {
            *value = here + share * (next - here);
        }
        self.lead.age = 0;
        Ok(&self.lead)
    }

    fn lead(&self) -> &Lead {
        &self.lead
    }

    fn begin(&mut self, now: Nanos) {
        self.began.get_or_insert(now);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use sinew_drivers::clock::MILLI;

    #[test]
    fn it_waits_at_the_first_row_then_goes_at_its_rate_and_stays_at_the_last() {
        let mut played = Played::new(vec![0.0, 10.0, 1.0, 20.0, 4.0, 0.0], 2, 10.0).unwrap();
        assert_eq!(played.span(), 200 * MILLI);
        assert_eq!(played.read(7 * SECOND).unwrap().values, [0.0, 10.0]);
        let from = 9 * SECOND;
        played.begin(from);
        played.begin(from + SECOND);
        for (after, wanted) in [
            (0, [0.0, 10.0]),
            (50, [0.5, 15.0]),
            (100, [1.0, 20.0]),
            (150, [2.5, 10.0]),
            (200, [4.0, 0.0]),
            (900, [4.0, 0.0]),
        ] {
            assert_eq!(played.read(from + after * MILLI).unwrap().values, wanted, "{after} ms");
        }
    }

    #[test]
    fn what_holds_no_whole_row_cannot_be_played() {
        for (rows, width, rate) in
            [(0, 2, 10.0), (3, 2, 10.0), (2, 0, 10.0), (2, 2, 0.0), (2, 2, f64::NAN)]
        {
            assert!(Played::new(vec![0.0; rows], width, rate).is_none(), "{rows} {width} {rate}");
        }
    }
}
