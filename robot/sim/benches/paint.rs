//! How many pictures a second one core paints of a desk with an SO-101:
//!
//! ```text
//! cargo bench -p sinew-sim --bench paint [-- FOLDER]
//! ```
//! With a folder, the pictures are written there to be looked at.
#![allow(clippy::print_stdout, clippy::unwrap_used, clippy::indexing_slicing, missing_docs)]

use std::path::Path;
use std::time::Instant;

use nalgebra::Isometry3;
use sinew_sim::render::{Camera, Canvas, Painter, Smooth};
use sinew_sim::scene::Scene;
use sinew_sim::views::View;
use sinew_sim::{Env, Task};

const ROUNDS: usize = 7;
const PICTURES: usize = 60;

fn main() {
    let (scenes, links) = scenes();
    let cameras = [("front", 640, 480), ("top", 640, 480), ("side", 640, 480), ("wrist", 640, 480)];
    let cameras = cameras.into_iter().chain([("front", 224, 224)]);
    let cameras = cameras.map(|(name, wide, high)| (name, View::named(name, wide, high)));
    let cameras: Vec<_> = cameras.map(|(name, view)| (name, view.camera(&links))).collect();
    for (name, camera) in &cameras {
        for (smooth, depth) in [(Smooth::Four, false), (Smooth::Four, true), (Smooth::None, false)]
        {
            let mut canvas = if depth { Canvas::with_depth() } else { Canvas::new() };
            let mut painter = Painter::with(smooth);
            let mut times: Vec<f64> =
                (0..ROUNDS).map(|_| time(&scenes, &mut painter, camera, &mut canvas)).collect();
            times.sort_by(f64::total_cmp);
            let took = times[ROUNDS / 2];
            let depth = if depth { "with depth" } else { "" };
            println!(
                "{name:6} {}x{} {smooth:?} {depth:10} {:6.2} ms {:6.0}/s",
                camera.width,
                camera.height,
                took * 1e3,
                1.0 / took
            );
        }
    }
    if let Some(folder) = std::env::args().skip(1).find(|argument| !argument.starts_with('-')) {
        for (name, camera) in &cameras {
            let mut canvas = Canvas::with_depth();
            Painter::new().paint(&scenes[PICTURES - 1], camera, &mut canvas);
            save(Path::new(&folder), &format!("{name}{}", camera.width), &canvas);
        }
    }
}

/// A task's scenes while the arm moves to and fro, and where its links are in the last of them.
fn scenes() -> (Vec<Scene>, [Isometry3<f64>; 6]) {
    let mut env = Env::new(Task::find("so101_pick_place").unwrap()).unwrap();
    env.reset(7).unwrap();
    let step = |n: usize| {
        let turn = (n as f64 * 0.1).sin();
        env.step(&[15.0 + 20.0 * turn, -15.0, 15.0, 55.0 + 10.0 * turn, 10.0, 40.0]).unwrap();
        let mut scene = Scene::default();
        env.world().unwrap().look().scene(&mut scene);
        scene
    };
    let scenes = (0..PICTURES).map(step).collect();
    (scenes, env.world().unwrap().look().links())
}

/// Seconds per picture.
fn time(scenes: &[Scene], painter: &mut Painter, camera: &Camera, canvas: &mut Canvas) -> f64 {
    let begun = Instant::now();
    scenes.iter().for_each(|scene| painter.paint(scene, camera, canvas));
    begun.elapsed().as_secs_f64() / PICTURES as f64
}

fn save(folder: &Path, name: &str, canvas: &Canvas) {
    let write = |name: String, colour: png::ColorType, data: &[u8]| {
        let file = std::fs::File::create(folder.join(name)).unwrap();
        let mut encoder = png::Encoder::new(file, canvas.width, canvas.height);
        encoder.set_color(colour);
        encoder.write_header().unwrap().write_image_data(data).unwrap();
    };
    write(format!("{name}.png"), png::ColorType::Rgb, &canvas.pixels);
    let grey: Vec<u8> = canvas.millimetres().map(|depth| (depth / 5).min(255) as u8).collect();
    write(format!("{name}_depth.png"), png::ColorType::Grayscale, &grey);
}
