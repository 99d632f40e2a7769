//! What people look at: the repositories, and each with its card, its files and its videos.
//!
//! Browsers show no token, so only what is public is here.

mod figures;
mod markdown;
mod markup;

use crate::card::escape;
use crate::serve::answer::{Answer, Refusal};
use crate::serve::api::card;
use crate::serve::call::Call;
use crate::serve::store::{Item, Repository, Snapshot};
use crate::{Kind, address};
use markup::{Page, size};

/// How many videos are shown at once; each is asked for its first picture.
const VIDEOS: usize = 12;
/// How many files of a folder are listed.
const FILES: usize = 2000;

/// How it looks.
pub fn style(_call: &mut Call) -> Result<Answer, Refusal> {
    Ok(Answer::text("text/css; charset=utf-8", include_str!("style.css"))
        .with("cache-control", "max-age=3600"))
}

/// All repositories.
pub fn all(call: &mut Call) -> Result<Answer, Refusal> {
    let mut page = Page::new("Hub");
    page.push("<h1>Hub</h1>");
    let repositories = call.store().all();
    let mut any = false;
    for (kind, title) in
        [(Kind::Dataset, "Datasets"), (Kind::Model, "Models"), (Kind::Space, "Spaces")]
    {
        let seen = repositories.iter().filter(|repository| repository.repo().kind() == kind);
        let seen: Vec<_> =
            seen.filter(|repository| call.visible(repository.repo()).is_ok()).collect();
        if seen.is_empty() {
            continue;
        }
        any = true;
        page.push(&format!("<h2>{title}</h2><table>"));
        for repository in seen {
            let snapshot = repository.at("main")?;
            let bytes: u64 = snapshot.tree.files().map(|(_, leaf)| leaf.entry.size).sum();
            page.push(&format!(
                "<tr><td><a href=\"/{}\">{}</a></td><td class=\"number\">{}</td>\
                 <td class=\"number\">{}</td></tr>",
                escape(&repository.repo().place()),
                escape(&repository.repo().id()),
                size(bytes),
                day(&snapshot.commit.date),
            ));
        }
        page.push("</table>");
    }
    if !any {
        page.push("<p>There is nothing here yet that everybody may see. In a terminal:</p>");
        let line = format!("export HF_ENDPOINT={} HF_TOKEN=…", call.origin);
        page.push(&format!("<pre><code>{}</code></pre>", escape(&line)));
    }
    Ok(page.answer())
}

/// A repository, or a folder of it.
pub fn repository(call: &mut Call) -> Result<Answer, Refusal> {
    match shown(call) {
        Err(refusal) if refusal.status == 404 => Ok(missing(&refusal)),
        other => other,
    }
}

/// A file, where it can be had.
pub fn file(call: &mut Call) -> Result<Answer, Refusal> {
    let place = call.repo()?.place();
    let parts = place.split('/').chain(["resolve", call.revision()]);
    let to = address::below("", parts.chain(call.part("path").split('/')));
    let mut answer = Answer::done().with("location", to);
    answer.status = 302;
    Ok(answer)
}

fn shown(call: &Call) -> Result<Answer, Refusal> {
    let repository = call.repository()?;
    let snapshot = repository.at(call.revision())?;
    let folder = call.part("path").trim_end_matches('/');
    if !snapshot.tree.has_folder(folder) {
        return Err(Refusal::no_entry(folder));
    }
    let id = repository.repo().id();
    let mut page = Page::new(&id);
    let place = format!("/{}", repository.repo().place());
    page.push(&format!(
        "<nav><a href=\"/\">Hub</a> / <a href=\"{}\">{}</a></nav><h1>{}</h1>",
        escape(&place),
        escape(&id),
        escape(if folder.is_empty() { &id } else { folder }),
    ));
    tags(&mut page, &repository, call.revision());
    if folder.is_empty() {
        figures::show(&mut page, call.store(), &snapshot)?;
        if let Some(card) = card::read(call.store(), &snapshot)? {
            let base = address::below(&place, ["resolve", call.revision()]);
            page.push("<article>");
            page.push(&markdown::html(card::split(&card).1, &base));
            page.push("</article>");
        }
    }
    videos(&mut page, &snapshot, &place, call.revision(), folder);
    files(&mut page, &snapshot, &place, call.revision(), folder);
    Ok(page.answer())
}

fn missing(refusal: &Refusal) -> Answer {
    let mut page = Page::new("Nothing here");
    page.push(&format!(
        "<nav><a href=\"/\">Hub</a></nav><h1>Nothing here</h1><p>{}, or it is private.</p>",
        escape(&refusal.message),
    ));
    let mut answer = page.answer();
    answer.status = 404;
    answer
}

fn tags(page: &mut Page, repository: &Repository, revision: &str) {
    let (refs, place) = (repository.refs(), format!("/{}", repository.repo().place()));
    page.push("<p class=\"refs\">");
    for name in refs.branches.keys().chain(refs.tags.keys()) {
        let class = if name == revision { "here" } else { "" };
        let to = address::below(&place, ["tree", name]);
        let (to, name) = (escape(&to), escape(name));
        page.push(&format!("<a class=\"{class}\" href=\"{to}\">{name}</a> "));
    }
    page.push("</p>");
}

fn videos(page: &mut Page, snapshot: &Snapshot, place: &str, revision: &str, folder: &str) {
    let below = snapshot.tree.below(folder).map(|(path, _)| path);
    let films = below.filter(|path| path.ends_with(".mp4") || path.ends_with(".webm"));
    let films: Vec<&str> = films.take(VIDEOS + 1).collect();
    if films.is_empty() {
        return;
    }
    page.push("<h2>Videos</h2><div class=\"videos\">");
    for path in films.iter().take(VIDEOS) {
        let parts = ["resolve", revision].into_iter().chain(path.split('/'));
        let from = address::below(place, parts);
        page.push(&format!(
            "<figure><video controls muted preload=\"metadata\" src=\"{}\"></video>\
             <figcaption>{}</figcaption></figure>",
            escape(&from),
            escape(path),
        ));
    }
    page.push("</div>");
    if films.len() > VIDEOS {
        page.push("<p>More of them are in the folders below.</p>");
    }
}

fn files(page: &mut Page, snapshot: &Snapshot, place: &str, revision: &str, folder: &str) {
    page.push("<h2>Files</h2><table>");
    let items = snapshot.tree.list(folder, false);
    for item in items.iter().take(FILES) {
        let (path, what, length) = match item {
            Item::Folder(path) => (*path, "tree", String::new()),
            Item::File(path, leaf) => (*path, "resolve", size(leaf.entry.size)),
        };
        let name = path.rsplit('/').next().unwrap_or(path);
        let end = if what == "tree" { "/" } else { "" };
        let to = address::below(place, [what, revision].into_iter().chain(path.split('/')));
        page.push(&format!(
            "<tr><td><a href=\"{}\">{}{end}</a></td><td class=\"number\">{length}</td></tr>",
            escape(&to),
            escape(name),
        ));
    }
    page.push("</table>");
    if items.len() > FILES {
        page.push(&format!("<p>And {} more.</p>", items.len() - FILES));
    }
}

/// The day of an instant.
fn day(date: &str) -> &str {
    date.split('T').next().unwrap_or_default()
}
