//! What can go wrong in a simulated world.

/// Why a model, a task or a scene is refused.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file of ours or of the user's does not say what it should.
    #[error("{file}: {what}")]
    Data {
        /// Which file.
        file: String,
        /// Where in it, and what is wrong.
        what: String,
    },
    /// There is nothing of this name.
    #[error("there is no {kind} {name:?}; there are {known}")]
    Unknown {
        /// What was asked for: a task, an arm.
        kind: &'static str,
        /// By which name.
        name: String,
        /// Those that are there.
        known: String,
    },
    /// An arm cannot be had.
    #[error(transparent)]
    Arm(Box<sinew_drivers::Error>),
    /// Physics that this program was built without.
    #[error("this program was built without MuJoCo")]
    NotBuiltIn,
    /// A step before the first reset.
    #[error("nothing has begun: reset comes before step")]
    NotBegun,
}

impl From<sinew_drivers::Error> for Error {
    fn from(error: sinew_drivers::Error) -> Self {
        Self::Arm(Box::new(error))
    }
}
