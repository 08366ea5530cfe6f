"""The reader study for its lead: packets, who reads them, how far they are, what it comes to."""

from axilla.web.accounts.roles import Permission
from axilla.web.core.i18n import N_
from axilla.web.core.page_context import PageContext
from axilla.web.core.page_layout import page, script, text
from axilla.web.state import AppState


def register(web: AppState) -> None:
    """Register the page."""
    page(web, "/scoring", Permission.SCORE, title=N_("Scoring"))(_build)


def _build(visit: PageContext) -> None:
    text("h1", visit.say("Reader study"))
    script("scoring", data={"words": {**_export_words(visit), **_score_words(visit)}})


def _export_words(visit: PageContext) -> dict[str, str]:
    say = visit.say
    return {
        "failed": say("This could not be loaded."),
        "packets": say("Packets"),
        "none": say(
            "No packets yet. Readers get images with attention maps, without names, outcomes or "
            "predictions; some cases appear once more with a decoy map."
        ),
        "what": say("{patients} cases, {decoys} of them once more with a decoy map; seed {seed}"),
        "burned": say("Look through the packets first: names may be burned into pixels."),
        "another": say("Export again"),
        "cases": say("Cases"),
        "readers": say("Readers"),
        "seed": say("Seed (empty: the study's)"),
        "replace": say("Give up the earlier export, if nobody has answered it"),
        "export": say("Export packets"),
        "drawing": say("Drawing packets: {done} of {total} showings"),
        "starting": say("Reading heatmaps"),
        "exported": say("The packets are written."),
        "not_exported": say("Not exported: {reason}"),
        "reader": say("Reader"),
        "account": say("Account"),
        "nobody": say("nobody"),
        "no_readers": say("No account has the role reader yet. Make one under Accounts."),
        "progress": say("Answered"),
        "of_cases": say("{done} of {count} cases"),
        "last": say("Last answer"),
        "state": say("State"),
        "reading": say("reading"),
        "not_begun": say("not begun"),
        "done": say("finished"),
        "reopen": say("Open again"),
        "assigned": say("Saved"),
    }


def _score_words(visit: PageContext) -> dict[str, str]:
    say = visit.say
    return {
        "scores": say("Scores"),
        "score": say("Score the answers"),
        "scoring": say("Scoring"),
        "answers": say("All answers (CSV)"),
        "early": say("Not everybody has finished; these numbers will change."),
        "no_scores": say("Nothing has been scored yet."),
        "basis": say(
            "{readers} readers, {cases} cases, {ratings} valid ratings. Model {model}, right in "
            "{right} of {known} of these cases where its call is known."
        ),
        "agreement": say("Do readers agree?"),
        "about_agreement": say(
            "Estimates with 95 % intervals, from real maps only. Kappa is low where a finding is "
            "rare or nearly always there, even if readers hardly ever differ; AC1 is not."
        ),
        "comparison": say("Do maps show what readers see?"),
        "about_comparison": say(
            "Shares of findings that the map matches. Maps that explain something match more "
            "often than decoys, the maps of a model with shuffled weights, on the same cases."
        ),
        "modality": say("Modality"),
        "criterion": say("Criterion"),
        "question": say("Question"),
        "n": say("n"),
        "yes_by": say("Yes, by reader"),
        "same": say("Same answer"),
        "kappa": say("Kappa"),
        "ac1": say("AC1"),
        "compared": say("Compared"),
        "estimate": say("Estimate"),
        "p": say("p"),
        "p_holm": say("p (Holm)"),
        "n_cases": say("Cases"),
        "present": say("present"),
        "attention_matches": say("attention matches"),
        "all criteria": say("all criteria"),
        "ultrasound": say("ultrasound"),
        "pathology": say("pathology"),
        "share_real": say("real maps"),
        "share_decoy": say("decoy maps"),
        "real_decoy": say("real less decoy, same cases"),
        "real_decoy_real_first": say("of these, real map first"),
        "real_decoy_decoy_first": say("of these, decoy map first"),
        "right_wrong": say("model right less wrong"),
        "by_criterion": say("By criterion, and by reader"),
        "to": say("{low} to {high}"),
        "faults": say("Answers that are missing or not valid"),
        "written": say("Written to results/review: agreement.csv, comparison.csv, summary.md"),
    }
