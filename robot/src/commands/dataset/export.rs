//! `sinew dataset export`

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use serde_json::json;
use sinew_datasets::export;

use super::source::Source;
use crate::cli::failure::{Exit, Failure};
use crate::cli::report::Report;

/// The rows as CSV or JSON lines, for any program
///
/// Example: sinew dataset export me/pick --format csv -o pick.csv
///
/// Images stay in the dataset; a vector is a column per joint in CSV and a list in JSON.
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
    /// Rerun's file (not there yet)
    Rrd,
}

impl Export {
    pub fn run(self, report: &Report) -> Result<Exit, Failure> {
        let format = match self.format {
            Format::Csv => export::Format::Csv,
            Format::Jsonl => export::Format::Jsonl,
            Format::Rrd => {
                return Err(Failure::usage(
                    "`--format rrd` is not there yet",
                    "lerobot-dataset-viz --save 1 writes it; `sinew dataset viz` shows it here",
                ));
            }
        };
        if self.output.exists() && !self.yes {
            return Err(Failure::usage(
                format!("there already is {}", self.output.display()),
                "name another file, or write over it with --yes",
            ));
        }
        let dataset = sinew_datasets::Dataset::open(&self.source.folder()?)?;
        let of = dataset.episodes().len();
        let rows = export::export(&dataset, format, &self.output, &mut |done| {
            report.progress(&format!("episode {} of {of}", done + 1));
        });
        report.progress("");
        let (path, rows) = (self.output.display().to_string(), rows?);
        report.say(format!("{path}: {rows} rows"));
        report.result(json!({ "path": path, "rows": rows }));
        Ok(Exit::Done)
    }
}
