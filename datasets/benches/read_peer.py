"""LeRobot on the folders of the bench: processor time per item, one thread.

    read_peer.py million|video ROOT
"""

import random
import resource
import sys
import time

import torch
from lerobot.datasets.lerobot_dataset import LeRobotDataset

torch.set_num_threads(1)
KIND, ROOT = sys.argv[1], sys.argv[2]


def memory():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def cost(dataset, order):
    """Milliseconds of processor time per item; decoders work in threads of their own."""
    dataset[order[0]]
    begun = time.process_time()
    for at in order:
        dataset[at]
    return (time.process_time() - begun) / len(order) * 1e3


def at_random(dataset, count):
    choice = random.Random(0)
    return [choice.randrange(len(dataset)) for _ in range(count)]


def million():
    LeRobotDataset("bench/set", root=ROOT)  # fills the cache that LeRobot keeps
    before, begun = memory(), time.perf_counter()
    dataset = LeRobotDataset("bench/set", root=ROOT)
    print(f"LeRobot: open a million frames {(time.perf_counter() - begun) * 1e3:.1f} ms, {memory() - before:+.1f} MB")
    print(f"LeRobot: plain item, at random: {cost(dataset, at_random(dataset, 1000)) * 1e3:.1f} µs CPU")
    deltas = {"observation.state": [-1 / 30, 0.0], "action": [i / 30 for i in range(100)]}
    dataset = LeRobotDataset("bench/set", root=ROOT, delta_timestamps=deltas)
    print(f"LeRobot: item with 100 actions, at random: {cost(dataset, at_random(dataset, 300)) * 1e3:.1f} µs CPU")


def video():
    for backend in ("torchcodec", "pyav"):
        try:
            dataset = LeRobotDataset("bench/set", root=ROOT, video_backend=backend)
            rate = cost(dataset, at_random(dataset, 60))
        except (ImportError, OSError, RuntimeError) as error:
            print(f"LeRobot: {backend} left out: {type(error).__name__}")
            continue
        print(f"LeRobot: video with {backend}, item at random: {rate:.2f} ms CPU, in order: {cost(dataset, list(range(60))):.2f}")
    try:
        from torchcodec.decoders import VideoDecoder
    except (ImportError, OSError, RuntimeError) as error:
        print(f"torchcodec left out: {type(error).__name__}")
        return
    decoder = VideoDecoder(str(next(iter(__import__("pathlib").Path(ROOT).glob("videos/*/*/*.mp4")))), seek_mode="approximate", num_ffmpeg_threads=1)
    choice = random.Random(0)
    order = [choice.randrange(len(decoder)) for _ in range(60)]
    decoder[0]
    begun = time.process_time()
    for at in order:
        decoder[at]
    print(f"torchcodec alone, frame at random: {(time.process_time() - begun) / len(order) * 1e3:.2f} ms CPU")


{"million": million, "video": video}[KIND]()
