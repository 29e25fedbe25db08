# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The targets of this collection, and whether a run met them.

Each is a comparison of medians of one run; nothing is extrapolated. Where the run has no such measurement, the target
is not measured.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from tests.bench import plan

Cell = tuple[str, str, int, float, str, int]  # contender, step, venues, latency, transport, forks
Cells = Mapping[Cell, Mapping[str, float]]
CORES = 0  # in place of forks: as many as the machine has cores
ANY = -1  # in place of forks: the contender does not look at them
TITLES = {"create": "create", "no_change": "no change", "issue": "issue", "seal": "sealed issue", "renew": "renewal"}
OVER = {plan.PLAIN: "", plan.TLS: ", HTTPS"}


class NotMeasured(Exception):
    """A run has not measured what a target is about."""


class Run:
    """The medians of a run."""

    def __init__(self, cells: Cells, cores: int) -> None:
        self._cells, self._cores = cells, cores

    def get(
        self,
        value: str,
        step: str,
        venues: int,
        contender: str = "ours",
        latency: float = 0,
        tls: str = plan.PLAIN,
        forks: int = CORES,
    ) -> float:
        """A median.

        :raises NotMeasured: there is none.
        """
        wanted = (contender, step, venues, latency / 1000, tls)
        for cell, one in self._cells.items():
            if cell[:5] == wanted and (forks == ANY or cell[5] == (forks or self._cores)):
                return one[value]
        raise NotMeasured(wanted)

    def each_more(self, value: str, step: str, few: int, many: int, contender: str = "ours") -> float:
        """What each venue more costs between two numbers of venues."""
        difference = self.get(value, step, many, contender) - self.get(value, step, few, contender)
        return difference / (many - few)


@dataclass(frozen=True)
class Target:
    """One target.

    :param about: what is compared, in words.
    :param measured: finds the figure.
    :param least: whether the figure is to be at least the bound; otherwise it is at most.
    :param unit: of figure and bound; "x" for a ratio.
    :param strict: the bound itself does not meet it.
    """

    about: str
    bound: float
    measured: Callable[[Run], float]
    unit: str = "x"
    least: bool = False
    strict: bool = False

    def row(self, run: Run) -> str:
        """The row of the table."""
        words = f"{'at least' if self.least else 'less than' if self.strict else 'at most'} {self.bound:g} {self.unit}"
        try:
            figure = self.measured(run)
        except NotMeasured:
            return f"| {self.about} | {words} | not measured |  |"
        met = figure >= self.bound if self.least else figure < self.bound if self.strict else figure <= self.bound
        return f"| {self.about} | {words} | {figure:.2f} {self.unit} | {'yes' if met else 'no'} |"


def all_targets() -> Iterator[Target]:
    """The targets in the order of the table."""
    yield from _many_venues()
    yield from _one_venue()
    yield from _far_away()
    yield from _own_cpu()
    yield from _start_up()
    yield from _growth()
    yield from _accounts()


def _many_venues() -> Iterator[Target]:
    for tls, over in OVER.items():
        yield Target(
            f"50 venues{over}: sealed issue / `dest`, wall time",
            1.25,
            lambda run, tls=tls: run.get("wall", "seal", 50, tls=tls) / run.get("wall", "issue", 50, tls=tls),
        )
    for tls, over in OVER.items():
        yield Target(
            f"50 venues{over}: amazon.aws plus age / sealed issue, wall time", 8, _peer("seal", tls), least=True
        )
    for step in plan.ALL:
        yield Target(f"50 venues: CPU over HTTPS / without TLS, {TITLES[step]}", 1.3, _tls_cpu(step))
    for tls, bound in ((plan.PLAIN, 25), (plan.TLS, 20)):
        yield Target(
            f"50 venues{OVER[tls]}: amazon.aws / no change, wall time", bound, _peer("no_change", tls), least=True
        )


def _peer(step: str, tls: str) -> Callable[[Run], float]:
    return lambda run: run.get("wall", step, 50, "amazon.aws", tls=tls) / run.get("wall", step, 50, tls=tls)


def _tls_cpu(step: str) -> Callable[[Run], float]:
    return lambda run: run.get("cpu", step, 50, tls=plan.TLS) / run.get("cpu", step, 50)


def _one_venue() -> Iterator[Target]:
    def against_cli(contender: str, tls: str) -> Callable[[Run], float]:
        return lambda run: (
            run.get("wall", "seal", 1, contender, 80, tls) / run.get("wall", "seal", 1, plan.CLI, 80, tls)
        )

    for tls, over in OVER.items():
        where = f"1 venue at 80 ms{over}, sealed issue"
        yield Target(
            f"{where}: one command / two CLI commands plus age", 1, against_cli(plan.COMMAND, tls), strict=True
        )
        yield Target(f"{where}: playbook / two CLI commands plus age", 1.1, against_cli("ours", tls))


def _far_away() -> Iterator[Target]:
    def against_script(step: str, tls: str, forks: int) -> Callable[[Run], float]:
        return lambda run: (
            run.get("wall", step, 50, "ours", 80, tls, forks) / run.get("wall", step, 50, plan.SCRIPT, 80, tls, ANY)
        )

    for forks, bound in ((10, 2.8), (20, 2.5)):
        for tls, over in OVER.items():
            for step in plan.SEALED:
                where = f"50 venues at 80 ms{over}, forks {forks}"
                yield Target(f"{where}: {TITLES[step]} / boto3 script", bound, against_script(step, tls, forks))


def _own_cpu() -> Iterator[Target]:
    def own(step: str) -> Callable[[Run], float]:
        return lambda run: (
            1000 * (run.each_more("cpu", step, 1, 50) - run.each_more("cpu", "no_change", 1, 50, plan.ALONE))
        )

    for step, bound, stretch in (("no_change", 60, 50), ("seal", 85, 70)):
        about = f"own CPU of a venue, {TITLES[step]}: ours minus ansible-core alone, each venue more from 1 to 50"
        yield Target(about, bound, own(step), "ms")
        yield Target(f"{about} (stretch)", stretch, own(step), "ms")


def _start_up() -> Iterator[Target]:
    def own(step: str, contender: str, alone: str) -> Callable[[Run], float]:
        return lambda run: run.get("wall", step, 1, contender) - run.get("wall", "no_change", 1, alone)

    for words, contender, alone in (
        ("playbook", "ours", plan.ALONE),
        ("one command", plan.COMMAND, plan.ALONE_COMMAND),
    ):
        for step in ("no_change", "seal"):
            about = f"1 venue, {words}, {TITLES[step]}: wall time minus ansible-core alone"
            yield Target(about, 0.3, own(step, contender, alone), "s")


def _growth() -> Iterator[Target]:
    for value, words in (("wall", "wall time"), ("cpu", "CPU")):
        for few, middle, many in ((1, 10, 50), (10, 50, 200), (50, 200, 1000)):
            yield Target(
                f"sealed issue: {words} of each venue more from {middle} to {many} / from {few} to {middle}",
                1.1,
                lambda run, value=value, few=few, middle=middle, many=many: (
                    run.each_more(value, "seal", middle, many) / run.each_more(value, "seal", few, middle)
                ),
            )
    yield Target(
        "sealed issue: memory of 1,000 venues / of 50",
        2,
        lambda run: run.get("memory", "seal", 1000) / run.get("memory", "seal", 50),
    )
    for step, few, many in (("seal", 10, 50), ("renew", 10, 50), ("seal", 200, 1000)):
        yield Target(
            f"{TITLES[step]}: lines printed for each venue more from {few} to {many}",
            3,
            lambda run, step=step, few=few, many=many: run.each_more("lines", step, few, many),
            "lines",
        )
    for step, words in (("revoke_reading", "revoke"), ("report_reading", "report")):
        about = f"reading 100,000 lines of receipts for {words}"
        yield Target(f"{about}: wall time", 4, lambda run, step=step: run.get("wall", step, 1), "s", strict=True)
        yield Target(f"{about}: memory", 350, lambda run, step=step: run.get("memory", step, 1), "MiB", strict=True)


def _accounts() -> Iterator[Target]:
    for contender, accounts in (("ours, account each", 50), ("ours, 5 accounts", 5)):
        where = f"50 venues in {accounts} accounts with keys from Kion, forks 10"
        yield Target(
            f"{where}: requests for keys of each account",
            1,
            lambda run, contender=contender, accounts=accounts: (
                run.get("kion_asked", "seal", 50, contender, 80, plan.PLAIN, 10) / accounts
            ),
        )
        yield Target(
            f"{where}: requests at the same time",
            2,
            lambda run, contender=contender: run.get("kion_at_once", "seal", 50, contender, 80, plan.PLAIN, 10),
            "at once",
            least=True,
        )


def table(cells: Cells, cores: int) -> list[str]:
    """The rows of the table of targets, with its head."""
    run = Run(cells, cores)
    rows = [target.row(run) for target in all_targets()]
    return ["| target | bound | measured | met |", "|---|---|---|---|", *rows]
