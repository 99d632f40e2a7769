"""The library datasets against a hub, whose address is in HF_ENDPOINT: pushed, loaded, streamed."""

import json
import sys
from importlib.metadata import version

from hands import Checks

try:
    import datasets
except ImportError:
    print(json.dumps({"skipped": f"{sys.executable} has no datasets"}))
    sys.exit(0)

CHECKS = Checks()
ROWS = 3000


def row(index):
    return {"index": index, "text": f"row {index}", "vector": [index * 0.5, -index]}


made = datasets.Dataset.from_list([row(index) for index in range(ROWS)])
made.push_to_hub("lab/table", max_shard_size="50KB")
CHECKS.holds(len(datasets.get_dataset_split_names("lab/table")) == 1, "splits")
whole = datasets.load_dataset("lab/table", split="train")
CHECKS.holds(whole.to_list() == made.to_list(), "whole")
streamed = list(datasets.load_dataset("lab/table", split="train", streaming=True))
CHECKS.holds(streamed == made.to_list(), "streamed")
made.select(range(10)).push_to_hub("lab/table", split="test")
test = datasets.load_dataset("lab/table", split="test", streaming=True)
CHECKS.holds([item["index"] for item in test] == list(range(10)), "second split")
CHECKS.done("datasets", version("datasets"))
