# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""CLIENTS.txt of a bundle: its lines are run by the programs themselves, and what is not run is marked as untested."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from workstations import BUCKET, Workstation, fill

from tests.support import world

pytestmark = pytest.mark.clients

DEBIAN_RCLONE = Path("/usr/bin/rclone")
UNTESTED = {"Cyberduck", "R", "Julia", "DuckDB", "Inside a container"}
# What the programs need of a server that is not that of AWS; the lines of the text stay as they are.
MAKE_DATA = """
import numpy, rasterio, sys, xarray
xarray.Dataset({"v": ("x", numpy.arange(4))}).to_zarr("name-1.zarr")
profile = {"driver": "GTiff", "width": 2, "height": 2, "count": 1, "dtype": "uint8"}
with rasterio.open("name-1.tif", "w", **profile) as image:
    image.write(numpy.ones((1, 2, 2), "uint8"))
"""


@pytest.fixture(scope="module", autouse=True)
def _data(data_account: world.Account, clients: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    """A Zarr group and a GeoTIFF at every place that a token may open."""
    folder = tmp_path_factory.mktemp("data")
    subprocess.run([clients / "bin/python", "-W", "ignore", "-c", MAKE_DATA], cwd=folder, check=True)
    places = [(BUCKET, ""), (BUCKET, "pub/"), (BUCKET, "products/"), (f"{BUCKET}-3", "")]
    for bucket, prefix in places:
        for file in (one for one in folder.rglob("*") if one.is_file()):
            key = prefix + str(file.relative_to(folder))
            data_account.as_root("s3").put_object(Bucket=bucket, Key=key, Body=file.read_bytes())


def sections(text: str) -> dict[str, list[str]]:
    """The lines of code of each section, by its title without the remark in brackets."""
    parts = re.split(r"^(\S.*)\n-+$", text, flags=re.MULTILINE)
    titles = [one.partition("(")[0].strip() for one in parts[1::2]]
    bodies = [re.findall(r"^    (\S.*|    .*)$", body, re.MULTILINE) for body in parts[2::2]]
    assert len(set(titles)) == len(titles)
    return dict(zip(titles, bodies, strict=True))


def is_untested(text: str, title: str) -> bool:
    return re.search(rf"^{re.escape(title)} \(untested\)$", text, re.MULTILINE) is not None


@pytest.fixture
def run(
    issue: Callable[[str], Workstation],
    clients: Path,
    enforcing: str,
) -> Callable[[str, str, str], subprocess.CompletedProcess[str]]:
    """Run the lines of a program in the folder of a kind of token."""

    def go(kind: str, program: str, code: str) -> subprocess.CompletedProcess[str]:
        workstation = issue(kind)
        environment = {
            **workstation.environment,
            "PATH": f"{workstation.environment['PATH']}:{clients / 'bin'}",
            **{"AWS_ENDPOINT_URL": enforcing, "S3_ENDPOINT_URL": enforcing, "RCLONE_S3_ENDPOINT": enforcing},
            **{"AWS_S3_ENDPOINT": enforcing.partition("//")[2], "AWS_HTTPS": "NO", "AWS_VIRTUAL_HOSTING": "FALSE"},
            **{"RCLONE_S3_FORCE_PATH_STYLE": "true", "PYTHONWARNINGS": "ignore"},
            "CPL_AWS_CREDENTIALS_FILE": str(workstation.folder / "credentials"),
            "AWS_REGION": "us-west-2",
            "AWS_SHARED_CREDENTIALS_FILE": str(workstation.folder / "credentials"),
            "AWS_PROFILE": re.findall(r"^\[(.*)\]$", (workstation.folder / "credentials").read_text(), re.MULTILINE)[0],
        }
        command = [str(clients / "bin/python"), "-c", code] if program == "python" else ["bash", "-ec", code]
        return subprocess.run(
            command, cwd=workstation.folder, env=environment, capture_output=True, text=True, check=False
        )

    return go


def pack(workstation: Workstation) -> str:
    return (workstation.folder / "CLIENTS.txt").read_text(encoding="utf-8")


KINDS = ["full", "read", "write", "folder", "folders to read", "deleting", "write in a folder of what is read"]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("title", ["Python: boto3", "Python: s3fs, xarray, zarr", "Python: rasterio"])
def test_python(
    issue: Callable[[str], Workstation], run: Callable[..., subprocess.CompletedProcess[str]], kind: str, title: str
) -> None:
    found = sections(pack(issue(kind)))
    reads = kind != "write"
    assert (title in found) is (reads or "rasterio" not in title)
    if title not in found:
        return
    lines = [fill(line) for line in found[title]]
    done = run(kind, "python", "\n".join(lines))
    assert done.returncode == 0, f"{lines}: {done.stderr}"
    shown = {"Python: boto3": "name-1", "Python: s3fs, xarray, zarr": "name-1", "Python: rasterio": "'width': 2"}
    assert shown[title] in done.stdout
    assert any("download_file" in line or "open_group" in line or "open(" in line for line in lines) >= reads


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("program", ["rclone", "rclone of Debian", "s5cmd"])
def test_go_programs(
    issue: Callable[[str], Workstation],
    run: Callable[..., subprocess.CompletedProcess[str]],
    kind: str,
    program: str,
) -> None:
    if program == "rclone of Debian" and not DEBIAN_RCLONE.exists():
        pytest.skip("not installed: rclone of the system (Debian: rclone)")
    lines = sections(pack(issue(kind)))[program.partition(" ")[0]]
    reads, writes = kind != "write", kind not in ("read", "folders to read")
    assert len(lines) == 1 + reads + writes
    if program == "rclone of Debian":
        lines = [line.replace("rclone ", f"{DEBIAN_RCLONE} ", 1) for line in lines]
    # With provider=AWS, rclone asks for a host name for each bucket, which no server on this machine has.
    lines = [line.replace("provider=AWS", "provider=Other") for line in lines]
    for line in map(fill, lines):
        done = run(kind, "bash", line)
        assert done.returncode == 0, f"{line}: {done.stderr}"
    assert "name-1" in run(kind, "bash", fill(lines[0])).stdout


@pytest.mark.parametrize("kind", ["read", "folder"])
def test_gdal_itself(
    issue: Callable[[str], Workstation], run: Callable[..., subprocess.CompletedProcess[str]], kind: str
) -> None:
    """GDAL as it is in rasterio's wheel, without boto3; `gdalinfo` is a program of the same library."""
    (line,) = (fill(one) for one in sections(pack(issue(kind)))["GDAL and QGIS"])
    program, _blank, path = line.partition(" ")
    assert program == "gdalinfo"
    code = f"import sys; sys.modules['boto3'] = None; import rasterio; print(rasterio.open({path!r}).profile)"
    done = run(kind, "python", code)
    assert done.returncode == 0 and "'width': 2" in done.stdout, done.stderr
    without = run(kind, "python", f"import os; os.environ.pop('CPL_AWS_CREDENTIALS_FILE'); {code}")
    assert without.returncode != 0, "GDAL does without the variable that the text asks for"


def test_every_other_section_is_marked_as_untested(issue: Callable[[str], Workstation]) -> None:
    text = pack(issue("full"))
    run_here = {
        "Jupyter and other Python programs that you start from the desktop",
        *("Python: boto3", "Python: s3fs, xarray, zarr", "Python: rasterio", "GDAL and QGIS", "rclone", "s5cmd"),
        "docker and podman with the registry",
    }
    found = sections(text)
    assert {title for title in found if is_untested(text, title)} == UNTESTED
    assert set(found) - UNTESTED == run_here


def test_the_lines_for_jupyter_need_no_variables_in_the_shell(
    issue: Callable[[str], Workstation],
    clients: Path,
    enforcing: str,
) -> None:
    workstation = issue("read")
    found = sections(pack(workstation))
    title = "Jupyter and other Python programs that you start from the desktop"
    first = [line.replace("FOLDER", str(workstation.folder)) for line in found[title]]
    code = "\n".join([*first, *(fill(line) for line in found["Python: boto3"])])
    environment = {**workstation.environment, "AWS_ENDPOINT_URL": enforcing}
    command = [str(clients / "bin/python"), "-c", code]
    done = subprocess.run(
        command, cwd=workstation.folder.parent, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0 and "name-1" in done.stdout, done.stderr


def test_a_token_that_may_not_list_gets_no_line_that_lists(
    issue: Callable[[str], Workstation], run: Callable[..., subprocess.CompletedProcess[str]]
) -> None:
    found = sections(pack(issue("by hand")))
    assert "rclone" not in found and "Python: s3fs, xarray, zarr" not in found
    done = run("by hand", "python", "\n".join(fill(line) for line in found["Python: boto3"]))
    assert done.returncode == 0, done.stderr
    done = run("by hand", "python", "\n".join(fill(line) for line in found["Python: rasterio"]))
    assert done.returncode == 0, done.stderr
