"""What people do on a page: proved, done, and said; a refusal is shown where it happened."""

from collections.abc import Iterator
from contextlib import contextmanager

from nicegui import ui

from axilla.records.errors import AxillaError
from axilla.web.pages.visit import Visit
from axilla.web.refusals import NotSignedIn, Refusal
from axilla.web.spoken import spoken, spoken_of


@contextmanager
def doing(visit: Visit) -> Iterator[None]:
    """Show refusals of the block; whoever is not signed in any more is led to sign in.

    Nothing of the block is kept then, as long as it writes in one transaction.
    """
    try:
        yield
    except NotSignedIn:
        ui.navigate.to(f"/login?next={visit.path}")
    except Refusal as refusal:
        ui.notify(
            spoken(refusal.problem, visit.language),
            type="negative",
            multi_line=True,
            close_button=True,
        )
    except AxillaError as error:
        ui.notify(
            spoken_of(error, visit.language), type="negative", multi_line=True, close_button=True
        )
