//! An arm as it stands: limbs of our kinematics, solid where it is and thin where it is asked to be.
//!
//! ```text
//! arm                         two arms: arm/left, arm/right
//!  ├─ base, reach             stand still
//!  ├─ state/shoulder_pan …    a pose each, in the base's frame: ahead x, left y, up z, in metres
//!  └─ action/shoulder_pan …
//! ```
//! What limbs look like is logged once, with the first pose; then poses alone.

use std::ops::Range;

use re_sdk::log::TimeColumn;
use re_sdk::{EntityPath, RecordingStream, RecordingStreamError};
use re_sdk_types::archetypes::{Capsules3D, LineStrips3D, Transform3D, ViewCoordinates};
use re_sdk_types::components::{FillMode, RotationQuat};
use re_sdk_types::datatypes::Quaternion;
use sinew_drivers::arm::Reach;
use sinew_teleop::kinematics::{Limb, MOST_JOINTS, Place, Skeleton};

use super::blueprint::Role;
use super::dataset::Wrong;
use crate::run::control::Pair;

/// Where arms stand from each other, in metres: nothing says where they really do.
const APART: f64 = 0.4;
/// How thick a limb is, in metres, where it is and where it is asked to be; jaws are half as thick.
const THICK: [f32; 2] = [0.014, 0.006];

/// A value of a joint, and how it is meant.
#[derive(Debug, Clone, PartialEq)]
pub struct Column {
    /// What datasets call it.
    pub name: String,
    /// How many degrees one of its units is.
    pub degrees: f64,
    /// Its range in its units, of which a gripper's pose is a share.
    pub range: (f64, f64),
}

/// An arm that is shown.
#[derive(Debug)]
pub struct Figure {
    root: EntityPath,
    /// How far to the left of the middle it stands.
    left: f64,
    skeleton: Skeleton,
    dials: Vec<Dial>,
    /// Whether it is drawn where it is, and where it is asked to be.
    drawn: [bool; 2],
}

/// From a value to a joint's angle.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Dial {
    /// Which value.
    place: usize,
    /// The angle at zero, and how much a unit adds, in radians.
    zero: f64,
    unit: f64,
}

/// Where all arms are found.
pub fn root() -> EntityPath {
    EntityPath::from_single_string("arm")
}

/// The arms of a loop: those whose kinematics are known.
pub fn of_loop(pairs: &[Pair]) -> Vec<Figure> {
    let (mut found, mut first) = (Vec::new(), 0);
    for arm in pairs.iter().map(|pair| &pair.follower) {
        let names = arm.spec().value_names();
        let columns = names.iter().zip(arm.reaches());
        let columns: Vec<_> = columns
            .map(|(name, &Reach { degrees, range, .. })| Column {
                name: name.clone(),
                degrees,
                range,
            })
            .collect();
        find(&arm.spec().name, first, &columns, &mut found);
        first += names.len();
    }
    apart(found)
}

/// The arms of a robot of this type, in the order of its values. Nothing tells the units of a dataset:
/// they are taken for LeRobot's, degrees, and shares of a hundred for a gripper.
pub fn of_robot(kind: &str, names: &[String]) -> Vec<Figure> {
    let column = |name: &String| Column { name: name.clone(), degrees: 1.0, range: (0.0, 100.0) };
    let (columns, mut found) = (names.iter().map(column).collect::<Vec<_>>(), Vec::new());
    find(kind, 0, &columns, &mut found);
    apart(found)
}

/// Every arm of this kind whose joints are all there; arms are told apart by what stands before the
/// joints' names.
fn find(kind: &str, first: usize, columns: &[Column], found: &mut Vec<(String, Figure)>) {
    let Some(skeleton) = Skeleton::in_degrees(kind) else { return };
    let joints: Vec<&str> = skeleton.joints().collect();
    let names: Vec<&str> =
        columns.iter().map(|column| column.name.trim_end_matches(".pos")).collect();
    let begin = joints.first().copied().unwrap_or_default();
    for prefix in names.iter().filter_map(|name| name.strip_suffix(begin)) {
        let dial = |(at, joint): (usize, &&str)| {
            let is = |name: &&str| name.strip_prefix(prefix) == Some(joint);
            let place = names.iter().position(is)?;
            let Column { degrees, range: (low, high), .. } = columns.get(place)?;
            let (closed, open) = skeleton.grip();
            let (zero, unit) = match at + 1 < joints.len() {
                true => (0.0, degrees.to_radians()),
                false => {
                    let unit = (open - closed) / (high - low);
                    (closed - low * unit, unit)
                }
            };
            Some(Dial { place: first + place, zero, unit })
        };
        let dials: Option<Vec<Dial>> = joints.iter().enumerate().map(dial).collect();
        if let Some(dials) = dials {
            let skeleton = skeleton.clone();
            let figure = Figure { root: root(), left: 0.0, skeleton, dials, drawn: [false; 2] };
            found.push((prefix.trim_end_matches('_').to_owned(), figure));
        }
    }
}

/// Gives several arms places and entities of their own.
fn apart(found: Vec<(String, Figure)>) -> Vec<Figure> {
    let count = found.len();
    let place = |(at, (prefix, figure)): (usize, (String, Figure))| match count {
        1 => figure,
        _ => {
            let left = APART * ((count - 1) as f64 / 2.0 - at as f64);
            let name = if prefix.is_empty() { at.to_string() } else { prefix };
            Figure { root: root() / EntityPath::from_single_string(name), left, ..figure }
        }
    };
    found.into_iter().enumerate().map(place).collect()
}

impl Figure {
    /// Logs where it stands.
    pub fn begin(&self, recording: &RecordingStream) -> Result<(), RecordingStreamError> {
        recording.log_static(root(), &ViewCoordinates::FLU())?;
        let stand = Transform3D::from_translation([0.0, self.left, 0.0]);
        recording.log_static(self.root.clone(), &stand)?;
        let base = capsules(self.skeleton.base(), THICK[0], [0x60, 0x60, 0x60]);
        recording.log_static(self.root.clone() / "base", &base.with_fill_mode(FillMode::Solid))?;
        // Half a circle on the table, which also keeps a view from looking at a lonely base too closely.
        let ([ahead_of_base, ..], reach) = self.skeleton.reach();
        let point = |part: i32| {
            let (left, ahead) = (std::f64::consts::PI * f64::from(part) / 48.0).sin_cos();
            [ahead_of_base + reach * ahead, reach * left, 0.0].map(|side| side as f32)
        };
        let half = LineStrips3D::new([(-24..=24).map(point).collect::<Vec<_>>()]);
        let half = half.with_colors([[0x60, 0x60, 0x60]]).with_radii([0.001]);
        recording.log_static(self.root.clone() / "reach", &half)
    }

    /// Logs what it looks like in a role, from when its first pose in it is known: limbs without a
    /// pose would all lie in the base.
    pub fn draw(
        &mut self,
        recording: &RecordingStream,
        role: Role,
    ) -> Result<(), RecordingStreamError> {
        let ghost = FillMode::TransparentFillMajorWireframe;
        let (drawn, thick, fill) = match role {
            Role::Seen => (&mut self.drawn[0], THICK[0], FillMode::Solid),
            _ => (&mut self.drawn[1], THICK[1], ghost),
        };
        if std::mem::replace(drawn, true) {
            return Ok(());
        }
        for (at, (entity, limbs)) in self.entities(role).zip(self.skeleton.limbs()).enumerate() {
            let thick = if at + 2 < self.dials.len() { thick } else { thick / 2.0 };
            recording.log(entity, &capsules(limbs, thick, role.colour()).with_fill_mode(fill))?;
        }
        Ok(())
    }

    /// Logs where it is, or is asked to be; nothing where a value is none.
    pub fn log(
        &mut self,
        recording: &RecordingStream,
        role: Role,
        value: impl Fn(usize) -> f64,
    ) -> Result<(), RecordingStreamError> {
        let Some(places) = self.places(value) else { return Ok(()) };
        self.draw(recording, role)?;
        for (entity, place) in self.entities(role).zip(places) {
            let pose = Transform3D::update_fields()
                .with_translation(place.at)
                .with_quaternion(turn(&place));
            recording.log(entity, &pose)?;
        }
        Ok(())
    }

    /// Sends its poses in rows of values, the first of which is row `first`. Where a value is none it
    /// stands as before. Returns the first row with a pose.
    pub fn send(
        &self,
        recording: &RecordingStream,
        role: Role,
        first: usize,
        rows: &[&[f64]],
        times: impl Fn(Range<usize>) -> [TimeColumn; 2],
    ) -> Result<Option<usize>, Wrong> {
        let mut last = None;
        let poses = rows.iter().filter_map(|row| {
            last = self.places(|at| row.get(at).copied().unwrap_or(f64::NAN)).or(last);
            last
        });
        let poses: Vec<[Place; MOST_JOINTS]> = poses.collect();
        let end = first + rows.len();
        let begin = end - poses.len();
        if begin == end {
            return Ok(None);
        }
        for (at, entity) in self.entities(role).enumerate() {
            let places = || poses.iter().filter_map(|pose| pose.get(at));
            let columns = Transform3D::update_fields()
                .with_many_translation(places().map(|place| place.at))
                .with_many_quaternion(places().map(turn))
                .columns_of_unit_batches()?;
            recording.send_columns(entity, times(begin..end), columns)?;
        }
        Ok(Some(begin))
    }

    /// The entities of its joints.
    fn entities(&self, role: Role) -> impl Iterator<Item = EntityPath> + use<> {
        let root = self.root.clone() / role.word();
        let joint = |joint: &str| root.clone() / EntityPath::from_single_string(joint);
        self.skeleton.joints().map(joint).collect::<Vec<_>>().into_iter()
    }

    /// Where each joint's frame is at these values, if they are all numbers.
    fn places(&self, value: impl Fn(usize) -> f64) -> Option<[Place; MOST_JOINTS]> {
        let mut angles = [0.0; MOST_JOINTS];
        for (angle, dial) in angles.iter_mut().zip(&self.dials) {
            *angle = dial.zero + dial.unit * value(dial.place);
        }
        let known = angles.iter().all(|angle| angle.is_finite());
        let mut places = [Place::default(); MOST_JOINTS];
        for (place, there) in places.iter_mut().zip(self.skeleton.places(&angles)) {
            *place = there;
        }
        known.then_some(places)
    }
}

/// How Rerun writes a turn.
fn turn(place: &Place) -> RotationQuat {
    RotationQuat(Quaternion::from_xyzw(place.turn.map(|part| part as f32)))
}

fn capsules(limbs: &[Limb], thick: f32, colour: [u8; 3]) -> Capsules3D {
    let radii = limbs.iter().map(|_| thick);
    Capsules3D::from_lengths_and_radii(limbs.iter().map(|limb| limb.length as f32), radii)
        .with_translations(limbs.iter().map(|limb| limb.begin.at))
        .with_quaternions(limbs.iter().map(|limb| turn(&limb.begin)))
        .with_colors([colour])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::view::rerun::dataset::Clock;
    use crate::view::rerun::dataset::tests::Kept;

    const JOINTS: [&str; 6] =
        ["shoulder_pan", "shoulder_lift", "elbow_flex", "wrist_flex", "wrist_roll", "gripper"];

    fn names(prefixes: &[&str]) -> Vec<String> {
        let of = |prefix: &&str| JOINTS.map(|joint| format!("{prefix}{joint}.pos"));
        prefixes.iter().flat_map(of).collect()
    }

    #[test]
    fn arms_of_a_pair_have_entities_of_their_own_and_stand_apart() {
        let pair = of_robot("bi_so_follower", &names(&["left_", "right_"]));
        let seen: Vec<_> =
            pair.iter().map(|arm| (arm.root.to_string(), arm.left, arm.dials[0].place)).collect();
        assert_eq!(seen, [("/arm/left".into(), 0.2, 0), ("/arm/right".into(), -0.2, 6)]);
        let [one] = &of_robot("lekiwi", &names(&["arm_"]))[..] else { panic!() };
        assert_eq!((one.root.to_string(), one.left), ("/arm".into(), 0.0));
        let entities: Vec<_> = one.entities(Role::Asked).collect();
        assert_eq!(entities[1].to_string(), "/arm/action/shoulder_lift");
    }

    #[test]
    fn nothing_is_shown_where_a_joint_is_missing_or_nothing_tells_how_it_turns() {
        assert!(of_robot("so101_follower", &names(&[""])[1..]).is_empty());
        assert!(of_robot("koch_follower", &names(&[""])).is_empty());
    }

    #[test]
    fn a_pose_goes_when_all_its_values_are_there_and_its_limbs_with_the_first() {
        let (kept, mut arms) = (Kept::default(), of_robot("so101_follower", &names(&[""])));
        let (recording, arm) = (kept.recording(), &mut arms[0]);
        recording.set_time_sequence("tick", 0);
        for value in [f64::NAN, 10.0, 20.0] {
            arm.log(&recording, Role::Seen, |_| value).unwrap();
        }
        recording.flush_blocking().unwrap();
        let rows = |of: &str, component| kept.rows(&format!("/arm/{of}/gripper"), component);
        assert_eq!(rows("state", "Transform3D:quaternion"), 2);
        assert_eq!(
            (rows("state", "Capsules3D:lengths"), rows("action", "Capsules3D:lengths")),
            (1, 0)
        );
    }

    #[test]
    fn in_rows_it_stands_as_before_where_a_value_is_none() {
        let (kept, arms) = (Kept::default(), of_robot("so101_follower", &names(&[""])));
        let recording = kept.recording();
        let none = [0.0, f64::NAN, 0.0, 0.0, 0.0, 0.0];
        let rows = [&none[..], &[1.0; 6], &none, &[2.0; 6]];
        let clock = Clock(vec![0.0, 0.1, 0.2, 0.3]);
        let times = |rows| clock.columns(rows);
        let begun = arms[0].send(&recording, Role::Seen, 0, &rows, times).unwrap();
        let none = arms[0].send(&recording, Role::Seen, 0, &rows[..1], times).unwrap();
        recording.flush_blocking().unwrap();
        assert_eq!((begun, none), (Some(1), None));
        assert_eq!(kept.rows("/arm/state/elbow_flex", "Transform3D:translation"), 3);
    }

    #[cfg(feature = "sim")]
    #[test]
    fn a_gripper_is_closed_at_the_begin_of_its_range() {
        use crate::simulated::Simulated;
        use sinew_drivers::arm::{Arm, ArmOptions};

        let connect = |name| {
            let arm = Simulated::new(name, 1).unwrap();
            let options = ArmOptions { dead_man: None, ..ArmOptions::default() };
            Arm::connect(arm.spec.clone(), arm.open(), &arm.calibration, options).unwrap()
        };
        let follower = connect("so101_follower");
        let (low, high) = follower.reaches().last().unwrap().range;
        let pair = Pair::led(connect("so101_leader"), Box::new(follower)).unwrap();
        let arms = of_loop(&[pair]);
        let Dial { place, zero, unit } = arms[0].dials[5];
        let (closed, open) = arms[0].skeleton.grip();
        assert_eq!(place, 5);
        assert!((zero + unit * low - closed).abs() < 1e-12);
        assert!((zero + unit * high - open).abs() < 1e-12);
        let lift = arms[0].dials[1];
        assert_eq!((lift.zero, lift.unit), (0.0, 1f64.to_radians()));
    }
}
