# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The bundle, as somebody with a Windows laptop finds it."""

from __future__ import annotations

import datetime
import io
import re
import zipfile

import pytest
from ansible_collections.mdps.venue_sts.plugins.module_utils._domain.errors import InvalidInput
from ansible_collections.mdps.venue_sts.plugins.plugin_utils import bundle, formats

FILES = ["credentials", "env.cmd", "env.ps1", "env.sh", "token.json"]


def leaflet(receipt, **more):
    settings = {"folder": "sbg-dev-x", "time_zone": "America/Los_Angeles", "contact": "mdps@example.org", **more}
    return bundle.readme(receipt, FILES, **settings)


def test_it_says_what_when_how_and_whom_to_ask(receipt):
    text = leaflet({**receipt, "bucket": "sbg-dev-unity-data"})
    assert text.count("\n") == text.count("\r\n") > 50 and text.isascii()
    for words in (
        "VENUE DEV OF SBG",
        "Saturday 14 March 2026, 18:05 PDT",
        "2026-03-15 01:05 UTC",
        "Read and write data in the venue's bucket sbg-dev-unity-data",
        "call env.cmd",
        "Get-Content -Raw .\\env.ps1 | Invoke-Expression",
        ". ./env.sh",
        "aws ecr get-login-password | docker login --username AWS --password-stdin 123456789012.dkr.ecr.us-west-2.amazonaws.com",
        "12 hours",
        "aws s3 ls s3://sbg-dev-unity-data/",
        "aws s3 cp NAME s3://sbg-dev-unity-data/NAME",
        "aws ecr create-repository --repository-name sbg/my-app",
        "Whom to ask: mdps@example.org",
        "unityuser12252025",
        *FILES,
    ):
        assert words in text, words
    assert text.count("cd ") == 3 and max(map(len, text.splitlines())) <= 130


@pytest.mark.parametrize("shell", ["Command Prompt", "PowerShell:", "bash "])
def test_three_lines_for_each_shell(receipt, shell):
    block = leaflet(receipt).split(shell, 1)[1].split("\r\n\r\n")[0].splitlines()[1:]
    assert len(block) == 3 and block[2].strip() == "aws sts get-caller-identity"


def test_it_tells_only_what_the_token_opens(receipt):
    reader = leaflet(
        {**receipt, "access": ["s3_read"], "bucket_prefixes": ["products/l2", "calibration/*"], "bucket": "b"}
    )
    assert "aws s3 ls s3://b/products/l2/" in reader and "aws s3 cp s3://b/calibration/NAME ." in reader
    for word in ("docker", "ecr", "aws s3 cp NAME"):
        assert word not in reader
    puller = leaflet({**receipt, "access": ["ecr_pull"], "ecr_repositories": ["sbg/l2-*"]})
    assert "docker pull" in puller and "sbg/l2-my-app" in puller
    for word in ("docker push", "create-repository", "s3://"):
        assert word not in puller


def test_an_unknown_bucket_is_asked_for(receipt):
    assert "s3://BUCKET/" in leaflet(receipt) and "tells you the name of the BUCKET" in leaflet(receipt)


def test_other_partitions(receipt):
    assert "dkr.ecr.us-gov-west-1.amazonaws.com\r\n" in leaflet({**receipt, "region": "us-gov-west-1"})
    assert "dkr.ecr.cn-north-1.amazonaws.com.cn\r\n" in leaflet({**receipt, "region": "cn-north-1"})


def test_a_sites_own_template(receipt, tmp_path):
    own = tmp_path / "own.txt"
    own.write_text("{{ recipient }} until {{ ends_utc }}\n")
    assert leaflet(receipt, template=own) == "unityuser until 2026-03-15 01:05 UTC\r\n"
    for bad in ("{{ secret_key }}", "{% if %}", "{{ ''.__class__.__mro__ }}"):
        own.write_text(bad)
        with pytest.raises(InvalidInput, match=r"own\.txt does not work"):
            leaflet(receipt, template=own)


def test_the_same_input_gives_the_same_zip():
    made_at = datetime.datetime(2026, 3, 15, 0, 5, 8, tzinfo=datetime.UTC)
    first = bundle.pack({"b": "2", "a": "1"}, "read", made_at)
    assert first == bundle.pack({"a": "1", "b": "2"}, "read", made_at)
    archive = zipfile.ZipFile(io.BytesIO(first))
    assert archive.namelist() == ["README.txt", "a", "b"] and archive.testzip() is None
    assert {(entry.date_time, entry.external_attr >> 16) for entry in archive.infolist()} == {
        ((2026, 3, 15, 0, 5, 8), 0o600)
    }


def test_the_files_that_the_leaflet_names_are_those_that_exist(receipt, token):
    texts = formats.token_files(token, "us-west-2", "")
    named = set(re.findall(r"\b(?:env\.\w+|token\.json)\b", leaflet(receipt)))
    assert named <= set(texts)
