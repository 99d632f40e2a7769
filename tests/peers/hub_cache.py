"""The official client and ours, on one machine with one cache:

    hub_cache.py SINEW FOLDER

HF_ENDPOINT says where the hub is, HF_TOKEN is a token of it that may write. What either fetched the
other finds, without a network; so it is with tokens, and with a folder of the user's own. Works with
huggingface_hub 0.36, 1.x and 2.x.
"""

import json
import os
import random
import shutil
import subprocess
import sys
from pathlib import Path

import huggingface_hub
from filelock import FileLock
from hands import Checks
from huggingface_hub import HfApi, hf_hub_download, scan_cache_dir, snapshot_download, try_to_load_from_cache
from huggingface_hub.errors import EntryNotFoundError

SINEW, FOLDER = sys.argv[1], Path(sys.argv[2])
TOKEN = os.environ["HF_TOKEN"]
VERSION = huggingface_hub.__version__
CHECKS = Checks()
check, equal = CHECKS.holds, CHECKS.equal
API = HfApi(token=TOKEN)
REPO, KIND = "writer/shared", "dataset"
FOLDER_NAME = "datasets--writer--shared"
DICE = random.Random(5)
FILES = {
    "README.md": b"---\nlicense: mit\n---\n# Shared\n",
    "meta/info.json": b"{}",
    "data/chunk-000/file-000.parquet": DICE.randbytes(5_000_000),
    "data/chunk-000/the same.parquet": b"",
    "Ünïcode/a b+c%20.txt": "Straße".encode(),
    "empty.txt": b"",
}
FILES["data/chunk-000/the same.parquet"] = FILES["data/chunk-000/file-000.parquet"]


def sinew(home, *words, more=None, code=0, text=""):
    """Our client, on a machine whose home for the Hub's files is `home`."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("HF_")}
    environment |= {"HF_ENDPOINT": os.environ["HF_ENDPOINT"], "HF_HOME": str(home), "HF_LEROBOT_HOME": str(home / "lerobot")}
    environment |= {"HF_TOKEN": TOKEN} if more is None else more
    run = subprocess.run([SINEW, "--json", *map(str, words)], env=environment, input=text, capture_output=True, text=True)
    equal(f"sinew {words}: {run.stdout}{run.stderr}", run.returncode, code)
    check(TOKEN not in run.stdout + run.stderr, "the token is told")
    return json.loads(run.stdout.splitlines()[-1])


def pull(home, *words, **more):
    return sinew(home, "hub", "pull", REPO, *words, **more)


OFFLINE = {"HF_HUB_OFFLINE": "1"}


def whole(folder, files=FILES):
    for path, content in files.items():
        equal(path, (Path(folder) / path).read_bytes(), content)


def fingerprints(folder):
    """What tells whether a file was written anew."""
    files = (path for path in Path(folder).rglob("*") if path.is_file() and not path.is_symlink())
    return {str(path): (path.stat().st_ino, path.stat().st_mtime_ns) for path in files if path.suffix not in (".lock", ".metadata")}


def damage(cache):
    """What the client finds wrong; old ones take the newer ones' tag for a repository."""
    return [str(warning) for warning in scan_cache_dir(cache).warnings if "CACHEDIR.TAG" not in str(warning)]


def ours_is_theirs():
    home = FOLDER / "ours"
    pulled = pull(home)
    commit, folder, cache = pulled["commit"], pulled["path"], home / "hub"
    whole(folder)
    found = snapshot_download(REPO, repo_type=KIND, cache_dir=cache, local_files_only=True, revision="v3.0")
    equal("the folder", Path(found).resolve(), Path(folder).resolve())
    equal("by its commit", Path(snapshot_download(REPO, repo_type=KIND, cache_dir=cache, local_files_only=True, revision=commit)).resolve(), Path(folder).resolve())
    for path, content in FILES.items():
        one = try_to_load_from_cache(REPO, path, cache_dir=cache, repo_type=KIND, revision="v3.0")
        equal(path, Path(one).read_bytes(), content)
    equal("corruption", damage(cache), [])
    (repo,) = scan_cache_dir(cache).repos
    equal("what it is", (repo.repo_id, repo.repo_type, [*repo.refs]), (REPO, KIND, ["v3.0"]))
    (revision,) = repo.revisions
    equal("its commit", revision.commit_hash, commit)
    equal("its files", {str(one.file_path.relative_to(folder)) for one in revision.files} - {".gitattributes"}, {*FILES})
    check((cache / "CACHEDIR.TAG").exists())

    before = fingerprints(cache)
    snapshot_download(REPO, repo_type=KIND, cache_dir=cache, revision="v3.0", token=TOKEN)
    after = fingerprints(cache)
    equal("nothing is fetched again", {path: after[path] for path in before if "/refs/" not in path}, {path: at for path, at in before.items() if "/refs/" not in path})
    if hasattr(huggingface_hub, "get_cached_repo_tree"):
        tree = huggingface_hub.get_cached_repo_tree(REPO, repo_type=KIND, revision=commit, cache_dir=cache)
        theirs = {entry.path: (entry.size, entry.blob_id) for entry in API.list_repo_tree(REPO, repo_type=KIND, recursive=True) if hasattr(entry, "size")}
        equal("the list", {entry.path: (entry.size, entry.blob_id) for entry in tree}, theirs)
        from huggingface_hub.errors import IncompleteSnapshotError

        part = FOLDER / "part"
        pull(part, "--meta-only")
        try:
            snapshot_download(REPO, repo_type=KIND, cache_dir=part / "hub", local_files_only=True, revision="v3.0")
            check(False, "a part is taken for all of it")
        except IncompleteSnapshotError:
            check(True)


def theirs_is_ours():
    home = FOLDER / "theirs"
    folder = snapshot_download(REPO, repo_type=KIND, cache_dir=home / "hub", revision="v3.0", token=TOKEN)
    before = fingerprints(home)
    for more in (None, OFFLINE):
        pulled = pull(home, more=more)
        equal("fetched", (pulled["fetched"], Path(pulled["path"]).resolve()), (0, Path(folder).resolve()))
    after = fingerprints(home)
    equal("as it was", {path: after[path] for path in before}, before)

    # One file, of which no list was kept.
    home = FOLDER / "one"
    hf_hub_download(REPO, "meta/info.json", repo_type=KIND, cache_dir=home / "hub", revision="v3.0", token=TOKEN)
    equal("what is there", pull(home, more=OFFLINE)["files"], 1)
    pulled = pull(home)
    equal("the rest", pulled["fetched"] + len(FILES["meta/info.json"]), pulled["bytes"] - len(FILES["data/chunk-000/file-000.parquet"]))
    whole(pulled["path"])
    equal("corruption", damage(home / "hub"), [])


def one_at_a_time():
    home = FOLDER / "locks"
    shutil.copytree(FOLDER / "ours", home, symlinks=True)
    storage = home / "hub/datasets--writer--shared"
    link = next((storage / "snapshots").iterdir()) / "data/chunk-000/file-000.parquet"
    blob = (link.parent / os.readlink(link)).resolve()
    for path in (storage / "snapshots").rglob("*.parquet"):
        path.unlink()
    aside = blob.with_name("aside")
    blob.rename(aside)
    tree = next((storage / "trees").iterdir())
    tree.unlink()
    lock = FileLock(home / f"hub/.locks/datasets--writer--shared/{blob.name}.lock")
    with lock:
        environment = {**os.environ, "HF_HOME": str(home), "HF_LEROBOT_HOME": str(home / "lerobot")}
        running = subprocess.Popen([SINEW, "--json", "hub", "pull", REPO], env=environment, stdout=subprocess.PIPE, text=True)
        while not tree.exists():
            if running.poll() is not None:
                sys.exit("it ended")
        aside.rename(blob)
    out, _ = running.communicate()
    equal("what another fetched meanwhile is not fetched", json.loads(out.splitlines()[-1])["fetched"], 0)


def folders():
    ours = FOLDER / "my folder"
    pull(FOLDER / "ours", "--local-dir", ours)
    whole(ours)
    before = fingerprints(ours)
    snapshot_download(REPO, repo_type=KIND, local_dir=ours, revision="v3.0", token=TOKEN, cache_dir=FOLDER / "unused")
    after = fingerprints(ours)
    equal("as it was", {path: after[path] for path in before}, before)
    theirs = FOLDER / "their folder"
    snapshot_download(REPO, repo_type=KIND, local_dir=theirs, revision="v3.0", token=TOKEN, cache_dir=FOLDER / "unused")
    equal("fetched", pull(FOLDER / "ours", "--local-dir", theirs)["fetched"], 0)


def lacking():
    """What a repository does not have is known to both once either has looked."""
    absent = lambda home, path: try_to_load_from_cache(REPO, path, cache_dir=home / "hub", repo_type=KIND, revision="v3.0") is huggingface_hub._CACHED_NO_EXIST
    ours = FOLDER / "ours lack"
    for path in ("nope.json", "meta/nope.json"):
        pull(ours, "--file", path, code=4)
        check(absent(ours, path), path)
    check(not absent(ours, "meta/info.json"))
    theirs = FOLDER / "theirs lack"
    for path in ("nope.json", "meta/nope.json"):
        try:
            hf_hub_download(REPO, path, repo_type=KIND, cache_dir=theirs / "hub", revision="v3.0", token=TOKEN)
            check(False, path, "is there")
        except EntryNotFoundError:
            check(absent(theirs, path), path)
        pull(theirs, "--file", path, "--revision", "v3.0", more=OFFLINE, code=4)
        pull(theirs, "--file", path, "--revision", "v3.0", more={"HF_ENDPOINT": "http://127.0.0.1:9", **OFFLINE}, code=4)
    (commit,) = {path.name for path in (theirs / "hub" / FOLDER_NAME / ".no_exist").iterdir()}
    # At a commit nobody is asked, even where a server may be.
    pull(theirs, "--file", "nope.json", "--revision", commit, more={"HF_ENDPOINT": "http://127.0.0.1:9"}, code=4)


def without_links():
    """On a disk that has no links, or as if it had none, the files lie in the snapshot."""
    home = FOLDER / "no links"
    program = f"from huggingface_hub import snapshot_download as s; print(s({REPO!r}, repo_type={KIND!r}, cache_dir={str(home / 'hub')!r}, revision='v3.0'))"
    run = subprocess.run([sys.executable, "-c", program], env={**os.environ, "HF_HUB_DISABLE_SYMLINKS": "1"}, capture_output=True, text=True, check=True)
    folder = Path(run.stdout.strip())
    pulled = pull(home)
    equal("fetched", (pulled["fetched"], Path(pulled["path"]).resolve()), (0, folder.resolve()))
    whole(folder)


def tokens():
    home = FOLDER / "logins"
    client = lambda program: subprocess.run(
        [sys.executable, "-c", f"import huggingface_hub as hub; {program}"],
        env={"PATH": os.environ["PATH"], "HF_HOME": str(home), "HF_ENDPOINT": os.environ["HF_ENDPOINT"]},
        capture_output=True, text=True, check=True,
    ).stdout.strip()
    equal("who", sinew(home, "hub", "login", more={}, text=f"{TOKEN}\n")["name"], "writer")
    equal("their token", client("print(hub.get_token())"), TOKEN)
    stored = "from huggingface_hub.utils._auth import get_stored_tokens as s; print([*s().values()])"
    equal("their list", client(stored), str([TOKEN]))
    equal("who", client("print(hub.whoami()['name'])"), "writer")
    sinew(home, "hub", "logout", more={})
    equal("nobody", client("print(hub.get_token())"), "None")
    client(f"hub.login('{TOKEN}')")
    equal("who", sinew(home, "hub", "whoami", more={})["name"], "writer")
    client("hub.logout()")
    sinew(home, "hub", "whoami", more={}, code=5)


for path, content in FILES.items():
    place = FOLDER / "files" / path
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_bytes(content)
API.create_repo(REPO, repo_type=KIND, private=True)
API.upload_folder(repo_id=REPO, repo_type=KIND, folder_path=FOLDER / "files")
API.create_tag(REPO, tag="v3.0", repo_type=KIND)
for part in (ours_is_theirs, theirs_is_ours, one_at_a_time, folders, lacking, without_links, tokens):
    part()
CHECKS.done("huggingface_hub", VERSION)
