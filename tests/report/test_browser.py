"""The report in a real Chromium: no errors, hover shows the cell, click pins it, sorting sorts."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

Open = Callable[..., Any]


@pytest.fixture
def opened(browser: Any) -> Iterator[Open]:
    """Open a report; at the end nothing must have been complained of or fetched."""
    contexts, complaints, requests = [], [], []

    def open_report(path: Path, width: int = 1280, height: int = 900, scheme: str = "light") -> Any:
        context = browser.new_context(
            viewport={"width": width, "height": height}, color_scheme=scheme
        )
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda message: complaints.append(message.text))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("request", lambda request: requests.append(request.url))
        page.goto(path.as_uri())
        page.wait_for_selector("html[data-ready=true]", timeout=60_000)
        return page

    yield open_report
    for context in contexts:
        context.close()
    assert complaints == []
    assert all(url.startswith(("file:", "data:", "blob:")) for url in requests)


def _wait_until(page: Any, condition: str) -> None:
    """Wait for an expression; Playwright's own wait evaluates code that the page forbids."""
    for _ in range(200):
        if page.evaluate(condition):
            return
        page.wait_for_timeout(50)
    pytest.fail(f"never true: {condition}")


def _middle_of_a_point(page: Any, figure: int = 0) -> tuple[float, float]:
    point = page.locator(f"#figure-{figure} .points path").last
    point.scroll_into_view_if_needed()
    box = point.bounding_box()
    return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2


def test_hover_shows_and_click_pins_the_cell(opened: Open, model_report: Path) -> None:
    page = opened(model_report)
    assert page.title() != "owned"
    x, y = _middle_of_a_point(page)
    page.mouse.move(x, y)
    page.wait_for_selector("#tip:not([hidden]) svg")
    assert page.locator("#tip text").first.text_content() == "input"
    assert "measured validation accuracy, %" in page.locator("#tip").text_content()
    digest = page.locator("#tip code").get_attribute("title")
    assert len(digest) == 32
    page.mouse.click(x, y)
    page.wait_for_selector("#pins .pin svg")
    assert page.locator("#pins code").get_attribute("title") == digest
    page.mouse.move(2, 2)
    page.wait_for_selector("#tip", state="hidden")
    assert page.locator("#pins .pin").count() == 1
    page.locator("#pins button").click()
    assert page.locator("#pins").is_hidden()


def test_the_drawing_is_the_cells_own(opened: Open, model_report: Path) -> None:
    page = opened(model_report)
    row = page.locator("#best tbody tr").first
    row.click()
    page.wait_for_selector("#pins .pin svg")
    pinned = page.locator("#pins svg text").all_text_contents()
    assert pinned == row.locator("svg text").all_text_contents()
    assert pinned[-1] == "output"


def test_sorting_the_table(opened: Open, model_report: Path) -> None:
    page = opened(model_report)

    def column(number: int) -> list[float]:
        cells = page.locator(f"#best tbody tr td:nth-child({number})")
        return [float(c.get_attribute("data-sort")) for c in cells.all()]

    head = page.locator("#best th:nth-child(4)")  # measured
    before = column(4)
    assert before != sorted(before)
    head.locator("button").click()
    assert column(4) == sorted(before)
    assert head.get_attribute("aria-sort") == "ascending"
    head.locator("button").click()
    assert column(4) == sorted(before, reverse=True)
    assert head.get_attribute("aria-sort") == "descending"
    page.locator("#best th:nth-child(2) button").click()
    assert column(4) == before
    assert head.get_attribute("aria-sort") == "none"


@pytest.mark.parametrize(
    ("report", "width", "scheme"),
    [
        ("model_report", 390, "dark"),
        ("model_report", 1280, "light"),
        ("search_report", 390, "light"),
        ("search_report", 1280, "dark"),
    ],
)
def test_it_fits_phones_and_desktops_in_both_themes(
    opened: Open, report: str, width: int, scheme: str, request: pytest.FixtureRequest
) -> None:
    page = opened(request.getfixturevalue(report), width=width, scheme=scheme)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    background = page.evaluate("getComputedStyle(document.body).backgroundColor")
    channels = [int(c) for c in background.removeprefix("rgb(").removesuffix(")").split(",")]
    assert (sum(channels) < 3 * 128) == (scheme == "dark")
    # Axis labels are drawn in the theme's ink.
    ink = page.evaluate("getComputedStyle(document.body).color")
    assert page.locator("#figure-0 .xtitle").evaluate("e => getComputedStyle(e).fill") == ink
    boxes = [figure.bounding_box() for figure in page.locator(".figure .main-svg").all()]
    assert all(box["width"] <= width and box["height"] > 200 for box in boxes)
    assert page.locator(".figure").count() == len({b["y"] for b in boxes}) or width > 1000


def test_the_theme_can_be_switched(opened: Open, model_report: Path) -> None:
    page = opened(model_report)
    before = page.evaluate("getComputedStyle(document.body).backgroundColor")
    page.locator("#theme").click()
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") != before
    assert page.locator("#theme").text_content() == "Light"
    page.wait_for_function(
        "getComputedStyle(document.querySelector('#figure-0 .xtitle')).fill"
        " === getComputedStyle(document.body).color"
    )
    page.locator("#theme").click()
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == before


def test_figures_follow_the_size_of_the_window(opened: Open, model_report: Path) -> None:
    page = opened(model_report)
    for width in (600, 1000):
        page.set_viewport_size({"width": width, "height": 800})
        _wait_until(
            page,
            "[...document.querySelectorAll('.figure')].every("
            "  figure => figure.clientWidth === figure.querySelector('.main-svg').clientWidth)",
        )


def test_a_zoom_stays_when_the_window_changes(opened: Open, model_report: Path) -> None:
    page = opened(model_report)
    ranges = "JSON.stringify(document.getElementById('figure-0').layout.xaxis.range)"
    before = page.evaluate(ranges)
    box = page.locator("#figure-0 .nsewdrag").first.bounding_box()
    page.mouse.move(box["x"] + box["width"] / 4, box["y"] + box["height"] / 4)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2, steps=5)
    page.mouse.up()
    _wait_until(page, f"{ranges} !== '{before}'")
    zoomed = page.evaluate(ranges)
    width = "document.querySelector('#figure-0 .main-svg').clientWidth"
    drawn = page.evaluate(width)
    page.set_viewport_size({"width": 1000, "height": 800})
    _wait_until(page, f"{width} !== {drawn}")
    page.locator("#theme").click()
    assert page.evaluate(ranges) == zoomed


def test_a_window_of_another_height_draws_nothing_again(opened: Open, model_report: Path) -> None:
    page = opened(model_report)
    page.evaluate("void (Plotly.react = () => { throw new Error('drawn again') })")
    page.set_viewport_size({"width": 1280, "height": 700})
    page.wait_for_timeout(300)  # an error on the page fails the test


def test_a_printed_page_is_white_and_its_figures_fit(opened: Open, model_report: Path) -> None:
    page = opened(model_report, scheme="dark")

    def background() -> str:
        return str(page.evaluate("getComputedStyle(document.body).backgroundColor"))

    def widths() -> list[tuple[float, float]]:
        figures = page.locator(".figure").all()
        return [
            (one.bounding_box()["width"], one.locator(".main-svg").first.bounding_box()["width"])
            for one in figures
        ]

    dark, before = background(), widths()
    page.evaluate("window.dispatchEvent(new Event('beforeprint'))")
    assert background() == "rgb(255, 255, 255)"
    assert page.locator("#theme").is_hidden()
    hints = page.locator(".hint").all()
    assert len(hints) > 2  # of figures and of the table
    assert all(hint.is_hidden() for hint in hints)
    printed = widths()
    assert all(drawn == pytest.approx(room, abs=1) for room, drawn in printed)
    assert max(room for room, _ in printed) < 680 < max(room for room, _ in before) * 2
    assert page.locator("#best").bounding_box()["width"] <= 680
    page.evaluate("window.dispatchEvent(new Event('afterprint'))")
    assert (background(), widths()) == (dark, before)
    assert all(hint.is_visible() for hint in hints)


def test_a_tap_on_a_phone_pins(opened: Open, search_report: Path) -> None:
    page = opened(search_report, width=390, height=844)
    x, y = _middle_of_a_point(page)
    page.mouse.click(x, y)
    page.wait_for_selector("#pins .pin svg")
    box = page.locator("#pins").bounding_box()
    assert box["height"] < 844 / 2
    page.keyboard.press("Escape")
    assert page.locator("#pins").is_hidden()
