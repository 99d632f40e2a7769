//! How a command about a hub ends badly.

use std::io::ErrorKind;

use sinew_hub::{Absent, Error};

use super::{Exit, Failure};

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self { exit: exit_of(&error), remedy: remedy_of(&error), what: error.to_string() }
    }
}

/// What the process ends with.
pub fn exit_of(error: &Error) -> Exit {
    match error {
        Error::GaveUp { last, .. } => exit_of(last),
        Error::Denied { .. } | Error::Token { .. } | Error::Untrusted { .. } => Exit::Refused,
        Error::Io { source, .. } if source.kind() == ErrorKind::PermissionDenied => Exit::Refused,
        Error::Missing { .. }
        | Error::Nonsense { .. }
        | Error::Page { .. }
        | Error::NotFetched { .. }
        | Error::WrongHash { .. } => Exit::Data,
        Error::InTheWay { .. } => Exit::Refused,
        Error::Address { .. }
        | Error::Name { .. }
        | Error::NoSuchToken { .. }
        | Error::Variable { .. }
        | Error::Authorities { .. }
        | Error::Tokens { .. } => Exit::Usage,
        _ => Exit::Failed,
    }
}

/// What can be done about it.
pub fn remedy_of(error: &Error) -> Option<String> {
    Some(match error {
        Error::GaveUp { last, .. } => return remedy_of(last),
        Error::Denied { with_token: false, .. } => "log in: sinew hub login".into(),
        Error::Denied { with_token: true, .. } => {
            "see who you are: sinew hub whoami; log in with another token: sinew hub login".into()
        }
        Error::Missing { what: Absent::Repo, .. } => {
            "is the name right? A private one is seen only by those who may: sinew hub whoami"
                .into()
        }
        Error::Unreachable { .. } => {
            "is there a network, and is HF_ENDPOINT right? What was fetched before is used with \
             HF_HUB_OFFLINE=1"
                .into()
        }
        Error::Offline { .. } | Error::NotFetched { .. } => "let the Hub be asked: unset HF_HUB_OFFLINE".into(),
        Error::Token { .. } => "copy it once more from the Hub's page, and: sinew hub login".into(),
        Error::NoRoom { .. } => {
            "free some space, or let HF_HOME name a folder on a larger disk; of a dataset parts can be \
             fetched: --episodes, --cameras, --meta-only"
                .into()
        }
        Error::Io { source, .. } if source.kind() == ErrorKind::StorageFull => {
            "free some space on that disk, and repeat it: it goes on where it stopped".into()
        }
        _ => return None,
    })
}
