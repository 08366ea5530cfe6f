"""What all sections of study.toml are made of."""

from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict


def as_text(value: object) -> object:
    """Codes are compared as the table prints them: 1, "1" and 1.0 are one code, true is "1"."""
    if isinstance(value, bool):
        return str(int(value))
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value) if isinstance(value, int | float) else value


def as_tuple(value: object) -> object:
    """One value may stand without the brackets of a list."""
    return (value,) if isinstance(value, str) else value


Code = Annotated[str, BeforeValidator(as_text)]
Names = Annotated[tuple[str, ...], BeforeValidator(as_tuple)]


class Section(BaseModel):
    """A frozen part of study.toml that refuses keys it does not know."""

    model_config = ConfigDict(extra="forbid", frozen=True)
