"""Makes the videos here, and golden.json: what PyAV, and so LeRobot, sees in them.

    python make.py path/to/lerobot_v30.mp4

lerobot_av1.mp4 is a file of a data set that LeRobot 0.6.1 recorded with its defaults (two episodes
of 40 frames, libsvtav1, a keyframe every 2 frames, crf 30, preset 12), copied as it is. The others
are encoded here: H.264 as LeRobot does when asked for it, H.264 with frames that are shown in
another order than decoded, and HEVC, which cannot be read.
"""

import json
import pathlib
import shutil
import sys
import zlib

import av
import numpy as np

HERE = pathlib.Path(__file__).parent
FRAMES = 20


def picture(n, width, height):
    y, x = np.mgrid[0:height, 0:width]
    rgb = np.stack([x * 255 // width, y * 255 // height, (x * 3 + y * 5 + n * 12) % 256], -1).astype(np.uint8)
    left = n * 3 % (width - 16)
    rgb[8:24, left : left + 16] = [230, 60, 40]
    return rgb


def encode(name, codec, options, width=64, height=48):
    with av.open(str(HERE / name), "w") as out:
        stream = out.add_stream(codec, 30, options=options)
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        for n in range(FRAMES):
            frame = av.VideoFrame.from_ndarray(picture(n, width, height), "rgb24")
            out.mux(stream.encode(frame))
        out.mux(stream.encode())


def describe(path):
    with av.open(str(path)) as file:
        stream = file.streams.video[0]
        frames = [(float(f.pts * f.time_base), zlib.crc32(f.to_ndarray(format="rgb24").tobytes())) for f in file.decode(stream)]
        return {
            "codec": stream.codec_context.codec.canonical_name,
            "pix_fmt": stream.pix_fmt,
            "size": [stream.width, stream.height],
            "fps": float(stream.average_rate),
            "times": [time for time, _ in frames],
            "crc32_of_rgb": [crc for _, crc in frames],
        }


shutil.copyfile(sys.argv[1], HERE / "lerobot_av1.mp4")
encode("h264_high.mp4", "libx264", {"g": "2", "crf": "23"})
encode("h264_reordered.mp4", "libx264", {"g": "10", "bf": "3", "crf": "23"}, 98, 50)
encode("hevc.mp4", "libx265", {"g": "2", "x265-params": "log-level=none"})
golden = {"versions": {"av": av.__version__, "libavcodec": ".".join(map(str, av.library_versions["libavcodec"]))}}
golden |= {path.stem: describe(path) for path in sorted(HERE.glob("*.mp4"))}
lines = [f"{json.dumps(name)}: {json.dumps(value)}" for name, value in golden.items()]
(HERE / "golden.json").write_text("{\n" + ",\n".join(lines) + "\n}\n")
