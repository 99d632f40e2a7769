//! Chains out of URDF files: joints and their places alone, whatever else stands there.

use std::collections::BTreeSet;

use nalgebra::{Isometry3, Translation3, Unit, UnitQuaternion, Vector3};
use roxmltree::{Document, Node};

use super::{Chain, Joint, MOST_JOINTS};

/// Why a URDF file makes no chain.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum UrdfError {
    /// It is no XML.
    #[error("no XML: {0}")]
    Xml(String),
    /// No joint leads to the link that was asked for.
    #[error("no joint leads to the link {link}; there are {known}")]
    NoLink {
        /// The link.
        link: String,
        /// Those that joints lead to.
        known: String,
    },
    /// The links lead back to themselves.
    #[error("the links before {link} lead back to it")]
    Loop {
        /// The link.
        link: String,
    },
    /// A joint of the chain is of a kind that is not known here.
    #[error("joint {joint} is {kind}: only revolute, continuous and fixed ones are known")]
    Kind {
        /// The joint.
        joint: String,
        /// Its kind.
        kind: String,
    },
    /// Something in a joint is no number, or not as many as are needed.
    #[error("joint {joint}: {what} is {text:?}")]
    Number {
        /// The joint.
        joint: String,
        /// What it is.
        what: &'static str,
        /// What stands there.
        text: String,
    },
    /// There are more joints than a chain can have.
    #[error("{count} joints lead to {link}, at most {MOST_JOINTS} are possible")]
    TooMany {
        /// The link.
        link: String,
        /// How many.
        count: usize,
    },
}

/// The chain from the base to the link `tip`.
pub fn read(text: &str, tip: &str) -> Result<Chain, UrdfError> {
    let document = Document::parse(text).map_err(|error| UrdfError::Xml(error.to_string()))?;
    let joints = || document.root_element().children().filter(|node| node.has_tag_name("joint"));
    let link = |joint: Node<'_, '_>, end: &str| named(joint, end, "link").map(str::to_owned);
    let before =
        |wanted: &str| joints().find(|joint| link(*joint, "child").as_deref() == Some(wanted));
    let mut chain = Vec::new();
    let (mut at, mut seen) = (tip.to_owned(), BTreeSet::new());
    while let Some(joint) = before(&at) {
        if !seen.insert(at.clone()) {
            return Err(UrdfError::Loop { link: at });
        }
        chain.push(joint);
        at = link(joint, "parent").unwrap_or_default();
    }
    if chain.is_empty() {
        let known: Vec<_> = joints().filter_map(|joint| link(joint, "child")).collect();
        return Err(UrdfError::NoLink { link: tip.to_owned(), known: known.join(", ") });
    }
    let mut rigid = Isometry3::identity();
    let mut turning = Vec::new();
    for joint in chain.into_iter().rev() {
        let name = joint.attribute("name").unwrap_or("without a name").to_owned();
        rigid *= origin(joint, &name)?;
        match joint.attribute("type").unwrap_or_default() {
            "fixed" => {}
            kind @ ("revolute" | "continuous") => {
                let axis = vector(joint, "axis", "xyz", &name)?.unwrap_or_else(Vector3::x);
                let axis = Unit::try_new(axis, 1e-9).ok_or_else(|| UrdfError::Number {
                    joint: name.clone(),
                    what: "the axis",
                    text: "zero".to_owned(),
                })?;
                let range = match kind {
                    "continuous" => (-std::f64::consts::PI, std::f64::consts::PI),
                    _ => (limit(joint, "lower", &name)?, limit(joint, "upper", &name)?),
                };
                if range.0 > range.1 {
                    let text = format!("above upper, {}", range.1);
                    return Err(UrdfError::Number { joint: name, what: "lower", text });
                }
                let origin = std::mem::replace(&mut rigid, Isometry3::identity());
                turning.push(Joint { name, origin, axis, range });
            }
            kind => return Err(UrdfError::Kind { joint: name, kind: kind.to_owned() }),
        }
    }
    if turning.len() > MOST_JOINTS {
        return Err(UrdfError::TooMany { link: tip.to_owned(), count: turning.len() });
    }
    Ok(Chain { joints: turning, tip: rigid })
}

/// An attribute of the first child of this kind.
fn named<'a>(joint: Node<'a, '_>, child: &str, attribute: &str) -> Option<&'a str> {
    joint.children().find(|node| node.has_tag_name(child))?.attribute(attribute)
}

fn origin(joint: Node<'_, '_>, name: &str) -> Result<Isometry3<f64>, UrdfError> {
    let place = vector(joint, "origin", "xyz", name)?.unwrap_or_else(Vector3::zeros);
    let turn = vector(joint, "origin", "rpy", name)?.unwrap_or_else(Vector3::zeros);
    // Both take the angles about fixed axes, x first.
    let turn = UnitQuaternion::from_euler_angles(turn.x, turn.y, turn.z);
    Ok(Isometry3::from_parts(Translation3::from(place), turn))
}

fn vector(
    joint: Node<'_, '_>,
    child: &'static str,
    attribute: &str,
    name: &str,
) -> Result<Option<Vector3<f64>>, UrdfError> {
    let Some(text) = named(joint, child, attribute) else { return Ok(None) };
    let numbers: Option<Vec<f64>> = text.split_whitespace().map(number).collect();
    match numbers.as_deref() {
        Some([x, y, z]) => Ok(Some(Vector3::new(*x, *y, *z))),
        _ => Err(UrdfError::Number { joint: name.to_owned(), what: child, text: text.to_owned() }),
    }
}

fn limit(joint: Node<'_, '_>, end: &'static str, name: &str) -> Result<f64, UrdfError> {
    let text = named(joint, "limit", end).unwrap_or("0");
    number(text).ok_or_else(|| UrdfError::Number {
        joint: name.to_owned(),
        what: end,
        text: text.to_owned(),
    })
}

/// A number that a machine can have: no metres beyond a kilometre, no turns without end.
fn number(text: &str) -> Option<f64> {
    text.parse().ok().filter(|number: &f64| number.abs() <= 1e3)
}
