"""Run by the interpreter that has AutoGluon: fit it in every outer fold; print seconds and AUC.

Arguments: folder with table.npz, which holds x (N, D), y (N,) and fold (N,), the fold that tests.
"""

import json
import resource
import sys
import tempfile
import warnings
from pathlib import Path

warnings.filterwarnings("ignore")

import autogluon.tabular  # noqa: E402
import numpy as np  # noqa: E402
import pandas as pd  # noqa: E402
from autogluon.tabular import TabularPredictor  # noqa: E402
from sklearn.metrics import roc_auc_score  # noqa: E402


def main() -> None:
    content = np.load(Path(sys.argv[1]) / "table.npz")
    frame = pd.DataFrame(content["x"]).add_prefix("x")
    frame["y"], fold = content["y"], content["fold"]
    scores, models = np.zeros(len(frame)), 0
    start = _processor_s()
    for number in np.unique(fold):
        with tempfile.TemporaryDirectory() as folder:
            predictor = TabularPredictor("y", eval_metric="roc_auc", path=folder, verbosity=0)
            predictor.fit(frame[fold != number], presets="medium_quality", num_cpus=1)
            test = frame[fold == number].drop(columns="y")
            scores[fold == number] = predictor.predict_proba(test)[1]
            models += len(predictor.model_names())
    found = {
        "processor_s": _processor_s() - start,
        "fits": models,
        "auc": float(roc_auc_score(frame["y"], scores)),
        "version": autogluon.tabular.__version__,
    }
    print("RESULT " + json.dumps(found))


def _processor_s() -> float:
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in used)


if __name__ == "__main__":
    main()
