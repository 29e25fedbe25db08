# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Options of ``venue_sts_revocation``: what to revoke, to lift, to lock or to unlock."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from ..._aws.clients import Clients
from ..._domain.errors import (
    InvalidInput,
)
from ..._domain.lease_names import lease_path
from ..._domain.names import Venue, check_session_name, chosen_role_name, make_venue, parameter_names
from ..._domain.oidc import read_issuer
from ..._domain.receipts import CLOCK_TOLERANCE, Receipt, parse_receipt
from ..._domain.subjects import check_subject
from ..._domain.times import parse_time
from ..._domain.users import check_user
from ..._receipt_store import READING, ReceiptSources
from .._operation import Params, Runtime
from ..accounts import check_expected_account
from . import verification

TARGETS = ("session_name", "source_identity", "receipt", "user", "access_key_id", "web_identity_subject", "all")


BY_RECEIPT = ("receipt", "user", "access_key_id")


LOCKING = ("locked", "unlocked")


ARGUMENT_SPEC: dict[str, Any] = {
    "state": {"type": "str", "choices": ["present", "absent", *LOCKING], "default": "present"},
    "project": {"type": "str", "required": True},
    "venue": {"type": "str", "required": True},
    "name_prefix": {"type": "str", "default": "unity"},
    "role_name": {"type": "str"},
    "expected_account_id": {"type": "str"},
    "before": {"type": "str"},
    "all": {"type": "bool"},
    "session_name": {"type": "str"},
    "source_identity": {"type": "str"},
    "receipt": {"type": "dict"},
    "user": {"type": "str"},
    "access_key_id": {"type": "str", "no_log": False},
    "web_identity_subject": {"type": "str"},
    "web_identity_issuer": {"type": "str"},
    **READING,
    "lease_path": {"type": "str"},
    "external_id_parameter": {"type": "str"},
    **verification.ARGUMENT_SPEC,
}


@dataclass(frozen=True)
class RevocationOptions:
    """What to revoke, to lift, to lock or to unlock.

    :param state: ``present``, ``absent``, ``locked`` or ``unlocked``.
    :param target: the one option of ``TARGETS`` that is given.
    :param value: the session name, source identity, user, access key id or subject; '' for the other targets.
    :param issuer: of the subject, without ``https://``; '' for the other targets.
    :param role_name: the venue's role, where receipts do not name one.
    :param role_given: whether the admin named it.
    :param lease_path: where the venue's leases are.
    :param external_id_parameter: the SSM parameter of the external ID, with which the proof of a lock is tried.
    :param receipt: the one that is given, if it is the target.
    :param sources: where the other receipts are. Where receipts are not the target, they name further roles that the
        venue's tokens may be of.
    :param proof: what to prove afterwards; None for nothing.
    """

    state: str
    venue: Venue
    target: str
    value: str
    issuer: str
    role_name: str
    role_given: bool
    expected_account_id: str
    before: datetime | None
    lease_path: str
    external_id_parameter: str
    receipt: Receipt | None
    sources: ReceiptSources
    proof: verification.Wanted | None

    @property
    def ends_leases(self) -> bool:
        """Whether leases end as well, so that nothing renews what is revoked."""
        return self.state == "present" and self.target in ("user", "all")

    @property
    def every_role(self) -> bool:
        """Whether it is about every role of the venue: every token, or a person whom several roles may let in."""
        return self.target in ("all", "web_identity_subject")

    @property
    def by_receipt(self) -> bool:
        """Whether receipts say what to revoke."""
        return self.target in BY_RECEIPT

    @property
    def may_exceed_quota(self) -> bool:
        """Whether any number of receipts may name sessions to revoke."""
        return self.state == "present" and self.target in ("user", "access_key_id", "web_identity_subject")

    def concerns(self, receipt: Receipt) -> bool:
        """Whether a receipt is about the user, the access key or the subject; for other targets, every one is."""
        person = {"web_identity_issuer": self.issuer, "web_identity_subject": self.value}
        return {
            "user": receipt.recipient == self.value,
            "access_key_id": receipt.access_key_id == self.value,
            "web_identity_subject": person.items() <= receipt.context.items(),
        }.get(self.target, True)


def parse(params: Params, _clients: Clients, runtime: Runtime) -> RevocationOptions:
    """Check the options.

    :raises InvalidInput: an option cannot be right.
    """
    venue = make_venue(params["project"], params["venue"])
    target = _target(params)
    sources = ReceiptSources.from_options(params)
    value = _value(params, target)
    if target in ("user", "access_key_id"):
        sources.check()
    return RevocationOptions(
        state=params["state"],
        venue=venue,
        target=target,
        value=value,
        issuer=_issuer(params),
        role_name=chosen_role_name(venue, params),
        role_given=params["role_name"] is not None,
        expected_account_id=check_expected_account(params["expected_account_id"]),
        before=_before(params["before"], runtime),
        lease_path=lease_path(venue, params["lease_path"]),
        external_id_parameter=parameter_names(venue, params).external_id,
        receipt=_receipt(params["receipt"], venue) if target == "receipt" else None,
        sources=sources,
        proof=verification.parse(params),
    )


def _value(params: Params, target: str) -> str:
    if target in ("session_name", "source_identity"):
        return check_session_name(target, params[target])
    if target == "user":
        return check_user("user", params["user"])
    if target == "web_identity_subject":
        return check_subject(target, params[target])
    return str(params[target]) if target == "access_key_id" else ""


def _receipt(given: Mapping[str, Any], venue: Venue) -> Receipt:
    receipt = parse_receipt("receipt", given)
    if receipt.venue != venue:
        raise InvalidInput("receipt", f"is about a token for {receipt.venue}, not for {venue}.")
    return receipt


def _target(params: Params) -> str:
    """The one option that says what to revoke. Nothing that is empty means everything.

    :raises InvalidInput: none is given, or more than one; or one together with a lock, which is about every token.
    """
    given = [name for name in TARGETS if params[name] is not None and params[name] is not False]
    if params["state"] in LOCKING:
        for name in [*given, *(["before"] if params["before"] is not None else [])]:
            raise InvalidInput(name, f"cannot be used with state {params['state']}, which is about the whole venue.")
        return "all"
    if len(given) != 1:
        found = f"{' and '.join(given)} are given" if given else "no option says what to revoke"
        raise InvalidInput(
            given[0] if given else "all",
            f"{found}. Set exactly one of {', '.join(TARGETS)}. To revoke every token of the venue, set all to true.",
        )
    return given[0]


def _issuer(params: Params) -> str:
    text = params["web_identity_issuer"]
    if text is None:
        return ""
    try:
        return read_issuer(text if "://" in text else f"https://{text}")
    except ValueError:
        raise InvalidInput("web_identity_issuer", f"'{text}' is not an issuer, such as https://HOST/PATH.") from None


def _before(text: str | None, runtime: Runtime) -> datetime | None:
    moment = parse_time("before", text) if text is not None else None
    if moment and moment > runtime.now() + CLOCK_TOLERANCE:
        raise InvalidInput("before", "is in the future. Tokens issued from now on would be refused.")
    return moment
