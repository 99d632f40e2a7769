//! `sinew hub serve`

use std::net::{IpAddr, Ipv4Addr};
use std::path::PathBuf;

use clap::Args;
use serde_json::json;
use sinew_drivers::Clock;
use sinew_drivers::clock::MILLI;
use sinew_drivers::stop::StopFlag;
use sinew_hub::serve::{Access, Options, Server};

use crate::cli::failure::{Exit, Failure};
use crate::cli::report::Report;

/// What those are called whose token comes without a name.
const SOMEBODY: &str = "lab";

/// A hub of one's own over a folder, for a lab or a bench without internet
///
/// Example: sinew hub serve /data/hub, and then, in every other terminal,
/// export HF_ENDPOINT=http://127.0.0.1:5665 HF_TOKEN=anything
///
/// LeRobot, huggingface_hub, datasets and sinew itself then push there and pull from there; a browser
/// shows the cards, files and videos. Everything is in the folder, and survives whatever ends the
/// program.
#[derive(Debug, Args)]
pub struct Serve {
    /// The folder that holds everything; it is made if it is not there
    #[arg(value_name = "DIR")]
    folder: PathBuf,
    /// The TCP port; 0 is any that is free
    #[arg(long, default_value_t = 5665, value_name = "N")]
    port: u16,
    /// The address to listen on; any but this machine's own takes a token
    #[arg(long, default_value_t = IpAddr::V4(Ipv4Addr::LOCALHOST), value_name = "ADDRESS")]
    host: IpAddr,
    /// A file with who may do what, a line each, as in `write me hf_…` or `read guest hf_…`; nobody
    /// else may be able to read it. Without any token, every one will do
    #[arg(long, value_name = "FILE")]
    tokens: Option<PathBuf>,
    /// Who may read and write, as TOKEN or NAME:TOKEN. Other users of this machine see what is typed
    /// here, for as long as the hub runs: better name a file by --tokens
    #[arg(long, value_name = "TOKEN")]
    token: Vec<String>,
    /// Who may read what is private, as TOKEN or NAME:TOKEN; other users see it like --token
    #[arg(long, value_name = "TOKEN")]
    read_token: Vec<String>,
}

impl Serve {
    pub fn run(self, report: &Report) -> Result<Exit, Failure> {
        let flag = StopFlag::new();
        flag.listen_to_signals().map_err(|error| {
            Failure::new(Exit::Failed, format!("signals cannot be watched: {error}"))
        })?;
        let writers = self.token.iter().map(|token| access(token, true));
        let tokens = writers.chain(self.read_token.iter().map(|token| access(token, false)));
        let mut tokens: Vec<Access> = tokens.collect::<Result<_, _>>()?;
        if let Some(path) = &self.tokens {
            tokens.extend(Access::read(path)?);
        }
        let open = tokens.is_empty();
        let mut options = Options::new(&self.folder);
        (options.host, options.port, options.tokens) = (self.host, self.port, tokens);
        let server = Server::start(options)?;
        for damaged in server.aside() {
            report.warn(format!("left out, and nothing of it touched: {damaged}"));
        }
        let url = server.url();
        report.say(format!("export HF_ENDPOINT={url}"));
        if open {
            report
                .note("any token will do, and only this machine may ask: export HF_TOKEN=anything");
        }
        if !report.for_scripts() {
            report.note("the same address in a browser shows what is there; Ctrl-C ends it");
        }
        report.event(&json!({ "type": "ready", "endpoint": url }));
        while flag.raised().is_none() {
            Clock::Real.sleep(100 * MILLI);
        }
        server.stop();
        report.result(json!({ "endpoint": url }));
        Ok(Exit::Done)
    }
}

fn access(text: &str, write: bool) -> Result<Access, Failure> {
    let (name, token) = text.split_once(':').unwrap_or((SOMEBODY, text));
    if name.is_empty() || token.trim().is_empty() {
        return Err(Failure::advise(
            Exit::Usage,
            "a token is empty",
            "leave the flag away where any token will do",
        ));
    }
    Ok(Access { token: token.to_owned(), name: name.to_owned(), write })
}
