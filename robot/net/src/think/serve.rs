//! A policy that answers whoever asks.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use zenoh::Wait;
use zenoh::bytes::Encoding;
use zenoh::query::{Query, Queryable};

use super::desk::{Desk, Question};
use crate::key::PolicyKeys;
use crate::message::{Message, Observed, Thinker, Thought, VERSION, encode, shortened};
use crate::presence;
use crate::session::zenoh_error;
use crate::{Error, Network};

/// How long one of the same name may take to say that it is there already.
const PATIENCE: Duration = Duration::from_secs(1);

/// A policy that can be asked, until it is dropped.
pub struct Served {
    desk: Arc<Desk<Query>>,
    _asked: Queryable<()>,
    _described: Queryable<()>,
    _alive: zenoh::liveliness::LivelinessToken,
}

/// A robot's turn: what it saw, and whom to answer.
pub struct Turn {
    question: Question<Query>,
}

impl Served {
    /// Lets a policy be asked that says this of itself.
    pub fn new(network: &Network, about: &Thinker) -> Result<Self, Error> {
        let name = &about.name;
        let keys = PolicyKeys::new(name)?;
        if presence::policy(network, name, PATIENCE)?.is_some() {
            let why = format!("one of this name answers already ({})", network.at());
            return Err(Error::Refused { name: name.clone(), why });
        }
        let desk = Arc::new(Desk::new());
        let lay = {
            let desk = Arc::clone(&desk);
            move |query: Query| {
                let payload = query.payload().map(|payload| payload.to_bytes()).unwrap_or_default();
                if let Some((turned, why)) = desk.lay(&payload, query.clone()) {
                    say(&turned, &refused(&why));
                }
            }
        };
        let described = encode(about);
        let describe = move |query: Query| send(&query, described.clone());
        let session = network.session();
        let failed = |error: zenoh::Error| zenoh_error("answering", &error);
        Ok(Self {
            desk,
            _asked: session.declare_queryable(keys.ask()).callback(lay).wait().map_err(failed)?,
            _described: session
                .declare_queryable(keys.describe())
                .callback(describe)
                .wait()
                .map_err(failed)?,
            _alive: presence::announce(network, &keys.alive())?,
        })
    }

    /// The question whose turn it is, once there is one; waits so long at most.
    pub fn next(&self, patience: Duration) -> Option<Turn> {
        self.desk.take(patience).map(|question| Turn { question })
    }

    /// How many were turned away, and for what.
    pub fn turned(&self) -> BTreeMap<&'static str, u64> {
        self.desk.turned()
    }
}

impl Turn {
    /// What was seen.
    pub fn observed(&self) -> &Observed {
        &self.question.observed
    }

    /// Says what to do in rows of so many values, or why nothing.
    pub fn answer(self, said: Result<(usize, Vec<f64>), String>, took: Duration) {
        let thought = match said {
            Ok((width, rows)) => {
                let (width, took_ms) = (width as u64, took.as_secs_f64() * 1e3);
                Thought { v: VERSION, width, rows, took_ms, error: None }
            }
            Err(why) => refused(&why),
        };
        // What nobody could take is not said: they hear that instead.
        let thought = thought.check().map_or_else(|why| refused(&why.to_string()), |()| thought);
        say(&self.question.ticket, &thought);
    }
}

fn refused(why: &str) -> Thought {
    let error = Some(shortened(why));
    Thought { v: VERSION, width: 0, rows: Vec::new(), took_ms: 0.0, error }
}

fn say(query: &Query, thought: &Thought) {
    send(query, encode(thought));
}

fn send(query: &Query, payload: Vec<u8>) {
    let reply = query.reply(query.key_expr().clone(), payload).encoding(Encoding::APPLICATION_CBOR);
    // Whoever is gone asks again where he is back.
    reply.wait().unwrap_or_default();
}
