//! `sinew dataset info`

use clap::Args;
use serde_json::{Value, json};
use sinew_datasets::pull::Choice;
use sinew_datasets::schema::{Dtype, Feature, Info as Schema};
use sinew_datasets::sizes::Sizes;

use super::super::fetching;
use super::source::{Place, Source};
use crate::cli::failure::{Exit, Failure};
use crate::cli::report::{Report, Tone};

/// What is in a dataset: episodes, frames, features, tasks, sizes
///
/// Example: sinew dataset info me/pick
#[derive(Debug, Args)]
pub struct Info {
    #[command(flatten)]
    source: Source,
}

impl Info {
    pub fn run(self, report: &Report) -> Result<Exit, Failure> {
        // Of one on the Hub the tables suffice: how large the rest is stands in its list of files.
        let (root, sizes) = match self.source.place() {
            Place::Here(_) => {
                let root = self.source.folder(report)?;
                let sizes = Sizes::of(&root)?;
                (root, sizes)
            }
            Place::Hub(repo) => {
                let snapshot = fetching::find(report, &repo)?;
                let tables = Choice { meta_only: true, ..Choice::default() };
                let done = tables.fetch(&snapshot, &fetching::teller(report, snapshot.repo()));
                report.progress("");
                done?;
                (snapshot.folder(), Sizes::listed(snapshot.files().into_iter()))
            }
        };
        let info = Schema::load(&root)?;
        // What is broken keeps nobody from looking at the rest.
        let tasks = match sinew_datasets::Dataset::open(&root) {
            Ok(dataset) => dataset.tasks().to_vec(),
            Err(error) => {
                report.warn(error.to_string());
                Vec::new()
            }
        };
        say(report, &root.display().to_string(), &info, &sizes, &tasks);
        let mut result: Value = serde_json::from_str(&info.to_text()).unwrap_or_default();
        if let Value::Object(fields) = &mut result {
            fields.insert("root".into(), json!(root.display().to_string()));
            fields.insert("tasks".into(), json!(tasks));
            fields.insert("sizes".into(), json!(sizes));
        }
        report.result(result);
        Ok(Exit::Done)
    }
}

fn say(report: &Report, root: &str, info: &Schema, sizes: &Sizes, tasks: &[String]) {
    let seconds = info.total_frames as f64 / f64::from(info.fps);
    let robot = info.robot_type.as_deref().unwrap_or("no robot named");
    report.say(report.tone(Tone::Strong, root));
    report.say(format!("  {} · {robot} · {} fps", info.version.name(), info.fps));
    report.say(format!(
        "  {} episodes · {} frames · {} · {} tasks",
        info.total_episodes,
        info.total_frames,
        duration(seconds),
        info.total_tasks
    ));
    report.say(format!(
        "  {} in {} files: data {}, videos {}, tables {}",
        bytes(sizes.total),
        sizes.files,
        bytes(sizes.data),
        bytes(sizes.videos),
        bytes(sizes.meta)
    ));
    report.say(report.tone(Tone::Strong, "Features"));
    let width = info.names().map(str::len).max().unwrap_or(0);
    for (name, feature) in &info.features {
        report.say(format!("  {name:<width$}  {}", describe(feature)));
    }
    if !tasks.is_empty() {
        report.say(report.tone(Tone::Strong, "Tasks"));
    }
    for (index, task) in tasks.iter().enumerate() {
        report.say(format!("  {index:>3}  {task}"));
    }
}

fn describe(feature: &Feature) -> String {
    let dtype = feature.dtype.name();
    if let Some((width, height)) = feature.image_size().filter(|_| feature.is_camera()) {
        let codec = feature.extra.get("info").and_then(|info| info.get("video.codec"));
        let codec = codec.and_then(Value::as_str).unwrap_or_default();
        return format!("{dtype} {width}×{height} {codec}").trim_end().to_owned();
    }
    let names = match &feature.names {
        Value::Array(names) if feature.dtype != Dtype::Text => {
            names.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(", ")
        }
        _ => String::new(),
    };
    format!("{dtype} {:?}  {names}", feature.shape).trim_end().to_owned()
}

/// A length of time as people say it.
pub fn duration(seconds: f64) -> String {
    match seconds {
        s if s < 60.0 => format!("{s:.1} s"),
        s if s < 3600.0 => format!("{:.1} min", s / 60.0),
        s => format!("{:.1} h", s / 3600.0),
    }
}

/// A number of bytes as people say it.
pub fn bytes(count: u64) -> String {
    let count = count as f64;
    match count {
        c if c < 1e3 => format!("{c} B"),
        c if c < 1e6 => format!("{:.1} kB", c / 1e3),
        c if c < 1e9 => format!("{:.1} MB", c / 1e6),
        c => format!("{:.1} GB", c / 1e9),
    }
}
