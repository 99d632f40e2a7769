use std::collections::BTreeMap;

use proptest::prelude::*;
use sinew_core::joint::Units;

use super::*;

fn action() -> Action {
    Action { v: VERSION, lease: 7, n: 3, arm: 0, at: 123_456_789, values: vec![0.0, -12.5, 1e-9] }
}

fn described() -> Description {
    let reach = ReachDescription { unit: Units::Degrees, degrees: 1.0, low: -90.0, high: 90.5 };
    Description {
        v: VERSION,
        robot: "white".into(),
        kind: "so101_follower".into(),
        id: None,
        program: "sinew 0.1.0".into(),
        fps: 60.0,
        watchdog_ms: 500,
        stop: "limp".into(),
        arms: vec![ArmDescription {
            kind: "so101_follower".into(),
            values: vec!["shoulder_pan.pos".into()],
            reaches: vec![reach],
            max_step: vec![None],
        }],
        cameras: vec![CameraDescription { name: "front".into(), width: 640, height: 480, fps: 30 }],
        holder: Some("anna on laptop".into()),
    }
}

fn state() -> State {
    State {
        v: VERSION,
        n: 1,
        at: -5,
        spread: 900_000,
        values: vec![1.5, 2.25],
        ages: vec![0, 16_000_000],
        sent: vec![1.0, 2.0],
        sent_at: 9,
        lease: 7,
        done: 3,
        mode: Mode::Driven,
        cause: None,
    }
}

fn observed() -> Observed {
    let view = View { width: 2, height: 1, format: "rgb8".into(), data: vec![0, 255, 3, 4, 5, 6] };
    let images = BTreeMap::from([("observation.images.front".to_owned(), view)]);
    let frames = vec![Frame { state: vec![0.5; 6], environment_state: Vec::new(), images }];
    Observed { v: VERSION, robot: "white".into(), asker: u64::MAX, task: None, frames }
}

fn thinker() -> Thinker {
    Thinker {
        v: VERSION,
        name: "act".into(),
        kind: "act".into(),
        program: "sinew 0.1.0".into(),
        inputs: vec![Input { name: "observation.state".into(), shape: vec![6] }],
        width: 6,
        frames: 1,
        rows: 100,
        steps: 50,
        averaged: Some(0.01),
        fps: None,
        task: false,
        images: "jpeg".into(),
    }
}

#[test]
fn messages_come_back_as_they_went() {
    fn same<M: Message + PartialEq + std::fmt::Debug>(message: M) {
        assert_eq!(decode::<M>(&encode(&message)).unwrap(), message);
    }
    same(action());
    same(Action::heartbeat(1, 2));
    same(described());
    same(state());
    same(observed());
    same(thinker());
    same(Now { v: VERSION, at: -7 });
    same(Health {
        v: VERSION,
        refused: BTreeMap::from([("replayed".into(), 3)]),
        ..Health::default()
    });
    let granted = Granted { lease: 9, secret: Secret::new().unwrap(), watchdog_ms: 500 };
    same(Reply { v: VERSION, refused: None, granted: Some(granted), stopped: Vec::new() });
    same(Thought { v: VERSION, width: 2, rows: vec![1.0; 6], took_ms: 12.5, error: None });
}

#[test]
fn what_is_said_is_plain_cbor_with_names() {
    let value: ciborium::Value = ciborium::from_reader(&encode(&action())[..]).unwrap();
    let map = value.into_map().unwrap();
    let keys: Vec<_> = map.iter().map(|(key, _)| key.as_text().unwrap()).collect();
    assert_eq!(keys, ["v", "lease", "n", "arm", "at", "values"]);
}

#[test]
fn another_version_is_told_as_such_whatever_else_it_says() {
    let mut bytes = Vec::new();
    let newer = BTreeMap::from([("v", 2), ("quaternion", 4)]);
    ciborium::into_writer(&newer, &mut bytes).unwrap();
    assert_eq!(decode::<Action>(&bytes), Err(Refusal::Version(2)));
}

#[test]
fn fields_of_later_releases_are_left_alone() {
    let value = ciborium::Value::serialized(&action()).unwrap();
    let mut map = value.into_map().unwrap();
    map.push(("later".into(), "x".into()));
    let mut bytes = Vec::new();
    ciborium::into_writer(&ciborium::Value::Map(map), &mut bytes).unwrap();
    assert_eq!(decode::<Action>(&bytes).unwrap(), action());
}

#[test]
fn what_cannot_be_is_refused_with_the_reason() {
    let refused = |message: &Action| decode::<Action>(&encode(message)).unwrap_err().word();
    for value in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
        assert_eq!(refused(&Action { values: vec![value], ..action() }), "malformed");
    }
    assert_eq!(refused(&Action { values: vec![1.0; MOST_VALUES + 1], ..action() }), "malformed");
    assert_eq!(refused(&Action { values: vec![0.1; 4096], ..action() }), "too_big");
    assert_eq!(refused(&Action { arm: 8, ..action() }), "malformed");
    let mut whole = encode(&action());
    whole.push(0);
    assert_eq!(decode::<Action>(&whole).unwrap_err().word(), "malformed");
    let deep = [0x81; 1000];
    assert_eq!(decode::<Action>(&deep).unwrap_err().word(), "malformed");
    // A length that no memory holds.
    let vast = [0xa1, 0x61, b'v', 0x9b, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff];
    assert_eq!(decode::<Action>(&vast).unwrap_err().word(), "malformed");
    let mut wrong = observed();
    wrong.frames[0].images.values_mut().for_each(|view| view.width = 3);
    assert_eq!(decode::<Observed>(&encode(&wrong)).unwrap_err().word(), "malformed");
    let mut long = observed();
    long.frames[0].environment_state = vec![1.0; MOST_VALUES + 1];
    assert_eq!(decode::<Observed>(&encode(&long)).unwrap_err().word(), "malformed");
    let mut staring = observed();
    let view = staring.frames[0].images.values().next().unwrap().clone();
    let names = (0..=MOST_CAMERAS).map(|at| (format!("observation.images.{at}"), view.clone()));
    staring.frames[0].images = names.collect();
    assert_eq!(decode::<Observed>(&encode(&staring)).unwrap_err().word(), "malformed");
    let many = Observed { frames: vec![observed().frames.remove(0); 17], ..observed() };
    assert_eq!(decode::<Observed>(&encode(&many)).unwrap_err().word(), "malformed");
    for wrong in [
        Thinker { steps: 101, ..thinker() },
        Thinker { width: 0, ..thinker() },
        Thinker { rows: u64::MAX, ..thinker() },
        Thinker { averaged: Some(f64::NAN), ..thinker() },
    ] {
        assert_eq!(decode::<Thinker>(&encode(&wrong)).unwrap_err().word(), "malformed");
    }
    let named = Description { robot: "../x".into(), ..described() };
    assert_eq!(decode::<Description>(&encode(&named)).unwrap_err().word(), "malformed");
    let ages = State { ages: Vec::new(), ..state() };
    assert_eq!(decode::<State>(&encode(&ages)).unwrap_err().word(), "malformed");
}

#[test]
fn a_signature_is_of_one_message_and_one_secret() {
    let (secret, other) = (Secret::new().unwrap(), Secret::new().unwrap());
    let payload = encode(&action());
    let signature = secret.sign(&payload);
    assert!(secret.signed(&payload, &signature));
    assert!(!other.signed(&payload, &signature));
    assert!(!secret.signed(&payload[1..], &signature));
    assert!(!secret.signed(&payload, &signature[1..]));
    assert!(!secret.signed(&payload, &[]));
    assert_eq!(format!("{secret:?}"), "Secret");
}

proptest! {
    #[test]
    fn noise_is_refused_and_never_more(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        decode::<Action>(&bytes).ok();
        decode::<State>(&bytes).ok();
        decode::<Description>(&bytes).ok();
        decode::<Reply>(&bytes).ok();
        decode::<Observed>(&bytes).ok();
        decode::<Thought>(&bytes).ok();
        decode::<Thinker>(&bytes).ok();
    }

    #[test]
    fn a_bit_that_falls_over_is_refused_or_still_bounded(at in 0_usize..4096, bit in 0..8) {
        let mut bytes = encode(&described());
        let length = bytes.len();
        bytes[at % length] ^= 1_u8 << bit;
        if let Ok(description) = decode::<Description>(&bytes) {
            prop_assert!(description.check().is_ok());
        }
    }

    #[test]
    fn every_action_comes_back(
        values in prop::collection::vec(-1e6_f64..1e6, 0..MOST_VALUES),
        (lease, n, at) in (any::<u64>(), any::<u64>(), any::<i64>()),
    ) {
        let action = Action { v: VERSION, lease, n, arm: 0, at, values };
        prop_assert_eq!(decode::<Action>(&encode(&action)).unwrap(), action);
    }
}
