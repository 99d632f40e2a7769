use nalgebra::{Isometry3, Vector3};
use proptest::prelude::*;
use sinew_drivers::arm::{Arm, ArmOptions};
use sinew_drivers::sim::{self, VirtualBus};
use sinew_drivers::{ArmSpec, Bus, Clock};

use super::*;
use crate::phone::{Hand, Message};

/// An arm in virtual time, a hundred ticks a second.
struct Bench {
    world: VirtualBus,
    arm: Arm,
    jog: Jog,
    stick: Stick,
    due: Nanos,
}

const TICK: Nanos = 10 * MILLI;

impl Bench {
    fn new(name: &str, moved: Moved) -> Self {
        let spec = ArmSpec::builtin(name).unwrap();
        let mut devices = sim::arm::assembled(&spec);
        let calibration = sim::arm::calibrate(&mut devices, &spec);
        let world = VirtualBus::new(devices, Clock::virtual_time(), 1);
        let bus = Bus::new(world.wire(), spec.series.protocol);
        let mut arm = Arm::connect(spec, bus, &calibration, ArmOptions::default()).unwrap();
        let (stick, mut jog) = Jog::new(&arm, moved).unwrap();
        jog.configure().unwrap();
        arm.configure().unwrap();
        let due = world.clock().now();
        Self { world, arm, jog, stick, due }
    }

    fn tip() -> Self {
        Self::new("so101_follower", Moved::Tip(Space::default()))
    }

    /// One tick, as the loop makes it.
    fn tick(&mut self) {
        self.due += TICK;
        self.world.clock().sleep_until(self.due);
        self.jog.read(self.world.clock().now()).unwrap();
        self.jog.see(self.arm.observe().unwrap());
        if self.jog.lead().age == 0 {
            self.arm.command(&self.jog.lead().values).unwrap();
        }
    }

    /// Ticks with this wanted all the while.
    fn hold(&mut self, rates: &[(Way, f64)], ticks: usize) {
        for _ in 0..ticks {
            let until = self.due + 5 * TICK;
            let mut wish = Wish { until, ..Wish::nothing() };
            rates.iter().for_each(|(way, rate)| wish.add(*way, *rate));
            self.stick.tell(wish);
            self.tick();
        }
    }

    /// Lets go, and waits until everything stands.
    fn rest(&mut self) {
        (0..150).for_each(|_| self.tick());
    }

    fn pose(values: &[f64]) -> Isometry3<f64> {
        let angles: Vec<f64> = values[..5].iter().map(|value| value.to_radians()).collect();
        Chain::in_degrees("so101").unwrap().pose(&angles)
    }

    /// Where the tip is asked to be.
    fn asked(&self) -> Isometry3<f64> {
        Self::pose(&self.jog.lead().values)
    }

    /// Where it is.
    fn there(&self) -> Isometry3<f64> {
        Self::pose(&self.arm.observation().values)
    }

    /// Stands with its joints here, in degrees, a hand having put them there.
    fn put(&mut self, degrees: [f64; 5]) {
        let from = self.jog.lead().values.clone();
        for step in 1..=100 {
            let share = f64::from(step) / 100.0;
            let mut goal = from.clone();
            goal.iter_mut().zip(degrees).for_each(|(goal, to)| *goal += share * (to - *goal));
            self.due += TICK;
            self.world.clock().sleep_until(self.due);
            self.arm.observe().unwrap();
            self.arm.command(&goal).unwrap();
        }
        self.jog.configure().unwrap();
        self.rest();
    }
}

fn way(from: &Isometry3<f64>, to: &Isometry3<f64>) -> Vector3<f64> {
    to.translation.vector - from.translation.vector
}

#[test]
fn it_begins_where_the_follower_stands_and_stays_there() {
    let mut bench = Bench::tip();
    bench.tick();
    let before = bench.arm.observation().values.clone();
    assert_eq!(bench.jog.lead().values, before);
    bench.rest();
    assert_eq!(bench.jog.lead().values, before);
}

#[test]
fn a_tip_goes_as_far_as_its_speed_says_and_stops_when_it_is_let_go() {
    let directions =
        [(Way::Forward, -Vector3::x()), (Way::Left, Vector3::y()), (Way::Up, Vector3::z())];
    for (direction, axis) in directions {
        let mut bench = Bench::tip();
        bench.rest();
        let (asked, there) = (bench.asked(), bench.there());
        let speed = if direction == Way::Forward { -0.05 } else { 0.05 };
        bench.hold(&[(direction, speed)], 100);
        bench.rest();
        // The last wish counts until it is out of date, four ticks later.
        let wanted = axis * 0.05 * 1.04;
        let off = way(&asked, &bench.asked()) - wanted;
        assert!(off.norm() < 1e-3, "{direction:?}: asked {off}");
        // Its servos give way to the weight by a degree or two, not everywhere alike.
        let off = way(&there, &bench.there()) - wanted;
        assert!(off.norm() < 8e-3, "{direction:?}: there {off}");
        let stood = bench.arm.observation().values.clone();
        bench.rest();
        assert_eq!(bench.arm.observation().values, stood, "it stands still");
    }
}

#[test]
fn a_tool_stays_turned_as_it_is() {
    let mut bench = Bench::tip();
    // It points down and ahead.
    bench.put([0.0, -20.0, 30.0, 60.0, 0.0]);
    let before = bench.asked();
    bench.hold(&[(Way::Forward, 0.04), (Way::Up, 0.03)], 150);
    let off = before.rotation.angle_to(&bench.asked().rotation);
    assert!(off < 0.5_f64.to_radians(), "{off}");
    bench.hold(&[(Way::Left, 0.05)], 150);
    // Five joints cannot keep the heading; how far it points down they can.
    let down = |pose: &Isometry3<f64>| (pose.rotation * Vector3::z()).z.asin();
    let off = down(&before) - down(&bench.asked());
    assert!(off.abs() < 2.0_f64.to_radians(), "{off}");
}

#[test]
fn a_tool_that_points_down_keeps_its_heading_too() {
    let mut bench = Bench::tip();
    bench.put([0.0, 0.0, 30.0, 60.0, 0.0]);
    let (before, roll) = (bench.asked(), bench.jog.lead().values[4]);
    bench.hold(&[(Way::Left, 0.05)], 150);
    assert!(way(&before, &bench.asked()).y > 0.07);
    let off = before.rotation.angle_to(&bench.asked().rotation);
    assert!(off < 6.0_f64.to_radians(), "{off}");
    assert!((bench.jog.lead().values[4] - roll).abs() > 10.0, "by rolling against the arm");
}

#[test]
fn tilt_and_roll_turn_the_tool_where_it_is() {
    for (direction, rate) in [(Way::Tilt, 40.0), (Way::Tilt, -40.0), (Way::Roll, 40.0)] {
        let mut bench = Bench::tip();
        bench.put([20.0, -20.0, 30.0, 10.0, 0.0]);
        let before = bench.asked();
        bench.hold(&[(direction, rate)], 50);
        bench.rest();
        let after = bench.asked();
        assert!(way(&before, &after).norm() < 1e-3, "{direction:?}");
        let points = |pose: &Isometry3<f64>| pose.rotation * Vector3::z();
        let (up, turned) =
            (points(&after).z - points(&before).z, before.rotation.angle_to(&after.rotation));
        assert!((turned - 22.0_f64.to_radians()).abs() < 0.03, "{direction:?} {turned}");
        match direction {
            Way::Tilt => assert!(up.signum() == rate.signum() && up.abs() > 0.2, "{up}"),
            _ => assert!(up.abs() < 0.02, "{up}"),
        }
    }
}

#[test]
fn walls_are_slid_along() {
    let space = Space { least: [0.3, -0.05, 0.15], ..Space::default() };
    let mut bench = Bench::new("so101_follower", Moved::Tip(space));
    bench.rest();
    bench.hold(&[(Way::Left, -0.05), (Way::Up, -0.05)], 120);
    let tip = bench.asked().translation.vector;
    assert!((tip.y + 0.05).abs() < 1e-3, "{tip}");
    assert!((0.15 - 1e-3..0.2).contains(&tip.z), "{tip}");
    bench.hold(&[(Way::Left, -0.05), (Way::Up, -0.05)], 200);
    assert!((bench.asked().translation.vector.z - 0.15).abs() < 1e-3);
    bench.hold(&[(Way::Left, 0.05)], 30);
    assert!(bench.asked().translation.vector.y > -0.04, "it comes back at once");
}

#[test]
fn beyond_its_reach_and_at_a_singular_pose_nothing_jumps() {
    let mut bench = Bench::tip();
    bench.rest();
    let mut before = bench.jog.lead().values.clone();
    let mut push = |bench: &mut Bench, rates: &[(Way, f64)], ticks: usize| {
        for _ in 0..ticks {
            bench.hold(rates, 1);
            for (value, before) in bench.jog.lead().values.iter().zip(&before) {
                assert!((value - before).abs() <= FASTEST * 0.01 + 1e-9);
            }
            before.clone_from(&bench.jog.lead().values);
        }
    };
    // To where the arm is stretched, which is singular, and along there.
    push(&mut bench, &[(Way::Forward, 0.1)], 300);
    let far = bench.asked().translation.vector;
    assert!(far.x > 0.42, "{far}");

    push(&mut bench, &[(Way::Forward, 0.1)], 100);
    assert!((bench.asked().translation.vector - far).norm() < 2e-3, "it stays there");
    push(&mut bench, &[(Way::Forward, 0.1), (Way::Left, 0.1), (Way::Up, -0.1)], 200);
    let far = bench.asked().translation.vector.x;
    push(&mut bench, &[(Way::Forward, -0.1)], 100);
    assert!(bench.asked().translation.vector.x < far - 0.05, "and comes back");
}

/// A hand that says how far it has gone since it took hold.
fn pull(bench: &mut Bench, hold: u64, way: [f64; PULLED], ticks: usize) {
    for _ in 0..ticks {
        let until = bench.due + 5 * TICK;
        bench.stick.tell(Wish { pull: Some(Pull { hold, way }), until, ..Wish::nothing() });
        bench.tick();
    }
}

#[test]
fn a_tip_goes_where_a_hand_goes_and_comes_back_with_it() {
    let mut bench = Bench::tip();
    bench.rest();
    let before = bench.asked();
    pull(&mut bench, 1, [-0.04, 0.03, 0.05, 0.0, 0.0, 0.0], 150);
    let off = way(&before, &bench.asked()) - Vector3::new(-0.04, 0.03, 0.05);
    assert!(off.norm() < 1e-3, "{off}");
    pull(&mut bench, 1, [0.0; PULLED], 150);
    assert!(way(&before, &bench.asked()).norm() < 1e-3);
    // A new hold begins where it stands.
    pull(&mut bench, 2, [0.0, 0.0, 0.02, 0.0, 0.0, 0.0], 150);
    assert!((way(&before, &bench.asked()).z - 0.02).abs() < 1e-3);
    let held = bench.asked();
    bench.rest();
    assert!(way(&held, &bench.asked()).norm() < 1e-5, "let go it stays");
}

#[test]
fn a_hand_beyond_what_can_be_reached_is_not_rushed_after_once_it_is_back() {
    let mut bench = Bench::new(
        "so101_follower",
        Moved::Tip(Space { least: [-1.0, -1.0, 0.1], ..Space::default() }),
    );
    bench.rest();
    for down in 1..=50 {
        pull(&mut bench, 1, [0.0, 0.0, -0.02 * f64::from(down), 0.0, 0.0, 0.0], 5);
    }
    let floor = bench.asked().translation.vector.z;
    assert!((floor - 0.1).abs() < 1e-3, "{floor}");
    // Far below, it comes up again by as much as the leash is long: nothing has moved yet.
    pull(&mut bench, 1, [0.0, 0.0, -0.91, 0.0, 0.0, 0.0], 100);
    assert!((bench.asked().translation.vector.z - floor).abs() < 1e-3);
    pull(&mut bench, 1, [0.0, 0.0, -0.85, 0.0, 0.0, 0.0], 100);
    assert!((bench.asked().translation.vector.z - floor - 0.05).abs() < 2e-3);
}

#[test]
fn a_hand_that_is_not_heard_of_any_more_holds_the_arm() {
    let mut bench = Bench::tip();
    bench.rest();
    let until = bench.world.clock().now() + 100 * MILLI;
    let mut wish = Wish { until, ..Wish::nothing() };
    wish.add(Way::Up, 0.1);
    bench.stick.tell(wish);
    let before = bench.asked();
    (0..200).for_each(|_| bench.tick());
    let up = way(&before, &bench.asked()).z;
    assert!((0.005..0.015).contains(&up), "{up}");
}

#[test]
fn what_is_asked_for_does_not_run_away_from_a_joint_that_is_held() {
    for (moved, direction) in
        [(Moved::Tip(Space::default()), (Way::Left, 0.1)), (Moved::Joints, (Way::Joint(0), -60.0))]
    {
        let mut bench = Bench::new("so101_follower", moved);
        bench.rest();
        let stuck = bench.world.servo(1).unwrap().joint;
        bench.world.hand(1, Some(stuck));
        bench.hold(&[direction], 300);
        let off = bench.jog.lead().values[0] - bench.arm.observation().values[0];
        assert!((10.0..16.0).contains(&off.abs()), "{off}");
    }
}

#[test]
fn joints_move_one_by_one_to_the_ends_of_their_ranges() {
    for name in ["so101_follower", "koch_follower", "omx_follower"] {
        let mut bench = Bench::new(name, Moved::Joints);
        bench.rest();
        let before = bench.jog.lead().values.clone();
        bench.hold(&[(Way::Joint(1), 30.0)], 100);
        bench.rest();
        let moved: Vec<f64> =
            bench.jog.lead().values.iter().zip(&before).map(|(now, then)| now - then).collect();
        let degrees = moved[1] * bench.arm.reaches()[1].degrees;
        assert!((degrees - 31.2).abs() < 0.1, "{name} {degrees}");
        assert!(moved.iter().enumerate().all(|(joint, off)| joint == 1 || *off == 0.0), "{name}");
        bench.hold(&[(Way::Open, 1.0), (Way::Joint(1), 60.0)], 300);
        let ranges: Vec<_> = bench.arm.reaches().iter().map(|reach| reach.range).collect();
        for joint in [1, 5] {
            let value = bench.jog.lead().values[joint];
            assert!((ranges[joint].0..=ranges[joint].1).contains(&value), "{name}");
            assert!(ranges[joint].1 - value < 40.0, "{name} {joint} {value}");
        }
    }
}

#[test]
fn a_base_drives_while_its_arm_stands() {
    let mut bench = Bench::new("lekiwi", Moved::Joints);
    bench.rest();
    let before = bench.jog.lead().values.clone();
    bench.hold(&[(Way::DriveAhead, 0.1), (Way::DriveTurn, 30.0)], 50);
    assert_eq!(bench.jog.lead().values[6..], [0.1, 0.0, 30.0]);
    assert_eq!(bench.jog.lead().values[..6], before[..6]);
    bench.rest();
    assert_eq!(bench.jog.lead().values[6..], [0.0; 3]);
    assert_eq!(Bench::new("lekiwi", Moved::Tip(Space::default())).jog.lead().values.len(), 9);
}

#[test]
fn an_arm_whose_tip_is_not_known_is_told_with_those_whose_is() {
    let spec = ArmSpec::builtin("omx_follower").unwrap();
    let mut devices = sim::arm::assembled(&spec);
    let calibration = sim::arm::calibrate(&mut devices, &spec);
    let world = VirtualBus::new(devices, Clock::virtual_time(), 1);
    let bus = Bus::new(world.wire(), spec.series.protocol);
    let arm = Arm::connect(spec, bus, &calibration, ArmOptions::default()).unwrap();
    let refused = Jog::new(&arm, Moved::Tip(Space::default())).err().unwrap().to_string();
    assert!(refused.contains("omx_follower") && refused.contains("so101"), "{refused}");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever a hand says, at whatever times, no joint is asked for more than it may do.
    #[test]
    fn no_wish_gives_a_leap_or_no_number(
        seed in prop::collection::vec((0..WAYS, prop::num::f64::ANY, 1..400i64, 0..30i64), 1..60),
        tip in any::<bool>(),
    ) {
        let moved = if tip { Moved::Tip(Space::default()) } else { Moved::Joints };
        let mut bench = Bench::new("so101_follower", moved);
        bench.tick();
        for (place, rate, lasts, pause) in seed {
            // Now and then something that a hand might say.
            let rate = if pause % 3 == 0 { (rate % 1.0) * Way::most(place) } else { rate };
            let mut wish = Wish { until: bench.due + lasts * MILLI, ..Wish::nothing() };
            wish.rates[place] = rate;
            bench.stick.tell(wish);
            bench.due += pause * TICK;
            let before = bench.jog.lead().values.clone();
            bench.tick();
            let seconds = (pause + 1) as f64 / 100.0;
            let most = FASTEST * seconds.min(0.1) + 1e-6;
            for (axis, (value, before)) in bench.jog.lead().values.iter().zip(&before).enumerate() {
                let most = if axis == 5 { 200.0 * seconds.min(0.1) + 1e-6 } else { most };
                prop_assert!(value.is_finite() && (value - before).abs() <= most, "{axis}: {before} {value}");
            }
            let tip = bench.asked().translation.vector;
            prop_assert!(!matches!(moved, Moved::Tip(_)) || tip.z > -0.02 - 1e-3);
        }
    }
    /// Whatever a phone sends, at whatever times, no joint is asked for more than it may do.
    #[test]
    fn no_phone_gives_a_leap_or_leaves_the_space(
        said in prop::collection::vec(
            (any::<[i16; 10]>(), 0..6u8, 0..30i64),
            1..80,
        ),
    ) {
        let space = Space { least: [0.1, -0.2, 0.05], most: [0.4, 0.2, 0.3] };
        let mut bench = Bench::new("so101_follower", Moved::Tip(space));
        bench.tick();
        let ranges: Vec<_> = bench.arm.reaches().iter().map(|reach| reach.range).collect();
        let mut hand = Hand::default();
        for (number, (parts, kind, pause)) in said.into_iter().enumerate() {
            let share = |at: usize| f64::from(parts[at]) / f64::from(i16::MIN).abs();
            // Steps of a hand, or of one that flies about.
            let far = if kind % 2 == 0 { 0.05 } else { 40.0 };
            let text = serde_json::json!({
                "n": number + 1,
                "held": kind != 5 && number > 0,
                "place": [share(0) * far, share(1) * far, share(2) * far],
                "turn": [(share(3) * far).sin(), 0, 0, (share(3) * far).cos()],
                "move": [share(4), share(5), share(6)],
                "open": share(7),
                "scale": 0.05 + 1.95 * share(8).abs(),
                "aim": u64::from(parts[9] % 7 == 0),
            });
            let message = Message::read(text.to_string().as_bytes()).unwrap();
            if let Some(wish) = hand.take(&message, bench.due) {
                bench.stick.tell(wish);
            }
            bench.due += pause * TICK;
            let before = bench.jog.lead().values.clone();
            bench.tick();
            let seconds = ((pause + 1) as f64 / 100.0).min(0.1);
            let asked = bench.jog.lead().values.iter().zip(&before).zip(&ranges);
            for (axis, ((value, before), range)) in asked.enumerate() {
                let most = if axis == 5 { 200.0 } else { FASTEST } * seconds + 1e-6;
                prop_assert!((value - before).abs() <= most, "{axis}: {before} {value}");
                prop_assert!((range.0 - 1e-6..=range.1 + 1e-6).contains(value), "{axis}: {value}");
            }
            let tip = bench.asked().translation.vector;
            prop_assert!(tip.z >= 0.05 - 2e-3 && tip.y.abs() <= 0.2 + 2e-3, "{tip}");
        }
    }
}
