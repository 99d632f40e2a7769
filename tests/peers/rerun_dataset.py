"""Rerun's own reader of LeRobot datasets against one of ours.

    rerun_dataset.py ROOT
"""

import json
import pathlib
import sys
from importlib.metadata import version

from hands import Checks

CHECKS = Checks()
# What Rerun 0.41 shows of each kind of feature; whole numbers and flags it leaves out with a warning.
SHOWN = {
    "video": "VideoStream:sample",
    "image": "EncodedImage:blob",
    "string": "TextDocument:text",
    "float32": "Scalars:scalars",
}


def rows_of(chunks, path, component):
    """How many times something was logged under a path."""
    found = [chunk.to_record_batch() for chunk in chunks if chunk.entity_path == path]
    return [row for batch in found if component in batch.schema.names for row in batch.column(component).to_pylist()]


def main():
    try:
        from rerun.experimental import LeRobotReader
    except ImportError as missing:
        print(json.dumps({"skipped": f"rerun-sdk is not there: {missing}"}))
        return
    root = pathlib.Path(sys.argv[1])
    said = json.loads((root / "meta/info.json").read_text())
    reader = LeRobotReader(str(root))
    CHECKS.equal("version", reader.version, "v3")
    CHECKS.equal("episodes", len(reader.episodes()), said["total_episodes"])
    frames = {}
    for episode in reader.episodes():
        chunks = list(reader.stream(episode))
        tasks = rows_of(chunks, "/task", "TextDocument:text")
        CHECKS.holds(len(tasks) > 0, "tasks of", episode)
        for key, feature in said["features"].items():
            component = SHOWN.get(feature["dtype"])
            if component is None or key == "timestamp":
                continue
            rows = rows_of(chunks, "/" + key, component)
            CHECKS.equal(f"{key} of episode {episode}", len(rows), len(tasks))
            frames[key] = frames.get(key, 0) + len(rows)
            if component == "Scalars:scalars":
                CHECKS.equal(f"numbers of {key}", {len(row) for row in rows}, {feature["shape"][0]})
    CHECKS.equal("frames", set(frames.values()), {said["total_frames"]})
    CHECKS.done("rerun", version("rerun-sdk"))


main()
