//! `sinew dataset reencode`

use clap::Args;
use sinew_datasets::edit;

use super::edit::Edit;
use super::lists::Names;
use crate::cli::failure::{Exit, Failure};
use crate::cli::report::Report;

/// Encode videos anew as H.264, which decodes quickly and everywhere
///
/// Example: sinew dataset reencode me/pick --out me/pick_h264
#[derive(Debug, Args)]
pub struct Reencode {
    #[command(flatten)]
    edit: Edit,
    /// Only these cameras, as a,b or "['a', 'b']"
    #[arg(long, value_name = "NAMES")]
    camera: Option<Names>,
}

impl Reencode {
    pub fn run(self, report: &Report) -> Result<Exit, Failure> {
        let cameras = self.camera.map(|names| names.0).unwrap_or_default();
        self.edit.run(report, |from, to, watch| edit::reencode(from, &cameras, to, watch))
    }
}
