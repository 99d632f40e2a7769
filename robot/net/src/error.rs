//! What can go wrong beyond one machine.

use std::path::PathBuf;

use crate::message::Refusal;

/// What went wrong between machines: what, with whom, and why.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A name that cannot be on the network.
    #[error(
        "`{name}` is no name on a network: letters, digits, _ and - up to {}, and not `policy`",
        crate::key::NAME_LENGTH
    )]
    Name {
        /// As given.
        name: String,
    },
    /// A name that cannot be in ROS 2's graph.
    #[error(
        "`{name}` is no name in ROS 2: letters, digits and _ up to {}, no digit first",
        crate::key::NAME_LENGTH
    )]
    RosName {
        /// As given.
        name: String,
    },
    /// An address that cannot be one.
    #[error("`{text}` is no address: HOST:PORT, tcp/HOST:PORT or tls/HOST:PORT")]
    Address {
        /// As given.
        text: String,
    },
    /// A configuration of zenoh's that cannot be used.
    #[error("zenoh takes no such configuration ({what}): {}", path.display())]
    Config {
        /// What zenoh says.
        what: String,
        /// Its file.
        path: PathBuf,
    },
    /// The network could not be joined.
    #[error("{what} ({at})")]
    Unreachable {
        /// Where it was tried.
        at: String,
        /// What zenoh says.
        what: String,
    },
    /// zenoh failed at something else.
    #[error("{doing}: {what}")]
    Zenoh {
        /// What was being done.
        doing: &'static str,
        /// What zenoh says.
        what: String,
    },
    /// Nobody of this name answers.
    #[error("no {what} called {name} answers at {at}")]
    NotThere {
        /// Robot or policy.
        what: &'static str,
        /// Its name.
        name: String,
        /// Where it was looked for.
        at: String,
    },
    /// The other side said no.
    #[error("{name} refuses: {why}")]
    Refused {
        /// Who.
        name: String,
        /// In its own words.
        why: String,
    },
    /// An answer that is none.
    #[error("{name} answers what cannot be understood: {refusal}")]
    Answer {
        /// Who.
        name: String,
        /// Why not.
        refusal: Refusal,
    },
    /// This machine has nothing to show.
    #[error("this machine has no certificate: {}", folder.display())]
    NoPapers {
        /// Where it should be.
        folder: PathBuf,
    },
    /// A file of certificates that is none.
    #[error("no papers ({what}): {}", path.display())]
    Papers {
        /// What is wrong.
        what: String,
        /// The file.
        path: PathBuf,
    },
    /// A robot whose arms are not what this program knows by that name.
    #[error(
        "{name} is a {kind} unlike the one that is known here: use the same release and the same arm files on both machines"
    )]
    OtherArm {
        /// The robot.
        name: String,
        /// Its type.
        kind: String,
    },
    /// A file that could not be read or written.
    #[error("{source}: {}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The system gave no thread or no random numbers.
    #[error("the system refuses {what}: {why}")]
    System {
        /// What was asked for.
        what: &'static str,
        /// What it said.
        why: String,
    },
}
