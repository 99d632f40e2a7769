//! Somebody records episodes with a leader, a follower and cameras.

use std::path::Path;

use serde_json::Value;
use sinew_datasets::reader::{Deltas, Series, View};
use sinew_datasets::video::VideoWriter;
use sinew_datasets::{Dataset, Image, PixelFormat};

use crate::sandbox::Sandbox;

const ARMS: [&str; 4] =
    ["--robot=sim", "--teleop=sim", "--task=Pick the cube", "--dataset=me/pick"];

/// What one types to record, with these flags besides.
fn words<'a>(more: &[&'a str]) -> Vec<&'a str> {
    let quick = ["--dataset.no_stamp", "--dataset.episode_time_s=1", "--dataset.reset_time_s=0"];
    [&["--json", "record", "--dry_run_s=0"], &ARMS[..], &quick, more].concat()
}

fn folder(sandbox: &Sandbox) -> std::path::PathBuf {
    sandbox.path(".cache/huggingface/lerobot/me/pick")
}

/// How long each bar of the simulated camera's picture is, as a share of its width.
fn bars(image: &Image, count: usize) -> Vec<f64> {
    let (width, height) = (image.width() as usize, image.height() as usize);
    let middle = |bar: usize| height / 4 + (height - height / 4) * (2 * bar + 1) / (2 * count);
    let bright = |row: usize| {
        let row = &image.pixels()[row * width..(row + 1) * width];
        row.iter().filter(|pixel| **pixel > 160).count()
    };
    (0..count).map(|bar| bright(middle(bar)) as f64 / width as f64).collect()
}

/// Every row's state, and the bars in its picture.
fn rows(root: &Path, camera: &str) -> Vec<(Vec<f64>, Vec<f64>)> {
    let dataset = Dataset::open(root).unwrap();
    let view = View::new(&dataset, Deltas::default(), None).unwrap();
    let row = |at| {
        let item = view.item(at).unwrap();
        let find = |name: &str| item.features.iter().find(|(is, _)| is == name).map(|(_, of)| of);
        let Some(Series::Values(state)) = find("observation.state") else { panic!("no state") };
        let Some(Series::Images(images)) = find(camera) else { panic!("no picture") };
        let state = state.numbers();
        let bars = bars(&images[0], state.len());
        (state, bars)
    };
    (0..view.len()).map(row).collect()
}

#[test]
fn episodes_hold_what_the_arm_did_and_what_the_cameras_saw() {
    let sandbox = Sandbox::new();
    let cameras = ["--camera=front=pattern@320x240x30", "--camera=side=pattern@64x48x30"];
    let ended = sandbox.run(&words(&[&cameras[..], &["--dataset.num_episodes=2"]].concat()));
    assert_eq!(ended.code, 0, "{}", ended.err);
    let result = ended.result();
    assert_eq!((&result["episodes"], &result["frames"]), (&2.into(), &60.into()), "{result}");
    assert_eq!(result["stopped"]["motors"].as_array().unwrap().len(), 6);
    assert!(result["camera_skew_ms"]["max"].as_f64().unwrap() > 0.0);
    let front = &result["cameras"]["front"];
    assert_eq!((&front["doubted_stamps"], &front["stamped_at"]), (&0.into(), &"exposure".into()));
    let phases: Vec<Value> = ended.json().iter().map(|line| line["phase"].clone()).collect();
    assert_eq!(phases[..4], ["recording", "saved", "recording", "saved"]);
    let root = folder(&sandbox);
    let verify = sandbox.run(&["--json", "dataset", "verify", root.to_str().unwrap()]);
    assert_eq!(verify.code, 0, "{}", verify.out);
    let dataset = Dataset::open(&root).unwrap();
    assert_eq!(dataset.info().robot_type.as_deref(), Some("so_follower"));
    let names: Vec<&str> = dataset.info().names().collect();
    let cameras = ["observation.images.front", "observation.images.side"];
    assert_eq!(names[..4], [&["action", "observation.state"], &cameras[..]].concat());
    // The picture shows the joint that was read with it, but for what it moved in between.
    let rows = rows(&root, "observation.images.front");
    let moved = |joint: usize| {
        let at = |row: &(Vec<f64>, Vec<f64>)| row.0[joint];
        let (low, high) = rows
            .iter()
            .map(at)
            .fold((f64::MAX, f64::MIN), |(low, high), at| (low.min(at), high.max(at)));
        high - low
    };
    assert!((0..6).any(|joint| moved(joint) > 1.0), "nothing moved");
    // The gripper is told from 0 to 100 of its range. A picture is of the time since the row before.
    for near in rows[..30].windows(4) {
        let (low, high) = near.iter().fold((f64::MAX, f64::MIN), |(low, high), (state, _)| {
            (low.min(state[5] / 100.0), high.max(state[5] / 100.0))
        });
        let seen = near[2].1[5];
        assert!((low - 0.03..=high + 0.03).contains(&seen), "{near:?}");
    }
}

#[test]
fn keys_end_repeat_and_stop_an_episode() {
    let sandbox = Sandbox::new();
    let long = ["--dataset.episode_time_s=60", "--dataset.reset_time_s=60"];
    let mut record = sandbox.start(&words(&long));
    let mut phase = |key: Option<&str>, wanted: &str| {
        if let Some(key) = key {
            std::thread::sleep(std::time::Duration::from_millis(300));
            record.type_word(key);
        }
        let line = record.next();
        assert_eq!(line["phase"], wanted, "{line}");
        line
    };
    phase(None, "recording");
    phase(Some("n"), "reset");
    // During the reset it is not too late to take it again.
    phase(Some("r"), "again");
    assert_eq!(phase(None, "recording")["episode"], 0);
    phase(Some("n"), "reset");
    assert!(phase(Some("n"), "saved")["frames"].as_u64().unwrap() > 0);
    assert_eq!(phase(None, "recording")["episode"], 1);
    phase(Some("r"), "again");
    // What was begun is put back first.
    phase(None, "reset");
    phase(Some("n"), "recording");
    assert_eq!(phase(Some("q"), "saved")["episode"], 1);
    let result = record.result();
    assert_eq!(result["episodes"], 2);
    assert_eq!(record.end().0, 0);
    let dataset = Dataset::open(&folder(&sandbox)).unwrap();
    assert_eq!(dataset.len(), result["frames"].as_u64().unwrap());
}

#[test]
fn arrows_work_at_a_terminal_which_is_given_back() {
    let sandbox = Sandbox::new();
    let long = ["record", "--dry_run_s=0", "--dataset.episode_time_s=60", "--dataset.no_stamp"];
    let (mut record, mut keyboard) = sandbox.start_at_terminal(&[&long, &ARMS[..]].concat());
    let mut press = |keys: &[u8]| {
        std::thread::sleep(std::time::Duration::from_millis(300));
        std::io::Write::write_all(&mut keyboard, keys).unwrap();
    };
    record.read_to("Recording episode 0");
    press(b"\x1b[C");
    record.read_to("Put things back");
    press(b"\x1b[C");
    record.read_to("episode 0 is saved");
    record.read_to("Recording episode 1");
    press(b"\x1b");
    record.read_to("episode 1 is saved");
    assert_eq!(record.end().0, 0);
}

#[test]
fn ctrl_c_leaves_the_arm_safe_and_keeps_what_is_recorded() {
    let sandbox = Sandbox::new();
    let (follower, leader) = (sandbox.arm("so101", "white"), sandbox.arm("so101_leader", "black"));
    let (robot, teleop) = (["--robot.port", follower.port()], ["--teleop.port", leader.port()]);
    let kinds = ["--robot.type=so101_follower", "--robot.id=white", "--teleop.type=so101_leader"];
    let rest =
        ["--teleop.id=black", "--camera=front=pattern@64x48x30", "--task=x", "--dataset.root"];
    let root = sandbox.path("set");
    let words = [&["--json", "record", "--dry_run_s=0"], &kinds[..], &robot, &teleop, &rest];
    let mut record = sandbox.start(&[&words.concat()[..], &[root.to_str().unwrap()]].concat());
    assert_eq!(record.next()["phase"], "recording");
    std::thread::sleep(std::time::Duration::from_millis(700));
    record.signal("INT");
    assert_eq!(record.next()["phase"], "saved");
    let result = record.result();
    assert_eq!(record.end().0, 130);
    assert_eq!(result["stopped"]["cause"], "interrupt");
    assert_eq!(follower.torques(), [false; 6]);
    let frames = Dataset::open(&root).unwrap().len();
    assert!(frames > 5 && result["frames"] == frames, "{result}");
}

#[test]
fn a_killed_recording_is_taken_up_and_gone_on_with() {
    let sandbox = Sandbox::new();
    let camera = "--camera=front=pattern@64x48x30";
    let mut record = sandbox.start(&words(&[camera, "--dataset.episode_time_s=60"]));
    assert_eq!(record.next()["phase"], "recording");
    std::thread::sleep(std::time::Duration::from_millis(2500));
    record.signal("KILL");
    record.end();
    let again = sandbox.run(&words(&[camera, "--dataset.num_episodes=1"]));
    assert_eq!(again.code, 2, "it is there already");
    assert!(again.err.contains("--resume"), "{}", again.err);
    let resumed = sandbox.run(&words(&[camera, "--dataset.num_episodes=1", "--resume=true"]));
    assert_eq!(resumed.code, 0, "{}", resumed.err);
    assert!(resumed.err.contains("was cut off"), "{}", resumed.err);
    let other =
        sandbox.run(&words(&[camera, "--dataset.num_episodes=1", "--dataset.fps=15", "--resume"]));
    assert_eq!(other.code, 2, "another rate: {}", other.err);
    let dataset = Dataset::open(&folder(&sandbox)).unwrap();
    assert_eq!(dataset.episodes().len(), 2);
    // At most a second of it is lost.
    assert!(dataset.len() >= 30 + 30, "{}", dataset.len());
}

#[test]
fn what_makes_no_recording_is_told_before_anything_moves() {
    let sandbox = Sandbox::new();
    for (flag, part) in [
        ("--dataset=nowhere", "OWNER/NAME"),
        ("--dataset=me/eval_x", "rollout"),
        ("--fps=45", "multiple"),
        ("--camera=front", "front=/dev/video0"),
        ("--camera=front=none.mp4", "none.mp4"),
        ("--dataset.fps=0", "1..=1000"),
        ("--dataset.rgb_encoder.vcodec=h266", "h266"),
    ] {
        let ended = sandbox.run(&words(&[flag]));
        assert_eq!(ended.code, 2, "{flag}: {}", ended.err);
        assert!(ended.err.contains(part), "{flag}: {}", ended.err);
    }
    let ended = sandbox.run(&words(&["--camera=front=/dev/video-none"]));
    assert_eq!(ended.code, 3);
    assert!(ended.err.contains("is not there"), "{}", ended.err);
    assert!(!folder(&sandbox).exists(), "nothing was begun");
}

#[test]
fn a_video_stands_in_for_a_camera() {
    let sandbox = Sandbox::new();
    let clip = sandbox.path("clip.mp4");
    let mut film = VideoWriter::create(&clip, 64, 48, 30).unwrap();
    let greys: Vec<u8> = (0..10).map(|nth| 40 + 16 * nth).collect();
    for grey in &greys {
        let image = Image::new(64, 48, PixelFormat::Rgb8, vec![*grey; 64 * 48 * 3]).unwrap();
        film.push(&image).unwrap();
    }
    film.finish().unwrap();
    let camera = format!("--camera=front={}", clip.display());
    let ended = sandbox.run(&words(&[&camera, "--dataset.num_episodes=1"]));
    assert_eq!(ended.code, 0, "{}", ended.err);
    let dataset = Dataset::open(&folder(&sandbox)).unwrap();
    let seen = (0..30).map(|row| {
        let image = dataset.image("observation.images.front", row).unwrap().to_rgb();
        assert_eq!((image.width(), image.height()), (64, 48));
        let shown = image.pixels()[0];
        greys.iter().position(|grey| grey.abs_diff(shown) <= 3).unwrap()
    });
    let seen: Vec<usize> = seen.collect();
    assert!(seen.iter().any(|nth| *nth != seen[0]), "it does not go on: {seen:?}");
}

#[test]
fn a_line_for_lerobots_own_recorder_works() {
    let sandbox = Sandbox::new();
    let (follower, leader) = (sandbox.arm("so101", "white"), sandbox.arm("so101_leader", "black"));
    let line = format!(
        "record --robot.type=so101_follower --robot.port={} --robot.id=white \
         --teleop.type=so101_leader --teleop.port={} --teleop.id=black --dataset.repo_id=me/pasted \
         --dataset.fps=30 --dataset.episode_time_s=1 --dataset.reset_time_s=0 \
         --dataset.num_episodes=1 --dataset.video=true --dataset.push_to_hub=false \
         --dataset.num_image_writer_threads_per_camera=4 --dataset.streaming_encoding=true \
         --dataset.rgb_encoder.vcodec=h264 --display_data=false --play_sounds=false --resume=false",
        follower.port(),
        leader.port()
    );
    let mut words: Vec<&str> = line.split_whitespace().collect();
    let cameras = "--robot.cameras={front: {type: pattern, width: 64, height: 48, fps: 30}}";
    words.extend([cameras, "--dataset.single_task=Grab the cube"]);
    let ended = sandbox.run(&words);
    assert_eq!(ended.code, 0, "{}", ended.err);
    for flag in ["streaming_encoding", "num_image_writer_threads_per_camera"] {
        assert!(ended.err.contains(flag), "{flag} is passed over in silence: {}", ended.err);
    }
    assert!(!ended.err.contains("push_to_hub"), "false is understood: {}", ended.err);
    let home = std::fs::read_dir(sandbox.path(".cache/huggingface/lerobot/me")).unwrap();
    let names: Vec<String> =
        home.map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned()).collect();
    let [name] = &names[..] else { panic!("{names:?}") };
    // As LeRobot: date and time behind the name.
    assert!(
        name.starts_with("pasted_20") && name.len() == "pasted_20261121_101500".len(),
        "{name}"
    );
    let root = sandbox.path(".cache/huggingface/lerobot/me").join(name);
    assert_eq!(Dataset::open(&root).unwrap().tasks(), ["Grab the cube"]);
}

#[test]
fn a_camera_sees_a_simulated_table_only_where_there_is_one() {
    let sandbox = Sandbox::new();
    let words = |kind: &str| {
        let root = sandbox.path(kind);
        let line = format!(
            "--json record --robot.type={kind}_follower --robot.port=sim \
             --teleop.type={kind}_leader --teleop.port=sim --task=x --dry_run_s=0 \
             --camera=wrist=sim@64x48x30 --dataset.num_episodes=1 --dataset.episode_time_s=1 \
             --dataset.root={}",
            root.display()
        );
        line.split_whitespace().map(str::to_owned).collect::<Vec<_>>()
    };
    let run = |kind| {
        let words = words(kind);
        sandbox.run(&words.iter().map(String::as_str).collect::<Vec<_>>())
    };
    let seen = run("so101");
    assert_eq!(seen.code, 0, "{}", seen.err);
    let dataset = Dataset::open(&sandbox.path("so101")).unwrap();
    let image = dataset.image("observation.images.wrist", 0).unwrap().to_rgb();
    let (least, most) = (image.pixels().iter().min(), image.pixels().iter().max());
    assert!(most.unwrap() - least.unwrap() > 60, "{least:?} {most:?}");
    let nothing = run("koch");
    assert_ne!(nothing.code, 0);
    assert!(nothing.err.contains("wrist") && nothing.err.contains("pattern"), "{}", nothing.err);
}
