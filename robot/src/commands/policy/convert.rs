//! `sinew policy convert`

use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use serde_json::json;
use sinew_policies::convert::{Storage, convert, describe};
use sinew_policies::{Device, Options, Policy};

use super::super::dataset::bytes;
use super::sight::Off;
use super::source::Source;
use crate::cli::failure::{Exit, Failure};
use crate::cli::report::Report;

/// Store a policy's weights in fewer bits, with a word about it in its model card
///
/// Example: sinew policy convert outputs/act_so101 --to f16 -o act_so101_f16
///
/// LeRobot reads the result as well, but for int8: whole numbers of eight bits with a scale for each row,
/// a quarter of the size, which only sinew reads.
#[derive(Debug, Args)]
pub struct Convert {
    #[command(flatten)]
    source: Source,
    /// How matrices and convolutions are stored
    #[arg(long, value_enum, value_name = "WHAT")]
    to: Stored,
    /// The folder to write
    #[arg(long, short, value_name = "DIR")]
    output: PathBuf,
}

/// Ways to store weights, by their names on the command line.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum Stored {
    F32,
    F16,
    Bf16,
    Int8,
}

impl Convert {
    pub fn run(self, report: &Report) -> Result<Exit, Failure> {
        let folder = self.source.folder(report)?;
        let storage = match self.to {
            Stored::F32 => Storage::F32,
            Stored::F16 => Storage::F16,
            Stored::Bf16 => Storage::Bf16,
            Stored::Int8 => Storage::Int8,
        };
        if self.output.join("model.safetensors").exists() {
            return Err(Failure::usage(
                format!("there is a policy in {} already", self.output.display()),
                "name another folder, or remove that one",
            ));
        }
        let converted = convert(&folder, &self.output, storage)?;
        report.say(format!(
            "{}: {} tensors as {}, {} instead of {}, weights changed by {:.1e} at most",
            self.output.display(),
            converted.tensors,
            storage.name(),
            bytes(converted.after),
            bytes(converted.before),
            converted.change
        ));
        let off = match off(&folder, &self.output) {
            Ok(off) => {
                report.say(format!("  {}", off.told()));
                Some(off)
            }
            Err(failure) => {
                report.warn(format!("how far actions are off was not measured: {}", failure.what));
                None
            }
        };
        describe(&self.output, storage, &converted, off.as_ref().map(Off::told).as_deref())?;
        if !storage.is_lerobots() {
            report.say("  LeRobot does not read it; --to f16 makes what it reads");
        }
        report.result(json!({
            "path": self.output.display().to_string(),
            "weights": storage.name(),
            "tensors": converted.tensors,
            "bytes_before": converted.before,
            "bytes": converted.after,
            "max_relative_change": converted.change,
            "action_error": off.as_ref().map(Off::json),
        }));
        Ok(Exit::Done)
    }
}

/// How far the actions of converted weights are off. Some policies can be converted, but not run.
fn off(from: &Path, to: &Path) -> Result<Off, Failure> {
    let load = |folder| Policy::load(folder, Device::Cpu, &Options::default());
    Off::measure(&mut load(to)?, &mut load(from)?)
}
