//! What our edits make of LeRobot's datasets, opened by LeRobot frame by frame; and what LeRobot
//! records and its own edits make, opened here.

use std::path::{Path, PathBuf};

use serde_json::{Value as Json, json};
use sinew_datasets::schema::Dtype;
use sinew_datasets::verify::{self, Code, Severity};
use sinew_datasets::{Dataset, Value};

use crate::sandbox::Sandbox;

fn peer(test: &str, steps: &[Json]) -> bool {
    let steps = Json::from(steps.to_vec()).to_string();
    super::script(test, "lerobot_edits.py", &[&steps]).is_some()
}

/// Edits with the binary.
fn edit(sandbox: &Sandbox, words: &[&str]) {
    let ended = sandbox.run(&[&["--json", "dataset"], words].concat());
    assert_eq!(ended.code, 0, "{words:?}: {ended:?}");
}

/// What is wrong with a dataset.
fn findings(root: &Path) -> Vec<Code> {
    let found = verify::verify(root, &verify::Options::default(), &mut |_| {});
    let wrong = found.findings.iter().filter(|finding| finding.severity == Severity::Error);
    wrong.map(|finding| finding.code).collect()
}

/// A value as `show` of the script writes it: floats as their bits.
fn shown(value: Value) -> Json {
    match value {
        Value::F32(values) => values.iter().map(|value| value.to_bits()).collect(),
        Value::F64(values) => values.iter().map(|value| value.to_bits()).collect(),
        Value::Int(values) => values.into(),
        Value::Bool(values) => values.into(),
        Value::Text(text) => text.into(),
    }
}

/// Everything is as LeRobot saw it: values and images bit for bit, frames of videos within one step.
fn assert_shown(root: &Path, seen: &Path) {
    let dataset = Dataset::open(root).unwrap();
    let text = std::fs::read_to_string(seen.join("columns.json")).unwrap();
    let said: Json = serde_json::from_str(&text).unwrap();
    assert_eq!(said["length"], dataset.len());
    let columns = said["columns"].as_object().unwrap();
    assert_eq!(columns.len(), dataset.info().columns().filter(|(_, f)| !f.is_camera()).count());
    for frame in 0..dataset.len() {
        let at = frame as usize;
        assert_eq!(said["tasks"][at], dataset.item(frame).unwrap().task);
        for (name, column) in columns {
            let value = shown(dataset.values(name, frame, 1).unwrap());
            assert_eq!(value, column[at], "{}: {name}, frame {frame}", root.display());
        }
    }
    for (camera, feature) in dataset.info().features.iter().filter(|(_, f)| f.is_camera()) {
        let pixels = std::fs::read(seen.join(camera)).unwrap();
        let images = pixels.chunks_exact(pixels.len() / dataset.len() as usize);
        let most = u8::from(feature.dtype == Dtype::Video);
        for (frame, theirs) in images.enumerate() {
            let ours = dataset.image(camera, frame as u64).unwrap().to_rgb();
            let apart = ours.pixels().iter().zip(theirs).map(|(a, b)| a.abs_diff(*b)).max();
            assert_eq!(ours.pixels().len(), theirs.len());
            let place = root.display();
            assert!(apart <= Some(most), "{place}: {camera}, frame {frame}: {apart:?}");
        }
    }
}

/// Where everything lies.
struct Place(tempfile::TempDir);

impl Place {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn at(&self, name: &str) -> String {
        self.path(name).to_str().unwrap().to_owned()
    }
}

/// How far an image may be off after it was coded again, on average.
const CODED: u32 = 8;

/// Removes an info.json, or has it say another rate, other numbers, and a camera and an action less.
fn break_info(path: &Path, wrong: bool) {
    if !wrong {
        return std::fs::remove_file(path).unwrap();
    }
    let mut info: Json = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    info["fps"] = json!(7);
    info["total_episodes"] = json!(0);
    info["total_frames"] = json!(12);
    let features = info["features"].as_object_mut().unwrap();
    features.shift_remove("action").unwrap();
    features.shift_remove("observation.images.front").unwrap();
    std::fs::write(path, info.to_string()).unwrap();
}

/// Edits a dataset of this kind with the binary, and has LeRobot look at what came out.
fn ours_in_theirs(kind: &str) {
    let (place, sandbox) = (Place::new(), Sandbox::new());
    let at = |name: &str| place.at(name);
    let (source, more) = (at("source"), at("more"));
    let made = [
        json!({"do": "make", "root": source, "kind": kind}),
        json!({"do": "make", "root": more, "kind": kind, "seed": 1}),
    ];
    if !peer(kind, &made) {
        return;
    }
    let info = Dataset::open(Path::new(&source)).unwrap().info().clone();
    let kept_as = |dtype| info.features.iter().any(|(_, feature)| feature.dtype == dtype);
    let mut look: Vec<Json> = Vec::new();
    let mut make = |name: &str, words: &[&str], of: Json, also: Json| {
        let out = at(name);
        edit(&sandbox, &[words, &["--out", &out]].concat());
        assert_eq!(findings(Path::new(&out)), [], "{name}");
        look.push(json!({"do": "read", "root": out}));
        let mut holds = json!({"do": "holds", "root": out, "of": of});
        holds.as_object_mut().unwrap().extend(also.as_object().unwrap().clone());
        look.push(holds);
    };
    let all = || json!([[source, null]]);
    let none = || json!({});
    make("compact", &["compact", &source], all(), none());
    let words = ["delete-episodes", &source, "--episodes", "1"];
    make("less", &words, json!([[source, [0, 2, 3]]]), none());
    make("both", &["merge", &more, &source], json!([[more, null], [source, null]]), none());
    let front = "observation.images.front";
    let words = ["remove-feature", &source, "--feature", &format!("action,{front}")];
    make("without", &words, all(), json!({"without": ["action", front]}));
    let words = ["modify-tasks", &source, "--task", "rest", "--episode-task", "1=second, ü"];
    let tasks = json!({"tasks": ["rest", "second, ü", "rest", "rest"]});
    make("tasks", &words, all(), tasks);
    if kept_as(Dtype::Video) {
        let coded = || json!({"apart": CODED, "again": true});
        make("h264", &["reencode", &source], all(), coded());
        // Videos of two codecs in one dataset.
        make(
            "mixed",
            &["merge", &source, &at("h264")],
            json!([[source, null], [at("h264"), null]]),
            none(),
        );
        let same = json!({"again": true});
        make("images", &["convert", &source, "--to", "image"], all(), same);
    }
    if kept_as(Dtype::Image) {
        // Images keep their statistics when they are coded for the first time.
        make("videos", &["convert", &source, "--to", "video"], all(), json!({"apart": CODED}));
    }
    // info.json is gone, or says what is not so: it is made of what the files say.
    for (name, wrong) in [("headless", false), ("mistaken", true)] {
        let broken = at(name);
        crate::jobs::look_at_a_dataset::copy(Path::new(&source), Path::new(&broken));
        break_info(&Path::new(&broken).join("meta/info.json"), wrong);
        make(&format!("{name}_mended"), &["repair", &broken], all(), none());
    }
    let old = at("old");
    edit(&sandbox, &["convert", &source, "--to", "v2.1", "--out", &old]);
    make("new", &["convert", &old, "--to", "v3.0"], all(), none());
    // Into a folder, so not by `make`.
    let parts = at("parts");
    let words = ["split", &source, "--operation.splits", "{a: [2, 0], b: [1, 3]}", "--out", &parts];
    edit(&sandbox, &words);
    for (name, episodes) in [("parts/a", [0, 2]), ("parts/b", [1, 3])] {
        look.push(json!({"do": "read", "root": at(name)}));
        look.push(json!({"do": "holds", "root": at(name), "of": [[source, episodes]]}));
    }
    // LeRobot makes the newest layout of the older one that is ours.
    look.push(json!({"do": "newer", "root": old}));
    look.push(json!({"do": "holds", "root": old, "of": all()}));
    peer(kind, &look);
}

/// Has LeRobot record and edit datasets of this kind, and looks at them here.
fn theirs_in_ours(kind: &str) {
    let place = Place::new();
    let at = |name: &str| place.at(name);
    let source = at("source");
    let mut steps = vec![
        json!({"do": "make", "root": source, "kind": kind}),
        json!({"do": "delete", "root": source, "to": at("less"), "episodes": [1]}),
        json!({"do": "split", "root": source, "to": at("parts"), "parts": {"a": [0, 2], "b": [1, 3]}}),
        json!({"do": "merge", "roots": [at("parts/b"), at("parts/a")], "to": at("both")}),
        json!({"do": "remove", "root": source, "to": at("without"), "names": ["action"]}),
        json!({"do": "reword", "root": source, "to": at("tasks"), "new_task": "rest", "episode": 1, "task": "ü"}),
    ];
    let mut names = vec!["source", "less", "parts/a", "parts/b", "both", "without", "tasks"];
    if kind == "image" {
        steps.push(json!({"do": "films", "root": source, "to": at("films")}));
        names.push("films");
    } else {
        let camera = ["observation.images.front"];
        steps.push(json!({"do": "remove", "root": source, "to": at("blind"), "names": camera}));
        names.push("blind");
    }
    let seen = |name: &str| at(&format!("seen_{}", name.replace('/', "_")));
    for name in &names {
        steps.push(json!({"do": "show", "root": at(name), "to": seen(name)}));
    }
    if !peer(kind, &steps) {
        return;
    }
    let sandbox = Sandbox::new();
    let mut look = Vec::new();
    for name in names {
        let root = place.path(name);
        assert_shown(&root, Path::new(&seen(name)));
        // LeRobot 0.6.1 leaves the statistics of what it numbers anew as they were, and drops those
        // of images that it makes a video of.
        let left = if name == "films" { Code::StatsMissing } else { Code::StatsDrift };
        let wrong = findings(&root);
        assert!(wrong.iter().all(|code| *code == left), "{name}: {wrong:?}");
        let again = at(&format!("again_{}", name.replace('/', "_")));
        edit(&sandbox, &["compact", &at(name), "--out", &again]);
        assert_eq!(findings(Path::new(&again)), [], "{name}");
        look.push(json!({"do": "read", "root": again}));
        look.push(json!({"do": "holds", "root": again, "of": [[at(name), null]]}));
    }
    peer(kind, &look);
}

#[test]
fn av1_videos_edited_here_are_read_there() {
    ours_in_theirs("av1");
}

#[test]
fn two_h264_cameras_edited_here_are_read_there() {
    ours_in_theirs("h264");
}

#[test]
fn images_edited_here_are_read_there() {
    ours_in_theirs("image");
}

#[test]
fn a_video_and_images_edited_here_are_read_there() {
    ours_in_theirs("both");
}

#[test]
fn av1_videos_edited_there_are_read_here() {
    theirs_in_ours("av1");
}

#[test]
fn two_h264_cameras_edited_there_are_read_here() {
    theirs_in_ours("h264");
}

#[test]
fn images_edited_there_are_read_here() {
    theirs_in_ours("image");
}

#[test]
fn a_video_and_images_edited_there_are_read_here() {
    theirs_in_ours("both");
}

/// LeRobot 0.3.3 recorded them in its older layout.
#[test]
fn an_older_layout_becomes_the_same_here_and_there() {
    let (place, sandbox) = (Place::new(), Sandbox::new());
    for name in ["v21_video", "v21_image"] {
        let theirs = crate::jobs::look_at_a_dataset::golden(&sandbox, name, name);
        let (theirs, ours) = (theirs.to_str().unwrap(), place.at(name));
        edit(&sandbox, &["convert", theirs, "--to", "v3.0", "--out", &ours]);
        let steps = [
            json!({"do": "newer", "root": theirs}),
            json!({"do": "read", "root": ours}),
            json!({"do": "holds", "root": ours, "of": [[theirs, null]]}),
        ];
        peer(name, &steps);
    }
}
