//! Joining the network, closed unless told otherwise.
//!
//! Who hosts something listens, on this machine alone unless an address says more. Who asks listens to
//! nobody. Nothing is announced by multicast. What more zenoh can do (routers, user names, rights key by
//! key) its own configuration file says.

use std::path::PathBuf;
use std::time::Duration;

use zenoh::Wait;
use zenoh::bytes::Encoding;
use zenoh::handlers::FifoChannelHandler;
use zenoh::qos::Priority;
use zenoh::query::{ConsolidationMode, Reply};

use crate::Error;
use crate::message::{Message, decode, encode, shortened};
use crate::trust::Papers;

/// Where hosts listen unless told otherwise: zenoh's own port, on this machine alone.
pub const HERE: &str = "tcp/127.0.0.1:7447";
/// Where the next ones listen, if that is taken.
const ELSEWHERE: std::ops::RangeInclusive<u16> = 7448..=7479;

/// The longest message that is put together from its parts, so that nobody can fill the memory.
const MOST_BYTES: usize = 40 << 20;

/// How the network is joined.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// Where a host listens; nowhere named, on this machine alone.
    pub listen: Vec<String>,
    /// Whom to connect to.
    pub connect: Vec<String>,
    /// A configuration of zenoh's own, under the two above.
    pub config: Option<PathBuf>,
    /// The folder with this machine's certificates, for `tls/` addresses.
    pub papers: PathBuf,
}

/// A place on the network.
#[derive(Clone, Debug)]
pub struct Network {
    session: zenoh::Session,
    at: String,
    listen: Vec<String>,
}

/// An address as people type it, as zenoh has it.
pub fn endpoint(text: &str) -> Result<String, Error> {
    let wrong = || Error::Address { text: shortened(text) };
    let (carrier, place) = text.split_once('/').unwrap_or(("tcp", text));
    let (host, port) = place.rsplit_once(':').ok_or_else(wrong)?;
    let port: u16 = port.parse().map_err(|_no_number| wrong())?;
    let letter = |letter: char| letter.is_ascii_alphanumeric() || ".-_[]:%".contains(letter);
    let fits = !host.is_empty() && host.chars().all(letter);
    match ["tcp", "tls"].contains(&carrier) && fits {
        true => Ok(format!("{carrier}/{host}:{port}")),
        false => Err(wrong()),
    }
}

/// Whether only this machine can come in there.
pub fn is_loopback(endpoint: &str) -> bool {
    let place = endpoint.split_once('/').map_or(endpoint, |(_, place)| place);
    let host = place.rsplit_once(':').map_or(place, |(host, _)| host);
    host == "localhost" || host == "[::1]" || host.starts_with("127.")
}

/// Whether what comes in there is encrypted and has shown a certificate.
pub fn is_guarded(endpoint: &str) -> bool {
    endpoint.starts_with("tls/")
}

impl Options {
    /// With every address as zenoh has it.
    fn endpoints(&self) -> Result<(Vec<String>, Vec<String>), Error> {
        let all =
            |texts: &[String]| texts.iter().map(|text| endpoint(text)).collect::<Result<_, _>>();
        Ok((all(&self.listen)?, all(&self.connect)?))
    }

    /// The addresses at which strangers could come in: beyond this machine, and not guarded by
    /// certificates. A configuration of zenoh's own knows what it does.
    pub fn open_doors(&self) -> Result<Vec<String>, Error> {
        let (listen, _) = self.endpoints()?;
        let open = |at: &String| !is_loopback(at) && !is_guarded(at) && self.config.is_none();
        Ok(listen.into_iter().filter(open).collect())
    }

    fn base(&self) -> Result<zenoh::Config, Error> {
        let Some(path) = &self.config else {
            let mut config = zenoh::Config::default();
            set(&mut config, "scouting/multicast/enabled", "false")?;
            return Ok(config);
        };
        zenoh::Config::from_file(path).map_err(|error| Error::Config {
            what: shortened(&error.to_string()),
            path: path.clone(),
        })
    }
}

impl Network {
    /// Joins as somebody who hosts something.
    pub fn host(options: &Options) -> Result<Self, Error> {
        let (mut listen, connect) = options.endpoints()?;
        let free = listen.is_empty() && options.config.is_none();
        if free {
            listen.push(HERE.to_owned());
        }
        let joined = Self::join(options, "peer", &listen, &connect);
        if !(free && matches!(joined, Err(Error::Unreachable { .. }))) {
            return joined;
        }
        // Another host of this machine is there already: it introduces who asks.
        let connect = [connect, vec![HERE.to_owned()]].concat();
        let next = |port| Self::join(options, "peer", &[format!("tcp/127.0.0.1:{port}")], &connect);
        ELSEWHERE.map(next).find(Result::is_ok).unwrap_or(joined)
    }

    /// Joins as somebody who asks.
    pub fn ask(options: &Options) -> Result<Self, Error> {
        let (_, mut connect) = options.endpoints()?;
        if connect.is_empty() && options.config.is_none() {
            connect.push(HERE.to_owned());
        }
        Self::join(options, "client", &[], &connect)
    }

    fn join(
        options: &Options,
        mode: &str,
        listen: &[String],
        connect: &[String],
    ) -> Result<Self, Error> {
        let mut config = options.base()?;
        if options.config.is_none() {
            set(&mut config, "mode", &format!("\"{mode}\""))?;
        }
        if !listen.is_empty() || mode == "client" && options.config.is_none() {
            set(&mut config, "listen/endpoints", &list(listen))?;
        }
        if !connect.is_empty() {
            set(&mut config, "connect/endpoints", &list(connect))?;
        }
        set(&mut config, "transport/link/rx/max_message_size", &MOST_BYTES.to_string())?;
        if listen.iter().chain(connect).any(|at| is_guarded(at)) && options.config.is_none() {
            for (key, value) in Papers::at(&options.papers).settings()? {
                set(&mut config, &key, &value)?;
            }
        }
        let at = match connect.is_empty() {
            true => listen.join(", "),
            false => connect.join(", "),
        };
        let at = if at.is_empty() { "zenoh's configuration".to_owned() } else { at };
        let opened = zenoh::open(config).wait();
        let session = opened.map_err(|error| Error::Unreachable {
            at: at.clone(),
            what: reason(&error.to_string(), mode, connect),
        })?;
        Ok(Self { session, at, listen: listen.to_vec() })
    }

    /// zenoh's own session.
    pub fn session(&self) -> &zenoh::Session {
        &self.session
    }

    /// Where that is, for messages.
    pub fn at(&self) -> &str {
        &self.at
    }

    /// Where this machine listens.
    pub fn listens(&self) -> &[String] {
        &self.listen
    }

    /// Asks somebody and waits for the answer, so long at most. `None` if nobody answers.
    pub fn query<Q: Message, A: Message>(
        &self,
        key: &str,
        question: Option<(&Q, Option<&[u8]>)>,
        patience: Duration,
    ) -> Result<Option<A>, Error> {
        self.question(key, question, patience, Priority::DEFAULT)?.answer(|| true)
    }

    /// Asks somebody who has so long to answer, and does not wait for it. What is said with one priority
    /// arrives in the order in which it was said.
    pub fn question<Q: Message>(
        &self,
        key: &str,
        question: Option<(&Q, Option<&[u8]>)>,
        patience: Duration,
        priority: Priority,
    ) -> Result<Asked, Error> {
        let mut query = self.session.get(key).timeout(patience).priority(priority);
        // The first answer is the answer: there is one of each name.
        query = query.consolidation(ConsolidationMode::None);
        if let Some((question, signature)) = question {
            query = query.payload(encode(question)).encoding(Encoding::APPLICATION_CBOR);
            if let Some(signature) = signature {
                query = query.attachment(signature);
            }
        }
        let asking = |error: zenoh::Error| zenoh_error("asking", &error);
        let answers = query.wait().map_err(asking)?;
        Ok(Asked { key: key.to_owned(), answers })
    }
}

/// A question that nobody has answered yet.
pub struct Asked {
    key: String,
    answers: FifoChannelHandler<Reply>,
}

/// How often it is looked whether there is any point in waiting on.
const LOOK: Duration = Duration::from_millis(100);

impl Asked {
    /// Waits for the answer, as long as it may take and there is a point in it. `None` if nobody answers.
    pub fn answer<A: Message>(self, go_on: impl Fn() -> bool) -> Result<Option<A>, Error> {
        let name = self.key;
        let answer = loop {
            match self.answers.recv_timeout(LOOK) {
                Ok(Some(answer)) => break answer,
                Ok(None) if go_on() => {}
                // The time is up, and zenoh has let go of it.
                Ok(None) | Err(_) => return Ok(None),
            }
        };
        match answer.result() {
            Ok(sample) => match decode(&sample.payload().to_bytes()) {
                Ok(message) => Ok(Some(message)),
                Err(refusal) => Err(Error::Answer { name, refusal }),
            },
            Err(error) => {
                let words = error.payload().to_bytes();
                // What zenoh itself answers when the time is up, and nobody of ours.
                if *words == *b"Timeout" {
                    return Ok(None);
                }
                let words = String::from_utf8_lossy(&words);
                Err(Error::Refused { name, why: shortened(&words) })
            }
        }
    }
}

/// What zenoh failed at.
pub fn zenoh_error(doing: &'static str, error: &zenoh::Error) -> Error {
    Error::Zenoh { doing, what: shortened(&error.to_string()) }
}

fn set(config: &mut zenoh::Config, key: &str, value: &str) -> Result<(), Error> {
    config.insert_json5(key, value).map_err(|error| zenoh_error("configuring zenoh", &error))
}

fn list(endpoints: &[String]) -> String {
    serde_json::Value::from(endpoints).to_string()
}

/// zenoh's words without its inner places. Of who does not answer it has none worth reading.
fn reason(words: &str, mode: &str, connect: &[String]) -> String {
    let words = shortened(words.split(" at /").next().unwrap_or(words));
    match mode {
        "client" if connect.iter().any(|at| is_guarded(at)) => {
            "nobody answers: nothing is hosted there, or its certificate and this machine's are not of one \
             house"
        }
        "client" if !connect.is_empty() => "nobody answers: nothing is hosted there",
        _ => return words,
    }
    .to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_typed_with_or_without_their_carrier() {
        for (typed, meant) in [
            ("pi.local:7447", "tcp/pi.local:7447"),
            ("tcp/0.0.0.0:7447", "tcp/0.0.0.0:7447"),
            ("tls/pi:7447", "tls/pi:7447"),
            ("[::1]:7447", "tcp/[::1]:7447"),
        ] {
            assert_eq!(endpoint(typed).unwrap(), meant);
        }
        for wrong in ["", "pi", "pi:", ":7447", "pi:99999", "udp/pi:7447", "tcp/a b:1", "tcp/a;b:1"]
        {
            assert!(endpoint(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn only_doors_to_the_outside_without_certificates_are_open() {
        let doors = |listen: &str| {
            Options { listen: vec![listen.to_owned()], ..Options::default() }.open_doors().unwrap()
        };
        assert_eq!(doors("0.0.0.0:7447"), ["tcp/0.0.0.0:7447"]);
        assert!(doors("127.0.0.1:7447").is_empty());
        assert!(doors("[::1]:7447").is_empty());
        assert!(doors("tls/0.0.0.0:7447").is_empty());
        assert!(Options::default().open_doors().unwrap().is_empty());
    }

    #[test]
    fn a_refusal_that_speaks_of_a_timeout_is_a_refusal() {
        let listen = vec!["127.0.0.1:0".to_owned()];
        let network = Network::host(&Options { listen, ..Options::default() }).unwrap();
        let refuse = |query: zenoh::query::Query| {
            query.reply_err("Timeout of the servo bus").wait().unwrap();
        };
        let session = network.session();
        let _refuses = session.declare_queryable("sinew/a/lease").callback(refuse).wait().unwrap();
        let _keeps_silent = session.declare_queryable("sinew/b/lease").wait().unwrap();
        let ask = |key: &str, patience| {
            network.query::<crate::message::Ask, crate::message::Reply>(key, None, patience)
        };
        let refused = ask("sinew/a/lease", Duration::from_secs(10));
        let why = "Timeout of the servo bus";
        assert!(matches!(&refused, Err(Error::Refused { why: said, .. }) if said == why));
        let silent = ask("sinew/b/lease", Duration::from_millis(50));
        assert!(matches!(silent, Ok(None)), "{silent:?}");
    }
}
