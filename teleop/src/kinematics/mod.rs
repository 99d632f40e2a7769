//! Where an arm's tip is, how it moves with the joints, and which joints bring it somewhere.
//!
//! Joints are angles in radians here, and poses are in the base's frame, in metres. An arm is a [`Chain`]
//! read from a URDF file; those of the arms that are built in lie beside this file.

mod skeleton;
mod solve;
#[cfg(test)]
mod tests;
mod urdf;

use nalgebra::{Isometry3, SMatrix, Unit, UnitQuaternion, Vector3, Vector6};

pub use skeleton::{Limb, Place, Skeleton};
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
    SO101,
    ("so100", include_str!("arms/so100.urdf"), "tip"),
    ("koch", include_str!("arms/koch.urdf"), "link_5"),
];

const SO101: (&str, &str, &str) = ("so101", include_str!("arms/so101.urdf"), "gripper_frame_link");

/// The arms whose values, in degrees, are the angles of the SO-101's chain: LeRobot, too, takes its URDF
/// for the SO-100, whose links are as long, and a LeKiwi carries one. Which way a Koch stands in the
/// middle of its calibrated ranges nothing says.
pub const IN_DEGREES: [&str; 3] = ["so101", "so100", "lekiwi"];

/// Whether an arm of this type is one of them.
fn knows_degrees(arm: &str) -> bool {
    IN_DEGREES.iter().any(|name| arm.starts_with(name))
}

impl Chain {
    /// The chain whose angles an arm's values in degrees are, such as those of `so100_follower`. It looks
    /// along x, its left is y, and its tool points along the tip's z.
    pub fn in_degrees(arm: &str) -> Option<Self> {
        knows_degrees(arm).then(|| Self::builtin("so101")).flatten()
    }

    /// Gives the joints other ranges, such as those they are calibrated to.
    pub fn set_ranges(&mut self, ranges: impl IntoIterator<Item = (f64, f64)>) {
        for (joint, range) in self.joints.iter_mut().zip(ranges) {
            joint.range = range;
        }
    }

    /// The chain of an arm that is built in, such as `so101_follower`.
    pub fn builtin(arm: &str) -> Option<Self> {
        let (_, text, tip) = BUILT_IN.iter().find(|(name, ..)| arm.starts_with(name))?;
        urdf::read(text, tip).ok()
    }

    /// The chain through all joints of an SO-101, the gripper's too, to the jaw that moves.
    pub fn to_jaw() -> Option<Self> {
        urdf::read(SO101.1, "moving_jaw_so101_v1_link").ok()
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
        self.frames(angles).last().unwrap_or_default() * self.tip
    }

    /// Where the link behind each joint is. Angles that are missing are zero.
    fn frames(&self, angles: &[f64]) -> impl Iterator<Item = Isometry3<f64>> {
        let angles = angles.iter().chain(std::iter::repeat(&0.0));
        self.joints.iter().zip(angles).scan(Isometry3::identity(), |at, (joint, angle)| {
            *at *= joint.at(*angle);
            Some(*at)
        })
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

    /// How little some speed of the joints moves the tip: metres, or a tenth of a radian's turn, per
    /// radian. In a singular pose, such as a stretched arm's, it is nothing.
    pub fn room(&self, angles: &[f64]) -> f64 {
        let (_, mut jacobian) = self.pose_and_jacobian(angles);
        jacobian.fixed_rows_mut::<3>(3).scale_mut(0.1);
        let mut square = jacobian.transpose() * jacobian;
        for none in self.joints.len()..MOST_JOINTS {
            square[(none, none)] = 1.0;
        }
        square.symmetric_eigenvalues().min().max(0.0).sqrt()
    }
}

impl Joint {
    /// From the link before to the link behind it, at this angle.
    pub fn at(&self, angle: f64) -> Isometry3<f64> {
        self.origin * UnitQuaternion::from_axis_angle(&self.axis, angle)
    }

    /// What it turns about, in the link behind it.
    pub fn axis(&self) -> Unit<Vector3<f64>> {
        self.axis
    }
}
