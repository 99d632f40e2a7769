"""Writes what the manufacturers' SDKs put on the wire to golden.json beside this file.

Their packet handlers write to a port that only keeps the bytes.

    python make.py        (an environment with lerobot[feetech,dynamixel]; see tests/peers/setup)
"""

import json
import random
from importlib.metadata import version
from pathlib import Path

import dynamixel_sdk
import scservo_sdk


class Port:
    """Keeps what is written; never has anything to read."""

    is_using = False

    def __init__(self):
        self.written = b""

    def clearPort(self):
        pass

    def writePort(self, packet):
        self.written += bytes(packet)
        return len(packet)

    def readPort(self, length):
        return []

    def setPacketTimeout(self, length):
        pass

    def isPacketTimeout(self):
        return True


class Stuffing(dynamixel_sdk.Protocol2PacketHandler):
    """The handler as it is meant: dynamixel_sdk 3.8.4 computes the stuffed packet and then sends
    the other one, because it drops what its own addStuffing returns."""

    def addStuffing(self, packet):
        packet[:] = super().addStuffing(packet)
        return packet


dice = random.Random(3)


def byte():
    return dice.choice([0xFF, 0xFD, dice.randrange(256), dice.randrange(256)])


def some(most):
    return [byte() for _ in range(dice.randint(1, most))]


def capture(send):
    port = Port()
    send(port)
    return port.written.hex()


def feetech(kind, rows):
    handler = scservo_sdk.PacketHandler(0)
    id_, address, width = dice.randrange(253), dice.randrange(256), dice.randint(1, 8)
    ids = dice.sample(range(253), dice.randint(1, 20))
    data = some(60)
    case = {"kind": kind, "id": id_}
    if kind == "ping":
        send = lambda port: handler.ping(port, id_)
    elif kind == "action":
        send = lambda port: handler.action(port, id_)
    elif kind == "read":
        case |= {"address": address, "width": width}
        send = lambda port: handler.readTx(port, id_, address, width)
    elif kind == "write":
        case |= {"address": address, "data": bytes(data).hex()}
        send = lambda port: handler.writeTxOnly(port, id_, address, len(data), data)
    elif kind == "reg_write":
        case |= {"address": address, "data": bytes(data).hex()}
        send = lambda port: handler.regWriteTxOnly(port, id_, address, len(data), data)
    elif kind == "sync_read":
        case |= {"id": 254, "address": address, "width": width, "data": bytes(ids).hex()}
        send = lambda port: handler.syncReadTx(port, address, width, ids, len(ids))
    elif kind == "sync_write":
        param = [b for i in ids for b in [i, *(byte() for _ in range(width))]]
        case |= {"id": 254, "address": address, "width": width, "data": bytes(param).hex()}
        send = lambda port: handler.syncWriteTxOnly(port, address, width, param, len(param))
    rows.append(case | {"packet": capture(send)})


def dynamixel(kind, rows):
    handler = Stuffing()
    id_, address, width = dice.randrange(253), dice.randrange(65536), dice.randint(1, 8)
    ids = dice.sample(range(253), dice.randint(1, 20))
    data = some(60)
    case = {"kind": kind, "id": id_}
    if kind == "ping":
        send = lambda port: handler.ping(port, id_)
    elif kind == "action":
        send = lambda port: handler.action(port, id_)
    elif kind == "reboot":
        send = lambda port: handler.reboot(port, id_)
    elif kind == "factory_reset":
        keep = dice.choice([0xFF, 0x01, 0x02])
        case |= {"width": keep}
        send = lambda port: handler.factoryReset(port, id_, keep)
    elif kind == "read":
        case |= {"address": address, "width": width}
        send = lambda port: handler.readTx(port, id_, address, width)
    elif kind == "write":
        case |= {"address": address, "data": bytes(data).hex()}
        send = lambda port: handler.writeTxOnly(port, id_, address, len(data), data)
    elif kind == "reg_write":
        case |= {"address": address, "data": bytes(data).hex()}
        send = lambda port: handler.regWriteTxOnly(port, id_, address, len(data), data)
    elif kind in ("sync_read", "fast_sync_read"):
        case |= {"id": 254, "address": address, "width": width, "data": bytes(ids).hex()}
        fast = kind.startswith("fast")
        send = lambda port: handler.syncReadTx(port, address, width, ids, len(ids), fast)
    elif kind == "sync_write":
        param = [b for i in ids for b in [i, *(byte() for _ in range(width))]]
        case |= {"id": 254, "address": address, "width": width, "data": bytes(param).hex()}
        send = lambda port: handler.syncWriteTxOnly(port, address, width, param, len(param))
    elif kind == "bulk_read":
        param = [b for i in ids for b in [i, byte(), byte(), width, 0]]
        case |= {"id": 254, "data": bytes(param).hex()}
        send = lambda port: handler.bulkReadTx(port, param, len(param), False)
    rows.append(case | {"packet": capture(send)})


FEETECH = ["ping", "action", "read", "write", "reg_write", "sync_read", "sync_write"]
DYNAMIXEL = FEETECH + ["reboot", "factory_reset", "fast_sync_read", "bulk_read"]


def words():
    """How each series orders the bytes of one register: the SDK's own two-byte write."""
    rows = []
    for end in (0, 1):
        handler = scservo_sdk.PacketHandler(end)
        for value in (0, 1, 0x0123, 0xFFFE):
            packet = capture(lambda port: handler.write2ByteTxOnly(port, 1, 42, value))
            rows.append({"end": end, "value": value, "packet": packet})
    return rows


def main():
    golden = {
        "made_with": {name: version(name) for name in ("feetech-servo-sdk", "dynamixel-sdk")},
        "feetech": [],
        "dynamixel": [],
        "words": words(),
    }
    for _ in range(12):
        for kind in FEETECH:
            feetech(kind, golden["feetech"])
        for kind in DYNAMIXEL:
            dynamixel(kind, golden["dynamixel"])
    # One case per line keeps changes readable.
    text = json.dumps(golden, separators=(",", ":")).replace('},{"kind"', '},\n{"kind"')
    Path(__file__).with_name("golden.json").write_text(text + "\n")


if __name__ == "__main__":
    main()
