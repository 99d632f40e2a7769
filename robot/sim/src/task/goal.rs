//! Whether a task is achieved, and how near it is.

use nalgebra::Vector3;

use super::reset::Places;
use super::{Goal, Task};
use crate::touch::Owner;
use crate::world::World;

/// What is said of a moment.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Verdict {
    /// How near it is to being achieved: at most 0 before, 1 at each moment at which what is asked for
    /// holds.
    pub reward: f64,
    /// It has held as long as it has to.
    pub achieved: bool,
}

/// Watches a task from moment to moment.
#[derive(Clone, Debug)]
pub struct Judge {
    goal: Goal,
    places: Places,
    /// Since when what is asked for holds, in seconds of the world.
    since: Option<f64>,
}

impl Judge {
    /// A judge of this task, whose marks are there.
    pub fn new(task: &Task, places: Places) -> Self {
        Self { goal: task.goal.clone(), places, since: None }
    }

    /// Where a mark is.
    pub fn mark(&self, name: &str) -> Option<Vector3<f64>> {
        self.places.iter().find(|(known, _)| known == name).map(|(_, at)| *at)
    }

    /// Where the marks are.
    pub fn marks(&self) -> &Places {
        &self.places
    }

    /// Looks at the world at this time, with the gripper's tip there.
    pub fn look(&mut self, world: &World, tip: Vector3<f64>, seconds: f64) -> Verdict {
        let (holds, away) = self.holds(world, tip);
        let (.., lasts) = self.goal.parts();
        if !holds {
            self.since = None;
            return Verdict { reward: -away, achieved: false };
        }
        let since = *self.since.get_or_insert(seconds);
        Verdict { reward: 1.0, achieved: seconds - since > lasts - HALF_A_STEP }
    }

    /// Whether it holds, and how many metres are missing.
    fn holds(&self, world: &World, tip: Vector3<f64>) -> (bool, f64) {
        let nothing = (false, 1.0);
        let (thing, mark, _) = self.goal.parts();
        let thing = thing.map(|name| world.thing(name));
        let mark = mark.map(|name| self.mark(name));
        match (&self.goal, thing, mark) {
            (Goal::Lifted { above, .. }, Some(Some(thing)), _) => {
                let at = thing.place.translation.vector;
                (at.z > *above, (tip - at).norm() + (above - at.z).max(0.0))
            }
            (Goal::Placed { thing: name, within, .. }, Some(Some(thing)), Some(Some(mark))) => {
                let at = thing.place.translation.vector;
                let away = (at - mark).xy().norm();
                let lies = away < *within && thing.moving.norm() < 0.02;
                (lies && rests(world, name), away + (tip - at).norm().max(0.03) - 0.03)
            }
            (Goal::Pushed { within, .. }, Some(Some(thing)), Some(Some(mark))) => {
                let at = thing.place.translation.vector;
                let away = (at - mark).xy().norm();
                (away < *within, away + (tip - at).norm().max(0.03) - 0.03)
            }
            (Goal::Reached { within, .. }, _, Some(Some(mark))) => {
                let away = (tip - mark).norm();
                (away < *within, away)
            }
            _ => nothing,
        }
    }
}

/// Seconds by which sums of ticks may differ from whole ones.
const HALF_A_STEP: f64 = 0.001;

/// Whether a thing lies on the table and the arm does not touch it.
fn rests(world: &World, name: &str) -> bool {
    let number = world.setup().things.iter().position(|thing| thing.name == name);
    let with = |owner: Owner| {
        world.touches().iter().any(|touch| {
            let pair = [touch.from, touch.to];
            let thing = pair.iter().any(|of| Some(*of) == number.map(Owner::Thing));
            let other = pair.iter().any(|of| match owner {
                Owner::Link(_) => matches!(of, Owner::Link(_)),
                _ => *of == owner,
            });
            thing && other
        })
    };
    with(Owner::Ground) && !with(Owner::Link(0))
}
