//! `sinew udev`

use clap::Args;
use sinew_drivers::port;

use crate::cli::failure::{Exit, Failure};
use crate::cli::report::Report;

/// Rules that let you use the adapters without sudo
///
/// Example: sinew udev | sudo tee /etc/udev/rules.d/70-sinew.rules && sudo udevadm control --reload
#[derive(Debug, Args)]
pub struct Udev {}

impl Udev {
    pub fn run(self, report: &Report) -> Result<Exit, Failure> {
        report.say(port::udev_rules().trim_end());
        Ok(Exit::Done)
    }
}
