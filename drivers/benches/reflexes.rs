//! How evenly goals reach a servo from a host that stutters: through a plain adapter, and through a
//! board that runs the bus itself. Virtual servos on virtual time, so every run gives the same figures.
#![allow(clippy::print_stdout, clippy::unwrap_used)] // a bench is its own report

use std::sync::{Arc, Mutex};

use sinew_core::bridge::{FRAME_ROOM, Goals, Reply, Request};
use sinew_core::packet::{Decoder, Request as Packet};
use sinew_core::register::Reg;
use sinew_drivers::arm::ArmOptions;
use sinew_drivers::bridge::Bridge;
use sinew_drivers::clock::{MICRO, MILLI, SECOND};
use sinew_drivers::sim::{VirtualBoard, VirtualBus, arm};
use sinew_drivers::{Arm, ArmSpec, Bus, Clock, Nanos, Wire};

const TICK: Nanos = 20 * MILLI;
const TICKS: usize = 6_000;
/// Degrees per second of the way that the first joint is sent, up and down.
const SPEED: f64 = 40.0;
/// Seconds from one turn to the next.
const LEG: f64 = 2.0;
/// The instants at which the servo's goal is compared with the way.
const LOOK: Nanos = MILLI;

fn main() {
    let spec = arm::by_name("so101").unwrap();
    println!(
        "goals of one joint on an even way at {SPEED} degrees per second, {TICKS} ticks of 20 ms"
    );
    println!(
        "host: nine ticks in ten late by up to 0.3 ms, the others by 1 to 8, one in a hundred by 20 to 60"
    );
    println!("                  between goals, ms             off the even way, degrees");
    println!("                  mean   spread    p99   most      spread     p99    most");
    let plain = drive(&spec, false);
    let bridge = drive(&spec, true);
    report("plain adapter", &plain);
    report("board", &bridge);
    let ratio = plain.off.spread / bridge.off.spread;
    println!("the way is {ratio:.1} times as even through the board");
    sizes();
}

/// The way: up and down for ever.
fn way(now: Nanos) -> f64 {
    let phase = (now as f64 / SECOND as f64 / LEG) % 2.0;
    SPEED * LEG * (1.0 - (phase - 1.0).abs()) - SPEED * LEG / 2.0
}

/// How late the host is, tick by tick: the same in every run.
fn stutter(random: &mut fastrand::Rng) -> Nanos {
    let part = |random: &mut fastrand::Rng, low: Nanos, high: Nanos| random.i64(low..high);
    match random.u8(..100) {
        0 => part(random, 20 * MILLI, 60 * MILLI),
        1..10 => part(random, MILLI, 8 * MILLI),
        _ => part(random, 0, 300 * MICRO),
    }
}

struct Seen {
    gaps: Spread,
    off: Spread,
}

struct Spread {
    mean: f64,
    spread: f64,
    p99: f64,
    most: f64,
}

impl Spread {
    fn of(values: &[f64]) -> Self {
        let count = values.len() as f64;
        let mean = values.iter().sum::<f64>() / count;
        let spread = (values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / count).sqrt();
        let mut far: Vec<f64> = values.iter().map(|value| (value - mean).abs()).collect();
        far.sort_by(f64::total_cmp);
        Self { mean, spread, p99: far[far.len() * 99 / 100], most: far[far.len() - 1] }
    }
}

fn report(name: &str, seen: &Seen) {
    let Seen { gaps, off } = seen;
    println!(
        "{name:14} {:7.2} {:8.3} {:6.2} {:6.2}    {:8.3} {:7.3} {:7.3}",
        gaps.mean, gaps.spread, gaps.p99, gaps.most, off.spread, off.p99, off.most
    );
}

/// Drives the arm along the way and tells what its first servo was told, and when.
fn drive(spec: &ArmSpec, board: bool) -> Seen {
    let clock = Clock::virtual_time();
    let mut devices = arm::devices(spec);
    let calibration = arm::calibrate(&mut devices, spec);
    let servos = if board { Clock::virtual_time() } else { clock.clone() };
    let servos = VirtualBus::new(devices, servos, 1);
    let wire: Box<dyn Wire> = if board {
        let board = VirtualBoard::new(servos.clone(), clock.clone());
        Box::new(Bridge::open(board.wire()).unwrap())
    } else {
        servos.wire()
    };
    let bus = Bus::new(wire, spec.series.protocol);
    let mut arm = Arm::connect(spec.clone(), bus, &calibration, ArmOptions::default()).unwrap();
    arm.configure().unwrap();
    assert_eq!(arm.has_reflexes(), board);
    let goals = witness(spec, &servos);
    let mut random = fastrand::Rng::with_seed(7);
    for _ in 0..TICKS {
        let tick = (clock.now() / TICK + 1) * TICK;
        clock.sleep_until(tick + stutter(&mut random));
        arm.observe().unwrap();
        let mut values = [0.0; 6];
        values[0] = way(clock.now());
        arm.command(&values).unwrap();
    }
    let goals = goals.lock().unwrap();
    // The first second is the way to the way.
    let (first, last) = (goals[0].0 + SECOND, goals[goals.len() - 1].0);
    let after: Vec<_> = goals.iter().filter(|goal| goal.0 >= first).collect();
    let gaps: Vec<f64> =
        after.windows(2).map(|pair| (pair[1].0 - pair[0].0) as f64 / MILLI as f64).collect();
    Seen { gaps: Spread::of(&gaps), off: off_way(&goals, first, last) }
}

/// Every goal of the first servo, in degrees, with when it was on the line.
fn witness(spec: &ArmSpec, servos: &VirtualBus) -> Arc<Mutex<Vec<(Nanos, f64)>>> {
    let goals = Arc::new(Mutex::new(Vec::new()));
    let (told, protocol) = (Arc::clone(&goals), spec.series.protocol);
    let place = spec.series.get(Reg::GoalPosition).unwrap();
    servos.observe(Box::new(move |packet| {
        let (mut decoder, mut bytes) = (Decoder::<600>::new(protocol), packet.bytes);
        while let Some(frame) = decoder.next(&mut bytes) {
            let Some(Packet::SyncWrite { address, rows, .. }) = frame.request() else { continue };
            if packet.from_host && address == place.address && rows[0] == 1 {
                let counts = place.decode(protocol.byte_order(), &rows[1..]).unwrap();
                told.lock().unwrap().push((packet.at, f64::from(counts) * 360.0 / 4095.0));
            }
        }
    }));
    goals
}

/// How far the goal that the servo holds is off the way, once the delay that suits it best is taken
/// off, which is nobody's unevenness.
fn off_way(goals: &[(Nanos, f64)], first: Nanos, last: Nanos) -> Spread {
    let held = |delay: Nanos| -> Vec<f64> {
        let mut goals = goals.iter().peekable();
        let mut goal = 0.0;
        let mut off = Vec::new();
        let mut now = first;
        while now < last {
            while let Some((_, next)) = goals.next_if(|(at, _)| *at <= now) {
                goal = *next;
            }
            off.push(goal - way(now - delay));
            now += LOOK;
        }
        off
    };
    (0..80)
        .map(|half| Spread::of(&held(half * MILLI / 2)))
        .min_by(|a, b| a.spread.total_cmp(&b.spread))
        .unwrap()
}

/// How many bytes the messages of a tick take.
fn sizes() {
    let mut out = [0; FRAME_ROOM];
    let goals = Goals::new([1500, 2048, 3000, 700, 4095, 2600]).unwrap();
    let act = Request::Act { over_us: 0, goals }.encode(9_999, &mut out).unwrap();
    let spec = arm::by_name("so101").unwrap();
    let mut devices = arm::devices(&spec);
    let calibration = arm::calibrate(&mut devices, &spec);
    let clock = Clock::virtual_time();
    let board =
        VirtualBoard::new(VirtualBus::new(devices, Clock::virtual_time(), 1), clock.clone());
    let wire = Box::new(Bridge::open(board.wire()).unwrap());
    let bus = Bus::new(wire, spec.series.protocol);
    let mut arm = Arm::connect(spec, bus, &calibration, ArmOptions::default()).unwrap();
    arm.configure().unwrap();
    for _ in 0..100 {
        clock.sleep(TICK);
        arm.observe().unwrap();
        arm.command(&[10.0; 6]).unwrap();
    }
    let mut bridge = Bridge::open(board.wire()).unwrap();
    let seen = *bridge.watch(u32::MAX, 0).unwrap().unwrap();
    let seen = Reply::Observation(seen).encode(9_999, &mut out).unwrap();
    println!(
        "on USB: an action of six joints {act} bytes, an observation of six joints {seen} bytes"
    );
}
