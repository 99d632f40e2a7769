//! Who answers questions about a hosted robot: what it is, what time it is there, who may drive.

use std::sync::mpsc::SyncSender;
use std::sync::{Arc, Mutex, PoisonError};

use rtrb::Producer;
use sinew_drivers::Clock;
use zenoh::Wait;
use zenoh::bytes::Encoding;
use zenoh::query::Query;

use super::desk::{Desk, Question};
use super::office::{Paper, event};
use super::{Order, Ticket};
use crate::key::RobotKeys;
use crate::message::{Ask, Description, Kind, Now, Op, Reply, VERSION, decode, encode};
use crate::session::zenoh_error;
use crate::{Error, Network};

/// Who answers questions.
#[derive(Clone)]
pub(super) struct Front {
    pub desk: Arc<Desk>,
    pub papers: SyncSender<Paper>,
    pub keys: RobotKeys,
}

impl Front {
    fn open(
        network: &Network,
        key: String,
        answer: impl Fn(Query) + Send + Sync + 'static,
    ) -> Result<zenoh::query::Queryable<()>, Error> {
        let declared = network.session().declare_queryable(key).callback(answer).wait();
        declared.map_err(|error| zenoh_error("answering", &error))
    }

    pub fn describes(
        self,
        network: &Network,
        description: Description,
    ) -> Result<zenoh::query::Queryable<()>, Error> {
        let (key, desk) = (self.keys.describe(), Arc::clone(&self.desk));
        let answer = move |query: Query| {
            if let Err(refusal) = desk.question(Question::Look) {
                return refuse(&query, &refusal.to_string());
            }
            let told = Description { holder: desk.holder(), ..description.clone() };
            reply(&query, encode(&told));
        };
        Self::open(network, key, answer)
    }

    pub fn clock(self, network: &Network) -> Result<zenoh::query::Queryable<()>, Error> {
        let (key, desk) = (self.keys.clock(), self.desk);
        let answer = move |query: Query| match desk.question(Question::Look) {
            Ok(()) => reply(&query, encode(&Now { v: VERSION, at: Clock::Real.now() })),
            Err(refusal) => refuse(&query, &refusal.to_string()),
        };
        Self::open(network, key, answer)
    }

    pub fn leases(
        self,
        network: &Network,
        orders: Mutex<Producer<Order>>,
    ) -> Result<zenoh::query::Queryable<()>, Error> {
        let key = self.keys.lease();
        Self::open(network, key, move |query| self.asked(query, &orders))
    }

    fn asked(&self, query: Query, orders: &Mutex<Producer<Order>>) {
        let payload = query.payload().map(zenoh::bytes::ZBytes::to_bytes).unwrap_or_default();
        let signature = query.attachment().map(zenoh::bytes::ZBytes::to_bytes);
        let ask: Ask = match decode(&payload) {
            Ok(ask) => ask,
            Err(refusal) => {
                self.desk.refusals.count(&refusal);
                return refuse(&query, &refusal.to_string());
            }
        };
        let may = match ask.op {
            Op::Take => self.desk.question(Question::Take),
            Op::Stop => self.desk.question(Question::Stop),
            Op::Drive | Op::Release => self
                .desk
                .ask(&payload, signature.as_deref())
                .and_then(|_ask| self.desk.question(Question::Wish)),
        };
        if let Err(refusal) = may {
            return refuse(&query, &refusal.to_string());
        }
        if ask.op == Op::Take {
            return self.take(&query, &ask);
        }
        // Who only asks how an arm was left of which it has lost the lease stops nobody else's.
        if ask.op == Op::Stop
            && ask.lease != 0
            && self.desk.lease().is_some_and(|lease| lease != ask.lease)
        {
            return refuse(&query, "somebody else drives it by now");
        }
        let ticket = Ticket { query: Box::new(query), who: ask.who, limp: ask.limp };
        let order = match ask.op {
            Op::Take => return,
            Op::Drive => Order::Drive(ask.lease, ticket),
            Op::Release => Order::Release(ask.lease, ticket),
            Op::Stop => Order::Stop(ticket),
        };
        let mut orders = orders.lock().unwrap_or_else(PoisonError::into_inner);
        if let Err(rtrb::PushError::Full(order)) = orders.push(order) {
            let (Order::Drive(_, ticket) | Order::Release(_, ticket) | Order::Stop(ticket)) = order;
            refuse(&ticket.query, "too many wait for it already");
        }
    }

    fn take(&self, query: &Query, ask: &Ask) {
        let told = |kind, text: String| {
            self.papers.try_send(Paper::Event(event(kind, &ask.who, text))).unwrap_or_default();
        };
        let (refused, granted) = match self.desk.take(ask) {
            Ok(given) => {
                match &given.from {
                    Some(from) => told(Kind::LeaseTakenOver, format!("from {from}")),
                    None => told(Kind::LeaseTaken, String::new()),
                }
                (None, Some(given.granted))
            }
            Err(why) => {
                told(Kind::LeaseRefused, why.clone());
                (Some(why), None)
            }
        };
        let answer = Reply { v: VERSION, refused, granted, stopped: Vec::new() };
        reply(query, encode(&answer));
    }
}

fn reply(query: &Query, payload: Vec<u8>) {
    let answer = query.reply(query.key_expr().clone(), payload);
    // Who no longer listens has no need of it.
    answer.encoding(Encoding::APPLICATION_CBOR).wait().unwrap_or_default();
}

fn refuse(query: &Query, why: &str) {
    query.reply_err(why).wait().unwrap_or_default();
}
