"""LeRobot, pyarrow, pandas, datasets and PyAV against datasets of ours.

    lerobot_dataset.py read ROOT EPISODES      everything opens, and holds what was recorded
    lerobot_dataset.py resume ROOT             LeRobot records one more episode into it
    lerobot_dataset.py create ROOT EPISODES    LeRobot records a dataset of the same kind
    lerobot_dataset.py open                    opens each dataset that a line names: EPISODES ROOT

What was recorded follows from the numbers of episode and frame: `frame_of` here and in datasets.rs.
"""

import pathlib
import sys
from importlib.metadata import version

import numpy as np
from hands import Checks

CHECKS = Checks()
check = CHECKS.holds
FPS = 30
SIDE = 64
CAMERAS = ("observation.images.front", "observation.images.side")
NAMES = ["pan.pos", "lift.pos"]


def length_of(episode):
    return 20 + 3 * episode


def picture(seed):
    """A gradient that moves: smooth, as the codec's loss is measured against it."""
    y, x = np.mgrid[0:SIDE, 0:SIDE]
    planes = [(x * 3 + seed) % 256, (y * 3) % 256, (x + y + seed) % 256]
    return np.stack(planes, -1).astype(np.uint8)


def frame_of(episode, frame):
    value = np.float32(frame) / np.float32(8) + np.float32(episode)
    return {
        "observation.state": np.array([value, -value], dtype=np.float32),
        "action": np.array([value * 2, value], dtype=np.float32),
        "count": np.array([frame * 1_000_000_007], dtype=np.int64),
        "done": np.array([frame % 3 == 0]),
        "note": f"frame {frame}, ü",
        CAMERAS[0]: picture(frame),
        CAMERAS[1]: picture(episode * 7 + frame),
        "task": "reach" if frame < 5 else f"grasp {episode % 2}",
    }


def features():
    vector = {"dtype": "float32", "shape": (2,), "names": NAMES}
    image = {"shape": (SIDE, SIDE, 3), "names": ["height", "width", "channels"]}
    return {
        "observation.state": dict(vector),
        "action": dict(vector),
        "count": {"dtype": "int64", "shape": (1,), "names": None},
        "done": {"dtype": "bool", "shape": (1,), "names": None},
        "note": {"dtype": "string", "shape": (1,), "names": None},
        CAMERAS[0]: {"dtype": "video", **image},
        CAMERAS[1]: {"dtype": "image", **image},
    }


def record(dataset, episodes):
    for episode in episodes:
        for frame in range(length_of(episode)):
            dataset.add_frame(frame_of(episode, frame))
        dataset.save_episode()
    dataset.finalize()


def every_frame(dataset, episodes):
    index = 0
    for episode in range(episodes):
        for frame in range(length_of(episode)):
            item, pushed = dataset[index], frame_of(episode, frame)
            check(item["index"] == index and item["frame_index"] == frame, index)
            check(item["episode_index"] == episode and item["task"] == pushed["task"], index)
            check(abs(item["timestamp"].item() - frame / FPS) < 1e-6, index)
            for key in ("observation.state", "action"):
                check(np.array_equal(item[key].numpy(), pushed[key]), key, index)
            check(item["count"].item() == pushed["count"][0], "count", index)
            check(bool(item["done"]) == bool(pushed["done"][0]), "done", index)
            check(item["note"] == pushed["note"], "note", index)
            side = (item[CAMERAS[1]].numpy().transpose(1, 2, 0) * 255).round()
            check(np.array_equal(side, pushed[CAMERAS[1]]), "side", index)
            front = item[CAMERAS[0]].numpy().transpose(1, 2, 0) * 255
            error = np.abs(front - pushed[CAMERAS[0]]).mean()
            check(error < 8, "front", index, error)
            index += 1
    check(len(dataset) == index, len(dataset), index)


def deltas(root):
    from lerobot.datasets.lerobot_dataset import LeRobotDataset

    wanted = {"action": [i / FPS for i in range(10)], CAMERAS[0]: [-1 / FPS, 0.0]}
    dataset = LeRobotDataset("peer/set", root=root, delta_timestamps=wanted, video_backend="pyav")
    last = length_of(0) - 1
    item = dataset[last]
    check(item["action"].shape == (10, 2) and item["action_is_pad"].tolist() == [False] + [True] * 9)
    check(item[CAMERAS[0]].shape == (2, 3, SIDE, SIDE), item[CAMERAS[0]].shape)


def statistics(dataset, episodes):
    """Ours against LeRobot's arithmetic on what was recorded."""
    import pyarrow.parquet as pq
    from lerobot.datasets.compute_stats import get_feature_stats

    tables = sorted((pathlib.Path(dataset.root) / "meta/episodes").glob("*/*.parquet"))
    rows = [row for table in tables for row in pq.read_table(table).to_pylist()]
    check(len(rows) == episodes, "episodes in the tables", len(rows))
    for episode, row in enumerate(rows):
        frames = [frame_of(episode, frame) for frame in range(length_of(episode))]
        for key in ("observation.state", "action", "count"):
            column = np.stack([frame[key] for frame in frames])
            column = column.reshape(-1) if column.shape[1] == 1 else column
            theirs = get_feature_stats(column, axis=0, keepdims=column.ndim == 1)
            for name, value in theirs.items():
                ours = np.array(row[f"stats/{key}/{name}"])
                scale = np.maximum(1, np.abs(value))
                check(np.all(np.abs(ours - value) <= 1e-6 * scale), key, name, ours, value)
        for key in CAMERAS:
            # LeRobot's own episodes in this dataset carry its 32-bit sums; see ROUNDED_OFF.
            images = np.stack([frame[key] for frame in frames]).astype(np.float64) / 255
            theirs = {"min": images.min((0, 1, 2)), "max": images.max((0, 1, 2)), "mean": images.mean((0, 1, 2)), "std": images.std((0, 1, 2))}
            for name, value in theirs.items():
                ours = np.array(row[f"stats/{key}/{name}"]).reshape(-1)
                check(np.all(np.abs(ours - value) <= ROUNDED_OFF), key, name, ours, value)
            for name, share in (("q01", 1), ("q10", 10), ("q50", 50), ("q90", 90), ("q99", 99)):
                ours = np.array(row[f"stats/{key}/{name}"]).reshape(-1)
                value = np.percentile(images, share, axis=(0, 1, 2))
                check(np.all(np.abs(ours - value) <= 0.01), key, name, ours, value)


# LeRobot adds a hundred images in 32-bit floats and loses the last digits.
ROUNDED_OFF = 2e-3


def other_readers(root, episodes):
    import av
    import datasets
    import pandas
    import pyarrow.parquet as pq

    frames = sum(length_of(episode) for episode in range(episodes))
    files = sorted(map(str, (root / "data").glob("*/*.parquet")))
    check(sum(pq.read_table(file).num_rows for file in files) == frames, "pyarrow")
    check(sum(len(pandas.read_parquet(file)) for file in files) == frames, "pandas")
    tasks = pandas.read_parquet(root / "meta/tasks.parquet")
    check(tasks.index.name == "task" and "reach" in tasks.index, "tasks", tasks)
    loaded = datasets.load_dataset("parquet", data_files=files, split="train", cache_dir=str(root.parent / "cache"))
    check(len(loaded) == frames and type(loaded.features[CAMERAS[1]]).__name__ == "Image", loaded.features)
    counted = 0
    for file in sorted((root / "videos" / CAMERAS[0]).glob("*/*.mp4")):
        with av.open(str(file)) as video:
            stream = video.streams.video[0]
            times = [float(frame.pts * stream.time_base) for frame in video.decode(stream)]
        check(np.allclose(times, np.arange(len(times)) / FPS, atol=1e-9), file, times[:4])
        counted += len(times)
    check(counted == frames, "video frames", counted, frames)


def open_each(lines):
    from lerobot.datasets.lerobot_dataset import LeRobotDataset

    for line in lines:
        episodes, root = line.rstrip("\n").split(" ", 1)
        dataset = LeRobotDataset("peer/set", root=pathlib.Path(root), video_backend="pyav")
        last = len(dataset) - 1
        check(dataset.meta.total_episodes == int(episodes), line, dataset.meta.total_episodes)
        check(dataset[last]["index"] == last, line)
        CHECKS.done("lerobot", version("lerobot"))
        sys.stdout.flush()


def main():
    from lerobot.datasets.lerobot_dataset import LeRobotDataset

    if sys.argv[1] == "open":
        return open_each(sys.stdin)
    what, root = sys.argv[1], pathlib.Path(sys.argv[2])
    episodes = int(sys.argv[3])
    if what == "read":
        dataset = LeRobotDataset("peer/set", root=root, video_backend="pyav")
        check(dataset.meta.total_episodes == episodes, dataset.meta.total_episodes)
        every_frame(dataset, episodes)
        deltas(root)
        statistics(dataset, episodes)
        other_readers(root, episodes)
    elif what == "resume":
        dataset = LeRobotDataset.resume("peer/set", root=root, video_backend="pyav")
        record(dataset, [episodes])
        check(dataset.meta.total_episodes == episodes + 1)
    elif what == "create":
        dataset = LeRobotDataset.create("peer/set", fps=FPS, features=features(), root=root, robot_type="so_follower", video_backend="pyav")
        record(dataset, range(episodes))
        check(dataset.meta.total_episodes == episodes)
    CHECKS.done("lerobot", version("lerobot"))


if __name__ == "__main__":
    main()
