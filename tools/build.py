# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Build a release: the tarball that ansible-galaxy installs, what it was tested with (a CycloneDX SBOM), and checksums.

Usage: build.py [FOLDER]       the default is dist

The tarball is made from a copy of the tracked files, so that nothing else can slip in, and with the time of the last
commit (or SOURCE_DATE_EPOCH) in place of now, so that the same commit gives the same bytes. With SIGNING_KEY, the path
of an ssh key, the checksums are signed; SECURITY.md says how to verify them.
"""

from __future__ import annotations

import datetime
import gzip
import hashlib
import io
import json
import os
import pathlib
import re
import subprocess
import sys
import tarfile
import tempfile
import uuid
from typing import Any

import yaml
from checkout import ROOT, copy_to
from cyclonedx.model import ExternalReference, ExternalReferenceType, XsUri
from cyclonedx.model.bom import Bom
from cyclonedx.model.component import Component, ComponentType
from cyclonedx.model.license import DisjunctiveLicense
from cyclonedx.output import make_outputter
from cyclonedx.schema import OutputFormat, SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from packageurl import PackageURL

# What the collection imports or runs; all else in the pinned requirements is there because one of these needs it.
PYTHON_PARTS = ("ansible-core", "boto3", "botocore", "s3transfer", "jmespath", "python-dateutil", "urllib3", "six")
# What encrypts, where it is installed: optional for users, and important to know about.
SEALING_PARTS = ("pyrage", "cryptography", "cffi")


def moment() -> datetime.datetime:
    """The time that is recorded in the release."""
    given = os.environ.get("SOURCE_DATE_EPOCH")
    if not given:
        given = subprocess.run(
            ["git", "log", "-1", "--format=%ct"], cwd=ROOT, capture_output=True, text=True, check=True
        ).stdout
    return datetime.datetime.fromtimestamp(int(given), datetime.UTC)


def make_tarball(folder: pathlib.Path, when: datetime.datetime) -> pathlib.Path:
    """Let ansible-galaxy build the collection, and pack the result again so that only what is in it counts."""
    with tempfile.TemporaryDirectory(prefix="venue_sts_build.") as name:
        place = copy_to(pathlib.Path(name) / "checkout")
        galaxy = pathlib.Path(sys.prefix) / "bin/ansible-galaxy"
        subprocess.run(
            [galaxy, "collection", "build", "--output-path", name, place], check=True, stdout=subprocess.DEVNULL
        )
        built = next(pathlib.Path(name).glob("*.tar.gz"))
        with tarfile.open(built) as archive:
            members = {one: archive.extractfile(one) for one in archive.getmembers()}
            contents = {one.name: content.read() if content else None for one, content in members.items()}
        contents |= in_order(contents)
        target = folder / built.name
        with (
            target.open("wb") as raw,
            gzip.GzipFile("", "wb", mtime=0, fileobj=raw) as packed,
            tarfile.open(fileobj=packed, mode="w") as archive,
        ):
            for member in sorted(members, key=lambda one: one.name):
                member.mtime, member.uid, member.gid, member.uname, member.gname = int(when.timestamp()), 0, 0, "", ""
                content = contents[member.name]
                member.pax_headers = {}
                member.size = len(content or b"")
                archive.addfile(member, io.BytesIO(content or b""))
    return target


def in_order(contents: dict[str, bytes | None]) -> dict[str, bytes]:
    """The list of files by name instead of in the order of the disk, and the manifest that holds its checksum."""
    files, manifest = (json.loads(contents[name] or "") for name in ("FILES.json", "MANIFEST.json"))
    files["files"].sort(key=lambda one: one["name"])
    listed = json.dumps(files, indent=1).encode()
    manifest["file_manifest_file"]["chksum_sha256"] = hashlib.sha256(listed).hexdigest()
    return {"FILES.json": listed, "MANIFEST.json": json.dumps(manifest, indent=1).encode()}


def pinned() -> dict[str, str]:
    """The versions that the tests ran with, of the newest Python's branch where there are two."""
    lines = re.findall(
        r"^([\w.-]+)==(\S+)(?: ; (.*?))?(?: \\)?$", (ROOT / "requirements/dev.txt").read_text(), re.MULTILINE
    )
    return {name: version for name, version, marker in lines if "< '3.12'" not in marker}


def bill(tarball: pathlib.Path, when: datetime.datetime) -> Bom:
    """The bill of materials: the collection, and what it needs, in the versions that it was tested with."""
    galaxy = yaml.safe_load((ROOT / "galaxy.yml").read_text())
    own = Component(
        name=f"{galaxy['namespace']}.{galaxy['name']}",
        version=galaxy["version"],
        type=ComponentType.APPLICATION,
        bom_ref=tarball.name,
        description=galaxy["description"],
        licenses=[DisjunctiveLicense(id="GPL-3.0-or-later")],
        external_references=[ExternalReference(type=ExternalReferenceType.VCS, url=XsUri(galaxy["repository"]))],
    )
    versions = pinned()
    names = (*PYTHON_PARTS, *SEALING_PARTS)
    parts = [part(name, versions[name], PackageURL("pypi", None, name, versions[name])) for name in names]
    amazon = pathlib.Path(sys.prefix) / "collections/ansible_collections/amazon/aws/MANIFEST.json"
    version = yaml.safe_load(amazon.read_text())["collection_info"]["version"]
    parts.append(
        part(
            "amazon.aws",
            version,
            PackageURL("generic", "amazon", "aws", version, {"download_url": "https://galaxy.ansible.com/"}),
        )
    )
    bom = Bom(components=parts)
    bom.metadata.component = own
    bom.metadata.timestamp = when
    bom.register_dependency(own, parts)
    return bom


def part(name: str, version: str, purl: PackageURL) -> Component:
    """One thing that the collection needs."""
    return Component(name=name, version=version, type=ComponentType.LIBRARY, bom_ref=purl.to_string(), purl=purl)


def write_bill(bom: Bom, target: pathlib.Path, seed: bytes) -> None:
    """Write the bill as JSON, after checking it against CycloneDX's own schema."""
    bom.serial_number = uuid.UUID(bytes=hashlib.sha256(seed).digest()[:16], version=4)
    version = SchemaVersion.V1_6
    text = make_outputter(bom, OutputFormat.JSON, version).output_as_string(indent=2)
    problem: Any = JsonStrictValidator(version).validate_str(text)
    if problem:
        raise SystemExit(f"The SBOM is not valid: {problem}")
    target.write_text(text + "\n")


def sign(file: pathlib.Path, key: pathlib.Path) -> pathlib.Path:
    """Sign a file with an ssh key, which may be one of an agent or a security key; return the signature."""
    signature = file.with_name(f"{file.name}.sig")
    signature.unlink(missing_ok=True)
    subprocess.run(["ssh-keygen", "-q", "-Y", "sign", "-f", key, "-n", "file", file], check=True)
    return signature


def main() -> None:
    """Build into the folder, and print its files."""
    folder = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else ROOT / "dist")
    folder.mkdir(parents=True, exist_ok=True)
    when = moment()
    tarball = make_tarball(folder, when)
    content = tarball.read_bytes()
    sbom = tarball.with_name(tarball.name.replace(".tar.gz", ".cdx.json"))
    write_bill(bill(tarball, when), sbom, content)
    sums = [f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.name}\n" for path in (tarball, sbom)]
    checksums = folder / "SHA256SUMS"
    checksums.write_text("".join(sums))
    made = [tarball, sbom, checksums]
    key = os.environ.get("SIGNING_KEY")
    if key:
        made.append(sign(checksums, pathlib.Path(key).expanduser()))
    print(*made, sep="\n")


if __name__ == "__main__":
    main()
