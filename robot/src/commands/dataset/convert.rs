//! `sinew dataset convert`

use clap::{Args, ValueEnum};
use sinew_datasets::edit::{self, Target};

use super::edit::Edit;
use crate::cli::failure::{Exit, Failure};
use crate::cli::report::Report;

/// Change the layout, or how images are kept
///
/// Example: sinew dataset convert me/old --to v3.0 --out me/new
#[derive(Debug, Args)]
pub struct Convert {
    #[command(flatten)]
    edit: Edit,
    /// To what
    #[arg(long, value_enum)]
    to: To,
}

/// What one can convert to.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub enum To {
    /// The layout of LeRobot 0.4 and later
    #[value(name = "v3.0", alias = "v3", alias = "v30")]
    Newest,
    /// The layout before it, where nothing is lost
    #[value(name = "v2.1", alias = "v21")]
    V21,
    /// Images become videos
    #[value(name = "video", alias = "videos")]
    Video,
    /// Videos become images
    #[value(name = "image", alias = "images")]
    Image,
}

impl Convert {
    pub fn run(self, report: &Report) -> Result<Exit, Failure> {
        let target = match self.to {
            To::Newest => Target::Newest,
            To::V21 => Target::V21,
            To::Video => Target::Videos,
            To::Image => Target::Images,
        };
        self.edit.run(report, |from, to, watch| edit::convert(from, target, to, watch))
    }
}
