"""A dataset that was exported for Rerun, in the hands of Rerun's own reader: every row, every
picture.

    rerun_recording.py FILE.rrd ROOT
"""

import json
import pathlib
import sys
from importlib.metadata import version

import av
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from hands import Checks
from rerun_arm import JOINTS, check_arm
from rerun_rows import Rows, reader_of

CHECKS = Checks()
# Columns that number the rows.
NUMBERS = {"timestamp", "frame_index", "episode_index", "index", "task_index"}
SINGLES = {"observation.state": "observation", "action": "action"}


def table(root, folder):
    files = sorted((root / folder).glob("**/*.parquet"))
    return pa.concat_tables([pq.read_table(file) for file in files], promote_options="default")


def decoded(codec, samples):
    """The pictures of a stream of samples, none of which came from a file."""
    context = av.CodecContext.create("libdav1d" if codec == "av1" else codec, "r")
    frames = []
    for sample in samples:
        frames += context.decode(av.Packet(bytes(sample)))
    frames += context.decode(None)
    return [frame.to_ndarray(format="yuv420p") for frame in frames]


def pictures(path, start, count, fps):
    """The pictures of a part of a video file."""
    with av.open(str(path)) as file:
        wanted = [
            frame.to_ndarray(format="yuv420p")
            for frame in file.decode(video=0)
            if start - 0.5 / fps < frame.time < start + (count - 0.5) / fps
        ]
    return wanted


def numbers(value):
    """A cell as a flat list of numbers."""
    return [float(number) for number in np.ravel(np.asarray(value, dtype=np.float64))]


def joint_names(feature):
    names = feature["names"]
    return names if isinstance(names, list) else None


def check_rows(recording, episode, rows, features):
    times = [round(time * 1e9) for time in rows.column("timestamp").to_pylist()]
    for key, feature in features.items():
        if key in NUMBERS or feature["dtype"] in ("video", "image"):
            continue
        what = f"{key} of episode {episode['episode_index']}"
        if feature["dtype"] == "string":
            texts = {frame: text[0] for frame, _, text in recording.rows("/" + key, "TextDocument:text")}
            now = None
            for frame, text in enumerate(rows.column(key).to_pylist()):
                now = texts.get(frame, now)
                CHECKS.equal(f"{what}, frame {frame}", now, text)
            continue
        path = "/state" if key == "observation.state" else "/" + key
        found = recording.rows(path, "Scalars:scalars")
        wanted = [numbers(value) for value in rows.column(key).to_pylist()]
        CHECKS.equal(f"frames of {what}", [row[0] for row in found], list(range(len(wanted))))
        CHECKS.holds(max(abs(row[1] - time) for row, time in zip(found, times)) <= 1, "times of", what)
        CHECKS.holds(np.array_equal([row[2] for row in found], wanted, equal_nan=True), "values of", what)
        names = joint_names(feature)
        if names and key in SINGLES:
            CHECKS.equal(f"names of {what}", recording.static(path, "SeriesLines:names"), names)
            for at, name in enumerate(names):
                single = recording.rows(f"/{SINGLES[key]}.{name}", "Scalars:scalars")
                CHECKS.equal(f"{name} in {what}", [row[2] for row in single], [[row[at]] for row in wanted])


def check_arms(recording, rows, said):
    """Where a dataset's values are an arm's, every frame has its poses."""
    names = [f"{joint}.pos" for joint in JOINTS]
    for key, role in [("observation.state", "state"), ("action", "action")]:
        known = names == said["features"][key]["names"]
        if not known or not said["robot_type"].startswith("so"):
            CHECKS.equal("arms", recording.rows(f"/arm/{role}/gripper", "Transform3D:translation"), [])
            continue
        values = dict(enumerate(numbers(value) for value in rows.column(key).to_pylist()))
        CHECKS.equal(f"poses of {role}", check_arm(CHECKS, recording, role, values), len(rows))


def check_cameras(recording, episode, rows, features, root, said):
    count = len(rows)
    for key, feature in features.items():
        what = f"{key} of episode {episode['episode_index']}"
        if feature["dtype"] == "image":
            found = recording.rows("/" + key, "EncodedImage:blob")
            files = [cell["bytes"] for cell in rows.column(key).to_pylist()]
            CHECKS.equal(f"pictures of {what}", [bytes(row[2][0]) for row in found], files)
        elif feature["dtype"] == "video":
            found = recording.rows("/" + key, "VideoStream:sample")
            CHECKS.equal(f"samples of {what}", [row[0] for row in found], list(range(count)))
            codec = recording.static("/" + key, "VideoStream:codec")[0].to_bytes(4, "big")
            codec = {b"av01": "av1", b"avc1": "h264"}[codec]
            CHECKS.equal(f"codec of {what}", codec, feature["info"]["video.codec"])
            column = lambda name: episode[f"videos/{key}/{name}"]
            path = said["video_path"].format(
                video_key=key, chunk_index=column("chunk_index"), file_index=column("file_index")
            )
            ours = decoded(codec, [row[2][0] for row in found])
            theirs = pictures(root / path, column("from_timestamp"), count, said["fps"])
            CHECKS.equal(f"pictures of {what}", len(ours), count)
            CHECKS.holds(all(map(np.array_equal, ours, theirs)) and len(theirs) == count, "pixels of", what)


def main():
    root = pathlib.Path(sys.argv[2])
    said = json.loads((root / "meta/info.json").read_text())
    reader = reader_of(sys.argv[1], CHECKS)
    CHECKS.equal("layouts", len(reader.blueprints()), 1)
    stores = {store.recording_id: store for store in reader.recordings()}
    episodes = table(root, "meta/episodes").to_pylist()
    CHECKS.equal("recordings", set(stores), {f"episode_{row['episode_index']}" for row in episodes})
    data = table(root, "data")
    tasks = {row["task_index"]: row for row in pq.read_table(root / "meta/tasks.parquet").to_pylist()}
    for episode in episodes:
        recording = Rows(reader.stream(store=stores[f"episode_{episode['episode_index']}"]))
        first, length = episode["dataset_from_index"], episode["length"]
        rows = data.slice(first, length)
        shown = [row[2][0] for row in recording.rows("/task", "TextDocument:text")]
        of = lambda row: row.get("task", row.get("__index_level_0__"))
        wanted = [of(tasks[index]) for index in rows.column("task_index").to_pylist()]
        CHECKS.equal("tasks", shown, [task for at, task in enumerate(wanted) if at == 0 or wanted[at - 1] != task])
        check_rows(recording, episode, rows, said["features"])
        check_arms(recording, rows, said)
        check_cameras(recording, episode, rows, said["features"], root, said)
    CHECKS.done("rerun", version("rerun-sdk"))


main()
