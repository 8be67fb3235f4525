"""`bdmm convert`: the paper's released generator weights into ours, and back."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from bdmm.cli.report import say
from bdmm.files.output_file import check_output


@dataclass(frozen=True)
class Convert:
    """Turn the paper's released generator weights (.pth) into a bdmm weights file, or one back.

    $ bdmm convert latest_net_G.pth -o released.safetensors
    """

    weights: tyro.conf.Positional[Path]
    """The released file, mostly named latest_net_G.pth; or a bdmm weights file made from one."""
    output: Annotated[Path, tyro.conf.arg(aliases=["-o"])]
    """Where to write: NAME.safetensors for bdmm, or NAME.pth for the released code."""

    def run(self) -> None:
        """Convert, and say what was written."""
        check_output(self.output, (".safetensors", ".pth"))
        from bdmm.network import weights as files  # here, since torch takes seconds to import

        if self.output.suffix.lower() == ".pth":
            config, tensors = files.load_all(self.weights)
            files.write_released(self.output, config, tensors)
        else:
            config, tensors = files.read_released(self.weights)
            files.save_weights(self.output, tensors, config)
        count = sum(value.numel() for value in tensors.values())
        say(
            f"{self.output}: the released generator, {config.joints} joints, "
            f"{count / 1e6:.2f} million numbers."
        )
