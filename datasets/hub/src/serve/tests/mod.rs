//! A hub, asked over the wire.

mod abuse;
mod chunks;
mod life;
mod pages;
mod recorded;
mod rights;
mod slow;

use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tempfile::TempDir;
use ureq::Body;
use ureq::http::{Request, Response};

use super::{Access, Options, Server};

/// A hub in a folder that goes with it.
struct Bench {
    folder: TempDir,
    server: Option<Server>,
    token: Option<&'static str>,
    options: Options,
}

/// What came back.
#[derive(Debug)]
struct Reply {
    status: u16,
    headers: ureq::http::HeaderMap,
    bytes: Vec<u8>,
}

impl Bench {
    /// A hub that takes any token.
    fn new() -> Self {
        Self::with(|_options| {})
    }

    fn with(change: impl FnOnce(&mut Options)) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut options = Options::new(folder.path().join("hub"));
        change(&mut options);
        let server = Some(Server::start(options.clone()).unwrap());
        Self { folder, server, token: Some("hf_any"), options }
    }

    /// Ends the hub and starts it again in the same folder, on the same port.
    fn restart(&mut self) {
        self.options.port = self.server.as_ref().unwrap().address.port();
        self.server.take().unwrap().stop();
        self.server = Some(Server::start(self.options.clone()).unwrap());
    }

    fn url(&self) -> String {
        self.server.as_ref().unwrap().url()
    }

    /// Asks; an address that begins with a slash is this hub's.
    fn ask(&self, method: &str, at: &str, headers: &[(&str, &str)], body: &[u8]) -> Reply {
        let at = if at.starts_with('/') { format!("{}{at}", self.url()) } else { at.to_owned() };
        let mut request = Request::builder().method(method).uri(at);
        if let Some(token) = self.token {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let config = ureq::Agent::config_builder();
        // Where an answer sends to is looked at, not followed.
        let config = config.max_redirects(0).max_redirects_will_error(false);
        let config = config.http_status_as_error(false).allow_non_standard_methods(true).build();
        let request = request.body(body).unwrap();
        Reply::of(ureq::Agent::from(config).run(request).unwrap())
    }

    fn get(&self, at: &str) -> Reply {
        self.ask("GET", at, &[], b"")
    }

    fn post(&self, at: &str, body: Value) -> Reply {
        self.ask("POST", at, &[("content-type", "application/json")], body.to_string().as_bytes())
    }

    /// Makes a dataset.
    fn create(&self, name: &str) {
        let made = self.post(
            "/api/repos/create",
            json!({ "name": name, "organization": "me", "type": "dataset" }),
        );
        assert_eq!(made.status, 200, "{made:?}");
    }

    /// Sends lines as a commit to a dataset's main branch.
    fn commit(&self, name: &str, lines: &[Value]) -> Reply {
        let header = json!({ "key": "header", "value": { "summary": "a commit" } });
        let lines = std::iter::once(&header).chain(lines);
        let body: String = lines.map(|line| format!("{line}\n")).collect();
        self.ask("POST", &format!("/api/datasets/me/{name}/commit/main"), &[], body.as_bytes())
    }

    /// Uploads a large file in one piece, and says how it went.
    fn large(&self, name: &str, content: &[u8]) -> Reply {
        let object = json!({ "oid": sha256(content), "size": content.len() });
        let batch = json!({ "operation": "upload", "transfers": ["basic"], "objects": [object] });
        let batch = self.post(&format!("/datasets/me/{name}.git/info/lfs/objects/batch"), batch);
        let href = batch.json()["objects"][0]["actions"]["upload"]["href"].clone();
        self.ask("PUT", href.as_str().unwrap(), &[], content)
    }
}

impl Reply {
    fn of(mut response: Response<Body>) -> Self {
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let bytes = response.body_mut().with_config().limit(u64::MAX).read_to_vec().unwrap();
        Self { status, headers, bytes }
    }

    fn json(&self) -> Value {
        serde_json::from_slice(&self.bytes)
            .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&self.bytes)))
    }

    fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    /// The status, and by what clients recognise what is missing.
    fn verdict(&self) -> (u16, &str) {
        (self.status, self.header("x-error-code"))
    }
}

fn sha256(bytes: &[u8]) -> String {
    crate::hex::hex(&Sha256::digest(bytes))
}

/// A line of a commit with a small file in it.
fn file(path: &str, content: &[u8]) -> Value {
    use base64::Engine;
    let content = base64::engine::general_purpose::STANDARD.encode(content);
    json!({ "key": "file", "value": { "path": path, "content": content, "encoding": "base64" } })
}

/// A line of a commit that names a large file.
fn large_file(path: &str, content: &[u8]) -> Value {
    let oid = sha256(content);
    json!({ "key": "lfsFile", "value": { "path": path, "algo": "sha256", "oid": oid } })
}
