"""LeRobot's teleoperation for loops.rs: python loops.py FOLLOWER LEADER FPS SECONDS

Drives the same virtual arms with LeRobot's own classes, as its teleoperate loop does, and prints a line.
"""

import resource
import sys
import time

import lerobot.motors.feetech.feetech as feetech
from lerobot.robots.so_follower import SO101Follower, SO101FollowerConfig
from lerobot.teleoperators.so_leader import SO101Leader, SO101LeaderConfig
from lerobot.utils.robot_utils import precise_sleep


def patient(self, length):
    """A pseudo-terminal has no baud rate to compute a timeout from."""
    self.packet_start_time = self.getCurrentTime()
    self.packet_timeout = 50


def main(white, black, fps, seconds):
    feetech.patch_setPacketTimeout = patient
    follower = SO101Follower(SO101FollowerConfig(port=white, id="white"))
    leader = SO101Leader(SO101LeaderConfig(port=black, id="black"))
    leader.connect(calibrate=False)
    follower.connect(calibrate=False)
    busy, late, ticks = [], 0, 0
    begin = time.perf_counter()
    cpu = resource.getrusage(resource.RUSAGE_SELF)
    while time.perf_counter() - begin < seconds:
        start = time.perf_counter()
        follower.get_observation()
        follower.send_action(leader.get_action())
        took = time.perf_counter() - start
        precise_sleep(max(1 / fps - took, 0))
        busy.append(took)
        late += took > 1 / fps
        ticks += 1
    end = resource.getrusage(resource.RUSAGE_SELF)
    wall = time.perf_counter() - begin
    used = end.ru_utime + end.ru_stime - cpu.ru_utime - cpu.ru_stime
    follower.disconnect()
    leader.disconnect()
    busy.sort()
    at = lambda share: busy[int(share * (len(busy) - 1))] * 1e6  # noqa: E731
    print(
        f"{used / wall * 100:.2f} % of a core; {late} of {ticks} ticks late, {ticks / wall:.1f} Hz;"
        f" tick p50 {at(0.5):.0f} p99.9 {at(0.999):.0f} µs"
    )


main(sys.argv[1], sys.argv[2], float(sys.argv[3]), float(sys.argv[4]))
