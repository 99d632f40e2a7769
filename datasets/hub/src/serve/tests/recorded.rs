//! What the official clients were seen to ask, asked again without them: `tests/golden/hub` has the
//! questions, the answers that they took, and what their classes cannot do without.

use std::collections::BTreeMap;
use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::*;

/// Shorter texts stand for themselves; longer ones may be names that this hub gave differently.
const NAME: usize = 16;

fn golden(name: &str) -> Value {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/golden/hub");
    serde_json::from_slice(&std::fs::read(folder.join(name)).unwrap()).unwrap()
}

/// What was called one thing when it was recorded, and is another now.
#[derive(Default)]
struct Names(BTreeMap<String, String>);

impl Names {
    /// Compares an answer with the recorded one: the same keys and lengths throughout, while names may
    /// be others.
    fn learn(&mut self, at: &str, then: &Value, now: &Value) {
        match (then, now) {
            (Value::Object(then), Value::Object(now)) => {
                let keys = |map: &serde_json::Map<String, Value>| {
                    let mut keys: Vec<_> = map.keys().cloned().collect();
                    keys.sort();
                    keys
                };
                assert_eq!(keys(then), keys(now), "{at}");
                then.iter()
                    .for_each(|(key, then)| self.learn(&format!("{at}.{key}"), then, &now[key]));
            }
            (Value::Array(then), Value::Array(now)) => {
                assert_eq!(then.len(), now.len(), "{at}");
                then.iter().zip(now).for_each(|(then, now)| self.learn(at, then, now));
            }
            (Value::String(then), Value::String(now)) if then != now => {
                let place = |url: &str| match url
                    .split_once("://")
                    .and_then(|(_, url)| url.split_once('/'))
                {
                    Some((_, place)) => format!("/{place}"),
                    None => url.to_owned(),
                };
                let (then, now) = (place(then), place(now));
                if then.len() >= NAME && then != now {
                    self.0.insert(then, now);
                }
            }
            (then, now) => assert_eq!(
                std::mem::discriminant(then),
                std::mem::discriminant(now),
                "{at}: {then} {now}"
            ),
        }
    }

    fn replace(&self, text: &str) -> String {
        let mut names: Vec<_> = self.0.iter().collect();
        names.sort_by_key(|(then, _)| std::cmp::Reverse(then.len()));
        names.into_iter().fold(text.to_owned(), |text, (then, now)| text.replace(then, now))
    }
}

fn replay(version: &str) {
    let mut bench = Bench::new();
    // Recorded headers say who asks.
    bench.token = None;
    let mut names = Names::default();
    let exchanges = golden(&format!("{version}.json"));
    assert!(exchanges.as_array().unwrap().len() > 30);
    for exchange in exchanges.as_array().unwrap() {
        let path = names.replace(exchange["path"].as_str().unwrap());
        let what = format!("{version}: {} {path}", exchange["method"]);
        let headers = exchange["headers"].as_object().unwrap().iter();
        let headers: Vec<_> = headers
            .map(|(name, value)| (name.as_str(), names.replace(value.as_str().unwrap())))
            .collect();
        let headers: Vec<_> = headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let body = &exchange["body"];
        let body = match (body["text"].as_str(), body["base64"].as_str()) {
            (Some(text), _) => names.replace(text).into_bytes(),
            (_, Some(text)) => STANDARD.decode(text).unwrap(),
            _ => Vec::new(),
        };
        let reply = bench.ask(exchange["method"].as_str().unwrap(), &path, &headers, &body);
        assert_eq!(json!(reply.status), exchange["status"], "{what}: {reply:?}");
        assert_eq!(
            reply.header("x-error-code"),
            exchange["code"].as_str().unwrap_or_default(),
            "{what}"
        );
        if !exchange["answer"].is_null() {
            names.learn(&what, &exchange["answer"], &reply.json());
        }
    }
    assert!(names.0.len() > 10);
}

#[test]
fn what_0_36_asks_is_answered_as_it_took_it() {
    replay("0.36.2");
}

#[test]
fn what_1_33_asks_is_answered_as_it_took_it() {
    replay("1.33.0");
}

#[test]
fn what_2_4_asks_is_answered_as_it_took_it() {
    replay("2.4.0");
}

/// Whether a row has what a class takes without asking. What is below another key is needed where that is
/// there.
fn has_all(needed: &Value, row: &Value, names: &[(&str, &str)]) {
    for key in needed.as_array().unwrap() {
        let key = key.as_str().unwrap();
        let (above, key) = key.split_once('.').unwrap_or(("", key));
        let above = names.iter().find(|(theirs, _)| *theirs == above).map(|(_, ours)| *ours);
        match above {
            None => assert!(row.get(key).is_some(), "{key}: {row}"),
            Some(above) if row.get(above).is_none() => {}
            Some(above) => assert!(row[above].get(key).is_some(), "{above}.{key}: {row}"),
        }
    }
}

#[test]
fn answers_have_what_the_classes_that_read_them_need() {
    let parsers = golden("parsers.json");
    let bench = Bench::new();
    bench.create("pick");
    bench.large("pick", b"large");
    bench.commit("pick", &[file("a/b.txt", b"b"), large_file("large.bin", b"large")]);
    let names = [("lfs", "lfs"), ("last_commit", "lastCommit")];
    for query in ["recursive=1", "recursive=1&expand=1"] {
        let rows = bench.get(&format!("/api/datasets/me/pick/tree/main?{query}")).json();
        assert_eq!(rows.as_array().unwrap().len(), 3);
        for row in rows.as_array().unwrap() {
            let class = if row["type"] == "file" { "RepoFile" } else { "RepoFolder" };
            assert_eq!(row.get("lastCommit").is_some(), query.contains("expand"));
            assert_eq!(row.get("lfs").is_some(), row["path"] == "large.bin");
            has_all(&parsers[class], row, &names);
        }
    }
    let info = bench.get("/api/datasets/me/pick?blobs=true").json();
    let needed: Vec<_> = parsers["DatasetInfo"].as_array().unwrap().clone();
    let (of_files, of_info): (Vec<_>, Vec<_>) =
        needed.into_iter().partition(|key| key.as_str().unwrap().starts_with("sibling."));
    has_all(&json!(of_info), &info, &[]);
    for sibling in info["siblings"].as_array().unwrap() {
        // It asks for the key of large files after it has looked whether it is there.
        let asked = of_files.iter().filter(|key| *key != "sibling.lfs");
        let asked: Vec<_> =
            asked.map(|key| key.as_str().unwrap().replace("sibling.", "")).collect();
        has_all(&json!(asked), sibling, &[]);
    }
}
