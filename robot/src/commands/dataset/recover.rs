//! `sinew dataset recover`

use clap::Args;
use serde_json::json;
use sinew_datasets::writer;

use super::source::Source;
use crate::cli::failure::{Exit, Failure};
use crate::cli::report::Report;

/// Take up what a kill or a power cut left of a recording
///
/// Finished episodes that were on their way into the dataset are moved there, the one that was being
/// recorded is saved up to its last whole frame. Opening a dataset for recording does the same.
///
/// Example: sinew dataset recover me/pick
#[derive(Debug, Args)]
pub struct Recover {
    #[command(flatten)]
    source: Source,
}

impl Recover {
    pub fn run(self, report: &Report) -> Result<Exit, Failure> {
        let root = self.source.own_folder()?;
        let recovered = writer::recover(&root)?;
        if recovered == writer::Recovered::default() {
            report.say(format!("{}: nothing was cut off here", root.display()));
        }
        if recovered.moved > 0 {
            report.say(format!("{} finished episodes moved into the dataset", recovered.moved));
        }
        for saved in &recovered.saved {
            let frames = saved.frames;
            report
                .say(format!("episode {} saved as far as it got: {frames} frames", saved.episode));
            if saved.lost > 0 {
                report.warn(format!(
                    "{} more frames of episode {} have joints, but not all images: they are left out",
                    saved.lost, saved.episode
                ));
            }
        }
        if recovered.empty > 0 {
            report.say(format!("{} episodes had no whole frame yet", recovered.empty));
        }
        let saved = recovered.saved.iter().map(|saved| {
            json!({
                "episode": saved.episode,
                "frames": saved.frames,
                "lost": saved.lost,
                "repeated_frames": saved.repeated,
            })
        });
        report.result(json!({
            "moved": recovered.moved,
            "saved": saved.collect::<Vec<_>>(),
            "empty": recovered.empty,
        }));
        Ok(Exit::Done)
    }
}
