"""Answers of statsmodels and dcurves to the synthetic risk_cases.csv.

python risk_answers.py risk_cases.csv > risk_answers.csv, in an environment with both.
"""

import sys
from importlib.metadata import version

import dcurves
import numpy as np
import pandas as pd
import statsmodels.api as sm

THRESHOLDS = (0.05, 0.1, 0.25, 0.4, 0.5, 0.65, 0.8, 0.95)


def answers(case):
    """Yield each quantity of one case with its value."""
    inner = case["probability"].clip(1e-6, 1 - 1e-6)
    logits = np.log(inner / (1 - inner))
    codes = case["group"].astype("category").cat.codes
    models = {
        "intercept": sm.GLM(
            case["label"], np.ones(len(case)), family=sm.families.Binomial(), offset=logits
        ),
        "slope": sm.GLM(case["label"], sm.add_constant(logits), family=sm.families.Binomial()),
    }
    for name, model in models.items():
        plain = model.fit(cov_type="HC0", tol=1e-14, maxiter=200)
        kwds = {"groups": codes, "use_correction": False}
        grouped = model.fit(cov_type="cluster", cov_kwds=kwds, tol=1e-14, maxiter=200)
        yield name, plain.params.iloc[-1]
        yield f"{name} HC0 error", plain.bse.iloc[-1]
        yield f"{name} clustered error", grouped.bse.iloc[-1]
    curve = dcurves.dca(
        case[["label", "probability"]], outcome="label", modelnames=["probability"],
        thresholds=list(THRESHOLDS),
    )  # fmt: skip
    for row in curve[curve["model"] != "none"].itertuples():
        yield f"net benefit {row.model} {row.threshold:g}", row.net_benefit


def main():
    """Print the answers to every case as CSV, with the versions that gave them."""
    cases = pd.read_csv(sys.argv[1])
    rows = [
        (name, quantity, value)
        for name, case in cases.groupby("case", sort=False)
        for quantity, value in answers(case)
    ]
    table = pd.DataFrame(rows, columns=["case", "quantity", "value"])
    table["versions"] = " ".join(f"{name} {version(name)}" for name in ("statsmodels", "dcurves"))
    table.to_csv(sys.stdout, index=False, float_format="%.15g")


main()
