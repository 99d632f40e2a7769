"""Uploads a folder with the official client, and says what that took: push_peer.py URL REPO FOLDER"""

import json
import resource
import sys
import time

import huggingface_hub

url, repo, folder = sys.argv[1:]


def cpu():
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


api = huggingface_hub.HfApi(endpoint=url, token="hf_bench")
# What is imported at first use is imported now.
api.whoami()
wall, before = time.monotonic(), cpu()
api.create_repo(repo, repo_type="dataset", exist_ok=True)
api.upload_folder(repo_id=repo, repo_type="dataset", folder_path=folder)
took = {"wall": time.monotonic() - wall, "cpu": cpu() - before, "version": huggingface_hub.__version__}
files = [file for file in api.list_repo_files(repo, repo_type="dataset") if file != ".gitattributes"]
assert len(files) == 1000, len(files)
print(json.dumps(took))
