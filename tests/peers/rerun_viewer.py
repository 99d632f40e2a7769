"""A viewer without a window: python rerun_viewer.py PORT takes whatever is shown until it is killed, and
answers every line that it still listens."""

import json
import sys
from importlib.metadata import version

import rerun

rerun.init("viewer")
rerun.serve_grpc(grpc_port=int(sys.argv[1]))
for _ in sys.stdin:
    print(json.dumps({"checks": 1, "rerun": version("rerun-sdk")}), flush=True)
