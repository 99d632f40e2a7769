//! Who shows a token.

use serde::Deserialize;

use crate::Client;

/// Who a token belongs to.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Person {
    /// The name that repositories begin with.
    pub name: String,
    /// The name for people.
    #[serde(default)]
    pub fullname: Option<String>,
    /// The groups that may own repositories too.
    #[serde(default)]
    pub orgs: Vec<Group>,
    /// What was shown.
    #[serde(default)]
    auth: Option<Shown>,
}

/// How somebody was recognised.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Shown {
    access_token: Option<Token>,
}

/// What a hub knows of a token.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Token {
    display_name: Option<String>,
    role: Option<String>,
}

/// A group of people.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Group {
    /// The name that its repositories begin with.
    pub name: String,
}

impl Person {
    /// What the owner calls the token that was shown.
    pub fn token_name(&self) -> Option<&str> {
        self.token()?.display_name.as_deref().filter(|name| !name.is_empty())
    }

    /// What that token may do, in the hub's word: `read`, `write` or `fineGrained`.
    pub fn role(&self) -> Option<&str> {
        self.token()?.role.as_deref()
    }

    fn token(&self) -> Option<&Token> {
        self.auth.as_ref()?.access_token.as_ref()
    }

    /// The same by the names that may be shown.
    pub(super) fn shown(mut self, shown: impl Fn(&str) -> String) -> Self {
        let token = self.auth.as_mut().and_then(|auth| auth.access_token.as_mut());
        let token = token.map(|token| [&mut token.display_name, &mut token.role]);
        let orgs = self.orgs.iter_mut().map(|group| &mut group.name);
        let more = token.into_iter().flatten().chain([&mut self.fullname]).flatten();
        for name in more.chain(orgs).chain([&mut self.name]) {
            *name = shown(name);
        }
        self
    }
}

/// Takes bytes for what a hub answers about whoever asks with this client. For fuzzing.
#[doc(hidden)]
pub fn read_person(bytes: &[u8], client: &Client) -> Option<Person> {
    let person: Person = serde_json::from_slice(bytes).ok()?;
    Some(person.shown(|name| client.name(name)))
}
