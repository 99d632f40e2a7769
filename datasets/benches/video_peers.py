"""What the same video costs LeRobot: python video_peers.py clip.mp4"""

import pathlib
import random
import resource
import sys
import time

sys.path.append(str(pathlib.Path(__file__).parents[2] / "tests" / "peers"))
import torchcodec_libraries  # noqa: E402

torchcodec_libraries.lend()

import torch  # noqa: E402

torch.set_num_threads(1)
from lerobot.datasets.video_utils import decode_video_frames  # noqa: E402

path = sys.argv[1]
FRAMES, FPS = 120, 30


def cpu():
    return time.process_time() * 1e3


for backend in ["torchcodec", "pyav"]:
    try:
        decode_video_frames(path, [0.0], 1e-4, backend)
        rng = random.Random(1)
        for name, wanted in [
            ("in order", list(range(FRAMES))),
            ("at random", [rng.randrange(FRAMES) for _ in range(100)]),
        ]:
            start = cpu()
            for n in wanted:
                decode_video_frames(path, [n / FPS], 1e-4, backend)
            print(f"{'LeRobot, ' + backend + ', ' + name:<32} {(cpu() - start) / len(wanted):8.3f} ms CPU per frame, all threads")
    except Exception as error:
        print(f"LeRobot, {backend}: {error}")
print(f"LeRobot, peak memory {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MiB")
torchcodec_libraries.give_back()
