//! A console beside a rollout, with LeRobot's words: lines that begin with a slash.
//!
//! ```text
//!            /start                 /reset
//!  holding ─────────▶ the policy ──────────▶ back to where it began, holding
//!     ▲  /start: the time of a run is up ◀┘          /stop, or no more lines: the end
//! ```

use std::io::BufRead;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::time::Duration;

use serde_json::json;
use sinew_drivers::{Clock, Nanos};

use crate::cli::failure::{Exit, Failure};
use crate::cli::report::Report;
use crate::run::rollout::Rest;

/// What is typed.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Word {
    Start,
    Reset,
    Stop,
    Help,
    /// What to do, in words.
    Task(String),
    /// Something that only a policy with a language model does.
    Language(&'static str),
    /// Nothing that is known.
    Unknown(String),
}

impl Word {
    /// What a line says; nothing if it is empty.
    fn of(line: &str) -> Option<Self> {
        let line = line.trim();
        let (name, rest) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
        Some(match name.to_lowercase().as_str() {
            "" => return None,
            "/start" => Self::Start,
            "/reset" => Self::Reset,
            "/stop" => Self::Stop,
            "/help" => Self::Help,
            "/task" | "/subtask" => Self::Task(rest.trim().trim_matches(['"', '\'']).to_owned()),
            "/vqa" => Self::Language("/vqa"),
            "/autosteer" => Self::Language("/autosteer"),
            _ => Self::Unknown(name.to_owned()),
        })
    }
}

const HELP: &str = "/start: the policy drives   /reset: back to where the arm began, and hold   \
                    /stop: the end";

/// A console.
pub struct Console {
    lines: Receiver<String>,
    /// How long a run lasts, if it ends by itself.
    run: Option<Nanos>,
}

/// What somebody at a console wants of a policy, for the threads that do it.
#[derive(Debug)]
pub struct Wish {
    rest: AtomicU8,
    over: AtomicBool,
}

impl Wish {
    /// Nothing moves before somebody says so.
    pub fn new() -> Self {
        Self { rest: AtomicU8::new(Rest::Still as u8), over: AtomicBool::new(false) }
    }

    /// Whether the policy rests, and where.
    pub fn rest(&self) -> Rest {
        match self.rest.load(Ordering::Acquire) {
            rest if rest == Rest::No as u8 => Rest::No,
            rest if rest == Rest::Home as u8 => Rest::Home,
            _ => Rest::Still,
        }
    }

    /// Whether it is to end.
    pub fn is_over(&self) -> bool {
        self.over.load(Ordering::Acquire)
    }

    fn want(&self, rest: Rest) {
        self.rest.store(rest as u8, Ordering::Release);
    }
}

impl Console {
    /// Begins to read lines from standard input.
    pub fn listen(run: Option<Nanos>, report: &Report) -> Result<Self, Failure> {
        let (tell, lines) = sync_channel(16);
        let read = move || {
            // Whatever cannot be read is the end of it.
            for line in std::io::stdin().lock().lines().map_while(Result::ok) {
                if tell.send(line).is_err() {
                    return;
                }
            }
        };
        let reader = std::thread::Builder::new().name("console".into()).spawn(read);
        reader.map_err(|error| {
            Failure::new(Exit::Failed, format!("cannot listen to the console: {error}"))
        })?;
        report.note(HELP);
        Ok(Self { lines, run })
    }

    /// Makes a wish of what is typed, until the end.
    pub fn obey(self, wish: &Wish, over: &AtomicBool, report: &Report) {
        let clock = Clock::Real;
        let mut until = None;
        while !over.load(Ordering::Acquire) && !wish.is_over() {
            if until.is_some_and(|until| clock.now() >= until) {
                until = None;
                wish.want(Rest::Still);
                tell(report, "holding", "The time of this run is up; it holds. /start runs again");
            }
            match self.lines.recv_timeout(Duration::from_millis(50)) {
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => {
                    tell(report, "over", "Nobody types any more: this is the end");
                    wish.over.store(true, Ordering::Release);
                }
                Ok(line) => {
                    let Some(word) = Word::of(&line) else { continue };
                    let runs = wish.rest() == Rest::No;
                    say(&word, runs, report);
                    match word {
                        Word::Start if !runs => {
                            until = self.run.map(|run| clock.now().saturating_add(run));
                            wish.want(Rest::No);
                        }
                        Word::Reset => {
                            until = None;
                            wish.want(Rest::Home);
                        }
                        Word::Stop => wish.over.store(true, Ordering::Release),
                        _ => {}
                    }
                }
            }
        }
    }
}

/// Says what a word does, or why it does nothing.
fn say(word: &Word, runs: bool, report: &Report) {
    match word {
        Word::Start if runs => report.note("The policy drives already: /reset ends that"),
        Word::Start => tell(report, "running", "The policy drives"),
        Word::Reset => {
            tell(report, "reset", "Back to where the arm began; /start runs again");
        }
        Word::Stop => tell(report, "over", "This is the end"),
        Word::Help => report.note(HELP),
        Word::Task(task) => report.warn(format!(
            "{task:?} changes nothing: this kind of policy takes no words, and does what it was \
             trained for"
        )),
        Word::Language(name) => report
            .warn(format!("{name} needs a policy with a language model, and this one has none")),
        Word::Unknown(name) => report.warn(format!("{name} means nothing here. {HELP}")),
    }
}

/// Says what happens, to people and to scripts.
fn tell(report: &Report, phase: &str, words: &str) {
    report.event(&json!({"type": "console", "phase": phase}));
    report.note(words);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_words_and_what_follows_them() {
        for (line, word) in [
            ("/start", Some(Word::Start)),
            ("  /RESET \n", Some(Word::Reset)),
            ("/stop now", Some(Word::Stop)),
            ("/help", Some(Word::Help)),
            ("/task pick the cube", Some(Word::Task("pick the cube".into()))),
            ("/subtask \"pick it\"", Some(Word::Task("pick it".into()))),
            ("/vqa is it there?", Some(Word::Language("/vqa"))),
            ("/autosteer off", Some(Word::Language("/autosteer"))),
            ("start", Some(Word::Unknown("start".into()))),
            ("/", Some(Word::Unknown("/".into()))),
            (" ", None),
        ] {
            assert_eq!(Word::of(line), word, "{line}");
        }
    }

    #[test]
    fn nothing_is_wanted_before_somebody_says_so() {
        let wish = Wish::new();
        assert_eq!((wish.rest(), wish.is_over()), (Rest::Still, false));
        for rest in [Rest::No, Rest::Home, Rest::Still] {
            wish.want(rest);
            assert_eq!(wish.rest(), rest);
        }
    }
}
