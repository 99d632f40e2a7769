//! `sinew hub logout`

use clap::Args;
use serde_json::json;
use sinew_hub::Account;

use crate::cli::failure::{Exit, Failure};
use crate::cli::report::Report;

/// Forget the tokens of this machine, or one of them
///
/// Example: sinew hub logout
#[derive(Debug, Args)]
pub struct Logout {
    /// Only the token of this name
    #[arg(long, value_name = "NAME")]
    token_name: Option<String>,
}

impl Logout {
    pub fn run(self, report: &Report) -> Result<Exit, Failure> {
        let done = Account::from_environment()?.logout(self.token_name.as_deref())?;
        report.say(match (done.was_in, &self.token_name) {
            (false, _) => "Nobody was logged in".to_owned(),
            (true, None) => "Logged out: all tokens of this machine are forgotten".to_owned(),
            (true, Some(name)) => format!("The token {name:?} is forgotten"),
        });
        if done.still_given {
            report.warn("a token is still used: HF_TOKEN is set in the environment");
        }
        report.result(json!({ "was_in": done.was_in, "still_given": done.still_given }));
        Ok(Exit::Done)
    }
}
