"""What people do on a page: proved, done, and said; a refusal is shown where it happened."""

from collections.abc import Iterator
from contextlib import contextmanager

from nicegui import ui

from axilla.records.errors import AxillaError
from axilla.web.core.http_errors import HttpError, NotSignedInError
from axilla.web.core.i18n import spoken_of, translate_problem
from axilla.web.core.page_context import PageContext


@contextmanager
def doing(visit: PageContext) -> Iterator[None]:
    """Show refusals of the block; whoever is not signed in any more is led to sign in.

    Nothing of the block is kept then, as long as it writes in one transaction.
    """
    try:
        yield
    except NotSignedInError:
        ui.navigate.to(f"/login?next={visit.path}")
    except HttpError as refusal:
        _complain(visit, translate_problem(refusal.problem, visit.language))
    except AxillaError as error:
        _complain(visit, spoken_of(error, visit.language))


def _complain(visit: PageContext, said: str) -> None:
    ui.notify(said, type="negative", multi_line=True, close_button=visit.say("Close"))
