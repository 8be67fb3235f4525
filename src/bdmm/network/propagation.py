"""Bidirectional propagation of the warped source's features along time (equations 6 and 7)."""

from collections.abc import Sequence

from torch import nn

from bdmm.config import NetworkConfig
from bdmm.network.layers import AnyScale, ResidualBlock
from bdmm.records import PropagationState

Scales = Sequence[Sequence[AnyScale]]
"""For each propagated scale, coarse to fine, the features of each frame in the order of time."""


class Propagation(nn.Module):
    """One direction of time: at each scale, coarse to fine, a recurrence with its own weights."""

    def __init__(self, config: NetworkConfig, *, backward: bool = False) -> None:
        """Build one residual block for each propagated scale."""
        super().__init__()
        self.backward = backward
        self.steps = nn.ModuleList(
            ResidualBlock(
                2 * width, width, config.slope, config.norm, bounded=config.bounded_states
            )
            for width in config.widths[-2::-1]
        )

    def forward(self, scales: Scales, initial: Sequence[AnyScale]) -> Scales:
        """Carry features along a window.

        Args:
            scales: for each scale the features of each frame, in the order of time.
            initial: for each scale the state from outside the window: what the frame before the
                first left (forward), or the features of the frame after the last (backward).

        Returns:
            For each scale the propagated features of each frame, in the order of time.
        """
        direction = -1 if self.backward else 1
        return [
            propagate(step, features[::direction], outside)[::direction]
            for step, features, outside in zip(self.steps, scales, initial, strict=True)
        ]


def propagate(step: nn.Module, features: Sequence[AnyScale], state: AnyScale) -> list[AnyScale]:
    """Run a recurrence: ``state_i = step(features_i, state_(i-1))``."""
    states = []
    for frame in features:
        state = step(frame, state)
        states.append(state)
    return states


def detached(state: PropagationState) -> PropagationState:
    """Cut a state from the graph that made it: training back-propagates within one window."""
    last = state.last_generated
    return PropagationState(
        structural=state.structural.detach(),
        forward=tuple(features.detach() for features in state.forward),
        last_generated=None if last is None else last.detach(),
    )
