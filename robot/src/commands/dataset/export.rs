//! `sinew dataset export`

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use serde_json::json;
use sinew_datasets::export;

use super::recording::{To, show};
use super::source::Source;
use crate::cli::failure::{Exit, Failure};
use crate::cli::output::free;
use crate::cli::report::Report;

/// The rows as CSV or JSON lines, for any program, or everything as Rerun's file
///
/// Example: sinew dataset export me/pick --format csv -o pick.csv
///
/// A vector is a column per joint in CSV and a list in JSON. Images are in Rerun's file alone.
#[derive(Debug, Args)]
pub struct Export {
    #[command(flatten)]
    source: Source,
    /// What to write
    #[arg(long, value_enum)]
    format: Format,
    /// The file to write
    #[arg(long, short, value_name = "FILE")]
    output: PathBuf,
    /// Write over a file that is there
    #[arg(long, short)]
    yes: bool,
}

/// What is written.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum Format {
    /// Commas between values, names in the first line
    Csv,
    /// A JSON object per line
    Jsonl,
    /// Rerun's file: a recording per episode, videos as they lie in the dataset
    Rrd,
}

impl Export {
    pub fn run(self, report: &Report) -> Result<Exit, Failure> {
        let output = free(self.output, self.yes)?;
        let format = match self.format {
            Format::Csv => export::Format::Csv,
            Format::Jsonl => export::Format::Jsonl,
            Format::Rrd => {
                return show(report, &self.source.folder(report)?, None, To::File(output));
            }
        };
        let dataset = self.source.place().open(report)?;
        let of = dataset.episodes().len();
        let rows = export::export(&dataset, format, &output, &mut |done| {
            report.progress(&format!("episode {} of {of}", done + 1));
        });
        report.progress("");
        let (path, rows) = (output.display().to_string(), rows?);
        report.say(format!("{path}: {rows} rows"));
        report.result(json!({ "path": path, "rows": rows }));
        Ok(Exit::Done)
    }
}
