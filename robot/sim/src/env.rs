//! A task to be worked on from tick to tick, as reinforcement learning has it: reset, step, reward.
//!
//! Between an action and what is observed after it lie the real driver, the virtual bus and servos; time
//! is the world's own, so an hour passes as fast as the machine can.

use std::sync::Arc;

use nalgebra::Isometry3;
use sinew_drivers::arm::{Arm, ArmOptions};
use sinew_drivers::clock::SECOND;
use sinew_drivers::{Bus, Clock, Nanos};

use crate::behind::{Embodied, Shared};
use crate::error::Error;
use crate::expert::Expert;
use crate::model::Model;
use crate::physics::Physics;
use crate::task::{Judge, Task, Verdict};
use crate::world::World;

/// Ticks per second.
pub const FPS: u32 = 30;
/// The arm that tasks are for.
const ARM: &str = "so101_follower";
/// How long everything may settle before the first tick.
const SETTLING: Nanos = SECOND / 2;

/// A task, and one attempt at it after the other.
pub struct Env {
    task: Task,
    physics: Physics,
    model: Arc<Model>,
    attempt: Option<Attempt>,
}

/// What can be known at a tick.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Observed {
    /// The joints as the driver reads them: degrees, the gripper in hundredths of its way.
    pub state: Vec<f64>,
    /// What no arm on a table knows: where things (x, y, z, qw, qx, qy, qz) and marks (x, y, z) are.
    pub truth: Vec<f64>,
}

/// What an action has led to.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Step {
    /// How near it is.
    pub verdict: Verdict,
    /// There is no time left, or it is achieved.
    pub over: bool,
}

struct Attempt {
    arm: Arm,
    embodied: Embodied,
    judge: Judge,
    began: Nanos,
    ticks: u32,
    observed: Observed,
}

impl Env {
    /// A task that has not begun.
    pub fn new(task: Task) -> Result<Self, Error> {
        Self::by(Physics::Own, task)
    }

    /// The same in worlds that these physics move.
    pub fn by(physics: Physics, task: Task) -> Result<Self, Error> {
        let model = Arc::new(Model::builtin(ARM)?);
        Ok(Self { task, physics, model, attempt: None })
    }

    /// The task.
    pub fn task(&self) -> &Task {
        &self.task
    }

    /// How many ticks an attempt has.
    pub fn most_ticks(&self) -> u32 {
        (self.task.seconds * f64::from(FPS)).ceil() as u32
    }

    /// What the numbers of [`Observed::state`] and of actions are called, as in datasets.
    pub fn state_names(&self) -> Vec<String> {
        self.model.chain.joints().iter().map(|joint| format!("{}.pos", joint.name)).collect()
    }

    /// What the numbers of [`Observed::truth`] are called.
    pub fn truth_names(&self) -> Vec<String> {
        let of = |name: &str, parts: &[&str]| -> Vec<String> {
            parts.iter().map(|part| format!("{name}.{part}")).collect()
        };
        let pose = ["x", "y", "z", "qw", "qx", "qy", "qz"];
        let things = self.task.things.iter().flat_map(|thing| of(&thing.name, &pose));
        things.chain(self.task.marks.iter().flat_map(|mark| of(&mark.name, &pose[..3]))).collect()
    }

    /// Begins anew, with the world of this seed: everything that follows depends on the seed and the
    /// actions alone.
    pub fn reset(&mut self, seed: u64) -> Result<&Observed, Error> {
        let (setup, places) = self.task.setup(Arc::clone(&self.model), seed);
        let judge = Judge::new(&self.task, places);
        let clock = Clock::virtual_time();
        let world = World::by(self.physics, setup)?;
        let embodied = Embodied::new(ARM, world, clock.clone(), seed)?;
        // Until its motors have torque, somebody holds the arm.
        embodied.hold(true);
        let bus = Bus::new(embodied.bus.wire(), embodied.spec.series.protocol);
        let options = ArmOptions { dead_man: None, ..ArmOptions::default() };
        let mut arm = Arm::connect(embodied.spec.clone(), bus, &embodied.calibration, options)?;
        arm.configure()?;
        let mut attempt =
            Attempt { arm, embodied, judge, began: 0, ticks: 0, observed: Observed::default() };
        attempt.arm.observe()?;
        attempt.arm.command(&self.task.start)?;
        attempt.embodied.hold(false);
        clock.sleep(SETTLING);
        attempt.began = clock.now();
        attempt.observe()?;
        Ok(&self.attempt.insert(attempt).observed)
    }

    /// Sends an action and waits for the next tick.
    pub fn step(&mut self, action: &[f64]) -> Result<Step, Error> {
        let most = self.most_ticks();
        let Self { attempt, model, .. } = self;
        let attempt = attempt.as_mut().ok_or(Error::NotBegun)?;
        attempt.arm.command(action)?;
        attempt.ticks += 1;
        let passed = Nanos::from(attempt.ticks) * SECOND / Nanos::from(FPS);
        attempt.arm.clock().sleep_until(attempt.began + passed);
        attempt.observe()?;
        let world = attempt.embodied.world.look();
        let at = tip_at(model, &world);
        let seconds = passed as f64 / SECOND as f64;
        let verdict = attempt.judge.look(&world, at.translation.vector, seconds);
        Ok(Step { verdict, over: verdict.achieved || attempt.ticks >= most })
    }

    /// What was seen last.
    pub fn observed(&self) -> Option<&Observed> {
        Some(&self.attempt.as_ref()?.observed)
    }

    /// The world of this attempt.
    pub fn world(&self) -> Option<&Shared> {
        Some(&self.attempt.as_ref()?.embodied.world)
    }

    /// How one who knows where everything is would go on from here.
    pub fn expert(&self) -> Result<Expert, Error> {
        let attempt = self.attempt.as_ref().ok_or(Error::NotBegun)?;
        Expert::new(&self.task, &attempt.embodied.world.look(), &attempt.judge)
    }
}

fn tip_at(model: &Model, world: &World) -> Isometry3<f64> {
    Isometry3::translation(0.0, 0.0, model.sole) * model.tip.pose(world.joints())
}

impl Attempt {
    fn observe(&mut self) -> Result<(), Error> {
        let Observed { state, truth } = &mut self.observed;
        state.clone_from(&self.arm.observe()?.values);
        truth.clear();
        let world = self.embodied.world.look();
        for thing in &world.state().things {
            let (at, turn) = (thing.place.translation, thing.place.rotation);
            // The same turn has two signs.
            let sign = if turn.w < 0.0 { -1.0 } else { 1.0 };
            truth.extend([at.x, at.y, at.z]);
            truth.extend([turn.w, turn.i, turn.j, turn.k].map(|part| part * sign));
        }
        truth.extend(self.judge.marks().iter().flat_map(|(_, at)| [at.x, at.y, at.z]));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(seed: u64) -> (Vec<Observed>, Step) {
        let mut env = Env::new(Task::find("so101_lift").unwrap()).unwrap();
        let mut seen = vec![env.reset(seed).unwrap().clone()];
        let mut last = None;
        for tick in 0..40 {
            let sway = f64::from(tick);
            let goal = [sway, -34.0, 34.0, 52.0 - sway, sway * 2.0, 50.0];
            last = Some(env.step(&goal).unwrap());
            seen.push(env.observed().unwrap().clone());
        }
        (seen, last.unwrap())
    }

    #[test]
    fn an_attempt_depends_on_seed_and_actions_alone() {
        let other = std::thread::Builder::new().spawn(|| run(11)).unwrap();
        let (first, second) = (run(11), other.join().unwrap());
        assert_eq!(first, second);
        assert_ne!(run(12), first);
    }

    #[test]
    fn it_begins_where_the_task_says_and_follows_what_it_is_told() {
        let mut env = Env::new(Task::find("so101_pick_place").unwrap()).unwrap();
        let first = env.reset(1).unwrap().clone();
        assert_eq!(first.state.len(), env.state_names().len());
        assert_eq!(first.truth.len(), env.truth_names().len());
        for (value, start) in first.state.iter().zip(env.task().start) {
            assert!((value - start).abs() < 6.0, "{:?}", first.state);
        }
        let goal = [30.0, -34.0, 34.0, 52.0, 0.0, 80.0];
        let mut over = 0;
        for _ in 0..env.most_ticks() {
            over += u32::from(env.step(&goal).unwrap().over);
        }
        let last = env.observed().unwrap();
        assert!(
            (last.state[0] - 30.0).abs() < 1.5 && (last.state[5] - 80.0).abs() < 3.0,
            "{last:?}"
        );
        assert_eq!(over, 1);
    }

    #[test]
    fn what_no_arm_does_is_refused_and_a_step_before_the_beginning_too() {
        let mut env = Env::new(Task::find("reach").unwrap()).unwrap();
        assert!(matches!(env.step(&[0.0; 6]), Err(Error::NotBegun)));
        env.reset(0).unwrap();
        assert!(matches!(env.step(&[0.0; 5]), Err(Error::Arm(_))));
        env.step(&[f64::NAN; 6]).unwrap();
        let state = env.observed().unwrap().state.clone();
        assert!(state.iter().all(|value| value.is_finite()), "{state:?}");
    }
}
