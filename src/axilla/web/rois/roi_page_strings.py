"""What the pages of annotation and review hand to their scripts: words, and who looks."""

from collections.abc import Callable, Mapping
from typing import Any

from axilla.web.core.i18n import N_
from axilla.web.core.page_context import PageContext
from axilla.web.core.page_layout import script

Say = Callable[[str], str]

_STATES = {
    "new": N_("new"),
    "draft": N_("draft"),
    "submitted": N_("submitted"),
    "accepted": N_("accepted"),
    "disagreement": N_("disagreement"),
}


def build(visit: PageContext, name: str, *, words: Mapping[str, Any], **more: Any) -> None:
    """Put a place into the page, and the script that fills it, with its words and data."""
    data = {"words": _shared_strings(visit.say) | dict(words), "me": visit.actor.name, **more}
    script(name, data=data, styles=("viewer", "annotate"), place="an-root")


def viewer_words(say: Say) -> dict[str, str]:
    """Return the words of viewer.js."""
    return {
        "canvas": say("Image with one rectangle"),
        "keys": say(
            "Drag to draw. Arrow keys move the rectangle by 1 px, with Shift by 10, with Alt they "
            "change its size. Enter begins one in the middle. Space and drag moves the image."
        ),
        "zoomIn": say("Zoom in"),
        "zoomOut": say("Zoom out"),
        "fit": say("Fit"),
        "move": say("Move image"),
        "undo": say("Undo"),
        "brightness": say("Brightness"),
        "contrast": say("Contrast"),
        "reset": say("Reset"),
        "none": say("No rectangle"),
        "at": say("at"),
        "px": "px",
        "mm": "mm",
        "fault": say("The image cannot be shown."),
    }


def _shared_strings(say: Say) -> dict[str, Any]:
    return {
        "viewer": viewer_words(say),
        **{f"state_{state}": say(name) for state, name in _STATES.items()},
        **_list_words(say),
        **_key_words(say),
        "image": say("Image"),
        "part": say("image {part} of {parts}"),
        "absent": say("No lesion to draw: none to be seen, or it cannot be judged"),
        "comment": say("Comment"),
        "reopen": say("Open again"),
        "help": say("Shortcuts"),
        "shortcuts": say("Keyboard shortcuts"),
        "close": say("Close the window"),
        "unreadable": say("The image cannot be shown. `axilla check` says why."),
        "unreachable": say("The server cannot be reached. Try again."),
        "told_accepted": say("Accepted. `axilla run` uses this rectangle."),
    }


def _list_words(say: Say) -> dict[str, str]:
    return {
        "worklist": say("Worklist"),
        "progress": say("Finished images"),
        "finished": say("{done} of {all} finished"),
        "all_states": say("all"),
        "state": say("State"),
        "patient": say("Patient"),
        "next_image": say("Next image"),
        "previous_image": say("Previous image"),
        "none_listed": say("No image fits."),
    }


def _key_words(say: Say) -> dict[str, str]:
    return {
        "key_next": say("next, previous image"),
        "key_unfinished": say("next image that waits for you"),
        "key_begin": say("begin a rectangle in the middle"),
        "key_move": say("move the rectangle by 1 px, with Shift by 10"),
        "key_size": say("change its size"),
        "key_mode": say("let arrows change size, or move again"),
        "key_zoom": say("zoom in, zoom out, fit"),
        "key_look": say("more, less brightness and contrast; reset"),
        "key_pan": say("with dragging: move the image"),
        "key_undo": say("undo"),
        "key_help": say("this list"),
    }
