use super::*;
use crate::cli::failure::Exit;

fn flags() -> RobotFlags {
    RobotFlags {
        robot_type: Some("so101_follower".into()),
        robot_port: Some("/dev/null".into()),
        ..RobotFlags::default()
    }
}

#[test]
fn the_greatest_step_is_a_number_or_a_table() {
    assert_eq!(max_step("5").unwrap(), MaxStep::All(5.0));
    assert_eq!(max_step("2.5").unwrap(), MaxStep::All(2.5));
    assert_eq!(max_step("null").unwrap(), MaxStep::Off);
    let each = max_step("{a: 1, b.pos: 2.5}").unwrap();
    assert_eq!(each, MaxStep::Each(vec![("a".into(), 1.0), ("b".into(), 2.5)]));
    for text in ["five", "[1]", "{a: x}", "{"] {
        assert_eq!(max_step(text).unwrap_err().exit, Exit::Usage, "{text}");
    }
}

#[test]
fn gains_replace_those_of_the_type() {
    let robot = Robot::choose(&RobotFlags { position_p: Some(24), ..flags() }).unwrap();
    let joint = &robot.parts()[0].spec.joints[0];
    let p = joint.settings.iter().find(|s| s.register.reg == Reg::PCoefficient).unwrap();
    assert_eq!(p.change, Change::Value(24));
}

#[test]
fn torque_kept_on_disconnect_means_hold() {
    let hold = RobotFlags { disable_torque_on_disconnect: Some(false), ..flags() };
    assert_eq!(Robot::choose(&hold).unwrap().options.stop, StopPolicy::Hold);
    assert_eq!(Robot::choose(&flags()).unwrap().options.stop, StopPolicy::Limp);
}

#[test]
fn a_pair_without_calibration_is_told_how_to_get_one() {
    let folder = tempfile::tempdir().unwrap();
    let pair = RobotFlags {
        robot_type: Some("bi_so_follower".into()),
        robot_left_port: Some("/dev/left".into()),
        robot_right_port: Some("/dev/the right".into()),
        robot_id: Some("both".into()),
        robot_calibration_dir: Some(folder.path().into()),
        ..RobotFlags::default()
    };
    let robot = Robot::choose(&pair).unwrap();
    let failure = robot.parts()[1].calibration().unwrap_err();
    assert!(failure.what.contains("of both_right at"), "{}", failure.what);
    let line = format!(
        "sinew calibrate --robot.type=bi_so_follower --robot.left_arm_config.port=/dev/left \
         --robot.right_arm_config.port='/dev/the right' --robot.id=both \
         --robot.calibration_dir={}",
        folder.path().display()
    );
    assert_eq!(failure.remedy, Some(line));
}

#[test]
fn two_arms_are_not_on_one_port() {
    let both = |left: &str, right: &str| RobotFlags {
        robot_type: Some("bi_so_follower".into()),
        robot_left_port: Some(left.into()),
        robot_right_port: Some(right.into()),
        ..RobotFlags::default()
    };
    let refused = Robot::choose(&both("/dev/a", "/dev/a")).unwrap_err();
    assert!(refused.what.contains("are both said to be on /dev/a"), "{}", refused.what);
    let robot = Robot::choose(&both("/dev/a", "/dev/b")).unwrap();
    let leader = |port: &str| {
        let (teleop_type, teleop_port) = (Some("so101_leader".into()), Some(port.into()));
        let flags = TeleopFlags { teleop_type, teleop_port, ..TeleopFlags::default() };
        Robot::choose_leader(&flags, Some(&robot))
    };
    assert!(leader("/dev/b").unwrap_err().what.contains("on /dev/b"));
    leader("/dev/c").unwrap();
}

#[test]
fn what_is_missing_is_asked_for_by_its_flag() {
    let none = Robot::choose(&RobotFlags::default()).unwrap_err();
    assert!(none.remedy.unwrap().contains("--robot.type"));
    let portless = RobotFlags { robot_port: None, ..flags() };
    let failure = Robot::choose(&portless).unwrap_err();
    assert!(failure.remedy.unwrap().contains("--robot.port"));
}
