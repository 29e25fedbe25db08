# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What `make build` makes.

A stranger can check it, install it without a network, and run the demo from what was installed.
"""

from __future__ import annotations

import hashlib
import json
import os
import pathlib
import re
import subprocess
import sys
import tarfile

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
BIN = pathlib.Path(sys.prefix) / "bin"
COLLECTIONS = pathlib.Path(sys.prefix) / "collections"
pytest.importorskip(
    "cyclonedx", reason="releases are built in the environment dev only, which has cyclonedx-python-lib"
)


def build(folder: pathlib.Path) -> pathlib.Path:
    subprocess.run([sys.executable, ROOT / "tools/build.py", folder], check=True, stdout=subprocess.DEVNULL)
    return next(folder.glob("mdps-venue_sts-*.tar.gz"))


@pytest.fixture(scope="module")
def tarball(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    return build(tmp_path_factory.mktemp("dist"))


@pytest.fixture(scope="module")
def installed(tarball: pathlib.Path, tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    """A collection path outside the checkout, with what was installed and amazon.aws and nothing else."""
    place = tmp_path_factory.mktemp("installed")
    (place / "ansible_collections").mkdir()
    (place / "ansible_collections/amazon").symlink_to(COLLECTIONS / "ansible_collections/amazon")
    env = {**os.environ, "ANSIBLE_COLLECTIONS_PATH": str(place)}
    command = [BIN / "ansible-galaxy", "collection", "install", "--offline", "--collections-path", place, tarball]
    done = subprocess.run(
        command, env=env, cwd=place, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
    )
    assert done.returncode == 0, done.stdout
    return place


def test_the_tarball_holds_what_users_need_and_nothing_else(tarball: pathlib.Path) -> None:
    with tarfile.open(tarball) as archive:
        names = {member.name for member in archive.getmembers() if member.isfile()}
    assert {name.split("/")[0] for name in names} == {
        *(
            "CHANGELOG.md",
            "CODE_OF_CONDUCT.md",
            "CONTRIBUTING.md",
            "FILES.json",
            "LICENSE",
            "MANIFEST.json",
            "README.md",
            "SECURITY.md",
            "execution-environment.yml",
        ),
        *("changelogs", "demo", "docs", "extensions", "meta", "playbooks", "plugins", "roles"),
    }
    roles = {path.name for path in (ROOT / "roles").iterdir() if (path / "meta").is_dir()}
    assert roles
    assert {f"roles/{role}/README.md" for role in roles} <= names
    assert not [
        name
        for name in names
        if name.endswith((".pyc", ".log", ".tar.gz"))
        or "__pycache__" in name
        or "/." in name.replace("changelogs/.", "")
    ]


def test_links_of_pages_lead_to_files_of_the_tarball(tarball: pathlib.Path) -> None:
    """A page may link to files that do not ship only with the address of the repository."""
    with tarfile.open(tarball) as archive:
        members = {one.name: archive.extractfile(one) for one in archive.getmembers()}
        pages = {name: file.read().decode() for name, file in members.items() if file and name.endswith(".md")}
    broken = []
    for name, page in pages.items():
        text = re.sub(r"^( *)```.*?^\1```", "", page, flags=re.MULTILINE | re.DOTALL)
        for target in re.findall(r"\]\(([^)\s#]+)[^)]*\)", text):
            place = os.path.normpath(pathlib.PurePosixPath(name).parent / target)
            if not target.startswith(("http", "mailto:")) and place not in members:
                broken.append(f"{name}: {target}")
    assert "README.md" in pages
    assert broken == []


def test_the_same_commit_gives_the_same_bytes(tarball: pathlib.Path, tmp_path: pathlib.Path) -> None:
    again = build(tmp_path)
    for name in (tarball.name, "SHA256SUMS"):
        assert (again.parent / name).read_bytes() == (tarball.parent / name).read_bytes(), name


def test_checksums_and_bill_of_materials_fit_the_tarball(tarball: pathlib.Path) -> None:
    for line in (tarball.parent / "SHA256SUMS").read_text().splitlines():
        checksum, name = line.split()
        assert hashlib.sha256((tarball.parent / name).read_bytes()).hexdigest() == checksum, name
    bill = json.loads(next(tarball.parent.glob("*.cdx.json")).read_text())
    assert bill["metadata"]["component"]["version"] in tarball.name
    parts = {part["name"]: part["version"] for part in bill["components"]}
    assert {"amazon.aws", "ansible-core", "boto3", "botocore", "cryptography", "pyrage"} <= set(parts)
    assert all(parts.values())


def test_signed_checksums_verify_and_changed_ones_do_not(tmp_path: pathlib.Path) -> None:
    key = tmp_path / "releaser"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key], check=True)
    command = [sys.executable, ROOT / "tools/build.py", tmp_path / "dist"]
    subprocess.run(command, env={**os.environ, "SIGNING_KEY": str(key)}, check=True, stdout=subprocess.DEVNULL)
    (tmp_path / "allowed_signers").write_text(f"releases@mdps.venue_sts {key.with_suffix('.pub').read_text()}")
    sums = tmp_path / "dist/SHA256SUMS"

    def verifies(text: bytes) -> bool:
        verify = ["ssh-keygen", "-Y", "verify", "-f", "allowed_signers", "-I", "releases@mdps.venue_sts"]
        options = ["-n", "file", "-s", sums.with_name("SHA256SUMS.sig")]
        done = subprocess.run([*verify, *options], input=text, cwd=tmp_path, capture_output=True, check=False)
        return done.returncode == 0

    assert verifies(sums.read_bytes())
    assert not verifies(sums.read_bytes().replace(b"mdps-venue_sts", b"mdps-venue-sts"))


def test_the_demo_runs_from_the_installed_collection(installed: pathlib.Path, tmp_path: pathlib.Path) -> None:
    demo = installed / "ansible_collections/mdps/venue_sts/demo/demo.py"
    env = {**os.environ, "ANSIBLE_COLLECTIONS_PATH": str(installed), "HOME": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, demo],
        env=env,
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    assert "is not this venue's" in done.stdout
    assert "Done." in done.stdout


def test_galaxy_would_take_it(tarball: pathlib.Path, tmp_path: pathlib.Path) -> None:
    made = subprocess.run(
        [sys.executable, ROOT / "tools/environment.py", "galaxy-importer"],
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    importer = pathlib.Path(made.stdout.splitlines()[-1]) / "bin"
    (tmp_path / "galaxy-importer.cfg").write_text(
        "[galaxy-importer]\nRUN_ANSIBLE_TEST = False\nRUN_ANSIBLE_LINT = False\nCHECK_REQUIRED_TAGS = "
        "True\nREQUIRE_V1_OR_GREATER = True\n"
        "CHECK_CHANGELOG = True\nCHECK_RUNTIME_YAML = True\n"
    )
    # Galaxy has the dependencies at hand; the importer finds them where Python packages are.
    (tmp_path / "site/ansible_collections").mkdir(parents=True)
    (tmp_path / "site/ansible_collections/amazon").symlink_to(COLLECTIONS / "ansible_collections/amazon")
    env = {
        **os.environ,
        "PYTHONPATH": str(tmp_path / "site"),
        "PATH": f"{importer}:{os.environ['PATH']}",
        "GALAXY_IMPORTER_CONFIG": str(tmp_path / "galaxy-importer.cfg"),
        "HOME": str(tmp_path),
    }
    env.pop("ANSIBLE_COLLECTIONS_PATH")
    command = [importer / "python", "-m", "galaxy_importer.main", tarball]
    done = subprocess.run(
        command, env=env, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
    )
    assert done.returncode == 0, done.stdout
    assert "Importer processing completed successfully" in done.stdout, done.stdout
    assert "ERROR" not in done.stdout, done.stdout
