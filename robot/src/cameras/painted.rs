//! What a camera sees of a simulated arm and the table that it stands on.

use bytes::Bytes;
use sinew_drivers::camera::{CameraSpec, Layout, Moment, Picture, Source, Taken};
use sinew_drivers::clock::SECOND;
use sinew_drivers::sim::VirtualBus;
use sinew_drivers::{Clock, Error, Nanos};
use sinew_sim::behind::Shared;
use sinew_sim::views::{Eye, View};

/// A table, and the bus of the arm on it.
#[derive(Clone)]
pub struct Sight {
    /// Through it the joints are brought to the instant of the picture.
    pub bus: VirtualBus,
    /// What is seen.
    pub world: Shared,
}

/// The source of such pictures.
pub struct Painted {
    sight: Sight,
    view: View,
    period: Nanos,
    next: Nanos,
    eye: Eye,
}

impl Painted {
    /// Pictures of this size and rate from where a camera of this name stands.
    pub fn new(name: &str, spec: &CameraSpec, sight: Sight) -> Self {
        Self {
            view: View::named(name, spec.width, spec.height),
            period: SECOND / Nanos::from(spec.fps.max(1)),
            next: sight.bus.clock().now(),
            sight,
            eye: Eye::default(),
        }
    }

    fn clock(&self) -> &Clock {
        self.sight.bus.clock()
    }
}

impl Source for Painted {
    fn shoot(&mut self) -> Result<Taken, Error> {
        self.clock().sleep_until(self.next);
        let opened = self.clock().now();
        // What was missed is missed: a real camera does not catch up either.
        self.next = (self.next + self.period).max(opened);
        self.sight.bus.settle();
        self.eye.take_in(&self.sight.world.look());
        let at = opened.midpoint(self.clock().now());
        let canvas = self.eye.paint(&self.eye.camera(&self.view));
        let picture = Picture {
            width: canvas.width,
            height: canvas.height,
            layout: Layout::Rgb8,
            pixels: Bytes::copy_from_slice(&canvas.pixels),
        };
        Ok(Taken { at, moment: Moment::Exposure, picture })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::simulated::Simulated;
    use sinew_drivers::camera::{Origin, Settings};

    #[test]
    fn the_cube_is_seen_and_the_arm_as_it_moves() {
        let arm = Simulated::new("so101_follower", 0).unwrap();
        let (origin, settings) = (Origin::World, Settings::default());
        let spec = CameraSpec { origin, width: 160, height: 120, fps: 240, settings };
        let sight = arm.sight().unwrap();
        for name in ["front", "top", "side"] {
            let mut camera = Painted::new(name, &spec, sight.clone());
            arm.bus.hand(1, None);
            let before = camera.shoot().unwrap();
            let red = before.picture.pixels.chunks_exact(3).filter(|pixel| {
                let [red, green, blue] = [pixel[0], pixel[1], pixel[2]].map(u32::from);
                red > 90 && red > 3 * green && red > 3 * blue
            });
            assert!(red.count() > 5, "{name}");
            let joint = arm.bus.servo(1).unwrap().joint;
            arm.bus.hand(1, Some(joint + 300.0));
            let after = camera.shoot().unwrap();
            assert!(after.at > before.at);
            assert_ne!(after.picture, before.picture, "{name}");
            arm.bus.hand(1, Some(joint));
        }
    }
}
