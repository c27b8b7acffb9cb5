#!/bin/sh
# mutagen 1.48.1, tinytag 2.3.2, on files of PyAV 18.1.0. A file that was written to a pipe cannot state its length at its
# start: a fragmented MP4 and a FLAC have no number of samples there, and a WAV the greatest one. Both libraries report a
# sound of 10 s as 0 s or as 12 hours, without an error. Decoding gives 10 s. tinytag also takes AAC (ADTS) for MP3.
# Output seen:
#     MP4 in fragments: mutagen 0.0, tinytag 0.0, decoded 10.0
#     FLAC to a pipe: mutagen 0.0, tinytag 0.0, decoded 10.0
#     WAV to a pipe: mutagen 44739.2, tinytag 44739.2, decoded 10.0
#     AAC: mutagen 10.0, tinytag 0.5, decoded 10.0
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder" || exit 2
"$folder/bin/pip" install --quiet mutagen==1.48.1 tinytag==2.3.2 av==18.1.0 numpy==2.4.6 || exit 2
"$folder/bin/python" - "$folder" <<'EOF'
import pathlib
import sys

import av
import mutagen
import numpy as np
import tinytag


class Pipe:
    def __init__(self):
        self.written = []

    def write(self, data):
        self.written.append(bytes(data))
        return len(data)


def sound(container, codec, options, seconds=10, rate=48000):
    with av.open(pipe := Pipe(), "w", format=container, options=options) as output:
        stream = output.add_stream(codec, rate=rate)
        stream.layout = "mono"
        for start in range(0, seconds * rate, 960):
            wave = np.sin(np.arange(start, start + 960) / 20, dtype=np.float32)[None] / 2
            frame = av.AudioFrame.from_ndarray(wave, format="fltp", layout="mono")
            frame.sample_rate, frame.pts = rate, start
            output.mux(stream.encode(frame))
        output.mux(stream.encode(None))
    return b"".join(pipe.written)


def decoded(path):
    with av.open(path) as file:
        return sum(frame.samples / frame.sample_rate for frame in file.decode(audio=0))


seen = {}
for name, ending, container, codec, options in (
    ("MP4 in fragments", "m4a", "mp4", "aac", {"movflags": "frag_keyframe+empty_moov"}),
    ("FLAC to a pipe", "flac", "flac", "flac", {}),
    ("WAV to a pipe", "wav", "wav", "pcm_s16le", {}),
    ("AAC", "aac", "adts", "aac", {}),
):
    path = pathlib.Path(sys.argv[1], f"sound.{ending}")
    path.write_bytes(sound(container, codec, options))
    lengths = (mutagen.File(path).info.length, tinytag.TinyTag.get(path).duration, decoded(path))
    seen[name] = lengths
    print(f"{name}: mutagen {lengths[0]:.1f}, tinytag {lengths[1]:.1f}, decoded {lengths[2]:.1f}")
assert seen["MP4 in fragments"][:2] == seen["FLAC to a pipe"][:2] == (0, 0)
assert min(seen["WAV to a pipe"][:2]) > 40000
assert seen["AAC"][1] < 5
assert all(9.9 < lengths[2] < 10.1 for lengths in seen.values())
EOF
