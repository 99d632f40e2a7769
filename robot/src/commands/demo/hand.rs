//! The hand of the demo: it moves the leader as the scripted expert would, and puts the cube somewhere
//! else whenever there is time for that.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;

use sinew_drivers::clock::{MILLI, SECOND};
use sinew_drivers::{Clock, Error, Nanos};
use sinew_sim::Task;
use sinew_sim::behind::Shared;
use sinew_sim::dynamics::Joints as Values;
use sinew_sim::expert::Expert;
use sinew_sim::task::Judge;

use crate::simulated::Joints;

/// What the hand sees and touches.
pub struct Hand {
    /// The table.
    pub world: Shared,
    /// What is to be done there.
    pub task: Task,
    /// The seed of the first cube; the others follow.
    pub seed: u64,
    /// The leader, unless somebody else drives.
    pub leader: Option<Joints>,
    /// Whether things are to be put back now.
    pub resting: Arc<AtomicBool>,
}

/// A hand at work, until it is dropped.
pub struct Moving {
    over: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

/// How often it moves.
const EVERY: Nanos = 8 * MILLI;
/// How long it takes to let go, and to go back.
const LETTING_GO: Nanos = SECOND / 2;
const GOING_BACK: Nanos = SECOND;
/// It begins once the arm has been near the leader for so long, within so many degrees.
const STILL: Nanos = SECOND / 5;
const NEAR: f64 = 5.0;
/// How far the gripper opens to let go, in hundredths.
const OPEN: f64 = 60.0;

/// What the hand is doing.
enum Doing {
    /// Waiting until the arm is there, since when it is.
    Waiting(Option<Nanos>),
    /// Following a plan since then.
    Acting(Nanos, Expert),
    /// Going back since then, from these values.
    Back(Nanos, Values),
    /// It is back, and the cube lies elsewhere.
    Ready,
}

impl Hand {
    /// Holds the leader where the task begins.
    pub fn begin(self) -> Result<Moving, Error> {
        self.hold(&self.task.start);
        let over = Arc::new(AtomicBool::new(false));
        let theirs = Arc::clone(&over);
        let run = move || self.work(&theirs);
        let spawned = std::thread::Builder::new().name("hand".to_owned()).spawn(run);
        let failed = |source| Error::Port { port: "demo".to_owned(), source };
        Ok(Moving { over, thread: Some(spawned.map_err(failed)?) })
    }

    fn hold(&self, values: &Values) {
        if let Some(leader) = &self.leader {
            leader.hold_at(values);
        }
    }

    fn work(mut self, over: &AtomicBool) {
        let clock = Clock::Real;
        let mut doing = Doing::Waiting(None);
        let mut values = self.task.start;
        while !over.load(Ordering::Acquire) {
            let now = clock.now();
            let resting = self.resting.load(Ordering::Acquire);
            doing = match doing {
                Doing::Waiting(_) | Doing::Acting(..) if resting => Doing::Back(now, values),
                Doing::Waiting(since) => self.wait(since, now),
                Doing::Acting(since, expert) => {
                    values = expert.act((now - since) as f64 / SECOND as f64);
                    Doing::Acting(since, expert)
                }
                Doing::Back(since, from) => {
                    values = back(&from, &self.task.start, now - since);
                    if now - since < LETTING_GO + GOING_BACK {
                        Doing::Back(since, from)
                    } else {
                        self.put_elsewhere();
                        Doing::Ready
                    }
                }
                Doing::Ready if resting => Doing::Ready,
                Doing::Ready => Doing::Waiting(None),
            };
            self.hold(&values);
            clock.sleep(EVERY);
        }
    }

    /// Waits for the arm, and plans once it is there.
    fn wait(&self, since: Option<Nanos>, now: Nanos) -> Doing {
        // A copy: the bus must not wait while somebody thinks.
        let world = self.world.look().clone();
        let joints = world.joints().iter().zip(&self.task.start).take(5);
        let near = joints.into_iter().all(|(at, start)| (at.to_degrees() - start).abs() < NEAR);
        match since.filter(|_| near) {
            Some(since) if now - since > STILL && self.leader.is_some() => {
                let judge = Judge::new(&self.task, Vec::new());
                match Expert::new(&self.task, &world, &judge) {
                    Ok(expert) => Doing::Acting(now, expert),
                    Err(_) => Doing::Waiting(Some(since)),
                }
            }
            Some(since) => Doing::Waiting(Some(since)),
            None => Doing::Waiting(near.then_some(now)),
        }
    }

    /// Puts things where the next seed wants them.
    fn put_elsewhere(&mut self) {
        self.seed = self.seed.wrapping_add(1);
        let mut world = self.world.look();
        let (setup, _) = self.task.setup(Arc::clone(&world.setup().model), self.seed);
        for thing in &setup.things {
            world.put(&thing.name, thing.place);
        }
    }
}

/// On the way back: first it lets go, then it goes.
fn back(from: &Values, to: &Values, passed: Nanos) -> Values {
    let part = ((passed - LETTING_GO) as f64 / GOING_BACK as f64).clamp(0.0, 1.0);
    let part = part * part * (3.0 - 2.0 * part);
    let mut values = std::array::from_fn(|of| from[of] + (to[of] - from[of]) * part);
    if let (Some(gripper), Some(end)) = (values.last_mut(), to.last()) {
        *gripper = if part < 0.5 { OPEN } else { OPEN + (end - OPEN) * (part * 2.0 - 1.0) };
    }
    values
}

impl Drop for Moving {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Release);
        // A thread that panicked has already said so.
        let _ended = self.thread.take().map(JoinHandle::join);
    }
}
