//! What a dataset is as a whole.

use std::collections::BTreeMap;
use std::path::Path;

use super::html::{Page, escape};
use crate::reader::Dataset;
use crate::schema::Info;
use crate::sizes::Sizes;
use crate::verify::{self, Severity};

/// Name and totals.
pub fn head(page: &mut Page, root: &Path, info: &Info) {
    let seconds = info.total_frames as f64 / f64::from(info.fps);
    let length = match seconds {
        s if s < 60.0 => format!("{s:.1} s"),
        s => format!("{:.1} min", s / 60.0),
    };
    let size = Sizes::of(root).map_or(0, |sizes| sizes.total);
    let chips = [
        info.robot_type.clone().unwrap_or_else(|| "no robot named".to_owned()),
        format!("{} episodes", info.total_episodes),
        format!("{} frames", info.total_frames),
        format!("{length} at {} fps", info.fps),
        format!("{} tasks", info.total_tasks),
        format!("{:.1} MB", size as f64 / 1e6),
        info.version.name().to_owned(),
    ];
    page.note(&root.display().to_string());
    let chips: String = chips.iter().map(|chip| format!("<li>{}</li>", escape(chip))).collect();
    page.raw(&format!("<ul class=\"chips\">{chips}</ul>"));
}

/// What a look over it has found.
pub fn findings(page: &mut Page, found: &verify::Report) {
    let looked = format!("{} frames and {} images looked at", found.frames, found.images);
    let (class, verdict) = match (found.ok, found.findings.is_empty()) {
        (true, true) => ("good", "Nothing is wrong"),
        (true, false) => ("warning", "Sound, with oddities"),
        (false, _) => ("error", "Not sound"),
    };
    page.raw(&format!("<section><h2 class=\"{class}\">{verdict} <small>{looked}</small></h2>"));
    if !found.findings.is_empty() {
        let row = |finding: &verify::Finding| {
            let class = match finding.severity {
                Severity::Error => "error",
                Severity::Warning => "warning",
            };
            vec![
                format!("<span class=\"{class}\">{class}</span>"),
                escape(&finding.place),
                escape(&finding.message),
                escape(finding.remedy.unwrap_or_default()),
            ]
        };
        page.table(&["", "where", "what", "what to do"], found.findings.iter().map(row));
    }
    page.raw("</section>");
}

/// Tasks, features, and how long the episodes are.
pub fn overview(page: &mut Page, dataset: &Dataset) {
    let mut counts: BTreeMap<&str, u64> = BTreeMap::new();
    for task in dataset.episodes().iter().flat_map(|episode| &episode.tasks) {
        *counts.entry(task).or_default() += 1;
    }
    page.raw("<section><h2>Tasks</h2>");
    let count = |task: &str| counts.get(task).copied().unwrap_or(0).to_string();
    let tasks = dataset.tasks().iter();
    page.table(&["task", "episodes"], tasks.map(|task| vec![escape(task), count(task)]));
    page.raw("</section>");
    lengths(page, dataset);
    page.raw("<section><h2>Features</h2>");
    let features = dataset.info().features.iter();
    page.table(
        &["name", "kind", "shape", "of"],
        features.map(|(name, feature)| {
            let shape = feature.shape.iter().map(u64::to_string).collect::<Vec<_>>().join(" × ");
            let names = feature.names.as_array().into_iter().flatten();
            let names: Vec<&str> = names.filter_map(serde_json::Value::as_str).collect();
            let kind = feature.dtype.name().to_owned();
            vec![escape(name), kind, shape, escape(&names.join(", "))]
        }),
    );
    page.raw("</section>");
}

/// A bar per episode.
fn lengths(page: &mut Page, dataset: &Dataset) {
    let episodes = dataset.episodes();
    let (Some(shortest), Some(longest)) = (
        episodes.iter().map(|episode| episode.length).min(),
        episodes.iter().map(|episode| episode.length).max(),
    ) else {
        return;
    };
    let fps = f64::from(dataset.info().fps);
    let seconds = |frames: u64| frames as f64 / fps;
    page.raw(&format!(
        "<section><h2>Episodes <small>{:.1} to {:.1} s</small></h2>",
        seconds(shortest),
        seconds(longest)
    ));
    // A few episodes make no wall.
    let width = (1000.0 / episodes.len() as f64).min(40.0);
    let bars: String = episodes
        .iter()
        .enumerate()
        .map(|(at, episode)| {
            let height = 80.0 * episode.length as f64 / longest.max(1) as f64;
            format!(
                "<a href=\"#e{0}\"><rect class=\"bar\" x=\"{1:.2}\" y=\"{2:.1}\" width=\"{3:.2}\" \
                 height=\"{height:.1}\"><title>episode {0}: {4:.1} s</title></rect></a>",
                episode.index,
                at as f64 * width,
                80.0 - height,
                (width * 0.85).max(0.3),
                seconds(episode.length)
            )
        })
        .collect();
    page.raw(&format!(
        "<svg viewBox=\"0 0 1000 80\" role=\"img\" aria-label=\"how long each episode is\">{bars}</svg></section>"
    ));
}
