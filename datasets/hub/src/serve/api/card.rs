//! What the card of a repository says about it: the head of its README.md.

use std::io::Read;

use serde_json::{Map, Value, json};

use crate::serve::answer::{Answer, Refusal};
use crate::serve::call::Call;
use crate::serve::store::{Snapshot, Store};

/// What a card is called.
pub const FILE: &str = "README.md";
/// How much of a card is read.
const LONGEST: u64 = 1 << 20;
/// How much of it is about the repository.
const HEAD: usize = 64 * 1024;
/// What becomes a tag with its name before it.
const NAMED: [&str; 5] =
    ["license", "language", "task_categories", "size_categories", "library_name"];

/// What is said of a card without a head.
const EMPTY: &str = "it says nothing for programs between two lines of --- at its beginning";

/// The card, if there is one and it is text.
pub fn read(store: &Store, snapshot: &Snapshot) -> Result<Option<String>, Refusal> {
    let Some(leaf) = snapshot.tree.file(FILE) else { return Ok(None) };
    let mut bytes = Vec::new();
    let file = store.objects().open_at(&leaf.entry.sha256, 0)?;
    file.take(leaf.entry.size.min(LONGEST))
        .read_to_end(&mut bytes)
        .map_err(|error| Refusal::fault(format!("cannot read the card: {error}")))?;
    Ok(String::from_utf8(bytes).ok())
}

/// The head of a card, and what follows it.
pub fn split(card: &str) -> (&str, &str) {
    let head = card.strip_prefix("---\n").or_else(|| card.strip_prefix("---\r\n"));
    let end = head.and_then(|head| head.find("\n---").map(|end| (head, end)));
    let Some((head, end)) = end else { return ("", card) };
    let (head, rest) = head.split_at_checked(end).unwrap_or((head, ""));
    let rest = rest.trim_start_matches(['\n', '-']);
    (head, rest)
}

/// What a head says, as far as it is a table of something.
pub fn parse(head: &str) -> Result<Map<String, Value>, String> {
    if head.len() > HEAD {
        return Err(format!("the head of a card has at most {HEAD} bytes"));
    }
    match serde_yaml_ng::from_str(head).map_err(|error| error.to_string())? {
        Value::Object(data) => Ok(data),
        Value::Null => Ok(Map::new()),
        _ => Err("the head of a card is a table of names and values".to_owned()),
    }
}

/// The tags that follow from what a head says.
pub fn tags(data: &Map<String, Value>) -> Vec<String> {
    let texts = |name: &str| match data.get(name) {
        Some(Value::String(text)) => vec![text.clone()],
        Some(Value::Array(texts)) => {
            texts.iter().filter_map(|text| text.as_str().map(str::to_owned)).collect()
        }
        _ => Vec::new(),
    };
    let named = NAMED.iter().flat_map(|name| {
        texts(name).into_iter().map(move |text| match *name {
            "library_name" => text,
            name => format!("{name}:{text}"),
        })
    });
    let mut tags = texts("tags");
    tags.extend(named);
    tags
}

/// Whether the head of a card can be read, and whether what becomes tags can. What else it must say is
/// between its writer and its readers.
pub fn validate(call: &mut Call) -> Result<Answer, Refusal> {
    let asked: Value = call.json()?;
    let (head, _) = split(asked["content"].as_str().unwrap_or_default());
    let (errors, warnings) = match parse(head) {
        Err(message) => (vec![message], Vec::new()),
        Ok(data) if data.is_empty() => (Vec::new(), vec![EMPTY.to_owned()]),
        Ok(data) => (untold(&data), Vec::new()),
    };
    let rows = |texts: &[String]| -> Vec<Value> {
        texts.iter().map(|message| json!({ "message": message })).collect()
    };
    let said = json!({ "errors": rows(&errors), "warnings": rows(&warnings) });
    let mut answer = Answer::json(&said)?;
    if !errors.is_empty() {
        answer.status = 400;
    }
    Ok(answer)
}

/// What is wrong with the names that become tags.
fn untold(data: &Map<String, Value>) -> Vec<String> {
    let is_said = |value: &Value| match value {
        Value::Null | Value::String(_) => true,
        Value::Array(texts) => texts.iter().all(Value::is_string),
        _ => false,
    };
    let names = NAMED.iter().chain(&["tags"]);
    let wrong = names.filter(|name| data.get(**name).is_some_and(|value| !is_said(value)));
    wrong.map(|name| format!("{name:?} is a text or a list of texts")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_is_between_two_lines() {
        assert_eq!(split("---\na: 1\nb: 2\n---\n# Pick\n"), ("a: 1\nb: 2", "# Pick\n"));
        assert_eq!(split("# Pick\n---\n"), ("", "# Pick\n---\n"));
        assert_eq!(split("---\nno end"), ("", "---\nno end"));
        assert_eq!(split(""), ("", ""));
        let card = "---\nlicense: mit\ntags:\n- LeRobot\ntask_categories:\n- robotics\n---\n";
        let data = parse(split(card).0).unwrap();
        assert_eq!(tags(&data), ["LeRobot", "license:mit", "task_categories:robotics"]);
    }

    #[test]
    fn a_head_that_grows_when_it_is_read_is_refused() {
        let mut bomb = "a: &a [x,x,x,x,x,x,x,x,x]\n".to_owned();
        for (name, before) in ('b'..='z').zip('a'..) {
            bomb += &format!("{name}: &{name} [{}]\n", vec![format!("*{before}"); 9].join(","));
        }
        assert!(parse(&bomb).is_err());
        assert!(parse(&"[".repeat(10_000)).is_err());
        assert!(parse(&"x".repeat(HEAD + 1)).is_err());
        assert!(parse("- a list").is_err());
        assert!(parse("a: [").is_err());
        assert!(parse("").unwrap().is_empty());
    }
}
