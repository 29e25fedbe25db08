# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Wall time over the number of venues, as an SVG."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

COLOURS = ("#0b6", "#7c5", "#a5c", "#0aa", "#c33", "#e83", "#36c", "#888", "#b58", "#585", "#55b", "#ba5", "#5bb")
WIDTH, HEIGHT, LEFT, TOP = 300, 260, 46, 30
LEGEND_WIDTH = 185


@dataclass(frozen=True)
class Plot:
    """One panel a step, one line a contender; both axes logarithmic.

    :param walls: seconds by contender, step and venues.
    :param titles: of the steps, in the order of the panels. Steps without a line have no panel.
    """

    walls: Mapping[tuple[str, str, int], float]
    titles: Mapping[str, str]

    def svg(self) -> str:
        """The drawing."""
        steps = [step for step in self.titles if any(self._lines(step))]
        names = list(dict.fromkeys(name for name, _step, _venues in self.walls))
        panels = [part for number, step in enumerate(steps) for part in self._panel(number, step, names)]
        columns = max(1, len(steps) * (WIDTH + LEFT) // LEGEND_WIDTH)
        legend = [_legend(number, columns, name) for number, name in enumerate(names)]
        height = TOP + HEIGHT + 56 + 20 * (len(names) // columns)
        size = f'width="{max(1, len(steps)) * (WIDTH + LEFT)}" height="{height}"'
        title = "<title>Wall time in seconds over the number of venues</title>"
        body = f'<rect width="100%" height="100%" fill="#fff"/>{"".join([*panels, *legend])}'
        font = 'font-family="sans-serif" font-size="11"'
        return f'<svg xmlns="http://www.w3.org/2000/svg" {size} {font}>{title}{body}</svg>\n'

    def _lines(self, step: str) -> Iterator[tuple[str, list[tuple[int, float]]]]:
        """The contenders that did a step for several numbers of venues, with their seconds."""
        for name in dict.fromkeys(name for name, _step, _venues in self.walls):
            points = sorted((cell[2], wall) for cell, wall in self.walls.items() if cell[:2] == (name, step))
            if len(points) > 1:
                yield name, points

    @property
    def _powers(self) -> range:
        low, high = math.floor(math.log10(min(self.walls.values()))), math.ceil(math.log10(max(self.walls.values())))
        return range(low, max(high, low + 1) + 1)

    def _place(self, panel: int, venues: int, wall: float) -> tuple[float, float]:
        most, powers = max(venues for _name, _step, venues in self.walls), self._powers
        x = LEFT + panel * (WIDTH + LEFT) + math.log(venues) / math.log(most) * (WIDTH - 20)
        return x, TOP + HEIGHT - (math.log10(wall) - powers[0]) / (len(powers) - 1) * HEIGHT

    def _panel(self, panel: int, step: str, names: list[str]) -> Iterator[str]:
        left = LEFT + panel * (WIDTH + LEFT)
        yield f'<text x="{left}" y="{TOP - 12}" font-weight="bold">{self.titles[step]}</text>'
        for power in self._powers:
            y = self._place(panel, 1, 10.0**power)[1]
            yield f'<path d="M{left} {y:.1f}h{WIDTH - 20}" stroke="#ddd"/>'
            yield f'<text x="{left - 6}" y="{y + 4:.1f}" text-anchor="end">{10.0**power:g} s</text>'
        for venues in sorted({venues for _name, points in self._lines(step) for venues, _wall in points}):
            x = self._place(panel, venues, 1)[0]
            yield f'<text x="{x:.1f}" y="{TOP + HEIGHT + 16}" text-anchor="middle">{venues}</text>'
        for name, points in self._lines(step):
            places = [self._place(panel, *point) for point in points]
            colour = COLOURS[names.index(name) % len(COLOURS)]
            path = " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
            yield f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"/>'
            yield from (f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="{colour}"/>' for x, y in places)


def _legend(number: int, columns: int, name: str) -> str:
    x, y = LEFT + number % columns * LEGEND_WIDTH, TOP + HEIGHT + 36 + 20 * (number // columns)
    colour = COLOURS[number % len(COLOURS)]
    box = f'<rect x="{x}" y="{y}" width="12" height="12" fill="{colour}"/>'
    return f'{box}<text x="{x + 18}" y="{y + 11}">{name}</text>'
