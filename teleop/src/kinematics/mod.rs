//! Where an arm's tip is, how it moves with the joints, and which joints bring it somewhere.
//!
//! Joints are angles in radians here, and poses are in the base's frame, in metres. An arm is a [`Chain`]
//! read from a URDF file; those of the arms that are built in lie beside this file.

mod solve;
#[cfg(test)]
mod tests;
mod urdf;

use nalgebra::{Isometry3, SMatrix, Unit, UnitQuaternion, Vector3, Vector6};

pub use solve::{Solved, Solver, Tolerance};
pub use urdf::UrdfError;

/// A chain has at most so many joints: no arm here has more, and nothing is allocated per solution.
pub const MOST_JOINTS: usize = 8;

/// Rows: the tip's speed and turning speed in the base's axes, for each joint's speed.
pub type Jacobian = SMatrix<f64, 6, MOST_JOINTS>;

/// A joint that turns, and what is rigid before it.
#[derive(Clone, Debug)]
pub struct Joint {
    /// Its name.
    pub name: String,
    /// From the link before to where it turns.
    origin: Isometry3<f64>,
    axis: Unit<Vector3<f64>>,
    /// Its least and greatest angle.
    pub range: (f64, f64),
}

/// Joints from the base to the tip.
#[derive(Clone, Debug)]
pub struct Chain {
    joints: Vec<Joint>,
    /// From the last joint's link to the tip.
    tip: Isometry3<f64>,
}

/// The arms that are built in: the names of their types begin so, then their URDF and the link of their
/// tip.
const BUILT_IN: [(&str, &str, &str); 3] = [
    ("so101", include_str!("arms/so101.urdf"), "gripper_frame_link"),
    ("so100", include_str!("arms/so100.urdf"), "tip"),
    ("koch", include_str!("arms/koch.urdf"), "link_5"),
];

impl Chain {
    /// The chain of an arm that is built in, such as `so101_follower`.
    pub fn builtin(arm: &str) -> Option<Self> {
        let (_, text, tip) = BUILT_IN.iter().find(|(name, ..)| arm.starts_with(name))?;
        urdf::read(text, tip).ok()
    }

    /// The chain from the base to this link of a URDF file.
    pub fn from_urdf(text: &str, tip: &str) -> Result<Self, UrdfError> {
        urdf::read(text, tip)
    }

    /// Its joints, from the base to the tip.
    pub fn joints(&self) -> &[Joint] {
        &self.joints
    }

    /// Where the tip is. Angles that are missing are zero.
    pub fn pose(&self, angles: &[f64]) -> Isometry3<f64> {
        let mut at = Isometry3::identity();
        for (joint, angle) in self.joints.iter().zip(angles.iter().chain(std::iter::repeat(&0.0))) {
            at *= joint.at(*angle);
        }
        at * self.tip
    }

    /// Where the tip is, and how it moves there with every joint.
    pub fn pose_and_jacobian(&self, angles: &[f64]) -> (Isometry3<f64>, Jacobian) {
        let mut at = Isometry3::identity();
        let mut turns = [(Vector3::zeros(), Vector3::zeros()); MOST_JOINTS];
        let angles = angles.iter().chain(std::iter::repeat(&0.0));
        for ((joint, angle), turn) in self.joints.iter().zip(angles).zip(&mut turns) {
            at *= joint.at(*angle);
            *turn = (at.translation.vector, at.rotation * joint.axis.into_inner());
        }
        let tip = at * self.tip;
        let mut jacobian = Jacobian::zeros();
        for (mut column, (place, axis)) in
            jacobian.column_iter_mut().zip(turns).take(self.joints.len())
        {
            let speed = axis.cross(&(tip.translation.vector - place));
            column.copy_from(&Vector6::new(speed.x, speed.y, speed.z, axis.x, axis.y, axis.z));
        }
        (tip, jacobian)
    }
}

impl Joint {
    fn at(&self, angle: f64) -> Isometry3<f64> {
        self.origin * UnitQuaternion::from_axis_angle(&self.axis, angle)
    }
}
