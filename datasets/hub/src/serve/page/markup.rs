//! What all pages have in common, and what keeps text from being taken for anything else.

use crate::card::escape;
use crate::serve::answer::Answer;

/// Nothing runs, and nothing is asked for elsewhere.
const POLICY: &str = "default-src 'none'; style-src 'self'; img-src 'self'; media-src 'self'; \
                      base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// A page on its way.
#[derive(Debug)]
pub struct Page(String);

impl Page {
    /// An empty one with this title.
    pub fn new(title: &str) -> Self {
        Self(format!(
            "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\">\
             <meta name=\"viewport\" content=\"width=device-width\">\
             <meta name=\"color-scheme\" content=\"light dark\">\
             <title>{}</title><link rel=\"stylesheet\" href=\"/page/style.css\"></head><body><main>",
            escape(title)
        ))
    }

    /// Adds markup, in which all that comes from elsewhere is escaped.
    pub fn push(&mut self, markup: &str) {
        self.0.push_str(markup);
    }

    /// The page as an answer.
    pub fn answer(mut self) -> Answer {
        self.0.push_str("</main></body></html>");
        Answer::text("text/html; charset=utf-8", self.0)
            .with("content-security-policy", POLICY)
            .with("x-content-type-options", "nosniff")
            .with("referrer-policy", "no-referrer")
    }
}

/// A length that people read.
pub fn size(bytes: u64) -> String {
    const UNITS: [&str; 5] = ["B", "kB", "MB", "GB", "TB"];
    let (mut rest, mut unit) = (bytes as f64, 0);
    while rest >= 999.5 && unit + 1 < UNITS.len() {
        rest /= 1000.0;
        unit += 1;
    }
    let unit = UNITS.get(unit).copied().unwrap_or_default();
    if rest >= 10.0 || unit == "B" {
        format!("{rest:.0} {unit}")
    } else {
        format!("{rest:.1} {unit}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_are_short() {
        let sizes = [0, 999, 1000, 1_250_000, 999_999, 12_345_678_901].map(size);
        assert_eq!(sizes, ["0 B", "999 B", "1.0 kB", "1.2 MB", "1.0 MB", "12 GB"]);
        assert_eq!(size(u64::MAX), "18446744 TB");
    }
}
