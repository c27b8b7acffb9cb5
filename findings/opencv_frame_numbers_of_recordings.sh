#!/bin/sh
# opencv-python-headless 5.0.0.93, on files of PyAV 18.1.0. In a video whose frames last for different times, as screen
# recorders and meetings write it, CAP_PROP_FRAME_COUNT and CAP_PROP_POS_FRAMES are times at a constant rate, not numbers of
# frames: of eleven frames that are sampled evenly, most cannot be read or are others. Reading in order gives all frames. The
# documentation has "number of frames in the video file" and "index of the frame to be decoded next".
# Output seen, of 110 frames, of which the first 10 last a second each:
#     WebM, count 350: 0 -> 0, 34 -> 34, 69 -> 69, 104 -> 104, 139 -> no frame, 174 -> no frame, 209 -> no frame, ...
#     MP4, count 110: 0 -> 0, 10 -> 10, 21 -> 21, 32 -> 18, 43 -> 22, 54 -> 27, 65 -> 24, 76 -> 28, 87 -> 25, ...
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder" || exit 2
"$folder/bin/pip" install --quiet opencv-python-headless==5.0.0.93 av==18.1.0 numpy==2.4.6 || exit 2
"$folder/bin/python" - "$folder" <<'EOF'
import pathlib
import sys
from fractions import Fraction

import av
import cv2
import numpy as np

TICKS = [*range(0, 250, 25), *range(250, 350)]  # of 1/25 s: ten frames of a second, then a hundred of a tick


def record(path, codec, pixels):
    with av.open(path, "w") as output:
        stream = output.add_stream(codec, rate=25)
        stream.width = stream.height = 64
        stream.pix_fmt, stream.codec_context.time_base = pixels, Fraction(1, 25)
        for number, tick in enumerate(TICKS):
            frame = av.VideoFrame.from_ndarray(np.full((64, 64, 3), 20 + 2 * number, np.uint8), format="rgb24")
            frame.pts, frame.time_base = tick, Fraction(1, 25)
            output.mux(stream.encode(frame))
        output.mux(stream.encode(None))


def sample(path):
    """Return the count of frames, how many can be read, and the frames at eleven positions, by their brightness."""
    capture, levels = cv2.VideoCapture(path), []
    while (read := capture.read())[0]:
        levels.append(read[1].mean())
    count, found = int(capture.get(cv2.CAP_PROP_FRAME_COUNT)), {}
    for position in np.linspace(0, count - 1, 11).astype(int).tolist():
        capture.set(cv2.CAP_PROP_POS_FRAMES, position)
        success, frame = capture.read()
        found[position] = int(np.abs(np.array(levels) - frame.mean()).argmin()) if success else None
    return count, len(levels), found


seen = {}
for name, ending, codec, pixels in (("WebM", "webm", "libvpx", "yuv420p"), ("MP4", "mp4", "mjpeg", "yuvj420p")):
    path = str(pathlib.Path(sys.argv[1], f"recording.{ending}"))
    record(path, codec, pixels)
    seen[name] = count, frames, found = sample(path)
    pairs = [f"{position} -> {'no frame' if frame is None else frame}" for position, frame in found.items()]
    print(f"{name}, count {count}: {', '.join(pairs)}")
assert seen["WebM"][:2] == (350, 110)
assert list(seen["WebM"][2].values()).count(None) >= 5
assert seen["MP4"][:2] == (110, 110)
assert sum(position != frame for position, frame in seen["MP4"][2].items()) >= 5
EOF
