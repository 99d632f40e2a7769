//! Models out of TOML.

use std::collections::BTreeMap;

use nalgebra::{Matrix3, Translation3, Vector3};
use serde::Deserialize;
use sinew_teleop::kinematics::Chain;

use super::{JOINTS, Link, Model, Piece};
use crate::error::Error;
use crate::scene::Shape;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    name: String,
    sole: f64,
    colours: BTreeMap<String, [f32; 3]>,
    link: Vec<LinkRow>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct LinkRow {
    name: String,
    mass: f64,
    centre: [f64; 3],
    inertia: [f64; 6],
    pieces: Vec<PieceRow>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PieceRow {
    name: String,
    #[serde(rename = "box")]
    cuboid: Option<[f64; 3]>,
    cylinder: Option<[f64; 2]>,
    at: [f64; 3],
    colour: String,
    #[serde(default)]
    finger: bool,
}

pub fn model(file: &str, text: &str, (chain, tip): (Chain, Chain)) -> Result<Model, Error> {
    let wrong = |what: String| Error::Data { file: file.to_owned(), what };
    let read: File = toml::from_str(text).map_err(|error| wrong(error.to_string()))?;
    let mut links = Vec::new();
    for row in read.link {
        let name = row.name.clone();
        links.push(link(row, &read.colours).map_err(|what| wrong(format!("{name}: {what}")))?);
    }
    let count = links.len();
    let mut links = links.into_iter();
    let (base, rest) = (links.next(), <[Link; JOINTS]>::try_from(links.collect::<Vec<_>>()));
    let (Some(base), Ok(links)) = (base, rest) else {
        return Err(wrong(format!("{count} links: a base and {JOINTS} that move are needed")));
    };
    if chain.joints().len() != JOINTS {
        return Err(wrong(format!("{} joints, {JOINTS} are needed", chain.joints().len())));
    }
    Ok(Model { name: read.name, chain, tip, sole: read.sole, base, links })
}

fn link(row: LinkRow, colours: &BTreeMap<String, [f32; 3]>) -> Result<Link, String> {
    let [xx, xy, xz, yy, yz, zz] = row.inertia;
    let inertia = Matrix3::new(xx, xy, xz, xy, yy, yz, xz, yz, zz);
    let none = row.mass.is_nan() || row.mass <= 0.0;
    if none || !inertia.symmetric_eigenvalues().iter().all(|of| *of > 0.0) {
        return Err("mass and inertia must be above zero".to_owned());
    }
    let pieces = row.pieces.into_iter().map(|row| piece(row, colours));
    Ok(Link {
        name: row.name,
        mass: row.mass,
        centre: Vector3::from(row.centre),
        inertia,
        pieces: pieces.collect::<Result<_, _>>()?,
    })
}

fn piece(row: PieceRow, colours: &BTreeMap<String, [f32; 3]>) -> Result<Piece, String> {
    let shape = match (row.cuboid, row.cylinder) {
        (Some(half), None) => Shape::Box { half },
        (None, Some([radius, half_length])) => Shape::Cylinder { radius, half_length },
        _ => return Err(format!("{}: either a box or a cylinder", row.name)),
    };
    let colour = colours
        .get(&row.colour)
        .ok_or_else(|| format!("{}: there is no colour {:?}", row.name, row.colour))?;
    let at = Translation3::from(row.at);
    Ok(Piece { name: row.name, shape, at, colour: *colour, finger: row.finger })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chains() -> (Chain, Chain) {
        (Chain::to_jaw().unwrap(), Chain::builtin("so101").unwrap())
    }

    #[test]
    fn what_is_wrong_in_a_model_is_named() {
        let good = include_str!("../../models/so101.toml");
        let refused = |from: &str, to: &str| {
            let text = good.replacen(from, to, 1);
            assert_ne!(text, good);
            model("a.toml", &text, chains()).unwrap_err().to_string()
        };
        for (from, to, told) in [
            ("mass = 0.1", "mass = -0.1", "base_link: mass and inertia"),
            ("colour = \"print\"", "colour = \"pink\"", "foot_l: there is no colour \"pink\""),
            ("box = [0.0422, 0.0185, 0.0087], ", "", "foot_l: either a box or a cylinder"),
            ("sole = 0.0024", "soul = 0.0024", "soul"),
        ] {
            let error = refused(from, to);
            assert!(error.starts_with("a.toml") && error.contains(told), "{error}");
        }
    }
}
