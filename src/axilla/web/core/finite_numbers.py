"""Numbers as JSON has them."""

import math
from typing import Any


def finite(value: Any) -> float | None:
    """Return a number that JSON can say, or None."""
    return float(value) if value is not None and math.isfinite(value) else None
