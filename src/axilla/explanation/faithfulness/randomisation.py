"""Do maps change when the model forgets what it learnt? A map that does not, shows the image."""

from collections.abc import Callable, Sequence
from typing import Final, Protocol

import numpy as np
import torch
from numpy.typing import NDArray

from axilla.explanation.faithfulness.model_randomisation import described_by, shuffled
from axilla.explanation.faithfulness.rank_correlation import rank_correlations
from axilla.explanation.methods.case_model import CaseModel, Described
from axilla.explanation.methods.explainer import Maps

SHUFFLES: Final = 2


class Explains(Protocol):
    """Whatever draws maps of a model's images, as `Explainer` does."""

    @property
    def method(self) -> str:
        """Its name."""
        ...

    def explain(self, described: Described, which: torch.Tensor) -> Maps:
        """Map images `which` (I,) of `described`."""
        ...


MakeExplains = Callable[[CaseModel], Explains]


def shuffles(
    model: CaseModel, described: Described, *, seed: int
) -> list[tuple[CaseModel, Described]]:
    """Return several shuffled models, each with what it makes of the images described."""
    models = [shuffled(model, seed=seed + k, described=described) for k in range(SHUFFLES)]
    return [(other, described_by(other, described)) for other in models]


def likeness(
    maps: Maps, decoys: Sequence[tuple[CaseModel, Described]], *, explains: MakeExplains
) -> dict[str, NDArray[np.float64]]:
    """Return how alike the model's maps and those of shuffled models are, per image (I,).

    `signed` is the size of Spearman's correlation of the values, whichever its sign: a map that
    is only turned over shows the same. `absolute` is the correlation of the values without their
    signs. Each is the mean over shuffled models; NaN where a map is flat. Source: Adebayo et al.,
    NeurIPS 2018, section 3.
    """
    signed, absolute = [], []
    for model, described in decoys:
        other = explains(model).explain(described, maps.which).values
        signed.append(np.abs(rank_correlations(maps.values, other)))
        absolute.append(rank_correlations(maps.values.abs(), other.abs()))
    return {"signed": np.mean(signed, axis=0), "absolute": np.mean(absolute, axis=0)}
