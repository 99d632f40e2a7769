//! A hub that repeats what it was told in confidence, whatever it is asked.

use std::fmt::Debug;
use std::path::Path;
use std::sync::Arc;

use serde_json::{Value, json};
use sinew_hub::{
    Account, Client, Error, Flow, Hub, Ledger, Link, Local, Options, Part, Push, Result, Target,
};

use crate::proxy::Fault;
use crate::refused::{always, answer, batch, refused};
use crate::stand::{PART, PATIENCE, Stand, TOKEN, hub, is_clear, push_of, repo};

/// The file that all of them are asked for.
const OWN: &str = "videos/file-000.mp4";

/// Every way in which an answer can repeat the token.
fn answers() -> Vec<Fault> {
    let one = json!({
        "path": TOKEN, "uploadMode": TOKEN, "oid": TOKEN, "type": TOKEN, "size": TOKEN,
        "actions": { "upload": { "href": TOKEN, "header": { TOKEN: TOKEN } } },
        "error": { "code": 422, "message": TOKEN },
    });
    let file =
        |path: &str, oid: &str| json!([{ "type": "file", "path": path, "size": 9, "oid": oid }]);
    let (digits, commit) = ("0".repeat(40), "1".repeat(40));
    let name = |name: &str, commit: &str| json!([{ "name": name, "targetCommit": commit }]);
    let token = json!({ "displayName": TOKEN, "role": TOKEN });
    let bodies = [
        json!(TOKEN),
        json!([TOKEN]),
        json!({ TOKEN: TOKEN }),
        one.clone(),
        json!([one]),
        json!({ "error": TOKEN }),
        json!({ "message": TOKEN }),
        json!({ "sha": [TOKEN] }),
        json!({ "sha": TOKEN }),
        json!({ "files": [one] }),
        json!({ "objects": [one] }),
        json!({ "objects": TOKEN }),
        json!({ "transfer": TOKEN, "objects": [] }),
        json!({ "commitOid": TOKEN }),
        json!({ "files": [{ "path": OWN, "uploadMode": TOKEN }] }),
        file(&format!("{TOKEN}/../{TOKEN}"), &digits),
        file(TOKEN, TOKEN),
        file(TOKEN, &digits),
        json!({ "branches": name("main", TOKEN), "tags": name(TOKEN, &commit) }),
        json!({ "name": TOKEN, "fullname": TOKEN, "orgs": [{ "name": TOKEN }] }),
        json!({ "name": "me", "orgs": [], "auth": { "accessToken": token } }),
    ];
    let said = format!("X-Error-Message: no {TOKEN} here");
    let code = format!("X-Error-Code: {TOKEN}");
    let moved = format!("Location: ftp://x/{TOKEN}");
    let next = format!("Link: <http://{TOKEN}/x>; rel=\"next\"");
    let range = format!("Content-Range: bytes {TOKEN}");
    let headers = [said.as_str(), &code, &moved, &next, &range, "Retry-After: 0"];
    let statuses = [200, 206, 302, 307, 400, 401, 403, 404, 409, 412, 413, 416, 429, 500];
    let each = statuses.iter().flat_map(|status| bodies.iter().map(move |body| (*status, body)));
    each.map(|(status, body): (u16, &Value)| answer(status, &headers, &body.to_string())).collect()
}

/// Has something done while each stage gives every so manieth answer, and looks at what becomes of it.
/// Returns how many errors there were.
fn told<T: Debug>(
    stand: &Stand,
    stages: &[&'static str],
    every: usize,
    act: impl Fn() -> Result<T>,
) -> usize {
    let mut told = 0;
    for (at, stage) in stages.iter().enumerate() {
        for fault in answers().into_iter().skip(at).step_by(every) {
            stand.proxy.plan(always(stage, fault));
            match act() {
                Ok(done) => assert!(!format!("{done:?}").contains(TOKEN), "{stage}: {done:?}"),
                Err(error) => {
                    is_clear(&error);
                    told += 1;
                }
            }
        }
    }
    stand.proxy.calm();
    told
}

/// Somebody on a machine that has nothing yet.
fn account(stand: &Stand, home: &Path, token: Option<&str>) -> Account {
    let account = Account::of(&|name| match name {
        "HF_ENDPOINT" => Some(stand.proxy.url().into()),
        "HF_HOME" => Some(home.into()),
        "HF_TOKEN" => token.map(Into::into),
        _ => None,
    });
    account.unwrap()
}

#[test]
fn a_push_does_not_tell() {
    let stand = Stand::new();
    stand.write(OWN, 5000, 0);
    let stages = ["/create", "/revision/", "/preupload/", "/batch", "/lfs/", "/commit/", "/tree/"];
    let told = told(&stand, &stages, 5, || stand.push());
    assert!(told > 200, "{told} errors");
    let href = json!({ "href": format!("ftp://x/{TOKEN}?{TOKEN}") });
    is_clear(&refused("/objects/batch", batch(&href)));
}

#[test]
fn a_pull_request_does_not_tell() {
    let stand = Stand::new();
    let push = || {
        // Never what is there already.
        let (hub, repo) = (hub(&stand.proxy.url(), PATIENCE), repo());
        let files = [Local::bytes("README.md", b"---\nlicense: mit\n---\n".to_vec()).unwrap()];
        let push = Push { request: true, ..push_of(&hub, &repo, &files) };
        push.run(&Ledger::default(), &Flow::default())
    };
    let told = told(&stand, &["/validate-yaml", "create_pr=1"], 3, push);
    assert!(told > 100, "{told} errors");
    let asked = stand.proxy.passed();
    for stage in ["/validate-yaml", "create_pr=1"] {
        assert!(asked.iter().any(|passed| passed.question.path.contains(stage)), "{stage}");
    }
}

#[test]
fn a_pull_does_not_tell() {
    let stand = Stand::new();
    stand.write(OWN, 5000, 0);
    stand.push().unwrap();
    let pull = |choose: bool, folder: bool| {
        let home = tempfile::tempdir().unwrap();
        let account = account(&stand, home.path(), Some(TOKEN));
        let target = match folder {
            true => Target::Folder(home.path().join("mine")),
            false => Target::Cache(account.cache().to_owned()),
        };
        let snapshot = match choose {
            true => account.snapshot_of(&repo(), &|_| None, &["main"], &target),
            false => account.snapshot(&repo(), None, &target),
        }?;
        snapshot.fetch(&|_| true, &|_| {})
    };
    let stages = ["/revision/", "/api/datasets/local/pick", "/refs", "/tree/", "/resolve/"];
    let mut all = 0;
    for (choose, folder) in [(false, false), (true, false), (false, true)] {
        all += told(&stand, &stages, 11, || pull(choose, folder));
    }
    assert!(all > 200, "{all} errors");
}

#[test]
fn a_look_from_afar_does_not_tell() {
    let stand = Stand::new();
    stand.write(OWN, 5000, 0);
    stand.push().unwrap();
    let token = Some(TOKEN.to_owned());
    let client = Arc::new(Client::new(Options { token, ..Options::default() }).unwrap());
    let base = hub(&stand.proxy.url(), PATIENCE).files_of(&repo(), "main");
    let parts = || Link::new(&client, &base, OWN.split('/')).part(Part::Last(10)).map(drop);
    let whole = || Link::new(&client, &base, OWN.split('/')).whole(PART).map(drop);
    assert!(told(&stand, &["/resolve/"], 1, parts) > 250);
    assert!(told(&stand, &["/resolve/"], 1, whole) > 200);
}

#[test]
fn who_logs_in_is_not_told_of() {
    let stand = Stand::new();
    let home = tempfile::tempdir().unwrap();
    let errors = told(&stand, &["/whoami"], 1, || {
        let account = account(&stand, home.path(), None);
        account.login(TOKEN).map(|login| (login.person, login.path))
    });
    assert!(errors > 250, "{errors}");
    let account = account(&stand, home.path(), Some(TOKEN));
    assert!(told(&stand, &["/whoami"], 1, || account.hub()?.whoami()) > 250);
    let hub = Hub::new("http://127.0.0.1:9", account.options().unwrap()).unwrap();
    assert!(!format!("{hub:?} {account:?}").contains(TOKEN));
    assert!(matches!(account.hub_with(None).unwrap().whoami(), Err(Error::Denied { .. })));
}
