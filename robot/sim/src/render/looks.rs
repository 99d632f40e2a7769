//! The same scene as it might look elsewhere: other colours, other light, a camera put up by hand.
//!
//! A policy that has seen a thousand of these takes the real one for one more.

use fastrand::Rng;
use nalgebra::{Isometry3, Translation3, UnitQuaternion, Vector3};

use super::Camera;
use crate::scene::{Light, Scene};

/// How far looks may go. The default is what a room and a hand vary by; zeros leave all as it is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Looks {
    /// By how much of their range colours may change: all things of one colour change alike.
    pub colour: f32,
    /// The share by which the side of the table's squares may grow or shrink.
    pub pattern: f32,
    /// The share by which lights may be stronger or weaker.
    pub strength: f32,
    /// How far lights may move, in radians.
    pub lights: f64,
    /// How far a camera may be from where it should be, in metres.
    pub shift: f64,
    /// How far it may be turned, in radians.
    pub turn: f64,
}

impl Default for Looks {
    fn default() -> Self {
        Self { colour: 0.12, pattern: 0.4, strength: 0.3, lights: 0.6, shift: 0.015, turn: 0.04 }
    }
}

impl Looks {
    /// Changes a scene that is as it should be: the same seed changes it in the same way.
    pub fn scene(&self, seed: u64, scene: &mut Scene) {
        let dye = |colour: &mut [f32; 3]| self.dye(seed, colour);
        for thing in &mut scene.things {
            dye(&mut thing.surface.colour);
            if let Some((second, size)) = &mut thing.surface.checker {
                dye(second);
                *size *= 1.0 + self.pattern * signed(&mut Rng::with_seed(seed)) as f32;
            }
        }
        let room = &mut scene.room;
        dye(&mut room.wall);
        dye(&mut room.floor);
        let mut random = Rng::with_seed(seed ^ 0x0011_6874);
        self.light(&mut random, &mut room.lamp);
        self.light(&mut random, &mut room.window);
        let brighter = 1.0 + self.strength * signed(&mut random) as f32;
        room.around = room.around.map(|channel| channel * brighter);
    }

    /// Moves a camera that is where it should be, as little as a hand would.
    pub fn camera(&self, seed: u64, camera: &mut Camera) {
        let mut random = Rng::with_seed(seed ^ 0x0063_616d);
        let shift = direction(&mut random) * (self.shift * random.f64());
        let turn = direction(&mut random) * (self.turn * random.f64());
        let moved = UnitQuaternion::from_scaled_axis(turn);
        camera.place *= Isometry3::from_parts(Translation3::from(shift), moved);
    }

    /// What a colour becomes depends on nothing but itself and the seed.
    fn dye(&self, seed: u64, colour: &mut [f32; 3]) {
        let bits = colour.iter().fold(seed, |bits, channel| {
            (bits ^ u64::from(channel.to_bits()))
                .wrapping_mul(0x9E37_79B9_7F4A_7C15)
                .rotate_left(29)
        });
        let mut random = Rng::with_seed(bits);
        // Half of it brighter or darker, half another hue.
        let all = signed(&mut random) as f32;
        for channel in colour {
            let change = 0.5 * (all + signed(&mut random) as f32) * self.colour;
            *channel = (*channel + change).clamp(0.0, 1.0);
        }
    }

    fn light(&self, random: &mut Rng, light: &mut Light) {
        let turn = direction(random) * (self.lights * random.f64());
        let towards = UnitQuaternion::from_scaled_axis(turn) * Vector3::from(light.towards);
        // No light shines through the table.
        light.towards = [towards.x, towards.y, towards.z.max(0.2 * towards.norm())];
        let stronger = 1.0 + self.strength * signed(random) as f32;
        light.strength = light.strength.map(|channel| channel * stronger);
    }
}

/// From -1 to 1.
fn signed(random: &mut Rng) -> f64 {
    random.f64() * 2.0 - 1.0
}

/// Any direction as likely as any other.
fn direction(random: &mut Rng) -> Vector3<f64> {
    let up = signed(random);
    let (sin, cos) = (std::f64::consts::TAU * random.f64()).sin_cos();
    let flat = (1.0 - up * up).sqrt();
    Vector3::new(flat * cos, flat * sin, up)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scene::{Room, Shape, Surface, Thing};

    fn scene() -> Scene {
        let thing = |colour, checker| Thing {
            shape: Shape::Box { half: [0.1; 3] },
            surface: Surface { colour, checker },
            place: Isometry3::identity(),
        };
        let things = vec![
            thing([0.9, 0.6, 0.1], None),
            thing([0.9, 0.6, 0.1], None),
            thing([0.8; 3], Some(([0.7; 3], 0.04))),
        ];
        Scene { things, room: Room::default() }
    }

    #[test]
    fn looks_follow_from_their_seed_and_stay_within_their_bounds() {
        let (looks, plain) = (Looks::default(), scene());
        let mut before = plain.clone();
        for seed in 0..200 {
            let (mut one, mut two) = (plain.clone(), plain.clone());
            looks.scene(seed, &mut one);
            looks.scene(seed, &mut two);
            assert_eq!(one, two);
            assert_ne!(one, before, "another seed, another look");
            assert_eq!(one.things[0].surface, one.things[1].surface, "an arm is of one colour");
            for (one, plain) in one.things.iter().zip(&plain.things) {
                let colours = one.surface.colour.iter().zip(plain.surface.colour);
                assert!(colours.into_iter().all(|(a, b)| (a - b).abs() <= looks.colour + 1e-6));
                assert_eq!((one.shape, one.place), (plain.shape, plain.place));
            }
            assert!(one.room.lamp.towards[2] > 0.1);
            before = one;
        }
    }

    #[test]
    fn a_camera_moves_no_further_than_it_may() {
        let (looks, plain) = (Looks::default(), Camera::with_view(64, 48, 0.8));
        for seed in 0..200 {
            let mut camera = plain;
            looks.camera(seed, &mut camera);
            assert!(camera.place.translation.vector.norm() <= looks.shift);
            assert!(camera.place.rotation.angle() <= looks.turn + 1e-9);
            assert_ne!(camera, plain);
        }
    }

    #[test]
    fn looks_of_no_reach_change_nothing() {
        let looks =
            Looks { colour: 0.0, pattern: 0.0, strength: 0.0, lights: 0.0, shift: 0.0, turn: 0.0 };
        let (mut scene, plain) = (scene(), scene());
        looks.scene(5, &mut scene);
        assert_eq!(scene, plain);
    }
}
