"""Reviewing: the second look, the disagreements, and how far readers agree."""

from axilla.web.accounts.roles import Permission
from axilla.web.core.i18n import N_
from axilla.web.core.page_context import PageContext
from axilla.web.core.page_layout import page, text
from axilla.web.rois.roi_page_strings import build
from axilla.web.state import AppState


def register(web: AppState) -> None:
    """Register the page."""
    page(web, "/review", Permission.REVIEW, Permission.SETTLE, title=N_("Review"))(_build)


def _build(visit: PageContext) -> None:
    say, actor = visit.say, visit.actor
    text("h1", say("Review")).classes("vw-unseen")
    words = {
        "accept": say("Accept"),
        "redraw": say("Draw it again"),
        "save_redraw": say("Save my rectangle"),
        "cancel": say("Cancel"),
        "choose_first": say("The first is right"),
        "choose_second": say("The second is right"),
        "draw_third": say("Draw a third"),
        "key_accept": say("accept, and next"),
        "key_redraw": say("draw it again"),
        "key_save_redraw": say("save your rectangle, and next"),
        "key_settle": say("the first, the second is right"),
        "first": say("First reader: {name}"),
        "second": say("Second reader: {name}"),
        "mine": say("Your rectangle"),
        "iou": say("IoU {iou}"),
        "own": say("You drew this yourself: somebody else reviews it."),
        "settle_how": say("Two readers disagree. Choose one of the rectangles, or draw a third."),
        "told_new": say("Nobody has drawn on this image yet."),
        "told_draft": say("Not handed in yet."),
        "told_submitted": "",
        "told_disagreement": say("Somebody who drew neither rectangle settles this."),
        "changed": say("Somebody else changed this meanwhile: here is how it is now."),
        "became_disagreement": say("IoU {iou}, below 0.5: listed as a disagreement."),
        "mask_dropped": say(
            "The outline of this lesion does not fit the accepted rectangle, and is not used "
            "any more."
        ),
        "not_filed": say("Accepted, but rois.csv could not be written yet:"),
        "discard": say("Leave without saving your rectangle?"),
        **_sums(visit),
    }
    may = {"review": actor.may(Permission.REVIEW), "settle": actor.may(Permission.SETTLE)}
    build(visit, "review", words=words, may=may)


def _sums(visit: PageContext) -> dict[str, str]:
    say = visit.say
    return {
        "disagreements": say("Disagreements ({count})"),
        "no_disagreements": say("None."),
        "agreement": say("Agreement of readers ({count} images)"),
        "no_agreement": say("No image has been judged by two people yet."),
        "anchoring": say(
            "The second reader sees the first reader's rectangle, so agreement is higher than "
            "between readers who draw on their own."
        ),
        "number_unchanged": say("Accepted unchanged"),
        "number_same_presence": say("Agree whether there is a lesion"),
        "number_iou": say("Mean IoU"),
        "number_iou_0.5": say("IoU of at least 0.5"),
        "number_iou_0.75": say("IoU of at least 0.75"),
        "number_distance": say("Distance of centres, mean"),
        "number_icc_area": say("ICC(2,1) of areas"),
    }
