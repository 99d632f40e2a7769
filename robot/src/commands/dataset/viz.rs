//! `sinew dataset viz`

use std::path::{Path, PathBuf};

use clap::Args;
use sinew_datasets::pull::Choice;

use super::recording::{To, show};
use super::source::Source;
use crate::cli::failure::{Exit, Failure};
use crate::cli::output::free;
use crate::cli::report::Report;

/// Look at episodes in Rerun: cameras, the arm in 3-D, and a plot per joint
///
/// Example: sinew dataset viz me/pick --episode 0
///
/// Starts the viewer, or uses the one that runs. Where none is installed it says what installs it,
/// and writes a file meanwhile. The viewer plays H.264 with the ffmpeg that it finds in the PATH, AV1
/// by itself. `sinew dataset report` makes a page for the browser instead.
#[derive(Debug, Args)]
pub struct Viz {
    #[command(flatten)]
    source: Source,
    /// Only these episodes, instead of all
    #[arg(
        long,
        visible_alias = "episodes",
        alias = "episode_index",
        value_name = "N",
        value_delimiter = ',',
        num_args = 1..
    )]
    episode: Option<Vec<u64>>,
    /// Write a file instead, to be opened later: rerun FILE.rrd
    #[arg(long, value_name = "FILE.rrd")]
    save: Option<PathBuf>,
    /// The folder of that file; with LeRobot's `--save 1` it gets LeRobot's name
    #[arg(long, value_name = "DIR", requires = "save")]
    output_dir: Option<PathBuf>,
    /// Show it in a viewer that listens there, such as rerun+http://127.0.0.1:9876/proxy
    #[arg(long, value_name = "URL", conflicts_with = "save")]
    connect: Option<String>,
    /// Write over a file that is there
    #[arg(long, short)]
    yes: bool,
}

impl Viz {
    pub fn run(self, report: &Report) -> Result<Exit, Failure> {
        let choice = Choice { episodes: self.episode.clone(), ..Choice::default() };
        let root = self.source.place().folder(report, &choice)?;
        let to = match (self.save.as_deref().map(Saved::of), self.connect) {
            (None | Some(Saved::Not), None) => To::Viewer,
            (None | Some(Saved::Not), Some(url)) => To::Server(url),
            (Some(saved), _) => {
                let file = match saved {
                    Saved::As(file) => file.to_owned(),
                    _ => file_of(&root, self.episode.as_deref()).into(),
                };
                let folder = self.output_dir.unwrap_or_default();
                To::File(free(folder.join(file), self.yes)?)
            }
        };
        show(report, &root, self.episode, to)
    }
}

/// What `--save` means: a file, or LeRobot's switch.
enum Saved<'a> {
    Not,
    Somewhere,
    As(&'a Path),
}

impl<'a> Saved<'a> {
    fn of(word: &'a Path) -> Self {
        match word.to_str() {
            Some("0" | "false") => Self::Not,
            Some("1" | "true") => Self::Somewhere,
            _ => Self::As(word),
        }
    }
}

/// The name that LeRobot gives to the file of a dataset and an episode.
fn file_of(root: &Path, episodes: Option<&[u64]>) -> String {
    let parts = root.components().rev().take(2).collect::<Vec<_>>();
    let parts = parts.iter().rev().map(|part| part.as_os_str().to_string_lossy());
    let repo = parts.collect::<Vec<_>>().join("_");
    match episodes {
        Some([one]) => format!("{repo}_episode_{one}.rrd"),
        _ => format!("{repo}.rrd"),
    }
}
