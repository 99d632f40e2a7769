//! Lines from whoever sits at the terminal, as they come.

use std::io::{BufRead, IsTerminal};
use std::sync::mpsc::{Receiver, TryRecvError, sync_channel};

use super::failure::{Exit, Failure};
use super::report::Report;

/// The one listener to standard input of a command: two would take each other's lines.
pub struct Keys {
    lines: Receiver<String>,
}

impl Keys {
    /// Begins to listen.
    pub fn listen() -> Result<Self, Failure> {
        let (typed, lines) = sync_channel(16);
        let listen = move || {
            for line in std::io::stdin().lock().lines() {
                let Ok(line) = line else { return };
                if typed.send(line.trim().to_owned()).is_err() {
                    return;
                }
            }
        };
        let thread = std::thread::Builder::new().name("keys".to_owned()).spawn(listen);
        thread.map_err(|error| {
            Failure::new(Exit::Failed, format!("cannot listen to keys: {error}"))
        })?;
        Ok(Self { lines })
    }

    /// Whether somebody sits there who can be asked.
    pub fn at_terminal() -> bool {
        std::io::stdin().is_terminal()
    }

    /// Whether somebody agrees to what was just described; `what` is done only with a yes.
    pub fn agree(&self, report: &Report, what: &str, question: &str) -> Result<bool, Failure> {
        if !Self::at_terminal() {
            return Err(Failure::usage(
                format!("{what} needs a yes"),
                "repeat it with --yes, or with --dry-run to change nothing",
            ));
        }
        report.ask(format!("{question} Type yes and press Enter."));
        let line = self.line().ok_or_else(|| {
            Failure::advise(
                Exit::Failed,
                "the input ended before there was an answer",
                "run it in a terminal, or with --yes",
            )
        })?;
        Ok(line.eq_ignore_ascii_case("yes"))
    }

    /// The next line, waited for; `None` once the input has ended.
    pub fn line(&self) -> Option<String> {
        self.lines.recv().ok()
    }

    /// Whether Enter was pressed by now; `None` once the input has ended.
    pub fn pressed(&self) -> Option<bool> {
        match self.lines.try_recv() {
            Ok(_) => Some(true),
            Err(TryRecvError::Empty) => Some(false),
            Err(TryRecvError::Disconnected) => None,
        }
    }
}
