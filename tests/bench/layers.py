# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Where the CPU time of a venue goes, by layer.

layers.py [--venues N] [--tls none|amazon|other ...] [STEP ...]

Runs the playbooks with ``layers_probe.py`` in them, for one venue and for N, and prints a table of the time of
each additional venue.
"""

from __future__ import annotations

import argparse
import json
import pathlib
import subprocess
import sys
import tempfile
from collections import Counter

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
sys.path[:0] = [str(ROOT), str(pathlib.Path(sys.prefix) / "collections")]

from tests.bench import plan, prepare  # noqa: E402 - needs the paths above
from tests.bench.contenders import Job, contenders, venue_name  # noqa: E402
from tests.bench.field import Field  # noqa: E402
from tests.bench.layers_probe import IN_WORKERS  # noqa: E402

STEPS = ("no_change", "issue", "seal")
REST = "ansible-core, in the worker"
LAYERS = ("ansible-core, in the main process", "output", REST, *IN_WORKERS)


def measured(field: Field, step: str, venues: int, tls: str, *limit: str) -> Counter[str]:
    """Seconds of each layer in one run, all venues together, and ``start-up`` before the first task."""
    job = Job(step, venues, field.folder, 1)
    _program, *arguments = contenders()["ours"].command(job)
    with tempfile.TemporaryDirectory(dir=field.folder) as name:
        folder = pathlib.Path(name)
        command = [sys.executable, str(HERE / "layers_probe.py"), name, *arguments, *limit]
        subprocess.run(command, env=field.environment(tls), cwd=field.folder, stdout=subprocess.DEVNULL, check=True)
        main = Counter(json.loads((folder / "main.json").read_text()))
        workers = [Counter(json.loads(file.read_text())) for file in folder.glob("[0-9]*.json")]
    found = sum(workers, Counter[str]())
    whole = found.pop("whole")
    found[REST] = whole - found.total()
    return found + Counter(
        {
            "start-up": main["start-up"],
            "output": main["output"],
            LAYERS[0]: main["whole"] - main["start-up"] - main["output"],
        }
    )


def per_venue(field: Field, step: str, venues: int, tls: str) -> dict[str, float]:
    """Milliseconds of each layer for each additional venue."""
    first = "-".join(venue_name(0))
    few, many = measured(field, step, venues, tls, "--limit", first), measured(field, step, venues, tls)
    return {layer: 1000 * (many[layer] - few[layer]) / (venues - 1) for layer in LAYERS}


def main() -> None:
    """Measure and print the table, as Markdown."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("steps", nargs="*", choices=[[], *STEPS], metavar="STEP", help="no_change, issue and seal")
    parser.add_argument("--venues", type=int, default=25)
    parser.add_argument("--tls", choices=plan.TRANSPORTS, nargs="+", default=[plan.PLAIN, plan.TLS])
    options = parser.parse_args()
    columns: dict[str, dict[str, float]] = {}
    with tempfile.TemporaryDirectory(prefix="bench-") as folder, Field(pathlib.Path(folder)) as field:
        prepare.fresh(field, contenders()["ours"], options.venues)
        measured(field, "create", options.venues, plan.PLAIN)
        for step in options.steps or STEPS:
            for tls in options.tls:
                columns[f"{step}{'' if tls == plan.PLAIN else ', HTTPS'}"] = per_venue(field, step, options.venues, tls)
    print(f"\n| CPU time of each additional venue, ms | {' | '.join(columns)} |\n|---|{'---|' * len(columns)}")
    for layer in LAYERS:
        print(f"| {layer} | {' | '.join(f'{one[layer]:.1f}' for one in columns.values())} |")
    print(f"| all | {' | '.join(f'{sum(one.values()):.1f}' for one in columns.values())} |")


if __name__ == "__main__":
    main()
