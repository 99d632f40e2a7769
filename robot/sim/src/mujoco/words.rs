//! A world in MuJoCo's words: its XML.

use std::fmt::Write;

use nalgebra::{Isometry3, Vector3};

use crate::model::{Link, Piece};
use crate::scene::Shape;
use crate::world::{Loose, Setup};

/// The whole of it; joints and what motors do to them in their order, then things, each free.
pub fn mjcf(setup: &Setup) -> String {
    let option = match setup.touching {
        true => r#"cone="elliptic" impratio="10"/>"#,
        false => r#"><flag contact="disable"/></option>"#,
    };
    let bodies = arm(setup);
    let things: String = setup.things.iter().map(thing).collect();
    let finger = setup.finger_friction;
    format!(
        r#"<mujoco><compiler angle="radian" autolimits="true" inertiafromgeom="false"/>
<option timestep="0.002" integrator="implicitfast" gravity="0 0 -9.81" {option}
<default><geom contype="2" conaffinity="1" condim="3" friction="0.6 0.005 0.0001"/>
<default class="finger"><geom condim="4" friction="{finger:?} 0.01 0.0001" solref="0.01 1" priority="1"/></default>
</default><worldbody>
<geom name="table" type="plane" size="0.6 0.6 0.05" contype="1" conaffinity="3" condim="3" friction="1 0.005 0.0001"/>
{bodies}
{things}</worldbody></mujoco>"#
    )
}

/// The base and what hangs on it, each link in the one before.
fn arm(setup: &Setup) -> String {
    let model = &setup.model;
    let sole = Isometry3::translation(0.0, 0.0, model.sole);
    let mut words = body(&model.base, &sole, "");
    let joints = model.chain.joints().iter().zip(&setup.motors);
    for (at, (link, (joint, motor))) in model.links.iter().zip(joints).enumerate() {
        let (place, axis) = model.joint(at, 0.0);
        let (low, high) = joint.range;
        let hinge = format!(
            r#"<joint name="{}" type="hinge" axis="{}" range="{low:?} {high:?}" frictionloss="{:?}" armature="{:?}"/>"#,
            joint.name,
            three(&axis),
            motor.friction(),
            motor.armature(),
        );
        words += &body(link, &place, &hinge);
    }
    words + &"</body>".repeat(model.links.len() + 1)
}

/// A body that is left open for what hangs on it.
fn body(link: &Link, place: &Isometry3<f64>, joint: &str) -> String {
    let Link { name, mass, centre, inertia, pieces } = link;
    let full = [(0, 0), (1, 1), (2, 2), (0, 1), (0, 2), (1, 2)].map(|place| inertia[place]);
    let pieces: String = pieces.iter().map(|piece| geom(name, piece)).collect();
    format!(
        r#"<body name="{name}" {}>{joint}<inertial pos="{}" mass="{mass:?}" fullinertia="{}"/>
{pieces}"#,
        at(place),
        three(centre),
        list(&full),
    )
}

fn geom(link: &str, piece: &Piece) -> String {
    let (kind, size) = match piece.shape {
        Shape::Box { half } => ("box", list(&half)),
        Shape::Cylinder { radius, half_length } => ("cylinder", list(&[radius, half_length])),
    };
    let class = if piece.finger { r#" class="finger""# } else { "" };
    let place = three(&piece.at.vector);
    let name = &piece.name;
    format!(
        "<geom name=\"{link}/{name}\" type=\"{kind}\" pos=\"{place}\" size=\"{size}\"{class}/>\n"
    )
}

fn thing(thing: &Loose) -> String {
    let Loose { name, half, mass, friction, place, .. } = thing;
    let [x, y, z] = half.map(|half| half * half * mass / 3.0);
    let (inertia, size, place) = (list(&[y + z, x + z, x + y]), list(half), at(place));
    format!(
        r#"<body name="{name}" {place}><freejoint/><inertial pos="0 0 0" mass="{mass:?}" diaginertia="{inertia}"/>
<geom type="box" size="{size}" contype="1" conaffinity="3" condim="4" friction="{friction:?} 0.01 0.0001" solref="0.01 1"/></body>
"#
    )
}

fn at(place: &Isometry3<f64>) -> String {
    let turn = place.rotation.quaternion();
    let turn = list(&[turn.w, turn.i, turn.j, turn.k]);
    format!(r#"pos="{}" quat="{turn}""#, three(&place.translation.vector))
}

fn three(of: &Vector3<f64>) -> String {
    list(of.as_slice())
}

fn list(numbers: &[f64]) -> String {
    let mut words = String::new();
    for number in numbers {
        // Writing into a string never fails.
        write!(words, "{number:?} ").unwrap_or_default();
    }
    words.trim_end().to_owned()
}
