//! The arms of [`crate::spec`], built of virtual servos.

use sinew_core::calibration::Calibration;
use sinew_core::register::Reg;
use sinew_core::tables::Homing;

use super::{Device, Mount};
use crate::Error;
use crate::spec::{self, ArmSpec};

/// Encoder counts in a degree.
const PER_DEGREE: f64 = 4096.0 / 360.0;

/// The part of full drive that it takes to hold a joint against its weight, by the joint's name.
static LOADS: [(&str, f64); 3] =
    [("shoulder_lift", 0.06), ("elbow_flex", 0.05), ("wrist_flex", 0.02)];

/// The servos of an arm as its builder leaves them: ids and rate set, every joint near the middle
/// of its travel but, as on a real table, none exactly there.
pub fn devices(spec: &ArmSpec) -> Vec<Device> {
    let skew = |place: usize| [-31.0, 17.0, 8.0, -22.0, 40.0, -5.0][place % 6];
    spec.servos()
        .enumerate()
        .map(|(place, (_, id, model))| {
            let mut device = Device::new(spec.series, model, id);
            if let Some(code) = spec.series.baud_code(spec.baud) {
                device.servo.set(Reg::BaudRate, i32::from(code));
            }
            device.servo.keep_settings();
            device.place(f64::from(model.counts / 2) + skew(place));
            device.power_cycle();
            device
        })
        .collect()
}

/// The arm of this name; a short name such as `so101` means the follower.
pub fn by_name(name: &str) -> Option<ArmSpec> {
    ArmSpec::builtin(name).or_else(|| ArmSpec::builtin(&format!("{name}_follower")))
}

/// The arm of this name, or what it may have been meant to be.
pub fn find(name: &str) -> Result<ArmSpec, Error> {
    by_name(name).ok_or_else(|| match spec::find(name, &[]) {
        Err(error) => error,
        // Two arms have a bus each.
        Ok(parts) => Error::NoSuchArm {
            name: name.to_owned(),
            near: parts.first().map(|part| part.name.clone()),
            known: spec::names(&[]),
        },
    })
}

/// The servos of [`devices`] screwed into the arm: joints end at their stops and carry weight,
/// and no joint's middle is its encoder's.
pub fn assembled(spec: &ArmSpec) -> Vec<Device> {
    let shift = |place: usize| [-114.0, 243.0, 129.0, -260.0, 354.0, 72.0][place % 6];
    let mut devices = devices(spec);
    for (place, (joint, device)) in spec.joints.iter().zip(&mut devices).enumerate() {
        let middle = device.joint() + shift(place);
        let half = joint.travel.map(|degrees| degrees * PER_DEGREE / 2.0);
        let load = LOADS.iter().find(|(name, _)| joint.name.ends_with(name));
        device.mount(Mount {
            stops: half.filter(|_| !joint.full_turn).map(|half| (middle - half, middle + half)),
            load: load.map_or(0.0, |(_, load)| *load),
        });
        device.place(middle);
        device.power_cycle();
    }
    devices
}

/// Calibrates servos as if somebody had swept every joint from stop to stop, and returns what
/// LeRobot's file would hold. The joints are to stand in their middle.
pub fn calibrate(devices: &mut [Device], spec: &ArmSpec) -> Vec<(String, Calibration)> {
    let rows = spec.servos().zip(devices).map(|((name, id, model), device)| {
        let last = i32::from(model.counts) - 1;
        let joint = spec.joints.iter().find(|joint| joint.name == name);
        let travel = joint.and_then(|joint| joint.travel).filter(|degrees| *degrees < 360.0);
        let half = travel.map(|degrees| (degrees / 720.0 * f64::from(model.counts)) as i32);
        let (range_min, range_max) =
            half.map_or((0, last), |half| (last / 2 - half, last / 2 + half));
        let off = device.joint() as i32 - last / 2;
        let homing_offset = match spec.series.homing {
            Homing::Subtracts => off,
            Homing::Adds => -off,
            Homing::None => 0,
        };
        let drive_mode = joint.map_or(0, |joint| joint.drive_mode);
        let row = Calibration { id, drive_mode, homing_offset, range_min, range_max };
        store(device, &row);
        (name.to_owned(), row)
    });
    rows.collect()
}

fn store(device: &mut Device, row: &Calibration) {
    device.servo.set(Reg::HomingOffset, row.homing_offset);
    device.servo.set(Reg::MinPositionLimit, row.range_min);
    device.servo.set(Reg::MaxPositionLimit, row.range_max);
    device.servo.set(Reg::DriveMode, i32::from(row.drive_mode));
    device.servo.keep_settings();
    device.power_cycle();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_arm_that_comes_along_can_be_assembled() {
        for name in ["so100", "so101", "koch", "lekiwi", "omx", "so101_leader", "koch_leader"] {
            let spec = find(name).unwrap();
            let devices = assembled(&spec);
            assert_eq!(devices.len(), spec.servos().count(), "{name}");
            for device in &devices {
                assert_eq!(device.servo.baud(), spec.baud, "{name}");
                let position = device.servo.get(Reg::PresentPosition);
                assert!((1500..2600).contains(&position), "{name}: {position}");
            }
        }
    }

    #[test]
    fn a_pair_of_arms_is_no_arm_but_names_one() {
        let error = find("bi_so_follower").unwrap_err();
        assert!(matches!(error, Error::NoSuchArm { near: Some(_), .. }), "{error}");
    }

    #[test]
    fn a_hand_cannot_push_a_joint_past_its_stop() {
        let mut devices = assembled(&find("so101").unwrap());
        let gripper = devices.last_mut().unwrap();
        let start = gripper.joint();
        gripper.place(start + 4000.0);
        let half = 110.0 * PER_DEGREE / 2.0;
        assert!((gripper.joint() - start - half).abs() < 1.0);
    }
}
