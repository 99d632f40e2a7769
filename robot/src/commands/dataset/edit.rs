//! What all edits of datasets share: where the new dataset goes, and who agrees to replacing the old.

use std::path::{Path, PathBuf};

use clap::Args;
use serde_json::{Map, Value, json};
use sinew_datasets::edit::{self, Made, Watch};
use sinew_datasets::{Error, Result as DatasetResult};

use super::source::{Source, folder_of};
use crate::cli::failure::{Exit, Failure};
use crate::cli::keys::Keys;
use crate::cli::report::{Report, Tone};

/// Where the new dataset goes.
#[derive(Debug, Clone, Default, Args)]
pub struct Output {
    /// A folder or repo id for the new dataset
    #[arg(long, short, value_name = "DIR|REPO")]
    out: Option<String>,
    /// The new dataset's folder, as LeRobot's own programs take it
    #[arg(long = "new_root", value_name = "DIR")]
    new_root: Option<PathBuf>,
    /// The new dataset's repo id, as LeRobot's own programs take it
    #[arg(long = "new_repo_id", value_name = "REPO")]
    new_repo_id: Option<String>,
    /// Only say what would be done
    #[arg(long)]
    pub dry_run: bool,
    /// As LeRobot's own programs name the operation, which is the command here.
    #[arg(long = "operation.type", value_name = "TYPE", hide = true)]
    operation: Option<String>,
}

impl Output {
    /// The folder that is meant.
    pub fn folder(&self) -> Option<PathBuf> {
        let named = || self.out.as_deref().or(self.new_repo_id.as_deref()).map(folder_of);
        self.new_root.clone().or_else(named)
    }
}

/// Which dataset is edited, and where the result goes.
#[derive(Debug, Clone, Default, Args)]
pub struct Edit {
    #[command(flatten)]
    source: Source,
    #[command(flatten)]
    output: Output,
    /// Without --out: replace the dataset without asking
    #[arg(long, short)]
    yes: bool,
    /// Without --out: do not keep the old dataset beside the new one
    #[arg(long)]
    discard: bool,
}

/// What an edit has to say of what it made.
pub trait Outcome {
    /// The new dataset.
    fn made(&self) -> &Made;

    /// What else people should know of it.
    fn tell(&self, _report: &Report) {}

    /// What else scripts should know of it.
    fn add(&self, _fields: &mut Map<String, Value>) {}
}

impl Outcome for Made {
    fn made(&self) -> &Made {
        self
    }
}

impl Edit {
    /// The dataset that is edited.
    pub fn source(&self, report: &Report) -> Result<PathBuf, Failure> {
        let folder = match self.in_place() {
            true => self.source.own_folder()?,
            false => self.source.folder(report)?,
        };
        // In its place means where it really is, not where a link to it is.
        folder.canonicalize().map_err(|error| Error::io("cannot find", &folder)(error).into())
    }

    /// Whether the result takes the dataset's place.
    pub fn in_place(&self) -> bool {
        self.output.folder().is_none()
    }

    /// Edits: into another folder, or in place if somebody agrees.
    pub fn run<T: Outcome>(
        &self,
        report: &Report,
        make: impl Fn(&Path, Option<&Path>, Watch<'_>) -> DatasetResult<T>,
    ) -> Result<Exit, Failure> {
        let source = self.source(report)?;
        let watch = |at: edit::Progress| show(report, at);
        let to = self.output.folder();
        let place = to.as_ref().unwrap_or(&source);
        if self.output.dry_run {
            let planned = make(&source, None, &watch)?;
            report.progress("");
            planned.tell(report);
            report.say(format!("would make {}", describe(planned.made(), place)));
            finish(report, &planned, place, None, true);
            return Ok(Exit::Done);
        }
        if to.is_some() {
            let made = make(&source, Some(place), &watch);
            report.progress("");
            tell(report, &made?, place, None);
            return Ok(Exit::Done);
        }
        if !self.yes {
            // What makes no sense is told before anybody is asked.
            let planned = make(&source, None, &watch)?;
            report.progress("");
            planned.tell(report);
            let new = describe(planned.made(), place);
            report.say(format!("This replaces the dataset by {new}."));
            report.say(match self.discard {
                true => "The old one will be gone.".to_owned(),
                false => format!("The old one will be {}.", edit::kept(&source).display()),
            });
            if !Keys::listen()?.agree(report, "replacing a dataset", "Replace it?")? {
                report.say("nothing was changed");
                return Ok(Exit::Done);
            }
        }
        let done = edit::in_place(&source, |new| make(&source, Some(new), &watch));
        report.progress("");
        let (made, kept) = done?;
        if self.discard {
            std::fs::remove_dir_all(&kept).map_err(Error::io("cannot remove", &kept))?;
        }
        tell(report, &made, place, Some(kept.as_path()).filter(|_| !self.discard));
        Ok(Exit::Done)
    }
}

/// A line about how far it has come.
pub fn show(report: &Report, at: edit::Progress) {
    report.progress(&format!("{}: {} of {}", at.stage, at.done, at.total));
}

/// Says what was made, to people and scripts.
pub fn tell(report: &Report, outcome: &impl Outcome, place: &Path, kept: Option<&Path>) {
    let made = outcome.made();
    outcome.tell(report);
    report.say(report.tone(Tone::Good, &describe(made, place)));
    if made.encoded > 0 {
        report.say(format!("  videos of {} episodes were encoded anew", made.encoded));
    }
    if let Some(kept) = kept {
        report.say(format!("  the old one is {}", kept.display()));
    }
    finish(report, outcome, place, kept, false);
}

/// A new dataset in one line.
pub fn describe(made: &Made, place: &Path) -> String {
    let Made { episodes, frames, tasks, .. } = made;
    format!("{}: {episodes} episodes, {frames} frames, {tasks} tasks", place.display())
}

/// Says what was or would be made, to scripts.
pub fn finish(
    report: &Report,
    outcome: &impl Outcome,
    place: &Path,
    kept: Option<&Path>,
    dry_run: bool,
) {
    let mut result = fields(outcome.made(), place);
    if let Value::Object(fields) = &mut result {
        outcome.add(fields);
        fields.insert("kept".into(), json!(kept.map(|kept| kept.display().to_string())));
        fields.insert("dry_run".into(), json!(dry_run));
    }
    report.result(result);
}

/// A new dataset for scripts.
pub fn fields(made: &Made, place: &Path) -> Value {
    json!({
        "root": place.display().to_string(),
        "episodes": made.episodes,
        "frames": made.frames,
        "tasks": made.tasks,
        "data_files": made.data_files,
        "video_files": made.video_files,
        "encoded": made.encoded,
    })
}
