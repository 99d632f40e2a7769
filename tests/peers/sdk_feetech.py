"""Feetech's own scservo_sdk against a virtual SO-101: python sdk_feetech.py PORT CONTROL_SOCKET"""

import sys
from importlib.metadata import version

import scservo_sdk as scs
from hands import Checks, Hands, patient_timeout

# Registers of the STS series, as in Feetech's memory table.
ID, LIMITS, P_GAIN, OFFSET, TORQUE, GOAL, LOCK, POSITION = 5, 9, 21, 31, 40, 42, 55, 56
MOTORS = range(1, 7)


def main(path, control):
    checks, hands = Checks(), Hands(control)
    scs.PortHandler.setPacketTimeout = patient_timeout
    port, wire = scs.PortHandler(path), scs.PacketHandler(0)
    checks.equal("port opens", port.openPort(), True)
    checks.equal("rate", port.setBaudRate(1_000_000), True)

    def read(motor, address, width):
        value, result, error = (wire.read1ByteTxRx if width == 1 else wire.read2ByteTxRx)(
            port, motor, address
        )
        checks.equal(f"read {address} of {motor}", (result, error), (0, 0))
        return value

    def write(motor, address, width, value):
        done = wire.write1ByteTxRx if width == 1 else wire.write2ByteTxRx
        checks.equal(f"write {address} of {motor}", done(port, motor, address, value), (0, 0))

    for motor in MOTORS:
        checks.equal(f"ping {motor}", wire.ping(port, motor), (777, 0, 0))
    checks.equal("ping of nobody", wire.ping(port, 42)[1], scs.COMM_RX_TIMEOUT)

    # Everybody's position in one request, equal to one by one and to the truth.
    for motor in MOTORS:
        hands.hold(motor, 1500 + 100 * motor)
        hands.release(motor)
    group = scs.GroupSyncRead(port, wire, POSITION, 2)
    for motor in MOTORS:
        group.addParam(motor)
    checks.equal("sync read", group.txRxPacket(), scs.COMM_SUCCESS)
    for motor in MOTORS:
        checks.equal(f"position {motor}", group.getData(motor, POSITION, 2), 1500 + 100 * motor)
        checks.equal(f"position {motor} alone", read(motor, POSITION, 2), 1500 + 100 * motor)

    # Settings: an offset with its sign in bit 11 shifts what is read at once.
    write(1, LOCK, 1, 0)
    write(1, OFFSET, 2, 0x800 | 300)
    checks.equal("offset applied", read(1, POSITION, 2), 1600 + 300)
    write(1, OFFSET, 2, 0)
    write(1, LOCK, 1, 1)
    write(2, P_GAIN, 1, 16)
    checks.equal("gain", read(2, P_GAIN, 1), 16)

    # A new id counts after the receipt.
    write(6, LOCK, 1, 0)
    write(6, ID, 1, 9)
    checks.equal("old id", wire.ping(port, 6)[1], scs.COMM_RX_TIMEOUT)
    checks.equal("new id", wire.ping(port, 9), (777, 0, 0))
    write(9, ID, 1, 6)

    # Motion: goals for all at once, torque on, and back off.
    goals = scs.GroupSyncWrite(port, wire, GOAL, 2)
    for motor in MOTORS:
        goal = 1500 + 100 * motor + 150
        goals.addParam(motor, [scs.SCS_LOBYTE(goal), scs.SCS_HIBYTE(goal)])
    checks.equal("sync write", goals.txPacket(), scs.COMM_SUCCESS)
    for motor in MOTORS:
        write(motor, TORQUE, 1, 1)
    for motor in MOTORS:
        want = 1500 + 100 * motor + 150
        checks.becomes(f"motion {motor}", lambda m=motor: read(m, POSITION, 2), want, 20)

    # A registered write waits for its action; goals end at the limits.
    goal = [scs.SCS_LOBYTE(1800), scs.SCS_HIBYTE(1800)]
    checks.equal("registered", wire.regWriteTxRx(port, 1, GOAL, 2, goal), (0, 0))
    checks.near("still there", read(1, POSITION, 2), 1750, 20)
    wire.action(port, 1)
    checks.becomes("action", lambda: read(1, POSITION, 2), 1800, 20)
    write(1, LIMITS + 2, 2, 1900)
    write(1, GOAL, 2, 2500)
    checks.becomes("limit", lambda: read(1, POSITION, 2), 1900, 20)
    for motor in MOTORS:
        write(motor, TORQUE, 1, 0)

    # At another rate nobody is there.
    port.setBaudRate(115_200)
    checks.equal("wrong rate", wire.ping(port, 1)[1] != scs.COMM_SUCCESS, True)
    port.setBaudRate(1_000_000)
    checks.equal("right rate", wire.ping(port, 1), (777, 0, 0))
    port.closePort()
    checks.done("scservo_sdk", version("feetech-servo-sdk"))


main(*sys.argv[1:])
