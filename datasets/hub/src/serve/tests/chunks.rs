//! Large files in chunks, as newer clients send them.

use super::*;

/// Where to send, and what to show there.
struct Door {
    url: String,
    token: String,
}

impl Door {
    fn of(bench: &Bench) -> Self {
        let reply = bench.get("/api/datasets/me/pick/xet-write-token/main");
        assert_eq!(reply.header("x-xet-cas-url"), reply.json()["casUrl"]);
        assert_eq!(reply.header("x-xet-access-token"), reply.json()["accessToken"]);
        assert_eq!(reply.header("x-xet-token-expiration"), reply.json()["exp"].to_string());
        let token = reply.header("x-xet-access-token").to_owned();
        Self { url: reply.header("x-xet-cas-url").to_owned(), token }
    }

    fn send(&self, bench: &Bench, to: &str, body: &[u8]) -> Reply {
        let shown = format!("Bearer {}", self.token);
        let config = ureq::Agent::config_builder().http_status_as_error(false).build();
        let request = Request::post(format!("{}/{to}", self.url)).header("authorization", shown);
        assert!(self.url.starts_with(&bench.url()));
        Reply::of(ureq::Agent::from(config).run(request.body(body).unwrap()).unwrap())
    }
}

const XORB: &str =
    "v1/xorbs/default/0101010101010101010101010101010101010101010101010101010101010101";
const SHARD: &str = "v1/shards";

/// Two chunks as they are.
fn xorb() -> Vec<u8> {
    [&[0, 3, 0, 0, 0, 3, 0, 0][..], b"abc", &[0, 2, 0, 0, 0, 2, 0, 0], b"de"].concat()
}

/// A shard with one file, of these chunks of that xorb, and what it should come to.
fn shard(chunks: &[(u32, u32, u32)], content: &[u8]) -> Vec<u8> {
    let row = |hash: [u8; 32], numbers: [u32; 4]| {
        let numbers: Vec<u8> = numbers.into_iter().flat_map(u32::to_le_bytes).collect();
        [&hash[..], &numbers].concat()
    };
    let mut hash: [u8; 32] = Sha256::digest(content).into();
    hash.chunks_mut(8).for_each(<[u8]>::reverse);
    let mut shard = row([9; 32], [2, 0, 0, 0]);
    shard.extend(row([8; 32], [1 << 30, chunks.len() as u32, 0, 0]));
    for (raw, first, end) in chunks {
        shard.extend(row([1; 32], [0, *raw, *first, *end]));
    }
    shard.extend(row(hash, [0; 4]));
    shard.extend(row([0xff; 32], [0; 4]));
    shard.extend(b"and what else there is");
    shard
}

#[test]
fn files_are_put_together_from_chunks_sent_once() {
    let mut bench = Bench::new();
    bench.create("pick");
    let door = Door::of(&bench);
    assert_eq!(door.send(&bench, XORB, &xorb()).json()["was_inserted"], true);
    assert_eq!(door.send(&bench, XORB, &xorb()).json()["was_inserted"], false);
    // Clients remember what they sent, and links stay good.
    bench.restart();
    let content = b"deabcabcde";
    let chunks = [(2, 1, 2), (3, 0, 1), (5, 0, 2)];
    assert_eq!(door.send(&bench, SHARD, &shard(&chunks, content)).json()["result"], 1);
    assert_eq!(door.send(&bench, SHARD, &shard(&chunks, content)).json()["result"], 0);
    assert_eq!(bench.commit("pick", &[large_file("a.bin", content)]).status, 200);
    assert_eq!(bench.get("/datasets/me/pick/resolve/main/a.bin").bytes, content);
    // Who reads is not sent there: neither way of saying so is used.
    let tree = bench.get("/api/datasets/me/pick/tree/main");
    assert!(!String::from_utf8_lossy(&tree.bytes).contains("xet"));
}

#[test]
fn the_first_of_a_name_stays() {
    let bench = Bench::new();
    bench.create("pick");
    let door = Door::of(&bench);
    let other = [&[0, 5, 0, 0, 0, 5, 0, 0][..], b"other"].concat();
    assert_eq!(door.send(&bench, XORB, &xorb()).json()["was_inserted"], true);
    assert_eq!(door.send(&bench, XORB, &other).json()["was_inserted"], false);
    assert_eq!(door.send(&bench, SHARD, &shard(&[(5, 0, 2)], b"abcde")).json()["result"], 1);
}

#[test]
fn what_does_not_fit_is_refused_for_good() {
    let bench = Bench::with(|options| options.limits.file = 1000);
    bench.create("pick");
    let door = Door::of(&bench);
    assert_eq!(door.send(&bench, XORB, &xorb()[..15]).status, 400);
    assert_eq!(door.send(&bench, "v1/xorbs/default/../../x", &xorb()).status, 404);
    assert_eq!(door.send(&bench, "v1/xorbs/default/zz", &xorb()).status, 400);
    let content = b"abcde";
    // Before the xorb has come, nothing can be made of it.
    assert_eq!(door.send(&bench, SHARD, &shard(&[(5, 0, 2)], content)).status, 400);
    assert_eq!(door.send(&bench, XORB, &xorb()).status, 200);
    for (what, shard) in [
        ("a chunk that is not there", shard(&[(5, 0, 3)], content)),
        ("other lengths", shard(&[(4, 0, 2)], content)),
        ("another content", shard(&[(5, 0, 2)], b"abcdf")),
        ("half a shard", shard(&[(5, 0, 2)], content)[..100].to_vec()),
        ("nothing", Vec::new()),
    ] {
        assert_eq!(door.send(&bench, SHARD, &shard).status, 400, "{what}");
    }
    let many = vec![(5, 0, 2); 201];
    assert_eq!(door.send(&bench, SHARD, &shard(&many, content)).status, 413);
    assert_eq!(bench.commit("pick", &[large_file("a.bin", content)]).status, 400);
    assert_eq!(std::fs::read_dir(bench.folder.path().join("hub/incoming")).unwrap().count(), 0);
}

#[test]
fn only_who_may_write_gets_in() {
    let access = |token: &str, write| Access { token: token.into(), name: token.into(), write };
    let mut bench =
        Bench::with(|options| options.tokens = vec![access("w", true), access("r", false)]);
    bench.token = Some("w");
    bench.create("pick");
    let good = Door::of(&bench);
    assert_eq!(good.send(&bench, XORB, &xorb()).status, 200);
    bench.token = Some("r");
    assert_eq!(bench.get("/api/datasets/me/pick/xet-write-token/main").status, 403);
    let later = format!("9{}", good.token);
    for token in ["w", "", "1-2", &later] {
        let door = Door { url: good.url.clone(), token: token.to_owned() };
        assert_eq!(door.send(&bench, XORB, &xorb()).status, 401, "{token}");
    }
    let elsewhere = good.url.rsplit_once('/').unwrap().0;
    let door = Door { url: format!("{elsewhere}/{}", "0".repeat(32)), token: good.token };
    assert_eq!(door.send(&bench, XORB, &xorb()).status, 404);
}
