"""Size, PSNR and SSIM of a clip as we coded it, and as LeRobot would have.

    quality_peer.py CLIP.rgb CLIP.mp4       raw frames of 640x480, and our video of them
"""

import pathlib
import sys
import time

import av
import numpy as np

WIDTH, HEIGHT, FPS = 640, 480, 30
raw = np.fromfile(sys.argv[1], np.uint8).reshape(-1, HEIGHT, WIDTH, 3)


def luma(rgb):
    return rgb.astype(np.float64) @ np.array([0.299, 0.587, 0.114])


def mean8(plane):
    """Means over every window of eight by eight."""
    total = np.pad(plane, ((1, 0), (1, 0))).cumsum(0).cumsum(1)
    return (total[8:, 8:] - total[:-8, 8:] - total[8:, :-8] + total[:-8, :-8]) / 64


def ssim(a, b):
    c1, c2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
    ma, mb = mean8(a), mean8(b)
    va, vb, both = mean8(a * a) - ma * ma, mean8(b * b) - mb * mb, mean8(a * b) - ma * mb
    return float((((2 * ma * mb + c1) * (2 * both + c2)) / ((ma**2 + mb**2 + c1) * (va + vb + c2))).mean())


def judge(name, path):
    with av.open(str(path)) as video:
        frames = [frame.to_ndarray(format="rgb24") for frame in video.decode(video=0)]
    assert len(frames) == len(raw), (len(frames), len(raw))
    pairs = [(luma(ours), luma(source)) for ours, source in zip(frames, raw)]
    noise = [10 * np.log10(255**2 / max(np.mean((a - b) ** 2), 1e-9)) for a, b in pairs]
    alike = [ssim(a, b) for a, b in pairs]
    size = pathlib.Path(path).stat().st_size / len(raw)
    print(f"{name:<28} {size:9.0f} bytes a frame, PSNR {np.mean(noise):6.2f} dB, SSIM {np.mean(alike):.4f}")
    return np.mean(alike), np.log(size)


def encode(path, crf):
    begun = time.process_time()
    with av.open(str(path), "w") as video:
        stream = video.add_stream("libsvtav1", FPS, options={"g": "2", "crf": str(crf), "preset": "12"})
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        for image in raw:
            video.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        video.mux(stream.encode())
    return (time.process_time() - begun) / len(raw) * 1e3


ours = judge("ours, H.264", sys.argv[2])
theirs = pathlib.Path(sys.argv[1]).with_name("theirs.mp4")
curve = []
for crf in (34, 33, 32, 31, 30, 29, 28):
    cost = encode(theirs, crf)
    curve.append(judge(f"SVT-AV1 preset 12, crf {crf}", theirs))
    if crf == 30:
        print(f"  LeRobot's default: {cost:.1f} ms CPU a frame; ours takes {np.exp(ours[1] - curve[-1][1]):.2f} times the bytes")
alike, sizes = zip(*sorted(curve))
assert alike[0] <= ours[0] <= alike[-1], "ours lies outside of what was tried"
print(f"at equal SSIM ours takes {np.exp(ours[1] - np.interp(ours[0], alike, sizes)):.2f} times the bytes")
