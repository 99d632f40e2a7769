//! Where the corpus of a hub's answers begins.

/// What a hub answers, and what is kept of it and of tokens.
pub const HUB: [(&str, &str); 8] = [
    (
        "hub_plan",
        r#"{"files":[{"path":"meta/info.json","uploadMode":"regular","shouldIgnore":false,"oid":
"9e26dfeeb6e641a33dae4961196235bdb965b21b"},{"path":"a b.bin","uploadMode":"lfs","shouldIgnore":true},
{"path":"empty.bin","uploadMode":"lfs"}]}"#,
    ),
    (
        "hub_commit",
        r#"{"success":true,"commitOid":"0123456789abcdef0123456789abcdef01234567","commitUrl":"http://hub/c",
"pullRequestUrl":"http://hub/datasets/me/pick/discussions/7","hookOutput":""}"#,
    ),
    (
        "hub_person",
        r#"{"type":"user","name":"me","fullname":"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","orgs":[{"name":"lab"},{"name":"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"}],"auth":
{"type":"access_token","accessToken":{"displayName":"board 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","role":"write"}}}"#,
    ),
    (
        "hub_list",
        r#"[{"type":"directory","path":"meta","oid":"","size":0},{"type":"file","path":"meta/info.json",
"size":2,"oid":"9e26dfeeb6e641a33dae4961196235bdb965b21b"},{"type":"file","path":"a b.bin","size":3,
"oid":"0123456789abcdef0123456789abcdef01234567","lfs":{"oid":
"ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad","size":3,"pointerSize":126}}]"#,
    ),
    (
        "hub_tree",
        r#"{"format_version":1,"files":{"a b.bin":{"size":3,"blob_id":
"0123456789abcdef0123456789abcdef01234567","lfs_sha256":
"ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad","lfs_size":3},"meta/info.json":
{"size":2,"blob_id":"9e26dfeeb6e641a33dae4961196235bdb965b21b"}}}"#,
    ),
    ("hub_tokens", "[board]\nhf_token = hf_a\n\n[oauth-me]\nhf_token: hf_b\nrefresh_token = c\n"),
    (
        "hub_batch",
        r#"{"transfer":"multipart","objects":[{"oid":"ba78","size":25,"actions":{"upload":{"href":
"http://hub/x","header":{"chunk_size":"10","1":"http://hub/x/1","2":"http://hub/x/2","3":
"http://hub/x/3"}},"verify":{"href":"http://hub/v","header":{}}}},{"oid":"ba79","size":25},{"oid":
"ba80","error":{"code":422,"message":"no"}}]}"#,
    ),
    (
        "hub_ledger",
        r#"{"hash":["a",{"size":1,"modified":5,"inode":7},"aa"]}
{"given":["a","aa"]}
{"given":["b",null]}
{"started":["cc",{"href":"http://x","chunk":10,"parts":["http://x/1","http://x/2"]}]}
{"part":["cc",1,"\"e\""]}
{"over":"dd"}
"#,
    ),
];
