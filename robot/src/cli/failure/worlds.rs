//! What goes wrong in simulated worlds.

use sinew_sim::Error;

use super::{Exit, Failure};

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        match error {
            Error::Arm(error) => (*error).into(),
            Error::Data { .. } => Self::new(Exit::Data, error.to_string()),
            Error::Unknown { .. } => Self::new(Exit::Usage, error.to_string()),
            Error::NotBuiltIn => Self::usage(
                error.to_string(),
                "cargo install --path robot --features mujoco, with MUJOCO_DYNAMIC_LINK_DIR where MuJoCo's \
                 library 3.17.0 is; or --physics own",
            ),
            Error::NotBegun => Self::new(Exit::Failed, error.to_string()),
        }
    }
}
