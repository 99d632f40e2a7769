use std::ffi::OsString;
use std::path::Path;

use proptest::prelude::*;
use sinew_core::calibration::Calibration;

use super::place::{find_under, path_under, root};
use super::{Kind, Malformed, parse, read, render, write};

/// As LeRobot 0.6.1 writes it.
const LEROBOT: &str = r#"{
    "shoulder_pan": {
        "id": 1,
        "drive_mode": 0,
        "homing_offset": -1470,
        "range_min": 758,
        "range_max": 3292
    },
    "arm_épaule": {
        "id": 2,
        "drive_mode": 1,
        "homing_offset": 157,
        "range_min": 612,
        "range_max": 2701
    }
}"#;

fn one(range_max: &str) -> Result<Vec<(String, Calibration)>, Malformed> {
    parse(&format!(
        r#"{{"pan": {{"id": 1, "drive_mode": 0, "homing_offset": -3,
        "range_min": 1, "range_max": {range_max}}}}}"#
    ))
}

#[test]
fn a_file_of_lerobot_is_written_back_byte_for_byte() {
    let text = LEROBOT.replace('é', "\\u00e9");
    let joints = parse(&text).expect("LeRobot's own file");
    assert_eq!(joints[0].0, "shoulder_pan");
    assert_eq!(joints[0].1.homing_offset, -1470);
    assert_eq!(joints[1].0, "arm_épaule");
    assert_eq!(render(&joints), text);
    assert_eq!(render(&[]), "{}");
}

#[test]
fn numbers_are_taken_as_lerobot_takes_them() {
    let max = |text: &str| one(text).map(|joints| joints[0].1.range_max);
    assert_eq!(max("5"), Ok(5));
    assert_eq!(max("\" 7 \""), Ok(7));
    assert_eq!(max("true"), Ok(1));
    for refused in ["5.0", "5.5", "1e3", "null", "\"0x5\"", "NaN", "[1]", "99999999999", "{}"] {
        let error = max(refused).expect_err(refused);
        assert_eq!(
            (error.joint.as_deref(), error.key),
            (Some("pan"), Some("range_max")),
            "{error}"
        );
        assert_eq!(error.line, 2, "{error}");
    }
}

#[test]
fn errors_say_where_and_what() {
    let said = |text: &str| parse(text).expect_err(text).to_string();
    assert_eq!(
        one("5.5").expect_err("no whole number").to_string(),
        "line 2, column 40: pan.range_max: invalid type: floating point `5.5`, \
         expected a whole number"
    );
    assert_eq!(
        said("{\"pan\": {\"id\": 1,\n \"range\": 2}}"),
        "line 2, column 8: pan: unknown key `range`: a joint has id, drive_mode, homing_offset, \
         range_min, range_max"
    );
    assert_eq!(said("{\"pan\": {\"id\": 1}}"), "line 1, column 17: pan.drive_mode: missing");
    assert_eq!(
        said(
            "{\"pan\": {\"id\": 300, \"drive_mode\": 0, \"homing_offset\": 0, \"range_min\": 0, \
             \"range_max\": 0}}"
        ),
        "line 1, column 88: pan.id: 300 is out of range"
    );
    assert!(said("").starts_with("line 1, column 0: EOF"), "{}", said(""));
    assert!(said("{} x").contains("trailing"), "{}", said("{} x"));
    assert!(said("[]").contains("expected joints by name"), "{}", said("[]"));
}

#[test]
fn the_last_of_two_counts_in_the_place_of_the_first() {
    let joint = |id: u8| {
        format!(
            r#"{{"id":9,"id":{id},"drive_mode":0,"homing_offset":0,"range_min":0,"range_max":1}}"#
        )
    };
    let text = format!(r#"{{"a":{},"b":{},"a":{}}}"#, joint(1), joint(2), joint(3));
    let joints = parse(&text).expect("valid JSON");
    let seen: Vec<_> = joints.iter().map(|(name, joint)| (name.as_str(), joint.id)).collect();
    assert_eq!(seen, [("a", 3), ("b", 2)]);
}

#[test]
fn the_folder_follows_the_same_variables_as_lerobot() {
    let with = |set: &[(&str, &str)]| {
        root(|key| {
            let found = set.iter().find(|(name, _)| *name == key);
            found.map(|(_, value)| OsString::from(value))
        })
    };
    let home = ("HOME", "/home/ann");
    let cases: [(&[(&str, &str)], &str); 6] = [
        (&[home], "/home/ann/.cache/huggingface/lerobot/calibration"),
        (&[home, ("XDG_CACHE_HOME", "/c")], "/c/huggingface/lerobot/calibration"),
        (&[home, ("HF_HOME", "/h"), ("XDG_CACHE_HOME", "/c")], "/h/lerobot/calibration"),
        (&[home, ("HF_LEROBOT_HOME", "/l"), ("HF_HOME", "/h")], "/l/calibration"),
        (&[home, ("HF_LEROBOT_CALIBRATION", "/k"), ("HF_LEROBOT_HOME", "/l")], "/k"),
        (&[home, ("HF_LEROBOT_CALIBRATION", "~/k")], "/home/ann/k"),
    ];
    for (set, expected) in cases {
        assert_eq!(with(set), Path::new(expected), "{set:?}");
    }
    let path = path_under(Path::new("/k"), Kind::Teleoperator, "so_leader", None);
    assert_eq!(path, Path::new("/k/teleoperators/so_leader/None.json"));
}

#[test]
fn a_file_under_an_old_name_is_found_and_a_new_one_wins() {
    let folder = tempfile::tempdir().expect("a folder for the test");
    let names = ["so_follower", "so101_follower"];
    let find = || find_under(folder.path(), Kind::Robot, &names, Some("white"));
    assert_eq!(find(), None);
    let old = path_under(folder.path(), Kind::Robot, "so101_follower", Some("white"));
    write(&old, &[]).expect("the old file");
    assert_eq!(find(), Some(old));
    let new = path_under(folder.path(), Kind::Robot, "so_follower", Some("white"));
    write(&new, &[]).expect("the new file");
    assert_eq!(find(), Some(new));
}

#[test]
fn writing_replaces_the_file_and_leaves_nothing_else() {
    let folder = tempfile::tempdir().expect("a folder for the test");
    let path = folder.path().join("deep/er/white.json");
    let joints = parse(LEROBOT).expect("a valid file");
    write(&path, &[]).expect("a first file");
    write(&path, &joints).expect("a second over it");
    assert_eq!(read(&path).expect("what was written"), joints);
    let link = folder.path().join("link.json");
    std::os::unix::fs::symlink(&path, &link).expect("a link");
    write(&link, &joints[..1]).expect("through the link");
    assert_eq!(read(&path).expect("the file behind it"), &joints[..1]);
    let left = std::fs::read_dir(folder.path().join("deep/er")).expect("the folder").count();
    assert_eq!(left, 1);
}

#[test]
fn what_cannot_be_read_or_written_is_named() {
    let folder = tempfile::tempdir().expect("a folder for the test");
    let path = folder.path().join("white.json");
    let said = |path: &Path| read(path).expect_err("no calibration").to_string();
    assert!(said(&path).starts_with(&format!("{}: ", path.display())));
    std::fs::write(&path, b"{\n\xFF").expect("a file");
    assert_eq!(said(&path), format!("{}: line 2, column 0: not UTF-8 text", path.display()));
    std::fs::write(&path, vec![b' '; 1 << 18]).expect("a file");
    assert!(said(&path).contains("longer than"), "{}", said(&path));
    let under_a_file = path.join("x.json");
    assert!(write(&under_a_file, &[]).is_err());
}

fn calibration() -> impl Strategy<Value = Calibration> {
    (any::<u8>(), any::<u8>(), any::<i32>(), any::<i32>(), any::<i32>()).prop_map(
        |(id, drive_mode, homing_offset, range_min, range_max)| Calibration {
            id,
            drive_mode,
            homing_offset,
            range_min,
            range_max,
        },
    )
}

proptest! {
    #[test]
    fn every_calibration_comes_back(
        joints in proptest::collection::btree_map(any::<String>(), calibration(), 0..8),
    ) {
        let joints: Vec<_> = joints.into_iter().collect();
        prop_assert_eq!(parse(&render(&joints)), Ok(joints));
    }

    #[test]
    fn any_text_is_answered(text in any::<String>()) {
        if let Ok(joints) = parse(&text) {
            prop_assert_eq!(parse(&render(&joints)), Ok(joints));
        }
    }
}
