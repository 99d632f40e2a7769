//! Commits as they are sent: a line per file, taken in one after the other, and kept at once or not
//! at all.

use std::io::{BufRead, BufReader, Read};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use serde_json::json;
use sha2::{Digest, Sha256};

use crate::serve::answer::{Answer, Refusal};
use crate::serve::call::Call;
use crate::serve::store::hash::{self, Hash};
use crate::serve::store::{Change, Entry, Onto, Packing, Purpose, Store, path};

/// What a line has beside the contents of its file, or in all where there are none.
const AROUND: u64 = 64 * 1024;
/// How many lines a commit has beside its header.
const MOST: usize = 100_000;

#[derive(Deserialize)]
#[serde(tag = "key", content = "value", rename_all = "camelCase")]
enum Line {
    Header(Header),
    File(File),
    LfsFile(LfsFile),
    DeletedFile(Gone),
    DeletedFolder(Gone),
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Header {
    #[serde(default)]
    summary: String,
    #[serde(default)]
    description: Option<String>,
    parent_commit: Option<String>,
}

#[derive(Deserialize)]
struct File {
    path: String,
    content: String,
    encoding: Option<String>,
}

#[derive(Deserialize)]
struct LfsFile {
    path: String,
    algo: Option<String>,
    oid: String,
    size: Option<u64>,
}

#[derive(Deserialize)]
struct Gone {
    path: String,
}

/// Makes a commit.
pub fn commit(call: &mut Call) -> Result<Answer, Refusal> {
    let repository = call.writable()?;
    let author = call.writer()?.name.clone();
    let (branch, limits) = (call.revision().to_owned(), call.limits());
    let asks = call.says("create_pr");
    // Before all of it is read; it is looked at again when it is made.
    repository.at(&branch)?;
    let (store, body) = call.parts();
    let mut packing = store.objects().pack()?;
    let mut lines = BufReader::new(body.take(limits.commit.saturating_add(1)));
    let (mut header, mut change, mut taken) = (None, Change::default(), 0u64);
    let (mut line, mut number) = (Vec::new(), 0);
    loop {
        let longest = limits.inline.saturating_mul(4) / 3 + AROUND;
        line.clear();
        let count = lines.by_ref().take(longest + 1).read_until(b'\n', &mut line);
        let count = count.map_err(|error| Refusal::cut(&error))? as u64;
        taken += count;
        if taken > limits.commit {
            return Err(Refusal::too_large("the commit", limits.commit));
        }
        if count > longest {
            return Err(Refusal::too_large("a file inside the commit", limits.inline));
        }
        if count == 0 {
            break;
        }
        if line.iter().all(u8::is_ascii_whitespace) {
            continue;
        }
        number += 1;
        if number > MOST + 1 {
            let what = format!("a commit is about at most {MOST} files: make several");
            return Err(Refusal::wrong(what));
        }
        let parsed = serde_json::from_slice(&line).map_err(|error| {
            Refusal::wrong(format!("a line of the commit makes no sense: {error}"))
        })?;
        if line.len() as u64 > AROUND && !matches!(parsed, Line::File(_)) {
            return Err(Refusal::too_large("a line of the commit", AROUND));
        }
        match parsed {
            Line::Header(found) => header = Some(found),
            Line::File(file) => change.put.push(regular(store, &mut packing, file, limits.inline)?),
            Line::LfsFile(file) => change.put.push(large(store, file)?),
            Line::DeletedFile(gone) => change.files.push(named(gone.path)?),
            Line::DeletedFolder(gone) => match gone.path.trim_end_matches('/') {
                "" => change.folders.push(String::new()),
                folder => change.folders.push(named(folder.to_owned())?),
            },
        }
    }
    let header = header.ok_or_else(|| Refusal::wrong("the commit has no header"))?;
    packing.keep()?;
    let purpose = Purpose {
        title: header.summary,
        message: header.description.unwrap_or_default(),
        author,
        parent: header.parent_commit,
    };
    let onto = if asks { Onto::Request(&branch) } else { Onto::Head(&branch) };
    let commit = repository.commit(onto, purpose, change)?;
    let page = format!("{}/{}", call.origin, repository.repo().place());
    let mut said = json!({
        "success": true,
        "commitOid": commit.id,
        "commitUrl": format!("{page}/commit/{}", commit.id),
        "hookOutput": "",
    });
    if asks {
        // Nobody else's has this commit.
        let requests = repository.refs().requests;
        let at = requests.iter().rposition(|request| request.head == commit.id);
        let at = at.ok_or_else(|| Refusal::fault("the pull request is gone already"))?;
        let url = json!(format!("{page}/discussions/{}", at + 1));
        // Where Python's client looks for it, and where Rust's does.
        (said["pullRequestUrl"], said["prUrl"]) = (url.clone(), url);
    }
    Answer::json(&said)
}

/// A path, if a file may have it.
fn named(path: String) -> Result<String, Refusal> {
    match path::check(&path) {
        Ok(()) => Ok(path),
        Err(what) => Err(Refusal::wrong(format!("{what}: {path:?}"))),
    }
}

/// A file that is in the line itself.
fn regular(
    store: &Store,
    packing: &mut Packing<'_>,
    file: File,
    limit: u64,
) -> Result<(String, Entry), Refusal> {
    let path = named(file.path)?;
    let content = match file.encoding.as_deref() {
        Some("base64") => STANDARD
            .decode(&file.content)
            .map_err(|error| Refusal::wrong(format!("{path} is not in base64: {error}")))?,
        None | Some("utf-8") => file.content.into_bytes(),
        Some(other) => {
            return Err(Refusal::wrong(format!("{path} is in {other}, not in base64")));
        }
    };
    let size = content.len() as u64;
    if size > limit {
        return Err(Refusal::too_large(&path, limit));
    }
    let (git, sha256) = (hash::git("blob", &content), Hash::of(&Sha256::digest(&content).into()));
    match store.objects().size(&sha256) {
        Some(_) => store.objects().touch(&sha256)?,
        None => packing.add(&sha256, &content)?,
    }
    Ok((path, Entry { sha256, size, git, large: false }))
}

/// A file whose contents came before.
fn large(store: &Store, file: LfsFile) -> Result<(String, Entry), Refusal> {
    let path = named(file.path)?;
    let wrong = |what: String| Refusal::wrong(format!("{path}: {what}"));
    if file.algo.as_deref().is_some_and(|algo| algo != "sha256") {
        return Err(wrong("large files are called by their SHA-256".to_owned()));
    }
    let hash = Hash::parse(&file.oid);
    let hash = hash.ok_or_else(|| wrong("its name is not a SHA-256".to_owned()))?;
    let size = store.objects().size(&hash);
    let size = size.ok_or_else(|| wrong(format!("its contents {hash} were never uploaded")))?;
    if file.size.is_some_and(|said| said != size) {
        return Err(wrong(format!("its contents have {size} bytes")));
    }
    let git = hash::git("blob", hash::pointer(&hash, size).as_bytes());
    Ok((path, Entry { sha256: hash, size, git, large: true }))
}
