"""How numbers become text, the same in figures, tables and sentences."""

import math
import textwrap

from axilla.records.estimate import Estimate

DECIMALS = 3
NO_NUMBER = "–"  # noqa: RUF001
MINUS = "\N{MINUS SIGN}"
LEVEL = "95\N{NO-BREAK SPACE}%"


def number(value: float) -> str:
    """Print a share or an AUC with three decimals; a dash where there is none."""
    return f"{value:z.{DECIMALS}f}".replace("-", MINUS) if math.isfinite(value) else NO_NUMBER


def percent(share: float) -> str:
    """Print a share as whole percent."""
    return f"{share * 100:.0f}\N{NO-BREAK SPACE}%" if math.isfinite(share) else NO_NUMBER


def format_signed(value: float) -> str:
    """Print a difference with its sign."""
    text = number(abs(value))
    if text == NO_NUMBER or not value:
        return text
    return f"{'+' if value > 0 else MINUS}{text}"


def p_value(p: float) -> str:
    """Print a p-value as journals do: three digits where they decide, never 0."""
    if not math.isfinite(p):
        return NO_NUMBER
    if p < 0.001:  # noqa: PLR2004
        return "< 0.001"
    return f"{p:.3f}" if p < 0.1 else f"{p:.2f}"  # noqa: PLR2004


def interval_text(estimate: Estimate) -> str:
    """Print the bounds of a 95 % interval."""
    if not (math.isfinite(estimate.low) and math.isfinite(estimate.high)):
        return "no interval"
    return f"{number(estimate.low)} to {number(estimate.high)}"


def with_interval(estimate: Estimate) -> str:
    """Print an estimate with its 95 % interval, as in a sentence."""
    return f"{number(estimate.value)} ({LEVEL} interval {interval_text(estimate)})"


def overlap(one: Estimate, other: Estimate) -> bool:
    """Tell whether two intervals share a value; unknown bounds count as overlapping."""
    return not (one.low > other.high or other.low > one.high)


def sentence(text: str) -> str:
    """Begin a sentence: its first letter large, the others as they are."""
    return text[:1].upper() + text[1:]


def inside_sentence(label: str) -> str:
    """Print a label in mid-sentence: plain words small, names such as DenseNet121 as they are."""
    first = label.split(" ", maxsplit=1)[0]
    return label[:1].lower() + label[1:] if first.isalpha() and first.istitle() else label


def shorten(text: str, *, limit: int) -> str:
    """Cut a name that would run into its neighbour in a figure; tables print it whole."""
    return text if len(text) <= limit else f"{text[: limit - 1].rstrip()}…"


def wrap_text(text: str, *, width: int) -> list[str]:
    """Break a text into lines of at most `width` letters; at least one line."""
    return textwrap.wrap(text, width) or [""]


def join_items(items: list[str], *, word: str = "and") -> str:
    """Join items as a sentence does: a, b and c."""
    if len(items) < 2:  # noqa: PLR2004
        return "".join(items)
    return f"{', '.join(items[:-1])} {word} {items[-1]}"


def pluralise(count: int, noun: str, *, plural: str = "") -> str:
    """Print a count with its noun: 1 fold, 5 folds."""
    return f"{count:,} {noun if count == 1 else plural or noun + 's'}"


def duration(seconds: float) -> str:
    """Print a duration in the two units that matter."""
    whole = round(seconds)
    if not whole:
        return "< 1 s"
    if whole < 60:  # noqa: PLR2004
        return f"{seconds:.0f} s"
    minutes, rest = divmod(whole, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s"
