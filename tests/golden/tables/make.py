"""Writes LeRobot's register tables, models and baud codes to golden.json beside this file.

    python make.py        (an environment with lerobot[feetech,dynamixel]; see tests/peers/setup)
"""

import json
from importlib.metadata import version
from pathlib import Path

from lerobot.motors.dynamixel import tables as dynamixel
from lerobot.motors.feetech import tables as feetech


def series(tables, name, models, kind):
    sign = {key: [kind, bits] for key, bits in tables.MODEL_ENCODING_TABLE[name].items()}
    table = tables.MODEL_CONTROL_TABLE[name]
    return {
        "registers": [[key, *place, sign.get(key)] for key, place in table.items()],
        "bauds": sorted(map(list, tables.MODEL_BAUDRATE_TABLE[name].items())),
        "models": [
            [model, tables.MODEL_NUMBER_TABLE[model], tables.MODEL_RESOLUTION[model]]
            for model in models
        ],
    }


def models_like(tables, name):
    table = tables.MODEL_CONTROL_TABLE[name]
    return [m for m in tables.MODEL_NUMBER_TABLE if tables.MODEL_CONTROL_TABLE[m] is table]


golden = {
    "made_with": {"lerobot": version("lerobot")},
    "series": {
        "sts": series(feetech, "sts_series", models_like(feetech, "sts_series"), "magnitude"),
        "scs": series(feetech, "scs_series", models_like(feetech, "scs_series"), "magnitude"),
        "dynamixel-x": series(dynamixel, "x_series", models_like(dynamixel, "x_series"), "twos"),
    },
}

if __name__ == "__main__":
    out = Path(__file__).with_name("golden.json")
    rows = json.dumps(golden, indent=1)
    out.write_text(rows + "\n")
