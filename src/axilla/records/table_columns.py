"""The columns of every table in the results folder, and protection against CSV injection."""

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

from axilla.records.errors import Problem, StudyError

if TYPE_CHECKING:
    import pandas as pd


_ESTIMATE = ("metric", "value", "low", "high", "n", "n_positive")
SPLITS = ("patient_id", "repeat", "fold", "role")
PREDICTIONS = (
    "patient_id",
    "model",
    "kind",
    "modality",
    "repeat",
    "fold",
    "label",
    "probability",
    "threshold",
)
METRICS = (
    "model",
    *_ESTIMATE,
    "threshold_rule",
    "method",
)
AVAILABILITY = (
    "patient_id",
    "model",
    "repeat",
    "fold",
    "label",
    "probability",
    "threshold",
    "shown",
    "withheld",
)
AVAILABILITY_METRICS = (
    "model",
    "shown",
    "withheld",
    *_ESTIMATE,
    "threshold_rule",
    "method",
)
COMPARISONS = (
    "model_a",
    "model_b",
    "test",
    "estimate",
    "low",
    "high",
    "statistic",
    "p",
    "p_holm",
    "family",
    "n",
    "method",
)
CALIBRATION = ("model", "part", "predicted", "observed", "low", "high", "n")
DECISION_CURVE = ("model", "threshold", "net_benefit", "low", "high", "treat_all", "n", "method")
SUBGROUPS = (
    "column",
    "level",
    "model",
    *_ESTIMATE,
    "small",
    "p_interaction",
    "method",
)
LEARNING_CURVE = (
    "model",
    "share",
    "training_patients",
    *_ESTIMATE,
    "method",
)
LEARNING_CURVE_PREDICTIONS = (*PREDICTIONS, "share", "training_patients")
CONFOUNDING = (
    "column",
    "level",
    "n",
    "n_positive",
    "prevalence",
    "low",
    "high",
    "auc",
    "auc_by_chance",
    "p",
    "method",
)
MISSINGNESS = (
    "column",
    "n",
    "n_missing",
    "prevalence_missing",
    "prevalence_known",
    "p",
    "method",
)
SEARCH = ("model", "fold", "hyperparameters", "inner_score", "seconds")
EXPLANATION = (
    "patient_id",
    "fold",
    "model",
    "modality",
    "method",
    "image",
    "share",
    "logit",
    "mean",
)
FAITHFULNESS = ("modality", "method", "check", "value", "low", "high", "n", "passed", "note")
FAITHFULNESS_CURVES = (
    *("modality", "method", "curve", "order"),
    *("share_changed", "value", "low", "high", "n"),
)
SHAPLEY = ("patient_id", "label", "logit", "base")  # and one column phi_MODALITY each
SHAPLEY_SUMMARY = ("modality", "mean_abs", "low", "high", "mean", "n", "method")
CLINICAL_IMPORTANCE = ("column", "mean_abs", "low", "high", "n", "method")

_LONGEST_LINE_BYTES = 1 << 14  # pandas would take minutes over a million columns

# Identifiers such as 007 must survive a round trip as text.
_TEXT_COLUMNS = (
    "patient_id", "model", "model_a", "model_b", "kind", "modality", "role", "metric", "group",
    "shown", "test", "family", "part", "column", "level", "variable",
    "reader", "criterion", "check", "note",
)  # fmt: skip
# Spreadsheets compute what begins with one of these.
_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r")


def read_results(path: Path, columns: tuple[str, ...]) -> "pd.DataFrame":
    """Read a results table; raise `StudyError` if it is missing or lacks one of `columns`."""
    # Half a second to import, and most who need the columns' names read no table.
    import pandas as pd  # noqa: PLC0415

    if not path.is_file():
        raise StudyError(
            Problem(path.name, "no such file", "a finished study", "Run `axilla run` first.")
        )
    with path.open("rb") as stream:
        lines = iter(partial(stream.readline, _LONGEST_LINE_BYTES), b"")
        if any(len(line) == _LONGEST_LINE_BYTES for line in lines):
            raise _damaged_table_error(path)
    try:
        table = pd.read_csv(path, dtype=dict.fromkeys(_TEXT_COLUMNS, "str"), keep_default_na=True)
    except ValueError as error:  # not UTF-8, empty, or rows of several lengths
        raise _damaged_table_error(path) from error
    if missing := [column for column in columns if column not in table.columns]:
        raise StudyError(
            Problem(
                path.name,
                f"columns {', '.join(map(str, table.columns))}",
                f"also {', '.join(missing)}",
                "Run `axilla run` again, or restore the file.",
            )
        )
    return table


def _damaged_table_error(path: Path) -> StudyError:
    remedy = "Run `axilla run` again, or restore the file."
    return StudyError(Problem(path.name, "a damaged table", "the table that axilla wrote", remedy))


def harmless(text: str, *, mark: str = "'") -> str:
    """Return the text so that a spreadsheet does not compute it: after `mark` if it might."""
    return f"{mark}{text}" if text.startswith(_FORMULA) else text
