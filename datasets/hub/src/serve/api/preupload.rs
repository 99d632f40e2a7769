//! How each file of a commit to come is to be sent, and which need not be.

use serde::Deserialize;
use serde_json::{Value, json};

use crate::serve::answer::{Answer, Refusal};
use crate::serve::call::Call;
use crate::serve::store::{Snapshot, path};

/// From this size on files are kept as large ones, whatever is in them.
const LARGE: u64 = 1 << 20;

/// Files that are never text, by the ends of their names.
const BINARY: [&str; 46] = [
    "7z",
    "aac",
    "arrow",
    "avi",
    "avro",
    "bin",
    "bmp",
    "bz2",
    "ckpt",
    "flac",
    "gif",
    "gz",
    "h5",
    "jpeg",
    "jpg",
    "mkv",
    "mov",
    "mp3",
    "mp4",
    "msgpack",
    "npy",
    "npz",
    "ogg",
    "onnx",
    "parquet",
    "pb",
    "pickle",
    "pkl",
    "png",
    "pt",
    "pth",
    "rar",
    "rrd",
    "safetensors",
    "stl",
    "tar",
    "tflite",
    "tgz",
    "tif",
    "tiff",
    "wav",
    "wasm",
    "webm",
    "webp",
    "zip",
    "zst",
];

#[derive(Deserialize)]
struct Asked {
    files: Vec<File>,
}

#[derive(Deserialize)]
struct File {
    path: String,
    size: u64,
}

/// Says so for each.
pub fn plan(call: &mut Call) -> Result<Answer, Refusal> {
    let repository = call.writable()?;
    let asked: Asked = call.json()?;
    let snapshot = repository.at(call.revision())?;
    let mut files = Vec::with_capacity(asked.files.len());
    for file in &asked.files {
        path::check(&file.path)
            .map_err(|what| Refusal::wrong(format!("{what}: {:?}", file.path)))?;
        files.push(answer(file, &snapshot));
    }
    Answer::json(&json!({ "files": files }))
}

fn answer(file: &File, snapshot: &Snapshot) -> Value {
    let end = file.path.rsplit('/').next().and_then(|name| name.rsplit_once('.'));
    let end = end.map(|(_, end)| end.to_ascii_lowercase()).unwrap_or_default();
    let large = file.size >= LARGE || (file.size > 0 && BINARY.contains(&end.as_str()));
    let mode = if large { "lfs" } else { "regular" };
    let mut answer = json!({ "path": file.path, "uploadMode": mode, "shouldIgnore": false });
    // What is there already, in the words in which the client would call what it has.
    let there = snapshot.tree.file(&file.path).map(|leaf| &leaf.entry);
    let oid = there.and_then(|entry| match (large, entry.large) {
        (true, _) => Some(entry.sha256.as_str()),
        (false, false) => Some(entry.git.as_str()),
        (false, true) => None,
    });
    if let Some(oid) = oid {
        answer["oid"] = json!(oid);
    }
    answer
}
