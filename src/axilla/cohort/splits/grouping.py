"""Which patients belong together, so that no split separates them."""

from collections.abc import Sequence

from axilla.cohort.tables.spreadsheet import Sheet


def group_patients(
    sheet: Sheet, columns: Sequence[str], *, patient_ids: Sequence[str]
) -> tuple[str, ...]:
    """Return each row's group: rows tied, directly or through others, by an equal cell.

    A group is named after its first patient. Empty cells and absent columns tie nobody.
    """
    parents = list(range(len(sheet.rows)))
    for column in columns:
        first: dict[str, int] = {}
        for index, row in enumerate(sheet.rows):
            if text := row.cells.get(column, ""):
                one, other = _root(parents, first.setdefault(text, index)), _root(parents, index)
                parents[max(one, other)] = min(one, other)
    return tuple(patient_ids[_root(parents, index)] for index in range(len(parents)))


def _root(parents: list[int], index: int) -> int:
    while parents[index] != index:
        parents[index] = parents[parents[index]]
        index = parents[index]
    return index
