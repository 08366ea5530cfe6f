"""Some inputs of every format, always the same ones; `make fuzz` tries 10,000."""

import pytest
from fuzz.command import chunks_of
from fuzz.formats import FORMATS
from fuzz.hunt import Limits, hunt
from fuzz.summary import as_lines

MANY = 24
"""Inputs of a format, of which some are read and some refused."""


@pytest.mark.parametrize("each", [2, pytest.param(MANY, marks=pytest.mark.slow)])
def test_every_input_is_read_or_refused(each):
    inputs = each * len(FORMATS)
    cases = chunks_of(list(FORMATS), inputs=inputs, seed=1)
    seen = hunt(cases, workers=1, limits=Limits())
    failed = [f"{one.asked.form}:{one.asked.number} {one.outcome}\n{one.said}"
              for one in seen if one.failed]  # fmt: skip
    assert not failed, "\n".join(failed)
    assert len(seen) == inputs
    for name in FORMATS if each == MANY else ():
        outcomes = {one.outcome for one in seen if one.asked.form == name}
        # Weights are those of a network of two layers, which axilla does not have.
        assert outcomes == ({"refused"} if name == "weights" else {"read", "refused"}), name
    assert len(as_lines(seen, seconds=1)) > len(FORMATS)
