//! How even the ticks of a recording were.

use super::html::{Page, escape};
use crate::tables::timing::Instant;

const BINS: usize = 40;

/// A histogram of the time between two ticks, from nothing to twice what it should be.
pub fn ticks(page: &mut Page, fps: u32, cameras: &[String], rows: &[(u64, Instant)]) {
    let ticks = rows.iter().map(|(_, instant)| instant.stamps.tick_ns);
    let later = ticks.clone().skip(1);
    let mut steps: Vec<f64> =
        ticks.zip(later).map(|(a, b)| b.saturating_sub(a) as f64 / 1e6).collect();
    steps.sort_by(f64::total_cmp);
    let at = |part: f64| steps.get((part * (steps.len() - 1) as f64) as usize).copied();
    let (Some(middle), Some(slow), Some(worst)) = (at(0.5), at(0.99), at(1.0)) else { return };
    let late = rows.iter().filter(|(_, instant)| instant.stamps.late).count();
    page.raw(&format!(
        "<h3>Time between ticks <small>median {middle:.2} ms · 99 % below {slow:.2} ms · longest \
         {worst:.2} ms · {late} late</small></h3>"
    ));
    let full = 2000.0 / f64::from(fps);
    let mut bins = [0_u32; BINS];
    for step in &steps {
        // What takes longer stands in the last bin.
        let bin = (step / full * BINS as f64).clamp(0.0, BINS as f64 - 1.0) as usize;
        bins[bin] += 1;
    }
    let highest = f64::from(bins.iter().max().copied().unwrap_or(1).max(1));
    let bars = bins.iter().enumerate().filter(|(_, count)| **count > 0).map(|(bin, count)| {
        // A single tick among thousands must be seen too.
        let height = (60.0 * f64::from(*count) / highest).max(1.5);
        format!(
            "<rect class=\"bar\" x=\"{}\" y=\"{:.1}\" width=\"23\" height=\"{height:.1}\"><title>{:.1} ms: \
             {count}</title></rect>",
            bin * 25 + 1,
            60.0 - height,
            full * (bin as f64 + 0.5) / BINS as f64
        )
    });
    page.raw(&format!(
        "<svg viewBox=\"0 0 1000 74\" role=\"img\" aria-label=\"time between ticks\">{}\
         <path class=\"axis\" d=\"M0 60.5H1000\"/><text x=\"2\" y=\"72\">0</text>\
         <text x=\"500\" y=\"72\" text-anchor=\"middle\">{:.1} ms</text>\
         <text x=\"998\" y=\"72\" text-anchor=\"end\">{full:.1} ms and more</text></svg>",
        bars.collect::<String>(),
        full / 2.0
    ));
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

/// How far each picture was taken from the reading that it is stored with.
fn skew(page: &mut Page, camera: &str, at: usize, rows: &[(u64, Instant)]) {
    let mut spans: Vec<f64> = rows.iter().filter_map(|(_, instant)| instant.apart_ms(at)).collect();
    spans.sort_by(f64::total_cmp);
    let last = spans.len().saturating_sub(1) as f64;
    let part = |share: f64| spans.get((share * last) as usize).copied();
    let (Some(first), Some(middle), Some(last)) = (part(0.0), part(0.5), part(1.0)) else { return };
    page.raw(&format!(
        "<p>{}: pictures are of {first:+.1} to {last:+.1} ms after the joints were read, half of them of less \
         than {middle:+.1} ms</p>",
        escape(camera)
    ));
}
