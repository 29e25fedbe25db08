# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Make the virtual environments and collection trees that the Makefile runs in.

Usage: environment.py NAME [NAME ...]         make environments
       environment.py --pin NAME [NAME ...]   refresh the pinned versions of what they are made from

Prints the environment's folder for the last NAME. Everything lands in .build/; an environment is made again only when
what it is made from has changed. Needs Python 3.11 or later and the Python package index, nothing else.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import pathlib
import shutil
import ssl
import subprocess
import sys
import venv
import zipfile
from typing import NamedTuple

ROOT = pathlib.Path(__file__).resolve().parent.parent
BUILD = ROOT / ".build"
UV = "uv==0.13.9"
NEWEST, OLDEST = (3, 14), (3, 11)


class Environment(NamedTuple):
    """What an environment is made from.

    Requirements, the Pythons that may serve, and the collections of which `ansible` release.

    awx.awx left the package after 13.8, so the newest environment takes it from there.
    """

    requirements: str
    oldest: tuple[int, int] = OLDEST
    newest: tuple[int, int] = NEWEST
    collections: tuple[tuple[str, str], ...] = ()
    instead: tuple[str, ...] = ()  # versions to install in place of the pinned ones


# amazon.aws 10.1 and 11.4, awx.awx, the JSON callbacks of ansible.posix, and the boto3 that amazon.aws 10.1 asks for at
# least.
OLDEST_AMAZON = (("12.3.0", "amazon/aws"), ("12.3.0", "awx/awx"))
NEWEST_AMAZON = (("14.5.0", "amazon/aws"), ("14.5.0", "ansible/posix"), ("13.8.0", "awx/awx"))
DEVEL = "https://github.com/ansible/ansible/archive/refs/heads/devel.tar.gz"
OLDEST_BOTO3 = ("boto3==1.35.0", "botocore==1.35.0", "s3transfer==0.10.0")

ENVIRONMENTS = {
    "demo": Environment("demo.txt", collections=(("14.5.0", "amazon/aws"),)),
    "dev": Environment("dev.txt", collections=NEWEST_AMAZON),
    "floor": Environment("floor.txt", newest=(3, 11), collections=OLDEST_AMAZON),
    "ministack": Environment("ministack.txt"),
    "awscli": Environment("awscli.txt"),
    "clients": Environment("clients.txt"),
    "galaxy-importer": Environment("galaxy-importer.txt"),
    "parliament": Environment("parliament.txt"),
    "docs": Environment("docs.txt", collections=(("14.5.0", "amazon/aws"),)),
    # The rows of tools/matrix.py that dev and floor are not.
    "core-2.19-oldest": Environment("floor.txt", newest=(3, 11), collections=OLDEST_AMAZON, instead=OLDEST_BOTO3),
    "core-2.20-py3.12": Environment(
        "floor.txt", (3, 12), (3, 12), OLDEST_AMAZON, ("ansible-core>=2.20,<2.21", *OLDEST_BOTO3)
    ),
    "core-2.20-py3.13": Environment("floor.txt", (3, 13), (3, 13), NEWEST_AMAZON, ("ansible-core>=2.20,<2.21",)),
    "core-2.21-py3.12": Environment(
        "floor.txt", (3, 12), (3, 12), NEWEST_AMAZON, ("ansible-core>=2.21,<2.22", *OLDEST_BOTO3)
    ),
    # A release candidate, so not among the pinned versions.
    "core-2.22": Environment("floor.txt", (3, 13), NEWEST, NEWEST_AMAZON, ("ansible-core>=2.22.0rc1,<2.23",)),
    # What ansible-core will be. Not pinned. It may fail: tools/matrix.py reports it.
    "core-devel": Environment("floor.txt", (3, 13), NEWEST, NEWEST_AMAZON, (f"ansible-core @ {DEVEL}",)),
    "core-2.21-py3.13": Environment("floor.txt", (3, 13), (3, 13), OLDEST_AMAZON, ("ansible-core>=2.21,<2.22",)),
}


def find_python(oldest: tuple[int, int], newest: tuple[int, int]) -> str:
    """The newest working interpreter between two versions: on PATH, or one that pyenv keeps beside it."""
    pyenv = pathlib.Path(os.environ.get("PYENV_ROOT", pathlib.Path.home() / ".pyenv")) / "versions"
    for minor in range(newest[1], oldest[1] - 1, -1):
        named = [shutil.which(f"python3.{minor}"), *sorted(map(str, pyenv.glob(f"3.{minor}.*/bin/python3")))]
        outside = [one for one in [*named, sys.executable] if one and BUILD not in pathlib.Path(one).parents]
        # Not one of our own environments, should one be switched on: it may be about to be made again.
        for candidate in [*outside, getattr(sys, "_base_executable", "")]:
            # A pyenv shim may be on PATH for a version that is not switched on: only running it tells.
            if candidate and _version(candidate) == (3, minor):
                return candidate
    wanted = ".".join(map(str, oldest)) + " to " + ".".join(map(str, newest))
    example = f"python3.{newest[1]}"
    raise SystemExit(
        f"No Python {wanted} with venv and ensurepip found on this machine: install one (for example {example} and "
        f"{example}-venv)."
    )


def _version(python: str) -> tuple[int, ...] | None:
    probe = subprocess.run(
        [python, "-c", "import sys, venv, ensurepip; print(*sys.version_info[:2])"],
        capture_output=True,
        text=True,
        check=False,
    )
    return tuple(map(int, probe.stdout.split())) if probe.returncode == 0 else None


def trust_system_certificates() -> None:
    """Let uv and pip trust the certificates of the system: where a proxy inspects TLS, only those include its CA."""
    os.environ.setdefault("UV_SYSTEM_CERTS", "true")
    system = ssl.get_default_verify_paths().cafile
    if system and sys.platform == "linux":  # pip does so by itself from 24.2 on; Python 3.11 comes with an older one
        os.environ.setdefault("PIP_CERT", system)


def uv() -> str:
    """uv, in a small environment of its own: it installs in seconds what pip installs in minutes."""
    home = BUILD / "venvs" / "uv"
    if not (home / UV).exists():
        venv.create(home, clear=True, with_pip=True)
        subprocess.run([home / "bin/pip", "install", "--quiet", "--disable-pip-version-check", UV], check=True)
        (home / UV).touch()
    return str(home / "bin" / "uv")


def make(name: str) -> pathlib.Path:
    """Make one environment, unless it is there already; return its folder."""
    wanted = ENVIRONMENTS[name]
    python = find_python(wanted.oldest, wanted.newest)
    requirements = ROOT / "requirements" / wanted.requirements
    stamp = hashlib.sha256(f"{python} {wanted} {requirements.read_text()}".encode()).hexdigest()
    home = BUILD / "venvs" / name
    if not (home / stamp).exists():
        print(f"Setting up {home.relative_to(ROOT)} ...", file=sys.stderr)
        # --clear: the requirements have changed, or an earlier run was interrupted.
        subprocess.run([uv(), "venv", "--quiet", "--clear", "--python", python, home], check=True)
        install: list[str | pathlib.Path] = [
            uv(),
            "pip",
            "install",
            "--quiet",
            "--compile-bytecode",  # as pip does: where PYTHONDONTWRITEBYTECODE is set, every run would compile it all
            "--link-mode",
            "copy",
            "--python",
            home / "bin/python",
        ]
        # Other versions than the pinned ones have other hashes.
        install.append("--no-verify-hashes" if wanted.instead else "--require-hashes")
        overrides = home / "overrides.txt"
        overrides.write_text("\n".join(wanted.instead))
        # What is asked for by name may be a pre-release, and nothing else.
        allowed = ["--prerelease", "if-necessary-or-explicit"]
        subprocess.run([*install, *allowed, "--requirements", requirements, "--overrides", overrides], check=True)
        (home / stamp).touch()
    for release, collection in wanted.collections:
        unpack(release, collection, home / "collections")
    if wanted.collections:
        link_checkout(home / "collections")
    return home


def unpack(ansible: str, collection: str, tree: pathlib.Path) -> None:
    """One collection of one `ansible` release, such as ``amazon/aws``, in a collection path.

    No Galaxy is needed: the `ansible` package carries it, and that folder alone is unpacked (5 of 500 MB).
    """
    place = tree / "ansible_collections" / collection
    if (place / "MANIFEST.json").exists():
        return
    wheels = BUILD / "wheels" / ansible
    if not list(wheels.glob("*.whl")):
        pip = BUILD / "venvs" / "uv" / "bin" / "pip"
        uv()
        # --python-version: the wheel is only unpacked, so the running Python's own version does not matter.
        options: list[str | pathlib.Path] = [
            "--quiet",
            "--no-deps",
            "--only-binary=:all:",
            "--python-version",
            "3.13",
            "--dest",
            wheels,
        ]
        subprocess.run([pip, "download", *options, f"ansible=={ansible}"], check=True)
    with zipfile.ZipFile(next(wheels.glob("*.whl"))) as wheel:
        wheel.extractall(
            tree, [name for name in wheel.namelist() if name.startswith(f"ansible_collections/{collection}/")]
        )


def link_checkout(tree: pathlib.Path) -> None:
    """The checkout itself, beside the other collections of a collection path."""
    link = tree / "ansible_collections" / "mdps" / "venue_sts"
    link.parent.mkdir(parents=True, exist_ok=True)
    if not link.is_symlink():
        link.symlink_to(ROOT, target_is_directory=True)


def pin(name: str) -> None:
    """Write the newest versions that go together into requirements/NAME.txt."""
    environment = ENVIRONMENTS[name]
    source = ROOT / "requirements" / environment.requirements.replace(".txt", ".in")
    versions = [
        "--python-version",
        ".".join(map(str, OLDEST)),
        *(["--universal"] if environment.newest == NEWEST else []),
    ]
    # Hashes: what is installed is what was pinned, whoever serves it.
    quiet = ["--quiet", "--upgrade", "--generate-hashes", "--no-header", "--no-annotate", "--no-emit-index-url"]
    subprocess.run([uv(), "pip", "compile", *quiet, *versions, source, "-o", source.with_suffix(".txt")], check=True)


def main(arguments: list[str]) -> None:
    """Make every named environment and print the last one's folder; or pin."""
    names = [name for name in arguments if name != "--pin"]
    unknown = [name for name in names if name not in ENVIRONMENTS]
    if unknown or not names:
        raise SystemExit(f"{__doc__}\nNAME is one of: {', '.join(ENVIRONMENTS)}")
    BUILD.mkdir(exist_ok=True)
    trust_system_certificates()
    with (BUILD / "lock").open("w") as lock:  # two makes at once wait for one another
        fcntl.flock(lock, fcntl.LOCK_EX)
        for name in names:
            if "--pin" in arguments:
                pin(name)
            else:
                home = make(name)
    if "--pin" not in arguments:
        print(home)


if __name__ == "__main__":
    main(sys.argv[1:])
