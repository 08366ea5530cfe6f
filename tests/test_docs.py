"""The files that the documentation of the code names exist."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


@pytest.mark.parametrize("page", ["docs/architecture.md", "CONTRIBUTING.md"])
def test_every_path_leads_somewhere(page):
    text = (ROOT / page).read_text(encoding="utf-8")
    paths = set(re.findall(r"`((?:[a-z_0-9]+/)+(?:[a-z_0-9]+\.[a-z]+)?)`", text))
    assert len(paths) > 10
    places = (ROOT, ROOT / "src" / "axilla")
    assert [path for path in paths if not any((place / path).exists() for place in places)] == []
