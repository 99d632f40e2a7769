"""CPU microseconds that LeRobot spends on one sync read of six motors at the port named as the argument."""

import sys
import time

from lerobot.motors import Motor, MotorNormMode
from lerobot.motors.feetech import FeetechMotorsBus

WARM_UP, READS = 50, 3000

motors = {f"joint_{id_}": Motor(id_, "sts3215", MotorNormMode.DEGREES) for id_ in range(1, 7)}
bus = FeetechMotorsBus(sys.argv[1], motors)
bus.connect()
for _ in range(WARM_UP):
    bus.sync_read("Present_Position", normalize=False)
begun = time.thread_time()
for _ in range(READS):
    bus.sync_read("Present_Position", normalize=False)
spent = time.thread_time() - begun
bus.disconnect(disable_torque=False)
print(spent / READS * 1e6)
