"""LeRobot's recording for loops.rs: python loops_record.py FOLLOWER LEADER FPS SECONDS FOLDER STREAMING

Runs LeRobot's own record command on the same virtual arms, with two cameras that cost it next to nothing,
and prints a line. Its loop counts nothing, so its own sleep is watched: from where it returns to where it
is called again a tick works, and what it returns late is the wake-up.
"""

import resource
import sys
import threading
import time
from dataclasses import dataclass

import lerobot.motors.feetech.feetech as feetech
import lerobot.scripts.lerobot_record as lerobot_record
import numpy as np
from lerobot.cameras import Camera, CameraConfig
from lerobot.configs.dataset import DatasetRecordConfig
from lerobot.robots.so_follower import SO101FollowerConfig
from lerobot.teleoperators.so_leader import SO101LeaderConfig

PICTURES = 30


def patient(self, length):
    """A pseudo-terminal has no baud rate to compute a timeout from."""
    self.packet_start_time = self.getCurrentTime()
    self.packet_timeout = 50


@CameraConfig.register_subclass("painted")
@dataclass(kw_only=True)
class PaintedConfig(CameraConfig):
    """A square that wanders over a grey ground, painted before anything is measured."""


class Painted(Camera):
    """Gives these pictures one after the other, at its rate."""

    def __init__(self, config):
        super().__init__(config)
        self.pictures = []
        for number in range(PICTURES):
            picture = np.full((self.height, self.width, 3), 96, np.uint8)
            side = self.height // 5
            left = number * (self.width - side) // PICTURES
            picture[:side, left : left + side] = 40
            self.pictures.append(picture)
        self.newest, self.thread, self.over = None, None, threading.Event()

    @property
    def is_connected(self):
        return self.thread is not None

    @staticmethod
    def find_cameras():
        return []

    def connect(self, warmup=True):
        self.newest = self.pictures[0]
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def run(self):
        number = 0
        while not self.over.wait(1 / self.fps):
            number += 1
            self.newest = self.pictures[number % PICTURES]

    def read(self):
        return self.newest

    def async_read(self, timeout_ms=200):
        return self.newest

    def read_latest(self, max_age_ms=500):
        return self.newest

    def disconnect(self):
        self.over.set()
        self.thread.join()
        self.thread = None


def cpu():
    both = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(used.ru_utime + used.ru_stime for used in both)


class Watch:
    """Stands in for the loop's sleep."""

    def __init__(self, sleep):
        self.sleep, self.woke, self.busy, self.wake, self.late = sleep, None, [], [], 0
        self.begin = self.end = None

    def __call__(self, seconds):
        now = time.perf_counter()
        if self.woke is None:
            self.begin = now
        else:
            self.busy.append(now - self.woke)
        self.sleep(seconds)
        self.woke = self.end = time.perf_counter()
        if seconds > 0:
            self.wake.append(self.woke - now - seconds)
        else:
            self.late += 1


def main(white, black, fps, seconds, folder, streaming):
    feetech.patch_setPacketTimeout = patient
    watch = lerobot_record.precise_sleep = Watch(lerobot_record.precise_sleep)
    cameras = {name: PaintedConfig(fps=30, width=640, height=480) for name in ("top", "wrist")}
    config = lerobot_record.RecordConfig(
        robot=SO101FollowerConfig(port=white, id="white", cameras=cameras),
        teleop=SO101LeaderConfig(port=black, id="black"),
        dataset=DatasetRecordConfig(
            repo_id="bench/set",
            root=folder,
            single_task="bench",
            fps=fps,
            episode_time_s=seconds,
            reset_time_s=0,
            num_episodes=1,
            push_to_hub=False,
            streaming_encoding=streaming,
            no_stamp=True,
        ),
        play_sounds=False,
    )
    before = cpu()
    lerobot_record.record(config)
    used = cpu() - before
    ticks = len(watch.busy)
    at = lambda values, share: sorted(values)[int(share * (len(values) - 1))] * 1e6  # noqa: E731
    print(
        f"{used / seconds * 100:.1f} % of a core; {watch.late} of {ticks} ticks late,"
        f" {ticks / (watch.end - watch.begin):.2f} Hz; work in a tick p50 {at(watch.busy, 0.5):.0f} p99.9"
        f" {at(watch.busy, 0.999):.0f} µs; wake p50 {at(watch.wake, 0.5):.0f} p99.9 {at(watch.wake, 0.999):.0f} µs"
    )


main(sys.argv[1], sys.argv[2], int(sys.argv[3]), float(sys.argv[4]), sys.argv[5], sys.argv[6] == "true")
