# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""From samples to a table and a plot."""

from __future__ import annotations

import json
import pathlib
from collections import defaultdict
from collections.abc import Iterator
from statistics import median
from typing import Any

from tests.bench import plan, targets
from tests.bench.plot import Plot

TITLES = {
    "create": "create",
    "no_change": "no change",
    "issue": "issue",
    "seal": "issue, sealed",
    "renew": "renew",
    "info": "all venues' info",
    "revoke_reading": "reading of 100,000 receipts for revoke",
    "report_reading": "the same for report",
    "revoke_receipts": "revoke, 100,000 receipts",
    "report_receipts": "report, 100,000 receipts",
}
TRANSPORTS = {plan.PLAIN: "", plan.TLS: "yes", plan.OTHER: "other authority"}
KEY = ("contender", "step", "venues", "latency", "tls", "forks")
COUNTED = ("wall", "cpu", "emulator_cpu", "memory", "connections", "depth", "lines", "kion_asked", "kion_at_once")
HEAD = (
    *("venues", "ms per call", "HTTPS", "forks", "step", "contender", "runs", "wall s", "times ours", "CPU s"),
    *("times ours", "emulator s", "MiB", "calls a venue", "chain", "connections", "lines", "Kion asked"),
)


def cells(samples: list[dict[str, Any]]) -> dict[targets.Cell, dict[str, float]]:
    """The medians of the measurements that are alike in all of ``KEY``."""
    grouped: dict[targets.Cell, list[dict[str, Any]]] = defaultdict(list)
    for one in samples:
        grouped[*(one[name] for name in KEY)].append(one)
    return {
        cell: {
            **{name: median(one[name] for one in group) for name in COUNTED},
            "calls": median(sum(one["calls"].values()) for one in group),
            "runs": len(group),
        }
        for cell, group in grouped.items()
    }


def table(results: dict[str, Any]) -> str:
    """The tables, as Markdown."""
    found = cells(results["samples"])
    machine = ", ".join(f"{name} {value}" for name, value in results["machine"].items())
    return "\n".join(
        [
            "# Measurements",
            "",
            f"Measured on: {machine}. Medians." if machine else "Nothing was measured yet: run `make bench`.",
            "",
            "## Targets",
            "",
            "Each compares medians of this run. Forks are as many as cores, unless they are named.",
            "",
            *targets.table(found, int(results["machine"].get("cores", 0))),
            "",
            "## All measurements",
            "",
            "*Times ours*: CPU and wall time against ours. *Emulator*: CPU of moto server and proxies, on the same",
            "cores. *MiB*: of the largest process. *Chain*: API calls that had to wait for one another. *Lines*: what",
            "the command printed. *Kion asked*: how often for keys, and how many such requests were open at once.",
            "",
            f"| {' | '.join(HEAD)} |",
            "|---" * len(HEAD) + "|",
            *_rows(found),
            "",
        ]
    )


def _order(cell: targets.Cell) -> tuple[Any, ...]:
    contender, step, venues, latency, tls, forks = cell
    return venues, plan.TRANSPORTS.index(tls), latency, forks, list(TITLES).index(step), contender != "ours"


def _rows(found: dict[targets.Cell, dict[str, float]]) -> Iterator[str]:
    for cell in sorted(found, key=_order):
        contender, step, venues, latency, tls, forks = cell
        one, ours = found[cell], found.get(("ours", *cell[1:]))
        times = {name: f"{one[name] / ours[name]:.2f}" if ours else "" for name in ("wall", "cpu")}
        row = (
            *(venues, f"{latency * 1000:.0f}", TRANSPORTS[tls], forks, TITLES[step], contender, one["runs"]),
            *(f"{one['wall']:.2f}", times["wall"], f"{one['cpu']:.2f}", times["cpu"]),
            *(f"{one['emulator_cpu']:.2f}", f"{one['memory']:.0f}", f"{one['calls'] / venues:g}"),
            f"{one['depth']:g}" if venues == 1 else "",  # venues side by side would be counted as waiting
            *(f"{one['connections']:g}", f"{one['lines']:g}"),
            f"{one['kion_asked']:g} ({one['kion_at_once']:g})" if one["kion_asked"] else "",
        )
        yield f"| {' | '.join(map(str, row))} |"


def plot(results: dict[str, Any]) -> str:
    """Wall time over the number of venues: the lowest latency and the fewest forks, without TLS if there is any."""
    if not results["samples"]:
        return Plot({}, {}).svg()
    least = min((plan.TRANSPORTS.index(one["tls"]), one["latency"], one["forks"]) for one in results["samples"])
    found = {
        cell[:3]: one["wall"]
        for cell, one in cells(results["samples"]).items()
        if (plan.TRANSPORTS.index(cell[4]), cell[3], cell[5]) == least
    }
    return Plot(found, {step: f"{title}, {least[1] * 1000:.0f} ms per call" for step, title in TITLES.items()}).svg()


def write(folder: pathlib.Path, results: dict[str, Any]) -> None:
    """Write results.json, table.md and wall.svg, each at once: whoever interrupts this loses nothing."""
    folder.mkdir(parents=True, exist_ok=True)
    told = json.dumps(results, indent=1) + "\n"
    texts = {"results.json": told, "table.md": table(results), "wall.svg": plot(results)}
    for name, text in texts.items():
        (folder / f".{name}.new").write_text(text)
        (folder / f".{name}.new").replace(folder / name)
