//! A dry run: whether an arm can hold its rate is known before there is torque.

use std::ops::ControlFlow;

use sinew_drivers::stop::StopFlag;
use sinew_drivers::{Clock, Error, Nanos};

use super::control::{Lap, Pace, Pair, rehearse};
use super::stats::Stats;

/// The rate at which arms are driven.
#[derive(Clone, Copy, Debug)]
pub struct Rate {
    /// Ticks per second.
    pub fps: f64,
    /// The rows per second that it is a multiple of, where it is one.
    pub rows: Option<f64>,
    /// The flag that says how often, or how many ticks a row has.
    pub flag: &'static str,
}

impl Rate {
    /// A rate that is nothing's multiple.
    pub fn plain(fps: f64) -> Self {
        Self { fps, rows: None, flag: "--fps" }
    }

    /// What to type where only so many ticks a second can be held.
    pub fn remedy(self, holds: f64) -> String {
        let Some(rows) = self.rows else {
            return format!("{}={holds} or less; nothing has moved", self.flag);
        };
        match (holds / rows).floor() {
            ticks if ticks >= 1.0 => {
                let value = if self.flag == "--fps" { ticks * rows } else { ticks };
                format!("{}={value}; nothing has moved", self.flag)
            }
            _ => format!("not even {rows} rows a second can be held; nothing has moved"),
        }
    }
}

/// A rate that cannot be held.
#[derive(Clone, Debug, PartialEq)]
pub struct TooFast {
    /// The stage that takes most of the time.
    pub stage: &'static str,
    /// What half of all ticks take in it at least, in milliseconds.
    pub takes_ms: f64,
    /// How long a tick may be, in milliseconds.
    pub has_ms: f64,
    /// A rate that can be held.
    pub holds: f64,
}

/// What a dry run has shown.
#[derive(Clone, Debug, PartialEq)]
pub enum Verdict {
    /// It holds the rate.
    Holds,
    /// It holds it, but this share of ticks is late.
    Stumbles(f64),
    /// It does not.
    TooFast(TooFast),
}

/// More late ticks than this are worth a word.
const STUMBLES: f64 = 0.1;

/// Reads, without any command, for as long as `span`, and judges.
pub fn judge(
    pairs: &mut [Pair],
    clock: &Clock,
    fps: f64,
    span: Nanos,
    flag: &StopFlag,
    stats: Stats,
) -> Result<Verdict, Error> {
    let pace = Pace { fps, duration: Some(span) };
    let Lap { stats, error, .. } =
        rehearse(pairs, clock, pace, stats, |_, _, _| match flag.raised() {
            Some(_) => ControlFlow::Break(()),
            None => ControlFlow::Continue(()),
        });
    if let Some(error) = error {
        return Err(error);
    }
    if let Some(request) = flag.raised() {
        return Err(Error::Stopped { cause: request.cause });
    }
    Ok(verdict(&stats, fps))
}

fn verdict(stats: &Stats, fps: f64) -> Verdict {
    let has = 1e6 / fps;
    // What half of the ticks take: one that was late for the system's sake says nothing of the arm.
    let stages = [("reading the motors", &stats.bus), ("the computing", &stats.work)];
    let stages = stages.map(|(stage, spans)| (stage, spans.quantile(0.5) as f64));
    let all: f64 = stages.iter().map(|(_, takes)| takes).sum();
    if all > has {
        let [bus, work] = stages;
        let (stage, takes) = if bus.1 >= work.1 { bus } else { work };
        let holds = (0.9e6 / all).floor().max(1.0);
        let (takes_ms, has_ms) = (takes / 1e3, has / 1e3);
        return Verdict::TooFast(TooFast { stage, takes_ms, has_ms, holds });
    }
    let late = stats.late_ticks as f64 / stats.ticks.max(1) as f64;
    if late > STUMBLES { Verdict::Stumbles(late) } else { Verdict::Holds }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::stats::Last;
    use sinew_drivers::clock::MILLI;

    fn stats(bus: Nanos, work: Nanos, late: u64) -> Stats {
        let mut stats = Stats::new(0).unwrap();
        for _ in 0..20 {
            stats.count(Last { bus, work, tick: bus + work, ..Last::default() });
        }
        stats.late_ticks = late;
        stats
    }

    #[test]
    fn a_bus_that_is_too_slow_is_named_with_a_rate_that_it_holds() {
        let Verdict::TooFast(slow) = verdict(&stats(9 * MILLI, MILLI, 20), 200.0) else { panic!() };
        assert_eq!(slow.stage, "reading the motors");
        assert!((slow.takes_ms - 9.0).abs() < 0.1 && slow.has_ms == 5.0, "{slow:?}");
        assert!((85.0..=90.0).contains(&slow.holds), "{slow:?}");
        assert_eq!(verdict(&stats(9 * MILLI, MILLI, 0), slow.holds), Verdict::Holds);
    }

    #[test]
    fn late_ticks_for_the_systems_sake_are_told_and_not_refused() {
        assert_eq!(verdict(&stats(MILLI, MILLI, 5), 200.0), Verdict::Stumbles(0.25));
        assert_eq!(verdict(&stats(MILLI, MILLI, 1), 200.0), Verdict::Holds);
    }

    #[test]
    fn a_rate_that_is_held_is_typed_as_the_command_takes_it() {
        let rate = |rows, flag| Rate { fps: 200.0, rows, flag };
        assert!(Rate::plain(200.0).remedy(113.0).starts_with("--fps=113 or less"));
        assert!(rate(Some(30.0), "--fps").remedy(113.0).starts_with("--fps=90;"));
        let multiplier = rate(Some(30.0), "--interpolation_multiplier").remedy(113.0);
        assert!(multiplier.starts_with("--interpolation_multiplier=3;"), "{multiplier}");
        let none = rate(Some(30.0), "--fps").remedy(29.0);
        assert!(none.starts_with("not even 30 rows"), "{none}");
    }
}
