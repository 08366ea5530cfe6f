"""Reading: one blinded case at a time, answers kept at once, resumed where one stopped."""

from axilla.explanation.overlay import STRENGTH
from axilla.web.accounts.roles import Permission
from axilla.web.core.i18n import N_
from axilla.web.core.page_context import PageContext
from axilla.web.core.page_layout import page, script, text
from axilla.web.state import AppState


def register(web: AppState) -> None:
    """Register the page."""
    page(web, "/reading", Permission.READ, title=N_("Read"))(_build)


def _build(visit: PageContext) -> None:
    text("h1", visit.say("Reading"))
    script("reading", data={"words": _words(visit), "strength": list(STRENGTH)})


def _words(visit: PageContext) -> dict[str, str]:
    say = visit.say
    return {
        "none": say("You have no packet to read yet. The study's lead gives them out."),
        "failed": say("This could not be loaded."),
        "again": say("Try again"),
        "case": say("Case {number} of {count}"),
        "goto": say("Go to case"),
        "progress": say("{done} of {count} cases answered"),
        "previous": say("Previous"),
        "next": say("Next"),
        "open": say("Next unanswered"),
        "saved": say("Saved"),
        "saving": say("Saving"),
        "unsaved": say("Not saved yet; trying again"),
        "signed_out": say("Not saved: you were signed out. Sign in in another tab, then go on."),
        "stale": say("Another window saved newer answers to this case; they are shown now."),
        "refused": say("Not saved: {reason}"),
        "image": say("Image"),
        "with_map": say("With attention; dashed: where the model looked"),
        "ultrasound": say("Ultrasound"),
        "pathology": say("Pathology"),
        "opacity": say("Strength of the map"),
        "little": say("little attention"),
        "much": say("much"),
        "larger": say("Larger"),
        "smaller": say("Side by side"),
        "present": say("Present"),
        "matches": say("Attention matches"),
        "yes": say("yes"),
        "no": say("no"),
        "comment": say("Comment"),
        "comment_on": say("Comment on {criterion}"),
        "clear": say("Clear"),
        "finish": say("Finish reading"),
        "finish_ask": say("Finish? Answers cannot be changed afterwards."),
        "finish_yes": say("Yes, finish"),
        "finish_no": say("Go on reading"),
        "left": say("{count} cases still have open questions."),
        "finished": say("You have finished. Thank you. Answers cannot be changed any more."),
        "how": say("How to read"),
        **_guide(visit),
    }


def _guide(visit: PageContext) -> dict[str, str]:
    say = visit.say
    return {
        "how_1": say(
            "Each case shows an image twice: as it is, and with the attention of a computer model "
            "laid over it. The stronger the colour, the more that place counted for the model."
        ),
        "how_2": say(
            "For each criterion, say first whether it is present in the image. If it is, say "
            "whether the attention matches it: whether the strongly coloured places are where you "
            "see it. Colour elsewhere that is much stronger speaks against a match."
        ),
        "how_3": say(
            "You are not told the diagnosis, the outcome, or what the model says. Judge each case "
            "by itself; some images may appear more than once. Please do not discuss cases with "
            "other readers before all have finished."
        ),
        "how_4": say("Every answer is saved at once. You can stop at any time and go on later."),
        "keys_on": say("Single keys"),
        "keys": say("Keys"),
        "key_answer": say("answer the next question: yes, no"),
        "key_case": say("previous, next case"),
        "key_open": say("next unanswered case"),
        "key_map": say("map on or off"),
        "key_opacity": say("map weaker, stronger"),
        "key_row": say("next, previous question"),
    }
