//! How long a command takes from another machine's hands to the servo bus, beside what zenoh alone takes.
//!
//! `cargo bench -p sinew-net --bench latency [-- SECONDS]`, on a machine that does nothing else. Both ends
//! are in this process, each with a session of its own, over TCP on loopback; the arm is on the virtual bus.
//! A command waits for the host's next tick, up to a whole one. The bare ping goes to and fro between the
//! same sessions meanwhile, as often, and half of it counts.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stdout)]

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use sinew_core::calibration::Calibration;
use sinew_drivers::arm::{Arm, ArmOptions, Follower, OnMismatch};
use sinew_drivers::clock::{MILLI, SECOND};
use sinew_drivers::sim::{VirtualBus, arm};
use sinew_drivers::{ArmSpec, Bus, Clock, Nanos};
use sinew_net::host::{Condition, Host, HostOptions, Led, Order};
use sinew_net::message::{ArmDescription, Description, Mode, ReachDescription, VERSION};
use sinew_net::remote::{Driver, Robot};
use sinew_net::{Network, Options};
use sinew_teleop::source::Source;
use zenoh::Wait;

/// By how much each command differs from the one before, in degrees: what is sent is told apart by it.
const STEP: f64 = 0.001;

struct Run {
    /// From a command here to its packet's first byte there.
    took: Vec<Nanos>,
    /// Half of a bare message's way to and fro.
    ping: Vec<Nanos>,
}

fn quantile(sorted: &[Nanos], share: f64) -> f64 {
    let place = ((sorted.len() - 1) as f64 * share).round() as usize;
    sorted[place] as f64 / MILLI as f64
}

fn follower() -> (VirtualBus, Arm) {
    let spec = ArmSpec::builtin("so101_follower").unwrap();
    let world = VirtualBus::new(arm::devices(&spec), Clock::Real, 3);
    let row =
        |id| Calibration { id, drive_mode: 0, homing_offset: 0, range_min: 500, range_max: 3500 };
    let rows: Vec<_> = spec.servos().map(|(name, id, _)| (name.to_owned(), row(id))).collect();
    let options = ArmOptions { on_mismatch: OnMismatch::Write, ..ArmOptions::default() };
    let bus = Bus::new(world.wire(), spec.series.protocol);
    (world, Arm::connect(spec, bus, &rows, options).unwrap())
}

fn described(arm: &Arm, fps: f64) -> Description {
    let reach = |reach: &sinew_drivers::arm::Reach| ReachDescription {
        unit: reach.units,
        degrees: reach.degrees,
        low: reach.range.0,
        high: reach.range.1,
    };
    Description {
        v: VERSION,
        robot: "bench".into(),
        kind: "so101_follower".into(),
        id: None,
        program: "bench".into(),
        fps,
        watchdog_ms: 500,
        stop: "limp".into(),
        arms: vec![ArmDescription {
            kind: "so101_follower".into(),
            values: arm.spec().value_names(),
            reaches: arm.reaches().iter().map(reach).collect(),
            max_step: vec![None; arm.reaches().len()],
        }],
        cameras: Vec::new(),
        holder: None,
    }
}

/// The host's loop: which command's goals went out when.
fn host(
    mut host: Host,
    mut led: Led,
    mut arm: Arm,
    fps: f64,
    over: &AtomicBool,
) -> Vec<[Nanos; 2]> {
    let clock = Clock::Real;
    let (mut sent, mut deadline, mut newest) = (Vec::new(), clock.now(), 0);
    let mut tick = 0;
    while !over.load(Ordering::Acquire) {
        clock.sleep_until(deadline);
        let woke = clock.now();
        deadline += (SECOND as f64 / fps) as Nanos;
        if deadline < woke {
            deadline = woke;
        }
        match host.order() {
            Some(Order::Drive(lease, ticket)) => {
                arm.configure().unwrap();
                host.follow(lease);
                host.answer(ticket, None, Vec::new());
            }
            Some(Order::Release(lease, ticket)) => {
                host.end(lease);
                let report = arm.end();
                host.answer(ticket, None, vec![report]);
            }
            _ => {}
        }
        let lead = led.read(woke).unwrap();
        let (live, goal) = (lead.age < SECOND, lead.values.clone());
        arm.observe().unwrap();
        if live && arm.stopped().is_none() && goal[0] != 0.0 {
            let at = arm.command(&goal).unwrap().at;
            let number = (goal[0] / STEP).round() as Nanos;
            if number > newest {
                newest = number;
                sent.push([number, at]);
            }
        }
        let seen = std::iter::once((arm.observation(), arm.sent()));
        host.tell(tick, Mode::Driven, None, Condition::UNKNOWN, seen);
        tick += 1;
    }
    sent
}

fn run(fps: f64, hands: f64, seconds: u64) -> Run {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let at = format!("tcp/{}", listener.local_addr().unwrap());
    drop(listener);
    let there = Network::host(&Options { listen: vec![at.clone()], ..Options::default() }).unwrap();
    let here = Network::ask(&Options { connect: vec![at], ..Options::default() }).unwrap();

    let echo = there.session().declare_publisher("ping/back").express(true).wait().unwrap();
    let _echoes = there
        .session()
        .declare_subscriber("ping/to")
        .callback(move |sample| echo.put(sample.payload().clone()).wait().unwrap())
        .wait()
        .unwrap();
    let pings = Arc::new(Mutex::new(Vec::new()));
    let theirs = Arc::clone(&pings);
    let _pongs = here
        .session()
        .declare_subscriber("ping/back")
        .callback(move |sample| {
            let sent: [u8; 8] = sample.payload().to_bytes()[..8].try_into().unwrap();
            theirs.lock().unwrap().push((Clock::Real.now() - Nanos::from_le_bytes(sent)) / 2);
        })
        .wait()
        .unwrap();

    let (_world, arm) = follower();
    let options = HostOptions {
        description: described(&arm, fps),
        watchdog: 500 * MILLI,
        take_over: false,
        audit: None,
        ros2: None,
    };
    let (hosted, mut led) = Host::open(&there, options).unwrap();
    let led = led.pop().unwrap();
    let over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let loops = scope.spawn(|| host(hosted, led, arm, fps, &over));
        let spec = ArmSpec::builtin("so101_follower").unwrap();
        let robot = Robot::find(&here, "bench", Clock::Real).unwrap();
        let driver = Driver { who: "bench".into(), ..Driver::default() };
        let mut remote = robot.take(vec![spec], driver).unwrap().pop().unwrap();
        remote.configure().unwrap();
        let ping = here.session().declare_publisher("ping/to").express(true).wait().unwrap();
        let mut asked = Vec::new();
        let end = Instant::now() + Duration::from_secs(seconds);
        let mut deadline = Clock::Real.now();
        let mut number: i64 = 0;
        while Instant::now() < end {
            Clock::Real.sleep_until(deadline);
            deadline += (SECOND as f64 / hands) as Nanos;
            number += 1;
            remote.observe().unwrap();
            let mut goal = remote.observation().values.clone();
            goal[0] = number as f64 * STEP;
            asked.push((number, Clock::Real.now()));
            remote.command(&goal).unwrap();
            // Between two commands, so that neither waits for the other.
            Clock::Real.sleep_until(deadline - (SECOND as f64 / hands / 2.0) as Nanos);
            ping.put(Clock::Real.now().to_le_bytes().to_vec()).wait().unwrap();
        }
        remote.end();
        over.store(true, Ordering::Release);
        let sent = loops.join().unwrap();
        let took = sent.iter().filter_map(|[number, at]| {
            let (_, asked) = asked.iter().find(|(asked, _)| asked == number)?;
            Some(at - asked)
        });
        let took = took.collect();
        let ping = pings.lock().unwrap().clone();
        Run { took, ping }
    })
}

fn main() {
    let seconds = std::env::args().filter_map(|word| word.parse().ok()).next().unwrap_or(20);
    println!(
        "host Hz  hands Hz  commands  in to packet out, ms p50 p99 max  one tick + 2 ms | bare ping p50 p99"
    );
    for (fps, hands) in [(60.0, 60.0), (200.0, 60.0), (200.0, 200.0)] {
        let Run { mut took, mut ping } = run(fps, hands, seconds);
        took.sort_unstable();
        ping.sort_unstable();
        println!(
            "{fps:7} {hands:9} {:9}  {:.2} {:.2} {:.2}  {:.2} | {:.3} {:.3}",
            took.len(),
            quantile(&took, 0.5),
            quantile(&took, 0.99),
            quantile(&took, 1.0),
            1e3 / fps + 2.0,
            quantile(&ping, 0.5),
            quantile(&ping, 0.99),
        );
    }
}
