//! Each thing that can go wrong, by itself.

use sinew_hub::Error;

use crate::proxy::{Fault, Passed, Question, answer};
use crate::stand::{PART, Stand, TOKEN, is_clear};

/// The ways to be asked in a push, in the order in which they come.
const STAGES: [&str; 9] = [
    "/api/repos/create",
    "/revision/main",
    "/preupload/",
    "/objects/batch",
    "/api/lfs/",
    "/api/lfs/verify",
    "/commit/main",
    "/tree/",
    // A part by its number.
    "/2",
];

/// Goes wrong the first so many times that something at this stage is asked.
fn first(
    times: u64,
    stage: &'static str,
    fault: Fault,
) -> impl FnMut(&Question) -> Option<Fault> + Send + 'static {
    let mut left = times;
    move |question| {
        let is_it = question.path.contains(stage) && (stage != "/2" || question.method == "PUT");
        let hit = is_it && left > 0;
        left -= u64::from(hit);
        hit.then(|| fault.clone())
    }
}

/// Each stage at the same time: most of it is waiting for the disk.
fn at_every_stage(test: impl Fn(&'static str) + Sync) {
    std::thread::scope(|scope| {
        for stage in STAGES {
            let test = &test;
            let thread = std::thread::Builder::new().name(stage.into());
            thread.spawn_scoped(scope, move || test(stage)).unwrap();
        }
    });
}

fn asked<'a>(passed: &'a [Passed], stage: &'a str) -> impl Iterator<Item = &'a Passed> {
    passed.iter().filter(move |one| one.question.path.contains(stage))
}

#[test]
fn what_happens_once_is_not_even_noticed() {
    let faults = |length: u64| {
        [
            Fault::CutQuestion(0),
            Fault::CutQuestion(length / 2),
            Fault::CutQuestion(length),
            Fault::CutAnswer(0),
            Fault::CutAnswer(20),
            Fault::CutAnswer(150),
            Fault::Say(answer(429, &["RateLimit: \"api\";r=0;t=0"])),
            Fault::Say(answer(429, &["Retry-After: 0"])),
            Fault::Say(answer(500, &[])),
            Fault::Say(answer(502, &[])),
            Fault::Say(answer(503, &[])),
            Fault::Say(answer(408, &[])),
            Fault::SayEarly(answer(503, &["Connection: close"])),
            Fault::Trickle,
            Fault::Header("Date", "Thu, 01 Jan 1970 00:00:00 GMT".into()),
            Fault::Header("Date", "nonsense".into()),
        ]
    };
    at_every_stage(|stage| {
        for fault in faults(200) {
            let stand = Stand::new();
            stand.fill();
            stand.proxy.plan(first(1, stage, fault.clone()));
            let pushed = stand.push().unwrap_or_else(|error| panic!("{stage} {fault:?}: {error}"));
            assert_eq!(pushed.changed, 8, "{stage} {fault:?}");
            assert!(asked(&stand.proxy.passed(), stage).next().is_some(), "{stage} is never asked");
            stand.is_whole();
        }
    });
}

#[test]
fn silence_ends_and_what_it_swallowed_is_asked_again() {
    at_every_stage(|stage| {
        let stand = Stand::new();
        stand.fill();
        stand.proxy.plan(first(1, stage, Fault::Silence));
        stand.push().unwrap();
        assert!(asked(&stand.proxy.passed(), stage).count() >= 2, "{stage}");
        stand.is_whole();
    });
}

#[test]
fn what_stays_wrong_is_told_and_the_next_push_goes_on() {
    at_every_stage(|stage| {
        for fault in [
            Fault::CutQuestion(1),
            Fault::CutAnswer(30),
            Fault::Say(answer(429, &["Retry-After: 0"])),
            Fault::Say(answer(503, &["X-Error-Message: busy"])),
        ] {
            let stand = Stand::new();
            stand.fill();
            stand.proxy.plan(first(1000, stage, fault.clone()));
            let error = match stand.push() {
                // Whether a commit was made can be seen.
                Ok(_) if stage == "/commit/main" && matches!(fault, Fault::CutAnswer(_)) => {
                    continue;
                }
                other => other.expect_err(stage),
            };
            is_clear(&error);
            assert!(matches!(error, Error::GaveUp { .. }), "{stage} {fault:?}: {error}");
            assert!(error.may_pass(), "{stage} {fault:?}: {error}");
            // Eight large files are tried at a time.
            let tries = asked(&stand.proxy.passed(), stage).count();
            assert!((5..=60).contains(&tries), "{stage} {fault:?}: {tries} tries");
            stand.proxy.calm();
            stand.push().unwrap();
            stand.is_whole();
        }
    });
}

#[test]
fn an_expired_token_is_told_at_once() {
    for from in 0..8 {
        let stand = Stand::new();
        stand.fill();
        let mut signed = 0;
        stand.proxy.plan(move |question| {
            signed += u64::from(question.signed);
            let told = format!("X-Error-Message: token {TOKEN} has expired");
            (question.signed && signed > from).then(|| Fault::Say(answer(401, &[&told])))
        });
        match stand.push() {
            Err(error) => {
                is_clear(&error);
                let denied = matches!(error, Error::Denied { status: 401, with_token: true, .. });
                assert!(denied && !error.may_pass(), "{error}");
                assert!(error.to_string().contains("expired"), "{error}");
                let refused = stand.proxy.passed().len() as u64 - from;
                assert!(refused < 30, "{refused} questions after it had expired");
            }
            Ok(_) => panic!("it does with {from} questions"),
        }
        let parts = |stand: &Stand| -> u64 {
            asked(&stand.proxy.passed(), "/api/lfs/").map(|passed| passed.sent).sum()
        };
        let before = parts(&stand);
        stand.proxy.calm();
        stand.push().unwrap();
        stand.is_whole();
        let large = 9000 + 4 * 77 + 6 * PART;
        // Here and there some hundred bytes that say that it is whole.
        assert!(parts(&stand) < large + 4000, "{before} before, {} in all", parts(&stand));
    }
}

#[test]
fn a_commit_whose_answer_is_lost_is_made_once() {
    for lost in [0, 30, 200] {
        let stand = Stand::new();
        stand.fill();
        stand.proxy.plan(first(1, "/commit/main", Fault::CutAnswer(lost)));
        assert_eq!(stand.push().unwrap().changed, 8);
        let commits = stand.commits().len();
        stand.is_whole();
        assert_eq!(stand.push().unwrap().changed, 0);
        assert_eq!(stand.commits().len(), commits, "nothing new is no commit");
    }
}

#[test]
fn bytes_that_turned_on_their_way_are_not_kept() {
    // A part, a whole file, and a file inside a commit.
    for (stage, at) in [("/2", 5), ("/api/lfs/", 5), ("/commit/main", 400)] {
        let stand = Stand::new();
        stand.fill();
        stand.proxy.plan(first(1, stage, Fault::FlipQuestion(at)));
        // What went ahead is sent once more; else whoever pushes again without a change gets through.
        match stand.push() {
            Ok(_pushed) => assert_ne!(stage, "/commit/main", "it was said to be what it was not"),
            Err(error) => {
                is_clear(&error);
                stand.push().unwrap_or_else(|error| panic!("{stage}: {error}"));
            }
        }
        stand.is_whole();
    }
}

#[test]
fn a_hub_that_is_away_for_a_while_is_waited_for_by_whoever_comes_back() {
    let mut stand = Stand::new();
    stand.fill();
    stand.proxy.go_away();
    let error = stand.push().unwrap_err();
    is_clear(&error);
    assert!(matches!(error, Error::GaveUp { .. }) && error.may_pass(), "{error}");
    stand.proxy.come_back();
    stand.push().unwrap();
    stand.is_whole();
}
