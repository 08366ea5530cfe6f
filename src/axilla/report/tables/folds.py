"""How many patients stood on each side of each fold."""

from dataclasses import dataclass

from axilla.report.study_results import StudyResults


@dataclass(frozen=True, slots=True)
class FoldSize:
    """Patients of one fold: trained on, tested on, and positive among the tested."""

    repeat: str
    fold: str
    train: int
    test: int
    test_positive: int


def fold_sizes(results: StudyResults) -> tuple[FoldSize, ...]:
    """Return the sizes of every fold in splits.csv; none when the study has no such table."""
    splits = results.splits
    if splits.empty:
        return ()
    labels = results.predictions.drop_duplicates("patient_id").set_index("patient_id")["label"]
    positive = set(labels.index[labels > 0])
    sizes = []
    for (repeat, fold), rows in splits.groupby(["repeat", "fold"], sort=True):
        tested = rows.loc[rows["role"] == "test", "patient_id"]
        sizes.append(
            FoldSize(
                repeat=str(repeat),
                fold=str(fold),
                train=int((rows["role"] == "train").sum()),
                test=len(tested),
                test_positive=int(tested.isin(positive).sum()),
            )
        )
    return tuple(sizes)
