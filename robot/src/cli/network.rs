//! The flags by which a network of machines is joined.

use std::path::PathBuf;

use clap::Args;
use sinew_net::Options;

use crate::cli::failure::Failure;
use crate::cli::report::Report;
use crate::robot_file::config_folder;

/// Where a host can be reached.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Network")]
pub struct ListenFlags {
    /// Where to listen: HOST:PORT, or tls/HOST:PORT with certificates of `sinew net keygen`; without it,
    /// on this machine alone (127.0.0.1:7447). Several are separated by commas
    #[arg(long, value_name = "ADDRESS", value_delimiter = ',')]
    pub listen: Vec<String>,
    #[command(flatten)]
    pub joins: ConnectFlags,
}

/// Whom to ask.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Network")]
pub struct ConnectFlags {
    /// Whom to connect to, another machine or a zenoh router: HOST:PORT or tls/HOST:PORT; without it, this
    /// machine. Several are separated by commas
    #[arg(long, value_name = "ADDRESS", value_delimiter = ',')]
    pub connect: Vec<String>,
    /// A configuration file of zenoh's own: user names, rights key by key, routers
    #[arg(long = "zenoh-config", value_name = "FILE")]
    pub zenoh_config: Option<PathBuf>,
}

/// Where this machine's certificates are.
pub fn papers() -> PathBuf {
    config_folder().join("net")
}

impl ConnectFlags {
    /// What they amount to; an address that belongs to a name comes first.
    pub fn options(&self, at: Option<&str>) -> Options {
        let connect = at.map(str::to_owned).into_iter().chain(self.connect.iter().cloned());
        Options {
            listen: Vec::new(),
            connect: connect.collect(),
            config: self.zenoh_config.clone(),
            papers: papers(),
        }
    }
}

impl ListenFlags {
    /// What they amount to. Says so where strangers could come in, and what they could do then.
    pub fn options(&self, risk: &str, report: &Report) -> Result<Options, Failure> {
        let options = Options { listen: self.listen.clone(), ..self.joins.options(None) };
        for door in options.open_doors()? {
            report.warn(format!(
                "whoever reaches {door} can {risk}: in a network that is not yours alone, listen at \
                 tls/… with certificates (sinew net keygen)"
            ));
        }
        Ok(options)
    }
}

/// What was named: `NAME`, or `NAME@ADDRESS`, behind `zenoh://`.
pub fn named(text: &str) -> Option<(&str, Option<&str>)> {
    let rest = text.strip_prefix("zenoh://")?;
    Some(match rest.split_once('@') {
        Some((name, at)) => (name, Some(at)),
        None => (rest, None),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_may_say_where_it_is() {
        assert_eq!(named("zenoh://white"), Some(("white", None)));
        assert_eq!(named("zenoh://white@pi:7447"), Some(("white", Some("pi:7447"))));
        assert_eq!(named("zenoh://white@tls/pi:7447"), Some(("white", Some("tls/pi:7447"))));
        assert_eq!(named("white"), None);
    }
}
