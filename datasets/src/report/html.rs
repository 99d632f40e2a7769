//! The page itself: its style, and text that cannot become markup.

pub use sinew_hub::card::escape;

/// A page that is being written.
pub struct Page(String);

/// Colours by what they mean, each for light and dark; no font, script or picture from elsewhere.
const STYLE: &str = "
:root { color-scheme: light dark; --back: #fafaf8; --card: #ffffff; --ink: #1d1f24; --soft: #6a6f7a;
  --line: #dfe1e6; --state: #2563c9; --action: #d9681d; --good: #1c8a4b; --odd: #a86a00; --bad: #c42b2b; }
@media (prefers-color-scheme: dark) { :root { --back: #14161a; --card: #1d2026; --ink: #e8eaee;
  --soft: #9aa1ad; --line: #333842; --state: #6ea8fe; --action: #ff9d5c; --good: #4fc883;
  --odd: #e0a83c; --bad: #ff7a7a; } }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 76rem; padding: 1.5rem; background: var(--back); color: var(--ink);
  font: 15px/1.5 system-ui, sans-serif; }
h1 { font-size: 1.7rem; margin: 0 0 .25rem; overflow-wrap: anywhere; }
h2 { font-size: 1.15rem; margin: 0 0 .6rem; } h3 { font-size: .95rem; margin: .9rem 0 .35rem; }
small, .soft, figcaption { color: var(--soft); font-weight: normal; }
section { background: var(--card); border: 1px solid var(--line); border-radius: .7rem;
  padding: 1rem 1.2rem; margin: 1rem 0; }
.chips { display: flex; flex-wrap: wrap; gap: .5rem; margin: .8rem 0 0; padding: 0; list-style: none; }
.chips li { border: 1px solid var(--line); border-radius: 1rem; padding: .15rem .75rem;
  background: var(--card); }
table { border-collapse: collapse; width: 100%; font-size: .9rem; }
td, th { text-align: left; padding: .3rem .6rem .3rem 0; border-top: 1px solid var(--line);
  vertical-align: top; overflow-wrap: anywhere; }
th { color: var(--soft); font-weight: normal; border-top: 0; }
.scroll { overflow-x: auto; }
figure { margin: .4rem 0; } figure img { max-width: 100%; height: auto; border-radius: .4rem; display: block; }
.grid { display: grid; grid-template-columns: repeat(auto-fill, minmax(15rem, 1fr)); gap: .7rem; }
svg { display: block; width: 100%; height: auto; }
svg text { fill: var(--soft); font: 10px system-ui, sans-serif; }
.axis { stroke: var(--line); fill: none; }
.state, .action { fill: none; stroke-width: 1.4; stroke-linejoin: round; vector-effect: non-scaling-stroke; }
.state { stroke: var(--state); } .action { stroke: var(--action); }
.bar { fill: var(--state); } .bar:hover { fill: var(--action); }
.key { display: inline-block; width: .9em; height: .25em; vertical-align: middle; margin: 0 .35em 0 .8em; }
.good { color: var(--good); } .warning { color: var(--odd); } .error { color: var(--bad); }
";

impl Page {
    /// Begins a page.
    pub fn new(title: &str) -> Self {
        let title = escape(title);
        Self(format!(
            "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\
             <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\
             <title>{title} · dataset</title><style>{STYLE}</style></head><body>\n\
             <h1>{title}</h1>\n"
        ))
    }

    /// Adds markup.
    pub fn raw(&mut self, markup: &str) {
        self.0.push_str(markup);
        self.0.push('\n');
    }

    /// Adds a line of text.
    pub fn note(&mut self, text: &str) {
        self.raw(&format!("<p class=\"soft\">{}</p>", escape(text)));
    }

    /// Adds a table; the cells are markup.
    pub fn table(&mut self, head: &[&str], rows: impl Iterator<Item = Vec<String>>) {
        self.0.push_str("<div class=\"scroll\"><table><tr>");
        head.iter().for_each(|name| self.0.push_str(&format!("<th>{name}</th>")));
        for row in rows {
            self.0.push_str("</tr>\n<tr>");
            row.iter().for_each(|cell| self.0.push_str(&format!("<td>{cell}</td>")));
        }
        self.raw("</tr></table></div>");
    }

    /// The whole page.
    pub fn finish(mut self) -> String {
        self.0.push_str("</body></html>\n");
        self.0
    }
}
