use std::sync::Arc;

use nalgebra::Vector3;

use super::*;
use crate::model::Model;
use crate::world::World;

fn model() -> Arc<Model> {
    Arc::new(Model::so101().unwrap())
}

#[test]
fn every_task_that_is_built_in_can_be_built_and_is_not_achieved_at_its_beginning() {
    for name in Task::names() {
        let task = Task::find(name).unwrap();
        assert_eq!(task.name, name);
        for seed in 0..200 {
            let (setup, places) = task.setup(model(), seed);
            let mut world = World::new(setup);
            let mut judge = Judge::new(&task, places);
            world.step(0.002);
            let verdict = judge.look(&world, Vector3::new(0.3, 0.0, 0.3), 0.0);
            assert!(verdict.reward < 0.0 && !verdict.achieved, "{name} {seed}: {verdict:?}");
            for touch in world.touches() {
                assert!(!matches!(touch.from, crate::touch::Owner::Link(_)), "{name}: {touch:?}");
            }
        }
    }
}

#[test]
fn a_seed_gives_one_world_and_another_seed_another() {
    let task = Task::find("so101_pick_place").unwrap();
    let place = |seed| {
        let (setup, marks) = task.setup(model(), seed);
        (setup.things[0].place, marks)
    };
    assert_eq!(place(7), place(7));
    assert_ne!(place(7), place(8));
}

#[test]
fn a_thing_that_is_lifted_long_enough_is_lifted() {
    let task = Task::find("so101_lift").unwrap();
    let (mut setup, places) = task.setup(model(), 1);
    setup.things[0].place.translation.z = 0.1;
    let world = World::new(setup);
    let mut judge = Judge::new(&task, places);
    let tip = Vector3::zeros();
    assert_eq!(judge.look(&world, tip, 1.0), Verdict { reward: 1.0, achieved: false });
    assert_eq!(judge.look(&world, tip, 1.29), Verdict { reward: 1.0, achieved: false });
    assert_eq!(judge.look(&world, tip, 1.31), Verdict { reward: 1.0, achieved: true });
}

#[test]
fn a_thing_in_the_air_over_its_mark_is_not_placed() {
    let task = Task::find("so101_pick_place").unwrap();
    let (mut setup, places) = task.setup(model(), 1);
    let mark = places[0].1;
    for (height, lies) in [(0.06, false), (0.0149, true)] {
        let at = Vector3::new(mark.x, mark.y, height);
        setup.things[0].place.translation.vector = at;
        let mut world = World::new(setup.clone());
        world.step(0.002);
        let mut judge = Judge::new(&task, places.clone());
        let verdict = judge.look(&world, Vector3::zeros(), 0.0);
        assert_eq!(verdict.reward == 1.0, lies, "{height}");
    }
}

#[test]
fn what_is_wrong_in_a_task_is_named() {
    let good = include_str!("../../tasks/so101_pick_place.toml");
    for (from, to, told) in [
        ("mass = 0.03", "mass = nan", "thing \"cube\": mass is NaN"),
        ("mass = 0.03", "mass = -1.0", "thing \"cube\": mass is -1"),
        ("x = [0.18, 0.25]", "x = [0.25, 0.18]", "thing \"cube\": x: 0.25 is above 0.18"),
        ("thing = \"cube\"", "thing = \"ball\"", "there is no thing \"ball\""),
        ("mark = \"target\"", "mark = \"goal\"", "there is no mark \"goal\""),
        ("kind = \"placed\"", "kind = \"eaten\"", "eaten"),
        ("seconds = 10.0", "seconds = 1e9", "seconds is 1000000000"),
        ("radius = 0.03", "radius = 0.03\nheight = 2", "height"),
        ("within = 0.025", "within = inf", "goal: how far is inf"),
        ("within = 0.025", "within = nan", "goal: how far is NaN"),
        ("name = \"target\"", "name = \"cube\"", "called \"cube\""),
        ("colour = [0.85,", "colour = [8.5,", "colour is 8.5"),
    ] {
        let text = good.replacen(from, to, 1);
        assert_ne!(text, good, "{from}");
        let error = read::task("a.toml", &text).unwrap_err().to_string();
        assert!(error.starts_with("a.toml") && error.contains(told), "{error}");
    }
    let error = Task::find("so101_list").unwrap_err().to_string();
    assert!(error.contains("so101_list") && error.contains("so101_lift"), "{error}");
}
