"""Datasets as LeRobot records them, beyond the golden ones, and what it sees in a dataset."""

import json
import pathlib

import numpy as np

FPS = 30
HEIGHT, WIDTH = 48, 64
LENGTHS = (11, 7, 13, 9)
TASKS = ["pick the cube", "place it", "wait, ü"]
JOINTS = [f"{name}.pos" for name in ("pan", "lift", "elbow")]


def opened(root, **options):
    from lerobot.datasets.lerobot_dataset import LeRobotDataset

    return LeRobotDataset("peer/" + pathlib.Path(root).name, root=root, video_backend="pyav", **options)


def camera(dtype):
    return {"dtype": dtype, "shape": (HEIGHT, WIDTH, 3), "names": ["height", "width", "channels"]}


def column(dtype, *shape, names=None):
    return {"dtype": dtype, "shape": shape, "names": names}


ARM = {key: column("float32", 3, names=JOINTS) for key in ("observation.state", "action")}
OTHERS = {
    "reward": column("float32", 1),
    "pose": column("float64", 2, names=["x", "y"]),
    "count": column("int64", 1),
    "small": column("int32", 3),
    "done": column("bool", 1),
    "flags": column("bool", 2),
    "note": column("string", 1),
}
FRONT, WRIST = "observation.images.front", "observation.images.wrist"

# What each has, and whether every episode begins new files, two of which make a chunk.
SETS = {
    "av1": ({**ARM, FRONT: camera("video")}, None, False),
    "h264": ({**ARM, **OTHERS, FRONT: camera("video"), WRIST: camera("video")}, "h264", True),
    "image": ({**ARM, **OTHERS, FRONT: camera("image"), WRIST: camera("image")}, None, True),
    "both": ({**ARM, **OTHERS, FRONT: camera("video"), WRIST: camera("image")}, None, False),
}


def picture(rng, frame):
    """A gradient that moves, and a square: smooth, as the codec's loss is measured against it."""
    y, x = np.mgrid[0:HEIGHT, 0:WIDTH]
    slow = int(rng.integers(0, 60))
    image = np.stack([(x * 2 + frame) % 256, y * 3 + slow, x + y + frame], -1).astype(np.uint8)
    top, left = rng.integers(0, HEIGHT - 16), rng.integers(0, WIDTH - 16)
    image[top : top + 16, left : left + 16] = [230, 40 + slow, 20]
    return image


def values(features, rng, frame):
    """One frame; floats of every size, and the signed zero."""
    for key, feature in features.items():
        dtype, shape = feature["dtype"], feature["shape"]
        if dtype in ("video", "image"):
            yield key, picture(rng, frame)
        elif dtype == "string":
            yield key, f"frame {frame}: " + "".join(rng.choice(list("aß€\n\"'")) for _ in range(5))
        elif dtype == "bool":
            yield key, rng.random(shape) < 0.5
        elif dtype.startswith("int"):
            limit = np.iinfo(dtype).max // 4
            yield key, rng.integers(-limit, limit, shape).astype(dtype)
        else:
            sizes = rng.choice([0.0, 1e-42, 1e-6, 1.0, 180.0, 1e12], shape)
            yield key, (rng.standard_normal(shape) * sizes).astype(dtype)


def make(root, kind, seed):
    """Records a dataset of a kind; the same seed, the same frames."""
    from lerobot.configs.video import RGBEncoderConfig
    from lerobot.datasets.lerobot_dataset import LeRobotDataset

    features, codec, scattered = SETS[kind]
    rng = np.random.default_rng(seed)
    encoder = {"rgb_encoder": RGBEncoderConfig(vcodec=codec)} if codec else {}
    dataset = LeRobotDataset.create(
        "peer/" + kind, fps=FPS, features=features, root=root, robot_type="so101_follower", **encoder
    )
    if scattered:
        dataset.meta.update_chunk_settings(chunks_size=2, data_files_size_in_mb=1, video_files_size_in_mb=1)
        dataset.meta.info.data_files_size_in_mb = dataset.meta.info.video_files_size_in_mb = 1e-6
    for episode, length in enumerate(LENGTHS):
        for frame in range(length):
            task = TASKS[(episode + frame // 6) % 3] if scattered else TASKS[episode % 2]
            dataset.add_frame({**dict(values(features, rng, frame)), "task": task})
        dataset.save_episode()
    dataset.finalize()
    if scattered:
        said = json.loads((root / "meta/info.json").read_text())
        said.update(data_files_size_in_mb=1, video_files_size_in_mb=1)
        (root / "meta/info.json").write_text(json.dumps(said, indent=4))


def pixels(image):
    """The bytes that were divided by 255."""
    return (image.numpy().transpose(1, 2, 0) * 255).round().astype(np.uint8)


def columns(dataset):
    """Every column that is no image, as stored: LeRobot hands 64-bit floats out as 32-bit ones."""
    table = dataset.hf_dataset.with_format("arrow")[:]
    for key, feature in dataset.meta.features.items():
        if feature["dtype"] not in ("video", "image"):
            stored = table.column(key).to_pylist()
            yield key, stored if feature["dtype"] == "string" else np.array(stored, feature["dtype"])


def show(root, to):
    """Writes what LeRobot sees: columns.json, floats as their bits, and the pixels of each camera."""
    to.mkdir()
    dataset = opened(root)
    said = {"length": len(dataset), "columns": {}}
    for key, stored in columns(dataset):
        if isinstance(stored, np.ndarray):
            bits = {"float32": "uint32", "float64": "uint64"}.get(str(stored.dtype))
            stored = (stored.view(bits) if bits else stored).reshape(len(dataset), -1).tolist()
        said["columns"][key] = stored
    files = {key: open(to / key, "wb") for key in dataset.meta.camera_keys}
    said["tasks"] = []
    for at in range(len(dataset)):
        item = dataset[at]
        said["tasks"].append(item["task"])
        for key, file in files.items():
            file.write(pixels(item[key]).tobytes())
    for file in files.values():
        file.close()
    (to / "columns.json").write_text(json.dumps(said))
    return len(dataset) * (len(said["columns"]) + len(files) + 1)
