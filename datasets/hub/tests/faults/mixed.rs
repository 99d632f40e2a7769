//! Everything that can go wrong, all at once, as often as it takes. `SINEW_STORMS=1000` makes it long.

use std::sync::atomic::{AtomicU64, Ordering};

use sinew_hub::{Account, Local, Target};

use crate::proxy::storm;
use crate::stand::{PART, Stand, TOKEN, is_clear};

/// How many storms rage at a time: most of them are waiting.
const AT_ONCE: u64 = 6;

fn in_storms(usually: u64, test: impl Fn(u64) + Sync) {
    let storms: u64 = std::env::var("SINEW_STORMS").map_or(usually, |text| text.parse().unwrap());
    let next = AtomicU64::new(0);
    let run = || {
        let storms = std::iter::from_fn(|| {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            (seed < storms).then_some(seed)
        });
        storms.for_each(&test);
    };
    std::thread::scope(|scope| {
        for number in 0..AT_ONCE {
            let thread = std::thread::Builder::new().name(format!("storm {number}"));
            thread.spawn_scoped(scope, run).unwrap();
        }
    });
}

#[test]
fn in_any_storm_all_of_it_arrives_once() {
    let (pushes, questions) = (AtomicU64::new(0), AtomicU64::new(0));
    in_storms(12, |seed| {
        let stand = Stand::new();
        stand.fill();
        for round in 0..3 {
            stand.proxy.plan(storm(seed * 10 + round, 2 + (seed % 5) as u32));
            let mut tries = 0;
            while let Err(error) = stand.push() {
                is_clear(&error);
                tries += 1;
                assert!(tries < 300, "storm {seed}: {error}");
            }
            pushes.fetch_add(tries + 1, Ordering::Relaxed);
            stand.is_whole();
            // One more episode, one changed file, one that is gone.
            stand.write(&format!("videos/more-{round}.mp4"), 50_000 * round + 3000, round);
            stand.write("meta/info.json", 2600 + round, round);
            let gone = stand.source().join(format!("videos/file-{round:03}.mp4"));
            std::fs::remove_file(gone).unwrap();
        }
        questions.fetch_add(stand.proxy.passed().len() as u64, Ordering::Relaxed);
    });
    eprintln!("{pushes:?} pushes, {questions:?} questions");
}

#[test]
fn in_any_storm_what_is_fetched_is_what_is_there() {
    let (tries, came) = (AtomicU64::new(0), AtomicU64::new(0));
    in_storms(6, |seed| {
        let stand = Stand::new();
        stand.fill();
        stand.write("videos/long.mp4", PART * 20, seed);
        stand.push().unwrap();
        stand.proxy.plan(storm(seed, 3 + (seed % 5) as u32));
        let home = stand.folder.path().join("home");
        let account = Account::of(&|name| match name {
            "HF_ENDPOINT" => Some(stand.proxy.url().into()),
            "HF_TOKEN" => Some(TOKEN.into()),
            "HF_HOME" => Some(home.clone().into()),
            "HF_HUB_DOWNLOAD_TIMEOUT" => Some("1".into()),
            _ => None,
        });
        let account = account.unwrap();
        let target = Target::Cache(account.cache().to_owned());
        let snapshot = loop {
            tries.fetch_add(1, Ordering::Relaxed);
            let fetched = account.snapshot(&stand.repo, None, &target).and_then(|snapshot| {
                let pulled = snapshot.fetch(&|_| true, &|_| {})?;
                came.fetch_add(pulled.came, Ordering::Relaxed);
                Ok((pulled, snapshot))
            });
            match fetched {
                // What was fetched before does instead of what cannot be asked now.
                Ok((pulled, snapshot)) if pulled.files == pulled.of_files && pulled.files >= 9 => {
                    break snapshot;
                }
                Ok(_) => {}
                Err(error) => is_clear(&error),
            }
            assert!(tries.load(Ordering::Relaxed) < 5000, "storm {seed}");
        };
        for file in Local::below(&stand.source(), |_| true).unwrap() {
            let here = std::fs::read(stand.source().join(file.path())).unwrap();
            let there = std::fs::read(snapshot.folder().join(file.path())).unwrap();
            assert!(here == there, "storm {seed}: {}", file.path());
        }
    });
    eprintln!("{tries:?} tries, {came:?} bytes");
}
