"""Rectangles on images, by hand and over the API, for the tests of annotation and review."""

import httpx
from playwright.sync_api import Page, expect

PEOPLE = {"anna": "annotator", "ben": "annotator reviewer", "rea": "reviewer", "vi": "viewer"}
SHOWN = ".vw-stage[data-shown^=blob]"
SAVED = "All changes are saved"
SIDES = ("left", "top", "width", "height")


def rect(left: int, top: int = 20, width: int = 60, height: int = 40) -> dict[str, int]:
    return {"left": left, "top": top, "width": width, "height": height}


def drawn(version: int, left: int = 10) -> dict[str, object]:
    return {"version": version, "roi": rect(left)}


def images(client: httpx.Client) -> list[dict]:
    return client.get("/api/rois").json()["items"]


def submitted(served, key: str, roi: dict[str, int], *, by: str = "anna") -> int:
    """Draw and hand in; return the version."""
    with served.client(by) as client:
        known = client.get(f"/api/rois/{key}").json()["item"]["version"]
        answer = client.put(f"/api/rois/{key}", json={"version": known, "roi": roi})
        assert answer.status_code == 200, answer.text
        answer = client.post(f"/api/rois/{key}/submit", json={"version": answer.json()["version"]})
        assert answer.status_code == 200, answer.text
        return int(answer.json()["version"])


class Desk:
    """A page of annotation, and what its server has of the image that it shows."""

    def __init__(self, page: Page, client) -> None:
        self.page, self.client = page, client

    @property
    def key(self) -> str:
        return str(self.page.evaluate("location.hash.slice(1)"))  # page.url lags behind

    @property
    def stage(self):
        return self.page.locator(".an-viewer .vw-stage")

    def ready(self) -> None:
        self.page.locator(f".an-viewer {SHOWN}").wait_for()

    def point(self, x: float, y: float) -> tuple[float, float]:
        """Return where a pixel of the image is on the screen."""
        place = self.page.locator(".an-viewer .vw-img").bounding_box()
        width = self.detail()["width"]
        return place["x"] + x * place["width"] / width, place["y"] + y * place["width"] / width

    def drag(self, start, end, *, button: str = "left") -> None:
        middle = [(a + b) / 2 for a, b in zip(start, end, strict=True)]
        first, *others = [self.point(*place) for place in (start, middle, end)]
        mouse = self.page.mouse
        mouse.move(*first)
        mouse.down(button=button)
        for place in others:
            mouse.move(*place)
        mouse.up(button=button)

    def saved(self) -> None:
        expect(self.page.locator(".an-saved")).to_have_text(SAVED)

    def detail(self) -> dict:
        return self.client.get(f"/api/rois/{self.key}").json()

    def roi(self) -> list[int] | None:
        self.saved()
        drawing = self.detail()["drawing"]
        return drawing and drawing["roi"] and [drawing["roi"][side] for side in SIDES]
