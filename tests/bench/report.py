# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""From samples to a table and a plot."""

from __future__ import annotations

import json
import math
import pathlib
from collections import defaultdict
from statistics import median
from typing import Any

TITLES = {
    "create": "create",
    "no_change": "no change",
    "issue": "issue",
    "seal": "issue, sealed",
    "info": "all venues' info",
}
COLOURS = ("#0b6", "#7c5", "#a5c", "#0aa", "#c33", "#e83", "#36c", "#888")
KEY = ("contender", "step", "venues", "latency", "tls", "forks")
Cell = tuple[str, str, int, float, bool, int]


def cells(samples: list[dict[str, Any]]) -> dict[Cell, dict[str, float]]:
    """The medians of the measurements that are alike in all of ``KEY``."""
    grouped: dict[Cell, list[dict[str, Any]]] = defaultdict(list)
    for one in samples:
        grouped[*(one[name] for name in KEY)].append(one)
    return {
        cell: {
            **{
                name: median(one[name] for one in group)
                for name in ("wall", "cpu", "emulator_cpu", "memory", "connections", "depth")
            },
            "calls": median(sum(one["calls"].values()) for one in group),
            "runs": len(group),
            # Measurements from before the lines were counted have none.
            **({"lines": median(counted)} if (counted := [one["lines"] for one in group if "lines" in one]) else {}),
        }
        for cell, group in grouped.items()
    }


def table(results: dict[str, Any]) -> str:
    """The table, as Markdown."""
    found = cells(results["samples"])
    machine = ", ".join(f"{name} {value}" for name, value in results["machine"].items())
    lines = [
        "# Measurements",
        "",
        f"Measured on: {machine}. Medians. *Times ours*: CPU and wall time against ours. *Emulator*: CPU of moto "
        "server and proxy, on the same cores.",
        "*Chain*: API calls that had to wait for one another. *Lines*: what the command printed.",
        "",
        "| venues | ms per call | forks | step | contender | runs | wall s | times ours | CPU s | times ours |"
        " emulator s | MiB | calls a venue | chain | connections | lines |",
        "|---|---|---|---|---|---|---|---|---|---|---|---|---|---|---|---|",
    ]
    for cell, one in sorted(
        found.items(), key=lambda item: (item[0][2], item[0][4], item[0][3], item[0][5], list(TITLES).index(item[0][1]))
    ):
        contender, step, venues, latency, tls, forks = cell
        ours = found.get(("ours", *cell[1:]))
        wall, cpu = (
            f"{one[name]:.2f} | {one[name] / ours[name]:.2f}" if ours else f"{one[name]:.2f} |"
            for name in ("wall", "cpu")
        )
        chain = f"{one['depth']:g}" if venues == 1 else ""  # venues side by side would be counted as waiting
        condition = f"{venues} | {latency * 1000:.0f}{' TLS' if tls else ''} | {forks}"
        where = f"{condition} | {TITLES[step]} | {contender} | {one['runs']}"
        cost = f"{one['emulator_cpu']:.2f} | {one['memory']:.0f}"
        rest = f"{cost} | {one['calls'] / venues:g} | {chain} | {one['connections']:g}"
        lines_printed = f"{one['lines']:g}" if "lines" in one else ""
        lines.append(f"| {where} | {wall} | {cpu} | {rest} | {lines_printed} |")
    return "\n".join(lines) + "\n"


def plot(results: dict[str, Any]) -> str:
    """Wall time over the number of venues, both logarithmic: one panel a step, one line a contender.

    The lowest latency only, without TLS.
    """
    latency = min(one["latency"] for one in results["samples"])
    forks = min(one["forks"] for one in results["samples"])
    shown = [
        one
        for one in results["samples"]
        if (one["latency"], one["tls"], one["forks"]) == (latency, results["samples"][0]["tls"], forks)
    ]
    found = cells(shown)
    names = list(dict.fromkeys(one["contender"] for one in results["samples"]))
    width, height, left, top = 300, 260, 46, 30
    most = max(2, *(cell[2] for cell in found))
    walls = [one["wall"] for one in found.values()]
    low, high = math.floor(math.log10(min(walls))), math.ceil(math.log10(max(walls)))

    def place(panel: int, venues: int, wall: float) -> str:
        x = left + panel * (width + left) + math.log(venues) / math.log(most) * (width - 20)
        y = top + height - (math.log10(wall) - low) / (high - low) * height
        return f"{x:.1f},{y:.1f}"

    parts = []
    for panel, step in enumerate(TITLES):
        x = left + panel * (width + left)
        parts.append(
            f'<text x="{x}" y="{top - 12}" font-weight="bold">{TITLES[step]}, {latency * 1000:.0f} ms per call</text>'
        )
        for power in range(low, high + 1):
            y = top + height - (power - low) / (high - low) * height
            parts.append(
                f'<path d="M{x} {y:.1f}h{width - 20}" stroke="#ddd"/>'
                f'<text x="{x - 6}" y="{y + 4:.1f}" text-anchor="end">{10.0**power:g} s</text>'
            )
        for venues in sorted({cell[2] for cell in found}):
            parts.append(
                f'<text x="{place(panel, venues, 1).split(",")[0]}" y="{top + height + 16}" '
                f'text-anchor="middle">{venues}</text>'
            )
        for colour, name in zip(COLOURS, names, strict=False):
            line = [
                place(panel, cell[2], one["wall"])
                for cell, one in sorted(found.items())
                if cell[:2] == (name, step) and cell[3] == latency
            ]
            if line:
                parts.append(f'<polyline points="{" ".join(line)}" fill="none" stroke="{colour}" stroke-width="2"/>')
                parts += [
                    f'<circle cx="{point.split(",")[0]}" cy="{point.split(",")[1]}" r="3" fill="{colour}"/>'
                    for point in line
                ]
    for number, (colour, name) in enumerate(zip(COLOURS, names, strict=False)):
        x, y = left + number * 165, top + height + 36
        parts.append(
            f'<rect x="{x}" y="{y}" width="12" height="12" fill="{colour}"/>'
            f'<text x="{x + 18}" y="{y + 11}">{name}</text>'
        )
    size = f'width="{len(TITLES) * (width + left)}" height="{top + height + 56}"'
    title = "<title>Wall time in seconds over the number of venues</title>"
    body = f'<rect width="100%" height="100%" fill="#fff"/>{"".join(parts)}'
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} font-family="sans-serif" font-size="11">{title}{body}</svg>\n'
    )


def write(folder: pathlib.Path, results: dict[str, Any]) -> None:
    """Write results.json, table.md and wall.svg."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "results.json").write_text(json.dumps(results, indent=1) + "\n")
    (folder / "table.md").write_text(table(results))
    (folder / "wall.svg").write_text(plot(results))
