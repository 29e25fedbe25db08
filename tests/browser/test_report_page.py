# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The report in a real browser: it sorts, filters, stays usable by keyboard, and the console is silent."""

from __future__ import annotations

import pathlib
import re
import shutil
from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.programs import required
from tests.support.report import HOSTILE, facts, page

BROWSER, DRIVER = shutil.which("chromium"), shutil.which("chromedriver")
pytestmark = required("chromium", "chromedriver")
webdriver = pytest.importorskip(
    "selenium.webdriver", reason="selenium is not installed: it is among requirements/dev.txt"
)
CSS = "css selector"


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    options = webdriver.ChromeOptions()
    options.binary_location = BROWSER
    for flag in (
        "--headless=new",
        "--no-sandbox",
        "--disable-gpu",
        "--disable-dev-shm-usage",
        "--window-size=1280,900",
    ):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    driver = webdriver.Chrome(options=options, service=webdriver.ChromeService(executable_path=DRIVER))
    yield driver
    driver.quit()


@pytest.fixture(params=[3, 300], ids=["3 venues", "300 venues"])
def report(browser: Any, request: pytest.FixtureRequest, tmp_path: pathlib.Path) -> Iterator[tuple[Any, int]]:
    file = tmp_path / "report.html"
    file.write_text(page(facts(request.param)), encoding="utf-8")
    browser.get(file.as_uri())
    yield browser, request.param
    assert browser.get_log("browser") == []
    assert browser.title.startswith("MDPS venues")  # and not what a recipient's name wanted


def column(browser: Any, number: int) -> list[str]:
    rows = "document.querySelectorAll('#table tbody tr:not([hidden])')"
    script = f"return Array.from({rows}, row => row.cells[arguments[0]].textContent.trim())"
    return list(browser.execute_script(script, number))


def natural(text: str) -> list[Any]:
    return [int(part) if part.isdigit() else part for part in re.split(r"(\d+)", text)]


def test_sorting_both_ways_by_keyboard(report: tuple[Any, int]) -> None:
    browser, count = report
    assert len(column(browser, 0)) == count
    button = browser.find_element(CSS, "#table thead th:nth-child(1) button")
    button.send_keys("\ue007")  # Enter
    assert column(browser, 0) == sorted(column(browser, 0), key=natural)
    assert browser.find_element(CSS, "#table thead th:nth-child(1)").get_attribute("aria-sort") == "ascending"
    button.send_keys(" ")
    assert column(browser, 0) == sorted(column(browser, 0), key=natural, reverse=True)
    browser.find_element(CSS, "#table thead th:nth-child(3) button").click()
    severity = ["broken", "drifted", "absent", "ok"]
    assert column(browser, 2) == sorted(column(browser, 2), key=severity.index)
    assert len(browser.find_elements(CSS, "[aria-sort]")) == 1


def test_filters_work_together_and_say_how_many_are_left(report: tuple[Any, int]) -> None:
    browser, count = report
    text, status, live = (browser.find_element(CSS, f"#filter-{name}") for name in ("text", "status", "live"))
    browser.find_element(CSS, "#filter-status option[value='drifted']").click()
    assert set(column(browser, 2)) == {"drifted"}
    left = len(column(browser, 2))
    assert browser.find_element(CSS, "#shown").text == f"{left} of {count} venues"
    browser.find_element(CSS, "#filter-status option[value='']").click()
    live.click()
    assert len(column(browser, 0)) == len(range(0, count, 3))
    live.click()
    text.send_keys("TAKEN OVER")  # a recipient is found by what the list of tokens says
    assert column(browser, 0) == ["p0 / v0"]
    assert [one.is_displayed() for one in browser.find_elements(CSS, "article")].count(True) == 1
    text.clear()
    text.send_keys("no such thing")
    assert column(browser, 0) == []
    assert status.get_attribute("value") == ""


def test_what_recipients_are_called_is_text(report: tuple[Any, int]) -> None:
    browser, _count = report
    assert HOSTILE in browser.execute_script("return document.getElementById('tokens').textContent")
    assert len(browser.find_elements(CSS, "script")) == 1


def test_nothing_is_fetched_and_everything_has_a_name(report: tuple[Any, int]) -> None:
    browser, count = report
    assert browser.execute_script("return performance.getEntriesByType('resource').length") == 0
    for control in browser.find_elements(CSS, "input, select, button, svg[role=img], [role=region]"):
        assert control.accessible_name
        if count > 3:
            break  # the first of hundreds alike
    bars = browser.find_elements(CSS, "svg.timeline rect")
    assert len(bars) == 4 * len(range(0, count, 3))


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_badges_are_readable_in_both_schemes(browser: Any, tmp_path: pathlib.Path, scheme: str) -> None:
    (tmp_path / "report.html").write_text(page(facts(4)), encoding="utf-8")
    browser.execute_cdp_cmd(
        "Emulation.setEmulatedMedia", {"features": [{"name": "prefers-color-scheme", "value": scheme}]}
    )
    browser.get((tmp_path / "report.html").as_uri())
    colours = browser.execute_script(
        "return [document.body, ...document.querySelectorAll('.badge')].map(one => [getComputedStyle(one).color, "
        "getComputedStyle(one).backgroundColor])"
    )
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})
    assert min(contrast(*pair) for pair in colours) >= 4.5  # WCAG 2.2, level AA


def contrast(one: str, other: str) -> float:
    dark, light = sorted(map(luminance, (one, other)))
    return (light + 0.05) / (dark + 0.05)


def luminance(colour: str) -> float:
    channels = [int(part) / 255 for part in re.findall(r"\d+", colour)[:3]]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
