//! A loop in the terminal: joints, pace, cameras, disk and what is being done. Drawn by a thread of
//! its own below whatever else is said, ten times a second.
//!
//! ```text
//! shoulder_pan    ─────────────┼─●○─────────    12.3 →    11.9
//! gripper         ●────────────┼────────────     0.0 →     0.0  limited
//! 60.0 Hz · tick p50 812 µs, p99 1203 µs · 0 late of 1234 · 0 answers lost
//! work   1 µs ···▁█▆▂▁·············  1 s  p50 17 · p99 44 · p99.9 61 µs
//! front 30.0/s · wrist 29.9/s · 0 rows wait · 12.3 GB free
//! episode 3, 2 of 5: 210 of 900 frames, 0:23 left ━━━━━━────────────
//! ```

use std::fmt;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Mutex, PoisonError};

use ratatui_core::buffer::{Buffer, Cell};
use ratatui_core::layout::Rect;
use ratatui_core::style::{Color, Style, Stylize};
use ratatui_core::text::{Line, Span};
use ratatui_core::widgets::Widget;
use ratatui_widgets::gauge::LineGauge;
use serde_json::{Value, json};
use sinew_drivers::Nanos;
use sinew_drivers::clock::MILLI;

use crate::cli::stage::Doing;
use crate::run::control::{Pair, value_names};
use crate::run::stats::{POWERS, Spans, Stats};

/// How many letters a joint's bar is wide.
const BAR: usize = 28;

/// From one picture to the next.
pub const EVERY: Nanos = 100 * MILLI;

/// A joint as it is drawn.
#[derive(Debug, Clone, Default)]
struct Row {
    name: String,
    range: (f64, f64),
    /// Where it is asked to be.
    asked: f64,
    /// Where it is.
    there: f64,
    /// Whether that is of this tick.
    fresh: bool,
    /// Whether a limit changed the goal.
    limited: bool,
}

/// How the loop goes.
#[derive(Debug, Clone, Copy, Default)]
pub struct Going {
    rate: f64,
    p50: u64,
    p99: u64,
    late: u64,
    ticks: u64,
    lost: u64,
    /// Its stages, where they are asked for.
    stages: Option<[Taken; STAGES.len()]>,
}

const STAGES: [&str; 3] = ["wake", "bus", "work"];

/// What a stage took so far.
#[derive(Debug, Clone, Copy)]
struct Taken {
    p50: u64,
    p99: u64,
    p999: u64,
    powers: [u32; POWERS],
}

impl From<&Spans> for Taken {
    fn from(spans: &Spans) -> Self {
        let [p50, p99, p999] = [0.5, 0.99, 0.999].map(|share| spans.quantile(share));
        Self { p50, p99, p999, powers: *spans.powers() }
    }
}

impl Taken {
    /// A bar for each power of two; one tick among thousands is seen too.
    fn bars(&self) -> String {
        let most = f64::from(self.powers.iter().max().copied().unwrap_or(0));
        let bar = |count: &u32| match count {
            0 => '·',
            count => {
                let share = f64::from(*count).ln_1p() / most.ln_1p();
                ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'][(share * 7.0).round() as usize % 8]
            }
        };
        self.powers.iter().map(bar).collect()
    }
}

impl Going {
    /// The figures that scripts read while the loop runs.
    pub fn json(&self) -> Value {
        let mut json = json!({
            "type": "stats",
            "ticks": self.ticks,
            "rate_hz": (self.rate * 100.0).round() / 100.0,
            "late_ticks": self.late,
        });
        for (name, taken) in STAGES.iter().zip(self.stages.iter().flatten()) {
            json[format!("{name}_us")] =
                json!({ "p50": taken.p50, "p99": taken.p99, "p999": taken.p999 });
        }
        json
    }
}

impl fmt::Display for Going {
    /// One line, where there is no room for pictures.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.1} Hz · {} late of {}", self.rate, self.late, self.ticks)?;
        for (name, taken) in STAGES.iter().zip(self.stages.iter().flatten()) {
            write!(f, " · {name} {}/{}/{}", taken.p50, taken.p99, taken.p999)?;
        }
        f.write_str(" µs (p50/p99/p99.9)")
    }
}

/// What the loop hands to the panel, without ever waiting for it.
pub struct Panel {
    newest: Mutex<(Vec<Row>, Going)>,
    /// When the next state is to be taken.
    due: AtomicI64,
    /// Whether the loop is shown stage by stage.
    staged: bool,
}

impl Panel {
    /// A panel with a row for each joint, and with the loop's stages where they are asked for.
    pub fn new(pairs: &[Pair], staged: bool) -> Self {
        let ranges = pairs.iter().flat_map(|pair| pair.follower.reaches()).map(|reach| reach.range);
        let rows = value_names(pairs).into_iter().zip(ranges).map(|(name, range)| Row {
            name: name.trim_end_matches(".pos").to_owned(),
            range,
            ..Row::default()
        });
        let newest = Mutex::new((rows.collect(), Going::default()));
        Self { newest, due: AtomicI64::new(Nanos::MIN), staged }
    }

    /// Takes the newest state where the next picture needs it, unless one is being drawn.
    pub fn update(&self, pairs: &[Pair], stats: &Stats) {
        if stats.last.done < self.due.load(Ordering::Relaxed) {
            return;
        }
        let Ok(mut newest) = self.newest.try_lock() else { return };
        self.due.store(stats.last.done + EVERY, Ordering::Relaxed);
        let (rows, going) = &mut *newest;
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
        *going = Going {
            rate: stats.rate(),
            p50: stats.tick.quantile(0.5),
            p99: stats.tick.quantile(0.99),
            late: stats.late_ticks,
            ticks: stats.ticks,
            lost: pairs.iter().map(Pair::lost).sum(),
            stages: self.staged.then(|| [&stats.wake, &stats.bus, &stats.work].map(Taken::from)),
        };
    }

    /// How the loop goes.
    pub fn going(&self) -> Going {
        self.newest.lock().unwrap_or_else(PoisonError::into_inner).1
    }

    /// A picture, so wide, and of at most so many lines: joints make way first.
    pub fn picture(&self, beside: &str, doing: &Doing, wide: u16, high: u16) -> Buffer {
        let (rows, going) = self.newest.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let mut below = vec![Line::from(format!(
            "{:.1} Hz · tick p50 {} µs, p99 {} µs · {} late of {} · {} answers lost",
            going.rate, going.p50, going.p99, going.late, going.ticks, going.lost
        ))];
        for (name, taken) in STAGES.iter().zip(going.stages.iter().flatten()) {
            let bars = taken.bars();
            let Taken { p50, p99, p999, .. } = taken;
            let line =
                format!("{name:<5} 1 µs {bars} 1 s  p50 {p50} · p99 {p99} · p99.9 {p999} µs");
            below.push(Line::from(line));
        }
        if !beside.is_empty() {
            below.push(Line::from(beside.to_owned()));
        }
        let lines = below.len() + usize::from(!doing.line.is_empty());
        let joints = rows.len().min(usize::from(high).saturating_sub(lines));
        let shown = rows.iter().take(joints).map(bar).chain(below);
        let high = u16::try_from(joints + lines).unwrap_or(high);
        let mut picture = Buffer::empty(Rect::new(0, 0, wide, high));
        let mut at = 0;
        for line in shown {
            line.render(Rect::new(0, at, wide, 1), &mut picture);
            at += 1;
        }
        match doing.share {
            _ if doing.line.is_empty() => {}
            None => Line::from(doing.line.as_str()).bold().render(last(wide, at), &mut picture),
            Some(share) => LineGauge::default()
                .label(Line::from(doing.line.as_str()).bold())
                .ratio(if share.is_finite() { share.clamp(0.0, 1.0) } else { 0.0 })
                .filled_symbol("━")
                .unfilled_symbol("─")
                .filled_style(Style::new().fg(Color::Green))
                .render(last(wide, at), &mut picture),
        }
        picture
    }
}

fn last(wide: u16, at: u16) -> Rect {
    Rect::new(0, at, wide, 1)
}

/// The hollow mark is where a joint is asked to be, the full one where it is.
fn bar(row: &Row) -> Line<'static> {
    let place = |value: f64| {
        let (low, high) = row.range;
        let share = (value - low) / (high - low);
        let share = if share.is_finite() { share.clamp(0.0, 1.0) } else { 0.5 };
        (share * (BAR - 1) as f64).round() as usize
    };
    let (asked, there) = (place(row.asked), place(row.there));
    let mark = |at: usize| match at {
        at if at == there => Span::from("●").bold(),
        at if at == asked => Span::from("○"),
        at if at == BAR / 2 => Span::from("┼").dim(),
        _ => Span::from("─").dim(),
    };
    let remark = match (row.fresh, row.limited) {
        (false, _) => Span::from("  no answer").red(),
        (true, true) => Span::from("  limited").yellow(),
        (true, false) => Span::from(""),
    };
    let name = Span::from(format!("{:<16}", row.name));
    // Nobody is at minus nothing.
    let [asked, there] = [row.asked, row.there].map(|value| (value * 10.0).round() / 10.0 + 0.0);
    let values = Span::from(format!(" {asked:>8.1} → {there:>7.1}"));
    std::iter::once(name).chain((0..BAR).map(mark)).chain([values, remark]).collect()
}

/// A picture as text that takes the place of the one before, of so many lines, with other lines above
/// it.
pub fn text(picture: &Buffer, before: u16, above: &[String], colour: bool) -> String {
    let mut text = String::new();
    if before > 0 {
        text += &format!("\x1b[{before}A");
    }
    text += "\r\x1b[J";
    for line in above {
        text += line;
        text += "\r\n";
    }
    for row in picture.content.chunks(usize::from(picture.area.width).max(1)) {
        let mut now = anstyle::Style::new();
        let end = row.iter().rposition(|cell| cell.symbol() != " ").map_or(0, |last| last + 1);
        for cell in row.iter().take(end) {
            let style = if colour { ansi(cell) } else { now };
            if style != now {
                text += &format!("{now:#}{style}");
                now = style;
            }
            text += cell.symbol();
        }
        text += &format!("{now:#}\r\n");
    }
    text
}

/// How a terminal is told of a cell's style; its own colours are those it is not told of.
fn ansi(cell: &Cell) -> anstyle::Style {
    let mut style = cell.style();
    for colour in [&mut style.fg, &mut style.bg] {
        colour.take_if(|colour| *colour == Color::Reset);
    }
    style.into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use sinew_drivers::clock::MICRO;

    fn row() -> Row {
        Row {
            name: "wrist_roll".into(),
            range: (-100.0, 100.0),
            asked: 100.0,
            there: -100.0,
            fresh: true,
            limited: true,
        }
    }

    fn panel(rows: Vec<Row>) -> Panel {
        let newest = Mutex::new((rows, Going::default()));
        Panel { newest, due: AtomicI64::new(0), staged: false }
    }

    fn plain(picture: &Buffer) -> Vec<String> {
        let text = text(picture, 0, &[], false);
        text.lines().map(|line| line.trim_start_matches("\r\x1b[J").to_owned()).collect()
    }

    #[test]
    fn a_joint_shows_both_marks_and_survives_no_number() {
        let lost = Row { asked: f64::NAN, fresh: false, ..row() };
        let still = Row { there: -0.04, ..row() };
        let picture = panel(vec![row(), lost, still]).picture("", &Doing::default(), 80, 24);
        let lines = plain(&picture);
        assert!(lines[0].contains("●") && lines[0].contains("○") && lines[0].ends_with("limited"));
        assert!(lines[0].find('●') < lines[0].find('○'));
        assert!(lines[1].ends_with("no answer"), "{}", lines[1]);
        assert!(lines[2].contains("→     0.0"), "{}", lines[2]);
        assert_eq!(lines.len(), 4);
    }

    #[test]
    fn a_small_terminal_leaves_joints_out_and_never_the_rest() {
        let doing = Doing { line: "episode 0: 3 of 9 frames".into(), share: Some(1.0 / 3.0) };
        for (wide, high) in [(80, 5), (20, 3), (1, 1), (0, 0)] {
            let picture = panel(vec![row(); 12]).picture("front 30.0/s", &doing, wide, high);
            assert!(picture.area.height <= high.max(3), "{:?}", picture.area);
        }
        let lines = plain(&panel(vec![row(); 12]).picture("front 30.0/s", &doing, 80, 5));
        assert!(lines[2].starts_with("0.0 Hz"), "{lines:?}");
        assert_eq!(lines[3], "front 30.0/s");
        assert!(lines[4].starts_with("episode 0: 3 of 9 frames ━"), "{lines:?}");
    }

    #[test]
    fn the_loops_stages_are_pictures_where_there_is_room_and_a_line_elsewhere() {
        let mut spans = Spans::new().unwrap();
        (0..999).for_each(|_| spans.count(17 * MICRO));
        spans.count(40 * MILLI);
        let stages = Some([&spans; STAGES.len()].map(Taken::from));
        let going = Going { rate: 60.0, ticks: 1000, late: 1, stages, ..Going::default() };
        let panel = Panel { newest: Mutex::new((vec![row()], going)), ..panel(vec![]) };
        let lines = plain(&panel.picture("", &Doing::default(), 80, 24));
        assert_eq!(lines.len(), 5);
        let bars = "work  1 µs ····█··········▂····· 1 s  p50 17 · p99 17 · p99.9 17 µs";
        assert_eq!(lines[4], bars);
        let line = "60.0 Hz · 1 late of 1000 · wake 17/17/17 · bus 17/17/17 · work 17/17/17 µs (p50/p99/p99.9)";
        assert_eq!(panel.going().to_string(), line);
        let json = panel.going().json();
        assert_eq!((&json["type"], &json["bus_us"]["p999"]), (&json!("stats"), &json!(17)));
    }

    #[test]
    fn what_is_said_goes_above_and_the_picture_over_itself() {
        let picture = panel(vec![row()]).picture("", &Doing::default(), 80, 24);
        let text = text(&picture, 2, &["saved".into()], true);
        assert!(text.starts_with("\x1b[2A\r\x1b[Jsaved\r\n"), "{text:?}");
        assert!(text.contains("\x1b[33m"), "limited stands out: {text:?}");
        assert_eq!(text.matches("\r\n").count(), 3);
    }
}
