"""What the evaluation stage makes its tables of."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
from numpy.random import Generator

from axilla.config.study import StudyConfig
from axilla.evaluation.prediction_arrays import ModelPredictions
from axilla.records.digests import digest_of
from axilla.records.patients import Patient


@dataclass(frozen=True, slots=True)
class EvaluationInputs:
    """A study's checked predictions, by model in the order of predictions.csv, and its patients.

    `groups` maps patient_id to what its patients share. `withheld` are fusions of three modalities
    that were shown two, named `multilayer without clinical`.
    """

    config: StudyConfig
    patients: Sequence[Patient]
    table: pd.DataFrame
    models: Mapping[str, ModelPredictions]
    groups: Mapping[str, str]
    withheld: Mapping[str, ModelPredictions] = field(default_factory=dict)

    def rng(self, *purpose: str) -> Generator:
        """Return the generator of one purpose; it depends on the seed and on nothing else."""
        return np.random.default_rng([self.config.study.seed, int(digest_of(*purpose), 16)])
