//! A lab's worth of arms over one router, all on this machine:
//!
//! ```text
//! cargo bench -p sinew-net --bench fleet [-- ARMS SECONDS]
//! ```
//! A router, hosts and pilots in processes of their own, every robot with a connection of its own. Each robot
//! says at 50 Hz where it is, shows ten pictures a second (a JPEG file of 15 kB, coded before), and is driven
//! at 50 Hz by somebody who holds its lease. An observer at the router listens to everything: what it is told
//! is as old as the way there through the router takes. No motors and no physics, and what is asked of an arm is
//! verified and followed, but moves nothing: this is the network's part.

#![allow(clippy::unwrap_used, clippy::print_stdout)]

use std::process::{Child, Command, Stdio};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use sinew_drivers::arm::{Follower, Observation, Sent};
use sinew_drivers::bus::Timing;
use sinew_drivers::clock::{MILLI, SECOND};
use sinew_drivers::{ArmSpec, Clock, Nanos};
use sinew_net::host::{Condition, Eye, Host, HostOptions, Order};
use sinew_net::message::{
    Action, ArmDescription, CameraDescription, Description, Message, Mode, PictureHead, State,
    VERSION, decode,
};
use sinew_net::remote::{Driver, Robot};
use sinew_net::{Network, Options};
use sinew_teleop::source::Source;
use zenoh::Wait;

const HZ: Nanos = 50;
/// Every so many ticks there is a picture.
const PICTURE_EVERY: u64 = 5;
const PICTURE: usize = 15_000;

struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ended = self.0.kill().and_then(|()| self.0.wait());
    }
}

fn again(words: &[&str]) -> Running {
    let me = std::env::current_exe().unwrap();
    Running(Command::new(me).args(words).stdin(Stdio::null()).spawn().unwrap())
}

fn ask(at: &str) -> Network {
    let options = Options { connect: vec![at.to_owned()], ..Options::default() };
    let end = Instant::now() + Duration::from_secs(20);
    loop {
        match Network::ask(&options) {
            Ok(network) => return network,
            Err(error) => assert!(Instant::now() < end, "{error}"),
        }
        std::thread::sleep(Duration::from_millis(100));
    }
}

fn name(number: usize) -> String {
    format!("arm{number}")
}

fn router(at: &str) {
    let mut config = zenoh::Config::default();
    for (key, value) in [
        ("mode", "\"router\""),
        ("listen/endpoints", &format!("[\"{at}\"]")),
        ("scouting/multicast/enabled", "false"),
    ] {
        config.insert_json5(key, value).unwrap();
    }
    let _router = zenoh::open(config).wait().unwrap();
    std::thread::sleep(Duration::from_secs(600));
}

fn described(number: usize, values: Vec<String>) -> Description {
    let reach = sinew_net::message::ReachDescription {
        unit: sinew_core::joint::Units::Degrees,
        degrees: 1.0,
        low: -100.0,
        high: 100.0,
    };
    let joints = values.len();
    Description {
        v: VERSION,
        robot: name(number),
        kind: "so101_follower".into(),
        id: None,
        program: "bench".into(),
        fps: HZ as f64,
        watchdog_ms: 2000,
        stop: "limp".into(),
        arms: vec![ArmDescription {
            kind: "so101_follower".into(),
            values,
            reaches: vec![reach; joints],
            max_step: vec![None; joints],
        }],
        cameras: vec![CameraDescription { name: "front".into(), width: 320, height: 240, fps: 10 }],
        holder: None,
    }
}

fn hosts(at: &str, from: usize, to: usize) {
    let spec = ArmSpec::builtin("so101_follower").unwrap();
    let values = spec.value_names();
    let mut robots: Vec<_> = (from..to)
        .map(|number| {
            let network = ask(at);
            let options = HostOptions {
                description: described(number, values.clone()),
                watchdog: 2 * SECOND,
                take_over: false,
                audit: None,
                ros2: None,
            };
            let (host, mut led) = Host::open(&network, options).unwrap();
            let eye = Eye::open(&network, &name(number), "front").unwrap();
            (network, host, led.pop().unwrap(), eye)
        })
        .collect();
    let mut seen = Observation::new(values.len());
    seen.ages.fill(0);
    let sent = Sent::new(values.len(), values.len());
    let (clock, mut deadline, mut tick) = (Clock::Real, Clock::Real.now(), 0_u64);
    loop {
        // The robots' ticks are spread over a period, as they would be.
        let count = robots.len() as Nanos;
        for (place, (_, host, led, eye)) in robots.iter_mut().enumerate() {
            clock.sleep_until(deadline + SECOND / HZ * place as Nanos / count);
            match host.order() {
                Some(Order::Drive(lease, ticket)) => {
                    host.follow(lease);
                    host.answer(ticket, None, Vec::new());
                }
                Some(Order::Release(_, ticket) | Order::Stop(ticket)) => {
                    host.answer(ticket, None, Vec::new());
                }
                None => {}
            }
            let now = clock.now();
            led.read(now).unwrap();
            seen.timing = Timing { first_out: now, last_in: now };
            let mode = if host.lease().is_some() { Mode::Driven } else { Mode::Free };
            host.tell(tick, mode, None, Condition::UNKNOWN, std::iter::once((&seen, &sent)));
            if (tick + place as u64).is_multiple_of(PICTURE_EVERY) {
                let head = PictureHead {
                    v: VERSION,
                    n: tick + 1,
                    at: clock.now(),
                    moment: "exposure".into(),
                    width: 320,
                    height: 240,
                };
                eye.show(&head, vec![7; PICTURE]);
            }
        }
        deadline += SECOND / HZ;
        tick += 1;
    }
}

fn pilots(at: &str, arms: usize) {
    let spec = ArmSpec::builtin("so101_follower").unwrap();
    let mut arms: Vec<_> = (0..arms)
        .map(|number| {
            let network = ask(at);
            let end = Instant::now() + Duration::from_secs(60);
            let robot = loop {
                match Robot::find(&network, &name(number), Clock::Real) {
                    Ok(robot) => break robot,
                    Err(error) => assert!(Instant::now() < end, "{error}"),
                }
            };
            let driver = Driver { who: "pilot".into(), ..Driver::default() };
            let mut arm = robot.take(vec![spec.clone()], driver).unwrap().pop().unwrap();
            let begun = Instant::now();
            while let Err(error) = arm.configure() {
                assert!(begun.elapsed() < Duration::from_secs(60), "{error}");
            }
            (network, arm)
        })
        .collect();
    println!("all are driven");
    let (clock, mut deadline) = (Clock::Real, Clock::Real.now());
    let goal = vec![1.0; spec.value_count()];
    loop {
        let count = arms.len() as Nanos;
        for (place, (_, arm)) in arms.iter_mut().enumerate() {
            clock.sleep_until(deadline + SECOND / HZ * place as Nanos / count);
            arm.observe().unwrap();
            arm.command(&goal).unwrap();
        }
        deadline += SECOND / HZ;
    }
}

#[derive(Default)]
struct Heard {
    ages: Vec<Nanos>,
    bytes: usize,
}

static STATES: Mutex<Heard> = Mutex::new(Heard { ages: Vec::new(), bytes: 0 });
static ACTIONS: Mutex<Heard> = Mutex::new(Heard { ages: Vec::new(), bytes: 0 });
static PICTURES: Mutex<Heard> = Mutex::new(Heard { ages: Vec::new(), bytes: 0 });

fn listen<M: Message + 'static>(
    network: &Network,
    key: &str,
    heard: &'static Mutex<Heard>,
    at: fn(&M) -> Nanos,
    head: bool,
) -> zenoh::pubsub::Subscriber<()> {
    let hear = move |sample: zenoh::sample::Sample| {
        let now = Clock::Real.now();
        let payload = sample.payload().to_bytes();
        let said = match sample.attachment().filter(|_| head) {
            Some(head) => decode::<M>(&head.to_bytes()),
            None => decode::<M>(&payload),
        };
        let mut heard = heard.lock().unwrap();
        heard.bytes += payload.len() + sample.attachment().map_or(0, zenoh::bytes::ZBytes::len);
        if let Ok(message) = said.map(|message| at(&message)).map(|at| now - at) {
            heard.ages.push(message);
        }
    };
    network.session().declare_subscriber(key.to_owned()).callback(hear).wait().unwrap()
}

/// Processor seconds of a process so far.
fn cpu(child: &Running) -> f64 {
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", child.0.id())).unwrap();
    let fields: Vec<_> = stat.rsplit(')').next().unwrap().split_whitespace().collect();
    [11, 12].map(|at| fields[at].parse::<f64>().unwrap()).iter().sum::<f64>() / 100.0
}

fn tell(name: &str, heard: &Mutex<Heard>, seconds: f64, wanted: f64) {
    let mut heard = heard.lock().unwrap();
    heard.ages.sort_unstable();
    let ages = &heard.ages;
    let ms = |share: f64| {
        let place = (ages.len().max(1) - 1) as f64 * share;
        ages.get(place.round() as usize).map_or(f64::NAN, |age| *age as f64 / MILLI as f64)
    };
    println!(
        "{name:9} {:8.0} a second ({:5.1} % of what was said)  {:7.2} MB/s  ms p50 {:.2} p99 {:.2} p99.9 {:.2} max {:.1}",
        ages.len() as f64 / seconds,
        100.0 * ages.len() as f64 / seconds / wanted,
        heard.bytes as f64 / seconds / 1e6,
        ms(0.5),
        ms(0.99),
        ms(0.999),
        ms(1.0)
    );
}

fn main() {
    let words: Vec<String> = std::env::args().skip(1).filter(|word| word != "--bench").collect();
    let number = |place: usize| words.get(place).and_then(|word| word.parse::<usize>().ok());
    match words.first().map(String::as_str) {
        Some("router") => return router(&words[1]),
        Some("hosts") => return hosts(&words[1], number(2).unwrap(), number(3).unwrap()),
        Some("pilots") => return pilots(&words[1], number(2).unwrap()),
        _ => {}
    }
    let (arms, seconds) = (number(0).unwrap_or(100), number(1).unwrap_or(20) as u64);
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let at = format!("tcp/{}", listener.local_addr().unwrap());
    drop(listener);
    let router = again(&["router", &at]);
    let network = ask(&at);
    let half = (arms / 2).to_string();
    let hosts =
        [again(&["hosts", &at, "0", &half]), again(&["hosts", &at, &half, &arms.to_string()])];
    let _listening = (
        listen::<State>(&network, "sinew/*/state", &STATES, |state| state.at, false),
        listen::<Action>(&network, "sinew/*/action", &ACTIONS, |action| action.at, false),
        listen::<PictureHead>(&network, "sinew/*/camera/*", &PICTURES, |head| head.at, true),
    );
    let pilots = again(&["pilots", &at, &arms.to_string()]);
    // Until everybody is driven.
    let begun = Instant::now();
    while ACTIONS.lock().unwrap().ages.len() < arms * 50 {
        assert!(begun.elapsed() < Duration::from_secs(120), "they do not come about");
        std::thread::sleep(Duration::from_millis(200));
    }
    for heard in [&STATES, &ACTIONS, &PICTURES] {
        *heard.lock().unwrap() = Heard::default();
    }
    let all = [&router, &hosts[0], &hosts[1], &pilots];
    let before = all.map(cpu);
    let begun = Instant::now();
    std::thread::sleep(Duration::from_secs(seconds));
    let ran = begun.elapsed().as_secs_f64();
    let took: Vec<_> =
        all.iter().zip(before).map(|(child, before)| (cpu(child) - before) / ran).collect();
    let hz = (arms as Nanos * HZ) as f64;
    println!("{arms} arms at {HZ} Hz, {ran:.0} s");
    tell("states", &STATES, ran, hz);
    // Heartbeats are not meant for any instant.
    ACTIONS.lock().unwrap().ages.retain(|age| *age < SECOND);
    tell("actions", &ACTIONS, ran, hz);
    tell("pictures", &PICTURES, ran, hz / PICTURE_EVERY as f64);
    println!("cores: router {:.2}, hosts {:.2}, pilots {:.2}", took[0], took[1] + took[2], took[3]);
}
