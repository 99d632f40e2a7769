"""LeRobot's own LeKiwi host on a virtual one: python lerobot_lekiwi.py PORT CALIBRATION_FOLDER ID

Runs lerobot.robots.lekiwi.lekiwi_host in a thread, with a camera whose pictures are made here, and answers
each line on stdin with a report: "start" with its two ports, "stop" once the host has ended.
"""

import json
import socket
import sys
import threading
from pathlib import Path

import lerobot.motors.feetech.feetech as feetech
import numpy as np
from hands import patient_timeout
from lerobot.robots.lekiwi import LeKiwi, LeKiwiConfig, lekiwi_host
from lerobot.robots.lekiwi.config_lekiwi import LeKiwiHostConfig


class Painted:
    """A camera as LeKiwi asks its cameras."""

    is_connected = True

    def connect(self):
        pass

    def disconnect(self):
        pass

    def read_latest(self):
        picture = np.zeros((48, 64, 3), np.uint8)
        picture[:, :, 2] = 200
        return picture

    async_read = read_latest


def free():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def main(port, folder, name):
    feetech.patch_setPacketTimeout = patient_timeout
    made = LeKiwi.__init__

    def with_camera(self, config):
        made(self, config)
        self.cameras = {"front": Painted()}

    LeKiwi.__init__ = with_camera
    robot = LeKiwiConfig(port=port, id=name, cameras={}, calibration_dir=Path(folder))
    ports = free(), free()
    host = LeKiwiHostConfig(port_zmq_cmd=ports[0], port_zmq_observations=ports[1], connection_time_s=600)
    config = lekiwi_host.LeKiwiServerConfig(robot=robot, host=host)
    running = lekiwi_host.LeKiwiHost.__init__

    def keep(self, config):
        running(self, config)
        keep.host = self

    lekiwi_host.LeKiwiHost.__init__ = keep
    thread = threading.Thread(target=lekiwi_host.main, args=(config,), daemon=True)
    # What it prints is for people.
    out, sys.stdout = sys.stdout, sys.stderr
    for line in sys.stdin:
        if line.strip() == "start":
            thread.start()
            while not hasattr(keep, "host") and thread.is_alive():
                thread.join(0.05)
            assert thread.is_alive(), "LeRobot's host ended at once"
            print(json.dumps({"checks": 1, "ports": ports}), file=out, flush=True)
        else:
            keep.host.connection_time_s = 0
            thread.join(20)
            assert not thread.is_alive()
            print(json.dumps({"checks": 1}), file=out, flush=True)


main(*sys.argv[1:])
