//! `sinew dataset viz`

use std::process::{Command, Stdio};

use clap::Args;

use super::report::Shown;
use super::source::Source;
use crate::cli::failure::{Exit, Failure};
use crate::cli::report::Report;

/// Look at a dataset in the browser: the report in a temporary file, its path printed
///
/// Example: sinew dataset viz me/pick --episodes 0
#[derive(Debug, Args)]
pub struct Viz {
    #[command(flatten)]
    source: Source,
    #[command(flatten)]
    shown: Shown,
}

impl Viz {
    pub fn run(self, report: &Report) -> Result<Exit, Failure> {
        let root = self.source.folder()?;
        let name = root.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let name = format!("sinew-{name}-{}.html", std::process::id());
        let path = std::env::temp_dir().join(name);
        let exit = self.shown.write(report, &root, &path)?;
        let screen = ["DISPLAY", "WAYLAND_DISPLAY"];
        if report.drawing() && screen.iter().any(|name| std::env::var_os(name).is_some()) {
            let mut open = Command::new("xdg-open");
            open.arg(&path).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
            if let Err(error) = open.status() {
                report.detail(format!("no browser was opened: xdg-open: {error}"));
            }
        }
        Ok(exit)
    }
}
