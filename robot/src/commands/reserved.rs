//! Commands that are part of the contract and not there yet. They say so, and what to use
//! meanwhile: everything here reads and writes LeRobot's own files, so its programs fill the gap.

use clap::{Args, Subcommand};

use crate::cli::failure::{Exit, Failure};

/// Whatever was typed behind a command that is not there yet.
#[derive(Debug, Args)]
#[command(disable_help_flag = true)]
pub struct Anything {
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, hide = true)]
    words: Vec<String>,
}

/// Commands that are not there yet.
#[derive(Debug, Subcommand)]
pub enum Reserved {
    /// Try a policy in simulation
    #[cfg(not(all(feature = "sim", feature = "policies")))]
    Eval(Anything),
    /// Train a policy
    Train(Anything),
    /// Let other machines see and drive this robot
    #[cfg(not(feature = "zenoh"))]
    Host(Anything),
    /// Robots that run on this machine and others
    #[cfg(not(feature = "zenoh"))]
    Ps(Anything),
    /// Serve a policy to other machines
    #[cfg(not(all(feature = "policies", feature = "zenoh")))]
    ServePolicy(Anything),
    /// Certificates for robots on other machines
    #[cfg(not(feature = "zenoh"))]
    Net(Anything),
}

impl Reserved {
    /// Says that it is not there, and what is.
    pub fn run(self) -> Result<Exit, Failure> {
        let (name, meanwhile) = self.meanwhile();
        Err(Failure::usage(format!("`sinew {name}` is not there yet"), meanwhile))
    }

    fn meanwhile(&self) -> (&'static str, &'static str) {
        match self {
            #[cfg(not(all(feature = "sim", feature = "policies")))]
            Self::Eval(_) => ("eval", "build with the features sim and policies"),
            Self::Train(_) => ("train", "lerobot-train trains; its checkpoints will run here"),
            #[cfg(not(feature = "zenoh"))]
            Self::Host(_) => ("host", "build with the feature zenoh"),
            #[cfg(not(feature = "zenoh"))]
            Self::Ps(_) => ("ps", "build with the feature zenoh"),
            #[cfg(not(all(feature = "policies", feature = "zenoh")))]
            Self::ServePolicy(_) => ("serve-policy", "build with the features policies and zenoh"),
            #[cfg(not(feature = "zenoh"))]
            Self::Net(_) => ("net", "build with the feature zenoh"),
        }
    }
}
