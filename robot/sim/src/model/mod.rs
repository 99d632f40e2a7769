//! An arm as mass and shape: what each link weighs, where its joint turns, what it is made of.

mod read;

use nalgebra::{Isometry3, Matrix3, Translation3, Unit, Vector3};
use sinew_teleop::kinematics::Chain;

use crate::dynamics::Joints;
use crate::error::Error;
use crate::scene::Shape;

/// Every arm here has five joints and a gripper.
pub const JOINTS: usize = 6;

/// One rigid part of the arm, in its own frame.
#[derive(Clone, Debug)]
pub struct Link {
    /// What it is called in the arm's URDF.
    pub name: String,
    /// In kilograms.
    pub mass: f64,
    /// Its centre of mass.
    pub centre: Vector3<f64>,
    /// About the centre of mass.
    pub inertia: Matrix3<f64>,
    /// What it is made of.
    pub pieces: Vec<Piece>,
}

/// A box or a cylinder of a link.
#[derive(Clone, Debug)]
pub struct Piece {
    /// What it is called.
    pub name: String,
    /// Its outline.
    pub shape: Shape,
    /// Where it is in the link.
    pub at: Translation3<f64>,
    /// Red, green, blue.
    pub colour: [f32; 3],
    /// Whether things are grasped with it.
    pub finger: bool,
}

/// An arm.
#[derive(Clone, Debug)]
pub struct Model {
    /// Its name.
    pub name: String,
    /// Its joints from the base to the gripper's.
    pub chain: Chain,
    /// The same to the tip, which lies on the fixed jaw: all joints but the gripper's.
    pub tip: Chain,
    /// From the base to the table that it stands on: how much higher the base's origin is.
    pub sole: f64,
    /// The base.
    pub base: Link,
    /// What moves with each joint.
    pub links: [Link; JOINTS],
}

impl Model {
    /// The SO-101.
    pub fn so101() -> Result<Self, Error> {
        let file = "so101.toml";
        let none = || Error::Data {
            file: "so101.urdf".to_owned(),
            what: "no chains lead to the jaw that moves and to the tip".to_owned(),
        };
        let chains = Chain::to_jaw().zip(Chain::builtin("so101")).ok_or_else(none)?;
        read::model(file, include_str!("../../models/so101.toml"), chains)
    }

    /// The arm of this name; a follower or a leader is the same arm.
    pub fn builtin(name: &str) -> Result<Self, Error> {
        match name.strip_suffix("_follower").unwrap_or(name) {
            "so101" => Self::so101(),
            _ => Err(Error::Unknown {
                kind: "arm with mass and shape",
                name: name.to_owned(),
                known: "so101".to_owned(),
            }),
        }
    }

    /// What each joint turns about, in its link, and from the link before to that link at `angle`.
    pub fn joint(&self, at: usize, angle: f64) -> (Isometry3<f64>, Unit<Vector3<f64>>) {
        match self.chain.joints().get(at) {
            Some(joint) => (joint.at(angle), joint.axis()),
            None => (Isometry3::identity(), Vector3::z_axis()),
        }
    }

    /// The joints' angles for an arm's own numbers: degrees, and the gripper's way from closed to open in
    /// hundredths. None is beyond its range.
    pub fn angles(&self, values: &Joints) -> Joints {
        let ranges = self.ranges();
        let mut angles = values.map(f64::to_radians);
        let ([.., gripper], [.., share], [.., (closed, open)]) = (&mut angles, values, ranges);
        *gripper = closed + share / 100.0 * (open - closed);
        for (angle, (low, high)) in angles.iter_mut().zip(ranges) {
            *angle = angle.clamp(low, high);
        }
        angles
    }

    /// An arm's own numbers for the joints' angles; the gripper's are none below 0 or above 100.
    pub fn values(&self, angles: &Joints) -> Joints {
        let mut values = angles.map(f64::to_degrees);
        let ([.., gripper], [.., angle], [.., (closed, open)]) =
            (&mut values, angles, self.ranges());
        *gripper = ((angle - closed) / (open - closed) * 100.0).clamp(0.0, 100.0);
        values
    }

    /// The least and the greatest angle of each joint.
    pub fn ranges(&self) -> [(f64, f64); JOINTS] {
        let mut ranges = [(0.0, 0.0); JOINTS];
        for (range, joint) in ranges.iter_mut().zip(self.chain.joints()) {
            *range = joint.range;
        }
        ranges
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_so101_weighs_what_its_parts_weigh() {
        let model = Model::builtin("so101_follower").unwrap();
        let mass: f64 = model.links.iter().map(|link| link.mass).sum();
        assert!((mass - 0.485006).abs() < 1e-9, "{mass}");
        let pieces: usize = model.links.iter().map(|link| link.pieces.len()).sum();
        assert_eq!(pieces + model.base.pieces.len(), 36);
        let fingers = |link: &Link| link.pieces.iter().filter(|piece| piece.finger).count();
        assert_eq!((fingers(&model.links[4]), fingers(&model.links[5])), (4, 3));
    }

    #[test]
    fn an_arm_that_has_no_model_is_named_with_those_that_have() {
        let error = Model::builtin("koch").unwrap_err().to_string();
        assert!(error.contains("koch") && error.contains("so101"), "{error}");
    }
}
