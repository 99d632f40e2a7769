//! Tasks out of TOML: nothing that could not be built gets through.

use serde::Deserialize;

use super::{Goal, Mark, Span, Task, ThingRow};
use crate::error::Error;
use crate::model::JOINTS;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    name: String,
    task: String,
    seconds: f64,
    start: [f64; JOINTS],
    #[serde(default)]
    thing: Vec<ThingRow>,
    #[serde(default)]
    mark: Vec<Mark>,
    goal: Goal,
}

/// Things on one table, so that a file cannot ask for a world without end.
const MOST: usize = 16;
/// As far as anything may be from the arm, in metres.
const TABLE: f64 = 1.0;

pub fn task(file: &str, text: &str) -> Result<Task, Error> {
    let wrong = |what: String| Error::Data { file: file.to_owned(), what };
    let read: File = toml::from_str(text).map_err(|error| wrong(error.to_string()))?;
    let File { name, task, seconds, start, thing: things, mark: marks, goal } = read;
    let task = Task { name, task, seconds, start, things, marks, goal };
    check(&task).map_err(wrong)?;
    Ok(task)
}

fn check(task: &Task) -> Result<(), String> {
    within("seconds", task.seconds, [0.1, 600.0])?;
    task.start.iter().try_for_each(|start| within("start", *start, [-180.0, 180.0]))?;
    if task.things.len() > MOST || task.marks.len() > MOST {
        return Err(format!("at most {MOST} things and {MOST} marks"));
    }
    for thing in &task.things {
        let name = |what: &str| format!("thing {:?}: {what}", thing.name);
        for half in thing.half {
            within(&name("half"), half, [0.002, 0.2])?;
        }
        within(&name("mass"), thing.mass, [0.001, 10.0])?;
        within(&name("friction"), thing.friction, [0.001, 10.0])?;
        span(&name("x"), thing.x, TABLE)?;
        span(&name("y"), thing.y, TABLE)?;
        span(&name("turn"), thing.turn, 360.0)?;
    }
    for mark in &task.marks {
        let name = |what: &str| format!("mark {:?}: {what}", mark.name);
        within(&name("radius"), mark.radius, [0.001, 0.2])?;
        span(&name("x"), mark.x, TABLE)?;
        span(&name("y"), mark.y, TABLE)?;
        span(&name("z"), mark.z, TABLE)?;
    }
    let names = task.things.iter().map(|of| &of.name).chain(task.marks.iter().map(|of| &of.name));
    let mut seen = std::collections::BTreeSet::new();
    for name in names {
        if name.is_empty() || !seen.insert(name) {
            return Err(format!("there are two things or marks called {name:?}"));
        }
    }
    let colours =
        task.things.iter().map(|of| of.colour).chain(task.marks.iter().map(|of| of.colour));
    for part in colours.flatten() {
        within("colour", f64::from(part), [0.0, 1.0])?;
    }
    within("goal: how far", task.goal.far(), [0.001, TABLE])?;
    let (thing, mark, seconds) = task.goal.parts();
    within("goal: seconds", seconds, [0.0, task.seconds])?;
    if let Some(thing) = thing
        && !task.things.iter().any(|row| row.name == thing)
    {
        return Err(format!("goal: there is no thing {thing:?}"));
    }
    match mark {
        Some(mark) if !task.marks.iter().any(|row| row.name == mark) => {
            Err(format!("goal: there is no mark {mark:?}"))
        }
        _ => Ok(()),
    }
}

fn within(what: &str, value: f64, [low, high]: Span) -> Result<(), String> {
    if (low..=high).contains(&value) {
        return Ok(());
    }
    Err(format!("{what} is {value}: between {low} and {high} is possible"))
}

fn span(what: &str, [low, high]: Span, most: f64) -> Result<(), String> {
    within(what, low, [-most, most])?;
    within(what, high, [-most, most])?;
    if low > high { Err(format!("{what}: {low} is above {high}")) } else { Ok(()) }
}

impl Goal {
    /// How high, or how near.
    fn far(&self) -> f64 {
        match self {
            Self::Lifted { above, .. } => *above,
            Self::Placed { within, .. }
            | Self::Pushed { within, .. }
            | Self::Reached { within, .. } => *within,
        }
    }

    /// The thing and the mark that it names, and how long it has to last.
    pub(super) fn parts(&self) -> (Option<&str>, Option<&str>, f64) {
        match self {
            Self::Lifted { thing, seconds, .. } => (Some(thing), None, *seconds),
            Self::Placed { thing, mark, seconds, .. }
            | Self::Pushed { thing, mark, seconds, .. } => (Some(thing), Some(mark), *seconds),
            Self::Reached { mark, seconds, .. } => (None, Some(mark), *seconds),
        }
    }
}
