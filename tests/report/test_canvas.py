"""One style for all figures: what it draws, and what it leaves unsaid."""

import logging

from axilla.report.figures import figure_style


def test_a_font_without_bold_is_no_warning(monkeypatch, caplog):
    # As a Chinese font: after DejaVu Sans, in one weight only; cmr10 travels inside matplotlib.
    monkeypatch.setitem(figure_style._STYLE, "font.family", ["DejaVu Sans", "cmr10"])
    with caplog.at_level(logging.WARNING), figure_style.figure_style():
        figure = figure_style.new_figure(1, 1)
        figure.text(0.1, 0.5, "bold", fontweight="bold")
        drawing = figure_style.encode(figure, name="x", title="x", description="x")
    assert drawing.png.startswith(b"\x89PNG")
    assert not caplog.messages
