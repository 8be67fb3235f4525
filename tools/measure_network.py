"""Measure what folding, batching and fast kernels gain: seconds per frame, in one run.

    python tools/measure_network.py [--preset released] [--size 256] [--threads 2]

Three forms of the same network make the same window, turn by turn, so that whatever else the
machine does meets all alike; the medians are compared.

plain      per frame: encoders one frame at a time, kernels made anew for each frame and applied as
           grouped convolutions, deformable convolution by its specification
folded     kernels made once, encoders over the whole window at once, fast deformable convolution
fast       folded, and Winograd's convolutions (`bdmm.network.acceleration`): what inference runs
"""

import argparse
import copy
import statistics
import time
from collections.abc import Callable

import torch
from torch import Tensor, nn

from bdmm.config import PRESETS
from bdmm.network.acceleration import accelerate
from bdmm.network.generator import Generator
from bdmm.network.layers import StyledLayer

FRAMES = 6
Window = tuple[Tensor, Tensor, Tensor, Tensor]


def random_window(generator: Generator, size: int) -> Window:
    """Make a source, poses, grids of a smooth motion, and the grid after them."""
    source = torch.rand(1, 3, size, size) * 2 - 1
    poses = torch.rand(1, FRAMES, generator.config.joints, size, size)
    centres = (torch.arange(size) + 0.5) * 2 / size - 1
    still = torch.stack(torch.meshgrid(centres, centres, indexing="xy"), -1)
    grids = torch.stack([still * 0.9 + 0.02 * i for i in range(FRAMES + 1)])[None]
    return source, poses, grids[:, :FRAMES], grids[:, FRAMES]


def plain_form(generator: Generator, window: Window) -> Tensor:
    """Make a window frame by frame, keeping nothing from one frame for the next but the states."""
    source, poses, grids, after = window
    frames = [*grids.unbind(1), after]
    encoded = [generator.encode_warped(source, grid[:, None], None, None)[0] for grid in frames]
    warped = [[frame[scale][0] for frame in encoded] for scale in range(len(encoded[0]))]
    inside = [scale[:-1] for scale in warped]
    forward, backward = generator.forward_propagation, generator.backward_propagation
    assert forward is not None
    assert backward is not None
    past = forward(inside, [scale[0] for scale in inside])
    future = backward(inside, [scale[-1] for scale in warped])
    style = generator.style_encoder(source)

    structural, previous, made = None, source, []
    for i, pose in enumerate(poses.unbind(1)):
        seen = torch.cat((pose, previous), 1) if generator.config.feeds_back else pose
        structure = generator.structural_encoder(seen)
        structural = generator.structural_encoder.next_state(structure, structural)
        previous = generator.decoder(
            structural,
            [scale[i] for scale in past],
            [scale[i] for scale in future],
            generator.fold_style(style),
        )
        made.append(previous)
    return torch.stack(made, 1)


def use_reference_kernels(network: nn.Module) -> None:
    """Switch every styled layer to the twin that is the specification."""
    for module in network.modules():
        if isinstance(module, StyledLayer):
            module.twin = "reference"


def measure(
    forms: dict[str, Callable[[], Tensor]], rounds: int, clock: Callable[[], float]
) -> dict[str, float]:
    """Return each form's median of seconds per frame, after one round that does not count."""
    seconds: dict[str, list[float]] = {name: [] for name in forms}
    for _ in range(rounds + 1):
        for name, form in forms.items():
            start = clock()
            form()
            seconds[name].append((clock() - start) / FRAMES)
    return {name: statistics.median(values[1:]) for name, values in seconds.items()}


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description="Seconds per frame of the generator's forms.")
    parser.add_argument("--preset", default="released", choices=sorted(PRESETS))
    parser.add_argument("--size", type=int, default=256)
    parser.add_argument("--windows", type=int, default=3, help="windows timed for each form")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument(
        "--cpu-time", action="store_true", help="processor seconds: for a machine that is busy"
    )
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    torch.manual_seed(0)
    folded = Generator(PRESETS[options.preset]).eval()
    for name, parameter in folded.named_parameters():
        if ".offset." in name or ".mask." in name:  # else no tap would move
            nn.init.normal_(parameter, std=0.03)
    plain, fast = copy.deepcopy(folded), accelerate(copy.deepcopy(folded))
    use_reference_kernels(plain)
    window = random_window(folded, options.size)
    source, poses, grids, after = window
    with torch.inference_mode():
        kernels = folded.fold(source)
        forms = {
            "plain": lambda: plain_form(plain, window),
            "folded": lambda: folded(source, poses, grids, None, after, None, kernels)[0],
            "fast": lambda: fast(source, poses, grids, None, after, None, kernels)[0],
        }
        frames = {name: form() for name, form in forms.items()}
        clock = time.process_time if options.cpu_time else time.perf_counter
        seconds = measure(forms, options.windows, clock)
    for name, value in seconds.items():
        difference = (frames[name] - frames["plain"]).abs().max().item()
        print(
            f"{name:7} {value:6.3f} s/frame, {seconds['plain'] / value:5.2f} x plain, "
            f"frames differ by at most {difference:.1e}"
        )


if __name__ == "__main__":
    main()
