//! What a repository tells people about itself: the header that hubs read, in the form that LeRobot
//! gives it, and a page below.

mod dataset;
mod model;

pub use dataset::DatasetCard;
pub use model::ModelCard;

/// A text with nothing left in it that a browser would take for markup.
pub fn escape(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            letter => safe.push(letter),
        }
    }
    safe
}

/// A table of the page: what, and how much.
fn table(out: &mut String, head: [&str; 2], rows: &[(String, String)]) {
    if rows.is_empty() {
        return;
    }
    out.push_str(&format!("| {} | {} |\n| --- | --- |\n", head[0], head[1]));
    for (name, value) in rows {
        out.push_str(&format!("| {} | {} |\n", cell(name), cell(value)));
    }
    out.push('\n');
}

/// A text as a cell of a table, whatever it is made of.
fn cell(text: &str) -> String {
    let plain = text.replace(char::is_control, " ").replace('\\', "\\\\");
    plain.replace('|', "\\|").replace('<', "&lt;")
}

/// A text in the header: quoted, so that it stays a text and stays in its line.
fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// A list in the header, each text once.
fn list<'a>(out: &mut String, key: &str, texts: impl IntoIterator<Item = &'a str>) {
    out.push_str(&format!("{key}:\n"));
    let mut seen = Vec::new();
    for text in texts {
        if !seen.contains(&text) {
            out.push_str(&format!("- {}\n", quoted(text)));
            seen.push(text);
        }
    }
}

/// A block of code, fenced by more backticks than it has.
fn code(out: &mut String, language: &str, text: &str) {
    let runs = text.split(|letter| letter != '`').map(str::len);
    let fence = "`".repeat(runs.max().unwrap_or(0).max(2) + 1);
    out.push_str(&format!("{fence}{language}\n{}\n{fence}\n\n", text.trim_end()));
}
