//! Who is there: tokens that are on the network for as long as their owners are.

use std::collections::BTreeSet;
use std::time::Duration;

use zenoh::Wait;

use crate::key::{EVERYBODY, PolicyKeys, Present, RobotKeys, present};
use crate::message::{Action, Description, Message, Thinker};
use crate::session::zenoh_error;
use crate::{Error, Network};

/// As many as are told; a network can say more than anybody reads.
const MOST: usize = 10_000;

/// Says that somebody is there, until it is dropped.
pub fn announce(network: &Network, key: &str) -> Result<zenoh::liveliness::LivelinessToken, Error> {
    let declared = network.session().liveliness().declare_token(key.to_owned()).wait();
    declared.map_err(|error| zenoh_error("announcing", &error))
}

/// Everybody who is there, in order of their names.
pub fn look(network: &Network, patience: Duration) -> Result<Vec<Present>, Error> {
    let asked = network.session().liveliness().get(EVERYBODY).timeout(patience).wait();
    let answers = asked.map_err(|error| zenoh_error("asking who is there", &error))?;
    let tokens = answers.into_iter().take(MOST);
    let names = tokens.filter_map(|answer| present(answer.result().ok()?.key_expr().as_str()));
    Ok(names.collect::<BTreeSet<_>>().into_iter().collect())
}

/// What a robot says it is.
pub fn robot(
    network: &Network,
    name: &str,
    patience: Duration,
) -> Result<Option<Description>, Error> {
    described(network, &RobotKeys::new(name)?.describe(), patience)
}

/// What a policy says it is.
pub fn policy(network: &Network, name: &str, patience: Duration) -> Result<Option<Thinker>, Error> {
    described(network, &PolicyKeys::new(name)?.describe(), patience)
}

fn described<M: Message>(
    network: &Network,
    key: &str,
    patience: Duration,
) -> Result<Option<M>, Error> {
    network.query::<Action, M>(key, None, patience)
}
