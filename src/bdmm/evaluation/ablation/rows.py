"""The paper's ablations as rows of data: what each leaves out of the network or of the losses."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType

from bdmm.config import ABLATIONS
from bdmm.errors import InputError
from bdmm.metrics.published import OURS, TABLE_2, TABLE_S1, PublishedTable, PublishedValue
from bdmm.training.settings import TrainSettings


@dataclass(frozen=True)
class Ablation:
    """A row of Table 2 or of Table S1.

    Attributes:
        key: short name, for options and folders.
        name: as the paper's table has it.
        table: that table; None for the full model, which both have.
        network: settings of the network that are turned off.
        losses: losses whose weight becomes 0.
    """

    key: str
    name: str
    table: PublishedTable | None = None
    network: tuple[str, ...] = ()
    losses: tuple[str, ...] = ()

    def published(self) -> Mapping[str, PublishedValue]:
        """Return metric -> number that the paper prints for this row."""
        return (self.table or TABLE_2).rows[self.name if self.table else OURS]


FULL = Ablation("full", OURS)
"""What everything is compared with."""

_NETWORK_KEYS = {
    "no-dmm": "DMM",
    "no-dcn": "DCN",
    "no-style-weight": "style weight",
    "no-feature-concat": "feature concat",
    "no-motion-mask": "motion mask",
    "no-forward": "forward propagation",
    "no-backward": "backward propagation",
    "no-structural-recurrence": "recurrent structural flow",
}
# A head of layers has more L1 distances of colours than the paper's one.
_LOSSES = {
    "no-l1": ("L1 loss", ("reconstruction", "person", "synthesis")),
    "no-perceptual": ("perceptual loss", ("perceptual",)),
    "no-style-loss": ("style loss", ("style",)),
    "no-cx": ("CX loss", ("contextual",)),
    "no-spatial-adversary": ("spatial adv loss", ("spatial_adversarial",)),
    "no-temporal-adversary": ("temporal adv loss", ("temporal_adversarial",)),
}

ROWS: Mapping[str, Ablation] = MappingProxyType(
    {FULL.key: FULL}
    | {
        key: Ablation(key, f"w/o {part}", TABLE_2, network=(ABLATIONS[part],))
        for key, part in _NETWORK_KEYS.items()
    }
    | {
        key: Ablation(key, f"w/o {part}", TABLE_S1, losses=losses)
        for key, (part, losses) in _LOSSES.items()
    }
)
"""The full model, the 8 rows of Table 2 and the 6 of Table S1, by their short names."""


def ablated(base: TrainSettings, row: Ablation, seed: int) -> TrainSettings:
    """Return the settings of a row: those of the full model but for what it leaves out.

    Args:
        base: of the full model.
        row: the row.
        seed: decides the first weights and the samples, alike for all rows.
    """
    return replace(
        base,
        network=replace(base.network, **dict.fromkeys(row.network, False)),
        losses=replace(base.losses, **dict.fromkeys(row.losses, 0.0)),
        seed=seed,
    )


def changes(base: TrainSettings, row: Ablation) -> bool:
    """Tell whether a row differs from the full model: not where that lacks the part as well."""
    return row.table is None or ablated(base, row, base.seed) != base


def choose_rows(base: TrainSettings, keys: Sequence[str] = ()) -> list[Ablation]:
    """Return rows in the paper's order, always with the full model.

    Args:
        base: of the full model.
        keys: short names; all rows that change something if there are none.

    Raises:
        InputError: a name is unknown, or its row would be the full model again.
    """
    for key in keys:
        if key not in ROWS:
            raise InputError(f"There is no row {key!r:.40}; choose from {', '.join(ROWS)}.")
        if not changes(base, ROWS[key]):
            raise InputError(
                f"The preset {base.preset} does without what the row {key} leaves out: the row "
                "would be the full model again; leave it out."
            )
    wanted = {*keys, FULL.key} if keys else {key for key in ROWS if changes(base, ROWS[key])}
    return [row for key, row in ROWS.items() if key in wanted]
