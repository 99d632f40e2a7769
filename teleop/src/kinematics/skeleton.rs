//! An arm as it is drawn: straight limbs from joint to joint, and a gripper with a fixed and a moving jaw.

use nalgebra::{Isometry3, UnitQuaternion, Vector3};

use super::{Chain, knows_degrees};

/// Where something is, and how it is turned.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Place {
    /// In metres.
    pub at: [f64; 3],
    /// A quaternion: x, y, z, w.
    pub turn: [f64; 4],
}

/// A straight piece of an arm.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Limb {
    /// Where it begins, and which way: along this place's z.
    pub begin: Place,
    /// In metres.
    pub length: f64,
}

/// What an arm is drawn with. Its last joint is the gripper's, and moves one of the two jaws.
#[derive(Clone, Debug)]
pub struct Skeleton {
    chain: Chain,
    base: Vec<Limb>,
    limbs: Vec<Vec<Limb>>,
}

impl Skeleton {
    /// The arm whose values in degrees are its joints' angles: by the type of an arm such as
    /// `so100_follower`, or of a robot such as `bi_so_follower`.
    pub fn in_degrees(kind: &str) -> Option<Self> {
        let arm = kind.strip_prefix("bi_").unwrap_or(kind);
        // LeRobot's name for both, the SO-100 and the SO-101.
        if !arm.starts_with("so_") && !knows_degrees(arm) {
            return None;
        }
        Some(Self::new(Chain::to_jaw()?, &Chain::builtin("so101")?))
    }

    /// Of a chain to the jaw that moves, and the one to the tip, which lies on the other jaw.
    fn new(chain: Chain, to_tip: &Chain) -> Self {
        let origins: Vec<_> = chain.joints.iter().map(|joint| joint.origin).collect();
        let base = origins.first().map(|origin| limb(&origin.translation.vector));
        let next = origins.iter().skip(1);
        let mut limbs: Vec<_> = next.map(|origin| vec![limb(&origin.translation.vector)]).collect();
        let fixed = to_tip.tip.translation.vector;
        limbs.iter_mut().last().into_iter().for_each(|limbs| limbs.push(limb(&fixed)));
        // Closed, both jaws end at the tip.
        if let Some(joint) = chain.joints.last() {
            let closed = joint.at(joint.range.0).inverse() * Isometry3::from(fixed);
            limbs.push(vec![limb(&closed.translation.vector)]);
        }
        Self { base: base.into_iter().collect(), limbs, chain }
    }

    /// What its joints are called, from the base to the gripper.
    pub fn joints(&self) -> impl Iterator<Item = &str> {
        self.chain.joints.iter().map(|joint| joint.name.as_str())
    }

    /// The gripper's angles, closed and open.
    pub fn grip(&self) -> (f64, f64) {
        self.chain.joints.last().map_or((0.0, 0.0), |joint| joint.range)
    }

    /// Where the first joint turns, and how far the tip is from the second when everything behind that
    /// is stretched, in metres.
    pub fn reach(&self) -> ([f64; 3], f64) {
        let pivot = self.chain.joints.first().map(|joint| joint.origin.translation.vector.into());
        let arm = self.limbs.iter().skip(1).rev().skip(1);
        let far = arm.filter_map(|limbs| limbs.last()).map(|limb| limb.length).sum();
        (pivot.unwrap_or_default(), far)
    }

    /// What stands still, in the base's frame.
    pub fn base(&self) -> &[Limb] {
        &self.base
    }

    /// What moves with each joint, in that joint's frame.
    pub fn limbs(&self) -> &[Vec<Limb>] {
        &self.limbs
    }

    /// Where the frame of each joint is at these angles, in the base's.
    pub fn places(&self, angles: &[f64]) -> impl Iterator<Item = Place> {
        self.chain.frames(angles).map(|frame| place(&frame))
    }
}

fn place(frame: &Isometry3<f64>) -> Place {
    Place { at: frame.translation.vector.into(), turn: frame.rotation.coords.into() }
}

/// From a frame's origin to there.
fn limb(to: &Vector3<f64>) -> Limb {
    // Straight down there is no one way to turn: any half turn does.
    let half = || UnitQuaternion::from_axis_angle(&Vector3::x_axis(), std::f64::consts::PI);
    let turn = UnitQuaternion::rotation_between(&Vector3::z(), to).unwrap_or_else(half);
    let begin = place(&Isometry3::from_parts(Vector3::zeros().into(), turn));
    Limb { begin, length: to.norm() }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ANGLES: [f64; 6] = [0.3, -0.8, 1.1, 0.4, -1.0, 0.7];

    fn isometry(place: Place) -> Isometry3<f64> {
        let turn = UnitQuaternion::from_quaternion(nalgebra::Quaternion::from(place.turn));
        Isometry3::from_parts(place.at.into(), turn)
    }

    fn end(frame: &Isometry3<f64>, limb: &Limb) -> Vector3<f64> {
        let along = Isometry3::translation(0.0, 0.0, limb.length);
        (frame * isometry(limb.begin) * along).translation.vector
    }

    #[test]
    fn each_limb_ends_where_the_next_joint_turns_and_the_fixed_jaw_at_the_tip() {
        let skeleton = Skeleton::in_degrees("so100_follower").unwrap();
        let frames: Vec<_> = skeleton.places(&ANGLES).map(isometry).collect();
        assert_eq!((frames.len(), skeleton.limbs().len(), skeleton.base().len()), (6, 6, 1));
        assert_eq!(skeleton.joints().last(), Some("gripper"));
        let base = end(&Isometry3::identity(), &skeleton.base()[0]);
        assert!((base - frames[0].translation.vector).norm() < 1e-12);
        for (at, limbs) in skeleton.limbs().iter().enumerate().take(5) {
            let off = end(&frames[at], &limbs[0]) - frames[at + 1].translation.vector;
            assert!(off.norm() < 1e-12, "{at} {off}");
        }
        let tip = Chain::in_degrees("so101").unwrap().pose(&ANGLES[..5]).translation.vector;
        assert!((end(&frames[4], &skeleton.limbs()[4][1]) - tip).norm() < 1e-12);
        let far = (tip - frames[1].translation.vector).norm();
        let (pivot, reach) = skeleton.reach();
        assert!(far < reach && reach < 0.45 && pivot[2] > 0.05, "{far} {reach}");
    }

    #[test]
    fn the_jaws_meet_when_they_are_closed_and_are_apart_when_they_are_open() {
        let skeleton = Skeleton::in_degrees("so101_follower").unwrap();
        let (closed, open) = skeleton.grip();
        let gap = |angle: f64| {
            let mut angles = ANGLES;
            angles[5] = angle;
            let frames: Vec<_> = skeleton.places(&angles).map(isometry).collect();
            let limbs = skeleton.limbs();
            (end(&frames[5], &limbs[5][0]) - end(&frames[4], &limbs[4][1])).norm()
        };
        assert!(gap(closed) < 1e-12);
        assert!(gap(open) > 0.05, "{}", gap(open));
    }

    #[test]
    fn it_is_known_by_the_types_of_arms_and_of_robots() {
        for (kind, known) in [
            ("so_follower", true),
            ("bi_so_follower", true),
            ("bi_so100_follower", true),
            ("lekiwi", true),
            ("koch_follower", false),
            ("some_arm", false),
        ] {
            assert_eq!(Skeleton::in_degrees(kind).is_some(), known, "{kind}");
        }
    }
}
