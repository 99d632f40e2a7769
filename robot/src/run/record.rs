//! Episodes out of ticks: what a recording goes through, beside the loop that moves the arm.
//!
//! ```text
//!            ┌──────────── next / time ──────────┐
//!  recording ┴▶ reset ─ next / time ─▶ saved ─▶ recording …   (the last episode has no reset)
//!       ▲  again └──── again: forgotten ─┘
//! ```
//! The loop goes on all the while, so that the arm never stands still between two episodes. An
//! episode is saved once it is certain that it is not taken again, which is after the reset; what a
//! kill leaves of it until then is recovered.

use std::sync::Arc;

use sinew_datasets::writer::Saved;
use sinew_datasets::{Frame, Stamps, Value, Writer};
use sinew_drivers::Nanos;
use sinew_drivers::camera::Shot;
use sinew_teleop::handover::Turn;
use sinew_teleop::keys::Key;

use super::stats::{Recorded, Spans};
use super::tap::{Slip, Slips};
use crate::cameras::image;

/// What is to be recorded.
#[derive(Clone, Debug)]
pub struct Plan {
    /// What is being done.
    pub task: Arc<str>,
    /// How many episodes.
    pub episodes: u64,
    /// How many rows an episode has at most.
    pub rows: u64,
    /// How many rows' time there is to put things back.
    pub reset_rows: u64,
    /// What of a policy's and a person's turns is kept, where they take turns.
    pub turns: Option<Turns>,
}

/// What is kept where a policy and a person take turns. Each row says whose it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Turns {
    /// What the person does, each turn an episode.
    Corrections,
    /// Everything.
    #[cfg(feature = "policies")]
    All,
}

/// Something that whoever records wants to hear of.
#[derive(Debug)]
pub enum Event<'a> {
    /// An episode is being recorded: which of this recording, counted from 0, and its number in the
    /// dataset.
    Begun { nth: u64, episode: u64 },
    /// The episode has so many rows.
    Row { rows: u64 },
    /// It has ended; there is time to put things back.
    Reset,
    /// It is forgotten, to be taken again.
    Again,
    /// Somebody else drives from now on.
    Turn(Turn),
    /// It is on the disk.
    Saved(&'a Saved),
    /// It ended before its time, because of the disk or an encoder.
    Broken(String),
}

/// Where a recording is.
#[derive(Debug)]
enum Phase {
    /// Rows are taken, from this one of the loop's on.
    Recording { first: Option<u64>, rows: u64 },
    /// Things are put back until this row of the loop.
    Reset { until: u64 },
    /// All is recorded.
    Over,
}

/// A recording on its way.
pub struct Session {
    writer: Writer,
    plan: Plan,
    phase: Phase,
    /// How many episodes are saved.
    done: u64,
    /// The number of the shot each camera gave last.
    last_shots: Vec<u64>,
    /// From a joint reading to the pictures stored with it, in microseconds.
    skew: Spans,
    recorded: Recorded,
    newest_row: u64,
    /// The row before, without its images.
    previous: Option<Frame>,
    /// What the loop handed on last: the next may hold pictures that are nearer to its reading.
    held: Option<Slip>,
}

impl Session {
    /// Records into this dataset.
    pub fn new(writer: Writer, plan: Plan, cameras: usize) -> Result<Self, sinew_datasets::Error> {
        let no_memory = "no memory for the recording's figures";
        let skew = Spans::new()
            .ok_or_else(|| sinew_datasets::Error::Refused { what: no_memory.to_owned() });
        Ok(Self {
            writer,
            phase: match plan.episodes {
                0 => Phase::Over,
                _ => Phase::Recording { first: None, rows: 0 },
            },
            plan,
            done: 0,
            last_shots: vec![0; cameras],
            skew: skew?,
            recorded: Recorded::default(),
            newest_row: 0,
            previous: None,
            held: None,
        })
    }

    /// Whether everything is recorded.
    pub fn is_over(&self) -> bool {
        matches!(self.phase, Phase::Over)
    }

    /// Whether things are put back now.
    pub fn is_resting(&self) -> bool {
        matches!(self.phase, Phase::Reset { .. })
    }

    /// From joint readings to the pictures stored with them.
    pub fn skew(&self) -> &Spans {
        &self.skew
    }

    /// Takes whatever the loop has handed on, but for the newest tick as long as the loop runs.
    pub fn take(
        &mut self,
        slips: &mut Slips,
        told: &mut dyn FnMut(Event<'_>),
    ) -> Result<(), sinew_datasets::Error> {
        let is_over = slips.is_over();
        loop {
            let next = slips.next();
            if next.is_none() && !is_over {
                return Ok(());
            }
            let is_last = next.is_none();
            let held = std::mem::replace(&mut self.held, next);
            if let Some(mut slip) = held {
                if let Some(next) = &self.held {
                    take_nearest(&mut slip, next);
                }
                let taken = self.row(&slip, told);
                slips.lay_back(slip);
                taken?;
            }
            if is_last {
                return Ok(());
            }
        }
    }

    fn row(
        &mut self,
        slip: &Slip,
        told: &mut dyn FnMut(Event<'_>),
    ) -> Result<(), sinew_datasets::Error> {
        self.newest_row = slip.row;
        if let Phase::Reset { until } = self.phase
            && slip.row >= until
        {
            self.save(told)?;
        }
        let Phase::Recording { first, rows } = &mut self.phase else { return Ok(()) };
        if self.plan.turns == Some(Turns::Corrections) && !slip.corrects {
            // A turn that is over is an episode.
            return if *rows > 0 { self.save(told) } else { Ok(()) };
        }
        if first.is_none() && slip.shots.iter().any(Option::is_none) {
            // An episode begins with a picture from every camera.
            return Ok(());
        }
        if first.is_none() {
            let episode = self.writer.info().total_episodes;
            told(Event::Begun { nth: self.done, episode });
            // Every camera gives the first row a picture, even one that was stored before.
            self.last_shots.fill(0);
            self.previous = None;
        }
        let begun = *first.get_or_insert(slip.row);
        // Ticks that the loop had to leave out are rows all the same: time goes on in a dataset.
        let place = (slip.row - begun).min(self.plan.rows - 1);
        let missed = place.saturating_sub(*rows);
        let mut frame = frame(&self.plan, slip, &mut self.last_shots, &mut self.skew);
        let repeats = self.previous.iter().cycle().take(usize::try_from(missed).unwrap_or(0));
        let rows_to_come = repeats.chain(std::iter::once(&frame));
        let pushed = rows_to_come.into_iter().try_for_each(|frame| self.writer.push(frame));
        *rows = place + 1;
        let rows = *rows;
        self.recorded.missed_rows += missed;
        self.recorded.repeated_frames += u64::from(slip.stale > 0);
        frame.images.fill(None);
        self.previous = Some(frame);
        told(Event::Row { rows });
        if let Err(failure) = pushed {
            told(Event::Broken(failure.to_string()));
            self.save(told)?;
            self.phase = Phase::Over;
            return Err(failure);
        }
        if rows >= self.plan.rows { self.end_episode(told) } else { Ok(()) }
    }

    /// Does what a key asks for.
    pub fn key(
        &mut self,
        key: Key,
        told: &mut dyn FnMut(Event<'_>),
    ) -> Result<(), sinew_datasets::Error> {
        match (key, &self.phase) {
            (Key::Next, Phase::Recording { rows: 1.., .. }) => self.end_episode(told),
            (Key::Next, Phase::Reset { .. }) => self.save(told),
            (Key::Again, Phase::Recording { .. } | Phase::Reset { .. }) => {
                self.writer.discard_episode()?;
                told(Event::Again);
                self.phase = Phase::Recording { first: None, rows: 0 };
                Ok(())
            }
            (Key::Quit, Phase::Recording { .. } | Phase::Reset { .. }) => self.stop(told),
            _ => Ok(()),
        }
    }

    /// Ends it here: what is recorded is saved.
    pub fn stop(&mut self, told: &mut dyn FnMut(Event<'_>)) -> Result<(), sinew_datasets::Error> {
        if !self.is_over() {
            self.save(told)?;
            self.phase = Phase::Over;
        }
        Ok(())
    }

    /// Ends the whole recording: everything is part of the dataset when this returns.
    pub fn finish(
        mut self,
        told: &mut dyn FnMut(Event<'_>),
    ) -> Result<Recorded, sinew_datasets::Error> {
        self.stop(told)?;
        self.writer.finish()?;
        Ok(self.recorded)
    }

    fn end_episode(
        &mut self,
        told: &mut dyn FnMut(Event<'_>),
    ) -> Result<(), sinew_datasets::Error> {
        let is_last = self.done + 1 >= self.plan.episodes;
        if is_last || self.plan.reset_rows == 0 {
            return self.save(told);
        }
        told(Event::Reset);
        self.phase = Phase::Reset { until: self.newest_row + 1 + self.plan.reset_rows };
        Ok(())
    }

    fn save(&mut self, told: &mut dyn FnMut(Event<'_>)) -> Result<(), sinew_datasets::Error> {
        if let Some(saved) = self.writer.save_episode()? {
            self.done += 1;
            self.recorded.episodes += 1;
            self.recorded.frames += saved.frames;
            self.recorded.repeated_frames += saved.repeated;
            told(Event::Saved(&saved));
        }
        self.phase = match self.done >= self.plan.episodes {
            true => Phase::Over,
            false => Phase::Recording { first: None, rows: 0 },
        };
        Ok(())
    }
}

/// Of each camera the picture that was taken nearest to the reading: what had come by the time of the
/// reading is up to a frame old, and the time that it takes to arrive; what came after it, until the
/// next row, may be much nearer.
fn take_nearest(slip: &mut Slip, next: &Slip) {
    let apart = |shot: &Shot| shot.at.abs_diff(slip.joints_at);
    for (shot, other) in slip.shots.iter_mut().zip(&next.for_before) {
        if let (Some(shot), Some(other)) = (shot, other)
            && apart(other) < apart(shot)
        {
            *shot = Arc::clone(other);
        }
    }
}

/// The frame that a slip tells of.
fn frame(plan: &Plan, slip: &Slip, last_shots: &mut [u64], skew: &mut Spans) -> Frame {
    let images = slip.shots.iter().zip(last_shots).map(|(shot, last)| {
        let shot = shot.as_deref()?;
        skew.count((shot.at - slip.joints_at).abs());
        if std::mem::replace(last, shot.number) == shot.number {
            return None;
        }
        image(shot)
    });
    let intervention = plan.turns.map(|_| Value::Bool(vec![slip.corrects]));
    Frame {
        task: Arc::clone(&plan.task),
        images: images.collect(),
        values: [numbers(&slip.action), numbers(&slip.state)]
            .into_iter()
            .chain(intervention)
            .collect(),
        stamps: Stamps {
            tick_ns: slip.began,
            joints_ns: slip.joints_at,
            images_ns: slip.shots.iter().map(|shot| at(shot.as_deref())).collect(),
            late: slip.late,
        },
    }
}

fn at(shot: Option<&Shot>) -> Nanos {
    shot.map_or(0, |shot| shot.at)
}

fn numbers(values: &[f64]) -> Value {
    Value::F32(values.iter().map(|value| *value as f32).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use sinew_drivers::camera::{Layout, Moment, Picture};
    use sinew_drivers::clock::MILLI;

    fn shots(instants: &[Option<Nanos>]) -> Vec<Option<Arc<Shot>>> {
        let shot = |at: &Option<Nanos>| {
            let pixels = [0; 3].to_vec().into();
            let picture = Picture { width: 1, height: 1, layout: Layout::Rgb8, pixels };
            let (number, moment) = (1, Moment::Exposure);
            at.map(|at| Arc::new(Shot { number, at: at * MILLI, moment, picture }))
        };
        instants.iter().map(shot).collect()
    }

    #[test]
    fn each_camera_gives_the_picture_nearest_to_the_reading() {
        // Just taken, about to be taken; one is stuck, one has none, one begins.
        let seen = shots(&[Some(97), Some(70), Some(20), None, None]);
        let mut row = Slip { joints_at: 100 * MILLI, shots: seen, ..Slip::default() };
        let later = shots(&[Some(97), Some(103), Some(20), None, Some(120)]);
        let next = Slip { for_before: later, ..Slip::default() };
        take_nearest(&mut row, &next);
        let at = |shot: &Option<Arc<Shot>>| shot.as_ref().map(|shot| shot.at / MILLI);
        let taken: Vec<_> = row.shots.iter().map(at).collect();
        assert_eq!(taken, [Some(97), Some(103), Some(20), None, None]);
        // The first row has none before it.
        take_nearest(&mut row, &Slip::default());
        assert_eq!(row.shots.iter().map(at).collect::<Vec<_>>(), taken);
    }
}
