"""PyAV, torchcodec and LeRobot read videos that Sinew wrote.

    video_files.py FPS FILE.mp4...

Every frame must be at its exact time, n / FPS, and be a keyframe or follow one, and LeRobot's own
`decode_video_frames` must find each by its time within its tolerance, with both its decoders.
Where FILE.rgb lies beside FILE.mp4 it holds the frames as Sinew reads them, 24 bits per pixel, and
PyAV's must be the same to the last bit. Says on its last line how many checks there were.
"""

import json
import pathlib
import sys
from fractions import Fraction

import torchcodec_libraries

torchcodec_libraries.lend()

import av  # noqa: E402
import torch  # noqa: E402
from lerobot.datasets.video_utils import decode_video_frames, get_video_info  # noqa: E402
from torchcodec.decoders import VideoDecoder  # noqa: E402

TOLERANCE_S = 1e-4
checks = 0


def check(holds, *what):
    global checks
    checks += 1
    assert holds, what


def with_pyav(path, fps):
    """Exact times from the packets and from the frames; the frames' pixels."""
    with av.open(str(path)) as file:
        stream = file.streams.video[0]
        packets = [packet for packet in file.demux(stream) if packet.size]
        for n, packet in enumerate(packets):
            check(packet.pts * packet.time_base == Fraction(n, fps), path, "packet", n, packet)
            check(packet.dts == packet.pts, path, "packet", n, packet)
            check(packet.is_keyframe or packets[n - 1].is_keyframe, path, "keyframe", n, packet)
        check(stream.frames == len(packets), path, stream.frames, len(packets))
        check(stream.average_rate == fps, path, stream.average_rate)
        check(stream.duration * stream.time_base == Fraction(len(packets), fps), path, stream)
        check(stream.pix_fmt == "yuv420p", path, stream.pix_fmt)
    with av.open(str(path)) as file:
        frames = list(file.decode(video=0))
    check(len(frames) == len(packets), path, len(frames), len(packets))
    for n, frame in enumerate(frames):
        check(frame.pts * frame.time_base == Fraction(n, fps), path, "frame", n, frame)
    return [frame.to_ndarray(format="rgb24") for frame in frames]


def with_torchcodec(path, fps, count):
    for mode in ["exact", "approximate"]:
        decoder = VideoDecoder(str(path), seek_mode=mode)
        check(len(decoder) == count, path, mode, len(decoder))
        check(abs(decoder.metadata.average_fps - fps) < 1e-6, path, mode, decoder.metadata)
        for n in range(count):
            pts = decoder.get_frame_at(n).pts_seconds
            check(abs(pts - n / fps) < 1e-9, path, mode, n, pts)


def with_lerobot(path, fps, frames):
    info = get_video_info(str(path))
    check(info["video.codec"] in ("h264", "hevc", "av1") and info["video.fps"] == fps, path, info)
    check(info["has_audio"] is False, path, info)
    times = [n / fps for n in range(len(frames))]
    for backend in ["torchcodec", "pyav"]:
        whole = decode_video_frames(str(path), times, TOLERANCE_S, backend)
        check(len(whole) == len(frames), path, backend, whole.shape)
        for n in [*range(0, len(frames), 3), len(frames) - 1, 1, 0]:
            one = decode_video_frames(str(path), [times[n]], TOLERANCE_S, backend)
            check(torch.equal(one[0], whole[n]), path, backend, "frame", n)
        for n, frame in enumerate(frames):
            shown = (whole[n] * 255).round().to(torch.uint8).permute(1, 2, 0).numpy()
            off = abs(shown.astype(int) - frame.astype(int)).max()
            check(off == 0 if backend == "pyav" else off <= 3, path, backend, "frame", n, off)


for name in sys.argv[2:]:
    path, fps = pathlib.Path(name), int(sys.argv[1])
    frames = with_pyav(path, fps)
    read = path.with_suffix(".rgb")
    if read.exists():
        check(read.read_bytes() == b"".join(frame.tobytes() for frame in frames), path, "colours")
    with_torchcodec(path, fps, len(frames))
    with_lerobot(path, fps, frames)
torchcodec_libraries.give_back()
print(json.dumps({"checks": checks}))
