//! What must hold for any bytes from the network: a message that was taken is one that can be said, and a
//! refusal is words that can be shown.

use sinew_net::key;
use sinew_net::message::{
    Action, Ask, Description, Event, Health, MOST_ARMS, MOST_CAMERAS, MOST_VALUES, Message, Now,
    Observed, PictureHead, Reply, State, Thinker, Thought, decode, encode,
};
use sinew_net::trust::{Bundle, Papers};

use super::datasets::with_file;

/// A message, if it was taken: what it is written as again is taken again, and is the same.
fn taken<M: Message>(bytes: &[u8]) -> Option<M> {
    let message = match decode::<M>(bytes) {
        Ok(message) => message,
        Err(refusal) => {
            let words = refusal.to_string();
            assert!(words.len() < 1000 && !words.chars().any(char::is_control), "{words:?}");
            return None;
        }
    };
    assert!(bytes.len() <= M::MOST);
    let again = encode(&message);
    // What was left out is written as nothing, which takes room.
    if again.len() <= M::MOST {
        let Ok(read) = decode::<M>(&again) else { panic!("what was read cannot be written") };
        assert_eq!(encode(&read), again);
    }
    Some(message)
}

fn all_finite(values: &[f64]) -> bool {
    values.len() <= MOST_VALUES && values.iter().all(|value| value.is_finite())
}

fn all_shown<'a>(words: impl IntoIterator<Item = &'a String>) -> bool {
    words.into_iter().all(|words| !words.chars().any(char::is_control))
}

/// Where an arm is to go.
pub fn net_action(bytes: &[u8]) {
    let Some(action) = taken::<Action>(bytes) else { return };
    assert!(all_finite(&action.values) && action.arm < MOST_ARMS as u64, "{action:?}");
}

/// A question about the lease.
pub fn net_ask(bytes: &[u8]) {
    let Some(ask) = taken::<Ask>(bytes) else { return };
    assert!(all_shown([&ask.who]), "{ask:?}");
}

/// The answer to it.
pub fn net_reply(bytes: &[u8]) {
    let Some(reply) = taken::<Reply>(bytes) else { return };
    let names = reply.stopped.iter().flat_map(|report| &report.motors).map(|motor| &motor.name);
    assert!(all_shown(names.chain(&reply.refused)), "{reply:?}");
}

/// What a robot says it is.
pub fn net_description(bytes: &[u8]) {
    let Some(told) = taken::<Description>(bytes) else { return };
    assert!(key::check(&told.robot).is_ok(), "{told:?}");
    assert!(told.arms.len() <= MOST_ARMS && told.cameras.len() <= MOST_CAMERAS);
    assert!(told.arms.iter().map(|arm| arm.values.len()).sum::<usize>() <= MOST_VALUES);
    for arm in &told.arms {
        let reaches = arm.reaches.iter().flat_map(|reach| [reach.degrees, reach.low, reach.high]);
        let numbers: Vec<f64> = reaches.chain(arm.max_step.iter().flatten().copied()).collect();
        assert!(numbers.iter().all(|number| number.is_finite()), "{told:?}");
        assert!(arm.reaches.len() <= arm.values.len() && all_shown(&arm.values), "{told:?}");
    }
    for camera in &told.cameras {
        assert!(key::check(&camera.name).is_ok() && camera.fps > 0, "{told:?}");
    }
}

/// Where a robot says it is.
pub fn net_state(bytes: &[u8]) {
    let Some(state) = taken::<State>(bytes) else { return };
    assert!(all_finite(&state.values) && all_finite(&state.sent), "{state:?}");
    assert_eq!(state.values.len(), state.ages.len());
}

/// How a robot says it is.
pub fn net_health(bytes: &[u8]) {
    let Some(health) = taken::<Health>(bytes) else { return };
    assert!(all_shown(health.refused.keys().chain(&health.holder)), "{health:?}");
}

/// What happened there.
pub fn net_event(bytes: &[u8]) {
    let Some(event) = taken::<Event>(bytes) else { return };
    assert!(all_shown([&event.who, &event.text]), "{event:?}");
}

/// What goes beside a picture.
pub fn net_picture(bytes: &[u8]) {
    let Some(head) = taken::<PictureHead>(bytes) else { return };
    assert!(head.width > 0 && head.height > 0 && all_shown([&head.moment]), "{head:?}");
}

/// What time it is there.
pub fn net_now(bytes: &[u8]) {
    taken::<Now>(bytes);
}

/// What a robot shows a policy elsewhere.
pub fn net_observed(bytes: &[u8]) {
    let Some(seen) = taken::<Observed>(bytes) else { return };
    assert!(key::check(&seen.robot).is_ok() && all_shown(&seen.task), "{seen:?}");
    for frame in &seen.frames {
        assert!(all_finite(&frame.state) && all_finite(&frame.environment_state), "{frame:?}");
        for view in frame.images.values().filter(|view| view.format == "rgb8") {
            assert_eq!(view.data.len(), view.width as usize * view.height as usize * 3);
        }
    }
}

/// What a policy elsewhere says.
pub fn net_thought(bytes: &[u8]) {
    let Some(thought) = taken::<Thought>(bytes) else { return };
    assert!(thought.rows.iter().all(|value| value.is_finite()), "{thought:?}");
    assert!(thought.rows.is_empty() || (thought.rows.len() as u64).is_multiple_of(thought.width));
}

/// What a policy elsewhere says it is.
pub fn net_thinker(bytes: &[u8]) {
    let Some(told) = taken::<Thinker>(bytes) else { return };
    assert!(key::check(&told.name).is_ok() && all_shown([&told.kind, &told.images]), "{told:?}");
    assert!((1..=told.rows).contains(&told.steps) && told.frames > 0, "{told:?}");
}

/// The key of a token: whoever is there has a name.
pub fn net_token(bytes: &[u8]) {
    let Some(present) = key::present(&String::from_utf8_lossy(bytes)) else { return };
    let (key::Present::Robot(name) | key::Present::Policy(name)) = present;
    assert!(key::check(&name).is_ok(), "{name:?}");
}

/// A machine's papers: what was read is written as one that is read again, and can be taken.
pub fn net_papers(bytes: &[u8]) {
    with_file(bytes, |path| {
        let Ok(bundle) = Bundle::read(path) else { return };
        let folder = path.with_extension("net");
        let written = folder.join("again.papers");
        Papers::at(&folder).take(&bundle).expect("room for papers");
        bundle.write_new(&written).expect("room for a file");
        assert!(Papers::at(&folder).are_there());
        assert!(Bundle::read(&written).is_ok_and(|again| again == bundle));
    });
}
