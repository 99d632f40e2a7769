//! A hub that means no good.

use std::fs;

use serde_json::{Value, json};
use sinew_hub::{Error, Flow, Ledger};

use crate::proxy::{Fault, Question};
use crate::stand::{PATIENCE, Stand, hub, is_clear, push_of, repo};

/// An answer with something in it.
pub fn answer(status: u16, headers: &[&str], body: &str) -> Fault {
    let headers: String = headers.iter().map(|header| format!("{header}\r\n")).collect();
    let length = body.len();
    Fault::Say(format!("HTTP/1.1 {status} X\r\n{headers}Content-Length: {length}\r\n\r\n{body}"))
}

/// Says this wherever something at this stage is asked.
pub fn always(stage: &'static str, fault: Fault) -> impl FnMut(&Question) -> Option<Fault> + Send {
    move |question| question.path.contains(stage).then(|| fault.clone())
}

pub fn refused(stage: &'static str, fault: Fault) -> Error {
    let stand = Stand::new();
    stand.write("videos/file-000.mp4", 5000, 0);
    stand.proxy.plan(always(stage, fault));
    let error = stand.push().expect_err(stage);
    is_clear(&error);
    error
}

/// What a hub could say of the one large file there is.
pub fn batch(upload: &Value) -> Fault {
    let stand = Stand::new();
    stand.write("videos/file-000.mp4", 5000, 0);
    stand.push().unwrap();
    let oid = stand.there().iter().find_map(|entry| match &entry.digest {
        sinew_hub::Digest::Sha256(oid) => Some(oid.clone()),
        sinew_hub::Digest::Git(_) => None,
    });
    let object = json!({ "oid": oid, "size": 5000, "actions": { "upload": upload } });
    answer(200, &[], &json!({ "transfer": "basic", "objects": [object] }).to_string())
}

#[test]
fn files_are_not_sent_where_no_file_belongs() {
    for href in [
        "ftp://store.example/x",
        "file:///etc/passwd",
        "/api/lfs/x",
        "",
        "http://me:secret@127.0.0.1/x",
        "http://127.0.0.1:1\r\nX-Evil: y/x",
        "http://127.0.0.1:99999/x",
    ] {
        let error = refused("/objects/batch", batch(&json!({ "href": href })));
        let right = matches!(error, Error::Nonsense { .. } | Error::Address { .. });
        assert!(right && !error.to_string().contains("secret"), "{href:?}: {error}");
    }
}

#[test]
fn a_header_cannot_carry_another() {
    let evil = [("x\r\nEvil", "y"), ("x", "y\r\nEvil: z"), ("", "y"), ("x y", "z"), ("x", "\0")];
    for (name, value) in evil {
        let upload = json!({ "href": "http://127.0.0.1:9/x", "header": { name: value } });
        let error = refused("/objects/batch", batch(&upload));
        assert!(matches!(error, Error::Nonsense { .. }), "{name:?}: {value:?}: {error}");
    }
}

#[test]
fn how_bytes_are_sent_is_not_the_hubs_to_say() {
    let stand = Stand::new();
    stand.write("videos/file-000.mp4", 5000, 0);
    let header = json!({
        "Transfer-Encoding": "chunked", "Content-Length": "1", "Host": "elsewhere",
        "Connection": "close", "X-Own": "kept",
    });
    let upload = json!({ "href": format!("{}/api/lfs/x", stand.proxy.url()), "header": header });
    stand.proxy.plan(always("/objects/batch", batch(&upload)));
    is_clear(&stand.push().unwrap_err());
    let passed = stand.proxy.passed();
    let put = passed.iter().find(|passed| passed.question.method == "PUT").unwrap();
    assert_eq!((put.question.length, put.sent, put.question.signed), (5000, 5000, false));
}

#[test]
fn answers_are_bounded_however_deep_or_long_they_are() {
    let deep = "[".repeat(1 << 20);
    let deep_header = format!("{{\"objects\":[{{\"oid\":\"x\",\"actions\":{deep}");
    let long = format!("{{\"files\":[{{\"path\":\"{}\"}}]}}", "x".repeat(1 << 20));
    let mode = "y".repeat(1 << 20);
    let mode = json!({ "files": [{ "path": "videos/file-000.mp4", "uploadMode": mode }] });
    for body in [deep.as_str(), &deep_header, &long, &mode.to_string(), "", "null", "7", "\u{0}"] {
        for stage in ["/preupload/", "/objects/batch", "/commit/main", "/tree/", "/revision/"] {
            // A commit is made by whoever says so; whether it was is seen afterwards.
            let error = refused(stage, answer(200, &[], body));
            let known = matches!(error, Error::GaveUp { .. } | Error::Nonsense { .. });
            assert!(known || !error.may_pass(), "{error}");
        }
    }
    let error = refused("/preupload/", answer(200, &[], &" ".repeat((64 << 20) + 1)));
    assert!(matches!(error, Error::TooLarge { .. }), "{error}");
}

#[test]
fn a_hub_that_looks_at_no_page_is_as_good() {
    for (status, taken) in [(404, true), (405, true), (501, true), (401, false), (413, false)] {
        let stand = Stand::new();
        stand.write("README.md", 300, 0);
        fs::write(stand.source().join("README.md"), "---\nlicense: mit\n---\n").unwrap();
        stand.proxy.plan(always("/validate-yaml", answer(status, &[], "")));
        let pushed = stand.push();
        assert_eq!(pushed.is_ok(), taken, "{status}: {pushed:?}");
        let asked = stand.proxy.passed();
        assert!(asked.iter().any(|passed| passed.question.path == "/api/validate-yaml"));
    }
    // What is wrong is wrong whatever status it has.
    let said = "{\"errors\":[{\"message\":\"no\"},{\"message\":\"never\"}]}";
    for status in [200, 400] {
        let stand = Stand::new();
        fs::create_dir(stand.source()).unwrap();
        fs::write(stand.source().join("README.md"), "---\nlicense: mit\n---\n").unwrap();
        stand.proxy.plan(always("/validate-yaml", answer(status, &[], said)));
        let error = stand.push().unwrap_err();
        assert!(matches!(&error, Error::Page { message, .. } if message == "no; never"), "{error}");
    }
}

#[test]
fn a_pull_request_is_asked_for_once() {
    let stand = Stand::new();
    stand.write("meta/info.json", 300, 0);
    stand.push().unwrap();
    stand.write("meta/info.json", 400, 1);
    let ask = |fault| {
        stand.proxy.plan(always("?create_pr=1", fault));
        let (hub, repo) = (hub(&stand.proxy.url(), PATIENCE), repo());
        let files = sinew_hub::Local::below(&stand.source(), |_| true).unwrap();
        let push = sinew_hub::Push { request: true, replace: true, ..push_of(&hub, &repo, &files) };
        let error = push.run(&Ledger::default(), &Flow::default()).unwrap_err();
        is_clear(&error);
        error
    };
    // Its answer is lost: the hub has done what it was asked.
    let unheard = |fault| {
        let error = ask(fault);
        assert!(matches!(error, Error::Unheard { .. }) && !error.may_pass(), "{error}");
    };
    unheard(Fault::CutAnswer(20));
    // Whoever answers so, it may be done all the same.
    for status in [500, 502, 503, 504] {
        unheard(answer(status, &["Retry-After: 0"], ""));
    }
    unheard(answer(200, &[], "<p>Welcome to this network"));
    let commit = "1".repeat(40);
    for url in ["null", "7", "\"/discussions/x\"", "\"http://x/discussions/\"", "\"../1\""] {
        let said = format!("{{\"commitOid\":\"{commit}\",\"pullRequestUrl\":{url}}}");
        unheard(answer(200, &[], &said));
    }
    let asked = stand.proxy.passed();
    let asked = asked.iter().filter(|passed| passed.question.path.contains("create_pr"));
    assert_eq!(asked.count(), 11);
}

#[test]
fn a_pull_request_that_was_begun_is_gone_on_with() {
    let stand = Stand::new();
    stand.write("meta/info.json", 300, 0);
    stand.push().unwrap();
    let page = format!("{}/datasets/local/pick/discussions", stand.proxy.url());
    let ask = |ledger: &std::path::Path| {
        let (hub, repo) = (hub(&stand.proxy.url(), PATIENCE), repo());
        let files = sinew_hub::Local::below(&stand.source(), |_| true).unwrap();
        let push = sinew_hub::Push { request: true, replace: true, ..push_of(&hub, &repo, &files) };
        push.run(&Ledger::open(ledger).unwrap(), &Flow::default())
    };
    let kept = stand.folder.path().join("request.ledger");
    for state in 1..3 {
        stand.write("meta/info.json", 400, state);
        // It is made, and nobody can look whether all of it is there.
        stand.proxy.plan(always("/tree/", answer(502, &[], "")));
        assert!(ask(&kept).unwrap_err().may_pass());
        stand.proxy.calm();
        stand.write("meta/more.json", 500, state);
        let pushed = ask(&kept).unwrap();
        assert_eq!((pushed.request, pushed.changed), (Some(format!("{page}/{state}")), 1));
    }
    // One that is gone is not.
    fs::write(&kept, "{\"request\":77}\n").unwrap();
    assert_eq!(ask(&kept).unwrap().request, Some(format!("{page}/3")));
    // Nor one that takes nothing more, the time after.
    fs::write(&kept, "{\"request\":3}\n").unwrap();
    stand.write("meta/more.json", 500, 9);
    stand.proxy.plan(always("/commit/refs", answer(403, &[], "")));
    assert!(matches!(ask(&kept), Err(Error::Denied { .. })));
    stand.proxy.plan(always("/commit/refs", answer(400, &[], "{\"error\":\"it is closed\"}")));
    assert!(matches!(ask(&kept), Err(Error::Status { status: 400, .. })));
    stand.proxy.calm();
    assert_eq!(ask(&kept).unwrap().request, Some(format!("{page}/4")));
}

#[test]
fn what_a_hub_cannot_do_it_cannot_do_later() {
    for (status, passes) in [(500, true), (501, false), (502, true), (599, true), (400, false)] {
        let error = refused("/preupload/", answer(status, &["Retry-After: 0"], ""));
        assert_eq!((error.may_pass(), error.passes()), (passes, passes), "{error}");
    }
}
