//! Episodes out of ticks: what a recording goes through, beside the loop that moves the arm.
//!
//! ```text
//!            ┌── next / time, or again: forgotten
//!  recording ┴▶ reset ─ next / time ─▶ saved ─▶ recording …   (the last episode has no reset)
//!       ▲         └ again: forgotten ┐
//!       └────────────────────────────┘
//! ```
//! The loop goes on all the while, so that the arm never stands still between two episodes. An
//! episode is saved once it is certain that it is not taken again, which is after the reset; what a
//! kill leaves of it until then is recovered.
//!
//! What a policy does can also be recorded without a gap, or kept for a while in case a key asks for
//! it, as [`Cut`] says.

pub mod ring;
mod rows;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use sinew_datasets::writer::Saved;
use sinew_datasets::{Frame, Writer};
use sinew_teleop::handover::{Trouble, Turn};
use sinew_teleop::keys::Key;

use ring::{Bounds, Ring};
use rows::{frame, take_nearest};

use super::stats::{Recorded, Spans};
use super::tap::{Slip, Slips};

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
    /// How what happens is cut into episodes.
    pub cut: Cut,
}

/// How what happens is cut into episodes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(
    not(feature = "policies"),
    expect(dead_code, reason = "only a policy goes on by itself")
)]
pub enum Cut {
    /// One after another, with time in between, as many as are wanted.
    #[default]
    Apart,
    /// Each begins with the row behind the one before: none is left out. Not within a correction.
    Seamless,
    /// A key makes one of what has just been and is kept so far, and of what follows until it is
    /// pressed again.
    Asked(Bounds),
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
    /// Somebody else drives from now on; where it is smooth, a leader comes to the arm first.
    Turn { turn: Turn, smooth: bool },
    /// A leader could not come to the arm.
    Trouble(&'a Trouble),
    /// So many rows are kept, in case somebody asks for them.
    Kept { rows: usize },
    /// Somebody asks for an upload.
    Push,
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
    /// Rows are kept for a while, and nobody has asked for them.
    Keeping,
    /// All is recorded.
    Over,
}

impl Cut {
    /// Where a recording is before an episode.
    fn begin(self) -> Phase {
        match self {
            Self::Asked(_) => Phase::Keeping,
            Self::Apart | Self::Seamless => Phase::Recording { first: None, rows: 0 },
        }
    }
}

/// A recording on its way.
pub struct Session {
    writer: Writer,
    plan: Plan,
    phase: Phase,
    /// What has just been.
    ring: Ring,
    /// The row of the loop with which the next episode has to begin.
    follows: Option<u64>,
    /// How many episodes are saved.
    done: u64,
    /// How often one of them began after the first, from the start and not where the one before ended.
    takes: u64,
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
        let nothing = Bounds { rows: 0, bytes: 0 };
        Ok(Self {
            writer,
            phase: match (plan.episodes, plan.cut) {
                (0, _) => Phase::Over,
                (_, cut) => cut.begin(),
            },
            ring: Ring::new(if let Cut::Asked(bounds) = plan.cut { bounds } else { nothing }),
            follows: None,
            plan,
            done: 0,
            takes: 0,
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

    /// How often an episode began after the first, from the start and not where the one before ended.
    pub fn takes(&self) -> u64 {
        self.takes
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
        if matches!(self.phase, Phase::Keeping) {
            self.ring.keep(slip);
            told(Event::Kept { rows: self.ring.len() });
        }
        let Phase::Recording { first, rows } = &mut self.phase else { return Ok(()) };
        if self.plan.turns == Some(Turns::Corrections) && !slip.corrects {
            // A turn that is over is an episode.
            return if *rows > 0 { self.save(told) } else { Ok(()) };
        }
        if first.is_none() && slip.blind().is_some() {
            // An episode begins with a picture from every camera, of what is there now.
            return Ok(());
        }
        if first.is_none() {
            let episode = self.writer.info().total_episodes;
            told(Event::Begun { nth: self.done, episode });
            // Every camera gives the first row a picture, even one that was stored before.
            self.last_shots.fill(0);
            self.previous = None;
        }
        let begun = *first.get_or_insert(self.follows.take().unwrap_or(slip.row));
        // Ticks that the loop had to leave out are rows all the same: time goes on in a dataset.
        let seamless = self.plan.cut == Cut::Seamless;
        let place = slip.row.saturating_sub(begun);
        let place = if seamless { place } else { place.min(self.plan.rows - 1) };
        let missed = place.saturating_sub(*rows);
        *rows = place + 1;
        let rows = *rows;
        let frame = frame(&self.plan, slip, &mut self.last_shots, &mut self.skew);
        let pushed = self.push(frame, missed);
        self.recorded.missed_rows += missed;
        self.recorded.repeated_frames += u64::from(slip.stale > 0);
        told(Event::Row { rows });
        if let Err(failure) = pushed {
            told(Event::Broken(failure.to_string()));
            self.save(told)?;
            self.phase = Phase::Over;
            return Err(failure);
        }
        let whole = rows >= self.plan.rows && !(seamless && slip.corrects);
        if whole { self.end_episode(told) } else { Ok(()) }
    }

    /// Stores a row, and before it those that were missed, as the row before them.
    fn push(&mut self, mut frame: Frame, missed: u64) -> Result<(), sinew_datasets::Error> {
        let before = self.previous.take();
        if let Some(before) = &before {
            (0..missed).try_for_each(|_| self.writer.push(before))?;
        }
        self.writer.push(&frame)?;
        frame.images.fill(None);
        // Those before an episode's first are shown what it shows: there is nothing else yet.
        if before.is_none() {
            (0..missed).try_for_each(|_| self.writer.push(&frame))?;
        }
        self.previous = Some(frame);
        Ok(())
    }

    /// Does what a key asks for.
    pub fn key(
        &mut self,
        key: Key,
        told: &mut dyn FnMut(Event<'_>),
    ) -> Result<(), sinew_datasets::Error> {
        match (key, &self.phase) {
            (Key::Push, _) => {
                told(Event::Push);
                Ok(())
            }
            (Key::Save, Phase::Keeping) => {
                self.phase = Phase::Recording { first: None, rows: 0 };
                self.ring.take().into_iter().try_for_each(|slip| self.row(&slip, told))
            }
            (Key::Save, Phase::Recording { .. }) => self.save(told),
            // What goes on all the time is not taken again.
            (Key::Again, _) if self.plan.cut == Cut::Seamless => Ok(()),
            (Key::Next, Phase::Recording { rows: 1.., .. }) => self.end_episode(told),
            (Key::Next, Phase::Reset { .. }) => self.save(told),
            (Key::Again, Phase::Recording { .. } | Phase::Reset { .. }) => {
                self.writer.discard_episode()?;
                told(Event::Again);
                match self.phase {
                    // What was begun is put back before it is begun again.
                    Phase::Recording { rows: 1.., .. } if self.plan.reset_rows > 0 => {
                        self.reset(told);
                    }
                    _ => self.begin(),
                }
                Ok(())
            }
            (Key::Quit, _) => self.stop(told),
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

    /// Ends the whole recording, unless it has failed already: everything is part of the dataset when this
    /// returns. What was recorded is told either way.
    pub fn finish(
        mut self,
        so_far: Result<(), sinew_datasets::Error>,
        told: &mut dyn FnMut(Event<'_>),
    ) -> (Recorded, Result<(), sinew_datasets::Error>) {
        let stopped = so_far.and_then(|()| self.stop(told));
        (self.recorded, stopped.and_then(|()| self.writer.finish().map(drop)))
    }

    fn end_episode(
        &mut self,
        told: &mut dyn FnMut(Event<'_>),
    ) -> Result<(), sinew_datasets::Error> {
        let is_last = self.done + 1 >= self.plan.episodes;
        if is_last || self.plan.reset_rows == 0 {
            return self.save(told);
        }
        self.reset(told);
        Ok(())
    }

    fn reset(&mut self, told: &mut dyn FnMut(Event<'_>)) {
        told(Event::Reset);
        self.phase = Phase::Reset { until: self.newest_row + 1 + self.plan.reset_rows };
    }

    fn begin(&mut self) {
        self.phase = self.plan.cut.begin();
        // What goes on meanwhile goes on.
        self.takes += u64::from(self.plan.cut == Cut::Apart && self.plan.turns.is_none());
    }

    fn save(&mut self, told: &mut dyn FnMut(Event<'_>)) -> Result<(), sinew_datasets::Error> {
        if let (Cut::Seamless, Phase::Recording { first: Some(first), rows }) =
            (self.plan.cut, &self.phase)
        {
            self.follows = Some(first + rows);
        }
        if let Some(saved) = self.writer.save_episode()? {
            self.done += 1;
            self.recorded.episodes += 1;
            self.recorded.frames += saved.frames;
            self.recorded.repeated_frames += saved.repeated;
            told(Event::Saved(&saved));
        }
        match self.done >= self.plan.episodes {
            true => self.phase = Phase::Over,
            false => self.begin(),
        }
        Ok(())
    }
}
