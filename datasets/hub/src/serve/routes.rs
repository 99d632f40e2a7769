//! Which address is answered by whom.

use std::pin::Pin;
use std::sync::Arc;

use axum::Router;
use axum::extract::{RawPathParams, Request, State};
use axum::response::Response;
use axum::routing::{MethodRouter, delete, get, post, put};

use super::answer::Refusal;
use super::api::{account, commit, files, info, lfs, preupload, refs, repos, resolve};
use super::call::{self, App, Handler};

/// All of them.
pub fn all(app: Arc<App>) -> Router {
    let mut router = Router::new()
        .route("/api/whoami-v2", get(on(account::whoami)))
        .route("/api/validate-yaml", post(on(account::validate_card)))
        .route("/api/repos/create", post(on(repos::create)))
        .route("/api/repos/delete", delete(on(repos::delete)))
        .route("/api/repos/move", post(on(repos::rename)))
        .route("/api/lfs/verify", post(on(lfs::verify)))
        .route("/api/lfs/{ticket}", put(on(lfs::whole)).post(on(lfs::complete)))
        .route("/api/lfs/{ticket}/{number}", put(on(lfs::piece)))
        .route("/api/{kind}", get(on(repos::list)));
    for (rest, methods) in repository() {
        router = router.route(&format!("/api/{{kind}}/{{owner}}/{{name}}{rest}"), methods);
    }
    for place in ["", "/datasets", "/spaces"] {
        let place = format!("{place}/{{owner}}/{{name}}");
        router = router
            .route(&format!("{place}/info/lfs/objects/batch"), post(on(lfs::batch)))
            .route(&format!("{place}/resolve/{{rev}}/{{*path}}"), get(on(resolve::file)));
    }
    router.fallback(on(|_call| Err(Refusal::nothing()))).with_state(app)
}

/// What is below a repository's address in the interface for programs.
fn repository() -> [(&'static str, MethodRouter<Arc<App>>); 13] {
    [
        ("", get(on(info::newest))),
        ("/revision/{rev}", get(on(info::at))),
        ("/settings", put(on(repos::settings))),
        ("/auth-check", get(on(repos::readable))),
        ("/tree/{rev}", get(on(files::tree))),
        ("/tree/{rev}/{*path}", get(on(files::tree))),
        ("/paths-info/{rev}", post(on(files::paths))),
        ("/refs", get(on(refs::all))),
        ("/commits/{rev}", get(on(refs::history))),
        ("/tag/{rev}", post(on(refs::tag)).delete(on(refs::untag))),
        ("/branch/{rev}", post(on(refs::branch)).delete(on(refs::unbranch))),
        ("/preupload/{rev}", post(on(preupload::plan))),
        ("/commit/{rev}", post(on(commit::commit))),
    ]
}

fn on(
    handler: Handler,
) -> impl Fn(State<Arc<App>>, RawPathParams, Request) -> Answering + Clone + Send + Sync + 'static {
    move |app, parameters, request| Box::pin(call::answer(app, handler, parameters, request))
}

/// An answer to come.
type Answering = Pin<Box<dyn Future<Output = Response> + Send>>;
