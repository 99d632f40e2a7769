//! What cameras see of a simulated task, tick by tick.

use bytes::Bytes;
use sinew_datasets::{Image, PixelFormat};
use sinew_sim::Env;
use sinew_sim::render::Looks;
use sinew_sim::views::{Eye, View};

use super::attempt::Pictures;

/// A camera: what datasets call it, where it stands, and its pictures' size.
#[derive(Clone, Debug, PartialEq)]
pub struct Lookout {
    /// Its feature's name, such as `observation.images.front`.
    pub feature: String,
    /// The name that says where it stands: front, side, top or wrist.
    pub name: String,
    /// Pixels from left to right, and from top to bottom.
    pub size: [u32; 2],
}

/// Cameras around a table, and who paints what they see.
pub struct Eyes {
    lookouts: Vec<(String, View)>,
    /// Colours, light and the cameras' places are drawn anew for each seed.
    varied: bool,
    eye: Eye,
}

impl Eyes {
    /// These cameras; `varied` ones see another room with each seed.
    pub fn new(lookouts: &[Lookout], varied: bool) -> Self {
        let view = |of: &Lookout| {
            let [width, height] = of.size;
            (of.feature.clone(), View::named(&of.name, width, height))
        };
        Self { lookouts: lookouts.iter().map(view).collect(), varied, eye: Eye::default() }
    }

    /// What they see now of the attempt with this seed.
    pub fn look(&mut self, env: &Env, seed: u64) -> Pictures {
        let Some(world) = env.world().filter(|_| !self.lookouts.is_empty()) else {
            return Vec::new();
        };
        let Self { lookouts, varied, eye } = self;
        let looks = Looks::default();
        eye.take_in(&world.look());
        if *varied {
            eye.vary(&looks, seed);
        }
        let picture = |(number, (feature, view)): (usize, &(String, View))| {
            let mut camera = eye.camera(view);
            if *varied {
                // Each camera is elsewhere in its own way.
                looks.camera(seed.wrapping_add(number as u64), &mut camera);
            }
            let canvas = eye.paint(&camera);
            let pixels = Bytes::copy_from_slice(&canvas.pixels);
            let image = Image::new(canvas.width, canvas.height, PixelFormat::Rgb8, pixels)?;
            Some((feature.clone(), image))
        };
        lookouts.iter().enumerate().filter_map(picture).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use sinew_sim::Task;

    fn front() -> [Lookout; 1] {
        let size = [64, 48];
        [Lookout { feature: "observation.images.front".to_owned(), name: "front".to_owned(), size }]
    }

    #[test]
    fn a_seed_gives_one_picture_and_in_varied_rooms_another_seed_gives_another() {
        let mut env = Env::new(Task::find("reach").unwrap()).unwrap();
        env.reset(1).unwrap();
        let see = |varied: bool, seed: u64| Eyes::new(&front(), varied).look(&env, seed);
        assert_eq!(see(true, 5), see(true, 5));
        assert_ne!(see(true, 5), see(true, 6));
        assert_eq!(see(false, 5), see(false, 6));
        let [(name, image)] = &see(false, 5)[..] else { panic!("one camera, one picture") };
        assert_eq!(
            (name.as_str(), image.width(), image.height()),
            ("observation.images.front", 64, 48)
        );
    }
}
