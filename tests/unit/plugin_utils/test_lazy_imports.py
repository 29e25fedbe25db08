# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Plugins load what a usual task uses, since ansible-core compiles a collection's files in each run."""

from __future__ import annotations

import os
import pathlib
import subprocess
import sys

import pytest
from ansible_collections.mdps.venue_sts.plugins.plugin_utils._channels.registry import CHANNELS

OWN = "ansible_collections.mdps.venue_sts.plugins"
FILTERS = sorted((pathlib.Path(__file__).parents[3] / "plugins/filter").glob("*.py"))
PROGRAM = """
import importlib, sys
from ansible.plugins.loader import init_plugin_loader
init_plugin_loader()
for plugin in sys.argv[2:]:
    importlib.import_module(f"{sys.argv[1]}.{plugin}")
print("\\n".join(sys.modules))
"""


@pytest.mark.parametrize(
    ("plugins", "used", "unused"),
    [
        (
            ["action.venue_sts_token"],
            ["module_utils._operations.issue.authorize", "plugin_utils._sealers.age"],
            [
                *("cryptography.x509", "plugin_utils._sealers.certificates", "module_utils._kion.client"),
                *("smtplib", *(f"plugin_utils._channels.{name}" for name in CHANNELS if name != "file")),
                *("module_utils._domain.saml", "module_utils._domain.web_identity"),
            ],
        ),
        (
            ["action.venue_sts_role"],
            ["module_utils._operations.role"],
            ["pyrage", "module_utils._domain.receipts", "module_utils._domain.sessions", "plugin_utils._bundle"],
        ),
        (  # ansible-core loads all filters for the first one that a playbook uses
            [f"filter.{one.stem}" for one in FILTERS],
            ["module_utils._domain.errors"],
            [
                *("module_utils._domain.report", "module_utils._domain.incident_text", "plugin_utils._report_page"),
                *(
                    "module_utils._domain.issue_summary",
                    "plugin_utils._sealing",
                    "plugin_utils._formats",
                    "jinja2.sandbox",
                ),
            ],
        ),
    ],
    ids=["venue_sts_token", "venue_sts_role", "filters"],
)
def test_what_a_usual_task_does_not_use_is_not_loaded(plugins: list[str], used: list[str], unused: list[str]) -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, OWN, *plugins], env={**os.environ}, capture_output=True, text=True, check=True
    )
    loaded = {name.removeprefix(f"{OWN}.") for name in done.stdout.splitlines()}
    assert set(used) <= loaded
    assert not loaded & set(unused)
