//! The world in which a task begins: drawn by seed.

use std::sync::Arc;

use fastrand::Rng;
use nalgebra::{Isometry3, Translation3, UnitQuaternion, Vector3};

use super::{Mark, Span, Task, ThingRow};
use crate::model::Model;
use crate::scene::{Shape, Surface, Thing};
use crate::world::{Loose, Setup};

/// Where the marks of a task are.
pub type Places = Vec<(String, Vector3<f64>)>;

/// The table's top: half its sides.
const TOP: [f64; 3] = [0.45, 0.45, 0.01];
const WOOD: Surface =
    Surface { colour: [0.87, 0.83, 0.76], checker: Some(([0.80, 0.75, 0.67], 0.04)) };
/// A mark on the table is as thick as paint.
const PAINT: f64 = 0.0003;
/// Tries to find room for a thing beside the others.
const TRIES: usize = 100;

impl Task {
    /// The world in which it begins with this seed, and where its marks are.
    pub fn setup(&self, model: Arc<Model>, seed: u64) -> (Setup, Places) {
        let mut random = Rng::with_seed(seed);
        let mut setup = Setup::new(model);
        setup.angles = setup.model.angles(&self.start);
        setup.seen.push(table());
        let mut taken: Vec<(Vector3<f64>, f64)> = Vec::new();
        for row in &self.things {
            let wide = Vector3::new(row.half[0], row.half[1], 0.0).norm();
            let at = apart(&mut random, (row.x, row.y, [row.half[2]; 2]), wide, &mut taken);
            let turn = draw(&mut random, row.turn).to_radians();
            setup.things.push(row.lying(at, turn));
        }
        let mut places = Places::new();
        for mark in &self.marks {
            let at = apart(&mut random, (mark.x, mark.y, mark.z), mark.radius, &mut taken);
            setup.seen.push(mark.seen(at));
            places.push((mark.name.clone(), at));
        }
        (setup, places)
    }
}

fn draw(random: &mut Rng, [low, high]: Span) -> f64 {
    low + random.f64() * (high - low)
}

/// A place in these spans that touches nothing of what is there, where there is one.
fn apart(
    random: &mut Rng,
    (x, y, z): (Span, Span, Span),
    wide: f64,
    taken: &mut Vec<(Vector3<f64>, f64)>,
) -> Vector3<f64> {
    let mut at = Vector3::zeros();
    for _ in 0..TRIES {
        at = Vector3::new(draw(random, x), draw(random, y), draw(random, z));
        if taken.iter().all(|(there, other)| (at - there).xy().norm() > wide + other) {
            break;
        }
    }
    taken.push((at, wide));
    at
}

impl ThingRow {
    fn lying(&self, at: Vector3<f64>, turn: f64) -> Loose {
        let turn = UnitQuaternion::from_axis_angle(&Vector3::z_axis(), turn);
        Loose {
            name: self.name.clone(),
            half: self.half,
            mass: self.mass,
            friction: self.friction,
            surface: Surface { colour: self.colour, checker: None },
            place: Isometry3::from_parts(Translation3::from(at), turn),
        }
    }
}

impl Mark {
    fn seen(&self, at: Vector3<f64>) -> Thing {
        // In the air a mark is as thick as it is wide.
        let half_length = if self.z == [0.0; 2] { PAINT } else { self.radius };
        Thing {
            shape: Shape::Cylinder { radius: self.radius, half_length },
            surface: Surface { colour: self.colour, checker: None },
            place: Isometry3::translation(at.x, at.y, at.z.max(half_length)),
        }
    }
}

fn table() -> Thing {
    let [x, _, z] = TOP;
    Thing {
        shape: Shape::Box { half: TOP },
        surface: WOOD,
        place: Isometry3::translation(x / 3.0, 0.0, -z),
    }
}
