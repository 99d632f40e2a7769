"""Depth in datasets: LeRobot's for us to read, and ours for it.

    lerobot_depth.py PLAN      a JSON list of steps, each a list of words:

    make ROOT KIND EPISODES     LeRobot records a dataset of a kind below
    show ROOT OUT               writes the depth of every frame as LeRobot returns it
    read ROOT EPISODES          it holds what was recorded, as LeRobot would keep it
    resume ROOT EPISODES        LeRobot records one more episode into it
    merge ROOT ROOT OUT         LeRobot puts two datasets together
    films ROOT OUT              LeRobot makes videos of images
    scale OUT                   its steps of every millimetre, and the depth of every step

What was recorded follows from the numbers of episode and frame: `depth_of` here and in kept.rs.
"""

import json
import pathlib
import sys
from importlib.metadata import version

import numpy as np
import pyarrow.parquet as pq
import torch
from hands import Checks
from lerobot.configs.video import DepthEncoderConfig, encoder_config_from_video_info
from lerobot.datasets.compute_stats import get_feature_stats
from lerobot.datasets.depth_utils import dequantize_depth, quantize_depth
from lerobot.datasets.lerobot_dataset import LeRobotDataset

CHECKS = Checks()
check = CHECKS.holds
FPS, HEIGHT, WIDTH = 30, 48, 64
KEY = "observation.images.depth"
# How its images are kept, what a camera gives, and whether they are encoded while they come.
KINDS = {
    "video": ("video", np.uint16, False),
    "stream": ("video", np.uint16, True),
    "metres": ("video", np.float32, False),
    "image": ("image", np.uint16, False),
    "metres_image": ("image", np.float32, False),
}


def length_of(episode):
    return 9 + 4 * episode


def depth_of(episode, frame):
    """In millimetres: a slope that moves, one pixel without a reading and some too far."""
    y, x = np.mgrid[0:HEIGHT, 0:WIDTH]
    depth = 300 + (x * 37 + y * y * 3 + frame * 11 + episode * 101) % 9000
    depth[0, :3] = [0, 5, 9999]
    return depth[..., None].astype(np.uint16)


def depth_of_steps(steps):
    """As its reader does it, which has tensors."""
    return dequantize_depth(torch.from_numpy(steps)[None]).numpy()


def opened(root):
    return LeRobotDataset("peer/depth", root=root)


def record(dataset, episodes, dtype=np.uint16):
    for episode in episodes:
        for frame in range(length_of(episode)):
            depth = depth_of(episode, frame)
            depth = depth.astype(np.float32) / 1000 if dtype == np.float32 else depth
            dataset.add_frame({KEY: depth, "action": np.zeros(2, np.float32), "task": "look"})
        dataset.save_episode()
    dataset.finalize()


def make(root, kind, episodes):
    kept, dtype, stream = KINDS[kind]
    names = ["height", "width", "channels"]
    depth = {"dtype": kept, "shape": (HEIGHT, WIDTH, 1), "names": names, "info": {"is_depth_map": True}}
    action = {"dtype": "float32", "shape": (2,), "names": ["a", "b"]}
    dataset = LeRobotDataset.create(
        "peer/depth",
        fps=FPS,
        features={KEY: depth, "action": action},
        root=root,
        robot_type="so101_follower",
        streaming_encoding=stream,
    )
    record(dataset, range(int(episodes)), dtype)
    check(True)


def show(root, out):
    dataset = opened(root)
    with open(out, "wb") as file:
        for at in range(len(dataset)):
            depth = dataset[at][KEY].numpy()
            check(depth.shape == (1, HEIGHT, WIDTH), depth.shape)
            file.write(depth.round().clip(0, 65535).astype(np.uint16).tobytes())


def read(root, episodes):
    dataset, index = opened(root), 0
    feature = dataset.meta.features[KEY]
    info, video = feature["info"], feature["dtype"] == "video"
    check(dataset.meta.depth_keys == [KEY], dataset.meta.depth_keys)
    check(info["depth_unit"] == "mm" and tuple(feature["shape"]) == (HEIGHT, WIDTH, 1), feature)
    if video:
        config, usual = encoder_config_from_video_info(info), DepthEncoderConfig()
        check(isinstance(config, DepthEncoderConfig))
        for name in ("vcodec", "pix_fmt", "g", "crf", "depth_min", "depth_max", "shift", "use_log"):
            check(getattr(config, name) == getattr(usual, name), name, getattr(config, name))
            check(name == "vcodec" or f"video.{name}" in info, name, info)
        check(config.extra_options["x265-params"] == "lossless=1", config.extra_options)
        check(info["video.codec"] == "hevc" and info["video.channels"] == 1, info)
    tables = sorted((pathlib.Path(root) / "meta/episodes").glob("*/*.parquet"))
    rows = [row for table in tables for row in pq.read_table(table).to_pylist()]
    for episode in range(int(episodes)):
        pushed = [depth_of(episode, frame) for frame in range(length_of(episode))]
        for frame, depth in enumerate(pushed):
            found, meant = dataset[index][KEY].numpy()[0], depth[..., 0]
            if video:
                meant = depth_of_steps(quantize_depth(meant, video_backend=None))[0]
            off = np.abs(found - meant.astype(np.float64))
            # numpy's logarithm of 32 bits tips one step in some ten thousand, which is at most 5 mm.
            check(off.max() <= (5 if video else 0) and (off > 0).mean() < 0.001, episode, frame, off.max())
            index += 1
        theirs = get_feature_stats(np.stack(pushed).transpose(0, 3, 1, 2), axis=(0, 2, 3), keepdims=True)
        for name, value in theirs.items():
            ours = np.array(rows[episode][f"stats/{KEY}/{name}"])
            check(ours.shape == ((1,) if name == "count" else (1, 1, 1)), name, ours.shape)
            near = np.abs(ours.reshape(-1) - value.reshape(-1)) <= 1e-3 * np.maximum(1, np.abs(value.reshape(-1)))
            check(near.all(), episode, name, ours, value)
    check(index == len(dataset), index, len(dataset))
    check(np.shape(dataset.meta.stats[KEY]["mean"]) == (1, 1, 1), dataset.meta.stats[KEY])


def resume(root, episodes):
    first = int(episodes)
    record(LeRobotDataset.resume("peer/depth", root=root), range(first, first + 1))
    check(True)


def merge(one, other, out):
    from lerobot.datasets.dataset_tools import merge_datasets

    merge_datasets([opened(one), opened(other)], "peer/more", output_dir=pathlib.Path(out))
    check(True)


def films(root, out):
    from lerobot.datasets.dataset_tools import convert_image_to_video_dataset

    convert_image_to_video_dataset(opened(root), output_dir=pathlib.Path(out), repo_id="peer/films")
    check(True)


def scale(out):
    millimetres = np.arange(65536, dtype=np.uint16).reshape(256, 256)
    steps = np.arange(4096, dtype=np.uint16).reshape(64, 64)
    with open(out, "wb") as file:
        file.write(quantize_depth(millimetres, video_backend=None).tobytes())
        file.write(depth_of_steps(steps).astype(np.uint16).tobytes())
    check(True)


STEPS = {step.__name__: step for step in (make, show, read, resume, merge, films, scale)}
for name, *words in json.loads(sys.argv[1]):
    STEPS[name](*words)
CHECKS.done("lerobot", version("lerobot"))
