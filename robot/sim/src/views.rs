//! Where cameras stand, by their names, and what is seen from there.

use nalgebra::{Isometry3, Point3};

use crate::model::JOINTS;
use crate::render::{Camera, Canvas, Looks, Painter, looking};
use crate::scene::{Room, Scene};
use crate::world::World;

/// A camera on the table or on the arm.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct View {
    camera: Camera,
    /// On which link it is screwed, and how.
    mount: Option<(usize, Isometry3<f64>)>,
}

/// The link that carries the fixed jaw.
const GRIPPER: usize = 4;
/// Beside the fixed jaw, looking along both.
const WRIST: ([f64; 3], [f64; 3]) = ([0.02, -0.06, 0.0], [-0.01, 0.0, -0.12]);

/// A camera's name, how much it sees from top to bottom in radians, where it is, and where it looks.
type Row = (&'static str, f64, [f64; 3], [f64; 3]);

/// Those that stand; the first stands in for names that are not here.
const STANDING: [Row; 3] = [
    ("front", 0.75, [0.75, 0.38, 0.42], [0.17, -0.02, 0.06]),
    ("side", 0.7, [0.25, -0.65, 0.25], [0.16, 0.0, 0.08]),
    ("top", 0.8, [0.24, 0.0, 0.75], [0.24, 0.0, 0.0]),
];

impl View {
    /// The camera of this name: `front`, `side` and `top` stand around the table, `wrist` looks along
    /// the gripper, and any other sees what `front` does.
    pub fn named(name: &str, width: u32, height: u32) -> Self {
        if name == "wrist" {
            let (eye, target) = WRIST;
            let mount = looking(Point3::from(eye), Point3::from(target));
            let camera = Camera::with_view(width, height, 1.2);
            return Self { camera, mount: Some((GRIPPER, mount)) };
        }
        let [front, ..] = STANDING;
        let row = STANDING.into_iter().find(|(known, ..)| *known == name);
        let (_, vertical, eye, target) = row.unwrap_or(front);
        let camera = Camera::with_view(width, height, vertical);
        Self { camera: camera.look_at(eye.into(), target.into()), mount: None }
    }

    /// The camera where it is while the arm's links are here.
    pub fn camera(&self, links: &[Isometry3<f64>; JOINTS]) -> Camera {
        let place = self.mount.and_then(|(link, mount)| Some(links.get(link)? * mount));
        Camera { place: place.unwrap_or(self.camera.place), ..self.camera }
    }
}

/// Sees a world and paints it, through any number of views; keeps what it works with.
#[derive(Default)]
pub struct Eye {
    scene: Scene,
    links: [Isometry3<f64>; JOINTS],
    painter: Painter,
    canvas: Canvas,
}

impl Eye {
    /// Takes in how everything stands; the world is free again before anything is painted.
    pub fn take_in(&mut self, world: &World) {
        self.scene.room = Room::default();
        self.links = world.scene(&mut self.scene);
    }

    /// Gives what was taken in other colours and light, by a seed.
    pub fn vary(&mut self, looks: &Looks, seed: u64) {
        looks.scene(seed, &mut self.scene);
    }

    /// Where this view's camera is.
    pub fn camera(&self, view: &View) -> Camera {
        view.camera(&self.links)
    }

    /// What this camera sees of what was taken in.
    pub fn paint(&mut self, camera: &Camera) -> &Canvas {
        self.painter.paint(&self.scene, camera, &mut self.canvas);
        &self.canvas
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::model::Model;
    use crate::task::Task;
    use crate::world::World;

    /// Where in the picture the middle of the cube is seen, from 0 to 1, and how far away it is.
    fn cube_in(name: &str, world: &World) -> ([f64; 2], f64) {
        let camera = View::named(name, 640, 480).camera(&world.links());
        let cube = world.thing("cube").unwrap().place.translation.vector;
        let ([u, v], ahead) = camera.project(Point3::from(cube)).unwrap();
        ([u / 640.0, v / 480.0], ahead)
    }

    #[test]
    fn every_camera_sees_the_cube_wherever_a_task_puts_it() {
        let model = Arc::new(Model::builtin("so101").unwrap());
        let task = Task::find("so101_pick_place").unwrap();
        for seed in 0..50 {
            let world = World::new(task.setup(Arc::clone(&model), seed).0);
            for name in ["front", "side", "top", "wrist"] {
                let ([u, v], ahead) = cube_in(name, &world);
                // The one on the wrist looks where the gripper points.
                let border = if name == "wrist" { -0.3 } else { 0.05 };
                let inside = border..1.0 - border;
                assert!(inside.contains(&u) && inside.contains(&v), "{name} {seed}: {u} {v}");
                assert!((0.05..1.0).contains(&ahead), "{name} {seed}: {ahead}");
            }
        }
    }

    #[test]
    fn the_camera_on_the_wrist_goes_with_it_and_the_others_stay() {
        let mut world = World::new(crate::Setup::new(Arc::new(Model::builtin("so101").unwrap())));
        let views = ["wrist", "front", "any"].map(|name| View::named(name, 64, 48));
        let before = views.map(|view| view.camera(&world.links()).place);
        world.place(0, 0.5);
        let after = views.map(|view| view.camera(&world.links()).place);
        assert!((before[0].translation.vector - after[0].translation.vector).norm() > 0.05);
        assert_eq!((before[1], before[1]), (after[1], after[2]));
    }
}
