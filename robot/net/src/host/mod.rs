//! A robot for other machines to see and to drive.
//!
//! ```text
//!                    ┌ desk: who may ┐
//!  action ─▶ verified ─▶ rows ─▶ Led (a source) ─▶ the loop that moves arms, with its limits
//!  lease ──▶ orders ───────────────────────────▶ │
//!  state ◀── office (a thread) ◀── slips ◀────── ┘
//! ```
//! The control thread takes and leaves what goes over the network in rings that never wait.

mod audit;
mod desk;
mod eye;
mod front;
mod office;
mod playout;
mod refusals;

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use rtrb::{Consumer, Producer, RingBuffer};
use sinew_drivers::arm::{Observation, Sent};
use sinew_drivers::stop::{Cause, StopReport};
use sinew_drivers::{Clock, Nanos};
use zenoh::Wait;
use zenoh::query::Query;
use zenoh::sample::Sample;

use crate::key::RobotKeys;
use crate::message::{Description, Kind, MOST_VALUES, Mode, Reply, VERSION};
use crate::ros2::Node;
use crate::session::zenoh_error;
use crate::{Error, Network, presence};

use audit::Audit;
use desk::Desk;
pub use eye::Eye;
use front::Front;
pub use office::Condition;
pub use office::event;
use office::{Office, Paper, Slip};
use playout::{Followed, Row};
pub use playout::{Led, SILENT};

/// How a robot is hosted.
#[derive(Clone, Debug)]
pub struct HostOptions {
    /// What it says of itself.
    pub description: Description,
    /// After so much silence of its holder a lease ends.
    pub watchdog: Nanos,
    /// Whether a lease can be taken from its holder.
    pub take_over: bool,
    /// Where what happens is written down, if it is.
    pub audit: Option<PathBuf>,
    /// Itself in ROS 2's graph, if it is there too.
    pub ros2: Option<Node>,
}

/// What the control thread is asked for.
pub enum Order {
    /// Torque, for this lease.
    Drive(u64, Ticket),
    /// The end of this lease.
    Release(u64, Ticket),
    /// A stop, whoever drives.
    Stop(Ticket),
}

/// Somebody who waits for an answer.
pub struct Ticket {
    query: Box<Query>,
    who: String,
    limp: bool,
}

impl Ticket {
    /// Who asks.
    pub fn who(&self) -> &str {
        &self.who
    }

    /// Whether the arms are to be limp, however they are left otherwise.
    pub fn limp(&self) -> bool {
        self.limp
    }
}

/// A robot on the network, as its control thread has it.
pub struct Host {
    desk: Arc<Desk>,
    orders: Consumer<Order>,
    slips: Producer<Slip>,
    papers: SyncSender<Paper>,
    over: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
    /// What keeps it on the network, which ends with the last who has it.
    _network: Network,
    _presence: zenoh::liveliness::LivelinessToken,
    _answers: Vec<zenoh::query::Queryable<()>>,
    _actions: zenoh::pubsub::Subscriber<()>,
}

/// How long another of the same name may take to answer.
const PATIENCE: Duration = Duration::from_secs(1);
/// Rows of one arm that may wait for a tick.
const ROWS: usize = 256;
/// Ticks that may wait for the network.
const SLIPS: usize = 64;
/// Orders that may wait for a tick.
const ORDERS: usize = 16;
/// Events and answers that may wait for the network: more than may be asked in a second.
const PAPERS: usize = 256;

/// Where rows for each arm go, and how many values one has.
type Lanes = Mutex<Vec<(Producer<Row>, usize)>>;

impl Host {
    /// Puts a robot on the network; what drives its arms comes along, in their order.
    pub fn open(network: &Network, options: HostOptions) -> Result<(Self, Vec<Led>), Error> {
        let HostOptions { description, watchdog, take_over, audit, ros2 } = options;
        let keys = RobotKeys::new(&description.robot)?;
        if presence::robot(network, &description.robot, PATIENCE)?.is_some() {
            let why = format!("a robot of this name is hosted already ({})", network.at());
            return Err(Error::Refused { name: description.robot, why });
        }
        let desk = Arc::new(Desk::new(watchdog, take_over, Clock::Real)?);
        let followed = Arc::<Followed>::default();
        let (mut lanes, mut led) = (Vec::new(), Vec::new());
        for arm in &description.arms {
            let (lane, rows) = RingBuffer::new(ROWS);
            lanes.push((lane, arm.values.len()));
            led.push(Led::new(rows, Arc::clone(&desk), Arc::clone(&followed), &arm.values));
        }
        let (orders_in, orders) = RingBuffer::new(ORDERS);
        let (slips, slips_out) = RingBuffer::new(SLIPS);
        let (papers, papers_out) = sync_channel(PAPERS);
        let over = Arc::new(AtomicBool::new(false));
        let audit = audit.as_deref().map(Audit::open).transpose()?;
        let name = description.robot.clone();
        let office = Office::open(
            network,
            &name,
            keys.clone(),
            Arc::clone(&desk),
            followed,
            Arc::clone(&over),
            slips_out,
            papers_out,
            audit,
            ros2.map(|node| node.joint_states(&description.arms)).transpose()?,
        )?;
        let thread = std::thread::Builder::new().name("network".into()).spawn(|| office.run());
        let thread =
            thread.map_err(|error| Error::System { what: "a thread", why: error.to_string() })?;
        let actions = actions(network, &keys, Arc::clone(&desk), Mutex::new(lanes))?;
        let front = Front { desk: Arc::clone(&desk), papers: papers.clone(), keys: keys.clone() };
        let answers = vec![
            front.clone().leases(network, Mutex::new(orders_in))?,
            front.clone().describes(network, description)?,
            front.clock(network)?,
        ];
        let presence = presence::announce(network, &keys.alive())?;
        let host = Self {
            desk,
            orders,
            slips,
            papers,
            over,
            thread: Some(thread),
            _network: network.clone(),
            _presence: presence,
            _answers: answers,
            _actions: actions,
        };
        host.happened(Kind::Host, "", "it is there");
        Ok((host, led))
    }

    /// The next order, if there is one. Never waits.
    pub fn order(&mut self) -> Option<Order> {
        self.orders.pop().ok()
    }

    /// The lease that is held.
    pub fn lease(&self) -> Option<u64> {
        self.desk.lease()
    }

    /// Whether its holder has been silent for too long. Never waits.
    pub fn is_silent(&self) -> bool {
        self.desk.is_silent(Clock::Real.now())
    }

    /// Follows this lease's actions from now on; none where it is 0.
    pub fn follow(&self, lease: u64) {
        self.desk.follow(lease);
    }

    /// Ends a lease, and says whose it was.
    pub fn end(&self, lease: u64) -> Option<String> {
        self.desk.end(lease)
    }

    /// Answers an order.
    pub fn answer(&self, ticket: Ticket, refused: Option<String>, stopped: Vec<StopReport>) {
        let reply = Reply { v: VERSION, refused, granted: None, stopped };
        self.leave(Paper::Answer(ticket.query, reply));
    }

    /// Says what happened.
    pub fn happened(&self, kind: Kind, who: &str, text: impl Into<String>) {
        self.leave(Paper::Event(event(kind, who, text)));
    }

    fn leave(&self, paper: Paper) {
        // Where nothing goes out any more, who asked hears nothing, and asks again.
        self.papers.try_send(paper).unwrap_or_default();
        self.wake();
    }

    fn wake(&self) {
        if let Some(thread) = &self.thread {
            thread.thread().unpark();
        }
    }

    /// Leaves a tick to be told. Never waits: what there is no room for is not told.
    pub fn tell<'a>(
        &mut self,
        n: u64,
        mode: Mode,
        cause: Option<Cause>,
        condition: Condition,
        arms: impl Iterator<Item = (&'a Observation, &'a Sent)> + Clone,
    ) {
        let mut slip = Slip { mode, cause, n, condition, ..Slip::EMPTY };
        let middle = |seen: &Observation| seen.timing.first_out.midpoint(seen.timing.last_in);
        slip.at = arms.clone().map(|(seen, _)| middle(seen)).max().unwrap_or_default();
        for (seen, sent) in arms {
            // An arm that cannot be seen grows old beside the others.
            let older = slip.at.saturating_sub(middle(seen));
            slip.spread = seen.timing.last_in.saturating_sub(seen.timing.first_out);
            slip.sent_at = sent.at;
            let room = slip.values.iter_mut().zip(&mut slip.ages).zip(&mut slip.sent);
            let arm = seen.values.iter().zip(&seen.ages).zip(&sent.values);
            let mut count = 0;
            for (((value, age), order), ((now, aged), asked)) in room.skip(slip.count).zip(arm) {
                (*value, *age, *order) = (*now, aged.saturating_add(older), *asked);
                count += 1;
            }
            slip.count += count;
        }
        if self.slips.push(slip).is_ok() {
            self.wake();
        }
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        self.happened(Kind::Host, "", "it goes");
        self.over.store(true, Ordering::Release);
        self.wake();
        // A thread that panicked has already said so.
        let _ended = self.thread.take().map(JoinHandle::join);
    }
}

/// Takes actions in, verified, lane by lane.
fn actions(
    network: &Network,
    keys: &RobotKeys,
    desk: Arc<Desk>,
    lanes: Lanes,
) -> Result<zenoh::pubsub::Subscriber<()>, Error> {
    let take = move |sample: Sample| {
        let arrived = Clock::Real.now();
        let signature = sample.attachment().map(zenoh::bytes::ZBytes::to_bytes);
        let verified = desk.action(&sample.payload().to_bytes(), signature.as_deref());
        let Ok(action) = verified else { return };
        let mut lanes = lanes.lock().unwrap_or_else(PoisonError::into_inner);
        let lane = usize::try_from(action.arm).ok().and_then(|arm| lanes.get_mut(arm));
        let Some((lane, count)) = lane.filter(|(_, count)| *count == action.values.len()) else {
            if !action.values.is_empty() {
                let why = "not as many values as the arm has";
                desk.refusals.count(&crate::message::Refusal::malformed(why));
            }
            return;
        };
        let mut values = [0.0; MOST_VALUES];
        values.iter_mut().zip(&action.values).take(*count).for_each(|(to, from)| *to = *from);
        let row = Row { lease: action.lease, n: action.n, at: action.at, arrived, values };
        // Without room no tick looks, and nothing is asked of the arm.
        lane.push(row).unwrap_or_default();
    };
    let subscribed = network.session().declare_subscriber(keys.action()).callback(take).wait();
    subscribed.map_err(|error| zenoh_error("listening to actions", &error))
}
