# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The zip a recipient gets: the JSON of the procedure, the same keys in other forms, and how to use them. Made in memory."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping
from datetime import datetime, tzinfo
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from jinja2 import StrictUndefined, TemplateError
from jinja2.sandbox import SandboxedEnvironment

from ..module_utils._domain.errors import InvalidInput
from ..module_utils._domain.receipts import Receipt

TEMPLATE = Path(__file__).parent / "recipient_readme.txt.j2"
# The words of the option ``access``, and what the leaflet calls them. No list means all of them.
EXAMPLE = {
    "recipient": "jdoe", "project": "sbg", "venue": "dev", "account_id": "123456789012", "region": "us-west-2",
    "session_name": "jdoe-20261122T093015Z-3fa91c", "expires_at": "2026-11-22T10:30:15Z", "bucket": "sbg-dev-unity-data",
}  # fmt: skip
ACCESS = {"s3_read": "reads", "s3_write": "writes", "ecr_create": "creates", "ecr_pull": "pulls", "ecr_push": "pushes"}


def parse_time(text: str) -> datetime:
    """An ISO 8601 time with its zone, as receipts have it (``2026-11-22T23:00:00Z``)."""
    return datetime.fromisoformat(text.replace("Z", "+00:00"))


def zone(name: str) -> tzinfo:
    """A time zone by its IANA name.

    :raises InvalidInput: this machine does not know it.
    """
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise InvalidInput(
            "time_zone", f"{name!r} is not a time zone known here: use an IANA name such as America/Los_Angeles."
        ) from None


def _facts(receipt: Mapping[str, Any], time_zone: str, contact: str) -> dict[str, Any]:
    """What the leaflet may say: facts of the receipt, none of the keys."""
    ends = parse_time(receipt["expires_at"])
    access = receipt.get("access")
    repositories = receipt.get("ecr_repositories") or [f"{receipt['project']}/*"]
    suffix = "amazonaws.com.cn" if receipt["region"].startswith("cn-") else "amazonaws.com"
    return {
        **{word: access is None or name in access for name, word in ACCESS.items()},
        **{name: receipt[name] for name in ("recipient", "project", "venue", "account_id", "region", "session_name")},
        "bucket": receipt.get("bucket") or "",
        "bucket_prefixes": [f"{prefix.rstrip('*/')}/" for prefix in receipt.get("bucket_prefixes") or ()],
        "ecr_repositories": repositories,
        "example_repository": repositories[0].replace("*", "my-app"),
        "registry": f"{receipt['account_id']}.dkr.ecr.{receipt['region']}.{suffix}",
        "ends_local": f"{ends.astimezone(zone(time_zone)):%A %d %B %Y, %H:%M %Z}",
        "ends_utc": f"{ends:%Y-%m-%d %H:%M} UTC",
        "contact": contact,
    }


def facts_of(receipt: Receipt, bucket: str) -> dict[str, Any]:
    """Return what the README may say of a receipt.

    :param bucket: the name of the venue's bucket, where the receipt does not say it.
    """
    allows = receipt.allows or {}
    buckets = allows.get("buckets") or ([bucket] if bucket else [])
    known = {name: allows.get(name) for name in ("access", "bucket_prefixes", "ecr_repositories")}
    return {**receipt.to_json(), **known, "bucket": buckets[0] if buckets else None}


def check_template(template: Path, time_zone: str) -> None:
    """Render a template with an example, so that it cannot fail after a token has been issued.

    :raises InvalidInput: it does not work.
    """
    if template != TEMPLATE:
        readme(EXAMPLE, ["token.json"], folder="example", time_zone=time_zone, contact="", template=template)


def readme(
    receipt: Mapping[str, Any],
    files: list[str],
    *,
    folder: str,
    time_zone: str,
    contact: str,
    template: Path = TEMPLATE,
) -> str:
    """The leaflet for somebody with a Windows laptop and no knowledge of AWS, with the line ends of Notepad.

    :param receipt: what ``venue_sts_token`` returned as such; ``bucket`` is used where it is known.
    :param files: the names beside the leaflet.
    :param folder: what Windows will call the folder that it extracts the zip to.
    :raises InvalidInput: the template does not work, or the time zone is unknown.
    """
    facts = _facts(receipt, time_zone, contact)
    # Sandboxed and strict: a site's own template gets texts only, and a misspelt name is an error, not a gap.
    environment = SandboxedEnvironment(
        undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True, autoescape=False
    )
    try:
        text = environment.from_string(template.read_text(encoding="utf-8")).render(facts, files=files, folder=folder)
    except (TemplateError, OSError, UnicodeDecodeError) as error:
        raise InvalidInput("readme_template", f"{template} does not work: {error}") from None
    return "\r\n".join([*text.splitlines(), ""])


def pack(texts: Mapping[str, str], leaflet: str, made_at: datetime) -> bytes:
    """The zip. The same input gives the same bytes: names are sorted and the one time stamp is that of the issue.

    :param texts: file names and contents, as ``formats.token_files`` gives them.
    :param made_at: the time stamp of all files, aware.
    """
    memory = io.BytesIO()
    with zipfile.ZipFile(memory, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in [("README.txt", leaflet), *sorted(texts.items())]:
            entry = zipfile.ZipInfo(name, made_at.timetuple()[:6])
            entry.compress_type, entry.create_system, entry.external_attr = zipfile.ZIP_DEFLATED, 3, 0o600 << 16
            archive.writestr(entry, text.encode())
    return memory.getvalue()
