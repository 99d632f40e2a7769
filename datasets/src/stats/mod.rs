//! Statistics of an episode and of a dataset, number for number as LeRobot computes them.
//!
//! LeRobot estimates quantiles from a histogram of 5000 bins laid in the precision of the data, and
//! averages in that precision too; [`vector`] does the same in the same order, so that the results
//! agree to the last digits. Images are sampled over the episode and over their pixels ([`image`]).
//! There LeRobot adds millions of pixels in 32-bit floats and is off by up to some 0.1 %; here the
//! sums are exact, which is the same wherever LeRobot's are.

mod aggregate;
mod bins;
mod episode;
pub mod image;
pub mod vector;

use serde_json::{Map, Value};

pub use aggregate::aggregate;
pub use episode::{of_column, of_episode};

/// The quantiles that are kept, with the names of their entries.
pub const QUANTILES: [(f64, &str); 5] =
    [(0.01, "q01"), (0.10, "q10"), (0.50, "q50"), (0.90, "q90"), (0.99, "q99")];

/// The statistics of one feature: a number per position, or per channel of an image.
#[derive(Clone, Debug, PartialEq)]
pub struct Stats {
    /// Whether each number stands for a channel of an image, kept in shape (3, 1, 1), of depth in (1, 1, 1).
    pub of_image: bool,
    /// The smallest.
    pub min: Vec<f64>,
    /// The largest.
    pub max: Vec<f64>,
    /// The mean.
    pub mean: Vec<f64>,
    /// The standard deviation.
    pub std: Vec<f64>,
    /// How many frames were looked at.
    pub count: u64,
    /// One list for each of [`QUANTILES`]; none in datasets older than they are.
    pub quantiles: Option<[Vec<f64>; 5]>,
}

/// The statistics of every feature, in their order.
pub type AllStats = Vec<(String, Stats)>;

impl Stats {
    /// Each list with the name of its entry, in LeRobot's order, the count left out.
    pub fn lists(&self) -> impl Iterator<Item = (&'static str, &[f64])> {
        let basic = [
            ("min", &self.min[..]),
            ("max", &self.max[..]),
            ("mean", &self.mean[..]),
            ("std", &self.std[..]),
        ];
        let quantiles = self.quantiles.iter().flat_map(|lists| {
            QUANTILES.iter().zip(lists).map(|((_, name), list)| (*name, &list[..]))
        });
        basic.into_iter().chain(quantiles)
    }

    /// Puts statistics together from lists found by the name of their entry.
    pub fn from_lists(
        of_image: bool,
        count: u64,
        mut list: impl FnMut(&str) -> Option<Vec<f64>>,
    ) -> Option<Self> {
        let [min, max, mean, std] = ["min", "max", "mean", "std"].map(&mut list);
        let [a, b, c, d, e] = QUANTILES.map(|(_, name)| list(name));
        let stats = Self {
            of_image,
            min: min?,
            max: max?,
            mean: mean?,
            std: std?,
            count,
            quantiles: (|| Some([a?, b?, c?, d?, e?]))(),
        };
        let width = stats.min.len();
        let even = stats.lists().all(|(_, list)| list.len() == width);
        even.then_some(stats)
    }

    /// The entry of stats.json.
    pub fn to_json(&self) -> Value {
        let shaped = |list: &[f64]| match self.of_image {
            true => list.iter().map(|value| serde_json::json!([[value]])).collect(),
            false => Value::from(list.to_vec()),
        };
        let mut map = Map::new();
        for (name, list) in self.lists() {
            map.insert(name.into(), shaped(list));
            if name == "std" {
                map.insert("count".into(), serde_json::json!([self.count]));
            }
        }
        Value::Object(map)
    }

    /// Reads an entry of stats.json; none when it is not one.
    pub fn from_json(value: &Value) -> Option<Self> {
        let of_image = value.get("mean")?.get(0)?.is_array();
        let count = value.get("count")?.get(0)?.as_f64()?;
        Self::from_lists(of_image, count as u64, |name| {
            let mut flat = Vec::new();
            flatten(value.get(name)?, &mut flat)?;
            Some(flat)
        })
    }
}

/// The numbers of nested lists, one after the other.
fn flatten(value: &Value, into: &mut Vec<f64>) -> Option<()> {
    match value {
        Value::Array(items) => items.iter().try_for_each(|item| flatten(item, into)),
        number => {
            into.push(number.as_f64()?);
            Some(())
        }
    }
}

/// The text of stats.json.
pub fn to_text(all: &AllStats) -> String {
    let map = all.iter().map(|(name, stats)| (name.clone(), stats.to_json())).collect();
    crate::schema::pretty(&Value::Object(map))
}

/// Reads stats.json; features whose entries are not understood are left out.
pub fn parse(text: &[u8]) -> Option<AllStats> {
    let value: Value = serde_json::from_slice(text).ok()?;
    let entries = value.as_object()?.iter();
    Some(
        entries
            .filter_map(|(name, entry)| Some((name.clone(), Stats::from_json(entry)?)))
            .collect(),
    )
}
