//! `sinew dataset split`

use std::path::{Path, PathBuf};

use clap::Args;
use serde_json::json;
use sinew_datasets::edit::{self, Share};
use sinew_datasets::pull::Choice;

use super::edit::{Output, describe, fields, show};
use super::lists::{Episodes, Table};
use super::source::{Place, Source, folder_of};
use crate::cli::failure::{Exit, Failure};
use crate::cli::report::{Report, Tone};

/// Take a dataset apart into several
///
/// Example: sinew dataset split me/pick --into train=0.8 --into val=0.2
///
/// The new datasets are called me/pick_train and me/pick_val, or with --out lie in that folder as
/// train and val.
#[derive(Debug, Args)]
pub struct Split {
    #[command(flatten)]
    source: Source,
    /// A new dataset's name and its share: a fraction (0.8, 80%) or episodes (0,2,5-7); repeated
    #[arg(long, alias = "operation.splits", value_name = "NAME=SHARE", required = true)]
    into: Vec<Table>,
    #[command(flatten)]
    output: Output,
}

impl Split {
    pub fn run(self, report: &Report) -> Result<Exit, Failure> {
        let from = self.source.place();
        let source = from.folder(report, &Choice::default())?;
        // The parts of one on the Hub go where datasets of this machine are, not into the cache.
        let named = match &from {
            Place::Here(_) => source.clone(),
            Place::Hub(repo) => folder_of(&repo.to_string()),
        };
        let pairs = self.into.iter().flat_map(|table| &table.0);
        let shares: Vec<(String, Share)> = pairs.map(share).collect::<Result<_, _>>()?;
        let out = self.output.folder();
        let place = |name: &str| match &out {
            Some(folder) => folder.join(name),
            None => beside(&named, name),
        };
        let to: Option<&dyn Fn(&str) -> PathBuf> = match self.output.dry_run {
            true => None,
            false => Some(&place),
        };
        let made = edit::split(&source, &shares, to, &|at| show(report, at));
        report.progress("");
        let made = made?;
        let would = if self.output.dry_run { "would make " } else { "" };
        let mut parts = Vec::new();
        for ((name, _), made) in shares.iter().zip(&made) {
            let place = place(name);
            report.say(report.tone(Tone::Good, &format!("{would}{}", describe(made, &place))));
            parts.push(fields(made, &place));
        }
        report.result(json!({ "splits": parts, "dry_run": self.output.dry_run }));
        Ok(Exit::Done)
    }
}

fn beside(source: &Path, name: &str) -> PathBuf {
    let mut whole = source.file_name().unwrap_or_default().to_owned();
    whole.push("_");
    whole.push(name);
    source.with_file_name(whole)
}

/// What a share says: episodes are whole numbers in a list, a fraction has a point or a percent sign.
fn share((name, text): &(String, String)) -> Result<(String, Share), Failure> {
    let wrong = |why: String| {
        Failure::usage(format!("{name}={text}: {why}"), "--into train=0.8 or --into train=0-7,9")
    };
    if name.is_empty() || name.contains(['/', '\\']) || name.starts_with('.') {
        return Err(wrong("the name does not make a folder".into()));
    }
    let percent = text.strip_suffix('%').map(|text| (text, 100.0));
    let fraction = percent.or_else(|| text.contains('.').then_some((text.as_str(), 1.0)));
    let share = match fraction {
        Some((text, of)) => {
            let number: Result<f64, _> = text.trim().parse();
            Share::Fraction(number.map_err(|error| wrong(error.to_string()))? / of)
        }
        None => Share::Episodes(text.parse::<Episodes>().map_err(wrong)?.0),
    };
    Ok((name.clone(), share))
}
