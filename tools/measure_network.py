"""Measure what folding, batching and fast kernels gain: seconds per frame, in one run.

    python tools/measure_network.py [--preset layered] [--size 256] [--threads 2] [--cpu-time]

Three forms of the same network make the same window, turn by turn, so that whatever else the
machine does meets all alike; the medians are compared. A plain convolution (48 to 48 channels,
128x128, channels last) is timed in between: how fast the machine is at the moment.

plain      per frame: encoders one frame at a time, kernels made anew for each frame and applied as
           grouped convolutions, deformable convolution by its specification
folded     kernels made once, encoders over the whole window at once, fast deformable convolution
fast       folded, and the kernels of `bdmm.network.acceleration`: what inference runs
"""

import argparse
import copy
import statistics
import time
from collections.abc import Callable
from dataclasses import replace

import torch
from torch import Tensor, nn
from torch.nn import functional

from bdmm.config import PRESETS
from bdmm.kernels.pose_heatmaps import window_heatmaps
from bdmm.network.acceleration import accelerate
from bdmm.network.generator import Generator
from bdmm.network.heads import Layers
from bdmm.network.layers import StyledLayer
from bdmm.records import Conditions, joints_of

FRAMES = 6


def random_window(joints: int, size: int) -> Conditions:
    """Make the conditions of a smooth motion."""
    centres = (torch.arange(size) + 0.5) * 2 / size - 1
    still = torch.stack(torch.meshgrid(centres, centres, indexing="xy"), -1)
    visible = torch.ones(1, FRAMES + 1, size, size, dtype=torch.long)
    every = Conditions(
        keypoints=torch.rand(1, FRAMES + 1, 29, 3) * size,
        source_grid=torch.stack([still * 0.9 + 0.02 * i for i in range(FRAMES + 1)])[None],
        state=visible,
        fallback=visible > 1,
        joints=joints_of(joints),
    )
    return every.frames(slice(0, FRAMES))


def plain_form(generator: Generator, image: Tensor, conditions: Conditions) -> Tensor:
    """Make a window frame by frame, keeping nothing from one frame for the next but the states."""
    foreground = torch.ones_like(image[:, :1])
    source, poses = generator.prepare(image, foreground), window_heatmaps(conditions)
    encoded = []
    for i in range(FRAMES + 1):
        last = i == FRAMES
        frame = conditions.after if last else conditions.frames(slice(i, i + 1))
        assert frame is not None
        alone = replace(frame, after=None)
        maps = generator.head.inputs(source.appearance, alone).maps
        encoded.append(generator.encode([], maps, []).inside)
    warped = [[frame[scale][0] for frame in encoded] for scale in range(len(encoded[0]))]
    inside = [scale[:-1] for scale in warped]
    forward, backward = generator.forward_propagation, generator.backward_propagation
    assert forward is not None
    assert backward is not None
    past = forward(inside, [scale[0] for scale in inside])
    future = backward(inside, [scale[-1] for scale in warped])
    structural, previous, made = None, image, []
    for i, pose in enumerate(poses.unbind(1)):
        seen = torch.cat((pose, previous), 1) if generator.config.feeds_back else pose
        structure = generator.structural_encoder(seen)
        structural = generator.structural_encoder.next_state(structure, structural)
        kernels = generator.prepare(image, foreground)
        features = generator.decoder(
            structural,
            [scale[i] for scale in past],
            [scale[i] for scale in future],
            kernels.kernels,
        )
        previous = generator.head.frame(features, kernels.head_kernel)
        made.append(previous)
    inputs = generator.head.inputs(source.appearance, conditions)
    return frames_of(generator.head(torch.stack(made, 1), inputs))


def frames_of(output: Tensor | Layers) -> Tensor:
    """Return frames, of layers the person."""
    return output.person if isinstance(output, Layers) else output


def use_reference_kernels(network: nn.Module) -> None:
    """Switch every styled layer to the reference implementation."""
    for module in network.modules():
        if isinstance(module, StyledLayer):
            module.implementation = "reference"


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
    parser.add_argument("--preset", default="released", choices=["layered", "paper", "released"])
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
    window = random_window(folded.config.joints, options.size)
    image = torch.rand(1, 3, options.size, options.size) * 2 - 1
    with torch.inference_mode():
        foreground = torch.ones_like(image[:, :1])
        source, fast_source = (one.prepare(image, foreground) for one in (folded, fast))
        x = torch.rand(1, 48, 128, 128).contiguous(memory_format=torch.channels_last)
        weight = torch.rand(48, 48, 3, 3).contiguous(memory_format=torch.channels_last)
        forms = {
            "plain": lambda: plain_form(plain, image, window),
            "folded": lambda: frames_of(folded(source, window)[0]),
            "fast": lambda: frames_of(fast(fast_source, window)[0]),
            "kernel": lambda: functional.conv2d(x, weight, padding=1),
        }
        frames = {name: form() for name, form in forms.items() if name != "kernel"}
        clock = time.process_time if options.cpu_time else time.perf_counter
        seconds = measure(forms, options.windows, clock)
    macs = weight.numel() * 128**2
    print(f"a plain convolution: {macs / (seconds.pop('kernel') * FRAMES) / 1e9:.0f} GMAC/s")
    for name, value in seconds.items():
        difference = (frames[name] - frames["plain"]).abs().max().item()
        print(
            f"{name:7} {value:6.3f} s/frame, {1 / value:5.2f} frames/s, "
            f"{seconds['plain'] / value:5.2f} x plain, frames differ by at most {difference:.1e}"
        )


if __name__ == "__main__":
    main()
