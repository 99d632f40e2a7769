//! Words that make no command, as a failure like any other: for scripts, which read no usage page.

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{Command, Error};

use super::failure::Failure;

/// What is wrong with `words`, and the nearest that would be right.
pub fn failure(error: &Error, words: &[String], definition: &Command) -> Failure {
    let help = || format!("see: {} --help", command(words, definition));
    Failure::usage(what(error), nearest(error).or_else(|| choices(error)).unwrap_or_else(help))
}

fn what(error: &Error) -> String {
    if error.kind() == ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand {
        return "which command?".to_owned();
    }
    // The first paragraph says it; tips and usage follow.
    let text = error.to_string();
    let paragraph = text.lines().take_while(|line| !line.trim().is_empty());
    let lines: Vec<_> =
        paragraph.map(str::trim).filter(|line| !line.starts_with("[possible values")).collect();
    lines.join(" ").trim_start_matches("error: ").to_owned()
}

fn nearest(error: &Error) -> Option<String> {
    let kinds =
        [ContextKind::SuggestedArg, ContextKind::SuggestedSubcommand, ContextKind::SuggestedValue];
    let names = kinds.into_iter().find_map(|kind| strings(error, kind))?;
    Some(format!("did you mean {}?", names.join(" or ")))
}

fn choices(error: &Error) -> Option<String> {
    Some(format!("one of: {}", strings(error, ContextKind::ValidValue)?.join(", ")))
}

fn strings(error: &Error, kind: ContextKind) -> Option<Vec<String>> {
    match error.get(kind)? {
        ContextValue::String(one) => Some(vec![one.clone()]),
        ContextValue::Strings(several) if !several.is_empty() => Some(several.clone()),
        _ => None,
    }
}

/// The command as far as it was understood.
fn command(words: &[String], definition: &Command) -> String {
    let (mut at, mut path) = (definition, String::from("sinew"));
    for word in words.iter().skip(1) {
        if let Some(inner) = at.find_subcommand(word) {
            at = inner;
            path = format!("{path} {}", inner.get_name());
        }
    }
    path
}
