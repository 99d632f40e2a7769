//! `sinew hub whoami`

use clap::Args;
use serde_json::json;
use sinew_hub::Account;

use crate::cli::failure::{Exit, Failure};
use crate::cli::report::Report;

/// Who the Hub takes this machine for
///
/// Example: sinew hub whoami
#[derive(Debug, Args)]
pub struct Whoami {}

impl Whoami {
    pub fn run(self, report: &Report) -> Result<Exit, Failure> {
        let account = Account::from_environment()?;
        let Some(token) = account.token()? else {
            let what = format!("nobody is logged in at {}", account.endpoint());
            return Err(Failure::advise(Exit::Refused, what, "log in: sinew hub login"));
        };
        let person = account.hub_with(Some(token))?.whoami()?;
        let groups: Vec<&str> = person.orgs.iter().map(|group| group.name.as_str()).collect();
        report.say(&person.name);
        if !groups.is_empty() {
            report.say(format!("  in {}", groups.join(", ")));
        }
        report.note(format!("at {}", account.endpoint()));
        report.result(json!({
            "name": person.name,
            "fullname": person.fullname,
            "orgs": groups,
            "token": person.token_name(),
            "role": person.role(),
            "endpoint": account.endpoint(),
        }));
        Ok(Exit::Done)
    }
}
