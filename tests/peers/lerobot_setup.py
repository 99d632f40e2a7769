"""LeRobot's set-up of one fresh servo: python lerobot_setup.py PORT CONTROL_SOCKET

The servo has the factory's id and another rate than the bus; LeRobot looks for it at every rate,
gives it its id and the bus's rate.
"""

import sys
from importlib.metadata import version

import lerobot.motors.feetech.feetech as feetech
from hands import Checks, patient_timeout
from lerobot.motors import Motor, MotorNormMode
from lerobot.motors.feetech import FeetechMotorsBus


def main(port, _control):
    checks = Checks()
    feetech.patch_setPacketTimeout = patient_timeout
    bus = FeetechMotorsBus(port, {"gripper": Motor(6, "sts3215", MotorNormMode.RANGE_0_100)})
    bus.setup_motor("gripper")
    checks.equal("found", bus.broadcast_ping(), {6: 777})
    checks.equal("ping", bus.ping(6), 777)
    bus.disconnect(disable_torque=True)
    # A second run with the handshake finds the motor where it was put.
    again = FeetechMotorsBus(port, bus.motors)
    again.connect(handshake=True)
    checks.equal("id", again.read("ID", "gripper", normalize=False), 6)
    checks.equal("rate", again.read("Baud_Rate", "gripper", normalize=False), 0)
    again.disconnect(disable_torque=True)
    checks.done("lerobot", version("lerobot"))


main(*sys.argv[1:])
