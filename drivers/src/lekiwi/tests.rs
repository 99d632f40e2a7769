use std::io::{ErrorKind, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, sync_channel};

use jpeg_encoder::{ColorType, Encoder};

use super::*;
use crate::arm::Follower;
use crate::camera::Source;
use crate::stop::{Cause, StopPolicy};
use crate::zmtp::{self, Socket};
use crate::{ArmSpec, Clock, Error};

/// What LeRobot's host does: says what it sees, and takes commands.
struct Stand {
    ports: Ports,
    commands: Receiver<serde_json::Value>,
    /// How whoever commands it ended that.
    ended: Receiver<ErrorKind>,
}

/// What its camera sees, in red, green and blue.
const ORANGE: [u8; 3] = [200, 120, 10];

fn picture() -> Vec<u8> {
    let mut file = Vec::new();
    let pixels = ORANGE.repeat(64 * 48);
    // As OpenCV takes what LeRobot hands it.
    Encoder::new(&mut file, 90).encode(&pixels, 64, 48, ColorType::Bgr).unwrap();
    file
}

fn stand(head: impl Fn(u32) -> String + Send + 'static) -> Stand {
    stand_that(move |stream| {
        for number in 0.. {
            let head = head(number);
            // One that says nothing is there all the same.
            if !head.is_empty() && zmtp::send(stream, &[head.as_bytes(), &picture()]).is_err() {
                return;
            }
            Clock::Real.sleep(5 * crate::clock::MILLI);
        }
    })
}

fn stand_that(say_it: impl FnOnce(&mut TcpStream) + Send + 'static) -> Stand {
    let [says, takes] = [(); 2].map(|()| TcpListener::bind("127.0.0.1:0").unwrap());
    let port = |listener: &TcpListener| listener.local_addr().unwrap().port();
    let ports = Ports { commands: port(&takes), observations: port(&says) };
    let say = move || {
        let (mut stream, _) = says.accept().unwrap();
        zmtp::greet(&mut stream, Socket::Push).unwrap();
        say_it(&mut stream);
    };
    std::thread::Builder::new().spawn(say).unwrap();
    let (send, commands) = sync_channel(1024);
    let (tell, ended) = sync_channel(1);
    let take = move || {
        let (mut stream, _) = takes.accept().unwrap();
        zmtp::greet(&mut stream, Socket::Pull).unwrap();
        let end = loop {
            match zmtp::receive(&mut stream, 4096) {
                Ok(frames) => {
                    send.try_send(serde_json::from_slice(&frames[0]).unwrap()).ok();
                }
                Err(error) => break error,
            }
        };
        tell.send(end.kind()).ok();
    };
    std::thread::Builder::new().spawn(take).unwrap();
    Stand { ports, commands, ended }
}

fn whole(_number: u32) -> String {
    r#"{"_cams": ["front"], "arm_shoulder_pan.pos": 1.5, "arm_shoulder_lift.pos": 2,
        "arm_elbow_flex.pos": 3, "arm_wrist_flex.pos": 4, "arm_wrist_roll.pos": 5,
        "arm_gripper.pos": 6, "x.vel": 0.0, "y.vel": 0, "theta.vel": 0.0}"#
        .to_owned()
}

fn connect(ports: Ports) -> Result<std::sync::Arc<LeKiwi>, Error> {
    let spec = ArmSpec::builtin("lekiwi").unwrap();
    LeKiwi::connect("127.0.0.1", ports, &spec, Clock::Real).map(std::sync::Arc::new)
}

#[test]
fn it_is_seen_and_driven_and_left_standing() {
    let stand = stand(whole);
    let robot = connect(stand.ports).unwrap();
    assert_eq!(robot.cameras(), [("front".to_owned(), 64, 48)]);
    let taken = robot.eye("front").unwrap().shoot().unwrap();
    let mut pixels = taken.picture.pixels.iter().zip(ORANGE.iter().cycle());
    assert!(pixels.all(|(pixel, sent)| pixel.abs_diff(*sent) <= 4));
    assert!(robot.eye("back").is_err());
    let mut arm = LeKiwiArm::new(&robot, ArmSpec::builtin("lekiwi").unwrap(), None).unwrap();
    assert!(matches!(arm.command(&[0.0; 9]), Err(Error::NotConfigured)));
    arm.configure().unwrap();
    let seen = arm.observe().unwrap();
    assert_eq!(seen.values[..6], [1.5, 2.0, 3.0, 4.0, 5.0, 6.0]);
    let mut goal = [10.0, 500.0, f64::NAN, 0.0, 0.0, -3.0, 0.1, 0.0, f64::INFINITY];
    let sent = arm.command(&goal).unwrap().values.clone();
    assert_eq!(sent, [10.0, 180.0, 3.0, 0.0, 0.0, 0.0, 0.1, 0.0, 0.0]);
    let told = stand.commands.recv().unwrap();
    assert_eq!((&told["arm_shoulder_pan.pos"], &told["x.vel"]), (&10.0.into(), &0.1.into()));
    assert_eq!(told.as_object().unwrap().len(), 9);
    goal[0] = 11.0;
    assert!(matches!(arm.command(&goal[..8]), Err(Error::ValueCount { expected: 9, got: 8 })));
    let report = arm.end();
    assert_eq!(report.policy, StopPolicy::Hold);
    assert!(report.ok());
    let last = stand.commands.try_iter().last().unwrap();
    assert_eq!((&last["x.vel"], &last["arm_shoulder_pan.pos"]), (&0.0.into(), &1.5.into()));
    assert!(matches!(arm.command(&goal), Err(Error::Stopped { .. })));
}

#[test]
fn what_is_no_number_stays_as_it_was_and_who_says_nothing_whole_is_none() {
    let stand = stand(|number| match number {
        0 => whole(0),
        _ => r#"{"_cams": 5, "arm_shoulder_pan.pos": "x", "x.vel": null}"#.to_owned(),
    });
    let robot = connect(stand.ports).unwrap();
    let mut arm = LeKiwiArm::new(&robot, ArmSpec::builtin("lekiwi").unwrap(), None).unwrap();
    arm.configure().unwrap();
    Clock::Real.sleep(50 * crate::clock::MILLI);
    assert_eq!(arm.observe().unwrap().values[0], 1.5);
    assert!(connect(self::stand(|_| "{}".to_owned()).ports).is_err());
    assert!(connect(self::stand(|_| "[1]".to_owned()).ports).is_err());
}

fn driven(stand: &Stand) -> (std::sync::Arc<LeKiwi>, LeKiwiArm) {
    let robot = connect(stand.ports).unwrap();
    let mut arm = LeKiwiArm::new(&robot, ArmSpec::builtin("lekiwi").unwrap(), None).unwrap();
    arm.configure().unwrap();
    arm.command(&[1.0; 9]).unwrap();
    stand.commands.recv().unwrap();
    (robot, arm)
}

#[test]
fn what_it_does_not_say_is_not_fresh_and_grows_old() {
    let stand = stand(|number| match number {
        0 => whole(0),
        _ => r#"{"arm_shoulder_pan.pos": 7}"#.to_owned(),
    });
    let robot = connect(stand.ports).unwrap();
    let mut arm = LeKiwiArm::new(&robot, ArmSpec::builtin("lekiwi").unwrap(), None).unwrap();
    arm.configure().unwrap();
    let mut old = 0;
    while arm.observe().unwrap().values[0] < 7.0 || old < 20 * crate::clock::MILLI {
        old = arm.observation().ages[1];
        Clock::Real.sleep(6 * crate::clock::MILLI);
    }
    while !arm.observe().unwrap().fresh[0] {}
    let seen = arm.observation();
    assert_eq!(seen.fresh[1..], [false; 8]);
    assert_eq!(seen.values[1], 2.0, "the newest that is known");
    assert!(seen.ages[1] > seen.ages[0] + 10 * crate::clock::MILLI, "{:?}", seen.ages);
}

#[test]
fn joints_that_nobody_sees_are_not_confirmed() {
    let stand = stand(|number| match number {
        0 => whole(0),
        _ => r#"{"arm_shoulder_pan.pos": 1.5, "x.vel": 0, "y.vel": 0, "theta.vel": 0}"#.to_owned(),
    });
    let (_robot, mut arm) = driven(&stand);
    let report = arm.end();
    let ok: Vec<_> = report.motors.iter().map(|motor| motor.ok).collect();
    assert_eq!(ok, [true, false, false, false, false, false, true, true, true], "{report:?}");
}

#[test]
fn joints_that_still_move_are_not_confirmed() {
    let stand = stand(|number| {
        whole(0).replace("_pan.pos\": 1.5", &format!("_pan.pos\": {}", number % 100))
    });
    let (_robot, mut arm) = driven(&stand);
    let report = arm.end();
    assert!(!report.motors[0].ok && report.motors[1..].iter().all(|motor| motor.ok), "{report:?}");
}

#[test]
fn one_that_falls_silent_hears_nothing_more_of_what_was_meant_before() {
    let stand = stand(|number| if number < 3 { whole(0) } else { String::new() });
    let (_robot, mut arm) = driven(&stand);
    while arm.observe().is_ok() {
        arm.command(&[2.0; 9]).unwrap();
        Clock::Real.sleep(5 * crate::clock::MILLI);
    }
    assert_eq!(arm.stopped(), Some(Cause::LostPort));
    assert_eq!(stand.ended.recv().unwrap(), ErrorKind::ConnectionReset);
    let report = arm.end();
    assert!(report.motors.iter().all(|motor| !motor.ok), "nobody knows: {report:?}");
}

#[test]
fn what_is_let_go_of_is_aborted() {
    let stand = stand(whole);
    let (robot, arm) = driven(&stand);
    drop((robot, arm));
    assert_eq!(stand.ended.recv().unwrap(), ErrorKind::ConnectionReset);
}

#[test]
fn nobody_waits_for_one_that_talks_without_saying_anything() {
    // Commands without end, and a long frame that comes byte by byte.
    for words in [&b"\x04\x05\x04PING"[..], b"\x02\0\0\0\0\x01\0\0\0"] {
        let (tell, talks) = sync_channel(1);
        let stand = stand_that(move |stream| {
            zmtp::send(stream, &[whole(0).as_bytes()]).unwrap();
            for (number, byte) in words.iter().cycle().enumerate() {
                if stream.write_all(&[*byte]).is_err() {
                    return;
                }
                if number == 40 {
                    tell.send(()).unwrap();
                }
                Clock::Real.sleep(crate::clock::MILLI);
            }
        });
        let robot = connect(stand.ports).unwrap();
        talks.recv().unwrap();
        drop(robot);
        stand.ended.recv().unwrap();
    }
}
