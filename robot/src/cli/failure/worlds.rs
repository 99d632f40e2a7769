//! What goes wrong in simulated worlds.

use sinew_sim::Error;

use super::{Exit, Failure};

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        match error {
            Error::Arm(error) => (*error).into(),
            Error::Data { .. } => Self::new(Exit::Data, error.to_string()),
            Error::Unknown { .. } => Self::new(Exit::Usage, error.to_string()),
            Error::NotBegun => Self::new(Exit::Failed, error.to_string()),
        }
    }
}
