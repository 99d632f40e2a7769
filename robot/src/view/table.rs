//! Leader and follower as bars in the terminal, drawn by a thread of its own.

use std::fmt::Write;
use std::sync::{Arc, Mutex, PoisonError};

use crate::run::control::Pair;
use crate::run::stats::Stats;

/// How many letters a bar is wide.
const WIDTH: usize = 28;

/// One joint as it is drawn.
#[derive(Debug, Clone, Default)]
pub struct Row {
    /// The joint.
    pub name: String,
    /// Its range.
    pub range: (f64, f64),
    /// Where the leader is.
    pub asked: f64,
    /// Where the follower is.
    pub there: f64,
    /// Whether the follower's reading is of this tick.
    pub fresh: bool,
    /// Whether a limit changed the goal.
    pub limited: bool,
}

/// The newest picture, shared between the loop, which never waits for it, and whoever draws.
#[derive(Debug, Clone, Default)]
pub struct Picture {
    rows: Arc<Mutex<(Vec<Row>, String)>>,
}

impl Picture {
    /// A picture with a row per joint of every pair.
    pub fn new(pairs: &[Pair]) -> Self {
        let joints = pairs.iter().flat_map(|pair| {
            let names = pair.follower.spec().value_names().into_iter();
            names.zip(pair.follower.ranges()).map(|(name, range)| Row {
                name: name.trim_end_matches(".pos").to_owned(),
                range,
                ..Row::default()
            })
        });
        Self { rows: Arc::new(Mutex::new((joints.collect(), String::with_capacity(256)))) }
    }

    /// Takes the newest state, unless somebody is drawing: then the next tick's does.
    pub fn update(&self, pairs: &[Pair], stats: &Stats) {
        let Ok(mut shared) = self.rows.try_lock() else { return };
        let (rows, line) = &mut *shared;
        let mut rows = rows.iter_mut();
        for pair in pairs {
            let seen = pair.follower.observation();
            let applied = &pair.follower.sent().applied;
            for (place, (asked, row)) in pair.asked().iter().zip(rows.by_ref()).enumerate() {
                row.asked = *asked;
                row.there = seen.values.get(place).copied().unwrap_or(f64::NAN);
                row.fresh = seen.fresh.get(place).copied().unwrap_or_default();
                row.limited = applied.get(place).is_some_and(|applied| !applied.is_empty());
            }
        }
        line.clear();
        // Writing to a string with room for it neither fails nor allocates.
        write!(
            line,
            "{:.1} Hz · tick p50 {} µs, p99 {} µs · {} late of {}",
            stats.rate(),
            stats.tick.quantile(0.5),
            stats.tick.quantile(0.99),
            stats.late_ticks,
            stats.ticks
        )
        .unwrap_or_default();
    }

    /// The picture as text, to be drawn over itself.
    pub fn text(&self, again: bool) -> String {
        let shared = self.rows.lock().unwrap_or_else(PoisonError::into_inner);
        let (rows, line) = &*shared;
        let mut text = String::new();
        if again {
            text += &format!("\x1b[{}A", rows.len() + 1);
        }
        for row in rows {
            text += "\x1b[2K";
            text += &bar(row);
            text.push('\n');
        }
        text + "\x1b[2K" + line + "\n"
    }
}

/// `shoulder_pan   ──────●──┼○──────   12.3 →  12.9`: the hollow mark leads, the full one follows.
fn bar(row: &Row) -> String {
    let place = |value: f64| {
        let (low, high) = row.range;
        let share = (value - low) / (high - low);
        let share = if share.is_finite() { share.clamp(0.0, 1.0) } else { 0.5 };
        (share * (WIDTH - 1) as f64).round() as usize
    };
    let (asked, there) = (place(row.asked), place(row.there));
    let marks: String = (0..WIDTH)
        .map(|at| match at {
            at if at == there => '●',
            at if at == asked => '○',
            at if at == WIDTH / 2 => '┼',
            _ => '─',
        })
        .collect();
    let remark = match (row.fresh, row.limited) {
        (false, _) => "  no answer",
        (true, true) => "  limited",
        (true, false) => "",
    };
    format!("{:<16}{marks} {:>8.1} → {:>7.1}{remark}", row.name, row.asked, row.there)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bar_shows_both_marks_and_survives_no_number() {
        let row = Row {
            name: "wrist_roll".into(),
            range: (-100.0, 100.0),
            asked: 100.0,
            there: -100.0,
            fresh: true,
            limited: true,
        };
        let text = bar(&row);
        assert!(text.contains("●") && text.contains("○") && text.ends_with("limited"));
        assert!(text.find('●') < text.find('○'));
        let lost = bar(&Row { asked: f64::NAN, fresh: false, ..row });
        assert!(lost.ends_with("no answer"));
    }
}
