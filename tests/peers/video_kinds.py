"""PyAV makes one small video of every kind that FFmpeg decodes for Sinew, in DIR.

    video_kinds.py DIR

Beside NAME.mp4 lie NAME.rgb, the frames as PyAV shows them, and NAME.times, when each is shown, in
seconds. Kinds that this PyAV cannot make are left out. Says on its last line which there are.
"""

import json
import pathlib
import sys

import av
import numpy as np

WIDTH, HEIGHT, FRAMES = 98, 50, 24
QUIET = "log-level=none"
KINDS = {
    "h264_b_frames": ("libx264", "yuv420p", {"g": "12", "bf": "3", "profile": "high"}),
    "h264_444": ("libx264", "yuv444p", {"g": "2"}),
    "h264_422": ("libx264", "yuv422p", {"g": "2"}),
    "h264_10_bits": ("libx264", "yuv420p10le", {"g": "4", "bf": "2"}),
    "hevc_lerobot": ("libx265", "yuv420p", {"g": "2", "crf": "30", "x265-params": QUIET}),
    "hevc_b_frames": ("libx265", "yuv420p", {"g": "10", "bf": "4", "x265-params": QUIET}),
    "hevc_10_bits": ("libx265", "yuv420p10le", {"g": "5", "x265-params": QUIET}),
    "vp9": ("libvpx-vp9", "yuv420p", {"g": "8"}),
    "vp9_444": ("libvpx-vp9", "yuv444p", {"g": "8"}),
    "av1_10_bits": ("libsvtav1", "yuv420p10le", {"g": "2", "crf": "30", "preset": "12"}),
    "mpeg4": ("mpeg4", "yuv420p", {"g": "6", "bf": "2"}),
}


def picture(n):
    y, x = np.mgrid[0:HEIGHT, 0:WIDTH]
    rgb = np.stack([x * 255 // WIDTH, y * 255 // HEIGHT, (x * 3 + y * 5 + n * 12) % 256], -1)
    rgb[8:24, n * 3 % 80 : n * 3 % 80 + 16] = [230, 60, 40]
    return rgb.astype(np.uint8)


def make(path, codec, pix_fmt, options):
    with av.open(str(path), "w") as out:
        stream = out.add_stream(codec, 30, options=options)
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, pix_fmt
        for n in range(FRAMES):
            out.mux(stream.encode(av.VideoFrame.from_ndarray(picture(n), "rgb24")))
        out.mux(stream.encode())


folder = pathlib.Path(sys.argv[1])
made = []
for name, (codec, pix_fmt, options) in KINDS.items():
    if codec not in av.codecs_available:
        continue
    path = folder / f"{name}.mp4"
    make(path, codec, pix_fmt, options)
    with av.open(str(path)) as file:
        frames = list(file.decode(video=0))
    assert len(frames) == FRAMES, (name, len(frames))
    path.with_suffix(".rgb").write_bytes(b"".join(f.to_ndarray(format="rgb24").tobytes() for f in frames))
    path.with_suffix(".times").write_text(json.dumps([float(f.pts * f.time_base) for f in frames]))
    made.append(name)
print(json.dumps(made))
