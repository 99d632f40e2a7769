"""Writes LeRobot's own conversions between counts and units to golden.json beside this file.

For every calibration and unit: a hash of the results for all counts, a hash of the way back, and
a few results in full. Values are hashed bit by bit (FNV-1a, 64 bit, little-endian).

    python make.py        (an environment with lerobot[feetech,dynamixel]; see tests/peers/setup)
"""

import json
import random
import struct
from importlib.metadata import version
from pathlib import Path

from lerobot.motors import Motor, MotorCalibration, MotorNormMode
from lerobot.motors.dynamixel import DynamixelMotorsBus
from lerobot.motors.feetech import FeetechMotorsBus

UNITS = [MotorNormMode.DEGREES, MotorNormMode.RANGE_M100_100, MotorNormMode.RANGE_0_100]
MODELS = {"sts3215": 4096, "scs0009": 1024, "xl330-m288": 4096}
# Counts beyond the turn on both sides belong to it: a servo may report them.
BEYOND = 512
# Units to convert back besides those that came out: beyond every range, and between counts.
ASKED = [-450.0 + step * 0.21875 for step in range(4096)]

dice = random.Random(3)


def fnv(pieces):
    value = 0xCBF29CE484222325
    for piece in pieces:
        for byte in piece:
            value = ((value ^ byte) * 0x100000001B3) & 0xFFFFFFFFFFFFFFFF
    return f"{value:016x}"


def bus_of(model, motor, calibration=None):
    known = calibration and {"joint": calibration}
    if model.startswith("xl"):
        return DynamixelMotorsBus("none", {"joint": motor}, known)
    protocol = 1 if model.startswith("scs") else 0
    return FeetechMotorsBus("none", {"joint": motor}, known, protocol_version=protocol)


def calibrations(counts):
    last = counts - 1
    yield 0, last
    yield 1, 2
    yield last, 0  # backwards: LeRobot takes it without complaint
    for _ in range(7):
        low, high = sorted(dice.sample(range(counts), 2))
        yield low, high
    yield -dice.randrange(1, 300), counts + dice.randrange(300)


def case(model, counts, unit, low, high, drive_mode):
    calibration = MotorCalibration(1, drive_mode, 0, low, high)
    bus = bus_of(model, Motor(1, model, unit), calibration)
    users = [bus._normalize({1: raw})[1] for raw in range(-BEYOND, counts + BEYOND)]
    backs = [bus._unnormalize({1: user})[1] for user in [*users, *ASKED]]
    shown = sorted({0, 1, low, (low + high) // 2, high, counts - 1})
    return {
        "model": model,
        "unit": unit.value,
        "min": low,
        "max": high,
        "drive_mode": drive_mode,
        "user": fnv(struct.pack("<d", float(user)) for user in users),
        "raw": fnv(struct.pack("<q", raw) for raw in backs),
        "shown": [
            [raw, struct.pack(">d", float(bus._normalize({1: raw})[1])).hex()] for raw in shown
        ],
    }


def homings():
    for model, counts in MODELS.items():
        bus = bus_of(model, Motor(1, model, MotorNormMode.DEGREES))
        offsets = [bus._get_half_turn_homings({"joint": raw})["joint"] for raw in range(counts)]
        step = offsets[1] - offsets[0]
        assert offsets == [offsets[0] + step * raw for raw in range(counts)]
        yield {"model": model, "first": offsets[0], "step": step}


def signs():
    """Every value a signed register takes, as its bytes travel."""
    for model in MODELS:
        bus = bus_of(model, Motor(1, model, MotorNormMode.DEGREES))
        for name in bus.model_encoding_table[model]:
            if name not in bus.model_ctrl_table[model]:
                continue
            width = bus.model_ctrl_table[model][name][1]
            values, bytes_ = [], []
            for value in [*range(-70000, 70001), -(2**31), 2**31 - 1]:
                try:
                    word = bus._encode_sign(name, {1: value})[1]
                except ValueError:
                    continue
                assert bus._decode_sign(name, {1: word})[1] == value
                values.append(value)
                bytes_.append(bytes(bus._serialize_data(word, width)))
            yield {"model": model, "register": name, "values": len(values), "bytes": fnv(bytes_)}


def main():
    golden = {
        "made_with": {"lerobot": version("lerobot")},
        "beyond": BEYOND,
        "homings": list(homings()),
        "signs": list(signs()),
        "cases": [
            case(model, counts, unit, low, high, drive_mode)
            for model, counts in MODELS.items()
            for low, high in calibrations(counts)
            for unit in UNITS
            for drive_mode in (0, 1)
        ],
    }
    text = json.dumps(golden, separators=(",", ":")).replace("},{", "},\n{")
    Path(__file__).with_name("golden.json").write_text(text + "\n")


if __name__ == "__main__":
    main()
