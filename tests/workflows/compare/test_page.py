"""The page in a browser: what a person does with it, and that it needs nothing else."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.browser import PROGRAMS, Page, find_chromium, open_browser
from tests.support.requirements import skip_or_fail
from tests.workflows.compare.conftest import MODES

MOST_BYTES = 5_000_000
ENTER, TAB, RIGHT = ("Enter", 13, "\r"), ("Tab", 9), ("ArrowRight", 39)
HEADINGS = "[...document.querySelectorAll('#rows thead th')]"


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    program = find_chromium()
    if program is None:
        skip_or_fail("chromium", f"none of {', '.join(PROGRAMS)} is installed.")
    with open_browser(program, tmp_path_factory.mktemp("browser") / "profile") as page:
        yield page


@pytest.fixture
def page(browser: Page, report: Path) -> Page:
    browser.open(report / "compare.html")
    return browser


def shown(page: Page, column: int = 0) -> list[str]:
    """The texts of a column, of the rows that are not hidden."""
    texts: list[str] = page.evaluate(
        "[...document.getElementById('rows').tBodies[0].rows].filter(row => !row.hidden)"
        f".map(row => row.cells[{column}]?.textContent.trim() ?? '')"
    )
    return texts


def column_of(page: Page, heading: str) -> int:
    column: int = page.evaluate(f"{HEADINGS}.findIndex(one => one.textContent.trim() === {json.dumps(heading)})")
    assert column >= 0
    return column


def focus_on(page: Page, selector: str) -> None:
    """Press the tabulator until an element has the focus."""
    for _ in range(60):
        if page.evaluate(f"document.activeElement === document.querySelector({json.dumps(selector)})"):
            return
        page.press(*TAB)
    pytest.fail(f"the keyboard does not reach {selector}")


def choose(page: Page, selector: str, value: str) -> None:
    page.evaluate(
        f"{{ const one = document.querySelector({json.dumps(selector)}); one.value = {json.dumps(value)};"
        " one.dispatchEvent(new Event('change')); }"
    )


def test_it_is_whole_and_silent(page: Page, report: Path) -> None:
    path = report / "compare.html"
    assert path.stat().st_size < MOST_BYTES
    assert page.requests == [path.resolve().as_uri()]
    assert page.complaints == []
    assert page.evaluate("[...document.images].every(image => image.complete && image.naturalWidth > 0)")
    assert page.evaluate("[...document.images].every(image => image.alt !== '')")


def test_sorting_by_keyboard(page: Page) -> None:
    column = column_of(page, "ms")
    focus_on(page, f"#rows thead th:nth-child({column + 1}) button")
    for order, sign in (("ascending", 1), ("descending", -1)):
        page.press(*ENTER)
        assert page.evaluate(f"{HEADINGS}[{column}].getAttribute('aria-sort')") == order
        values = page.evaluate(
            "[...document.getElementById('rows').tBodies[0].rows]"
            f".map(row => row.cells[{column}]?.dataset.number ?? '')"
        )
        numbers = [float(value) for value in values if value]
        assert numbers == sorted(numbers, key=lambda number: sign * number)
        assert values[: len(numbers)] == [value for value in values if value], "what is not known comes last"
    assert page.evaluate("document.querySelectorAll('#rows [aria-sort]').length") == 1


def test_sorting_by_name(page: Page) -> None:
    page.evaluate(f"{HEADINGS}[0].querySelector('button').click()")
    assert shown(page) == sorted(shown(page))


def test_filters_hide_rows_and_what_belongs_to_them(page: Page) -> None:
    every = len(shown(page))
    choose(page, "#filters [name=mode]", "fast")
    choose(page, "#filters [name=status]", "done")
    assert shown(page) == ["fast"]
    assert page.evaluate("document.getElementById('count').textContent") == f"1 of {every} rows"
    points = "[...document.querySelectorAll('.chart .wide .point')].filter(one => one.style.display !== 'none').length"
    assert page.evaluate(points) == 1
    assert page.evaluate("[...document.querySelectorAll('.classes thead th')].filter(one => !one.hidden).length") == 2
    choose(page, "#filters [name=mode]", "")
    choose(page, "#filters [name=status]", "")
    assert len(shown(page)) == every
    assert page.evaluate(points) == len(MODES)


def test_the_slider_moves_by_keyboard_between_two_views(page: Page) -> None:
    over = "document.querySelector('.frame .over')"
    assert page.evaluate(f"{over}.alt") == MODES[0]
    before = page.evaluate(f"getComputedStyle({over}).clipPath")
    focus_on(page, ".wipe input")
    page.press(*RIGHT)
    assert page.evaluate("document.querySelector('.wipe input').value") == "51"
    assert page.evaluate(f"getComputedStyle({over}).clipPath") != before
    first = page.evaluate(f"{over}.src")
    choose(page, ".wipe label:nth-of-type(2) select", "difference: fast")
    assert page.evaluate(f"{over}.alt") == "difference: fast"
    assert page.evaluate(f"{over}.src") != first
    names = page.evaluate("[...document.querySelectorAll('.wipe label:nth-of-type(2) option')].map(one => one.value)")
    assert names[:3] == ["picture", "truth", "original"]
    assert "errors: 2x2" in names


@pytest.mark.parametrize("dark", [False, True])
def test_a_phone_shows_all_of_it(browser: Page, report: Path, dark: bool) -> None:
    browser.open(report / "compare.html", 360, 740, dark=dark)
    assert browser.evaluate("document.documentElement.scrollWidth") == 360
    assert browser.evaluate("getComputedStyle(document.querySelector('.chart .narrow')).display") == "block"
    assert browser.complaints == []


def contrast(page: Page, selector: str) -> float:
    """The contrast of an element's text with the page, as WCAG 2 defines it."""
    colours = page.evaluate(
        f"[getComputedStyle(document.querySelector({json.dumps(selector)})).color,"
        " getComputedStyle(document.body).backgroundColor]"
    )
    lights = sorted(map(luminance, colours))
    return (lights[1] + 0.05) / (lights[0] + 0.05)


def luminance(colour: str) -> float:
    channels = [int(part) / 255 for part in colour[colour.index("(") + 1 : -1].split(",")[:3]]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize("options", [{}, {"dark": True}, {"media": "print"}, {"dark": True, "media": "print"}])
def test_text_stands_out(browser: Page, report: Path, options: dict[str, Any]) -> None:
    browser.open(report / "compare.html", **options)
    for selector in ("h1", ".lead", "#rows tbody td", ".reason", "figcaption"):
        assert contrast(browser, selector) >= 4.5, selector


def test_print_shows_no_controls(browser: Page, report: Path) -> None:
    browser.open(report / "compare.html", 800, media="print")
    assert browser.evaluate("getComputedStyle(document.querySelector('.controls')).display") == "none"
    assert browser.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
