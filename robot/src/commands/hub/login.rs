//! `sinew hub login`

use std::io::{BufRead, Read};

use clap::Args;
use serde_json::json;
use sinew_hub::Account;

use crate::cli::failure::{Exit, Failure};
use crate::cli::keys::Keys;
use crate::cli::report::Report;

/// No token is longer: what comes behind is not read.
const LONGEST: u64 = 8192;

/// Give this machine a token of yours, for all programs that use the Hub
///
/// Example: sinew hub login
///
/// The token is asked for, or read from the standard input, and kept where Hugging Face's own
/// programs look for it too. It is never shown, and sent nowhere but to the Hub itself.
#[derive(Debug, Args)]
pub struct Login {
    /// The token. Other users of this machine may see what is typed here: better let it be asked for
    #[arg(long, value_name = "TOKEN", hide_default_value = true)]
    token: Option<String>,
}

impl Login {
    pub fn run(self, report: &Report) -> Result<Exit, Failure> {
        let account = Account::from_environment()?;
        let token = match self.token {
            Some(token) => token,
            None if Keys::at_terminal() => {
                let page = format!("{}/settings/tokens", account.endpoint());
                report.ask(format!("A token is made at {page}"));
                report.ask("Paste it here, it is not shown, and press Enter:");
                rpassword::read_password().map_err(unread)?
            }
            None => {
                let mut line = String::new();
                let mut input = std::io::stdin().lock().take(LONGEST);
                input.read_line(&mut line).map_err(unread)?;
                line
            }
        };
        let login = account.login(&token)?;
        let role = login.person.role().unwrap_or("unknown rights");
        report.say(format!("Logged in as {} ({role})", login.person.name));
        report.note(format!("The token {:?} is kept in {}", login.name, login.path.display()));
        if account.is_given() {
            report.warn("HF_TOKEN is set and wins over it: unset it to use what was just kept");
        }
        report.result(json!({
            "name": login.person.name,
            "token": login.name,
            "role": login.person.role(),
            "endpoint": account.endpoint(),
            "path": login.path.display().to_string(),
        }));
        Ok(Exit::Done)
    }
}

fn unread(error: std::io::Error) -> Failure {
    Failure::advise(
        Exit::Failed,
        format!("no token could be read: {error}"),
        "run it in a terminal, or write the token to its standard input",
    )
}
