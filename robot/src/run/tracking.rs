//! How far an arm is off from where it was sent.

use serde_json::{Map, Value, json};

use super::control::{Pair, value_names};

/// Errors of each value, tick by tick: where it is, against where the tick before sent it.
#[derive(Debug)]
pub struct Tracking {
    names: Vec<String>,
    sent: Vec<f64>,
    sums: Vec<f64>,
    most: Vec<f64>,
    ticks: u64,
}

impl Tracking {
    /// Nothing counted yet, of these arms.
    pub fn new(pairs: &[Pair]) -> Self {
        let names = value_names(pairs);
        let zeros = vec![0.0; names.len()];
        Self {
            names,
            sent: vec![f64::NAN; zeros.len()],
            sums: zeros.clone(),
            most: zeros,
            ticks: 0,
        }
    }

    /// Counts a tick.
    pub fn count(&mut self, pairs: &[Pair]) {
        let seen = pairs.iter().flat_map(|pair| &pair.follower.observation().values);
        let places = self.sent.iter().zip(self.sums.iter_mut().zip(&mut self.most));
        let mut known = false;
        for ((sent, (sum, most)), seen) in places.zip(seen) {
            let off = (sent - seen).abs();
            if off.is_finite() {
                known = true;
                *sum += off;
                *most = most.max(off);
            }
        }
        self.ticks += u64::from(known);
        let sent = pairs.iter().flat_map(|pair| &pair.follower.sent().values);
        self.sent.iter_mut().zip(sent).for_each(|(place, sent)| *place = *sent);
    }

    /// Each value's name, its mean error and its greatest.
    pub fn errors(&self) -> impl Iterator<Item = (&str, f64, f64)> {
        let ticks = self.ticks.max(1) as f64;
        let errors = self.sums.iter().zip(&self.most);
        self.names.iter().zip(errors).map(move |(name, (sum, most))| (&**name, sum / ticks, *most))
    }

    /// The figures that scripts read.
    pub fn json(&self) -> Value {
        let errors = self.errors().map(|(name, mean, most)| {
            let rounded = [mean, most].map(|error| (error * 1e3).round() / 1e3);
            (name.to_owned(), json!({ "mean": rounded[0], "max": rounded[1] }))
        });
        Value::Object(errors.collect::<Map<_, _>>())
    }
}
