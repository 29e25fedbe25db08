# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A provisioned venue, and the real AWS CLI."""

from __future__ import annotations

import pathlib
import subprocess
import sys

import pytest

from tests.conftest import ROOT
from tests.support.playbook import ansible_playbook


@pytest.fixture(scope="session")
def aws_cli() -> pathlib.Path:
    """The folder of the real AWS CLI, in an environment of its own."""
    made = subprocess.run(
        [sys.executable, ROOT / "tools/environment.py", "awscli"], stdout=subprocess.PIPE, text=True, check=True
    )
    return pathlib.Path(made.stdout.strip()) / "bin"


@pytest.fixture
def venue(moto, tmp_path):
    """A venue on moto with its role; gives the name of its bucket."""
    bucket = moto.publish("sbg", "dev")
    ansible_playbook(
        "mdps.venue_sts.provision", "-e", "project=sbg", "-e", "venue=dev", env=moto.environment(), cwd=tmp_path
    ).expect()
    return bucket
