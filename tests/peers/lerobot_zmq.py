"""LeRobot's own image server, and its camera beside ours: python lerobot_zmq.py FILE

The server shows two painted cameras. Answers each line on stdin with a report: "start" with its port, "see"
once LeRobot's camera has written what it sees of "head" to FILE, as red, green and blue bytes row by row.
"""

import json
import socket
import sys
import threading
import time
from importlib.metadata import version
from pathlib import Path

import numpy as np
from lerobot.cameras.zmq import ZMQCamera, ZMQCameraConfig, image_server

SIDE = (96, 64)


class Painted:
    """A camera as the server asks its cameras: a device's number says what it sees."""

    def __init__(self, config):
        rows, columns = np.mgrid[: SIDE[1], : SIDE[0]]
        head = np.stack([200 - columns, 40 + rows, 20 + columns // 2], axis=-1)
        hand = np.full_like(head, 90)
        self.picture = [head, hand][config.index_or_path].astype(np.uint8)

    def connect(self):
        pass

    def disconnect(self):
        pass

    def read(self):
        time.sleep(1 / 30)
        return self.picture


def main(file):
    image_server.OpenCVCamera = Painted
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port = listener.getsockname()[1]
    shape = [SIDE[1], SIDE[0]]
    cameras = {"head": {"device_id": 0, "shape": shape}, "hand": {"device_id": 1, "shape": shape}}
    server = image_server.ImageServer({"fps": 30, "cameras": cameras}, port=port)
    threading.Thread(target=server.run, daemon=True).start()
    for line in sys.stdin:
        if line.strip() == "see":
            camera = ZMQCamera(ZMQCameraConfig(server_address="127.0.0.1", port=port, camera_name="head"))
            camera.connect()
            seen = camera.read()
            camera.disconnect()
            painted = Painted(type("Config", (), {"index_or_path": 0})).picture.astype(int)
            assert np.abs(seen.astype(int) - painted).mean() < 3, "LeRobot's own colours"
            Path(file).write_bytes(seen.tobytes())
        report = {"checks": 1, "port": port, "lerobot": version("lerobot"), "pyzmq": version("pyzmq")}
        print(json.dumps(report), flush=True)


main(*sys.argv[1:])
