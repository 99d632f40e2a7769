//! The arms that come along have LeRobot's joints: names, ids, models, units, folder.

use sinew_core::joint::Units;
use sinew_drivers::ArmSpec;

use super::{golden, list, text};

fn unit(units: Units) -> &'static str {
    match units {
        Units::Degrees => "degrees",
        Units::RangeM100 => "range_m100_100",
        Units::Range0To100 => "range_0_100",
    }
}

#[test]
fn every_arm_is_lerobots_motor_for_motor() {
    let golden = golden(include_str!("arms/golden.json"));
    for (name, theirs) in golden["arms"].as_object().expect("arms") {
        let ours = ArmSpec::builtin(name).unwrap_or_else(|| panic!("no arm is called {name}"));
        let folder = ours.calibration.first().map(String::as_str);
        assert_eq!(folder, Some(text(theirs, "folder")), "{name}: calibration folder");
        let motors = list(theirs, "motors");
        assert_eq!(ours.servos().count(), motors.len(), "{name}");
        for ((joint, id, model), motor) in ours.servos().zip(motors) {
            let told = (Some(joint), Some(u64::from(id)), Some(model.name));
            assert_eq!(told, (motor[0].as_str(), motor[1].as_u64(), motor[2].as_str()), "{name}");
            // Wheels have no unit of their own here: the base is told in metres and degrees.
            if let Some((_, spec)) = ours.joint(joint) {
                assert_eq!(Some(unit(spec.units)), motor[3].as_str(), "{name} {joint}");
            }
        }
    }
}
