"""Make the shipped weights: ``python tools/pack_weights.py RUN [FILE]``.

Takes the averaged weights of a run of ``recipes/train_layered.py``, in half precision, and tells
size and checksum; the model card ``layered.md`` beside the file must name the checksum.
"""

import sys
from pathlib import Path

from bdmm.network.weights import digest, load_weights, save_weights

FILE = Path(__file__).resolve().parents[1] / "src/bdmm/assets/weights/layered.safetensors"
LARGEST = 16 * 2**20


def pack(run: Path, file: Path) -> str:
    """Write the weights of a run in half precision; return what was written, in words."""
    config, tensors = load_weights(run)
    halves = {name: value.half() for name, value in tensors.items()}
    save_weights(file, halves, config)
    size = file.stat().st_size
    if size > LARGEST:
        raise SystemExit(f"{file} has {size} bytes, more than the {LARGEST} that may ship.")
    return f"{file.name}: {size / 2**20:.2f} MiB, tensors' SHA-256 {digest(halves)}"


if __name__ == "__main__":
    if len(sys.argv) not in (2, 3):
        raise SystemExit(__doc__)
    sys.stdout.write(pack(Path(sys.argv[1]), Path((sys.argv[2:] or [FILE])[0])) + "\n")
