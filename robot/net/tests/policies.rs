//! A policy and robots that ask it, over a real network of this machine.

#![allow(clippy::unwrap_used)] // a test that cannot set itself up must fail

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use sinew_net::message::{Frame, Input, Thinker, VERSION};
use sinew_net::think::{Elsewhere, Served, Turn};
use sinew_net::{Error, Network, Options};

const LONG: Duration = Duration::from_secs(20);

fn about(name: &str, width: u64) -> Thinker {
    Thinker {
        v: VERSION,
        name: name.into(),
        kind: "test".into(),
        program: "test".into(),
        inputs: vec![Input { name: "observation.state".into(), shape: vec![2] }],
        width,
        frames: 1,
        rows: 3,
        steps: 2,
        averaged: None,
        fps: None,
        task: false,
        images: "rgb8".into(),
    }
}

/// A port of this machine that nobody has.
fn free() -> String {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    format!("tcp/{}", listener.local_addr().unwrap())
}

fn host(at: &str) -> Network {
    Network::host(&Options { listen: vec![at.to_owned()], ..Options::default() }).unwrap()
}

fn guest(at: &str) -> Network {
    Network::ask(&Options { connect: vec![at.to_owned()], ..Options::default() }).unwrap()
}

fn seen(state: [f64; 2]) -> Vec<Frame> {
    let (state, environment_state) = (state.to_vec(), Vec::new());
    vec![Frame { state, environment_state, images: BTreeMap::new() }]
}

/// Says three times where the arm is.
fn stay(turn: Turn) {
    let state = turn.observed().frames[0].state.clone();
    let width = state.len();
    turn.answer(Ok((width, state.repeat(3))), Duration::from_millis(7));
}

/// Answers until it is over.
fn answers(served: &Served, over: &AtomicBool, answer: impl Fn(Turn)) {
    while !over.load(Ordering::Acquire) {
        if let Some(turn) = served.next(Duration::from_millis(20)) {
            answer(turn);
        }
    }
}

#[test]
fn a_policy_says_what_it_is_and_what_to_do() {
    let at = free();
    let network = host(&at);
    let served = Served::new(&network, &about("calm", 2)).unwrap();
    let over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| answers(&served, &over, stay));
        let policy = Elsewhere::meet(guest(&at), "calm", "white").unwrap();
        assert_eq!(policy.about(), &about("calm", 2));
        let thought = policy.ask(Some("rest"), seen([1.0, -2.5]), LONG, || true).unwrap().unwrap();
        assert_eq!((thought.width, thought.took_ms), (2, 7.0));
        assert_eq!(thought.rows, [1.0, -2.5, 1.0, -2.5, 1.0, -2.5]);
        let wrong = policy.ask(None, Vec::new(), LONG, || true).unwrap_err().to_string();
        assert!(wrong.contains("calm refuses: nothing was seen"), "{wrong}");
        let nobody = Elsewhere::meet(guest(&at), "wild", "white").err().unwrap();
        assert!(matches!(nobody, Error::NotThere { .. }), "{nobody}");
        let second = Served::new(&network, &about("calm", 2)).err().unwrap().to_string();
        assert!(second.contains("answers already"), "{second}");
        over.store(true, Ordering::Release);
    });
    assert_eq!(served.turned(), BTreeMap::from([("malformed", 1)]));
}

#[test]
fn what_nobody_could_take_is_not_said() {
    let at = free();
    let network = host(&at);
    let served = Served::new(&network, &about("odd", 2)).unwrap();
    let over = AtomicBool::new(false);
    let odd = |turn: Turn| {
        let said = match turn.observed().frames[0].state[0] {
            0.0 => Ok((2, vec![f64::NAN; 2])),
            1.0 => Ok((3, vec![0.0; 6])),
            2.0 => Ok((2, Vec::new())),
            _ => Err("the network\u{1b}[2J fell over".to_owned()),
        };
        turn.answer(said, Duration::ZERO);
    };
    std::thread::scope(|scope| {
        scope.spawn(|| answers(&served, &over, odd));
        let policy = Elsewhere::meet(guest(&at), "odd", "white").unwrap();
        for (state, why) in [
            (0.0, "odd refuses: rows that are none"),
            (1.0, "6 numbers in rows of 3, and rows of 2 were announced"),
            (2.0, "0 numbers in rows of 2"),
            (3.0, "odd refuses: the network[2J fell over"),
        ] {
            let error = policy.ask(None, seen([state, 0.0]), LONG, || true).unwrap_err();
            assert!(error.to_string().contains(why), "{error}");
        }
        over.store(true, Ordering::Release);
    });
}

#[test]
fn a_newer_question_takes_the_place_of_the_one_that_waits() {
    let at = free();
    let network = host(&at);
    let served = Served::new(&network, &about("slow", 2)).unwrap();
    let first = Elsewhere::meet(guest(&at), "slow", "white").unwrap();
    let other = Elsewhere::meet(guest(&at), "slow", "white").unwrap();
    std::thread::scope(|scope| {
        let old = scope.spawn(|| first.ask(None, seen([1.0, 1.0]), LONG, || true).unwrap());
        let theirs = scope.spawn(|| other.ask(None, seen([2.0, 2.0]), LONG, || true).unwrap());
        // They have had their turn, and are thought about.
        let turns = [served.next(LONG).unwrap(), served.next(LONG).unwrap()];
        let again = [3.0, 4.0].map(|state| {
            let first = &first;
            scope.spawn(move || first.ask(None, seen([state; 2]), LONG, || true).unwrap())
        });
        while served.turned().is_empty() {
            std::thread::sleep(Duration::from_millis(5));
        }
        turns.into_iter().for_each(stay);
        let newest = served.next(LONG).unwrap();
        let state = newest.observed().frames[0].state[0];
        stay(newest);
        let rows = [old, theirs].map(|said| said.join().unwrap().unwrap().rows[0]);
        assert_eq!(rows, [1.0, 2.0]);
        let again = again.map(|said| said.join().unwrap().map(|said| said.rows[0]));
        let wanted = if state == 3.0 { [Some(3.0), None] } else { [None, Some(4.0)] };
        assert_eq!(again, wanted);
    });
}

#[test]
fn whoever_is_gone_is_asked_again_until_he_is_back() {
    let at = free();
    let network = host(&at);
    let served = Served::new(&network, &about("calm", 2)).unwrap();
    let policy = Elsewhere::meet(guest(&at), "calm", "white").unwrap();
    drop((served, network));
    let ask = || policy.ask(None, seen([1.0, 2.0]), LONG, || true).unwrap();
    // The link is closed as the network is; then nobody is there at once.
    while ask().is_some() {}
    let network = host(&at);
    let served = Served::new(&network, &about("calm", 2)).unwrap();
    let over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| answers(&served, &over, stay));
        let thought = loop {
            if let Some(thought) = ask() {
                break thought;
            }
            std::thread::sleep(Duration::from_millis(20));
        };
        assert_eq!(thought.rows.len(), 6);
        over.store(true, Ordering::Release);
    });
}
