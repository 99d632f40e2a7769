//! The thread that says what the control thread leaves for it, so that a tick waits for no network.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::Receiver;
use std::time::Duration;

use rtrb::Consumer;
use sinew_drivers::Clock;
use sinew_drivers::clock::SECOND;
use sinew_drivers::stop::Cause;
use zenoh::Wait;
use zenoh::bytes::Encoding;
use zenoh::pubsub::Publisher;
use zenoh::qos::{CongestionControl, Priority};
use zenoh::query::Query;

use super::audit::{Audit, Clerk};
use super::desk::Desk;
use super::playout::Followed;
use super::refusals::TurnedAway;
use crate::key::RobotKeys;
use crate::message::{
    Event, Health, Kind, MOST_VALUES, Message, Mode, Reply, State, VERSION, encode,
};
use crate::ros2::JointStates;
use crate::session::zenoh_error;
use crate::{Error, Network};

/// What a tick leaves behind.
#[derive(Clone, Copy, Debug)]
pub struct Slip {
    /// Which tick.
    pub n: u64,
    /// When the joints were read, and how long that took.
    pub at: i64,
    /// From the first byte of that to the last.
    pub spread: i64,
    /// How many values there are.
    pub count: usize,
    /// Where the joints are.
    pub values: [f64; MOST_VALUES],
    /// How old that is.
    pub ages: [i64; MOST_VALUES],
    /// What was sent.
    pub sent: [f64; MOST_VALUES],
    /// When.
    pub sent_at: i64,
    /// Whether somebody drives.
    pub mode: Mode,
    /// Why it stopped.
    pub cause: Option<Cause>,
    /// How the loop and its motors are.
    pub condition: Condition,
}

/// How a loop and its motors are.
#[derive(Clone, Copy, Debug)]
pub struct Condition {
    /// Ticks so far.
    pub ticks: u64,
    /// Those of them that were late.
    pub late: u64,
    /// Answers of motors that did not come.
    pub lost: u64,
    /// How many motors there are.
    pub motors: usize,
    /// Volts, motor by motor, where they are known.
    pub volts: [Option<f32>; MOST_VALUES],
    /// Degrees Celsius, motor by motor, where they are known.
    pub celsius: [Option<f32>; MOST_VALUES],
}

impl Condition {
    /// Of which nothing is known yet.
    pub const UNKNOWN: Self = Self {
        ticks: 0,
        late: 0,
        lost: 0,
        motors: 0,
        volts: [None; MOST_VALUES],
        celsius: [None; MOST_VALUES],
    };

    /// One more motor.
    pub fn motor(&mut self, volts: Option<f32>, celsius: Option<f32>) {
        let places = self.volts.get_mut(self.motors).zip(self.celsius.get_mut(self.motors));
        if let Some((volt, degree)) = places {
            (*volt, *degree) = (volts, celsius);
            self.motors += 1;
        }
    }
}

impl Slip {
    /// An empty one.
    pub const EMPTY: Self = Self {
        n: 0,
        at: 0,
        spread: 0,
        count: 0,
        values: [0.0; MOST_VALUES],
        ages: [0; MOST_VALUES],
        sent: [0.0; MOST_VALUES],
        sent_at: 0,
        mode: Mode::Free,
        cause: None,
        condition: Condition::UNKNOWN,
    };
}

/// What else is to be said.
pub enum Paper {
    /// Something that happened.
    Event(Event),
    /// The answer to a question that took its time.
    Answer(Box<Query>, Reply),
}

/// Papers that are seen to before the next tick is told of.
const AT_ONCE: usize = 16;

/// All that the thread works with.
pub(super) struct Office {
    keys: RobotKeys,
    desk: Arc<Desk>,
    followed: Arc<Followed>,
    over: Arc<AtomicBool>,
    slips: Consumer<Slip>,
    papers: Receiver<Paper>,
    audit: Option<Clerk>,
    joints: Option<JointStates>,
    state: Publisher<'static>,
    event: Publisher<'static>,
    health: Publisher<'static>,
    condition: Condition,
    /// When the joints were read that were told of last.
    read: i64,
    told: u64,
    turned: TurnedAway,
    unwritten: u64,
}

impl Office {
    #[expect(clippy::too_many_arguments, reason = "all that the thread works with")]
    pub(super) fn open(
        network: &Network,
        name: &str,
        keys: RobotKeys,
        desk: Arc<Desk>,
        followed: Arc<Followed>,
        over: Arc<AtomicBool>,
        slips: Consumer<Slip>,
        papers: Receiver<Paper>,
        audit: Option<Audit>,
        joints: Option<JointStates>,
    ) -> Result<Self, Error> {
        let publisher = |key: String, priority, express| {
            let publisher = network.session().declare_publisher(key);
            let publisher = publisher.congestion_control(CongestionControl::Drop);
            let publisher = publisher.encoding(Encoding::APPLICATION_CBOR).priority(priority);
            let declared = publisher.express(express).wait();
            declared.map_err(|error| zenoh_error("publishing", &error))
        };
        Ok(Self {
            state: publisher(keys.state(), Priority::RealTime, true)?,
            event: publisher(keys.event(), Priority::InteractiveHigh, true)?,
            health: publisher(keys.health(), Priority::DataLow, false)?,
            keys,
            desk,
            followed,
            over,
            slips,
            papers,
            audit: audit.map(|audit| Clerk::start(name, audit)).transpose()?,
            joints,
            condition: Condition::UNKNOWN,
            read: 0,
            told: 0,
            turned: TurnedAway::default(),
            unwritten: 0,
        })
    }

    /// Works until it is over.
    pub(super) fn run(mut self) {
        let mut next = Clock::Real.now();
        loop {
            let over = self.over.load(Ordering::Acquire);
            while let Ok(slip) = self.slips.pop() {
                self.tell(&slip);
            }
            let most = if over { super::PAPERS } else { AT_ONCE };
            let mut handled = 0;
            while handled < most
                && let Ok(paper) = self.papers.try_recv()
            {
                self.handle(paper);
                handled += 1;
            }
            if over {
                return self.close();
            }
            if Clock::Real.now() >= next {
                next += SECOND;
                self.every_second();
            }
            if handled < most {
                std::thread::park_timeout(Duration::from_millis(20));
            }
        }
    }

    fn tell(&mut self, slip: &Slip) {
        self.condition = slip.condition;
        let row = |values: &[f64]| values.iter().take(slip.count).copied().collect();
        let state = State {
            v: VERSION,
            n: slip.n,
            at: slip.at,
            spread: slip.spread,
            values: row(&slip.values),
            ages: slip.ages.iter().take(slip.count).copied().collect(),
            sent: row(&slip.sent),
            sent_at: slip.sent_at,
            lease: self.desk.lease().unwrap_or(0),
            done: self.followed.done.load(Ordering::Relaxed),
            mode: slip.mode,
            cause: slip.cause,
        };
        say(&self.state, &state);
        // To ROS what was read once is said once.
        if let Some(joints) = self.joints.as_mut().filter(|_| state.at != self.read) {
            joints.say(state.at, &state.values);
        }
        self.read = state.at;
    }

    fn handle(&mut self, paper: Paper) {
        match paper {
            Paper::Answer(query, reply) => {
                // Who no longer listens has no need of it.
                query.reply(self.keys.lease(), encode(&reply)).wait().unwrap_or_default();
            }
            Paper::Event(event) if event.kind == Kind::LeaseRefused => {
                let told = self.turned.one_more(event, Clock::Real.now());
                told.into_iter().for_each(|event| self.happened(event));
            }
            Paper::Event(event) => self.happened(event),
        }
    }

    fn happened(&mut self, event: Event) {
        self.unwritten += u64::from(!self.publish(event));
    }

    /// Says what happened; answers whether it will be written down where it is to be.
    fn publish(&self, event: Event) -> bool {
        say(&self.event, &event);
        self.audit.as_ref().is_none_or(|audit| audit.leave(event))
    }

    /// Says what is still to be said.
    fn close(mut self) {
        let rest = self.turned.rest();
        rest.into_iter().for_each(|event| self.happened(event));
        self.own_up();
    }

    /// Says what is missing from the log, in the log too once there is room.
    fn own_up(&mut self) {
        if self.unwritten > 0 {
            let text = format!("the log's disk was too slow for {} events", self.unwritten);
            if self.publish(event(Kind::Host, "", text)) {
                self.unwritten = 0;
            }
        }
    }

    fn every_second(&mut self) {
        self.own_up();
        let turned = self.turned.due(Clock::Real.now());
        turned.into_iter().for_each(|event| self.happened(event));
        let refused = self.desk.refusals.told();
        let all: u64 = refused.values().sum();
        if all > self.told {
            let text = refused.iter().map(|(word, count)| format!("{word}: {count}"));
            let text = format!("{} since the start", text.collect::<Vec<_>>().join(", "));
            self.told = all;
            self.happened(event(Kind::Refused, "", text));
        }
        let condition = &self.condition;
        let motors = |known: &[Option<f32>]| known.iter().take(condition.motors).copied().collect();
        let health = Health {
            v: VERSION,
            ticks: condition.ticks,
            late: condition.late,
            lost: condition.lost,
            volts: motors(&condition.volts),
            celsius: motors(&condition.celsius),
            refused,
            actions: self.followed.count.load(Ordering::Relaxed),
            held_back_ms: self.followed.delay.load(Ordering::Relaxed) as f64 / 1e6,
            holder: self.desk.holder(),
        };
        say(&self.health, &health);
    }
}

fn say<M: Message>(publisher: &Publisher<'static>, message: &M) {
    // What the network does not take is nothing that the arm could wait for.
    publisher.put(encode(message)).wait().unwrap_or_default();
}

/// Something that happened just now.
pub fn event(kind: Kind, who: &str, text: impl Into<String>) -> Event {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    let wall = i64::try_from(since.unwrap_or_default().as_nanos()).unwrap_or(i64::MAX);
    Event { v: VERSION, kind, wall, who: who.to_owned(), text: text.into() }
}
