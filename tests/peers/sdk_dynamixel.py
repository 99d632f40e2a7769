"""Robotis' own dynamixel_sdk against a virtual Koch: python sdk_dynamixel.py PORT CONTROL_SOCKET"""

import sys
from importlib.metadata import version

import dynamixel_sdk as dxl
from hands import Checks, Hands, patient_timeout

# Registers of the X series, as in Robotis' control tables.
MODE, MAX_LIMIT, TORQUE, WATCHDOG, GOAL, POSITION = 11, 48, 64, 98, 116, 132
MODELS = {1: 1060, 2: 1060, 3: 1200, 4: 1200, 5: 1200, 6: 1200}
RANGE_ERROR, LIMIT_ERROR, ACCESS_ERROR = 4, 6, 7


def signed(value):
    return value - (1 << 32) if value >> 31 else value


def main(path, control):
    checks, hands = Checks(), Hands(control)
    dxl.PortHandler.setPacketTimeout = patient_timeout
    port, wire = dxl.PortHandler(path), dxl.PacketHandler(2.0)
    checks.equal("port opens", port.openPort(), True)
    checks.equal("rate", port.setBaudRate(1_000_000), True)

    def position(motor):
        value, result, error = wire.read4ByteTxRx(port, motor, POSITION)
        checks.equal(f"read position of {motor}", (result, error), (0, 0))
        return signed(value)

    def write(motor, address, value, width=1, error=0):
        done = wire.write1ByteTxRx if width == 1 else wire.write4ByteTxRx
        got = done(port, motor, address, value & 0xFFFFFFFF)
        checks.equal(f"write {address} of {motor}", got, (0, error))

    for motor, model in MODELS.items():
        checks.equal(f"ping {motor}", wire.ping(port, motor), (model, 0, 0))
    found, result = wire.broadcastPing(port)
    checks.equal("broadcast ping", result, dxl.COMM_SUCCESS)
    checks.equal("all found", {motor: data[0] for motor, data in found.items()}, MODELS)

    for motor in MODELS:
        hands.hold(motor, 1500 + 100 * motor)
        hands.release(motor)
    for fast in (False, True):
        group = dxl.GroupSyncRead(port, wire, POSITION, 4)
        for motor in MODELS:
            group.addParam(motor)
        read = group.fastSyncRead if fast else group.txRxPacket
        checks.equal(f"sync read, fast {fast}", read(), dxl.COMM_SUCCESS)
        for motor in MODELS:
            got = group.getData(motor, POSITION, 4)
            checks.equal(f"position {motor}, fast {fast}", got, 1500 + 100 * motor)
    bulk = dxl.GroupBulkRead(port, wire)
    bulk.addParam(2, POSITION, 4)
    bulk.addParam(5, MAX_LIMIT, 4)
    checks.equal("bulk read", bulk.txRxPacket(), dxl.COMM_SUCCESS)
    checks.equal("bulk position", bulk.getData(2, POSITION, 4), 1700)
    checks.equal("bulk limit", bulk.getData(5, MAX_LIMIT, 4), 4095)

    # Goals beyond the limits are refused; settings are guarded while torque is on.
    write(3, GOAL, 5000, width=4, error=LIMIT_ERROR)
    write(3, MODE, 4)
    write(3, TORQUE, 1)
    write(3, MODE, 3, error=ACCESS_ERROR)
    write(3, POSITION, 0, width=4, error=ACCESS_ERROR)
    write(3, GOAL, 5000, width=4)
    checks.becomes("more than a turn", lambda: position(3), 5000, 30)
    write(3, GOAL, -300, width=4)
    checks.becomes("below zero", lambda: position(3), -300, 30)

    goals = dxl.GroupSyncWrite(port, wire, GOAL, 4)
    for motor in (1, 2):
        write(motor, TORQUE, 1)
        goal = 1500 + 100 * motor + 200
        goals.addParam(motor, list(goal.to_bytes(4, "little")))
    checks.equal("sync write", goals.txPacket(), dxl.COMM_SUCCESS)
    for motor in (1, 2):
        want = 1500 + 100 * motor + 200
        checks.becomes(f"motion {motor}", lambda m=motor: position(m), want, 30)

    # A silent bus stops a servo that was told to watch it.
    write(4, WATCHDOG, 2)
    write(4, TORQUE, 1)

    def watchdog():
        # Asking somebody else leaves motor 4 in its silence.
        for _ in range(40):
            position(1)
        return wire.read1ByteTxRx(port, 4, WATCHDOG)[0]

    checks.becomes("watchdog trips", watchdog, 255, 0)
    write(4, GOAL, 2000, width=4, error=RANGE_ERROR)
    write(4, WATCHDOG, 0)

    checks.equal("reboot", wire.reboot(port, 3), (0, 0))
    value, result, _ = wire.read1ByteTxRx(port, 3, TORQUE)
    checks.equal("limp after reboot", (value, result), (0, 0))
    for motor in MODELS:
        write(motor, TORQUE, 0)
    port.closePort()
    checks.done("dynamixel_sdk", version("dynamixel-sdk"))


main(*sys.argv[1:])
