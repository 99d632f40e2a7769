//! Who asks, and which links were given out here.

use std::net::IpAddr;

use axum::http::HeaderMap;
use axum::http::header::{AUTHORIZATION, HOST};
use hmac::{Hmac, Mac};
use sha2::{Digest, Sha256};

use super::Access;
use super::answer::Refusal;
use crate::hex::hex;

/// What those are called who show any token where none is asked for.
const ANYBODY: &str = "local";

/// Somebody who showed a good token.
#[derive(Clone, Debug)]
pub struct Caller {
    /// Their name.
    pub name: String,
    /// Whether they may change anything.
    pub write: bool,
}

/// All who may ask. Tokens are kept as hashes, so that comparing tells nothing by the time it takes.
#[derive(Debug)]
pub struct Guests(Vec<([u8; 32], Caller)>);

impl Guests {
    /// Those with these tokens; with none, anybody with any token.
    pub fn new(tokens: &[Access]) -> Self {
        let guest = |access: &Access| {
            let caller = Caller { name: access.name.clone(), write: access.write };
            (Sha256::digest(access.token.trim()).into(), caller)
        };
        Self(tokens.iter().map(guest).collect())
    }

    /// Whether any token will do.
    pub fn everybody(&self) -> bool {
        self.0.is_empty()
    }

    /// Who sends these headers; a token that is not known is refused wherever it is shown.
    pub fn caller(&self, headers: &HeaderMap) -> Result<Option<Caller>, Refusal> {
        let Some(header) = headers.get(AUTHORIZATION) else { return Ok(None) };
        let token = header.to_str().ok().and_then(|header| header.split_once(' '));
        let token = token.filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"));
        let Some(token) = token.map(|(_, token)| token.trim()).filter(|token| !token.is_empty())
        else {
            return Err(Refusal::unknown("a token is shown as \"Authorization: Bearer …\""));
        };
        if self.0.is_empty() {
            return Ok(Some(Caller { name: ANYBODY.to_owned(), write: true }));
        }
        let shown: [u8; 32] = Sha256::digest(token).into();
        let known = self.0.iter().find(|(known, _)| *known == shown);
        let stranger = || Refusal::unknown("the token is not known to this hub");
        known.map(|(_, caller)| Some(caller.clone())).ok_or_else(stranger)
    }

    /// The host that was asked for, which links are made of. Where any token will do, it is this
    /// machine: a page elsewhere could else make its own name stand for this address, and let its
    /// readers' browsers ask.
    pub fn host(&self, headers: &HeaderMap) -> Result<String, Refusal> {
        let host = headers.get(HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
        let letter = |byte: u8| byte.is_ascii_alphanumeric() || b".-_:[]".contains(&byte);
        if host.is_empty() || host.len() > 255 || !host.bytes().all(letter) {
            return Err(Refusal::wrong("a request names the host it is for"));
        }
        let name = match host.rsplit_once(':') {
            Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
            _ => host,
        };
        let name = name.trim_start_matches('[').trim_end_matches(']');
        if self.0.is_empty() && name != "localhost" && name.parse::<IpAddr>().is_err() {
            let what = "without tokens this hub is asked by its number, or as localhost";
            return Err(Refusal::forbidden(what));
        }
        Ok(host.to_owned())
    }
}

/// Signs what a link is good for.
pub fn sign(secret: &[u8], what: &str) -> String {
    hex(&keyed(secret, what).finalize().into_bytes())
}

/// Whether a link was given out here, for this.
pub fn signed(secret: &[u8], what: &str, signature: &str) -> bool {
    let digit = |at| signature.get(at..at + 2).and_then(|two| u8::from_str_radix(two, 16).ok());
    let bytes: Option<Vec<u8>> = (0..signature.len()).step_by(2).map(digit).collect();
    bytes.is_some_and(|bytes| keyed(secret, what).verify_slice(&bytes).is_ok())
}

fn keyed(secret: &[u8], what: &str) -> Hmac<Sha256> {
    // A key is hashed to one block, as `Hmac` does with long ones; so any length will do.
    let mut block = [0; 64];
    let key: [u8; 32] = Sha256::digest(secret).into();
    for (to, from) in block.iter_mut().zip(key) {
        *to = from;
    }
    let mut mac = <Hmac<Sha256> as hmac::digest::KeyInit>::new(&block.into());
    mac.update(what.as_bytes());
    mac
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(name: &'static str, value: &str) -> HeaderMap {
        HeaderMap::from_iter([(name.parse().unwrap(), value.parse().unwrap())])
    }

    #[test]
    fn a_token_says_who_asks_and_an_unknown_one_is_refused() {
        let access = |token: &str, write| Access { token: token.into(), name: "lab".into(), write };
        let guests = Guests::new(&[access("hf_read", false), access("hf_write", true)]);
        let caller = |value: &str| guests.caller(&headers("authorization", value));
        assert!(!caller("Bearer hf_read").unwrap().unwrap().write);
        assert!(caller("bearer hf_write ").unwrap().unwrap().write);
        for wrong in ["Bearer hf_other", "Bearer ", "Bearer", "hf_write", "Basic aGY6aGY=", ""] {
            let refusal = caller(wrong).unwrap_err();
            assert_eq!(refusal.status, 401, "{wrong}");
            assert!(!refusal.message.contains("hf_"), "{}", refusal.message);
        }
        assert!(guests.caller(&HeaderMap::new()).unwrap().is_none());
        assert!(!format!("{:?}", access("hf_write", true)).contains("hf_"));
    }

    #[test]
    fn a_foreign_name_for_this_machine_is_refused() {
        let open = Guests::new(&[]);
        for right in ["localhost:80", "127.0.0.1:5000", "[::1]:5000", "localhost"] {
            assert_eq!(open.host(&headers("host", right)).unwrap(), right);
        }
        for wrong in ["evil.example:5000", "a b", "x\"y", "", "localhost.evil.example"] {
            assert!(open.host(&headers("host", wrong)).is_err(), "{wrong}");
        }
        let closed = Guests::new(&[Access { token: "t".into(), name: "lab".into(), write: true }]);
        assert!(closed.host(&headers("host", "hub.lab:5000")).is_ok());
    }

    #[test]
    fn a_signature_is_good_for_one_thing_and_one_hub() {
        let signature = sign(b"secret", "this");
        assert!(signed(b"secret", "this", &signature));
        assert!(!signed(b"secret", "that", &signature) && !signed(b"other", "this", &signature));
        for wrong in ["", "é", "0", &signature[1..], &signature[2..]] {
            assert!(!signed(b"secret", "this", wrong), "{wrong}");
        }
    }
}
