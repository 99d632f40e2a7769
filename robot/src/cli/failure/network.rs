//! How something between machines ends badly.

use sinew_net::Error;

use super::{Exit, Failure};

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self { exit: exit_of(&error), remedy: remedy_of(&error), what: error.to_string() }
    }
}

fn exit_of(error: &Error) -> Exit {
    match error {
        Error::Name { .. }
        | Error::RosName { .. }
        | Error::Address { .. }
        | Error::Config { .. } => Exit::Usage,
        Error::Refused { .. } | Error::NoPapers { .. } => Exit::Refused,
        Error::Unreachable { .. } | Error::NotThere { .. } => Exit::Hardware,
        Error::Answer { .. } | Error::Papers { .. } | Error::OtherArm { .. } => Exit::Data,
        Error::Zenoh { .. } | Error::File { .. } | Error::System { .. } => Exit::Failed,
    }
}

fn remedy_of(error: &Error) -> Option<String> {
    let words = match error {
        Error::NotThere { .. } => "who is there says: sinew ps",
        Error::Unreachable { .. } => {
            "is the machine on, and does it listen there? A host listens to its own machine alone unless \
             it is started with --listen"
        }
        Error::NoPapers { .. } => {
            "make them here: sinew net keygen; or where the house was founded: sinew net keygen NAME, \
             and here: sinew net trust FILE"
        }
        Error::Papers { .. } => "take a file that `sinew net keygen NAME` made",
        Error::RosName { .. } => {
            "give it another with --name, or a camera another with --camera NAME=…"
        }
        _ => return None,
    };
    Some(words.to_owned())
}
