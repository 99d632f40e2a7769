//! A policy that is shown an episode of a dataset, its actions beside those that were recorded.

use std::path::Path;

use serde_json::{Value, json};
use sinew_datasets::report::{Page, curves, escape};
use sinew_datasets::tables::episodes::Episode;
use sinew_datasets::verify::joint_name;
use sinew_datasets::{Dataset, Image};
use sinew_policies::Policy;
use sinew_policies::policy::{Image as Shown, Seen};

use super::{check, offered};
use crate::cli::failure::{Exit, Failure};
use crate::cli::report::{Report, Tone};

/// One joint's actions.
struct Joint {
    name: String,
    recorded: Vec<f64>,
    predicted: Vec<f64>,
}

impl Joint {
    fn errors(&self) -> impl Iterator<Item = f64> {
        self.recorded.iter().zip(&self.predicted).map(|(a, b)| (a - b).abs())
    }

    fn mean_error(&self) -> f64 {
        self.errors().sum::<f64>() / self.recorded.len().max(1) as f64
    }

    fn max_error(&self) -> f64 {
        self.errors().fold(0.0, f64::max)
    }
}

/// Shows it an episode, and tells how far off its actions are.
pub fn run(
    report: &Report,
    policy: &mut Policy,
    dataset: &Dataset,
    episode: u64,
    page: Option<&Path>,
) -> Result<Exit, Failure> {
    let root = dataset.root();
    let found = check::look(policy, &offered::by_dataset(dataset), false);
    if !found.ok() {
        check::say(report, &found);
        return Err(Failure::advise(
            Exit::Data,
            format!("the policy cannot be shown {}", root.display()),
            "see the findings above; other names can be given with --rename_map",
        ));
    }
    let episode = dataset.episode(episode)?.clone();
    let joints = joints(report, policy, dataset, &episode)?;
    say(report, &joints);
    if let Some(path) = page {
        let failed = sinew_datasets::Error::io("cannot write", path);
        std::fs::write(path, plot(policy, root, &episode, &joints)).map_err(failed)?;
        report.say(path.display().to_string());
    }
    let all = joints.iter().map(Joint::mean_error).sum::<f64>() / joints.len().max(1) as f64;
    report.result(json!({
        "episode": episode.index,
        "frames": episode.length,
        "mean_abs_error": all,
        "joints": joints.iter().map(|joint| json!({
            "name": joint.name,
            "mean_abs_error": joint.mean_error(),
            "max_abs_error": joint.max_error(),
        })).collect::<Vec<Value>>(),
        "page": page.map(|path| path.display().to_string()),
    }));
    Ok(Exit::Done)
}

fn joints(
    report: &Report,
    policy: &mut Policy,
    dataset: &Dataset,
    episode: &Episode,
) -> Result<Vec<Joint>, Failure> {
    let info = dataset.info();
    let taken = info.features.iter().filter(|(name, _)| policy.takes(name));
    let (cameras, vectors): (Vec<_>, Vec<_>) = taken.partition(|(_, feature)| feature.is_camera());
    let (from, count) = (episode.from_index, episode.length);
    let mut numbers = Vec::new();
    for (name, feature) in &vectors {
        let values = dataset.values(name, from, count)?.numbers();
        let values: Vec<f32> = values.into_iter().map(|value| value as f32).collect();
        numbers.push((name.as_str(), feature.width(), values));
    }
    let recorded = dataset.values("action", from, count)?.numbers();
    let width = policy.config().common().action_dim();
    let named = |at| info.feature("action").map_or(String::new(), |action| joint_name(action, at));
    let mut joints: Vec<Joint> = (0..width)
        .map(|at| Joint {
            name: named(at),
            recorded: recorded.iter().skip(at).step_by(width).copied().collect(),
            predicted: Vec::with_capacity(count as usize),
        })
        .collect();
    policy.reset();
    for frame in 0..count {
        let images: Vec<(&str, Image)> = cameras
            .iter()
            .map(|(name, _)| Ok((name.as_str(), dataset.image(name, from + frame)?.to_rgb())))
            .collect::<Result<_, Failure>>()?;
        let at = frame as usize;
        let vectors = numbers.iter().map(|(name, width, values)| {
            (*name, Seen::Numbers(&values[at * width..(at + 1) * width]))
        });
        let images = images.iter().map(|(name, image)| (*name, Seen::Image(shown(image))));
        let seen: Vec<_> = vectors.chain(images).collect();
        let action = policy.select_action(&seen)?;
        for (joint, value) in joints.iter_mut().zip(action.goal) {
            joint.predicted.push(f64::from(*value));
        }
        report.progress(&format!("frame {} of {count}", frame + 1));
    }
    report.progress("");
    Ok(joints)
}

fn shown(image: &Image) -> Shown<'_> {
    Shown { width: image.width() as usize, height: image.height() as usize, rgb: image.pixels() }
}

fn say(report: &Report, joints: &[Joint]) {
    report.say(report.tone(Tone::Strong, "Error of each joint: mean, most"));
    let width = joints.iter().map(|joint| joint.name.chars().count()).max().unwrap_or(0);
    for joint in joints {
        report.say(format!(
            "  {:<width$}  {:>8.3}  {:>8.3}",
            joint.name,
            joint.mean_error(),
            joint.max_error()
        ));
    }
}

fn plot(policy: &Policy, root: &Path, episode: &Episode, joints: &[Joint]) -> String {
    let name = root.file_name().unwrap_or(root.as_os_str()).to_string_lossy();
    let mut page = Page::new(&format!("{name}, episode {}", episode.index));
    page.note(&format!(
        "{} of {}, open loop: it is shown what was recorded and moves nothing",
        policy.config().name(),
        policy.folder().display()
    ));
    page.raw("<section><h2>Actions <small><span class=\"key\" style=\"background:var(--action)\"></span>recorded<span class=\"key\" style=\"background:var(--state)\"></span>predicted</small></h2><div class=\"grid\">");
    for joint in joints {
        let both = [("action", &joint.recorded[..]), ("state", &joint.predicted[..])];
        page.raw(&curves(&joint.name, &both));
    }
    page.raw("</div></section><section><h2>Error</h2>");
    let rows = joints.iter().map(|joint| {
        let figures = [joint.mean_error(), joint.max_error()].map(|error| format!("{error:.3}"));
        [vec![escape(&joint.name)], figures.to_vec()].concat()
    });
    page.table(&["joint", "mean", "most"], rows);
    page.raw("</section>");
    page.finish()
}
