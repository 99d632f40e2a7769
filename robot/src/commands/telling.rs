//! What a recording goes through, told to whoever sits beside it.

use serde_json::json;
use sinew_teleop::handover::{Trouble, Turn};

use crate::cli::report::{Report, Tone};
use crate::cli::voice::Voice;
use crate::run::record::{Cut, Event, Plan};
use crate::uploads::Background;

/// What is said where an upload is asked for.
const NOT_UPLOADED: &str =
    "nothing is uploaded without --push; once it has ended: sinew hub push DIR REPO";

/// How long a recording takes where nobody cuts it short.
pub struct Course {
    /// What is to be recorded.
    pub plan: Plan,
    /// Rows per second.
    pub fps: f64,
}

impl Course {
    /// How much of an episode is done after so many rows, and what is left of it and of everything.
    fn at(&self, nth: u64, rows: u64) -> (f64, String) {
        let Plan { episodes, rows: all, reset_rows, .. } = self.plan;
        if all == u64::MAX {
            return (0.0, self.time(rows));
        }
        let left = all.saturating_sub(rows);
        let whole = all.saturating_add(reset_rows);
        let after = episodes.saturating_sub(nth.saturating_add(1)).saturating_mul(whole);
        let words = match after {
            _ if after == 0 || episodes == u64::MAX => format!("{} left", self.time(left)),
            _ => {
                let all = self.time(left.saturating_add(after));
                format!("{} left; all in {all}", self.time(left))
            }
        };
        (rows as f64 / all.max(1) as f64, words)
    }

    /// How long so many rows take.
    fn time(&self, rows: u64) -> String {
        let seconds = (rows as f64 / self.fps) as u64;
        match seconds / 3600 {
            0 => format!("{}:{:02}", seconds / 60, seconds % 60),
            hours => format!("{hours}:{:02}:{:02}", seconds / 60 % 60, seconds % 60),
        }
    }

    /// What an episode is called while it is recorded.
    fn name(&self, nth: u64, episode: u64) -> String {
        match self.plan.cut {
            Cut::Apart => format!("episode {episode}, {} of {}", nth + 1, self.plan.episodes),
            Cut::Seamless | Cut::Asked(_) => format!("episode {episode}"),
        }
    }
}

/// Says what a recording goes through.
pub fn teller(
    report: &Report,
    course: Course,
    voice: Voice,
    uploads: Option<&Background>,
) -> impl FnMut(Event<'_>) {
    let (mut now, mut which, mut kept) = (String::new(), 0, 0_u64);
    move |event| match event {
        Event::Begun { nth, episode } => {
            now = course.name(nth, episode);
            (which, kept) = (nth, 0);
            report.event(&json!({"type": "episode", "phase": "recording", "episode": episode}));
            report.progress("");
            report.note(report.tone(Tone::Strong, &format!("Recording {now}")));
            voice.say(format!("Recording episode {episode}"));
        }
        Event::Row { rows } if rows % 10 == 0 => {
            let (share, left) = course.at(which, rows);
            report.progress_at(&format!("{now}: {rows} frames, {left}"), Some(share));
        }
        Event::Row { .. } => {}
        Event::Reset => {
            report.event(&json!({"type": "episode", "phase": "reset"}));
            report.progress("");
            voice.say("Reset the environment");
            report
                .note("Put things back: → or n when that is done, ← or r takes the episode again");
        }
        Event::Kept { rows } => {
            if kept == 0 {
                report.event(&json!({"type": "episode", "phase": "keeping"}));
            }
            if kept % 10 == 0 {
                let span = rows as f64 / course.fps;
                report.progress(&format!("the last {span:.1} s are kept, in case you want them"));
            }
            kept += 1;
        }
        Event::Push => {
            report.progress("");
            match uploads {
                Some(uploads) => uploads.ask(),
                None => report.warn(NOT_UPLOADED),
            }
        }
        Event::Turn { turn, smooth } => {
            let (phase, words) = match (turn, smooth) {
                (Turn::Policy, _) => ("autonomous", "The policy drives"),
                (Turn::Pause, false) => {
                    ("paused", "Paused: space lets the policy go on, Tab corrects it")
                }
                (Turn::Pause, true) => (
                    "paused",
                    "Paused: space lets the policy go on, Tab corrects it. The leader comes to where \
                     the arm is",
                ),
                (Turn::Person, false) => ("correcting", "Your turn: Tab ends the correction"),
                (Turn::Person, true) => (
                    "correcting",
                    "Your turn, as soon as the leader is where the arm is and gives way: Tab ends the \
                     correction",
                ),
            };
            report.event(&json!({"type": "turn", "phase": phase}));
            report.progress("");
            report.note(words);
        }
        Event::Trouble(Trouble { error, stiff }) => {
            report.progress("");
            let why = match error {
                Some(error) => format!("cannot come to the arm ({error})"),
                None => "comes to the arm no more, because it did not let go".to_owned(),
            };
            report.warn(format!("the leader {why}; from now on the arm goes to the leader"));
            if !stiff.is_empty() {
                report.warn(format!(
                    "not confirmed limp: {} of the leader; switch its power off before you take it",
                    stiff.join(", ")
                ));
            }
        }
        Event::Again => {
            report.event(&json!({"type": "episode", "phase": "again"}));
            report.progress("");
            report.note("Once more");
            voice.say("Once more");
        }
        Event::Saved(saved) => {
            report.event(&json!({
                "type": "episode", "phase": "saved", "episode": saved.episode,
                "frames": saved.frames, "repeated": saved.repeated, "lost": saved.lost,
                "failure": saved.failure,
            }));
            report.progress("");
            report.note(format!("episode {} is saved: {} frames", saved.episode, saved.frames));
            if let Some(uploads) = uploads {
                uploads.ask();
            }
            if let Some(why) = &saved.failure {
                report.warn(format!("{} frames of it are lost: {why}", saved.lost));
            }
        }
        Event::Broken(why) => {
            voice.say("The recording stops here");
            report.warn(format!("the recording stops here: {why}"));
        }
    }
}
#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    #[test]
    fn what_is_left_counts_the_resets_in_between() {
        let plan = Plan {
            task: Arc::from(""),
            episodes: 3,
            rows: 900,
            reset_rows: 300,
            turns: None,
            cut: Cut::Apart,
        };
        let course = Course { plan, fps: 30.0 };
        assert_eq!(course.at(0, 90), (0.1, "0:27 left; all in 1:47".to_owned()));
        assert_eq!(course.at(2, 900), (1.0, "0:00 left".to_owned()));
        let long = Plan { rows: u64::MAX - 1, episodes: u64::MAX - 1, ..course.plan.clone() };
        assert!(Course { plan: long, fps: 1.0 }.at(0, 0).1.contains(" left; all in "));
        assert_eq!(course.name(1, 7), "episode 7, 2 of 3");
        // Without an end: how long it is already.
        let plan = Plan { cut: Cut::Seamless, episodes: u64::MAX, ..course.plan };
        let course = Course { plan, fps: 30.0 };
        assert_eq!(course.at(9, 90), (0.1, "0:27 left".to_owned()));
        assert_eq!(course.name(9, 7), "episode 7");
        let plan = Plan { rows: u64::MAX, ..course.plan };
        assert_eq!(Course { plan, fps: 30.0 }.at(0, 90).1, "0:03");
    }
}
