//! How many steps of 2 ms a world takes in a second of one core: an arm alone, an arm above a table with a
//! cube, and a cube in its grip.
#![allow(clippy::print_stdout, clippy::unwrap_used)] // a bench is its own report

use std::sync::Arc;
use std::time::Instant;

use nalgebra::{Isometry3, Translation3, UnitQuaternion};
use sinew_sim::model::Model;
use sinew_sim::motor::{Motor, Order, Spring};
use sinew_sim::scene::Surface;
use sinew_sim::world::{Loose, Setup, World};

const DT: f64 = 0.002;
const ROUNDS: usize = 5;

fn main() {
    let golden: serde_json::Value =
        serde_json::from_str(include_str!("../tests/golden/so101_grasp.json")).unwrap();
    let commands: Vec<[f64; 6]> = serde_json::from_value(golden["command"].clone()).unwrap();
    let model = Arc::new(Model::so101().unwrap());
    let mut alone = Setup::new(Arc::clone(&model));
    alone.touching = false;
    report("an arm alone, motors with play", alone, |world, step| swing(world, step, 200_000));
    let mut table = Setup::new(Arc::clone(&model));
    table.things.push(cube(Isometry3::translation(0.21, 0.03, 0.015)));
    report("above a table with a cube", table, |world, step| swing(world, step, 50_000));

    let mut grasp = Setup::new(model);
    let spring = |most| {
        let (stiffness, damping, viscous) = (998.22, 2.731, 0.6);
        Motor::Spring(Spring {
            stiffness,
            damping,
            most,
            viscous,
            friction: 0.052,
            armature: 0.028,
        })
    };
    grasp.motors = [2.94, 2.94, 2.94, 2.94, 2.94, 0.96].map(spring);
    grasp.angles = serde_json::from_value(golden["start_q"].clone()).unwrap();
    let turn = UnitQuaternion::from_euler_angles(0.0, 0.0, -std::f64::consts::FRAC_PI_2);
    grasp.things.push(cube(Isometry3::from_parts(Translation3::new(0.21, 0.03, 0.015), turn)));
    report("grasping and lifting it", grasp, |world, step| {
        for (joint, goal) in commands.get(step / 10)?.iter().enumerate() {
            world.order(joint, Order::Goal(*goal));
        }
        Some(())
    });
}

fn cube(place: Isometry3<f64>) -> Loose {
    Loose {
        name: "cube".to_owned(),
        half: [0.015; 3],
        mass: 0.03,
        friction: 1.0,
        surface: Surface { colour: [1.0, 0.0, 0.0], checker: None },
        place,
    }
}

/// Volts to and fro, too small to reach the table.
fn swing(world: &mut World, step: usize, steps: usize) -> Option<()> {
    let volts = if (step / 100).is_multiple_of(2) { 2.0 } else { -2.0 };
    for joint in 0..6 {
        world.order(joint, Order::Volts(if joint == 1 { 0.0 } else { volts }));
    }
    world.hand(1, Some(-0.8));
    (step < steps).then_some(())
}

fn report(what: &str, setup: Setup, mut order: impl FnMut(&mut World, usize) -> Option<()>) {
    let mut best = f64::INFINITY;
    let mut steps = 0;
    for _ in 0..ROUNDS {
        let mut world = World::new(setup.clone());
        steps = 0;
        let began = Instant::now();
        while order(&mut world, steps).is_some() {
            world.step(DT);
            steps += 1;
        }
        best = best.min(began.elapsed().as_secs_f64() / steps as f64);
    }
    println!(
        "{what:32} {steps:7} steps: {:9.0} steps/s, {:6.1} x real time",
        1.0 / best,
        DT / best
    );
}
