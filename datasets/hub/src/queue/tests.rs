use super::*;

fn job(root: &str) -> Job {
    Job {
        root: root.into(),
        endpoint: "http://127.0.0.1:1".into(),
        repo: "me/pick".into(),
        kind: crate::Kind::Dataset,
        branch: "main".into(),
        license: None,
        replace: false,
        request: false,
        private: true,
        tags: vec!["so101".into()],
        asked: 0,
    }
}

fn denied() -> Error {
    Error::Denied { status: 401, with_token: true, message: String::new(), url: "http://x".into() }
}

fn unreachable() -> Error {
    let last = Error::Unreachable { what: "no route".into(), url: "http://x".into() };
    Error::GaveUp { tries: 5, last: Box::new(last) }
}

#[test]
fn what_is_asked_for_stays_until_it_is_done() {
    let folder = tempfile::tempdir().unwrap();
    let queue = Queue::at(folder.path().join("uploads"));
    assert!(queue.entries().unwrap().0.is_empty(), "a queue that is not there is empty");
    queue.ask(&job("/a")).unwrap();
    queue.ask(&job("/b")).unwrap();
    let again = queue.ask(&Job { tags: Vec::new(), ..job("/a/./") }).unwrap();
    assert_eq!(again.job.tags, ["so101"]);
    assert_eq!(again.job.asked, 2, "the same folder, written differently");
    assert_eq!(Queue::at(queue.folder.clone()).entries().unwrap().0.len(), 2);

    let mut turn = again.turn().unwrap().unwrap();
    assert!(again.turn().unwrap().is_none(), "one at a time");
    assert!(again.is_pushed());
    // An episode more comes while it is pushed.
    queue.ask(&job("/a")).unwrap();
    let state = turn.state().clone().succeeded(turn.job().asked, "c0ffee");
    turn.went(state).unwrap();
    drop(turn);
    let (entries, broken) = queue.entries().unwrap();
    assert!(broken.is_empty());
    let of = |root: &str| entries.iter().find(|entry| entry.job.root == Path::new(root)).unwrap();
    assert_eq!((of("/a").job.asked, of("/a").state.done), (3, 2));
    assert_eq!(of("/a").standing(0), Standing::Due);

    let mut turn = of("/a").turn().unwrap().unwrap();
    let state = turn.state().clone().succeeded(turn.job().asked, "c0ffee");
    turn.went(state).unwrap();
    drop(turn);
    let (done, open): (Vec<_>, Vec<_>) =
        queue.entries().unwrap().0.into_iter().partition(|one| one.standing(0) == Standing::Done);
    assert_eq!((done.len(), open.len()), (1, 1));
    assert!(queue.forget(&done[0]).unwrap() && !queue.forget(&open[0]).unwrap());
    let left = queue.entries().unwrap().0;
    assert_eq!((left.len(), left[0].job.root.as_path()), (1, Path::new("/b")));
}

#[test]
fn failures_are_waited_out_or_held() {
    let job = Job { asked: 1, ..job("/a") };
    let mut state = State::default();
    let mut now = 1000;
    let mut waits = Vec::new();
    for _ in 0..10 {
        state = state.failed(&unreachable().to_string(), unreachable().may_pass(), now);
        let Standing::Waiting(wait) = Standing::of(&job, &state, now) else { panic!() };
        waits.push(wait);
        now += wait;
        assert_eq!(Standing::of(&job, &state, now), Standing::Due);
    }
    assert_eq!(waits[..4], [5, 10, 20, 40]);
    assert_eq!(waits.last(), Some(&600));
    assert_eq!(Standing::of(&job, &state, 0), Standing::Waiting(600), "a clock that was set back");
    state = state.failed(&denied().to_string(), denied().may_pass(), now);
    assert_eq!(Standing::of(&job, &state, u64::MAX), Standing::Held);
    assert!(state.error.as_ref().unwrap().contains("401"));
    state = state.released();
    assert_eq!(Standing::of(&job, &state, now), Standing::Due);
    state = state.succeeded(1, "c0ffee");
    assert_eq!((state.error, state.failures), (None, 0));
}

#[test]
fn what_is_no_job_is_told_and_the_others_go_on() {
    let folder = tempfile::tempdir().unwrap();
    let queue = Queue::at(folder.path());
    let entry = queue.ask(&job("/a")).unwrap();
    for (name, text) in [("half", "{\"root\": \"/x\""), ("wrong", "[]"), ("none", "")] {
        fs::create_dir(folder.path().join(name)).unwrap();
        if !text.is_empty() {
            fs::write(folder.path().join(name).join("job.json"), text).unwrap();
        }
    }
    let (entries, broken) = queue.entries().unwrap();
    assert_eq!((entries.len(), broken.len()), (1, 2), "{broken:?}");
    assert_eq!(entries[0].job, entry.job);
    // What was torn is asked for anew, and is not taken to be done.
    let mut turn = entry.turn().unwrap().unwrap();
    turn.went(State::default().succeeded(7, "c0ffee")).unwrap();
    fs::write(entry.folder.join("job.json"), "{").unwrap();
    assert_eq!(queue.ask(&job("/a")).unwrap().standing(0), Standing::Due);
}

#[test]
fn what_was_asked_for_meanwhile_is_not_forgotten_and_a_new_folder_begins_anew() {
    let folder = tempfile::tempdir().unwrap();
    let queue = Queue::at(folder.path());
    let seen = queue.ask(&job("/a")).unwrap();
    let mut turn = seen.turn().unwrap().unwrap();
    turn.went(State::default().succeeded(1, "c0ffee")).unwrap();
    turn.ledger().unwrap().give("data/file-000.parquet", Some("aa")).unwrap();
    drop(turn);
    let done = queue.entries().unwrap().0.swap_remove(0);
    assert_eq!(done.standing(0), Standing::Done);
    queue.ask(&job("/a")).unwrap();
    assert!(!queue.forget(&done).unwrap(), "more was asked for since it was looked at");
    assert_eq!(queue.entries().unwrap().0.len(), 1);

    let turn = done.turn().unwrap().unwrap();
    assert!(!queue.begin_anew(&job("/a")).unwrap(), "somebody pushes it");
    drop(turn);
    assert!(queue.begin_anew(&job("/a/.")).unwrap() && queue.begin_anew(&job("/b")).unwrap());
    let fresh = queue.ask(&job("/a")).unwrap();
    assert_eq!(fresh.job.asked, 1);
    assert!(fresh.turn().unwrap().unwrap().ledger().unwrap().given().is_empty());
}

#[test]
fn nobody_else_reads_what_is_to_go_where() {
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    let folder = tempfile::tempdir().unwrap();
    let queue = Queue::at(folder.path().join("state/uploads"));
    fs::create_dir_all(&queue.folder).unwrap();
    fs::set_permissions(&queue.folder, Permissions::from_mode(0o755)).unwrap();
    let entry = queue.ask(&job("/a")).unwrap();
    let mut turn = entry.turn().unwrap().unwrap();
    turn.went(State::default().failed("no", true, 0)).unwrap();
    drop(turn.ledger().unwrap());
    assert_eq!((mode(&queue.folder), mode(&entry.folder)), (0o700, 0o700));
    for file in ["job.json", "state.json", "push.ledger"] {
        assert_eq!(mode(&entry.folder.join(file)), 0o600, "{file}");
    }
    // Where it is already, too.
    fs::set_permissions(entry.folder.join("push.ledger"), Permissions::from_mode(0o644)).unwrap();
    drop(turn.ledger().unwrap());
    assert_eq!(mode(&entry.folder.join("push.ledger")), 0o600);
}
