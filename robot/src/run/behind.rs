//! A world that goes on while its actor's answer is on its way, as with a policy far away. The chunks
//! follow each other as in a rollout, by the same code, in the world's own time: the same seeds and the
//! same delay give the same result, on however slow a machine.

use std::sync::Arc;

use sinew_drivers::Nanos;
use sinew_drivers::clock::SECOND;
use sinew_sim::Env;
use sinew_teleop::Source;
use sinew_teleop::fed::{Chunk, Fed, Feeder, fed};

use super::attempt::{Actor, Ahead, Moment};
use super::rollout::Sequel;
use crate::cli::failure::Failure;

/// Who acts on what was seen a while ago.
pub struct Behind {
    actor: Box<dyn Ahead>,
    sequel: Sequel,
    /// From what is seen to the first row of the answer.
    delay: Nanos,
    /// The newest chunk that has come.
    last: Option<Arc<Chunk>>,
    /// The one that is on its way, and when it comes.
    coming: Option<(Nanos, Arc<Chunk>)>,
    feeder: Feeder,
    fed: Fed,
}

impl Behind {
    /// Lets the actor's answers come so much later.
    pub fn new(actor: Box<dyn Ahead>, sequel: Sequel, delay: Nanos) -> Self {
        let (feeder, fed) = fed(0, actor.shape().width);
        Self { actor, sequel, delay, last: None, coming: None, feeder, fed }
    }

    /// Takes what has come by now.
    fn take(&mut self, now: Nanos) {
        if let Some((_, chunk)) = self.coming.take_if(|(at, _)| *at <= now) {
            // There is room: one is fed in a tick, and taken in the same.
            self.feeder.feed(Arc::clone(&chunk));
            self.last = Some(chunk);
        }
    }
}

impl Actor for Behind {
    fn begin(&mut self, env: &Env, seed: u64) -> Result<(), Failure> {
        (self.last, self.coming) = (None, None);
        self.fed.forget();
        self.actor.begin(env, seed)
    }

    fn act(&mut self, moment: &Moment<'_>) -> Result<Vec<f64>, Failure> {
        let now = (moment.seconds * SECOND as f64).round() as Nanos;
        let shape = self.actor.shape();
        self.take(now);
        if self.coming.is_none() && self.sequel.is_due(shape, self.last.as_deref(), now, self.delay)
        {
            let rows = self.actor.rows(moment, self.sequel.carried(shape))?;
            let at = now + self.delay;
            let chunk = self.sequel.chunk(shape, self.last.as_deref(), now, at, rows);
            self.coming = Some((at, Arc::new(chunk)));
            self.take(now);
        } else if shape.depth > 1 {
            self.actor.see(moment)?;
        }
        let lead = self.fed.read(now)?;
        // Until something was said, the arm stays where it is.
        let said = if lead.age == Nanos::MAX { &moment.observed.state } else { &lead.values };
        Ok(said.clone())
    }
}

#[cfg(test)]
mod tests {
    use sinew_sim::env::{FPS, Observed};

    use super::super::rollout::{Aggregate, Inference, Shape};
    use super::*;

    /// Two ticks, when the second begins.
    const TWO: Nanos = 66_666_667;

    /// Says which tick each of its rows is for.
    struct Counting {
        asked: Vec<f64>,
    }

    impl Actor for Counting {
        fn begin(&mut self, _env: &Env, _seed: u64) -> Result<(), Failure> {
            Ok(())
        }

        fn act(&mut self, now: &Moment<'_>) -> Result<Vec<f64>, Failure> {
            self.rows(now, 1)
        }
    }

    impl Ahead for Counting {
        fn shape(&self) -> Shape {
            Shape { depth: 1, rows: 20, steps: Some(6), width: 1 }
        }

        fn see(&mut self, _now: &Moment<'_>) -> Result<(), Failure> {
            unreachable!("it looks at one moment alone")
        }

        fn rows(&mut self, now: &Moment<'_>, most: usize) -> Result<Vec<f64>, Failure> {
            let tick = (now.seconds * f64::from(FPS)).round();
            self.asked.push(tick);
            Ok((0..most).map(|row| tick + row as f64).collect())
        }
    }

    fn goals(inference: Inference, delay: Nanos, ticks: u32) -> Vec<f64> {
        let aggregate = Aggregate::LatestOnly;
        let sequel = Sequel { inference, threshold: 0.5, aggregate, rate: f64::from(FPS) };
        let mut behind = Behind::new(Box::new(Counting { asked: Vec::new() }), sequel, delay);
        let observed = Observed { state: vec![-1.0], ..Observed::default() };
        let goal = |tick| {
            let seconds = f64::from(tick) / f64::from(FPS);
            let goal = behind.act(&Moment { observed: &observed, images: &[], seconds }).unwrap();
            // Instants are whole nanoseconds, and a tick is not.
            (goal[0] * 1e6).round() / 1e6
        };
        (0..ticks).map(goal).collect()
    }

    #[test]
    fn who_waits_stays_where_the_arm_is_and_begins_with_the_first_row() {
        // Two ticks on the way, six to carry out, two on the way.
        let goals = goals(Inference::Sync, TWO, 13);
        assert_eq!(goals[..8], [-1.0, -1.0, 0.0, 1.0, 2.0, 3.0, 4.0, 5.0]);
        assert_eq!(goals[8..10], [5.0, 5.0], "the last row is held");
        assert!(goals[10] > 5.0 - 1e-6 && goals[12] > goals[10], "{goals:?}");
    }

    #[test]
    fn who_goes_on_joins_what_comes_at_the_row_for_now() {
        let goals = goals(Inference::Async, TWO, 40);
        let expected: Vec<f64> = (2..40).map(f64::from).collect();
        assert_eq!((&goals[..2], &goals[2..]), (&[-1.0, -1.0][..], &expected[..]));
    }
}
