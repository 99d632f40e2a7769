"""What the official clients ask of a hub, and what they read out of its answers.

    make.py SINEW PYTHON...

Starts `SINEW hub serve`, lets each PYTHON's huggingface_hub do the same few things there, and keeps every
question and answer in VERSION.json; a client that did not like an answer would have ended. The newest one's
source also tells what its classes cannot do without: parsers.json.

Made with huggingface_hub 0.36.2, 1.33.0 and 2.4.0, hf-xet 1.8.0.
"""

import base64
import http.client
import http.server
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import threading

HERE = pathlib.Path(__file__).parent
#: Headers that matter to a hub.
HEADERS = ("authorization", "content-type", "range", "if-none-match")
#: Questions that a hub need not answer.
ASIDE = ("/v1/telemetry", "/api/agent-harnesses")
SCENARIO = r'''
import io, json, os, sys
from huggingface_hub import CommitOperationAdd, CommitOperationDelete, HfApi, hf_hub_download, snapshot_download
import huggingface_hub
api = HfApi()
repo = {"repo_id": "lab/pick", "repo_type": "dataset"}
api.whoami()
api.create_repo(**repo, private=True)
api.create_repo(**repo, exist_ok=True)
folder = sys.argv[1]
open(folder + "/disk.bin", "wb").write(b"".join((i * i).to_bytes(4, "little") for i in range(3000)))
api.upload_file(path_or_fileobj=b"a text", path_in_repo="a/text.txt", **repo)
api.upload_file(path_or_fileobj=folder + "/disk.bin", path_in_repo="disk.bin", **repo)
api.upload_file(path_or_fileobj=io.BytesIO(b"memory" * 500), path_in_repo="memory.bin", **repo)
api.create_commit(operations=[CommitOperationAdd("b", b"b"), CommitOperationDelete("a/")], commit_message="both", parent_commit=api.dataset_info("lab/pick").sha, **repo)
api.dataset_info("lab/pick", files_metadata=True)
list(api.list_repo_tree(**repo, recursive=True, expand=True))
api.get_paths_info(paths=["b", "disk.bin", "nope"], **repo)
api.create_branch(branch="feat/x", **repo)
api.create_tag(tag="v3.0", **repo)
try:
    api.create_tag(tag="v3.0", **repo)
except huggingface_hub.errors.HfHubHTTPError:
    pass
api.list_repo_refs(**repo)
api.list_repo_commits(**repo)
api.delete_tag(tag="v3.0", **repo)
try:
    api.delete_tag(tag="v3.0", **repo)
except huggingface_hub.errors.RevisionNotFoundError:
    pass
api.delete_branch(branch="feat/x", **repo)
api.file_exists(filename="nope", **repo)
hf_hub_download("lab/pick", "disk.bin", repo_type="dataset")
api.update_repo_settings(private=False, **repo)
api.move_repo("lab/pick", "lab/place", repo_type="dataset")
api.delete_repo("lab/place", repo_type="dataset")
api.repo_exists("lab/place", repo_type="dataset")
print(huggingface_hub.__version__)
'''
#: Which keys the classes that read answers take without asking whether they are there.
PARSERS = r'''
import ast, json, inspect
from huggingface_hub import hf_api
wanted = {}
for name in ("RepoFile", "RepoFolder", "DatasetInfo", "ModelInfo"):
    needed = []
    for node in ast.walk(ast.parse(inspect.getsource(getattr(hf_api, name)))):
        pop = isinstance(node, ast.Call) and getattr(node.func, "attr", "") == "pop" and len(node.args) == 1
        if pop and getattr(node.func.value, "id", "") == "kwargs":
            needed.append(node.args[0].value)
        if isinstance(node, ast.Subscript) and isinstance(node.slice, ast.Constant):
            if getattr(node.value, "id", "") in ("lfs", "last_commit", "sibling"):
                needed.append(f"{node.value.id}.{node.slice.value}")
    wanted[name] = sorted(set(needed))
print(json.dumps(wanted))
'''


def text(body):
    try:
        return {"text": body.decode()}
    except UnicodeDecodeError:
        return {"base64": base64.b64encode(body).decode()}


def recorder(there, kept):
    class Recorder(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def answer(self):
            body = self.rfile.read(int(self.headers.get("content-length", 0)))
            far = http.client.HTTPConnection(there)
            far.request(self.command, self.path, body, dict(self.headers))
            reply = far.getresponse()
            answer = reply.read()
            headers = {name: self.headers[name] for name in HEADERS if name in self.headers}
            exchange = {"method": self.command, "path": self.path, "headers": headers, **({"body": text(body)} if body else {}), "status": reply.status}
            if "json" in reply.headers.get("content-type", ""):
                exchange["answer"] = json.loads(answer or b"null")
            if code := reply.headers.get("x-error-code"):
                exchange["code"] = code
            # What they tell about the machine they run on is nobody's business.
            if not self.path.startswith(ASIDE):
                kept.append(exchange)
            self.send_response(reply.status)
            for name, value in reply.headers.items():
                if name.lower() not in ("date", "content-length", "connection"):
                    self.send_header(name, value)
            length = reply.headers.get("content-length", "0") if self.command == "HEAD" else str(len(answer))
            self.send_header("content-length", length)
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(answer)

        do_GET = do_HEAD = do_POST = do_PUT = do_DELETE = answer

        def log_message(self, *_):
            pass

    return Recorder


def record(sinew, python):
    with tempfile.TemporaryDirectory() as folder:
        hub = subprocess.Popen([sinew, "--json", "hub", "serve", folder + "/hub", "--port", "0"], stdout=subprocess.PIPE, text=True)
        try:
            there = json.loads(hub.stdout.readline())["endpoint"].removeprefix("http://")
            kept = []
            server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), recorder(there, kept))
            threading.Thread(target=server.serve_forever, daemon=True).start()
            endpoint = f"http://127.0.0.1:{server.server_port}"
            known = {name: value for name, value in os.environ.items() if not name.startswith("HF_")}
            environment = {**known, "HF_ENDPOINT": endpoint, "HF_HOME": folder + "/home", "HF_TOKEN": "hf_recorded", "HF_HUB_DISABLE_PROGRESS_BARS": "1"}
            done = subprocess.run([python, "-c", SCENARIO, folder], env=environment, capture_output=True, text=True)
            if done.returncode:
                sys.exit(f"{python}: {done.stderr}")
            version = done.stdout.split()[-1]
            lines = json.dumps(kept, indent=1, ensure_ascii=False).replace(endpoint, "http://HUB")
            (HERE / f"{version}.json").write_text(lines + "\n")
            print(version, len(kept), file=sys.stderr)
        finally:
            hub.terminate()


for python in sys.argv[2:]:
    record(sys.argv[1], python)
found = {}
for python in sys.argv[2:]:
    for name, keys in json.loads(subprocess.check_output([python, "-c", PARSERS])).items():
        found[name] = sorted({*found.get(name, []), *keys})
(HERE / "parsers.json").write_text(json.dumps(found, indent=1) + "\n")
