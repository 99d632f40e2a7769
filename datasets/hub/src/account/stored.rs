//! The official client's list of tokens by their names: sections of an INI file.
//!
//! ```text
//! [laptop]
//! hf_token = hf_…
//! ```
//!
//! Other lines of a section (how to renew a token, and until when it is good) are kept as they are.

use std::fmt::Write;

/// The tokens by their names, as far as the file could be understood.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stored(Vec<Section>);

#[derive(Clone, Debug, PartialEq, Eq)]
struct Section {
    name: String,
    /// Its lines as they stand there.
    lines: Vec<String>,
}

impl Stored {
    /// What such a file says. Lines above the first section belong to nothing and are dropped.
    pub fn parse(text: &str) -> Self {
        let mut sections: Vec<Section> = Vec::new();
        for line in text.lines().map(str::trim_end) {
            let header = line.strip_prefix('[').and_then(|rest| rest.rsplit_once(']'));
            match (header, sections.last_mut()) {
                (Some((name, _)), _) if !name.is_empty() => {
                    sections.push(Section { name: name.to_owned(), lines: Vec::new() });
                }
                (_, Some(section)) if !line.is_empty() => section.lines.push(line.to_owned()),
                _ => {}
            }
        }
        Self(sections)
    }

    /// The file.
    pub fn render(&self) -> String {
        let mut text = String::new();
        for section in &self.0 {
            // Writing to a string cannot fail.
            writeln!(text, "[{}]\n{}\n", section.name, section.lines.join("\n"))
                .unwrap_or_default();
        }
        text
    }

    /// Puts a token under a name in place of what was there.
    pub fn put(&mut self, name: &str, token: &str) {
        let name = plain(name);
        self.0.retain(|section| section.name != name);
        self.0.push(Section { name, lines: vec![format!("hf_token = {token}")] });
        self.0.sort_by(|a, b| a.name.cmp(&b.name));
    }

    /// The token of this name.
    pub fn token(&self, name: &str) -> Option<&str> {
        let section = self.0.iter().find(|section| section.name == name)?;
        section.lines.iter().find_map(|line| {
            let (key, value) = line.split_once(['=', ':'])?;
            key.trim().eq_ignore_ascii_case("hf_token").then(|| value.trim())
        })
    }

    /// The names.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|section| section.name.as_str())
    }

    /// Forgets a name; whether it was known.
    pub fn forget(&mut self, name: &str) -> bool {
        let before = self.0.len();
        self.0.retain(|section| section.name != name);
        self.0.len() < before
    }
}

/// A name that can be a section's: in one line, and not the one that Python means something by.
fn plain(name: &str) -> String {
    let name = name.replace(char::is_control, " ");
    match name.trim() {
        "" | "DEFAULT" => "token".to_owned(),
        name => name.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const OFFICIAL: &str = "[board]\nhf_token = hf_one\n\n[oauth-me]\nhf_token = hf_two\n\
                            refresh_token = r\nexpires_at = 1800000000\n\n";

    #[test]
    fn what_the_official_client_wrote_is_read_and_written_as_it_was() {
        let stored = Stored::parse(OFFICIAL);
        assert_eq!(stored.token("board"), Some("hf_one"));
        assert_eq!(stored.token("oauth-me"), Some("hf_two"));
        assert_eq!(stored.names().collect::<Vec<_>>(), ["board", "oauth-me"]);
        assert_eq!(stored.render(), OFFICIAL);
    }

    #[test]
    fn a_login_changes_its_own_section_alone() {
        let mut stored = Stored::parse(OFFICIAL);
        stored.put("board", "hf_new");
        stored.put("a new one\n[evil]", "hf_three");
        assert_eq!(stored.token("board"), Some("hf_new"));
        assert_eq!(stored.token("a new one [evil]"), Some("hf_three"));
        assert!(stored.render().contains("expires_at = 1800000000"));
        assert!(stored.forget("board") && !stored.forget("board"));
        assert_eq!(Stored::parse(&stored.render()), stored);
    }

    proptest! {
        #[test]
        fn whatever_the_file_holds_a_token_can_be_put_into_it(
            text in "([\\[\\]=: a-c\n\r\u{fc}]|hf_token){0,60}",
            name in "\\PC{1,12}",
        ) {
            let mut stored = Stored::parse(&text);
            stored.put(&name, "hf_new");
            let again = Stored::parse(&stored.render());
            prop_assert_eq!(again.token(&plain(&name)), Some("hf_new"));
        }
    }
}
