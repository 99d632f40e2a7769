"""The official client, unmodified, against a hub:

    hub_client.py WRITER READER FOLDER

HF_ENDPOINT says where the hub is; WRITER and READER are tokens of it that may write and only read.
Works with huggingface_hub 0.36, 1.x and 2.x: what differs between them is what they send.
"""

import io
import itertools
import os
import random
import sys
from pathlib import Path

import huggingface_hub
from cutting import Cutting
from hands import Checks
from huggingface_hub import CommitOperationAdd, CommitOperationCopy, CommitOperationDelete, HfApi, HfFileSystem, hf_hub_download, snapshot_download
from huggingface_hub.errors import EntryNotFoundError, HfHubHTTPError, RepositoryNotFoundError, RevisionNotFoundError

WRITER, READER, FOLDER = sys.argv[1], sys.argv[2], Path(sys.argv[3])
ENDPOINT = os.environ["HF_ENDPOINT"]
VERSION = huggingface_hub.__version__
CHECKS = Checks()
check, equal = CHECKS.holds, CHECKS.equal
API = HfApi(token=WRITER)
#: The same in every run.
DICE = random.Random(5)
LARGE = DICE.randbytes(7_000_000)
#: Chunks of this pack as grouped floats.
FLOATS = b"".join((1 + i / 1e6).hex().encode()[:8] for i in range(500_000))


def refused(what, status, kind, action, *arguments, **more):
    try:
        action(*arguments, **more)
    # The client's own error in most versions and places.
    except (kind, OSError) as error:
        equal(what, error.response.status_code, status)
    else:
        sys.exit(f"{what}: not refused")


def content(repo, path, **more):
    return Path(hf_hub_download(repo, path, repo_type="dataset", token=READER, **more)).read_bytes()


def repositories():
    me = API.whoami()
    equal("whoami", (me["type"], me["name"], me["auth"]["accessToken"]["role"]), ("user", "writer", "write"))
    url = API.create_repo("lab/first", repo_type="dataset")
    equal("url", (url.endpoint, url.repo_type, url.repo_id), (ENDPOINT, "dataset", "lab/first"))
    refused("create again", 409, HfHubHTTPError, API.create_repo, "lab/first", repo_type="dataset")
    equal("exist_ok", str(API.create_repo("lab/first", repo_type="dataset", exist_ok=True)), str(url))
    equal("a model", API.create_repo("alone").repo_id, "writer/alone")
    check(API.repo_exists("writer/alone") and not API.repo_exists("writer/other"))
    API.move_repo("writer/alone", "lab/policy")
    check(API.repo_exists("lab/policy"))
    API.upload_file(path_or_fileobj=b"{}", path_in_repo="config.json", repo_id="writer/alone")
    equal("by its old name", API.model_info("writer/alone").id, "lab/policy")
    equal("by its old name", Path(hf_hub_download("writer/alone", "config.json", token=READER)).read_bytes(), b"{}")
    check((Path(snapshot_download("writer/alone", token=READER)) / "config.json").exists())
    equal("list", [model.id for model in API.list_models(author="lab")], ["lab/policy"])
    equal("list", [one.id for one in API.list_datasets(search="first")], ["lab/first"])
    API.delete_repo("lab/policy")
    refused("delete again", 404, RepositoryNotFoundError, API.delete_repo, "lab/policy")
    API.delete_repo("lab/policy", missing_ok=True)
    check(not API.repo_exists("lab/policy"))


def rights():
    API.create_repo("lab/secret", repo_type="dataset", private=True)
    upload = {"path_in_repo": "a", "repo_id": "lab/secret", "repo_type": "dataset"}
    API.upload_file(path_or_fileobj=b"a", **upload)
    reader, stranger, nobody = HfApi(token=READER), HfApi(token="hf_stranger"), HfApi(token=False)
    check(reader.dataset_info("lab/secret").private)
    refused("a reader", 403, HfHubHTTPError, reader.upload_file, path_or_fileobj=b"b", **upload)
    refused("a stranger", 401, HfHubHTTPError, stranger.whoami)
    refused("a stranger", 401, HfHubHTTPError, stranger.dataset_info, "lab/secret")
    refused("nobody", 404, RepositoryNotFoundError, nobody.dataset_info, "lab/secret")
    API.update_repo_settings("lab/secret", repo_type="dataset", private=False)
    check(not nobody.dataset_info("lab/secret").private)
    API.delete_repo("lab/secret", repo_type="dataset")


def files():
    """One at a time, small and large, from memory and from the disk."""
    repo = "lab/first"
    large = FOLDER / "large.bin"
    large.write_bytes(LARGE)
    sources = {"a/text.txt": b"some text", "disk.bin": large, "memory.bin": io.BytesIO(LARGE[::-1]), "empty.txt": b"", "weiß, 100%/ü#?.txt": b"odd"}
    for path, source in sources.items():
        made = API.upload_file(path_or_fileobj=source, path_in_repo=path, repo_id=repo, repo_type="dataset", commit_message=path)
        check(ENDPOINT in str(made), made)
    for path, want in {"a/text.txt": b"some text", "disk.bin": LARGE, "memory.bin": LARGE[::-1], "empty.txt": b"", "weiß, 100%/ü#?.txt": b"odd"}.items():
        check(content(repo, path) == want, path)
    tree = {item.path: item for item in API.list_repo_tree(repo, repo_type="dataset", recursive=True, expand=True)}
    equal("tree", sorted(tree), sorted([*sources, "a", "weiß, 100%"]))
    check(tree["disk.bin"].lfs.size == tree["disk.bin"].size == len(LARGE) and tree["a/text.txt"].lfs is None)
    equal("git's name", tree["a/text.txt"].blob_id, "b649a9bf89116c581f8329b8ec3c79a86a70be04")
    equal("last commit", tree["a"].last_commit.title, "a/text.txt")
    infos = API.get_paths_info(repo, ["a", "disk.bin", "nope"], repo_type="dataset", expand=True)
    equal("paths", [info.path for info in infos], ["a", "disk.bin"])
    check(API.file_exists(repo, "a/text.txt", repo_type="dataset") and not API.file_exists(repo, "nope", repo_type="dataset"))
    refused("no such file", 404, EntryNotFoundError, hf_hub_download, repo, "nope", repo_type="dataset")
    refused("no such folder", 404, EntryNotFoundError, lambda: list(API.list_repo_tree(repo, "nope", repo_type="dataset")))
    meta = huggingface_hub.get_hf_file_metadata(huggingface_hub.hf_hub_url(repo, "disk.bin", repo_type="dataset"))
    equal("meta", (meta.size, meta.etag), (len(LARGE), tree["disk.bin"].lfs.sha256))
    info = API.dataset_info(repo, files_metadata=True)
    equal("info", (info.id, info.sha, len(info.siblings)), (repo, meta.commit_hash, len(sources)))
    equal("expand", API.dataset_info(repo, expand=["sha", "lastModified"]).sha, info.sha)


def commits():
    repo = "lab/first"
    head = API.dataset_info(repo).sha
    change = [CommitOperationCopy("disk.bin", "copy.bin"), CommitOperationCopy("a/text.txt", "copy.txt"), CommitOperationDelete("a/"), CommitOperationAdd("a2/new.txt", b"new")]
    made = API.create_commit(repo, change, commit_message="all at once", commit_description="and why", repo_type="dataset", parent_commit=head)
    refused("stale", 412, HfHubHTTPError, API.create_commit, repo, [CommitOperationAdd("x", b"x")], commit_message="x", repo_type="dataset", parent_commit=head)
    check(content(repo, "copy.bin") == LARGE and content(repo, "copy.txt") == b"some text")
    check(not API.file_exists(repo, "a/text.txt", repo_type="dataset"))
    check(content(repo, "a/text.txt", revision=head) == b"some text")
    history = API.list_repo_commits(repo, repo_type="dataset")
    equal("history", (history[0].commit_id, history[0].title, history[0].message), (made.oid, "all at once", "and why"))
    equal("first", (len(history), history[-1].title), (7, "initial commit"))
    API.delete_file("copy.txt", repo, repo_type="dataset")
    API.create_branch(repo, branch="feat/x", repo_type="dataset", revision=head)
    refused("branch again", 409, HfHubHTTPError, API.create_branch, repo, branch="feat/x", repo_type="dataset")
    API.create_branch(repo, branch="feat/x", repo_type="dataset", exist_ok=True)
    API.upload_file(path_or_fileobj=b"branch", path_in_repo="a/text.txt", repo_id=repo, repo_type="dataset", revision="feat/x")
    check(content(repo, "a/text.txt", revision="feat/x") == b"branch")
    API.create_tag(repo, tag="v3.0", tag_message="good", repo_type="dataset")
    refused("tag again", 409, HfHubHTTPError, API.create_tag, repo, tag="v3.0", repo_type="dataset")
    refs = API.list_repo_refs(repo, repo_type="dataset")
    equal("refs", ([ref.name for ref in refs.branches], [ref.ref for ref in refs.tags]), (["feat/x", "main"], ["refs/tags/v3.0"]))
    API.delete_tag(repo, tag="v3.0", repo_type="dataset")
    refused("untag again", 404, RevisionNotFoundError, API.delete_tag, repo, tag="v3.0", repo_type="dataset")
    API.delete_branch(repo, branch="feat/x", repo_type="dataset")
    check(not API.revision_exists(repo, "feat/x", repo_type="dataset"))


def requests():
    """What is asked to be taken over stands beside what is there."""
    repo = "lab/asked"
    API.create_repo(repo, repo_type="dataset")
    API.upload_file(path_or_fileobj=b"old", path_in_repo="a.txt", repo_id=repo, repo_type="dataset")
    upload = {"repo_id": repo, "repo_type": "dataset", "commit_message": "Look at this"}
    made = API.upload_file(path_or_fileobj=b"new", path_in_repo="a.txt", create_pr=True, **upload)
    url = str(getattr(made, "pr_url", made))
    check(f"{ENDPOINT}/datasets/{repo}" in url and "1" in url, url)
    refs = API.list_repo_refs(repo, repo_type="dataset", include_pull_requests=True)
    equal("refs", [ref.ref for ref in refs.pull_requests], ["refs/pr/1"])
    equal("beside", [content(repo, "a.txt"), content(repo, "a.txt", revision="refs/pr/1")], [b"old", b"new"])
    API.upload_file(path_or_fileobj=LARGE, path_in_repo="large.bin", revision="refs/pr/1", **upload)
    check(content(repo, "large.bin", revision="refs/pr/1") == LARGE)
    check(not API.file_exists(repo, "large.bin", repo_type="dataset"))
    head = API.dataset_info(repo).sha
    more = API.create_commit(repo, [CommitOperationAdd("b.txt", b"b")], commit_message="And this", repo_type="dataset", parent_commit=head, create_pr=True)
    equal("its number", (more.pr_num, more.pr_revision), (2, "refs/pr/2"))
    equal("main", API.dataset_info(repo).sha, head)
    found = [(one.num, one.title, one.author, one.status, one.is_pull_request) for one in API.get_repo_discussions(repo, repo_type="dataset")]
    equal("asked", found, [(2, "And this", "writer", "open", True), (1, "Look at this", "writer", "open", True)])
    refused("no such one", 404, RevisionNotFoundError, API.dataset_info, repo, revision="refs/pr/3")


def folders():
    """Many files, small and large, again and changed."""
    repo = "lab/folder"
    API.create_repo(repo, repo_type="dataset")
    folder = FOLDER / "many"
    want = {f"data/{i % 7}/{i}.txt": f"number {i}".encode() for i in range(1100)}
    want |= {"video/a.mp4": LARGE, "video/b.mp4": FLOATS, "video/c.mp4": LARGE[:1_000_000] + b"!" + LARGE[1_000_000:], "README.md": b"---\nlicense: mit\n---\n# Many\n"}

    def same(root):
        found = {str(path.relative_to(root)): path.read_bytes() for path in root.rglob("*") if path.is_file() and ".cache" not in path.parts}
        check(found == want, "what came back", set(found) ^ set(want))

    for path, bytes_ in want.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(bytes_)
    upload = {"repo_id": repo, "folder_path": folder, "repo_type": "dataset"}
    API.upload_folder(**upload)
    same(Path(snapshot_download(repo, repo_type="dataset", token=READER)))
    commits = len(API.list_repo_commits(repo, repo_type="dataset"))
    API.upload_folder(**upload)
    equal("nothing new", len(API.list_repo_commits(repo, repo_type="dataset")), commits)
    equal("listed over pages", len(API.list_repo_files(repo, repo_type="dataset")), len(want))
    check(len(list(itertools.islice(API.list_repo_tree(repo, repo_type="dataset", recursive=True, expand=True), 250))) == 250)
    API.create_tag(repo, tag="before", repo_type="dataset")
    (folder / "data/0/0.txt").unlink()
    API.upload_folder(**upload, delete_patterns="*.txt")
    del want["data/0/0.txt"]
    API.delete_folder("data/1", repo, repo_type="dataset")
    want = {path: bytes_ for path, bytes_ in want.items() if not path.startswith("data/1/")}
    same(Path(snapshot_download(repo, repo_type="dataset", local_dir=FOLDER / "local")))
    only = Path(snapshot_download(repo, repo_type="dataset", revision="before", allow_patterns="data/0/*"))
    check((only / "data/0/0.txt").read_bytes() == b"number 0")
    if "upload_large_folder" in dir(API):
        API.create_repo("lab/slow", repo_type="dataset")
        API.upload_large_folder(repo_id="lab/slow", folder_path=folder, repo_type="dataset", num_workers=2, print_report=False)
        names = {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file() and ".cache" not in path.parts}
        equal("large folder", set(API.list_repo_files("lab/slow", repo_type="dataset")), names)


def broken_off():
    """A download that is cut goes on where it was."""
    long = DICE.randbytes(24_000_000)
    (FOLDER / "long.bin").write_bytes(long)
    API.upload_file(path_or_fileobj=FOLDER / "long.bin", path_in_repo="long.bin", repo_id="lab/first", repo_type="dataset")
    # It writes down ten million bytes at a time, and begins again where less has come.
    with Cutting(ENDPOINT, after=13_000_000) as cutting:
        for _ in range(5):
            try:
                got = content("lab/first", "long.bin", endpoint=cutting.url, cache_dir=FOLDER / "cut")
                break
            except Exception as error:
                print(f"cut: {type(error).__name__}", file=sys.stderr)
        check(got == long, "resumed")
        equal("cut", cutting.cuts, 1)
        check(any(first >= 10_000_000 for first in cutting.ranges), "asked for the rest", cutting.ranges)


def filesystem():
    fs = HfFileSystem(token=WRITER)
    root = "datasets/lab/first"
    check(f"{root}/disk.bin" in fs.ls(root, detail=False))
    equal("size", fs.info(f"{root}/disk.bin")["size"], len(LARGE))
    with fs.open(f"{root}/disk.bin", "rb", block_size=65536) as file:
        for place in (0, 5_000_000, 123_456, len(LARGE) - 10):
            file.seek(place)
            check(file.read(1000) == LARGE[place : place + 1000], "part", place)
    equal("part", fs.cat_file(f"{root}/disk.bin", start=-5), LARGE[-5:])
    with fs.open(f"{root}/fs/new.txt", "wb") as file:
        file.write(b"through the file system")
    fs.invalidate_cache()
    equal("written", fs.cat_file(f"{root}/fs/new.txt"), b"through the file system")
    check(fs.glob(f"{root}/fs/*") == [f"{root}/fs/new.txt"] and fs.isdir(f"{root}/fs"))
    fs.rm(f"{root}/fs", recursive=True)
    fs.invalidate_cache()
    check(not fs.exists(f"{root}/fs/new.txt"))


def card():
    # Before 2.x the check goes to the public Hub whatever HF_ENDPOINT says.
    if int(VERSION.split(".")[0]) < 2:
        return
    card = huggingface_hub.DatasetCard("---\nlicense: mit\ntags:\n- robotics\n---\n# A card\n")
    card.push_to_hub("lab/first", token=WRITER)
    equal("card", huggingface_hub.DatasetCard.load("lab/first", token=READER).data.license, "mit")
    info = API.dataset_info("lab/first")
    check("license:mit" in info.tags and "robotics" in info.tags and info.card_data.license == "mit", info.tags)


for part in (repositories, rights, files, commits, requests, folders, broken_off, filesystem, card):
    part()
    print(part.__name__, CHECKS.count, file=sys.stderr)
CHECKS.done("huggingface_hub", VERSION)
