//! A card as a page shows it: whatever is no Markdown in it is left out, such as the badges of other hubs.

use pulldown_cmark::{CowStr, Event, Options, Parser, Tag, html};

use crate::address;

/// A card's body; what it points to beside itself is below `base`.
pub fn html(text: &str, base: &str) -> String {
    let options = Options::ENABLE_TABLES | Options::ENABLE_STRIKETHROUGH;
    let events = Parser::new_ext(text, options);
    let events = events.filter(|event| !matches!(event, Event::Html(_) | Event::InlineHtml(_)));
    let events = events.map(|event| match event {
        Event::Start(Tag::Link { link_type, dest_url, title, id }) => {
            let dest_url = target(&dest_url, base);
            Event::Start(Tag::Link { link_type, dest_url, title, id })
        }
        Event::Start(Tag::Image { link_type, dest_url, title, id }) => {
            let dest_url = target(&dest_url, base);
            Event::Start(Tag::Image { link_type, dest_url, title, id })
        }
        other => other,
    });
    let mut page = String::new();
    html::push_html(&mut page, events);
    page
}

/// Where a link may lead: elsewhere by http, to a place on the page, or to a file of the repository.
fn target(link: &str, base: &str) -> CowStr<'static> {
    let elsewhere = ["http://", "https://", "mailto:", "#"];
    if elsewhere.iter().any(|beginning| link.starts_with(beginning)) {
        return link.to_owned().into();
    }
    let path = link.trim_start_matches("./");
    let strange =
        path.starts_with('/') || path.contains(':') || path.split('/').any(|part| part == "..");
    if strange { "#".into() } else { address::below(base, path.split('/')).into() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_card_is_shown_and_nothing_in_it_runs() {
        let shown = html("# Pick\n\n| a | b |\n|-|-|\n| 1 | 2 |\n\n![v](media/a b.png)", "/me/x");
        assert!(shown.contains("<h1>Pick</h1>") && shown.contains("<td>1</td>"), "{shown}");
        let shown = html("![v](<media/a b.png>) [w](./docs/x.md)", "/me/x");
        assert!(shown.contains("src=\"/me/x/media/a%20b.png\""), "{shown}");
        assert!(shown.contains("href=\"/me/x/docs/x.md\""), "{shown}");
        let badge =
            "<a class=\"flex\" href=\"https://x\">\n<img src=\"https://x/y.svg\"/>\n</a>\n\n# Next";
        assert_eq!(html(badge, "/me/x").trim(), "<h1>Next</h1>");
        for attack in [
            "<script>alert(1)</script>",
            "text <img src=x onerror=alert(1)> text",
            "<div\nonmouseover=alert(1)>\n\n</div>",
            "[x](javascript:alert(1))",
            "[x](JaVaScRiPt:alert(1))",
            "[x](<java\nscript:alert(1)>)",
            "[x](data:text/html;base64,PHNjcmlwdD4=)",
            "![x](vbscript:x)",
            "<javascript:alert(1)>",
            "[x](//evil.example/x)",
            "[x](../../../api)",
            "[x](http://a \"t\\\" onmouseover=\\\"alert(1)\")",
            "`<script>`",
            "```<script>\n<script>\n```",
        ] {
            let shown = html(attack, "/me/x").to_ascii_lowercase();
            let tags = shown.match_indices('<').map(|(at, _)| &shown[at..]);
            for tag in tags {
                let known = [
                    "<p",
                    "</p",
                    "<a href=",
                    "</a",
                    "<img src=",
                    "<code",
                    "</code",
                    "<pre",
                    "</pre",
                ];
                assert!(known.iter().any(|known| tag.starts_with(known)), "{attack}: {shown}");
            }
            for scheme in ["\"javascript", "\"data:", "\"vbscript", "\"//", "\" onm"] {
                assert!(!shown.contains(scheme), "{attack}: {shown}");
            }
        }
    }
}
