//! Everything that can go wrong between a checkpoint and an action, with the facts in fields.

use std::path::{Path, PathBuf};

/// The result of everything here that can fail.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What went wrong: which file, field or tensor, and why.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The system refused something about a file.
    #[error("{what}: {source}: {}", path.display())]
    Io {
        /// What was tried, as in "cannot read".
        what: &'static str,
        /// What the system said.
        source: std::io::Error,
        /// The file.
        path: PathBuf,
    },
    /// A file is not what its name says.
    #[error("{what}: {}", path.display())]
    Malformed {
        /// What is wrong, and where in the file.
        what: String,
        /// The file.
        path: PathBuf,
    },
    /// A field has a value that is not understood, or that cannot be.
    #[error("{field}: {what}: {}", path.display())]
    Field {
        /// Its name, with the names around it: `normalization_mapping.STATE`.
        field: String,
        /// What is wrong with it and what would be right.
        what: String,
        /// The file.
        path: PathBuf,
    },
    /// The configuration asks for a tensor that is not among the weights.
    #[error("there is no tensor {tensor} among the weights, which the configuration asks for")]
    NoTensor {
        /// Its name.
        tensor: String,
    },
    /// A tensor is not as large as the configuration asks for.
    #[error("tensor {tensor} is {found:?}, and {wanted} is asked for")]
    Shape {
        /// Its name.
        tensor: String,
        /// What it is.
        found: Vec<usize>,
        /// What it should be, in words where it is not one shape.
        wanted: String,
    },
    /// A tensor's numbers cannot be used.
    #[error("tensor {tensor}: {what}")]
    Tensor {
        /// Its name.
        tensor: String,
        /// What is wrong with it.
        what: String,
    },
    /// An observation is missing or is not as the policy was trained.
    #[error("{feature}: {what}")]
    Input {
        /// The feature's name.
        feature: String,
        /// What was found and what is wanted.
        what: String,
    },
    /// Random numbers that somebody else drew are not those that are needed.
    #[error("random numbers: {what}")]
    Draws {
        /// What was recorded and what is needed.
        what: String,
    },
    /// The network's answer is no number; nothing may be sent to an arm.
    #[error("the policy's answer holds {value} in {place}: nothing was sent")]
    NotFinite {
        /// NaN or an infinity.
        value: f32,
        /// Which of its outputs.
        place: String,
    },
    /// The parts of a network do not fit each other.
    #[error("the network's {node} does not fit: {what}")]
    Network {
        /// Which part.
        node: String,
        /// What does not fit.
        what: String,
    },
    /// What was asked for cannot be had on this machine or from this build.
    #[error("{what}")]
    Unsupported {
        /// What, and what to do instead.
        what: String,
    },
}

impl Error {
    /// For `map_err` on what the system refuses.
    pub(crate) fn io(what: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> Self {
        move |source| Self::Io { what, source, path: path.to_owned() }
    }
}
