//! Lines from whoever sits at the terminal, as they come.

use std::io::{BufRead, IsTerminal};
use std::sync::mpsc::{Receiver, TryRecvError, sync_channel};

use super::failure::{Exit, Failure};

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
