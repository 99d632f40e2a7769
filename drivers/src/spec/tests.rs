use super::*;

const SO101: &str = include_str!("../arms/so101_follower.toml");

#[test]
fn every_arm_that_comes_along_reads_and_carries_its_file_name() {
    for name in builtin_names() {
        let parts = find(name, &[]).unwrap();
        for part in &parts {
            assert!(parts.len() == 2 || part.name == name, "{name}");
            assert!(part.joints.len() >= 6, "{name}");
            assert!(part.joints.iter().all(|j| j.torque || part.role == Role::Leader), "{name}");
        }
    }
}

#[test]
fn a_pair_is_two_arms_with_prefixes_and_ids_of_their_own() {
    let pair = find("bi_so_leader", &[]).unwrap();
    let names: Vec<String> = pair.iter().flat_map(ArmSpec::value_names).collect();
    assert_eq!(names.len(), 12);
    assert_eq!(names[0], "left_shoulder_pan.pos");
    assert_eq!(names[11], "right_gripper.pos");
    assert_eq!(pair[1].part_id("white"), "white_right");
    assert_eq!(ArmSpec::builtin("so101_leader").unwrap().part_id("white"), "white");
}

#[test]
fn lekiwi_has_lerobots_nine_values() {
    let lekiwi = ArmSpec::builtin("lekiwi").unwrap();
    assert_eq!(lekiwi.value_count(), 9);
    assert_eq!(lekiwi.value_names()[5..], ["arm_gripper.pos", "x.vel", "y.vel", "theta.vel"]);
    assert_eq!(
        lekiwi.servos().map(|servo| servo.1).collect::<Vec<_>>(),
        (1..=9).collect::<Vec<_>>()
    );
}

#[test]
fn settings_keep_the_order_of_the_file() {
    let arm = ArmSpec::builtin("so101_follower").unwrap();
    let names: Vec<&str> = arm.settings.iter().map(|s| s.register.reg.name()).collect();
    assert_eq!(names, ["Return_Delay_Time", "Maximum_Acceleration", "Acceleration", "Phase"]);
    assert_eq!(arm.settings[3].change, Change::Clear(0x10));
    let gripper = &arm.joint("gripper").unwrap().1.settings;
    assert_eq!(gripper.last().unwrap().change, Change::Value(25));
}

/// What the file says after one replacement, and where it is wrong.
fn complaint(from: &str, to: &str) -> (usize, String, String) {
    let text = SO101.replacen(from, to, 1);
    assert_ne!(text, SO101, "{from}");
    let error = ArmSpec::parse("mine.toml", &text).unwrap_err();
    assert_eq!(error.file, "mine.toml");
    (error.line, error.key, error.message)
}

fn line_of(needle: &str) -> usize {
    SO101.split(needle).next().unwrap().matches('\n').count() + 1
}

#[test]
fn a_mistake_names_its_line_and_its_key() {
    let cases = [
        ("id = 2", "id = 1", "joint[1].id", "already the id of `shoulder_pan`"),
        ("id = 2", "id = 300", "joint[1].id", "not within 0 to 252"),
        ("model = \"sts3215\"", "model = \"sts3125\"", "joint[0].model", "did you mean `sts3215`?"),
        ("travel = 220", "travle = 220", "joint[0].travle", "did you mean `travel`?"),
        ("P_Coefficient = 16", "P_Coeficient = 16", "joint[0].set.P_Coeficient", "`P_Coefficient`"),
        ("P_Coefficient = 16", "P_Coefficient = 256", "joint[0].set.P_Coefficient", "0 to 255"),
        ("P_Coefficient = 16", "Torque_Enable = 1", "joint[0].set.Torque_Enable", "not a setting"),
        ("units = \"degrees\"", "units = 4", "joint[0].units", "wants a string, not an integer"),
        ("rest = 0", "rest = nan", "joint[0].rest", "not within -100 to 100"),
        ("baud = 1_000_000", "baud = 9600", "baud", "sts servos run at 1000000"),
        ("role = \"follower\"", "role = \"folower\"", "role", "did you mean `follower`?"),
        ("mode = \"position\"", "mode = \"velocity\"", "joint[0].mode", "no such mode"),
        ("Phase = { clear = 0x10 }", "Phase = { clr = 1 }", "configure.Phase.clear", "is missing"),
    ];
    for (from, to, key, message) in cases {
        let found = complaint(from, to);
        assert_eq!((found.0, found.1.as_str()), (line_of(from), key), "{to}: {}", found.2);
        assert!(found.2.contains(message), "{to}: {}", found.2);
    }
}

#[test]
fn a_file_cut_anywhere_is_read_or_complained_of_within_its_lines() {
    for cut in 0..SO101.len() {
        let Some(text) = SO101.get(..cut) else { continue };
        match ArmSpec::parse("cut.toml", text) {
            Ok(arm) => assert!(!arm.joints.is_empty()),
            Err(error) => assert!((1..=text.lines().count() + 1).contains(&error.line), "{error}"),
        }
    }
}

#[test]
fn a_users_file_comes_first_and_an_unknown_name_gets_a_guess() {
    let folder = std::env::temp_dir().join(format!("sinew-spec-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let mine = SO101.replace("SO-101 follower\"", "Mine\"");
    std::fs::write(folder.join("so101_follower.toml"), mine).unwrap();
    let found = find("so101_follower", &[&folder]).unwrap();
    std::fs::remove_dir_all(&folder).unwrap();
    assert_eq!(found[0].title, "Mine");
    let error = find("so101_folower", &[]).unwrap_err();
    assert_eq!(error.to_string(), "no arm is called so101_folower; did you mean so101_follower?");
    assert!(find("../../etc/passwd", &[&folder]).is_err());
}
