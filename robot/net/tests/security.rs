//! Who gets in, and who may do what: certificates, user names and rights, on a real network of this
//! machine.

#![allow(clippy::unwrap_used)] // a test that cannot set itself up must fail

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use sinew_drivers::clock::SECOND;
use sinew_net::host::{Host, HostOptions};
use sinew_net::key::RobotKeys;
use sinew_net::message::{Ask, Description, Health, Op, Reply, VERSION, decode};
use sinew_net::trust::Papers;
use sinew_net::{Error, Network, Options, presence};
use zenoh::Wait;
use zenoh::handlers::FifoChannel;
use zenoh::query::QueryTarget;
use zenoh::sample::{Locality, SampleKind};

/// Long enough for who is there, and waited for in full by who is refused.
const PATIENCE: Duration = Duration::from_secs(3);

fn free() -> u16 {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().port()
}

fn open(network: &Network, audit: Option<PathBuf>) -> Host {
    let description = Description {
        v: VERSION,
        robot: "white".into(),
        kind: "so101_follower".into(),
        id: None,
        program: "test".into(),
        fps: 60.0,
        watchdog_ms: 60_000,
        stop: "limp".into(),
        arms: Vec::new(),
        cameras: Vec::new(),
        holder: None,
    };
    let options = HostOptions {
        description,
        // Nobody here loses a lease by being slow.
        watchdog: 60 * SECOND,
        take_over: false,
        audit,
        ros2: None,
    };
    Host::open(network, options).unwrap().0
}

fn take(network: &Network, who: &str) -> Option<Reply> {
    let ask = Ask {
        v: VERSION,
        op: Op::Take,
        who: who.into(),
        lease: 0,
        n: 0,
        take_over: false,
        limp: false,
    };
    let key = RobotKeys::new("white").unwrap().lease();
    network.query(&key, Some((&ask, None)), PATIENCE).unwrap()
}

fn sees(network: &Result<Network, Error>) -> bool {
    let network = network.as_ref().ok();
    network.is_some_and(|network| presence::robot(network, "white", PATIENCE).unwrap().is_some())
}

/// A machine with papers of a house of its own, or of the house that is founded here.
fn machine(folder: &Path, house: Option<&Papers>) -> PathBuf {
    let papers = Papers::at(folder);
    let own;
    let house = match house {
        Some(house) => house,
        None => {
            own = Papers::at(&folder.join("own"));
            own.found().unwrap();
            &own
        }
    };
    papers.take(&house.issue(&["localhost".into(), "127.0.0.1".into()]).unwrap()).unwrap();
    folder.to_owned()
}

#[test]
fn over_tls_only_machines_of_one_house_meet() {
    let folder = tempfile::tempdir().unwrap();
    let house = Papers::at(&folder.path().join("house"));
    house.found().unwrap();
    let [host, guest, stranger] =
        ["host", "guest", "stranger"].map(|name| folder.path().join(name));
    let (host, guest) = (machine(&host, Some(&house)), machine(&guest, Some(&house)));
    let stranger = machine(&stranger, None);
    let at = format!("127.0.0.1:{}", free());
    let there = Network::host(&Options {
        listen: vec![format!("tls/{at}")],
        papers: host,
        ..Options::default()
    });
    let _host = open(&there.unwrap(), None);
    let ask = |at: String, papers: &Path| {
        Network::ask(&Options {
            connect: vec![at],
            papers: papers.to_owned(),
            ..Options::default()
        })
    };
    let tls = format!("tls/{at}");
    assert!(sees(&ask(tls.clone(), &guest)));
    assert!(!sees(&ask(tls.clone(), &stranger)), "another house's certificate");
    assert!(!sees(&ask(format!("tcp/{at}"), &guest)), "no certificate");
    let none = ask(tls.clone(), &folder.path().join("none"));
    assert!(matches!(none, Err(Error::NoPapers { .. })));
    // Who trusts the house and shows nothing.
    let config = folder.path().join("one-sided.json5");
    let text = format!(
        "{{mode: 'client', connect: {{endpoints: ['{tls}']}}, scouting: {{multicast: {{enabled: false}}}},
          transport: {{link: {{tls: {{root_ca_certificate: '{}'}}}}}}}}",
        folder.path().join("guest/house.pem").display()
    );
    fs::write(&config, text).unwrap();
    let one_sided = Network::ask(&Options { config: Some(config), ..Options::default() });
    assert!(!sees(&one_sided), "who shows no certificate");
    // A name that the certificate does not have.
    let named = ask(tls.replace("127.0.0.1", "127.0.0.2"), &guest);
    assert!(!sees(&named), "another name than the certificate's");
}

/// The example of the documentation, for this port and this dictionary.
fn documented(port: u16, users: &Path) -> String {
    let text = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/NETWORK.md"));
    let text = text.unwrap();
    let example = text.split("```json5\n").nth(1).unwrap().split("```").next().unwrap();
    let example = example.replace("0.0.0.0:7447", &format!("127.0.0.1:{port}"));
    let example = example.replace("/etc/sinew/users.txt", users.to_str().unwrap());
    assert!(example.contains(users.to_str().unwrap()) && !example.contains("7447"));
    example
}

/// A host by the documentation's rules, and how its guests come in.
struct Ruled {
    folder: tempfile::TempDir,
    port: u16,
    _host: Host,
}

impl Ruled {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let port = free();
        let users = folder.path().join("users.txt");
        fs::write(&users, "host:…\nanna:secret\nben:word\n").unwrap();
        let config = folder.path().join("host.json5");
        fs::write(&config, documented(port, &users)).unwrap();
        let options = Options { config: Some(config), ..Options::default() };
        let _host = open(&Network::host(&options).unwrap(), None);
        Self { folder, port, _host }
    }

    fn guest(&self, user: &str, password: &str) -> Result<Network, Error> {
        let (config, port) = (self.folder.path().join(format!("{user}.json5")), self.port);
        let text = format!(
            "{{mode: 'client', connect: {{endpoints: ['tcp/127.0.0.1:{port}']}},
              scouting: {{multicast: {{enabled: false}}}},
              transport: {{auth: {{usrpwd: {{user: '{user}', password: '{password}'}}}}}}}}"
        );
        fs::write(&config, text).unwrap();
        Network::ask(&Options { config: Some(config), ..Options::default() })
    }
}

#[test]
fn user_names_let_in_and_rights_say_who_may_drive_as_documented() {
    let host = Ruled::new();
    assert!(!sees(&host.guest("eve", "word")), "nobody of that name");
    assert!(!sees(&host.guest("anna", "word")), "a wrong password");
    let connect = vec![format!("127.0.0.1:{}", host.port)];
    let nobody = Network::ask(&Options { connect, ..Options::default() });
    assert!(!sees(&nobody), "who says no name");
    let ben = host.guest("ben", "word");
    assert!(sees(&ben), "who may look");
    assert_eq!(take(&ben.unwrap(), "ben"), None, "and may not drive");
    let anna = host.guest("anna", "secret");
    assert!(sees(&anna));
    assert!(take(&anna.unwrap(), "anna").unwrap().granted.is_some(), "who may drive");
}

/// Everything that this guest can say under the robot's name, and that of another one.
fn forge(guest: &Network) -> Vec<zenoh::query::Queryable<()>> {
    let keys = RobotKeys::new("white").unwrap();
    for key in [keys.state(), keys.action(), keys.camera("front"), keys.event(), keys.health()] {
        guest.session().put(&key, "forged").wait().unwrap();
        guest.session().delete(&key).wait().unwrap();
    }
    let answer = |query: zenoh::query::Query| {
        query.reply(query.key_expr().clone(), "forged").wait().unwrap_or_default();
    };
    [keys.describe(), keys.lease(), keys.clock(), "sinew/black/describe".to_owned()]
        .map(|key| guest.session().declare_queryable(key).callback(answer).wait().unwrap())
        .into()
}

#[test]
fn a_guest_can_neither_speak_nor_answer_for_a_robot() {
    let host = Ruled::new();
    let (ben, anna) = (host.guest("ben", "word").unwrap(), host.guest("anna", "secret").unwrap());
    let keys = RobotKeys::new("white").unwrap();
    let heard = |network: &Network, key: String| {
        let subscriber = network.session().declare_subscriber(key).allowed_origin(Locality::Remote);
        subscriber.with(FifoChannel::new(1024)).wait().unwrap()
    };
    let (told_anna, told_ben) = (heard(&anna, "sinew/**".into()), heard(&ben, keys.health()));
    // Both subscriptions are known to the host once it has answered.
    for guest in [&ben, &anna] {
        assert!(presence::robot(guest, "white", PATIENCE).unwrap().is_some());
    }
    let _answers = forge(&ben);
    let _token = presence::announce(&ben, "sinew/black/alive").unwrap();
    // What ben said has arrived once the host has answered what he asked after it.
    let asked = ben.session().get(keys.describe()).allowed_destination(Locality::Remote);
    assert!(asked.timeout(PATIENCE).wait().unwrap().recv().unwrap().result().is_ok());
    let names = presence::look(&anna, PATIENCE).unwrap();
    assert_eq!(names.len(), 1, "{names:?}");
    let forged = b"forged".to_vec();
    for key in [keys.describe(), keys.clock(), keys.lease()] {
        let all = anna.session().get(&key).target(QueryTarget::All).timeout(PATIENCE);
        let answers: Vec<_> = all.wait().unwrap().into_iter().collect();
        let own = |answer: &zenoh::query::Reply| {
            answer.result().is_err_and(|_refused| key == keys.lease())
                || answer.result().is_ok_and(|said| said.payload().to_bytes() != forged)
        };
        assert!(answers.len() == 1 && answers.iter().all(own), "{key}: {answers:?}");
    }
    assert!(presence::robot(&anna, "black", PATIENCE).unwrap().is_none());
    // An action of anna's, which is noise, is the first that arrives.
    anna.session().put(keys.action(), "noise").wait().unwrap();
    let healths = std::iter::from_fn(|| told_anna.recv().ok()).filter_map(|sample| {
        let payload = sample.payload().to_bytes();
        assert!(sample.kind() == SampleKind::Put && payload != forged, "{sample:?}");
        let health = sample.key_expr().as_str() == keys.health();
        health.then(|| decode::<Health>(&payload).unwrap())
    });
    // The other one of them is her empty question for a lease.
    let malformed = healths.filter_map(|health| health.refused.get("malformed").copied());
    assert_eq!(malformed.take(2).collect::<Vec<_>>(), [2, 2]);
    assert!(decode::<Health>(&told_ben.recv().unwrap().payload().to_bytes()).is_ok());
}

#[test]
fn a_flood_of_those_turned_away_is_written_down_in_few_lines() {
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("white.jsonl");
    let at = format!("127.0.0.1:{}", free());
    let listen = Options { listen: vec![at.clone()], ..Options::default() };
    let host = open(&Network::host(&listen).unwrap(), Some(log.clone()));
    let guest = Network::ask(&Options { connect: vec![at], ..Options::default() }).unwrap();
    let began = std::time::Instant::now();
    assert!(take(&guest, "anna").unwrap().granted.is_some());
    let refused = (0..90).filter(|_| take(&guest, "ben").unwrap().refused.is_some()).count();
    assert_eq!(refused, 90);
    drop(host);
    let log = fs::read_to_string(&log).unwrap();
    let lines: Vec<&str> = log.lines().filter(|line| line.contains("lease_refused")).collect();
    let before = |line: &str| -> Option<usize> {
        line.split(" before").next()?.rsplit(' ').next()?.parse().ok()
    };
    let told: usize = lines.iter().map(|line| 1 + before(line).unwrap_or(0)).sum();
    assert_eq!(told, 90, "{log}");
    // One a second, and the rest at the end.
    assert!(lines.len() as u64 <= 3 + began.elapsed().as_secs(), "{log}");
    assert!(log.contains("lease_taken") && log.contains("it goes"), "{log}");
}
