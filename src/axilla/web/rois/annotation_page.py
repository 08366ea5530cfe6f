"""Annotating: draw the smallest rectangle around each lesion."""

from axilla.web.accounts.roles import Permission
from axilla.web.core.i18n import N_
from axilla.web.core.page_context import PageContext
from axilla.web.core.page_layout import page, text
from axilla.web.rois.roi_page_strings import build
from axilla.web.state import AppState


def register(web: AppState) -> None:
    """Register the page."""
    page(web, "/annotate", Permission.ANNOTATE, title=N_("Annotate"))(_build)


def _build(visit: PageContext) -> None:
    say = visit.say
    text("h1", say("Annotate")).classes("vw-unseen")
    words = {
        "submit": say("Hand in, and next"),
        "key_submit": say("hand in, and next unfinished image"),
        "key_suggestion": say("use the suggested rectangle"),
        "use_suggestion": say("Use the rectangle of {source}"),
        "suggested": say(
            "The dashed rectangle is from {source}. Draw your own around the lesion, or use it."
        ),
        "told_submitted": say("Handed in: somebody else reviews it. Open it again to change it."),
        "told_disagreement": say("The second reader drew another rectangle; the lead settles it."),
        "told_draft": "",
        "told_new": "",
        "all_done": say("All images are handed in."),
        "save_saved": say("All changes are saved"),
        "save_saving": say("Saving …"),
        "save_unsaved": say("Not saved: the server cannot be reached. Trying again …"),
        "save_conflict": say("Not saved: choose one of the two drawings"),
        "save_signed_out": say("Not saved: you are signed out."),
        "save_waiting": say("Draw a rectangle, or say that there is none"),
        "sign_in": say("Sign in"),
        "not_saved": say("Your last change was not saved."),
        "conflict": say("{patient}: somebody else changed this drawing meanwhile"),
        "conflict_how": say("Nothing is lost. Look at both, and choose which one counts."),
        "conflict_closed": say("It was handed in meanwhile. Open it again to change it."),
        "keep_mine": say("Keep mine"),
        "take_theirs": say("Take theirs"),
        "yours": say("Yours"),
        "theirs": say("Theirs ({name})"),
    }
    build(visit, "annotate", words=words, review=visit.actor.may(Permission.REVIEW))
