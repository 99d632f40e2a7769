"""LeRobot recording two cameras of 640x480: processor time of add_frame and save_episode together."""

import os
import pathlib
import sys
import time

import numpy as np
from lerobot.datasets.lerobot_dataset import LeRobotDataset

FRAMES, EPISODES = 100, 2
JOINTS = [f"j{joint}" for joint in range(6)]


def clip():
    """The same moving texture, gradients and square as the bench's own clip."""
    y, x = np.mgrid[0:480, 0:640]
    texture = np.random.default_rng(0).integers(0, 40, (480, 960, 3)).astype(np.uint8)
    base = np.stack([x * 255 // 640, y * 255 // 480, (x + y) * 255 // 1120], -1).astype(np.int16)
    for frame in range(FRAMES):
        image = (np.roll(base, frame * 3, axis=1) * 3 // 4).astype(np.uint8)
        image += texture[:, frame % 320 : frame % 320 + 640] // 2
        left, top = (40 + frame * 2) % 560, (60 + frame) % 400
        image[top : top + 80, left : left + 80] = [230, 60, 40]
        yield image


def cpu():
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system


vector = {"dtype": "float32", "shape": (6,), "names": JOINTS}
features = {"observation.state": dict(vector), "action": dict(vector)}
for camera in range(2):
    features[f"observation.images.cam{camera}"] = {"dtype": "video", "shape": (480, 640, 3), "names": ["height", "width", "channels"]}
dataset = LeRobotDataset.create("bench/set", fps=30, features=features, root=pathlib.Path(sys.argv[1]), robot_type="x")
images = list(clip())
used = 0.0
for episode in range(EPISODES):
    begun = cpu()
    for frame in range(FRAMES):
        dataset.add_frame({
            "observation.state": np.full(6, frame, np.float32),
            "action": np.full(6, frame, np.float32),
            "observation.images.cam0": images[frame],
            "observation.images.cam1": images[(frame + 7) % FRAMES],
            "task": "t",
        })
    added, wall = cpu() - begun, time.perf_counter()
    dataset.save_episode()
    wall = time.perf_counter() - wall
    total = cpu() - begun
    print(f"LeRobot, episode {episode}: add_frame {added / FRAMES * 1e3:.1f} ms CPU a frame, save_episode {wall:.2f} s wall, {total - added:.2f} s CPU for {FRAMES} frames")
    used += total
dataset.finalize()
print(f"LeRobot: ms CPU per frame {used / FRAMES / EPISODES * 1e3:.2f}")
