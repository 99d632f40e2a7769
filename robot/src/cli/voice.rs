//! Says aloud what somebody with both hands on an arm cannot read.

use std::io::{IsTerminal, Write};
use std::process::{Command, Stdio};
use std::sync::mpsc::{SyncSender, sync_channel};

use super::report::Report;

/// The system's own speaker: speech-dispatcher's on Linux, macOS's own.
const SPEAKERS: [&str; 2] = ["spd-say", "say"];

/// Speaks, one sentence after the other, or rings the terminal's bell where nothing speaks.
#[derive(Debug, Default)]
pub struct Voice {
    sentences: Option<SyncSender<String>>,
}

impl Voice {
    /// A voice, if somebody sits at a terminal and wants to hear it.
    pub fn new(wanted: bool, report: &Report) -> Self {
        if !wanted || report.for_scripts() || !std::io::stderr().is_terminal() {
            return Self::default();
        }
        // What could not be said in time is not worth saying later.
        let (sentences, to_say) = sync_channel::<String>(4);
        let speak = move || to_say.iter().for_each(|sentence| aloud(&sentence));
        let thread = std::thread::Builder::new().name("voice".into()).spawn(speak);
        Self { sentences: thread.is_ok().then_some(sentences) }
    }

    /// Says it, sooner or later; never waits.
    pub fn say(&self, sentence: impl Into<String>) {
        if let Some(sentences) = &self.sentences {
            sentences.try_send(sentence.into()).unwrap_or_default();
        }
    }
}

fn aloud(sentence: &str) {
    let speaks = |speaker: &&str| {
        let mut command = Command::new(speaker);
        command.arg(sentence).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        command.status().is_ok_and(|status| status.success())
    };
    if !SPEAKERS.iter().any(speaks) {
        let mut stderr = std::io::stderr().lock();
        // Nobody hears a bell that cannot be rung.
        stderr.write_all(b"\x07").and_then(|()| stderr.flush()).unwrap_or_default();
    }
}
