"""What is wrong with the images of a cohort, one by one and beside each other."""

from collections.abc import Iterator, Sequence

from axilla.cohort.findings import Finding
from axilla.cohort.quality.look import Look
from axilla.cohort.quality.pictures import judge_picture
from axilla.cohort.quality.regions import judge_region
from axilla.cohort.quality.repeats import judge_repeats
from axilla.cohort.quality.standing_out import judge_beside_others


def judge(looks: Sequence[Look]) -> Iterator[Finding]:
    """Yield what there is to say: of each image in the table's order, then of all together."""
    for look in looks:
        yield from judge_picture(look)
        yield from judge_region(look)
    yield from judge_beside_others(looks)
    yield from judge_repeats(looks)
