//! A stand-in for the machine with the robot: it says and obeys what it is told to.

use std::net::TcpListener;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use sinew_core::joint::Units;
use sinew_drivers::clock::{MICRO, SECOND};
use sinew_drivers::spec::{ArmSpec, find};
use sinew_drivers::stop::{Cause, MotorStop, StopPolicy, StopReport};
use sinew_drivers::{Clock, Nanos};
use sinew_net::key::RobotKeys;
use sinew_net::message::{
    Action, ArmDescription, Ask, CameraDescription, Description, Event, Granted, Kind, Message,
    Mode, Now as Instants, Op, Reply, Secret, State, VERSION, decode, encode,
};
use sinew_net::remote::{Driver, RemoteArm, Robot};
use sinew_net::{Network, Options};
use zenoh::Wait;
use zenoh::query::Query;
use zenoh::sample::Sample;

/// By how much its clock is ahead of this one.
pub const AHEAD: Nanos = 5000 * SECOND;

/// How long any of it may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// Waits until something is so.
pub fn until(mut so: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !so() {
        assert!(begun.elapsed() < PATIENCE, "it never came");
        std::thread::yield_now();
    }
}

/// What the robot is just now.
pub struct Now {
    pub mode: Mode,
    pub lease: u64,
    pub secret: Secret,
    pub cause: Option<Cause>,
    pub holder: Option<String>,
    /// Where it stands, arm after arm.
    pub values: Vec<f64>,
    /// What it says it sent: no farther than this from zero.
    pub sent: Vec<f64>,
    /// How old it says each value is.
    pub ages: Vec<i64>,
    /// When it last saw where it stands, where it sees that no more.
    pub blind_since: Option<Nanos>,
    /// The newest number of the lease.
    pub n: u64,
    pub actions: Vec<Action>,
    pub beats: u64,
    pub asked: Vec<Op>,
    /// What was said and does not hold what it has to.
    pub wrong: Vec<String>,
}

pub struct Stand {
    pub network: Network,
    pub keys: RobotKeys,
    pub now: Arc<Mutex<Now>>,
    pub silent: Arc<AtomicBool>,
    address: String,
    specs: Vec<ArmSpec>,
    over: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

/// What it answers, if it does.
type Answers = Box<dyn Fn(&Query) -> Option<Vec<u8>> + Send + Sync>;

/// No goal is followed farther than this.
pub const LIMIT: f64 = 50.0;

fn described(specs: &[ArmSpec]) -> Description {
    let arm = |spec: &ArmSpec| {
        let reach = sinew_net::message::ReachDescription {
            unit: Units::Degrees,
            degrees: 1.0,
            low: -100.0,
            high: 100.0,
        };
        ArmDescription {
            kind: spec.name.clone(),
            values: spec.value_names(),
            reaches: vec![reach; spec.joints.len()],
            max_step: vec![Some(5.0); spec.joints.len()],
        }
    };
    Description {
        v: VERSION,
        robot: "white".into(),
        kind: "so101_follower".into(),
        id: None,
        program: "stand".into(),
        fps: 100.0,
        watchdog_ms: 500,
        stop: "park".into(),
        arms: specs.iter().map(arm).collect(),
        cameras: vec![CameraDescription { name: "front".into(), width: 32, height: 16, fps: 30 }],
        holder: None,
    }
}

impl Stand {
    pub fn start(kind: &str) -> Self {
        let specs = find(kind, &[]).unwrap();
        Self::describing(described(&specs), specs)
    }

    pub fn describing<M: Message + Send + Sync + 'static>(
        description: M,
        specs: Vec<ArmSpec>,
    ) -> Self {
        let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let address = free.to_string();
        let options = Options { listen: vec![address.clone()], ..Options::default() };
        let network = Network::host(&options).unwrap();
        let keys = RobotKeys::new("white").unwrap();
        let count = specs.iter().map(ArmSpec::value_count).sum();
        let now = Arc::new(Mutex::new(Now {
            mode: Mode::Free,
            lease: 0,
            secret: Secret::new().unwrap(),
            cause: None,
            holder: None,
            values: vec![0.0; count],
            sent: vec![0.0; count],
            ages: vec![0; count],
            blind_since: None,
            n: 0,
            actions: Vec::new(),
            beats: 0,
            asked: Vec::new(),
            wrong: Vec::new(),
        }));
        let (silent, over) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicBool::new(false)));
        let session = network.session();
        let answers = |key: String, answer: Answers| {
            let answer = move |query: Query| {
                if let Some(answer) = answer(&query) {
                    query.reply(query.key_expr(), answer).wait().unwrap();
                }
            };
            session.declare_queryable(key).callback(answer).background().wait().unwrap();
        };
        answers(keys.describe(), Box::new(move |_| Some(encode(&description))));
        let quiet = Arc::clone(&silent);
        let time = move |_: &Query| {
            let time = Instants { v: VERSION, at: Clock::Real.now() + AHEAD };
            (!quiet.load(Ordering::Acquire)).then(|| encode(&time))
        };
        answers(keys.clock(), Box::new(time));
        let (quiet, theirs, their_specs) = (Arc::clone(&silent), Arc::clone(&now), specs.clone());
        let lease = move |query: &Query| {
            let reply = theirs.lock().unwrap().asked(query, &their_specs);
            (!quiet.load(Ordering::Acquire)).then(|| encode(&reply))
        };
        answers(keys.lease(), Box::new(lease));
        let theirs = Arc::clone(&now);
        let hear = move |sample: Sample| theirs.lock().unwrap().hear(&sample);
        session.declare_subscriber(keys.action()).callback(hear).background().wait().unwrap();
        let publisher = session.declare_publisher(keys.state()).wait().unwrap();
        let (ended, quiet, theirs) = (Arc::clone(&over), Arc::clone(&silent), Arc::clone(&now));
        let run = move || {
            let mut n = 0;
            while !ended.load(Ordering::Acquire) {
                n += 1;
                if !quiet.load(Ordering::Acquire) {
                    publisher.put(encode(&theirs.lock().unwrap().state(n))).wait().unwrap();
                }
                std::thread::sleep(Duration::from_millis(5));
            }
        };
        let thread = std::thread::Builder::new().name("stand".into()).spawn(run).unwrap();
        Self { network, keys, now, silent, address, specs, over, thread: Some(thread) }
    }

    pub fn now(&self) -> MutexGuard<'_, Now> {
        self.now.lock().unwrap()
    }

    /// A place of somebody else on the network.
    pub fn asking(&self) -> Network {
        let options = Options { connect: vec![self.address.clone()], ..Options::default() };
        Network::ask(&options).unwrap()
    }

    pub fn robot(&self) -> Robot {
        Robot::find(&self.asking(), "white", Clock::Real).unwrap()
    }

    pub fn take(&self, driver: Driver) -> Result<Vec<RemoteArm>, sinew_net::Error> {
        self.robot().take(self.specs.clone(), driver)
    }

    /// The first of its arms, driven by somebody of this name.
    pub fn arm(&self, who: &str) -> RemoteArm {
        self.take(Driver { who: who.into(), ..Driver::default() }).unwrap().remove(0)
    }

    pub fn tell(&self, kind: Kind, who: &str, text: &str) {
        let event = Event { v: VERSION, kind, wall: 0, who: who.into(), text: text.into() };
        self.network.session().put(self.keys.event(), encode(&event)).wait().unwrap();
    }
}

impl Drop for Stand {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Release);
        self.thread.take().map(JoinHandle::join);
    }
}

impl Now {
    fn asked(&mut self, query: &Query, specs: &[ArmSpec]) -> Reply {
        let payload = query.payload().unwrap().to_bytes();
        let ask: Ask = decode(&payload).unwrap();
        self.asked.push(ask.op);
        let no = |why: &str| Reply {
            v: VERSION,
            refused: Some(why.to_owned()),
            granted: None,
            stopped: Vec::new(),
        };
        let yes = Reply { refused: None, ..no("") };
        if let Op::Drive | Op::Release = ask.op {
            let signature = query.attachment().unwrap().to_bytes();
            self.check(&payload, &signature, ask.n);
            if ask.lease != self.lease {
                return no("its lease is over or somebody else's");
            }
        }
        match ask.op {
            Op::Take => {
                if let Some(holder) = self.holder.as_ref().filter(|_| !ask.take_over) {
                    return no(&format!("{holder} drives it"));
                }
                (self.lease, self.n, self.mode) = (self.lease + 1, 0, Mode::Held);
                (self.holder, self.cause) = (Some(ask.who), None);
                self.secret = Secret::new().unwrap();
                let (lease, secret) = (self.lease, self.secret.clone());
                Reply { granted: Some(Granted { lease, secret, watchdog_ms: 500 }), ..yes }
            }
            Op::Drive => {
                self.mode = Mode::Driven;
                yes
            }
            Op::Release | Op::Stop => {
                self.end(Mode::Free, None);
                Reply { stopped: specs.iter().map(left).collect(), ..yes }
            }
        }
    }

    /// Ends whatever lease there is.
    pub fn end(&mut self, mode: Mode, cause: Option<Cause>) {
        (self.mode, self.cause, self.holder) = (mode, cause, None);
        // The next one has another number.
        self.lease += 1;
    }

    fn check(&mut self, payload: &[u8], signature: &[u8], n: u64) {
        if !self.secret.signed(payload, signature) {
            self.wrong.push(format!("number {n} is not signed"));
        }
        if n <= self.n {
            self.wrong.push(format!("number {n} comes after {}", self.n));
        }
        self.n = n;
    }

    fn hear(&mut self, sample: &Sample) {
        let payload = sample.payload().to_bytes();
        let action: Action = decode(&payload).unwrap();
        if action.lease != self.lease {
            return;
        }
        self.check(&payload, &sample.attachment().unwrap().to_bytes(), action.n);
        if action.values.is_empty() {
            self.beats += 1;
            return;
        }
        if self.mode != Mode::Driven {
            self.wrong.push("a goal before it is driven".into());
        }
        let first = usize::try_from(action.arm).unwrap() * action.values.len();
        for (place, value) in action.values.iter().enumerate() {
            self.sent[first + place] = value.clamp(-LIMIT, LIMIT);
            self.values[first + place] = self.sent[first + place];
        }
        self.actions.push(action);
    }

    fn state(&self, n: u64) -> State {
        let at = self.blind_since.unwrap_or_else(|| Clock::Real.now()) + AHEAD;
        let held = matches!(self.mode, Mode::Held | Mode::Driven);
        State {
            v: VERSION,
            n,
            at,
            spread: 800 * MICRO,
            values: self.values.clone(),
            ages: self.ages.clone(),
            sent: self.sent.clone(),
            sent_at: at,
            lease: if held { self.lease } else { 0 },
            done: self.n,
            mode: self.mode,
            cause: self.cause,
        }
    }
}

/// How an arm was left.
fn left(spec: &ArmSpec) -> StopReport {
    let motor = |(name, id, _): (&str, u8, _)| MotorStop {
        id,
        name: format!("{}{name}", spec.prefix),
        torque: Some(false),
        ok: true,
    };
    StopReport {
        arm: spec.name.clone(),
        policy: StopPolicy::Park,
        cause: Cause::Asked,
        motors: spec.servos().map(motor).collect(),
    }
}
