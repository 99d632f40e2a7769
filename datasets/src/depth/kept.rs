//! Depth kept as video: recorded, read, edited, and handed to LeRobot and back.
//!
//! What LeRobot has a part in runs where `SINEW_PEER_PYTHON` names a Python that has it.

use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use super::{LAST_STEP, Scale};
use crate::edit::{self, Target};
use crate::schema::{Dtype, Feature, Info};
use crate::verify::{self, Code};
use crate::video::Coding;
use crate::writer::{Options, recover};
use crate::{Dataset, Error, Frame, Image, PixelFormat, Stamps, Value, Writer, report};

const CAMERA: &str = "observation.images.depth";
const HEIGHT: u32 = 48;
const WIDTH: u32 = 64;

/// As in lerobot_depth.py.
fn length_of(episode: u64) -> u64 {
    9 + 4 * episode
}

/// As in lerobot_depth.py.
fn depth_of(episode: u64, frame: u64) -> Vec<u16> {
    let (height, width) = (u64::from(HEIGHT), u64::from(WIDTH));
    let places = (0..height).flat_map(|y| (0..width).map(move |x| (x, y)));
    let slope = |(x, y)| 300 + (x * 37 + y * y * 3 + frame * 11 + episode * 101) % 9000;
    let mut depth: Vec<u16> = places.map(|place| slope(place) as u16).collect();
    depth[..3].copy_from_slice(&[0, 5, 9999]);
    depth
}

fn image(depth: &[u16]) -> Image {
    let pixels: Vec<u8> = depth.iter().flat_map(|depth| depth.to_le_bytes()).collect();
    Image::new(WIDTH, HEIGHT, PixelFormat::Gray16, pixels).unwrap()
}

fn values(image: &Image) -> Vec<u16> {
    let pairs = image.pixels().chunks_exact(2);
    pairs.map(|pair| u16::from_le_bytes([pair[0], pair[1]])).collect()
}

fn info(dtype: Dtype) -> Info {
    let features = [
        (CAMERA.to_owned(), Feature::depth(dtype, WIDTH, HEIGHT)),
        ("action".to_owned(), Feature::vector(Dtype::F32, ["a", "b"])),
    ];
    Info::new(30, Some("so101_follower".into()), features.into()).unwrap()
}

fn push(writer: &mut Writer, episode: u64, frame: u64) {
    let frame = Frame {
        task: Arc::from("look"),
        values: vec![Value::F32(vec![0.0, 0.0])],
        images: vec![Some(image(&depth_of(episode, frame)))],
        stamps: Stamps::default(),
    };
    writer.push(&frame).unwrap();
}

fn record(writer: &mut Writer, episodes: std::ops::Range<u64>) {
    for episode in episodes {
        (0..length_of(episode)).for_each(|frame| push(writer, episode, frame));
        assert_eq!(writer.save_episode().unwrap().unwrap().frames, length_of(episode));
    }
}

fn make(root: &Path, dtype: Dtype, episodes: u64) {
    let mut writer = Writer::create(root, info(dtype), Options::default()).unwrap();
    record(&mut writer, 0..episodes);
    writer.finish().unwrap();
}

/// The frames of these episodes, one behind the other, are what was pushed: in steps where `scale` says
/// so. LeRobot's logarithm tips a step in some ten thousand.
fn assert_holds(root: &Path, episodes: &[u64], scale: Option<Scale>) {
    assert_nearly_holds(root, episodes, scale, 0);
}

fn assert_nearly_holds(root: &Path, episodes: &[u64], scale: Option<Scale>, tipped: usize) {
    let dataset = Dataset::open(root).unwrap();
    let mut index = 0;
    for episode in episodes {
        for frame in 0..length_of(*episode) {
            let kept = |depth: u16| scale.map_or(depth, |scale| scale.depth(scale.step(depth)));
            let meant = depth_of(*episode, frame).into_iter().map(kept);
            let found = values(&dataset.image(CAMERA, index).unwrap());
            let off: Vec<u16> = found.into_iter().zip(meant).map(|(a, b)| a.abs_diff(b)).collect();
            let few = off.iter().filter(|off| **off > 0).count() <= tipped;
            assert!(few && off.iter().all(|off| *off <= 5), "{}: {index}", root.display());
            index += 1;
        }
    }
    assert_eq!(dataset.len(), index);
}

/// What verify finds, but for statistics that LeRobot leaves out or out of date.
fn assert_sound(root: &Path, forgiven: &[Code]) {
    let report = verify::verify(root, &verify::Options::default(), &mut |_| {});
    let found = report.findings.iter().filter(|finding| !forgiven.contains(&finding.code));
    assert_eq!(found.collect::<Vec<_>>(), Vec::<&verify::Finding>::new(), "{}", root.display());
}

/// Runs LeRobot through these steps; says whether it is here.
fn lerobot(steps: &[&[&str]]) -> bool {
    let Some(python) = std::env::var_os("SINEW_PEER_PYTHON") else { return false };
    let home = tempfile::tempdir().unwrap();
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/peers/lerobot_depth.py");
    let ran = Command::new(python)
        .arg(script)
        .arg(serde_json::to_string(steps).unwrap())
        .env("HF_HOME", home.path())
        .env("HF_LEROBOT_HOME", home.path())
        .env("HF_HUB_OFFLINE", "1")
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .output()
        .unwrap();
    let complained = String::from_utf8_lossy(&ran.stderr);
    assert!(ran.status.success(), "{steps:?}: {complained}");
    true
}

#[test]
fn depth_is_recorded_as_video_and_read_in_millimetres() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("set");
    make(&root, Dtype::Video, 2);
    assert_holds(&root, &[0, 1], Some(Scale::default()));
    assert_sound(&root, &[]);
    let dataset = Dataset::open_with_stats(&root).unwrap();
    let said = &dataset.info().feature(CAMERA).unwrap().extra["info"];
    for (key, value) in [
        ("is_depth_map", true.into()),
        ("depth_unit", "mm".into()),
        ("video.codec", "hevc".into()),
        ("video.pix_fmt", "gray12le".into()),
        ("video.channels", 1.into()),
        ("video.depth_max", 10.0.into()),
        ("video.use_log", true.into()),
    ] {
        let value: serde_json::Value = value;
        assert_eq!(said[key], value, "{key}");
    }
    let (_, stats) = dataset.stats().iter().find(|(name, _)| name == CAMERA).unwrap();
    assert_eq!((stats.min[0], stats.max[0], stats.count), (0.0, 9999.0, 22));
    let options = report::Options::default();
    let found = verify::verify(&root, &verify::Options::default(), &mut |_| {});
    let page = report::html(&root, &options, &found, &mut |_, _| {}).unwrap();
    assert!(page.contains("data:image/png"), "the report shows no picture");
}

#[test]
fn a_cut_off_recording_of_depth_is_taken_up() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("set");
    let mut writer = Writer::create(&root, info(Dtype::Video), Options::default()).unwrap();
    record(&mut writer, 0..1);
    (0..length_of(1)).for_each(|frame| push(&mut writer, 1, frame));
    drop(writer);
    let recovered = recover(&root).unwrap();
    assert_eq!((recovered.saved.len(), recovered.saved[0].lost), (1, 0));
    assert_holds(&root, &[0, 1], Some(Scale::default()));
    assert_sound(&root, &[]);
}

#[test]
fn edits_keep_the_steps_of_depth() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let (films, images) = (at("films"), at("images"));
    make(&films, Dtype::Video, 3);
    make(&images, Dtype::Image, 2);
    let quiet = &|_| {};
    let usual = Some(Scale::default());
    edit::merge(&[&films, &films], Some(&at("both")), quiet).unwrap();
    assert_holds(&at("both"), &[0, 1, 2, 0, 1, 2], usual);
    edit::delete_episodes(&at("both"), &[1, 3], Some(&at("less")), quiet).unwrap();
    assert_holds(&at("less"), &[0, 2, 1, 2], usual);
    // Whatever colours are coded with.
    edit::reencode(&at("less"), &[], &Coding::default(), Some(&at("anew")), quiet).unwrap();
    assert_holds(&at("anew"), &[0, 2, 1, 2], usual);
    edit::convert(&films, Target::Images, Some(&at("unpacked")), quiet).unwrap();
    assert_holds(&at("unpacked"), &[0, 1, 2], usual);
    edit::convert(&images, Target::Videos, Some(&at("packed")), quiet).unwrap();
    assert_holds(&at("packed"), &[0, 1], usual);
    for name in ["both", "less", "anew", "unpacked", "packed"] {
        assert_sound(&at(name), &[]);
    }
    let older = edit::convert(&films, Target::V21, Some(&at("older")), quiet).unwrap_err();
    assert!(older.to_string().contains("depth"), "{older}");

    // Another scale, finer than millimetres: coding it again changes nothing.
    let fine = Scale::new(0.2, 1.2, 0.0, false).unwrap();
    let mut declared = info(Dtype::Video);
    let camera = &mut declared.features.iter_mut().find(|(name, _)| name == CAMERA).unwrap().1;
    let said = camera.extra.get_mut("info").unwrap().as_object_mut().unwrap();
    said.extend(fine.to_json());
    let mut writer = Writer::create(&at("fine"), declared, Options::default()).unwrap();
    record(&mut writer, 0..1);
    writer.finish().unwrap();
    edit::reencode(&at("fine"), &[], &Coding::default(), Some(&at("finer")), quiet).unwrap();
    for name in ["fine", "finer"] {
        assert_holds(&at(name), &[0], Some(fine));
        assert_sound(&at(name), &[]);
    }
    let error = edit::merge(&[&films, &at("fine")], Some(&at("mixed")), quiet).unwrap_err();
    assert!(error.to_string().contains("depth_max"), "{error}");
}

#[test]
fn a_camera_of_colours_takes_no_depth_and_the_other_way_round() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("set");
    make(&root, Dtype::Video, 1);
    // Somebody says it is colours.
    let path = root.join("meta/info.json");
    let said = std::fs::read_to_string(&path)
        .unwrap()
        .replace("\"is_depth_map\": true", "\"is_depth_map\": false");
    std::fs::write(&path, said).unwrap();
    let error = Dataset::open(&root).unwrap().image(CAMERA, 0).unwrap_err();
    assert!(matches!(&error, Error::Feature { .. }), "{error}");
}

#[test]
fn steps_are_lerobots() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("scale");
    if !lerobot(&[&["scale", out.to_str().unwrap()]]) {
        return;
    }
    let bytes = std::fs::read(out).unwrap();
    let all: Vec<u16> =
        bytes.chunks_exact(2).map(|two| u16::from_le_bytes([two[0], two[1]])).collect();
    let (steps, depths) = all.split_at(1 << 16);
    let scale = Scale::default();
    // numpy's logarithm of 32 bits is off by a last digit or more, which tips a step here and there.
    let off = |depth: u16| steps[usize::from(depth)].abs_diff(scale.step(depth));
    assert!((0..=u16::MAX).all(|depth| off(depth) <= 1));
    let tipped = (0..=u16::MAX).filter(|depth| off(*depth) > 0).count();
    assert!(tipped <= 16, "{tipped} of 65536 steps are not LeRobot's");
    let off = |step: u16| depths[usize::from(step)].abs_diff(scale.depth(step));
    assert_eq!((0..=LAST_STEP).filter(|step| off(*step) > 0).count(), 0);
}

/// The kinds of lerobot_depth.py, and whether they are kept as images.
const KINDS: [(&str, bool); 5] = [
    ("video", false),
    ("stream", false),
    ("metres", false),
    ("image", true),
    ("metres_image", true),
];

#[test]
fn what_lerobot_records_of_depth_is_read_and_edited_here() {
    let folder = tempfile::tempdir().unwrap();
    let at = |kind: &str, name: &str| folder.path().join(format!("{kind}_{name}"));
    let text = |kind: &str, name: &str| at(kind, name).to_str().unwrap().to_owned();
    let run = |steps: &[Vec<String>]| {
        let steps: Vec<Vec<&str>> =
            steps.iter().map(|step| step.iter().map(String::as_str).collect()).collect();
        lerobot(&steps.iter().map(Vec::as_slice).collect::<Vec<_>>())
    };
    let show = |kind: &str, name: &str| {
        vec!["show".to_owned(), text(kind, name), text(kind, &format!("{name}.shown"))]
    };
    let as_shown = |kind: &str, name: &str| {
        let shown = std::fs::read(at(kind, &format!("{name}.shown"))).unwrap();
        let dataset = Dataset::open(&at(kind, name)).unwrap();
        let frames = shown.chunks_exact(shown.len() / dataset.len() as usize);
        for (index, theirs) in (0..).zip(frames) {
            let ours = dataset.image(CAMERA, index).unwrap();
            assert!(ours.pixels()[..] == *theirs, "{kind} {name}: frame {index}");
        }
    };
    let mut steps = Vec::new();
    for (kind, images) in KINDS {
        let (set, both) = (text(kind, "set"), text(kind, "both"));
        steps.push(vec!["make".to_owned(), set.clone(), kind.to_owned(), "3".to_owned()]);
        steps.push(vec!["merge".to_owned(), set.clone(), set.clone(), both]);
        steps.extend([show(kind, "set"), show(kind, "both")]);
        if images {
            steps.push(vec!["films".to_owned(), set, text(kind, "filmed")]);
            steps.push(show(kind, "filmed"));
        }
    }
    if !run(&steps) {
        return;
    }
    let (quiet, coding) = (&|_| {}, Coding::default());
    let mut steps = Vec::new();
    let mut made = Vec::new();
    for (kind, images) in KINDS {
        let at = |name: &str| at(kind, name);
        as_shown(kind, "set");
        as_shown(kind, "both");
        assert_sound(&at("set"), &[]);
        assert_sound(&at("both"), &[Code::StatsDrift]);
        edit::merge(&[&at("set"), &at("set")], Some(&at("ours")), quiet).unwrap();
        edit::delete_episodes(&at("ours"), &[1], Some(&at("less")), quiet).unwrap();
        let mut names = vec!["ours", "less"];
        let same = match images {
            true => {
                as_shown(kind, "filmed");
                edit::convert(&at("set"), Target::Videos, Some(&at("films")), quiet).unwrap();
                names.push("films");
                ("filmed", "films")
            }
            false => {
                edit::reencode(&at("set"), &[], &coding, Some(&at("anew")), quiet).unwrap();
                edit::convert(&at("set"), Target::Images, Some(&at("unpacked")), quiet).unwrap();
                names.extend(["anew", "unpacked"]);
                ("set", "anew")
            }
        };
        let (one, other) = (Dataset::open(&at(same.0)), Dataset::open(&at(same.1)));
        let (one, other) = (one.unwrap(), other.unwrap());
        for frame in 0..one.len() {
            let [a, b] = [&one, &other].map(|set| values(&set.image(CAMERA, frame).unwrap()));
            // LeRobot's logarithm tips a step here and there.
            let near = |(a, b): (&u16, &u16)| a.abs_diff(*b) <= if images { 5 } else { 0 };
            assert!(a.iter().zip(&b).all(near), "{kind}, {same:?}, frame {frame}");
        }
        for name in names {
            assert_sound(&at(name), &[]);
            steps.push(show(kind, name));
            made.push((kind, name));
        }
    }
    run(&steps);
    made.iter().for_each(|(kind, name)| as_shown(kind, name));
}

#[test]
fn what_is_recorded_of_depth_here_is_read_by_lerobot_which_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let kinds = [("films", Dtype::Video), ("images", Dtype::Image)];
    let roots = kinds.map(|(name, dtype)| (folder.path().join(name), dtype));
    roots.iter().for_each(|(root, dtype)| make(root, *dtype, 2));
    let [films, images] = roots.each_ref().map(|(root, _)| root.to_str().unwrap());
    let steps: [&[&str]; 4] = [
        &["read", films, "2"],
        &["read", images, "2"],
        &["resume", films, "2"],
        &["resume", images, "2"],
    ];
    if !lerobot(&steps) {
        return;
    }
    for (root, dtype) in &roots {
        let (mut writer, _) =
            Writer::resume(root, Some(&info(*dtype)), Options::default()).unwrap();
        record(&mut writer, 3..4);
        writer.finish().unwrap();
        let scale = (*dtype == Dtype::Video).then(Scale::default);
        assert_nearly_holds(root, &[0, 1, 2, 3], scale, if scale.is_some() { 3 } else { 0 });
        assert_sound(root, &[]);
    }
    lerobot(&[&["read", films, "4"], &["read", images, "4"]]);
}
