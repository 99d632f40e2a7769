use std::path::Path;

use sinew_datasets::schema::{Dtype, Feature, Info};
use sinew_datasets::verify::{Options, verify};
use sinew_datasets::{Dataset, writer};

use super::*;

/// A recording of one value, without cameras, in this folder.
fn session(root: &Path, cut: Cut, rows: u64) -> Session {
    with_resets(root, cut, rows, 0)
}

/// The same with time to put things back.
fn with_resets(root: &Path, cut: Cut, rows: u64, reset_rows: u64) -> Session {
    let feature = || Feature::vector(Dtype::F32, vec!["a".to_owned()]);
    let features = ["action", "observation.state"].map(|name| (name.to_owned(), feature()));
    let info = Info::new(30, None, features.to_vec()).unwrap();
    let writer = Writer::create(root, info, writer::Options::default()).unwrap();
    let task = Arc::from("stand still");
    let plan = Plan { task, episodes: u64::MAX, rows, reset_rows, turns: None, cut };
    Session::new(writer, plan, 0).unwrap()
}

/// Hands these rows of the loop on; each says by its values which it is.
fn hand(session: &mut Session, rows: impl IntoIterator<Item = u64>) {
    for row in rows {
        let values = vec![row as f64];
        let slip = Slip { row, state: values.clone(), action: values, ..Slip::default() };
        session.row(&slip, &mut |_| {}).unwrap();
    }
}

fn finished(session: Session) -> Recorded {
    let (recorded, done) = session.finish(Ok(()), &mut |_| {});
    done.unwrap();
    recorded
}

fn press(session: &mut Session, key: Key) {
    session.key(key, &mut |_| {}).unwrap();
}

/// What each episode holds.
fn episodes(root: &Path) -> Vec<Vec<f64>> {
    let findings = verify(root, &Options::default(), &mut |_| {}).findings;
    assert!(findings.is_empty(), "{findings:?}");
    let dataset = Dataset::open(root).unwrap();
    let of = |episode: u64| {
        let episode = dataset.episode(episode).unwrap();
        dataset.values("action", episode.from_index, episode.length).unwrap().numbers()
    };
    (0..dataset.info().total_episodes).map(of).collect()
}

#[test]
fn no_row_is_lost_between_two_episodes() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("sentry");
    let mut session = session(&root, Cut::Seamless, 10);
    // The loop leaves out three rows at the first border, and two before the second.
    hand(&mut session, (4..12).chain(17..22).chain(24..30));
    // Nothing is taken again, and a key may end an episode.
    press(&mut session, Key::Again);
    press(&mut session, Key::Next);
    hand(&mut session, 31..33);
    let recorded = finished(session);
    let all = [
        vec![4., 5., 6., 7., 8., 9., 10., 11., 11., 11., 11., 11., 11., 17.],
        vec![18., 19., 20., 21., 21., 21., 24., 25., 26., 27.],
        vec![28., 29.],
        vec![31., 31., 32.],
    ];
    assert_eq!(episodes(&root), all);
    assert_eq!((recorded.frames, recorded.missed_rows), (29, 8));
    assert_eq!(recorded.frames, 33 - 4, "as many as there was time for");
}

#[test]
fn an_episode_is_not_cut_within_a_correction() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("sentry");
    let mut session = session(&root, Cut::Seamless, 3);
    for (row, corrects) in [(0, false), (1, true), (2, true), (3, true), (4, false), (5, false)] {
        let values = vec![row as f64];
        let slip = Slip { row, corrects, state: values.clone(), action: values, ..Slip::default() };
        session.row(&slip, &mut |_| {}).unwrap();
    }
    finished(session);
    assert_eq!(episodes(&root), [vec![0., 1., 2., 3., 4.], vec![5.]]);
}

#[test]
fn a_key_makes_an_episode_of_what_has_been_and_what_follows() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("highlight");
    let bounds = Bounds { rows: 5, bytes: usize::MAX };
    let mut session = session(&root, Cut::Asked(bounds), u64::MAX);
    hand(&mut session, 0..20);
    press(&mut session, Key::Save);
    hand(&mut session, 20..23);
    press(&mut session, Key::Save);
    // What was recorded is not kept for the next one; what was left out is shown again.
    hand(&mut session, [23, 26]);
    press(&mut session, Key::Save);
    press(&mut session, Key::Save);
    // Thought better of.
    hand(&mut session, 27..30);
    press(&mut session, Key::Save);
    press(&mut session, Key::Again);
    hand(&mut session, 30..40);
    press(&mut session, Key::Save);
    hand(&mut session, 40..42);
    let recorded = finished(session);
    let last: Vec<f64> = (35..42).map(f64::from).collect();
    let first = (15..23).map(f64::from).collect();
    assert_eq!(episodes(&root), [first, vec![23., 23., 23., 26.], last]);
    assert_eq!((recorded.episodes, recorded.frames), (3, 19));
}

#[test]
fn where_nobody_asks_nothing_is_recorded() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("highlight");
    let bounds = Bounds { rows: 5, bytes: usize::MAX };
    let mut session = session(&root, Cut::Asked(bounds), u64::MAX);
    // Nothing to begin with: it begins with what follows.
    press(&mut session, Key::Save);
    press(&mut session, Key::Save);
    hand(&mut session, 0..20);
    let mut pushed = 0;
    session.key(Key::Push, &mut |event| pushed += u32::from(matches!(event, Event::Push))).unwrap();
    assert_eq!(pushed, 1);
    assert_eq!(finished(session).episodes, 0);
    assert_eq!(episodes(&root), Vec::<Vec<f64>>::new());
}

#[test]
fn what_is_taken_again_is_put_back_first() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("again");
    let mut session = with_resets(&root, Cut::Apart, 100, 5);
    hand(&mut session, 0..3);
    press(&mut session, Key::Again);
    assert!(session.is_resting());
    hand(&mut session, 3..8);
    assert!(session.is_resting() && session.takes() == 0);
    hand(&mut session, 8..10);
    assert!(!session.is_resting() && session.takes() == 1);
    // Done sooner; and taken again once more, from where things are put back already.
    press(&mut session, Key::Next);
    press(&mut session, Key::Again);
    assert!(!session.is_resting() && session.takes() == 2);
    // Nothing was begun.
    press(&mut session, Key::Again);
    assert!(!session.is_resting());
    hand(&mut session, 10..12);
    press(&mut session, Key::Again);
    press(&mut session, Key::Next);
    hand(&mut session, 12..14);
    let recorded = finished(session);
    assert_eq!(episodes(&root), [[12., 13.]]);
    assert_eq!((recorded.episodes, recorded.frames), (1, 2));
}
