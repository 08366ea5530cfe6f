"""Eligibility rules such as age >= 18: grammar and evaluation."""

import operator
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Literal, get_args

from axilla.cohort.tables.spreadsheet import Sheet
from axilla.cohort.values.cells import UNKNOWN_WORDS, Cell, cell_in, code_of, parse_number
from axilla.cohort.values.dates import dates_in, read_date
from axilla.records.errors import AxillaError
from axilla.records.findings import Finding

Comparison = Literal["==", "!=", "<=", ">=", "<", ">"]
Constant = str | float | date

_MOST_LETTERS = 2000
_MOST_NESTED = 40
_SIGNS: Mapping[str, Comparison] = {sign: sign for sign in get_args(Comparison)} | {"=": "=="}
_WORDS = ("and", "or", "not", "in", "is", "empty")
_TOKEN = re.compile(
    r"""\s*(?:
      (?P<date>\d{4}-\d{2}-\d{2})
    | (?P<number>[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)
    | (?P<text>'[^']*'|"[^"]*")
    | `(?P<column>[^`]+)`
    | (?P<word>[^\W\d]\w*)
    | (?P<mark><=|>=|==|!=|<|>|=|\(|\)|\[|\]|,)
    )""",
    re.VERBOSE,
)
Verdicts = tuple[bool | None, ...]
"""Per row of the table: True, False, or None where an empty cell leaves it open."""
_COMPARE: Mapping[Comparison, Callable[[Any, Any], bool]] = {
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


@dataclass(frozen=True, slots=True)
class RuleColumn:
    """A column named in a rule; `position` counts letters from 1."""

    name: str
    position: int


@dataclass(frozen=True, slots=True)
class RuleComparison:
    """One comparison of a column with a constant or another column."""

    left: RuleColumn | Constant
    sign: Comparison
    right: RuleColumn | Constant


@dataclass(frozen=True, slots=True)
class OneOf:
    """Whether a column holds one of several constants."""

    column: RuleColumn
    options: tuple[Constant, ...]


@dataclass(frozen=True, slots=True)
class IsEmpty:
    """Whether a cell is empty."""

    column: RuleColumn


@dataclass(frozen=True, slots=True)
class Not:
    """The opposite of a rule."""

    rule: "Rule"


@dataclass(frozen=True, slots=True)
class Joined:
    """Rules that must all hold (and), or one of which must (or)."""

    word: Literal["and", "or"]
    rules: tuple["Rule", ...]


Rule = RuleComparison | OneOf | IsEmpty | Not | Joined


class RuleFault(AxillaError):  # noqa: N818 - caught where the rule's place is known
    """A rule that cannot be read: what was found, what was expected, and where."""

    def __init__(self, found: str, expected: str, *, position: int, remedy: str = "") -> None:
        """Hold the parts of the message; `position` counts letters from 1."""
        super().__init__(f"{found} at character {position}; expected {expected}")
        self.found = f"{found} at character {position}"
        self.expected = expected
        self.remedy = remedy


def parse_rule(text: str) -> Rule:
    """Read a rule; raise `RuleFault` with the position of its first fault.

    A rule compares columns with numbers, 'texts', dates (2024-03-05) or other columns by ==, !=,
    <, <=, > and >=, asks `column in ('a', 'b')` or `column is empty`, and joins such parts by and,
    or, not and parentheses. A column whose name is no plain word stands in `backticks`.
    """
    if len(text) > _MOST_LETTERS:
        found = f"a rule of {len(text)} letters"
        raise RuleFault(found, f"at most {_MOST_LETTERS}", position=_MOST_LETTERS)
    parser = _Parser(tuple(_tokens(text)), end=len(text) + 1)
    rule = parser.alternatives()
    if parser.token is not None:
        raise parser.fault("'and', 'or' or the end of the rule")
    return rule


def columns_of(rule: Rule) -> Iterator[RuleColumn]:
    """Yield every column that a rule names, in its order."""
    match rule:
        case RuleComparison(left, _, right):
            yield from (side for side in (left, right) if isinstance(side, RuleColumn))
        case OneOf(column, _) | IsEmpty(column):
            yield column
        case Not(inner):
            yield from columns_of(inner)
        case Joined(_, rules):
            for part in rules:
                yield from columns_of(part)


@dataclass(frozen=True, slots=True)
class _Token:
    kind: str
    text: str
    position: int


def _tokens(text: str) -> Iterator[_Token]:
    at = 0
    while text[at:].strip():
        found = _TOKEN.match(text, at)
        if found is None:
            at += len(text[at:]) - len(text[at:].lstrip())
            raise RuleFault(repr(text[at]), "a column, number, 'text' or sign", position=at + 1)
        kind = found.lastgroup or ""
        word, start = found[kind], found.start(kind) + 1
        if kind == "word" and word.casefold() in _WORDS:
            kind, word = "keyword", word.casefold()
        yield _Token(kind, word, start)
        at = found.end()


class _Parser:
    """Reads tokens by descent: or, and, not, then what stands in parentheses or a comparison."""

    def __init__(self, tokens: tuple[_Token, ...], *, end: int) -> None:
        self._tokens = tokens
        self._end = end
        self._at = 0
        self._nested = 0

    @property
    def token(self) -> _Token | None:
        return self._tokens[self._at] if self._at < len(self._tokens) else None

    def fault(self, expected: str) -> RuleFault:
        token = self.token
        if token is None:
            return RuleFault("the end", expected, position=self._end)
        return RuleFault(repr(token.text), expected, position=token.position)

    def alternatives(self) -> Rule:
        return self._parse_chain("or", lambda: self._parse_chain("and", self._parse_negation))

    def _parse_chain(self, word: Literal["and", "or"], part: Callable[[], Rule]) -> Rule:
        parts = [part()]
        while self._skip(word):
            parts.append(part())
        return parts[0] if len(parts) == 1 else Joined(word, tuple(parts))

    def _parse_negation(self) -> Rule:
        negative = False
        while self._skip("not"):
            negative = not negative
        rule = self._part()
        return Not(rule) if negative else rule

    def _part(self) -> Rule:
        if not self._skip("("):
            return self._comparison()
        self._nested += 1
        if self._nested > _MOST_NESTED:
            raise self.fault(f"at most {_MOST_NESTED} nested parentheses")
        rule = self.alternatives()
        self._require(")")
        self._nested -= 1
        return rule

    def _comparison(self) -> Rule:
        left = self._operand("a column")
        if isinstance(left, RuleColumn):
            if self._skip("is"):
                return self._empty(left)
            if self._skip("not"):
                self._require("in")
                return Not(self._one_of(left))
            if self._skip("in"):
                return self._one_of(left)
        rule = self._parse_comparison(left)
        parts: list[Rule] = [rule]  # several in 18 <= age <= 80
        while self.token and self.token.kind == "mark" and self.token.text in _SIGNS:
            rule = self._parse_comparison(rule.right)
            parts.append(rule)
        return parts[0] if len(parts) == 1 else Joined("and", tuple(parts))

    def _parse_comparison(self, left: RuleColumn | Constant) -> RuleComparison:
        token = self.token
        if token is None or token.kind != "mark" or token.text not in _SIGNS:
            raise self.fault("==, !=, <, <=, >, >=, in or is")
        self._at += 1
        sign = _SIGNS[token.text]
        right = self._operand("a column, number, 'text' or date")
        sides = (left, right)
        if not any(isinstance(side, RuleColumn) for side in sides):
            raise RuleFault(
                f"{token.text!r} between two constants", "a column", position=token.position
            )
        if sign not in ("==", "!=") and any(isinstance(side, str) for side in sides):
            expected = "a number or date, as texts have no order"
            raise RuleFault(f"{token.text!r} with a text", expected, position=token.position)
        return RuleComparison(left, sign, right)

    def _empty(self, column: RuleColumn) -> Rule:
        negative = self._skip("not")
        self._require("empty")
        return Not(IsEmpty(column)) if negative else IsEmpty(column)

    def _one_of(self, column: RuleColumn) -> OneOf:
        closing = "]" if self._skip("[") else ")"
        if closing == ")":
            self._require("(")
        options: list[Constant] = []
        while not options or self._skip(","):
            option = self._operand("a number, 'text' or date")
            if isinstance(option, RuleColumn):
                found = f"column {option.name!r}"
                raise RuleFault(found, "a number, 'text' or date", position=option.position)
            options.append(option)
        self._require(closing)
        return OneOf(column, tuple(options))

    def _operand(self, expected: str) -> RuleColumn | Constant:
        token = self.token
        if token is None or token.kind in ("mark", "keyword"):
            raise self.fault(expected)
        self._at += 1
        match token.kind:
            case "date":
                if (day := read_date(token.text)) is None:
                    raise RuleFault(repr(token.text), "a day that exists", position=token.position)
                return day
            case "number":
                return float(token.text)
            case "text":
                return token.text[1:-1]
        return RuleColumn(token.text, token.position)

    def _skip(self, text: str) -> bool:
        token = self.token
        if token is None or token.kind not in ("mark", "keyword") or token.text != text:
            return False
        self._at += 1
        return True

    def _require(self, text: str) -> None:
        if not self._skip(text):
            raise self.fault(repr(text))


def decide(rule: Rule, sheet: Sheet) -> tuple[Verdicts, tuple[Finding, ...]]:
    """Return each row's verdict, and the cells that cannot be compared as the rule asks.

    All columns of the rule must exist. Texts are compared as codes: case, 1 and 1.0, true and yes
    do not matter. A rule with an open part is open, unless its other parts decide it.
    """
    findings: list[Finding] = []
    verdicts = _verdicts(rule, sheet, findings)
    return verdicts, tuple(dict.fromkeys(findings))


def _verdicts(rule: Rule, sheet: Sheet, findings: list[Finding]) -> Verdicts:
    match rule:
        case Not(inner):
            return tuple(None if v is None else not v for v in _verdicts(inner, sheet, findings))
        case Joined(word, rules):
            parts = [_verdicts(part, sheet, findings) for part in rules]
            return tuple(
                _join_verdicts(row, decisive=word == "or") for row in zip(*parts, strict=True)
            )
        case IsEmpty(column):
            return tuple(_empty(cell) for cell in _cells(sheet, column))
        case RuleComparison(left, sign, right):
            return _compare_columns(sheet, left, right, sign=sign, findings=findings)
    codes = {_code(option) for option in rule.options}
    return tuple(
        None if _empty(cell) else code_of(cell.text) in codes for cell in _cells(sheet, rule.column)
    )


def _join_verdicts(verdicts: Sequence[bool | None], *, decisive: bool) -> bool | None:
    if decisive in verdicts:
        return decisive
    return None if None in verdicts else not decisive


def _cells(sheet: Sheet, column: RuleColumn) -> list[Cell]:
    return [cell_in(sheet, row, column.name) for row in sheet.rows]


def _empty(cell: Cell) -> bool:
    return cell.text.casefold() in UNKNOWN_WORDS


def _code(constant: Constant) -> str:
    return code_of(constant.isoformat() if isinstance(constant, date) else str(constant))


def _compare_columns(
    sheet: Sheet,
    left: RuleColumn | Constant,
    right: RuleColumn | Constant,
    *,
    sign: Comparison,
    findings: list[Finding],
) -> Verdicts:
    kinds = {type(side) for side in (left, right) if not isinstance(side, RuleColumn)}
    ordered = sign not in ("==", "!=")
    if date in kinds or (not kinds and _holds_dates(sheet, left, right)):
        sides = [_dates(sheet, side, findings) for side in (left, right)]
    elif ordered:
        sides = [_numbers(sheet, side, findings) for side in (left, right)]
    else:
        sides = [_codes(sheet, side) for side in (left, right)]
    compare = _COMPARE[sign]
    return tuple(
        None if a is None or b is None else compare(a, b) for a, b in zip(*sides, strict=True)
    )


def _holds_dates(sheet: Sheet, *columns: RuleColumn | Constant) -> bool:
    """Whether two columns are compared as dates: every cell is one, and not all are numbers."""
    texts = []
    for column in columns:
        if not isinstance(column, RuleColumn):
            return False
        cells = [cell for cell in _cells(sheet, column) if not _empty(cell)]
        dates, _ = dates_in(sheet, column.name)
        if len(cells) > sum(day is not None for day in dates):
            return False
        texts += [cell.text for cell in cells]
    return any(parse_number(text) is None for text in texts)


def _dates(sheet: Sheet, side: RuleColumn | Constant, findings: list[Finding]) -> Sequence[Any]:
    if not isinstance(side, RuleColumn):
        return [side] * len(sheet.rows)
    dates, wrong = dates_in(sheet, side.name)
    findings += wrong
    return dates


def _numbers(sheet: Sheet, side: RuleColumn | Constant, findings: list[Finding]) -> Sequence[Any]:
    if not isinstance(side, RuleColumn):
        return [side] * len(sheet.rows)
    cells = _cells(sheet, side)
    numbers = [None if _empty(cell) else parse_number(cell.text) for cell in cells]
    findings += [
        cell.refuse(
            "eligibility",
            "a number or an empty cell, as an eligibility rule compares it",
            remedy="Correct the cell, or compare with a 'text' by ==, != or in.",
        )
        for cell, number in zip(cells, numbers, strict=True)
        if number is None and not _empty(cell)
    ]
    return numbers


def _codes(sheet: Sheet, side: RuleColumn | Constant) -> Sequence[Any]:
    if not isinstance(side, RuleColumn):
        return [_code(side)] * len(sheet.rows)
    return [None if _empty(cell) else code_of(cell.text) for cell in _cells(sheet, side)]
