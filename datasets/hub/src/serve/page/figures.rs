//! What a recorded dataset says about itself in its meta/info.json.

use std::io::Read;

use serde_json::Value;

use super::markup::Page;
use crate::card::escape;
use crate::serve::answer::Refusal;
use crate::serve::store::{Snapshot, Store};

const FILE: &str = "meta/info.json";
/// How much of it is read.
const LONGEST: u64 = 1 << 20;
/// What is shown of it, and under which name.
const SHOWN: [(&str, &str); 6] = [
    ("total_episodes", "episodes"),
    ("total_frames", "frames"),
    ("fps", "frames a second"),
    ("total_tasks", "tasks"),
    ("robot_type", "robot"),
    ("codebase_version", "format"),
];

/// Shows it, if it is there and makes sense.
pub fn show(page: &mut Page, store: &Store, snapshot: &Snapshot) -> Result<(), Refusal> {
    let Some(leaf) = snapshot.tree.file(FILE).filter(|leaf| leaf.entry.size <= LONGEST) else {
        return Ok(());
    };
    let mut bytes = Vec::new();
    let file = store.objects().open_at(&leaf.entry.sha256, 0)?;
    file.take(leaf.entry.size)
        .read_to_end(&mut bytes)
        .map_err(|error| Refusal::fault(format!("cannot read {FILE}: {error}")))?;
    let Ok(info) = serde_json::from_slice::<Value>(&bytes) else { return Ok(()) };
    page.push("<dl>");
    for (key, name) in SHOWN {
        let value = match info.get(key) {
            Some(Value::String(text)) => text.clone(),
            Some(Value::Number(number)) => number.to_string(),
            _ => continue,
        };
        page.push(&format!("<div><dt>{name}</dt><dd>{}</dd></div>", escape(&value)));
    }
    page.push("</dl>");
    if let Some(features) = info.get("features").and_then(Value::as_object) {
        let names: Vec<String> =
            features.keys().map(|name| format!("<code>{}</code>", escape(name))).collect();
        page.push(&format!("<p>{}</p>", names.join(" ")));
    }
    Ok(())
}
