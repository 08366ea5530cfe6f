"""A case: one mutated input, made again at any time from its format, its number and the seed."""

import random
import struct
import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from fuzz.blind import MUTATORS as BLIND
from fuzz.blind import splice

Mutator = Callable[[bytes, random.Random], bytes]
Door = Callable[[Path], object]

# What a mutator meets that knows a format, in input that an earlier one has already broken.
BROKEN = (ValueError, LookupError, struct.error, zlib.error, OverflowError, EOFError, TypeError)
_MOST_IN_TURN = 3
_LARGEST_BYTES = 32 << 20


@dataclass(frozen=True, eq=False)
class Format:
    """A kind of file: real files to start from, what spoils them, and the doors they are put to.

    `seeds` maps a file's name to its bytes; each door takes the path of the mutated file.
    """

    name: str
    make_seeds: Callable[[], Mapping[str, bytes]]
    mutators: Sequence[Mutator]
    doors: Sequence[Door]

    @cached_property
    def seeds(self) -> Mapping[str, bytes]:
        """Make the seeds once per process."""
        return self.make_seeds()


@dataclass(frozen=True, slots=True)
class Case:
    """A mutated file, and how it came about."""

    name: str
    content: bytes
    history: tuple[str, ...]


def make_case(form: Format, number: int, *, seed: int) -> Case:
    """Return case `number` of a format; the first ones are the seeds as they are."""
    names = sorted(form.seeds)
    if number < len(names):
        return Case(names[number], form.seeds[names[number]], ("as it is",))
    rng = random.Random(f"{seed} {form.name} {number}")
    name = rng.choice(names)
    content = form.seeds[name]
    history = []
    for mutate in _chosen(form, rng):
        if mutate is splice:
            other = rng.choice(names)
            content = splice(content, rng, other=form.seeds[other])
            history.append(f"splice with {other}")
            continue
        try:
            content = mutate(content, rng)[:_LARGEST_BYTES]
        except BROKEN:
            history.append(f"{mutate.__name__} (cannot)")
        else:
            history.append(mutate.__name__)
    return Case(name, content, tuple(history))


def _chosen(form: Format, rng: random.Random) -> list[Callable[..., bytes]]:
    """Return up to three mutators: those that know the format first, as blind ones break it."""
    count = rng.randint(1, _MOST_IN_TURN)
    aware = [rng.choice(form.mutators) for _ in range(count)] if form.mutators else []
    blind = [rng.choice((*BLIND, splice)) for _ in range(count)]
    match rng.random():
        case draw if aware and draw < 0.5:
            return aware
        case draw if aware and draw < 0.7:
            return [aware[0], blind[0]]
    return blind
