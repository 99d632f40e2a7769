//! Somebody drives an arm with a phone.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::ring;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, ClientConnection, DigitallySignedStruct, SignatureScheme, StreamOwned};
use serde_json::{Value, json};
use sinew_drivers::Clock;
use sinew_drivers::clock::MILLI;

use crate::sandbox::{Arm, Running, Sandbox};

/// Somebody who agreed to a certificate that nobody has signed.
#[derive(Debug)]
struct Agreed;

impl ServerCertVerifier for Agreed {
    fn verify_server_cert(
        &self,
        _end: &CertificateDer<'_>,
        _between: &[CertificateDer<'_>],
        _name: &ServerName<'_>,
        _ocsp: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _message: &[u8],
        _cert: &CertificateDer<'_>,
        _signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let known = ring::default_provider().signature_verification_algorithms;
        rustls::crypto::verify_tls13_signature(message, cert, signed, &known)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        ring::default_provider().signature_verification_algorithms.supported_schemes()
    }
}

/// A phone's browser with the page open.
struct Phone {
    port: u16,
    token: String,
    name: &'static str,
    number: u64,
    line: Option<BufReader<StreamOwned<ClientConnection, TcpStream>>>,
}

impl Phone {
    /// Opens the page at this address.
    fn open(url: &str, name: &'static str) -> Self {
        let (host, token) = url.strip_prefix("https://").unwrap().rsplit_once('/').unwrap();
        let port = host.rsplit_once(':').unwrap().1.parse().unwrap();
        let mut phone = Self { port, token: token.to_owned(), name, number: 0, line: None };
        let path = format!("/{token}");
        let (code, page) = phone.ask("GET", &path, b"");
        assert_eq!(code, 200);
        assert!(page.contains("Hold to move"), "{page}");
        phone
    }

    fn connect(port: u16) -> BufReader<StreamOwned<ClientConnection, TcpStream>> {
        let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(Agreed))
            .with_no_client_auth();
        let name = ServerName::try_from("localhost").unwrap();
        let connection = ClientConnection::new(Arc::new(config), name).unwrap();
        let stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
        stream.set_nodelay(true).unwrap();
        BufReader::new(StreamOwned::new(connection, stream))
    }

    /// Asks over the line that is open, or over a new one.
    fn ask(&mut self, method: &str, path: &str, body: &[u8]) -> (u16, String) {
        let port = self.port;
        let line = self.line.get_or_insert_with(|| Self::connect(port));
        let length = body.len();
        let head =
            format!("{method} {path} HTTP/1.1\r\nHost: a\r\nContent-Length: {length}\r\n\r\n");
        line.get_mut().write_all(&[head.as_bytes(), body].concat()).unwrap();
        let (mut code, mut length) = (0, 0);
        loop {
            let mut text = String::new();
            line.read_line(&mut text).unwrap();
            let text = text.trim_end();
            if let Some(status) = text.strip_prefix("HTTP/1.1 ") {
                code = status[..3].parse().unwrap();
            } else if let Some(told) = text.strip_prefix("Content-Length: ") {
                length = told.parse().unwrap();
            } else if text.is_empty() {
                break;
            }
        }
        let mut body = vec![0; length];
        line.read_exact(&mut body).unwrap();
        (code, String::from_utf8(body).unwrap())
    }

    /// Says how it is held.
    fn say(&mut self, mut fields: Value) -> (u16, String) {
        self.number += 1;
        fields["n"] = self.number.into();
        let path = format!("/{}/say/{}", self.token, self.name);
        self.ask("POST", &path, fields.to_string().as_bytes())
    }

    /// Says what it does some sixty times a second, until that is so.
    fn until(&mut self, mut fields: impl FnMut(u64) -> Value, mut so: impl FnMut() -> bool) {
        for count in 0.. {
            assert!(count < 3000, "it never is");
            let (code, told) = self.say(fields(count));
            assert_eq!(code, 200, "{told}");
            // This machine may have been busy for longer than a phone is waited for.
            if told == "anew" {
                self.say(json!({}));
            }
            if so() {
                return;
            }
            Clock::Real.sleep(15 * MILLI);
        }
    }
}

/// Flat, its upper end ahead, so far above the table.
fn lifted(held: bool, up: f64) -> Value {
    let half = std::f64::consts::FRAC_1_SQRT_2;
    json!({ "held": held, "place": [0.0, up, 0.0], "turn": [-half, 0.0, 0.0, half] })
}

/// Where the arm's servos are.
pub(crate) fn positions(arm: &Arm) -> Vec<i64> {
    let state = arm.control("\"state\"");
    let servos = state["servos"].as_array().unwrap().iter();
    servos.map(|servo| servo["position"].as_i64().unwrap()).collect()
}

/// How far apart two places are in the servo that is farthest.
pub(crate) fn far(one: &[i64], other: &[i64]) -> i64 {
    one.iter().zip(other).map(|(one, other)| (one - other).abs()).max().unwrap()
}

/// Waits until the arm has not moved for a good while.
pub(crate) fn wait_until_it_stands(arm: &Arm) -> Vec<i64> {
    let (mut stands, mut since) = (positions(arm), 0);
    arm.wait_until(|_| {
        Clock::Real.sleep(20 * MILLI);
        let now = positions(arm);
        since = if far(&now, &stands) <= 1 { since + 1 } else { 0 };
        if since == 0 {
            stands = now;
        }
        since > 15
    });
    stands
}

/// Starts to teleoperate an SO-101 with a phone; the address of its page.
pub(crate) fn start(sandbox: &Sandbox, arm: &Arm) -> (Running, String) {
    let words = ["--json", "teleoperate", "--robot.type=so101_follower", "--robot.id=white"];
    let rest = ["--dry_run_s=0", "--teleop.type=phone", "--teleop.port=0", "--robot.port"];
    let mut running = sandbox.start(&[&words[..], &rest, &[arm.port()]].concat());
    let served = running.next();
    assert_eq!((&served["type"], &served["state"]), (&"phone".into(), &"served".into()));
    arm.wait_for_torque();
    (running, served["url"].as_str().unwrap().to_owned())
}

/// Waits until that has become of the phone.
fn wait_for(running: &mut Running, state: &str) {
    loop {
        let event = running.next();
        assert_eq!(event["type"], "phone", "{event}");
        if event["state"] == state {
            return;
        }
    }
}

#[test]
fn the_arm_follows_while_the_button_is_held_and_holds_once_the_line_is_lost() {
    let sandbox = Sandbox::new();
    let arm = sandbox.arm("so101", "white");
    let (mut running, url) = start(&sandbox, &arm);
    let before = wait_until_it_stands(&arm);
    let mut phone = Phone::open(&url, "mine");
    // Moved about, but not held.
    (0..20).for_each(|at| assert_eq!(phone.say(lifted(false, f64::from(at) * 0.01)).1, "waits"));
    wait_for(&mut running, "here");
    assert!(far(&wait_until_it_stands(&arm), &before) <= 2);

    let lift = |count: u64| lifted(true, (count as f64 * 0.002).min(0.06));
    phone.until(lift, || far(&positions(&arm), &before) > 80);
    // The line is lost in the middle of it.
    phone.line = None;
    wait_for(&mut running, "silent");
    let lost = wait_until_it_stands(&arm);
    assert_eq!(phone.say(lifted(true, 0.3)).1, "anew");
    wait_for(&mut running, "back");
    (0..20).for_each(|_| assert_eq!(phone.say(lifted(true, 0.5)).1, "anew"));
    assert!(far(&wait_until_it_stands(&arm), &lost) <= 2, "it waits for a new press");

    // Pressed anew, the phone begins wherever it is.
    phone.say(lifted(false, 0.5));
    let lower = |count: u64| lifted(true, 0.5 - (count as f64 * 0.002).min(0.06));
    phone.until(lower, || far(&positions(&arm), &lost) > 60);
    let open = |_| json!({ "open": 1.0 });
    phone.until(open, || (positions(&arm)[5] - before[5]).abs() > 100);
    assert_eq!(phone.say(json!({ "press": [1, "stop"] })).1, "waits");
    let result = running.result();
    assert_eq!(running.end().0, 0, "{result}");
    assert_eq!(arm.torques(), [false; 6]);
}

#[test]
fn nobody_else_drives_and_garbage_moves_nothing() {
    let sandbox = Sandbox::new();
    let arm = sandbox.arm("so101", "white");
    let (mut running, url) = start(&sandbox, &arm);
    let before = wait_until_it_stands(&arm);
    let mut phone = Phone::open(&url, "mine");
    assert_eq!(phone.say(lifted(false, 0.0)), (200, "waits".to_owned()));
    wait_for(&mut running, "here");
    let mut other = Phone::open(&url, "theirs");
    phone.say(lifted(false, 0.0));
    assert_eq!(other.say(lifted(true, 0.0)).0, 409);
    wait_for(&mut running, "other");

    let mut stranger = Phone::open(&url, "mine");
    stranger.token = "a".repeat(stranger.token.len());
    assert_eq!(stranger.say(lifted(true, 0.0)).0, 404);
    let mut more = Vec::new();
    stranger.line.take().unwrap().read_to_end(&mut more).unwrap();
    assert_eq!(more, b"", "it is hung up on them");
    let root = stranger.ask("GET", "/", b"");
    assert_eq!(root, (404, String::new()), "nothing is told to strangers");

    let say = format!("/{}/say/mine", phone.token);
    for garbage in [
        &b"{}"[..],
        b"\xff\xfe",
        br#"{"n":1e400,"held":true}"#,
        br#"{"n":999,"held":true,"place":[0,1e300,0]}"#,
        br#"{"n":999,"held":true,"place":[0,NaN,0]}"#,
        br#"{"n":999,"held":true,"turn":[9,9,9,9]}"#,
        br#"{"n":999,"held":true,"move":[0,0,100]}"#,
    ] {
        assert_eq!(phone.ask("POST", &say, garbage).0, 400);
    }
    let mut vast = Phone::open(&url, "vast");
    assert_eq!(vast.ask("POST", &say, &[b' '; 4000]).0, 400);
    let mut plain = TcpStream::connect(("127.0.0.1", phone.port)).unwrap();
    plain.write_all(b"GET / HTTP/1.1\r\n\r\n").unwrap();
    let mut answer = Vec::new();
    plain.read_to_end(&mut answer).unwrap_or_default();
    assert!(!answer.starts_with(b"HTTP"), "without TLS nothing is told");

    // Out of the room and back: no hand is that fast. Its line was closed meanwhile, unused for so long.
    phone.line = None;
    phone.say(lifted(false, 0.0));
    for up in [0.0, 5.0, 0.0, -5.0, 0.0] {
        phone.say(lifted(true, up));
    }
    assert!(far(&wait_until_it_stands(&arm), &before) <= 2);
    phone.line = None;
    let leave = format!("/{}/leave/mine", phone.token);
    assert_eq!(phone.ask("POST", &leave, b"").0, 200);
    running.signal("INT");
    let result = running.result();
    assert_eq!(running.end().0, 130, "{result}");
    assert_eq!(arm.torques(), [false; 6]);
}

#[test]
fn episodes_are_recorded_and_ended_with_the_phone() {
    let sandbox = Sandbox::new();
    let root = sandbox.path("recorded");
    let words = ["--json", "record", "--robot=sim", "--teleop.type=phone", "--teleop.port=0"];
    let rest = ["--dry_run_s=0", "--task=lift", "--dataset.num_episodes=1", "--dataset.root"];
    let mut running = sandbox.start(&[&words[..], &rest, &[root.to_str().unwrap()]].concat());
    let url = running.next()["url"].as_str().unwrap().to_owned();
    let mut phone = Phone::open(&url, "mine");
    let mut said = 0;
    let lift = |count: u64| lifted(true, (count as f64 * 0.002).min(0.08));
    phone.until(lift, || {
        said += 1;
        said > 150
    });
    phone.say(json!({ "press": [1, "next"] }));
    let result = running.result();
    assert_eq!(running.end().0, 0, "{result}");
    assert_eq!(result["episodes"], 1, "{result}");
    let checked = sandbox.run(&["dataset", "verify", root.to_str().unwrap()]);
    assert_eq!(checked.code, 0, "{}", checked.err);
    let stats = std::fs::read_to_string(root.join("meta/stats.json")).unwrap();
    let stats: Value = serde_json::from_str(&stats).unwrap();
    let spread = |joint: usize| {
        let of = |what: &str| stats["action"][what][joint].as_f64().unwrap();
        of("max") - of("min")
    };
    assert!((0..5).any(|joint| spread(joint) > 3.0), "{}", stats["action"]);
}
