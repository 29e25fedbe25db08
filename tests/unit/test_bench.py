# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The benchmark counts and compares rightly."""

from __future__ import annotations

import pathlib
from typing import Any

import pytest

from tests.bench.contenders import Job, contenders
from tests.bench.proxy import depth
from tests.bench.report import plot, table


@pytest.mark.parametrize(
    ("spans", "expected"),
    [
        ([], 0),
        ([(0, 2), (0, 1), (1, 3)], 2),  # the third waited for the second, not for the first
        ([(0, 1), (1, 2), (2, 3)], 3),
        ([(0, 5), (1, 2), (3, 4), (4, 6)], 3),
    ],
)
def test_the_chain_is_the_longest_one(spans: list[tuple[float, float]], expected: int) -> None:
    assert depth(spans) == expected


def sample(contender: str, wall: float, **more: Any) -> dict[str, Any]:
    measured = {
        "wall": wall,
        "cpu": wall / 2,
        "emulator_cpu": 0.1,
        "memory": 50,
        "calls": {"GetRole": 20},
        "connections": 4,
        "depth": 0,
    }
    return {
        "contender": contender,
        "step": "no_change",
        "venues": 10,
        "latency": 0.0,
        "tls": False,
        "forks": 2,
        **measured,
        **more,
    }


def test_medians_and_ratios() -> None:
    samples = [*(sample("ours", wall) for wall in (1.0, 2.0, 9.0)), sample("amazon.aws", 30.0)]
    rows = table({"machine": {"cores": "2"}, "samples": samples}).splitlines()
    assert "| 10 | 0 | 2 | no change | ours | 3 | 2.00 | 1.00 | 1.00 | 1.00 |" in rows[-2]
    assert "| amazon.aws | 1 | 30.00 | 15.00 | 15.00 | 15.00 |" in rows[-1]


def test_what_differs_in_forks_or_tls_is_not_mixed() -> None:
    samples = [sample("ours", 1.0), sample("ours", 5.0, forks=10), sample("ours", 7.0, tls=True)]
    rows = table({"machine": {}, "samples": samples}).splitlines()
    assert [row.split("|")[7].strip() for row in rows[-3:]] == ["1.00", "5.00", "7.00"]


def test_printed_lines_are_in_the_table_where_they_were_counted() -> None:
    samples = [*(sample("ours", 1.0, lines=lines) for lines in (9, 25, 77)), sample("other", 1.0)]
    rows = table({"machine": {}, "samples": samples}).splitlines()
    assert [row.split("|")[-2].strip() for row in rows[-2:]] == ["25", ""]


def test_every_contender_that_issues_also_seals() -> None:
    for contender in contenders().values():
        assert ("issue" in contender.steps) == ("seal" in contender.steps), contender.name


def test_a_sealed_issue_names_the_key_and_has_no_dest(tmp_path: pathlib.Path) -> None:
    for contender in contenders().values():
        if contender.name.startswith("ours") and "seal" in contender.steps:
            command = " ".join(contender.command(Job("seal", 1, tmp_path, 2)))
            assert f"{tmp_path}/keys" in command
            assert f"{tmp_path}/sealed/" in command
            assert f"{tmp_path}/tokens/" not in command


def test_the_plot_has_a_line_per_contender_and_step() -> None:
    samples = [
        sample(name, wall, venues=venues, step=step)
        for name, wall in (("ours", 1.0), ("other", 20.0))
        for venues in (1, 10)
        for step in ("create", "issue")
    ]
    assert plot({"samples": samples}).count("<polyline") == 4
