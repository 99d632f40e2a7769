//! Whether a policy and a robot (or a dataset) go together, before anything moves.

use std::collections::{BTreeMap, BTreeSet};

use crate::config::{Feature, FeatureKind};
use crate::processor::Pipeline;

/// What a robot or a dataset has to offer.
#[derive(Clone, Debug, Default)]
pub struct Offered {
    /// Numbers, by name: how many, what each is called, and between which values they lie.
    pub numbers: BTreeMap<String, Numbers>,
    /// Cameras, by name: width and height.
    pub cameras: BTreeMap<String, [usize; 2]>,
    /// How many actions the robot takes, and what each is called.
    pub action: Option<Numbers>,
    /// How often it is shown something.
    pub fps: Option<f64>,
}

/// Numbers under one name.
#[derive(Clone, Debug, Default)]
pub struct Numbers {
    /// How many.
    pub count: usize,
    /// What each is called, where that is known.
    pub names: Vec<String>,
    /// The least and the greatest of each, where that is known.
    pub ranges: Vec<[f32; 2]>,
}

/// How bad a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// It can be run, and may go wrong.
    Warning,
    /// It cannot be run.
    Error,
}

/// Something that does not fit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// How bad it is.
    pub severity: Severity,
    /// Which feature.
    pub feature: String,
    /// What does not fit, and what to do.
    pub message: String,
}

/// What a look at both has shown.
#[derive(Clone, Debug, Default)]
pub struct Preflight {
    /// What does not fit.
    pub findings: Vec<Finding>,
    /// The robot's names to the training's, where other names would make it fit. LeRobot takes
    /// them as `--rename_map`.
    pub rename: BTreeMap<String, String>,
}

impl Preflight {
    /// Whether the policy can be run.
    #[must_use]
    pub fn ok(&self) -> bool {
        self.findings.iter().all(|finding| finding.severity == Severity::Warning)
    }

    fn add(&mut self, severity: Severity, feature: &str, message: String) {
        self.findings.push(Finding { severity, feature: feature.to_owned(), message });
    }
}

/// Holds what a policy takes (`inputs`, behind the steps `before`) and gives (so many numbers an action)
/// beside what is offered.
#[must_use]
pub fn check(
    inputs: &[(String, Feature)],
    actions: usize,
    before: &Pipeline,
    offered: &Offered,
) -> Preflight {
    let mut found = Preflight::default();
    let matched = cameras(inputs, before, offered, &mut found);
    for name in offered.cameras.keys() {
        if !matched.contains(name) && !found.rename.contains_key(name) {
            let message = "the policy does not look at it".to_owned();
            found.add(Severity::Warning, name, message);
        }
    }
    for (name, feature) in inputs {
        if matches!(feature.kind, FeatureKind::State | FeatureKind::Env) {
            numbers(name, feature, before, offered, &mut found);
        }
    }
    action(actions, offered, &mut found);
    found
}

/// Finds each of the policy's cameras among those offered; answers which of those were found.
fn cameras(
    inputs: &[(String, Feature)],
    before: &Pipeline,
    offered: &Offered,
    found: &mut Preflight,
) -> BTreeSet<String> {
    let mut matched = BTreeSet::new();
    let mut missing = Vec::new();
    let images = inputs.iter().filter(|(_, feature)| feature.kind == FeatureKind::Visual);
    for (name, feature) in images {
        let sources = before.sources(name);
        let Some(source) = sources.iter().find(|name| offered.cameras.contains_key(*name)) else {
            missing.push((name, feature));
            continue;
        };
        matched.insert(source.clone());
        size(source, feature, offered.cameras[source], found);
    }
    let spare: Vec<&String> =
        offered.cameras.keys().filter(|name| !matched.contains(*name)).collect();
    for (name, feature) in missing {
        let free = spare.iter().filter(|spare| !found.rename.contains_key(**spare));
        let nearest = free.max_by(|a, b| {
            let likeness =
                |camera: &str| (likeness(camera, name), fits(feature, offered.cameras[camera]));
            likeness(a).cmp(&likeness(b)).then_with(|| b.cmp(a))
        });
        let Some(nearest) = nearest.map(|nearest| (*nearest).clone()) else {
            let message =
                "the policy looks at this camera, and there is none left for it".to_owned();
            found.add(Severity::Error, name, message);
            continue;
        };
        let message = format!(
            "there is no camera of this name; {nearest} may be meant: --rename_map='{{\"{nearest}\": \"{name}\"}}'"
        );
        found.add(Severity::Error, name, message);
        size(&nearest, feature, offered.cameras[&nearest], found);
        found.rename.insert(nearest, name.to_owned());
    }
    matched
}

fn fits(feature: &Feature, [width, height]: [usize; 2]) -> bool {
    feature.image().is_some_and(|[_, high, wide]| (wide, high) == (width, height))
}

fn size(camera: &str, feature: &Feature, [width, height]: [usize; 2], found: &mut Preflight) {
    let Some([_, high, wide]) = feature.image() else { return };
    if (width, height) != (wide, high) {
        let message = format!(
            "is {width}x{height}, and the policy was trained on {wide}x{high}: set the camera to that"
        );
        found.add(Severity::Error, camera, message);
    }
}

/// How many letters two names' last parts have in common, from the beginning and from the end.
fn likeness(a: &str, b: &str) -> usize {
    let last = |name: &str| name.rsplit('.').next().unwrap_or(name).to_lowercase();
    let (a, b) = (last(a), last(b));
    let common = |a: &mut dyn Iterator<Item = char>, b: &mut dyn Iterator<Item = char>| {
        a.zip(b).take_while(|(a, b)| a == b).count()
    };
    common(&mut a.chars(), &mut b.chars()) + common(&mut a.chars().rev(), &mut b.chars().rev())
}

fn numbers(
    name: &str,
    feature: &Feature,
    before: &Pipeline,
    offered: &Offered,
    found: &mut Preflight,
) {
    let sources = before.sources(name);
    let source = sources.iter().find_map(|name| Some((name, offered.numbers.get(name)?)));
    let Some((source, have)) = source else {
        let names = offered.numbers.keys().map(String::as_str).collect::<Vec<_>>().join(", ");
        let message = format!("the policy needs it, and there is only {names}");
        found.add(Severity::Error, name, message);
        return;
    };
    if have.count != feature.numbers() {
        let message = format!(
            "has {} numbers, and {} were trained: is it another robot, or another arm's file?",
            have.count,
            feature.numbers()
        );
        found.add(Severity::Error, source, message);
        return;
    }
    for (at, range) in have.ranges.iter().enumerate() {
        let trained = before.trained_range(name, at);
        let Some(trained) = trained.filter(|trained| apart(*trained, *range)) else { continue };
        let joint = have.names.get(at).cloned().unwrap_or_else(|| format!("number {at}"));
        let message = format!(
            "{joint} is {:.1} to {:.1}, and about {:.1} to {:.1} in training: are units or calibration others?",
            range[0], range[1], trained[0], trained[1]
        );
        found.add(Severity::Warning, source, message);
    }
}

/// Whether the middle of what there is lies far outside of what was trained.
fn apart(trained: [f32; 2], range: [f32; 2]) -> bool {
    let middle = f32::midpoint(range[0], range[1]);
    let span = (trained[1] - trained[0]).max(1e-3);
    middle < trained[0] - span / 2.0 || middle > trained[1] + span / 2.0
}

fn action(dim: usize, offered: &Offered, found: &mut Preflight) {
    let Some(have) = &offered.action else { return };
    if have.count != dim {
        let message =
            format!("the policy gives {dim} numbers, and an action here is {}", have.count);
        found.add(Severity::Error, "action", message);
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use serde_json::json;

    use super::{Numbers, Offered, Preflight, Severity, check};
    use crate::config::Config;
    use crate::processor::Pipeline;

    fn look(offered: &Offered) -> Preflight {
        let config = json!({
            "type": "act",
            "input_features": {
                "observation.state": {"type": "STATE", "shape": [2]},
                "observation.images.top": {"type": "VISUAL", "shape": [3, 48, 64]},
                "observation.images.wrist": {"type": "VISUAL", "shape": [3, 48, 64]},
            },
            "output_features": {"action": {"type": "ACTION", "shape": [2]}},
        });
        let config = Config::parse(&config.to_string(), Path::new("config.json")).unwrap();
        let nothing = &|name: &str| crate::checkpoint::Tensors::open(Path::new(name));
        let before = Pipeline::parse("{\"steps\": []}", Path::new("steps.json"), nothing).unwrap();
        check(&config.common().inputs, config.common().action_dim(), &before, offered)
    }

    fn offered(cameras: &[(&str, [usize; 2])]) -> Offered {
        let joints = Numbers { count: 2, ..Numbers::default() };
        let cameras = cameras.iter().map(|(name, size)| ((*name).to_owned(), *size));
        Offered {
            numbers: [("observation.state".to_owned(), joints.clone())].into(),
            cameras: cameras.collect(),
            action: Some(joints),
            fps: Some(30.0),
        }
    }

    #[test]
    fn what_fits_has_no_findings() {
        let found = look(&offered(&[
            ("observation.images.top", [64, 48]),
            ("observation.images.wrist", [64, 48]),
        ]));
        assert!(found.findings.is_empty() && found.ok(), "{found:?}");
    }

    #[test]
    fn other_names_are_matched_by_likeness() {
        let found = look(&offered(&[
            ("observation.images.wrist_left", [64, 48]),
            ("observation.images.overhead_top", [64, 48]),
        ]));
        let wanted = [
            ("observation.images.overhead_top", "observation.images.top"),
            ("observation.images.wrist_left", "observation.images.wrist"),
        ];
        let wanted = wanted.map(|(from, to)| (from.to_owned(), to.to_owned()));
        assert_eq!(found.rename, wanted.into());
        assert!(!found.ok() && found.findings[0].message.contains("--rename_map='{"), "{found:?}");
    }

    #[test]
    fn sizes_and_spare_and_missing_cameras_are_told() {
        let found = look(&offered(&[("observation.images.top", [640, 480])]));
        let messages: Vec<_> = found.findings.iter().map(|found| found.message.as_str()).collect();
        assert!(messages[0].starts_with("is 640x480, and the policy was trained on 64x48"));
        assert!(messages[1].starts_with("the policy looks at this camera, and there is none"));
        let three = ["a", "observation.images.top", "observation.images.wrist"];
        let found = look(&offered(&three.map(|name| (name, [64, 48]))));
        assert_eq!(found.findings[0].severity, Severity::Warning);
        assert!(found.ok() && found.findings[0].feature == "a", "{found:?}");
    }

    #[test]
    fn other_joints_are_told() {
        let mut less = offered(&[
            ("observation.images.top", [64, 48]),
            ("observation.images.wrist", [64, 48]),
        ]);
        less.action = Some(Numbers { count: 7, ..Numbers::default() });
        less.numbers
            .insert("observation.state".to_owned(), Numbers { count: 7, ..Numbers::default() });
        let found = look(&less);
        assert_eq!(found.findings.len(), 2);
        assert!(found.findings[1].message.contains("gives 2 numbers, and an action here is 7"));
        less.numbers.clear();
        assert!(look(&less).findings[0].message.starts_with("the policy needs it"));
    }
}
