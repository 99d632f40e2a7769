//! A hub that is never silent, and never done.

use std::path::Path;
use std::time::Duration;

use sinew_hub::{Client, Error, Hub, Options};

use crate::proxy::Fault;
use crate::refused::always;
use crate::stand::{Stand, TOKEN, is_clear, push_to, repo};

/// Somebody who wants a megabyte in half a second.
fn impatient() -> Options {
    Options {
        token: Some(TOKEN.into()),
        tries: 2,
        first_wait: Duration::from_millis(2),
        slow: Duration::from_millis(500),
        pace: 1 << 20,
        ..Options::default()
    }
}

fn gave_up(error: &Error) {
    is_clear(error);
    let Error::GaveUp { tries: 2, last } = error else { panic!("{error}") };
    assert!(last.to_string().contains("too slow") && error.may_pass(), "{error}");
}

#[test]
fn a_file_that_drips_in_is_given_up() {
    let stand = Stand::new();
    stand.write("videos/file-000.mp4", 100_000, 0);
    stand.push().unwrap();
    let url = stand.hub().files_of(&repo(), "main") + "/videos/file-000.mp4";
    let url = url.replace(&stand.server.url(), &stand.proxy.url());
    let client = Client::new(impatient()).unwrap();
    stand.proxy.plan(always("/resolve/", Fault::Trickle));
    gave_up(&client.get(&url, 1 << 20).unwrap_err());
    stand.proxy.calm();
    assert_eq!(client.get(&url, 1 << 20).unwrap().len(), 100_000);
}

#[test]
fn a_file_that_drips_away_is_given_up() {
    // More than the system takes in at once.
    let size = 24 << 20;
    let stand = Stand::with_parts(2 * size);
    stand.write("videos/file-000.mp4", size, 0);
    let push = |options: Options| {
        let hub = Hub::new(&stand.proxy.url(), options).unwrap();
        push_to(&hub, &stand.source(), Path::new(&stand.ledger_path()))
    };
    stand.proxy.plan(always("/api/lfs/", Fault::Sip));
    gave_up(&push(impatient()).unwrap_err());
    stand.proxy.calm();
    push(Options { slow: Duration::from_secs(60), ..impatient() }).unwrap();
    stand.is_whole();
}
