"""What is wrong with the images of a cohort, one by one and beside each other."""

from collections.abc import Iterator, Sequence

from axilla.checks.images.image_checks import judge_picture
from axilla.checks.images.look import Look
from axilla.checks.images.regions import judge_region
from axilla.checks.images.repeats import judge_repeats
from axilla.checks.images.standing_out import judge_beside_others
from axilla.records.findings import Finding


def judge(looks: Sequence[Look]) -> Iterator[Finding]:
    """Yield what there is to say: of each image in the table's order, then of all together."""
    for look in looks:
        yield from judge_picture(look)
        yield from judge_region(look)
    yield from judge_beside_others(looks)
    yield from judge_repeats(looks)
