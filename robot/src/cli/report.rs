//! The one place that prints.
//!
//! What was asked for goes to standard output, everything else to standard error. With `--json`
//! standard output carries one object per line and nothing else.

use std::io::{self, IsTerminal, Write};
use std::process::ExitCode;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use serde_json::{Map, Value, json};

use super::failure::{Exit, Failure};
use super::flags::Globals;
use super::stage::{Doing, Stage};

/// Why a line that was asked for could not be written.
static UNWRITTEN: OnceLock<String> = OnceLock::new();

/// How a command speaks. Clones of it speak as it does, for threads of their own.
#[derive(Clone, Debug)]
pub struct Report {
    json: bool,
    quiet: bool,
    verbose: u8,
    colour: bool,
    /// Standard output is a terminal: drawing makes sense.
    drawing: bool,
    /// Where lines go while a panel is drawn.
    stage: Arc<Mutex<Option<Arc<Stage>>>>,
    /// Which part of a command this is.
    part: Option<String>,
    /// What is told at the very end.
    result: Arc<Mutex<Option<Map<String, Value>>>>,
}

/// Colours by what they mean.
#[derive(Clone, Copy, Debug)]
pub enum Tone {
    /// Titles.
    Strong,
    /// What is right.
    Good,
    /// What is odd.
    Odd,
    /// What is wrong.
    Bad,
}

impl Report {
    /// Speaks as the words suggest, before they are understood.
    pub fn before_parsing(words: &[String]) -> Self {
        let json = words.iter().any(|word| word == "--json");
        let colour = std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
        Self {
            json,
            quiet: false,
            verbose: 0,
            colour: colour && io::stderr().is_terminal(),
            drawing: !json && io::stdout().is_terminal(),
            stage: Arc::default(),
            part: None,
            result: Arc::default(),
        }
    }

    /// Speaks as asked.
    pub fn configure(&mut self, globals: &Globals) {
        self.json = globals.json;
        self.quiet = globals.quiet;
        self.verbose = globals.verbose;
        self.drawing &= !globals.json && !globals.quiet;
    }

    /// Whether somebody looks at a terminal.
    pub fn drawing(&self) -> bool {
        self.drawing
    }

    /// Whether colours are wanted.
    pub fn coloured(&self) -> bool {
        self.colour
    }

    /// From now on a panel is drawn, or no more: what was not drawn is said then.
    pub fn perform(&self, stage: Option<Arc<Stage>>) {
        let before = std::mem::replace(&mut *self.staged(), stage);
        before.iter().flat_map(|stage| stage.take()).for_each(|line| err(&line));
    }

    fn staged(&self) -> std::sync::MutexGuard<'_, Option<Arc<Stage>>> {
        self.stage.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A line to standard error, or above the panel.
    fn tell(&self, line: &str) {
        match &*self.staged() {
            Some(stage) => stage.put(line),
            None => err(line),
        }
    }

    /// Whether a program reads along.
    pub fn for_scripts(&self) -> bool {
        self.json
    }

    /// A line that was asked for.
    pub fn say(&self, line: impl AsRef<str>) {
        match &*self.staged() {
            _ if self.json => {}
            Some(stage) => stage.put(line.as_ref()),
            None => out(line.as_ref()),
        }
    }

    /// Something that happened, for scripts.
    pub fn event(&self, value: &Value) {
        if self.json {
            out(&value.to_string());
        }
    }

    /// Speaks for a part of a command: its result is not the last line.
    #[cfg(feature = "sim")]
    pub fn part(&self, name: &str) -> Self {
        let Self { json, quiet, verbose, colour, drawing, .. } = *self;
        let (stage, result, part) = (Arc::default(), Arc::default(), Some(name.to_owned()));
        Self { json, quiet, verbose, colour, drawing, stage, part, result }
    }

    /// What the last line for scripts says, which comes when the command is over: how it ended belongs to
    /// it. That of a part comes at once.
    pub fn result(&self, value: Value) {
        let Value::Object(mut fields) = value else { return };
        if let Some(part) = &self.part {
            fields.shift_insert(0, "type".to_owned(), json!("part"));
            fields.shift_insert(1, "part".to_owned(), json!(part));
            return self.event(&Value::Object(fields));
        }
        let mut result = self.result.lock().unwrap_or_else(PoisonError::into_inner);
        result.get_or_insert_default().extend(fields);
    }

    /// What has become of what was asked for: it may have had no room.
    pub fn written(&self) -> Result<(), Failure> {
        let Some(why) = UNWRITTEN.get() else { return Ok(()) };
        Err(Failure::advise(
            Exit::Failed,
            format!("not all of the output could be written: {why}"),
            "make room where it goes, and ask again",
        ))
    }

    /// Tells the result; nothing is told after it.
    pub fn close(&self) {
        let result = self.result.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(mut fields) = result {
            fields.shift_insert(0, "type".to_owned(), json!("result"));
            self.event(&Value::Object(fields));
        }
    }

    /// Text without a line end, for drawing over and over.
    pub fn draw(&self, text: &str) {
        if self.drawing {
            let mut stdout = io::stdout().lock();
            // Nobody sees a drawing that cannot be drawn.
            stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()).unwrap_or_default();
        }
    }

    /// What goes on meanwhile.
    pub fn note(&self, line: impl AsRef<str>) {
        if !self.quiet {
            self.tell(line.as_ref());
        }
    }

    /// Something that waits for an answer, which even the quiet must see.
    pub fn ask(&self, line: impl AsRef<str>) {
        if !self.json {
            err(line.as_ref());
        }
    }

    /// What goes on in detail, with `-v`.
    pub fn detail(&self, line: impl AsRef<str>) {
        if self.verbose > 0 {
            self.tell(line.as_ref());
        }
    }

    /// A line that the next one of its kind takes the place of. An empty one clears it.
    pub fn progress(&self, line: &str) {
        self.progress_at(line, None);
    }

    /// The same, with the share that is done, from 0 to 1.
    pub fn progress_at(&self, line: &str, share: Option<f64>) {
        if let Some(stage) = &*self.staged() {
            stage.set(Doing { line: line.to_owned(), share });
        } else if !self.quiet && io::stderr().is_terminal() {
            let mut stderr = io::stderr().lock();
            write!(stderr, "\r\x1b[2K{line}").and_then(|()| stderr.flush()).unwrap_or_default();
        }
    }

    /// Something odd that is no obstacle.
    pub fn warn(&self, line: impl AsRef<str>) {
        if !self.quiet {
            self.tell(&format!("{} {}", self.tone(Tone::Odd, "warning:"), line.as_ref()));
        }
    }

    /// How a command ended badly.
    pub fn fail(&self, failure: &Failure) -> ExitCode {
        err(&format!("{} {}", self.tone(Tone::Bad, "error:"), failure.what));
        if let Some(remedy) = &failure.remedy {
            err(&format!("{} {remedy}", self.tone(Tone::Good, "do:")));
        }
        self.result(json!({
            "ok": false,
            "error": failure.what,
            "remedy": failure.remedy,
            "exit": failure.exit as u8,
        }));
        self.close();
        failure.exit.into()
    }

    /// Help, version, or why the words make no command.
    pub fn clap(&self, error: &clap::Error) -> ExitCode {
        // A reader that closed the pipe has seen enough.
        error.print().unwrap_or_default();
        if error.use_stderr() { Exit::Usage.into() } else { Exit::Done.into() }
    }

    /// Text in a tone, where colour is wanted.
    pub fn tone(&self, tone: Tone, text: &str) -> String {
        if !self.colour {
            return text.to_owned();
        }
        let code = match tone {
            Tone::Strong => "1",
            Tone::Good => "32",
            Tone::Odd => "33",
            Tone::Bad => "1;31",
        };
        format!("\x1b[{code}m{text}\x1b[0m")
    }
}

fn out(line: &str) {
    // A reader that closed the pipe has seen enough; the arm must still be made safe.
    match writeln!(io::stdout().lock(), "{line}") {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            UNWRITTEN.get_or_init(|| error.to_string());
        }
        _ => {}
    }
}

fn err(line: &str) {
    writeln!(io::stderr().lock(), "{line}").unwrap_or_default();
}
