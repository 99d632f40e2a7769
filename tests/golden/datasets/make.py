"""Golden datasets, written by the real LeRobot (0.6.1; its version is in made_by.json).

    $SINEW_PEER_PYTHON tests/golden/datasets/make.py tests/golden/datasets

Every folder is a dataset as LeRobot left it; `<name>.expected.json` is what LeRobotDataset returns
for some of its frames. v21_* are the same frames in the older layout, written by lerobot 0.3.3 in an
environment of its own (`make.py FOLDER v21`).
"""

import json
import pathlib
import shutil
import sys

import numpy as np
from lerobot.datasets.lerobot_dataset import LeRobotDataset

OUT = pathlib.Path(sys.argv[1])
OLD = len(sys.argv) > 2 and sys.argv[2] == "v21"

JOINTS = [f"{name}.pos" for name in ("pan", "lift", "elbow", "flex", "roll", "gripper")]


def picture(episode, frame, size=48):
    """A gradient that moves, and a bright square that moves over it."""
    y, x = np.mgrid[0:size, 0:size]
    planes = [(x * 3 + frame) % 256, (y * 3 + episode * 50) % 256, (x + y + frame * 2) % 256]
    image = np.stack(planes, -1).astype(np.uint8)
    left, top = (6 + frame) % (size - 10), (8 + episode * 6) % (size - 10)
    image[top : top + 10, left : left + 10] = [250, 240 - episode * 60, 20]
    return image


def wave(function, episode, frame):
    return (function(0.1 * frame + np.arange(6)) * (1 + episode) * 30).astype(np.float32)


def arm():
    vector = {"dtype": "float32", "shape": (6,), "names": JOINTS}
    return {"observation.state": dict(vector), "action": dict(vector)}


def camera(dtype):
    return {"dtype": dtype, "shape": (48, 48, 3), "names": ["height", "width", "channels"]}


def brief(value):
    """Vectors whole, images as a few pixels times 255."""
    if not hasattr(value, "ndim"):
        return value
    if value.ndim < 3:
        return value.tolist()
    image = value if value.ndim == 3 else value[0]
    spots = ((0, 0), (5, 7), (16, 20), (31, 33), (46, 44))
    return {
        "shape": list(value.shape),
        "pixels": {f"{y},{x}": [round(float(image[c, y, x]) * 255, 3) for c in range(3)] for y, x in spots},
    }


def dump(name, deltas):
    expected = {}
    for tag, delta in (("plain", None), ("delta", deltas)):
        dataset = LeRobotDataset("golden/" + name, root=OUT / name, delta_timestamps=delta, video_backend="pyav")
        spots = sorted({0, 1, len(dataset) // 2, len(dataset) - 1})
        frames = {str(i): {k: brief(v) for k, v in dataset[i].items()} for i in spots}
        expected[tag] = {"deltas": delta, "length": len(dataset), "frames": frames}
    last = dataset.meta.total_episodes - 1
    one = LeRobotDataset("golden/" + name, root=OUT / name, episodes=[last], video_backend="pyav")
    expected["last_episode"] = {"length": len(one), "frame": {k: brief(v) for k, v in one[0].items()}}
    (OUT / f"{name}.expected.json").write_text(json.dumps(expected, indent=1))


def make(name, features, **options):
    root = OUT / name
    shutil.rmtree(root, ignore_errors=True)
    dataset = LeRobotDataset.create("golden/" + name, fps=30, features=features, root=root, robot_type="so101_follower", **options)
    return dataset, root


def record(dataset, frame_of, lengths):
    for episode, length in enumerate(lengths):
        for frame in range(length):
            values = frame_of(episode, frame)
            dataset.add_frame(values, values.pop("task")) if OLD else dataset.add_frame(values)
        dataset.save_episode()
    if hasattr(dataset, "finalize"):
        dataset.finalize()


def simple(key, task):
    def frame_of(episode, frame):
        return {
            "observation.state": wave(np.sin, episode, frame),
            "action": wave(np.cos, episode, frame),
            key: picture(episode, frame),
            "task": task(episode, frame),
        }

    return frame_of


def rich(episode, frame):
    """Every kind of column that LeRobot stores."""
    n = episode * 100 + frame
    return {
        "observation.state": wave(np.sin, episode, frame),
        "action": wave(np.cos, episode, frame),
        "alone": np.array([np.float32(0.1) * n], dtype=np.float32),
        "wide": np.array([n / 7, -n / 3], dtype=np.float64),
        "count": np.array([n * 10**12], dtype=np.int64),
        "small": np.array([n % 7, -(n % 5), 3], dtype=np.int16),
        "done": np.array([frame % 5 == 4]),
        "flags": np.array([frame % 2 == 0, episode == 1]),
        "grid": (np.arange(6).reshape(2, 3) * n / 11).astype(np.float32),
        "note": f"frame {frame} of {episode}, ü",
        "observation.images.left": picture(episode, frame),
        "observation.images.right": picture(episode + 1, frame + 3),
        "task": ["pick the cube", "place the cube", "wait"][(episode + frame // 8) % 3],
    }


RICH = {
    **arm(),
    "alone": {"dtype": "float32", "shape": (1,), "names": None},
    "wide": {"dtype": "float64", "shape": (2,), "names": ["a", "b"]},
    "count": {"dtype": "int64", "shape": (1,), "names": None},
    "small": {"dtype": "int16", "shape": (3,), "names": None},
    "done": {"dtype": "bool", "shape": (1,), "names": None},
    "flags": {"dtype": "bool", "shape": (2,), "names": ["even", "second"]},
    "grid": {"dtype": "float32", "shape": (2, 3), "names": None},
    "note": {"dtype": "string", "shape": (1,), "names": None},
    "observation.images.left": camera("video"),
    "observation.images.right": camera("image"),
}

NEAR = {"observation.state": [-0.1, 0.0], "action": [i / 30 for i in range(4)]}
TASKS = ["pick the cube", "place the cube"]


def long_columns():
    """Statistics of columns long enough that the order of adding shows."""
    from lerobot.datasets.compute_stats import aggregate_stats, compute_episode_stats

    out = {}
    for length in (2, 7, 130, 1000, 5000):
        rng = np.random.default_rng(length)
        vector = (rng.standard_normal((length, 6)) * 50 + 20).astype(np.float32)
        alone = (rng.standard_normal((length, 1)) * 1e-3 + 7).astype(np.float32)
        features = {"v": {"dtype": "float32", "shape": (6,)}, "a": {"dtype": "float32", "shape": (1,)}}
        stats = compute_episode_stats({"v": vector, "a": alone.reshape(-1)}, features)
        flat = {k: {s: np.asarray(x).tolist() for s, x in v.items()} for k, v in stats.items()}
        out[str(length)] = {"v": vector.tolist(), "a": alone.reshape(-1).tolist(), "stats": flat} if length <= 1000 else None
    return {k: v for k, v in out.items() if v}


if OLD:
    for kind in ("video", "image"):
        frame_of = simple("observation.images.top", lambda episode, frame: TASKS[episode])
        features = {**arm(), "observation.images.top": camera(kind)}
        dataset, root = make(f"v21_{kind}", features, use_videos=kind == "video")
        record(dataset, frame_of, (20, 13))
        shutil.rmtree(root / "images", ignore_errors=True)
else:
    import lerobot

    for kind in ("video", "image"):
        frame_of = simple("observation.images.top", lambda episode, frame: TASKS[episode])
        features = {**arm(), "observation.images.top": camera(kind)}
        dataset, _ = make(f"v30_{kind}", features, use_videos=kind == "video")
        record(dataset, frame_of, (20, 13))
        dump(f"v30_{kind}", {**NEAR, "observation.images.top": [-1 / 30, 0.0]})
    # Limits so low that every episode opens new files, and two files make a chunk.
    dataset, _ = make("v30_rich", RICH)
    dataset.meta.update_chunk_settings(chunks_size=2, data_files_size_in_mb=1, video_files_size_in_mb=1)
    dataset.meta.info.data_files_size_in_mb = 1e-6
    dataset.meta.info.video_files_size_in_mb = 1e-6
    record(dataset, rich, (12, 9, 10))
    info = OUT / "v30_rich/meta/info.json"
    said = json.loads(info.read_text())
    said.update(data_files_size_in_mb=1, video_files_size_in_mb=1)
    info.write_text(json.dumps(said, indent=4))
    dump("v30_rich", {**NEAR, "observation.images.left": [0.0, 1 / 30]})
    (OUT / "columns.json").write_text(json.dumps(long_columns()))
    (OUT / "made_by.json").write_text(json.dumps({"lerobot": lerobot.__version__, "numpy": np.__version__}))
