"""Make the shipped weights that refine fits: ``python tools/pack_refiner.py RUN [-o FILE]``.

Takes the averaged weights of a run of ``recipes/train_refiner.py`` in half precision and prints
size and checksum, which the model card ``fit_refiner.md`` next to the file must name.
"""

import argparse
from pathlib import Path

from safetensors.torch import load_file, save_file

from bdmm.network.weights import digest
from bdmm.perception.fit_refiner import FitRefiner

FILE = Path(__file__).resolve().parents[1] / "src/bdmm/assets/weights/fit_refiner.safetensors"


def pack(run: Path, file: Path) -> str:
    """Write a run's averaged weights in half precision; return what was written, in words."""
    tensors = load_file(run / "refiner.safetensors" if run.is_dir() else run)
    FitRefiner().load_state_dict(tensors)
    halves = {name: value.half() for name, value in tensors.items()}
    save_file(halves, file)
    file.chmod(0o644)
    size = file.stat().st_size
    return f"{file.name}: {size / 2**20:.2f} MiB, tensors' SHA-256 {digest(halves)}"


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Make the shipped weights that refine fits.")
    parser.add_argument("run", type=Path, metavar="RUN", help="folder or file")
    parser.add_argument("-o", "--output", type=Path, default=FILE, help="file of the weights")
    options = parser.parse_args()
    print(pack(options.run, options.output))
