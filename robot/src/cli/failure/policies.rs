//! How a command about policies ends badly.

use std::io::ErrorKind;

use sinew_policies::Error;

use super::{Exit, Failure};

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self { exit: exit_of(&error), remedy: remedy_of(&error), what: error.to_string() }
    }
}

fn exit_of(error: &Error) -> Exit {
    match error {
        Error::Io { source, .. } if source.kind() == ErrorKind::PermissionDenied => Exit::Refused,
        Error::Io { source, .. } if source.kind() == ErrorKind::NotFound => Exit::Data,
        Error::Io { .. } | Error::NotFinite { .. } => Exit::Failed,
        Error::Unsupported { .. } => Exit::Usage,
        _ => Exit::Data,
    }
}

fn remedy_of(error: &Error) -> Option<String> {
    Some(match error {
        Error::NoTensor { .. } | Error::Shape { .. } => {
            "do config.json and model.safetensors belong together?".into()
        }
        Error::Tensor { .. } => "is the file whole? Fetch or copy the checkpoint again".into(),
        Error::Input { .. } => {
            "see what the policy was trained on: sinew policy info; other names can be given with \
             --rename_map"
                .into()
        }
        Error::NotFinite { .. } => {
            "look at the observations that it was shown, and at the weights: sinew policy info"
                .into()
        }
        _ => return None,
    })
}
