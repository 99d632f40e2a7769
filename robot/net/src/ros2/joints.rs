//! Where joints are, for ROS 2.

use sinew_drivers::Nanos;
use zenoh::qos::Priority;

use super::message::{Header, JointState, Stamp};
use super::topic::Topic;
use super::{Node, name};
use crate::Error;
use crate::message::ArmDescription;

/// The topic of a robot's joints.
#[derive(Debug)]
pub struct JointStates {
    topic: Topic,
    joints: Joints,
    positions: Vec<f64>,
}

/// Which of a robot's values are joints, and how many radians one of each is.
#[derive(Debug, Default)]
struct Joints {
    names: Vec<String>,
    places: Vec<(usize, f64)>,
}

impl JointStates {
    pub(super) fn open(node: &Node, arms: &[ArmDescription]) -> Result<Self, Error> {
        let topic = Topic::open::<JointState<'_>>(node, "joint_states", Priority::DataHigh)?;
        let joints = Joints::of(arms);
        joints.names.iter().try_for_each(|joint| name::check(joint))?;
        let positions = Vec::with_capacity(joints.places.len());
        Ok(Self { topic, joints, positions })
    }

    /// Where they were at this instant of this machine's clock, by the values of all arms.
    pub fn say(&mut self, at: Nanos, values: &[f64]) {
        let Self { topic, joints, positions } = self;
        joints.positions(values, positions);
        topic.say(&JointState {
            header: Header { stamp: Stamp::of(at), frame_id: "" },
            name: &joints.names,
            position: positions,
            velocity: &[],
            effort: &[],
        });
    }
}

impl Joints {
    /// Values that have a reach are joints; those behind them are a base's speeds.
    fn of(arms: &[ArmDescription]) -> Self {
        let mut joints = Self::default();
        let mut first = 0;
        for arm in arms {
            for ((place, value), reach) in (first..).zip(&arm.values).zip(&arm.reaches) {
                let name = value.strip_suffix(".pos").unwrap_or(value);
                joints.names.push(name.to_owned());
                joints.places.push((place, reach.degrees.to_radians()));
            }
            first += arm.values.len();
        }
        joints
    }

    fn positions(&self, values: &[f64], into: &mut Vec<f64>) {
        let of = |(place, radians): &(usize, f64)| values.get(*place).unwrap_or(&0.0) * radians;
        into.clear();
        into.extend(self.places.iter().map(of));
    }
}

#[cfg(test)]
mod tests {
    use sinew_core::joint::Units;

    use super::*;
    use crate::message::ReachDescription;

    #[test]
    fn joints_are_in_radians_by_their_names_and_a_base_is_none() {
        let reach = |unit, degrees| ReachDescription { unit, degrees, low: -100.0, high: 100.0 };
        let arm = |prefix: &str, base: bool| ArmDescription {
            kind: "x".into(),
            values: ["pan.pos", "gripper.pos", "x.vel"][..if base { 3 } else { 2 }]
                .iter()
                .map(|name| format!("{prefix}{name}"))
                .collect(),
            reaches: vec![reach(Units::RangeM100, 0.9), reach(Units::Degrees, 1.0)],
            max_step: vec![None; 2],
        };
        let joints = Joints::of(&[arm("left_", true), arm("right_", false)]);
        assert_eq!(joints.names, ["left_pan", "left_gripper", "right_pan", "right_gripper"]);
        let mut positions = Vec::new();
        joints.positions(&[100.0, 180.0, 7.0, -50.0, 0.0], &mut positions);
        let expected = [90.0, 180.0, -45.0, 0.0].map(f64::to_radians);
        assert!(positions.iter().zip(expected).all(|(is, want)| (is - want).abs() < 1e-12));
        joints.positions(&[], &mut positions);
        assert_eq!(positions, [0.0; 4]);
    }
}
