//! What people see in a browser.

use super::*;

fn text(reply: &Reply) -> String {
    String::from_utf8(reply.bytes.clone()).unwrap()
}

#[test]
fn a_browser_shows_cards_figures_files_and_videos() {
    let mut bench = Bench::new();
    assert!(text(&bench.get("/")).contains("nothing here yet"));
    bench.create("pick");
    let video = vec![0; 5_000_000];
    bench.large("pick", &video);
    let info =
        br#"{"total_episodes": 7, "fps": 30, "robot_type": "so101", "features": {"action": {}}}"#;
    bench.commit(
        "pick",
        &[
            file("README.md", b"---\nlicense: mit\n---\n# Picking\n\nSome *text*."),
            file("meta/info.json", info),
            large_file("videos/front/a #1.mp4", &video),
        ],
    );
    bench.post("/api/repos/create", json!({ "name": "me/secret", "private": true }));
    bench.token = None;
    let all = text(&bench.get("/"));
    assert!(all.contains("href=\"/datasets/me/pick\"") && all.contains("5.0 MB"), "{all}");
    assert!(!all.contains("secret"));
    let reply = bench.get("/datasets/me/pick");
    assert_eq!(reply.header("content-type"), "text/html; charset=utf-8");
    assert!(reply.header("content-security-policy").starts_with("default-src 'none'"));
    let page = text(&reply);
    for part in [
        "<h1>Picking</h1>",
        "<em>text</em>",
        "<dd>7</dd>",
        "<dd>so101</dd>",
        "<code>action</code>",
        "src=\"/datasets/me/pick/resolve/main/videos/front/a%20%231.mp4\"",
        "href=\"/datasets/me/pick/tree/main/videos\"",
    ] {
        assert!(page.contains(part), "{part}: {page}");
    }
    assert!(!page.contains("license: mit"));
    let played = "/datasets/me/pick/resolve/main/videos/front/a%20%231.mp4";
    let part = bench.ask("GET", played, &[("range", "bytes=0-99")], b"");
    assert_eq!((part.status, part.header("content-type")), (206, "video/mp4"));
    assert!(text(&bench.get("/datasets/me/pick/tree/main/videos/front")).contains("a #1.mp4"));
    assert_eq!(bench.get("/datasets/me/pick/tree/main/nope").status, 404);
    assert_eq!(bench.get("/me/secret").status, 404);
    assert_eq!(bench.get("/page/style.css").header("content-type"), "text/css; charset=utf-8");
}

#[test]
fn names_and_figures_are_text_and_nothing_else() {
    let bench = Bench::new();
    bench.create("pick");
    let attack = "<script>alert('\"1\"')</script>.mp4";
    let info = json!({ "robot_type": attack, "features": { attack: {} }, "fps": [attack] });
    bench.large("pick", b"video");
    bench.commit(
        "pick",
        &[
            file("README.md", attack.as_bytes()),
            file("meta/info.json", info.to_string().as_bytes()),
            large_file(attack.replace('/', "").as_str(), b"video"),
        ],
    );
    let at = format!(
        "/datasets/me/pick/tree/{}",
        bench.get("/api/datasets/me/pick").json()["sha"].as_str().unwrap()
    );
    for page in [
        "/",
        "/datasets/me/pick",
        &at,
        "/datasets/me/pick/tree/main/%3Cscript%3E",
        "/me/%3Cscript%3E",
    ] {
        let page = text(&bench.get(page));
        assert!(!page.contains("<script") && !page.contains("=\"<"), "{page}");
    }
}
