//! Which address is answered by whom.

use std::pin::Pin;
use std::sync::Arc;

use axum::Router;
use axum::extract::{RawPathParams, Request, State};
use axum::response::Response;
use axum::routing::{MethodRouter, any, delete, get, post, put};

use super::answer::Refusal;
use super::api::{account, card, commit, files, info, lfs, preupload, refs, repos, resolve};
use super::call::{self, App, Door, Handler};
use super::page;
use super::xet::cas;

/// All of them.
pub fn all(app: Arc<App>) -> Router {
    let mut router = Router::new()
        .route("/api/whoami-v2", get(on(account::whoami)))
        .route("/api/validate-yaml", post(on(card::validate)))
        .route("/api/repos/create", post(on(repos::create)))
        .route("/api/repos/delete", delete(on(repos::delete)))
        .route("/api/repos/move", post(on(repos::rename)))
        .route("/api/lfs/verify", post(on(lfs::verify)))
        .route("/api/lfs/{ticket}", put(signed(lfs::whole)).post(signed(lfs::complete)))
        .route("/api/lfs/{ticket}/{number}", put(signed(lfs::piece)))
        .route("/api/cas/{id}/v1/xorbs/default/{hash}", post(signed(cas::xorb)))
        .route("/api/cas/{id}/v1/shards", post(signed(cas::shard)))
        // What else there is under this address is not here, which clients know how to take.
        .route("/api/cas/{id}/{*rest}", any(signed(|_call| Err(Refusal::nothing()))))
        .route("/api/{kind}", get(on(repos::list)))
        .route("/", get(on(page::all)))
        .route("/page/style.css", get(on(page::style)));
    for (rest, methods) in repository() {
        router = router.route(&format!("/api/{{kind}}/{{owner}}/{{name}}{rest}"), methods);
    }
    for place in ["", "/datasets", "/spaces"] {
        let place = format!("{place}/{{owner}}/{{name}}");
        router = router
            .route(&place, get(on(page::repository)))
            .route(&format!("{place}/tree/{{rev}}"), get(on(page::repository)))
            .route(&format!("{place}/tree/{{rev}}/{{*path}}"), get(on(page::repository)))
            .route(&format!("{place}/commit/{{rev}}"), get(on(page::repository)))
            .route(&format!("{place}/blob/{{rev}}/{{*path}}"), get(on(page::file)))
            .route(&format!("{place}/discussions/{{number}}"), get(on(refs::request)))
            .route(&format!("{place}/info/lfs/objects/batch"), post(on(lfs::batch)))
            .route(&format!("{place}/resolve/{{rev}}/{{*path}}"), get(on(resolve::file)));
    }
    router.fallback(on(|_call| Err(Refusal::nothing()))).with_state(app)
}

/// What is below a repository's address in the interface for programs.
fn repository() -> [(&'static str, MethodRouter<Arc<App>>); 15] {
    [
        ("", get(on(info::newest))),
        ("/revision/{rev}", get(on(info::at))),
        ("/settings", put(on(repos::settings))),
        ("/auth-check", get(on(repos::readable))),
        ("/tree/{rev}", get(on(files::tree))),
        ("/tree/{rev}/{*path}", get(on(files::tree))),
        ("/paths-info/{rev}", post(on(files::paths))),
        ("/refs", get(on(refs::all))),
        ("/discussions", get(on(refs::requests))),
        ("/commits/{rev}", get(on(refs::history))),
        ("/tag/{rev}", post(on(refs::tag)).delete(on(refs::untag))),
        ("/branch/{rev}", post(on(refs::branch)).delete(on(refs::unbranch))),
        ("/preupload/{rev}", post(on(preupload::plan))),
        ("/commit/{rev}", post(on(commit::commit))),
        ("/xet-write-token/{rev}", get(on(cas::token))),
    ]
}

/// For those who show a token, or none.
fn on(handler: Handler) -> impl Answers {
    through(Door::Token, handler)
}

/// For those who show what was given out here.
fn signed(handler: Handler) -> impl Answers {
    through(Door::Signature, handler)
}

fn through(door: Door, handler: Handler) -> impl Answers {
    move |app, parameters, request| {
        let answer = call::answer(app, (door, handler), parameters, request);
        Box::pin(answer) as Answering
    }
}

/// What the router calls.
trait Answers:
    Fn(State<Arc<App>>, RawPathParams, Request) -> Answering + Clone + Send + Sync + 'static
{
}

impl<F> Answers for F where
    F: Fn(State<Arc<App>>, RawPathParams, Request) -> Answering + Clone + Send + Sync + 'static
{
}

/// An answer to come.
type Answering = Pin<Box<dyn Future<Output = Response> + Send>>;
