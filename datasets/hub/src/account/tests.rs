use std::collections::HashMap;
use std::ffi::OsString;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::Account;
use crate::Error;
use crate::tests::server::{Server, answer};

/// The account of a process with these variables.
fn account(variables: &[(&str, &str)]) -> Account {
    try_account(variables).unwrap()
}

fn try_account(variables: &[(&str, &str)]) -> crate::Result<Account> {
    let known: HashMap<&str, OsString> =
        variables.iter().map(|(name, value)| (*name, OsString::from(value))).collect();
    Account::of(&|name| known.get(name).cloned())
}

fn at_home(home: &Path, more: &[(&str, &str)]) -> Account {
    let mut variables = vec![("HF_HOME", home.to_str().unwrap())];
    variables.extend_from_slice(more);
    account(&variables)
}

#[test]
fn folders_are_where_the_official_client_has_them() {
    let cache = |variables: &[(&str, &str)]| account(variables).cache;
    let home = ("HOME", "/home/me");
    assert_eq!(cache(&[home]), Path::new("/home/me/.cache/huggingface/hub"));
    assert_eq!(cache(&[home, ("XDG_CACHE_HOME", "/c")]), Path::new("/c/huggingface/hub"));
    assert_eq!(cache(&[home, ("HF_HOME", "~/hf")]), Path::new("/home/me/hf/hub"));
    assert_eq!(cache(&[home, ("D", "/d"), ("HF_HOME", "$D/${D}x/$E")]), Path::new("/d//dx/$E/hub"));
    assert_eq!(cache(&[home, ("HUGGINGFACE_HUB_CACHE", "/old")]), Path::new("/old"));
    let both = [home, ("HUGGINGFACE_HUB_CACHE", "/old"), ("HF_HUB_CACHE", "~/new")];
    assert_eq!(cache(&both), Path::new("/home/me/new"));
    // Set to nothing is set: the folder that one is in.
    assert_eq!(cache(&[home, ("HF_HOME", "")]), Path::new("hub"));
    assert_eq!(cache(&[home, ("HF_HUB_CACHE", "")]), Path::new(""));
    let token = |variables: &[(&str, &str)]| account(variables).token_file;
    assert_eq!(token(&[home]), Path::new("/home/me/.cache/huggingface/token"));
    assert_eq!(token(&[home, ("HF_TOKEN_PATH", "~/t")]), Path::new("/home/me/t"));
}

#[test]
fn switches_and_times_are_read_as_the_official_client_does() {
    assert_eq!(account(&[]).endpoint(), "https://huggingface.co");
    assert_eq!(account(&[("HF_ENDPOINT", "http://lab:8080//")]).endpoint(), "http://lab:8080");
    for on in ["1", "on", "Yes", "TRUE"] {
        assert!(account(&[("HF_HUB_OFFLINE", on)]).is_offline(), "{on}");
    }
    for off in ["", "0", "2", "off"] {
        assert!(!account(&[("HF_HUB_OFFLINE", off)]).is_offline(), "{off}");
    }
    assert!(account(&[("HF_HUB_OFFLINE", ""), ("TRANSFORMERS_OFFLINE", "1")]).is_offline());
    assert!(!account(&[("HF_HUB_OFFLINE", "0"), ("TRANSFORMERS_OFFLINE", "1")]).is_offline());
    let patience = |text| account(&[("HF_HUB_DOWNLOAD_TIMEOUT", text)]).patience;
    assert_eq!((patience("3"), patience("0")), (Duration::from_secs(3), Duration::from_secs(10)));
    let wrong = try_account(&[("HF_HUB_DOWNLOAD_TIMEOUT", "")]).unwrap_err();
    assert!(matches!(wrong, Error::Variable { name: "HF_HUB_DOWNLOAD_TIMEOUT", .. }));
}

#[test]
fn the_environments_token_wins_over_the_files() {
    let home = tempfile::tempdir().unwrap();
    let token = |more: &[(&str, &str)]| at_home(home.path(), more).token().unwrap();
    assert_eq!(token(&[]), None);
    fs::write(home.path().join("token"), " hf_file\r\n").unwrap();
    assert_eq!(token(&[]).as_deref(), Some("hf_file"));
    assert_eq!(token(&[("HF_TOKEN", "hf_env\n")]).as_deref(), Some("hf_env"));
    assert_eq!(token(&[("HF_TOKEN", "")]).as_deref(), Some("hf_file"));
    assert_eq!(token(&[("HF_TOKEN", "  ")]).as_deref(), Some("hf_file"));
    assert_eq!(token(&[("HUGGING_FACE_HUB_TOKEN", "hf_old")]).as_deref(), Some("hf_old"));
    let wrong = at_home(home.path(), &[("HF_TOKEN", "hf_secret x")]).token().unwrap_err();
    assert!(!format!("{wrong} {wrong:?}").contains("secret"), "{wrong}");
}

#[test]
fn a_token_is_shown_to_nobody_who_looks_at_the_account() {
    let account = account(&[("HF_TOKEN", "hf_secret")]);
    assert!(!format!("{account:?}").contains("secret"));
    assert!(!format!("{:?}", account.hub().unwrap()).contains("secret"));
}

#[test]
fn an_implicit_token_can_be_kept_back() {
    let server = Server::with(vec![answer(200, &["Content-Length: 13"], "{\"name\":\"me\"}")]);
    let endpoint = endpoint(&server);
    let variables = [("HF_ENDPOINT", endpoint.as_str()), ("HF_TOKEN", "hf_secret")];
    let mut quiet = variables.to_vec();
    quiet.push(("HF_HUB_DISABLE_IMPLICIT_TOKEN", "1"));
    account(&quiet).hub().unwrap().whoami().unwrap();
    assert!(!server.asked()[0].contains("authorization"), "{:?}", server.asked());
}

#[test]
fn offline_nobody_is_asked() {
    let home = tempfile::tempdir().unwrap();
    let account = at_home(home.path(), &[("HF_HUB_OFFLINE", "1")]);
    assert!(matches!(account.hub(), Err(Error::Offline { .. })));
    assert!(matches!(account.login("hf_x"), Err(Error::Offline { .. })));
}

fn endpoint(server: &Server) -> String {
    server.url("127.0.0.1").strip_suffix("/pick/file.mp4").unwrap().to_owned()
}

fn me(token: &str) -> String {
    let body = format!(
        "{{\"name\":\"me\",\"auth\":{{\"accessToken\":{{\"displayName\":\"{token}\",\"role\":\"write\"}}}}}}"
    );
    answer(200, &[&format!("Content-Length: {}", body.len())], &body)
}

fn mode(path: PathBuf) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[test]
fn a_login_is_kept_for_this_user_alone_and_given_up_again() {
    let server = Server::with(vec![me("laptop"), me("board")]);
    let (folder, endpoint) = (tempfile::tempdir().unwrap(), endpoint(&server));
    let home = folder.path().join("hf");
    let account = at_home(&home, &[("HF_ENDPOINT", &endpoint)]);
    let login = account.login(" hf_one\n").unwrap();
    assert_eq!((login.person.name.as_str(), login.name.as_str()), ("me", "laptop"));
    assert_eq!(login.person.role(), Some("write"));
    assert!(server.asked()[0].contains("authorization: bearer hf_one\r"));
    account.login("hf_two").unwrap();
    assert_eq!(account.token().unwrap().as_deref(), Some("hf_two"));
    let list = fs::read_to_string(home.join("stored_tokens")).unwrap();
    assert_eq!(list, "[board]\nhf_token = hf_two\n\n[laptop]\nhf_token = hf_one\n\n");
    assert_eq!(fs::read_to_string(home.join("token")).unwrap(), "hf_two");
    let modes = (mode(home.clone()), mode(home.join("token")), mode(home.join("stored_tokens")));
    assert_eq!(modes, (0o700, 0o600, 0o600));

    assert!(matches!(account.logout(Some("phone")), Err(Error::NoSuchToken { .. })));
    account.logout(Some("laptop")).unwrap();
    assert_eq!(account.token().unwrap().as_deref(), Some("hf_two"));
    account.logout(Some("board")).unwrap();
    assert_eq!(account.token().unwrap(), None);
    assert!(account.logout(None).unwrap().was_in);
    assert!(!account.logout(None).unwrap().was_in);
    let given = at_home(&home, &[("HF_TOKEN", "hf_env")]);
    assert!(given.logout(None).unwrap().still_given);
}

#[test]
fn a_token_that_the_hub_does_not_know_is_not_kept() {
    let refused = answer(401, &["Content-Length: 0"], "");
    let server = Server::with(vec![refused]);
    let (home, endpoint) = (tempfile::tempdir().unwrap(), endpoint(&server));
    let account = at_home(home.path(), &[("HF_ENDPOINT", &endpoint)]);
    let error = account.login("hf_wrong").unwrap_err();
    assert!(matches!(error, Error::Denied { status: 401, with_token: true, .. }), "{error}");
    for never_sent in ["", " \n", "api_org_x", "hf two", "hf_\u{fc}"] {
        assert!(matches!(account.login(never_sent), Err(Error::Token { .. })), "{never_sent:?}");
    }
    assert_eq!(account.token().unwrap(), None);
    assert_eq!(fs::read_dir(home.path()).unwrap().count(), 0);
}
