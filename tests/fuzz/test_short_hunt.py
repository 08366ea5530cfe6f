"""Some inputs of every format, always the same ones; `make fuzz` tries 10,000."""

import os

from fuzz.command import chunks_of
from fuzz.formats import FORMATS
from fuzz.hunt import Limits, hunt
from fuzz.summary import as_lines

INPUTS = 24 * len(FORMATS)


def test_every_input_is_read_or_refused():
    cases = chunks_of(list(FORMATS), inputs=INPUTS, seed=1)
    seen = hunt(cases, workers=min(2, os.cpu_count() or 1), limits=Limits())
    failed = [f"{one.asked.form}:{one.asked.number} {one.outcome}\n{one.said}"
              for one in seen if one.failed]  # fmt: skip
    assert not failed, "\n".join(failed)
    assert len(seen) == INPUTS
    for name in FORMATS:
        outcomes = {one.outcome for one in seen if one.asked.form == name}
        # Weights are those of a network of two layers, which axilla does not have.
        assert outcomes == ({"refused"} if name == "weights" else {"read", "refused"}), name
    assert len(as_lines(seen, seconds=1)) > len(FORMATS)
