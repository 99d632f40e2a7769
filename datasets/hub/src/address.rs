//! Addresses on servers: which can be asked, where redirects lead, and what belongs together.

use std::net::IpAddr;

use ureq::http::Uri;
use ureq::http::uri::Authority;

use crate::{Error, Result};

/// Refuses what is no address of a file on a server.
pub fn check(url: &str) -> Result<()> {
    let wrong = |what| Error::Address { what, url: shown(url).to_owned() };
    let Ok(uri) = url.parse::<Uri>() else { return Err(wrong("not an address")) };
    if !matches!(uri.scheme_str(), Some("http" | "https")) || uri.host().is_none_or(str::is_empty) {
        return Err(wrong("an address begins with https:// or http:// and a host"));
    }
    if uri.authority().is_some_and(|authority| authority.as_str().contains('@')) {
        let what = "give a token rather than a name and a password in the address";
        return Err(Error::Address { what, url: "(hidden)".to_owned() });
    }
    let odd = |host: &Authority| host.as_str() != host.host() && host.port_u16().is_none();
    if uri.authority().is_some_and(odd) {
        return Err(wrong("a port is a number up to 65535"));
    }
    Ok(())
}

/// An address as errors may show it: what stands behind the question mark can be a permission.
pub fn shown(url: &str) -> &str {
    url.split_once('?').map_or(url, |(before, _)| before)
}

/// Protocol, host and port: what may see the same token.
pub fn origin(url: &str) -> Option<(String, String, u16)> {
    let uri: Uri = url.parse().ok()?;
    let scheme = uri.scheme_str()?.to_ascii_lowercase();
    let usual = if scheme == "https" { 443 } else { 80 };
    Some((scheme, uri.host()?.to_ascii_lowercase(), uri.port_u16().unwrap_or(usual)))
}

/// Where a redirect leads; nowhere if it is no address, or would give up encryption.
pub fn joined(from: &str, location: &str) -> Option<String> {
    let uri: Uri = from.parse().ok()?;
    let (scheme, authority) = (uri.scheme_str()?, uri.authority()?);
    let protocol = location.split_once("://").map(|(protocol, _)| protocol);
    let joined = if protocol.is_some_and(|name| name.bytes().all(|b| b.is_ascii_alphanumeric())) {
        location.to_owned()
    } else if location.starts_with("//") {
        format!("{scheme}:{location}")
    } else if location.starts_with('/') {
        format!("{scheme}://{authority}{location}")
    } else if location.is_empty() {
        return None;
    } else {
        let folder = uri.path().rsplit_once('/').map_or("", |(folder, _)| folder);
        format!("{scheme}://{authority}{folder}/{location}")
    };
    check(&joined).ok()?;
    let given_up = scheme == "https" && !joined.starts_with("https:");
    (!given_up).then_some(joined)
}

/// Whether a server elsewhere would have this machine asked itself, or its next neighbours: what is
/// found there may trust whoever comes from here. What a name stands for is not looked up.
pub fn leads_inside(from: &str, to: &str) -> bool {
    is_inside(to) && !is_inside(from)
}

fn is_inside(url: &str) -> bool {
    let Ok(uri) = url.parse::<Uri>() else { return true };
    let host = uri.host().unwrap_or_default().to_ascii_lowercase();
    let host = host.trim_start_matches('[').trim_end_matches(']').trim_end_matches('.');
    let number = match host.parse::<IpAddr>() {
        Ok(IpAddr::V6(number)) => number.to_ipv4_mapped().map_or(number.into(), IpAddr::V4),
        Ok(number) => number,
        Err(_name) => {
            // Systems read 127.1 and 0x7f000001 as numbers too.
            let last = host.rsplit('.').next().unwrap_or_default();
            let number = last.starts_with("0x") || last.bytes().all(|byte| byte.is_ascii_digit());
            return number || last == "localhost";
        }
    };
    let near = match number {
        IpAddr::V4(number) => number.is_link_local(),
        IpAddr::V6(number) => number.is_unicast_link_local(),
    };
    near || number.is_loopback() || number.is_unspecified()
}

/// An address below another, whose every part is written so that it means itself.
pub fn below(base: &str, parts: impl IntoIterator<Item = impl AsRef<str>>) -> String {
    let mut url = base.trim_end_matches('/').to_owned();
    for part in parts {
        url.push('/');
        for byte in part.as_ref().bytes() {
            match byte {
                b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                    url.push(char::from(byte));
                }
                other => url.push_str(&format!("%{other:02X}")),
            }
        }
    }
    url
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn redirects_lead_where_a_browser_would_go() {
        let from = "https://hub.example:8443/a/b/c?x=1";
        let joined = |location| joined(from, location);
        assert_eq!(joined("d").as_deref(), Some("https://hub.example:8443/a/b/d"));
        assert_eq!(joined("/d?y").as_deref(), Some("https://hub.example:8443/d?y"));
        assert_eq!(joined("//cdn.example/d").as_deref(), Some("https://cdn.example/d"));
        assert_eq!(joined("https://cdn.example/d").as_deref(), Some("https://cdn.example/d"));
        for nowhere in
            ["http://hub.example:8443/d", "", "ftp://x/y", "https://me:pw@x/y", "https://"]
        {
            assert_eq!(joined(nowhere), None, "{nowhere}");
        }
    }

    #[test]
    fn an_origin_is_protocol_host_and_port() {
        assert_eq!(origin("https://Hub.example/a"), origin("HTTPS://hub.example:443/b"));
        assert_ne!(origin("https://hub.example/a"), origin("http://hub.example/a"));
        assert_ne!(origin("http://hub.example/a"), origin("http://hub.example:81/a"));
        assert_ne!(origin("http://hub.example/a"), origin("http://hub.example.org/a"));
    }

    #[test]
    fn nobody_elsewhere_sends_to_this_machine() {
        let there = ["https://hub.example/a", "http://192.168.1.5:8000", "http://hub.lab"];
        for inside in [
            "http://127.0.0.1:631/x",
            "https://localhost/x",
            "http://a.LocalHost.:8/x",
            "http://[::1]/x",
            "http://[::ffff:127.0.0.1]/x",
            "http://0.0.0.0/x",
            "http://127.1/x",
            "http://2130706433/x",
            "http://0x7f.1/x",
            "http://169.254.169.254/latest",
            "http://[fe80::1]/x",
        ] {
            for from in there {
                assert!(leads_inside(from, inside), "{inside}");
            }
            assert!(!leads_inside("http://127.0.0.1:5000", inside), "a hub that is here may");
        }
        for outside in there {
            assert!(!leads_inside("https://hub.example", outside));
        }
    }

    #[test]
    fn what_is_no_address_is_refused() {
        for wrong in [
            "",
            "pick",
            "/tmp/pick",
            "ftp://host/a",
            "https:///a",
            "http://host:99999/a",
            "http://host:/a",
            "http://me:pw@host/a",
        ] {
            assert!(matches!(check(wrong), Err(Error::Address { .. })), "{wrong}");
        }
        let hidden = check("http://me:secret@host/a").unwrap_err().to_string();
        assert!(!hidden.contains("secret"), "{hidden}");
        assert_eq!(below("http://host/a/", ["b c", "ü?#%"]), "http://host/a/b%20c/%C3%BC%3F%23%25");
    }
}
