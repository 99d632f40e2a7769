//! What becomes of a chunk where it speaks of the same instants as the one that is carried out.
//!
//! ```text
//!  carried out  ──●──●──●──●──●            a chunk knows when its first row is due, so that rows
//!  new              ○──○──○──○──○──○       are held beside each other by their instants
//!  fed              ◐──◐──◐──◐──○──○
//! ```

use sinew_drivers::Nanos;
use sinew_drivers::clock::SECOND;
use sinew_teleop::fed::Chunk;

/// How two chunks that speak of the same instant become one; LeRobot's names and weights.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Aggregate {
    /// The newer one counts
    #[default]
    #[value(name = "latest_only")]
    LatestOnly,
    /// 0.3 of the older, 0.7 of the newer
    #[value(name = "weighted_average")]
    WeightedAverage,
    /// Half and half
    #[value(name = "average")]
    Average,
    /// 0.7 of the older, 0.3 of the newer
    #[value(name = "conservative")]
    Conservative,
}

impl Aggregate {
    /// What the older and the newer one weigh; none where the older is not looked at.
    fn weights(self) -> Option<[f64; 2]> {
        match self {
            Self::LatestOnly => None,
            Self::WeightedAverage => Some([0.3, 0.7]),
            Self::Average => Some([0.5, 0.5]),
            Self::Conservative => Some([0.7, 0.3]),
        }
    }

    /// Combines a new chunk's rows with what the one before says of their instants. Beyond the end of
    /// that one they stay as they are.
    pub fn combine(self, before: &Chunk, new: &mut Chunk) {
        let Some([older, newer]) = self.weights() else { return };
        let (first, rate, spoken) = (new.first, new.rate, before.first..before.end());
        for (number, row) in new.rows.chunks_exact_mut(new.width.max(1)).enumerate() {
            let due = first.saturating_add((number as f64 / rate * SECOND as f64) as Nanos);
            if !spoken.contains(&due) {
                continue;
            }
            for (column, value) in row.iter_mut().enumerate() {
                let Some(said) = before.at(due, column) else { continue };
                let (low, high) = (said.min(*value), said.max(*value));
                // The weights' rounding is to bring nobody past what both said.
                *value = (older * said + newer * *value).max(low).min(high);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use sinew_drivers::clock::MILLI;

    use super::*;

    const ALL: [Aggregate; 4] = [
        Aggregate::LatestOnly,
        Aggregate::WeightedAverage,
        Aggregate::Average,
        Aggregate::Conservative,
    ];

    fn chunk(first: Nanos, width: usize, rows: &[f64]) -> Chunk {
        Chunk { first, rate: 10.0, width, rows: rows.to_vec(), ..Chunk::default() }
    }

    #[test]
    fn the_weights_are_lerobots() {
        let before = chunk(0, 1, &[10.0; 4]);
        for (how, both) in ALL.into_iter().zip([20.0, 17.0, 15.0, 13.0]) {
            let mut new = chunk(100 * MILLI, 1, &[20.0; 5]);
            how.combine(&before, &mut new);
            assert_eq!(new.rows, [both, both, both, 20.0, 20.0], "{how:?}");
        }
    }

    #[test]
    fn rows_are_held_beside_each_other_by_their_instants() {
        // Of two columns, and half a row later.
        let before = chunk(0, 2, &[0.0, 8.0, 2.0, 6.0, 4.0, 4.0]);
        let mut new = chunk(50 * MILLI, 2, &[3.0, 3.0, 3.0, 3.0, 3.0, 3.0, 3.0, 3.0]);
        Aggregate::Average.combine(&before, &mut new);
        assert_eq!(new.rows, [2.0, 5.0, 3.0, 4.0, 3.5, 3.5, 3.0, 3.0]);
    }

    #[test]
    fn what_the_one_before_says_nothing_of_stays() {
        let before = chunk(SECOND, 1, &[7.0, 7.0]);
        let rows: Vec<f64> = (0..14).map(f64::from).collect();
        let mut new = chunk(0, 1, &rows);
        Aggregate::Average.combine(&before, &mut new);
        let wanted =
            |at: usize| if at == 10 || at == 11 { (rows[at] + 7.0) / 2.0 } else { rows[at] };
        assert_eq!(new.rows, (0..14).map(wanted).collect::<Vec<_>>());
        Aggregate::Average.combine(&Chunk::default(), &mut new);
        assert_eq!(new.rows, (0..14).map(wanted).collect::<Vec<_>>());
    }

    fn any_chunk() -> impl Strategy<Value = Chunk> {
        let rows = prop::collection::vec(
            any::<f32>().prop_filter("a number", |one| one.is_finite()),
            0..60,
        );
        (0..3 * SECOND, 1.0..200.0_f64, 1..4_usize, rows).prop_map(|(first, rate, width, rows)| {
            let rows = rows.into_iter().map(f64::from).collect();
            Chunk { first, rate, blend: 0, width, rows }
        })
    }

    proptest! {
        #[test]
        fn what_is_combined_lies_between_both_and_the_latest_only_is_the_latest(
            before in any_chunk(),
            mut new in any_chunk(),
        ) {
            new.width = before.width;
            let mut latest = new.clone();
            Aggregate::LatestOnly.combine(&before, &mut latest);
            prop_assert_eq!(&latest, &new);
            for how in &ALL[1..] {
                let mut both = new.clone();
                how.combine(&before, &mut both);
                prop_assert_eq!((both.first, both.len()), (new.first, new.len()));
                for (at, (value, newer)) in both.rows.iter().zip(&new.rows).enumerate() {
                    prop_assert!(value.is_finite());
                    let (row, column) = (at / new.width, at % new.width);
                    let due = new.first + (row as f64 / new.rate * SECOND as f64) as Nanos;
                    let said = before.at(due, column).filter(|_| row < new.len());
                    let said = said.filter(|_| (before.first..before.end()).contains(&due));
                    let older = said.unwrap_or(*newer);
                    prop_assert!(older.min(*newer) <= *value && *value <= older.max(*newer));
                }
            }
        }
    }
}
