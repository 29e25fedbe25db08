# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What an operation is: an argument spec, and a function from parameters to a result. Both front ends run it through here."""

from __future__ import annotations

import random
import secrets
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from .._aws.clients import Clients
from .._domain.errors import VenueError

Params = Mapping[str, Any]
Result = dict[str, Any]

SHORTEST_SECRET = 16


def worth_blanking(values: Iterable[str]) -> set[str]:
    """The secret options that are to be blanked wherever their text occurs in a result, in case one ever got there.

    A short external ID ("sbg") is not among them: blanking it would punch holes into names, ARNs and keys, and so give
    it away.
    """
    return {value for value in values if len(value) >= SHORTEST_SECRET}


@dataclass(frozen=True)
class Runtime:
    """What an operation may not take from its surroundings by itself: mode, warnings, time and chance.

    :param check_mode: read and plan, change nothing.
    :param warn: shows one sentence to the user.
    :param now: the current time, aware, in UTC.
    :param sleep: waits so many seconds.
    :param jitter: a random number of seconds between 0 and its argument.
    :param token_hex: so many random bytes as hexadecimal text, from the system's secure source.
    """

    check_mode: bool = False
    warn: Callable[[str], None] = lambda message: None
    now: Callable[[], datetime] = lambda: datetime.now(UTC)
    sleep: Callable[[float], None] = time.sleep
    jitter: Callable[[float], float] = lambda most: random.uniform(0, most)  # noqa: S311 - spreads retries, guards nothing
    token_hex: Callable[[int], str] = secrets.token_hex


@dataclass(frozen=True)
class Operation:
    """One use case, free of Ansible.

    :param name: the module's name.
    :param argument_spec: the module's own options; amazon.aws's connection options are added where ``services`` is not
        empty.
    :param execute: does the work; raises VenueError.
    :param services: the AWS services it talks to, so that their models can be loaded once, before the fork.
    :param secret_result: the result carries keys, so it is hidden from callbacks, logs and job events.
    :param constraints: ``mutually_exclusive``, ``required_if`` and the like, as for AnsibleModule.
    """

    name: str
    argument_spec: Mapping[str, Any]
    execute: Callable[[Params, Clients, Runtime], Result]
    services: Sequence[str] = ("iam", "ssm", "sts")
    secret_result: bool = False
    constraints: Mapping[str, Any] = field(default_factory=dict)

    def run(self, params: Params, runtime: Runtime) -> tuple[bool, Result]:
        """Run to the end: (True, result), or (False, failure). Never raises VenueError."""
        try:
            return True, self.execute(params, Clients(params), runtime)
        except VenueError as error:
            known = params.get("project") and params.get("venue")
            return False, error.to_result(f"Venue {params['project']}-{params['venue']}" if known else "")
