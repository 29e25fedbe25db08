# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The record of approved and ended leases on the controller: lines of JSON in a file that only grows."""

from __future__ import annotations

import json

from ..module_utils._domain.errors import InvalidInput
from ..module_utils._domain.leases import Lease
from ..module_utils._domain.times import iso
from ..module_utils._files import absolute, append_private, open_regular
from ..module_utils._operations._operation import Runtime

LOG = "~/.mdps/leases.jsonl"


def record(file: str, lease: Lease, event: str, reason: str | None, runtime: Runtime) -> None:
    """Add a line to the record of approvals and endings.

    :raises VenueError: the file cannot be written.
    """
    line = {"event": event, "at": iso(runtime.now()), "why": reason, "lease": lease.to_json()}
    append_private("leases_file", file, json.dumps(line, separators=(",", ":")).encode())


def read_record(file: str) -> list[str]:
    """Return the lines of the record of approvals and endings, oldest first; none if there is no record yet.

    :raises InvalidInput: it cannot be read.
    """
    try:
        with open(absolute("leases_file", file), encoding="utf-8", errors="replace", opener=open_regular) as lines:
            return lines.readlines()
    except FileNotFoundError:
        return []
    except OSError as error:
        raise InvalidInput("leases_file", f"'{file}' cannot be read ({error.strerror}).") from None
