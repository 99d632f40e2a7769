//! How even the ticks of a recording were, and what they took.

use super::html::{Page, escape};
use crate::frame::Stages;
use crate::tables::timing::Instant;

const BINS: usize = 40;

/// Histograms of the time between two ticks and of the ticks' stages.
pub fn ticks(page: &mut Page, fps: u32, cameras: &[String], rows: &[(u64, Instant)]) {
    let ticks = rows.iter().map(|(_, instant)| instant.stamps.tick_ns);
    let later = ticks.clone().skip(1);
    let steps = ticks.zip(later).map(|(a, b)| ms(b.saturating_sub(a)));
    let Some(steps) = Spans::new(steps) else { return };
    let late = rows.iter().filter(|(_, instant)| instant.stamps.late).count();
    page.raw(&format!("<h3>Time between ticks <small>{steps} · {late} late</small></h3>"));
    // From nothing to twice what it should be.
    steps.draw(page, "time between ticks", 2000.0 / f64::from(fps));
    for (at, name) in Stages::NAMES.iter().enumerate() {
        let took = rows.iter().map(|(_, instant)| ms(instant.stamps.stages.list()[at]));
        let Some(took) = Spans::new(took).filter(|took| took.longest() > 0.0) else { continue };
        let what = ["from when it was due", "motors' bus", "own work"][at];
        page.raw(&format!("<h3>A tick's {name} <small>{what}: {took}</small></h3>"));
        took.draw(page, name, took.longest());
    }
    for (at, camera) in cameras.iter().enumerate() {
        skew(page, camera, at, rows);
        let again = rows.iter().filter(|(_, instant)| instant.repeated.get(at) == Some(&true));
        let again = again.count();
        if again > 0 {
            page.raw(&format!(
                "<p class=\"warning\">{}: {again} of {} images repeat the one before</p>",
                escape(camera),
                rows.len()
            ));
        }
    }
}

fn ms(span: i64) -> f64 {
    span as f64 / 1e6
}

/// Spans of time in milliseconds, the shortest first; at least one.
struct Spans(Vec<f64>);

impl Spans {
    fn new(spans: impl Iterator<Item = f64>) -> Option<Self> {
        let mut spans: Vec<f64> = spans.collect();
        spans.sort_by(f64::total_cmp);
        (!spans.is_empty()).then_some(Self(spans))
    }

    fn at(&self, share: f64) -> f64 {
        self.0[(share * (self.0.len() - 1) as f64) as usize]
    }

    fn longest(&self) -> f64 {
        self.at(1.0)
    }

    /// A histogram from nothing to `full`; what takes longer stands in its last bar.
    fn draw(&self, page: &mut Page, label: &str, full: f64) {
        let mut bins = [0_u32; BINS];
        for span in &self.0 {
            let bin = (span / full * BINS as f64).clamp(0.0, BINS as f64 - 1.0) as usize;
            bins[bin] += 1;
        }
        let highest = f64::from(bins.iter().max().copied().unwrap_or(1).max(1));
        let bars = bins.iter().enumerate().filter(|(_, count)| **count > 0).map(|(bin, count)| {
            // A single tick among thousands must be seen too.
            let height = (60.0 * f64::from(*count) / highest).max(1.5);
            format!(
                "<rect class=\"bar\" x=\"{}\" y=\"{:.1}\" width=\"23\" height=\"{height:.1}\"><title>{:.3} ms: \
                 {count}</title></rect>",
                bin * 25 + 1,
                60.0 - height,
                full * (bin as f64 + 0.5) / BINS as f64
            )
        });
        page.raw(&format!(
            "<svg viewBox=\"0 0 1000 74\" role=\"img\" aria-label=\"{label}\">{}\
             <path class=\"axis\" d=\"M0 60.5H1000\"/><text x=\"2\" y=\"72\">0</text>\
             <text x=\"500\" y=\"72\" text-anchor=\"middle\">{:.2} ms</text>\
             <text x=\"998\" y=\"72\" text-anchor=\"end\">{full:.2} ms and more</text></svg>",
            bars.collect::<String>(),
            full / 2.0
        ));
    }
}

impl std::fmt::Display for Spans {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (middle, slow, longest) = (self.at(0.5), self.at(0.99), self.longest());
        write!(f, "median {middle:.2} ms · 99 % below {slow:.2} ms · longest {longest:.2} ms")
    }
}

/// How far each picture was taken from the reading that it is stored with.
fn skew(page: &mut Page, camera: &str, at: usize, rows: &[(u64, Instant)]) {
    let Some(spans) = Spans::new(rows.iter().filter_map(|(_, instant)| instant.apart_ms(at)))
    else {
        return;
    };
    page.raw(&format!(
        "<p>{}: pictures are of {:+.1} to {:+.1} ms after the joints were read, half of them of less \
         than {:+.1} ms</p>",
        escape(camera),
        spans.at(0.0),
        spans.longest(),
        spans.at(0.5)
    ));
}
