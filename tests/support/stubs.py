# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""botocore clients with scripted answers: nothing leaves the process."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import botocore.session
from botocore.stub import Stubber

from tests.support.servers import FAKE_KEYS, REGION

ACCOUNT = "123456789012"


@functools.cache
def _session() -> Any:
    return botocore.session.Session()


def plain_client(service: str, **settings: Any) -> Any:
    """A client with fake keys, all from one session, so that the service models are read once."""
    return _session().create_client(service, **{"region_name": REGION, **FAKE_KEYS, **settings})


@contextmanager
def stubbed(service: str) -> Iterator[tuple[Any, Stubber]]:
    """A client and its stub; every answer that was scripted must have been asked for."""
    client = plain_client(service)
    with Stubber(client) as stub:
        yield client, stub
        stub.assert_no_pending_responses()
