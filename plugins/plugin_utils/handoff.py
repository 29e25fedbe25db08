# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Hand a token over: build the bundle, seal it, deliver it, keep the receipt. The plaintext stays in memory."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from ..module_utils._aws.clients import Clients
from ..module_utils._domain.errors import DeliveryFailed, InvalidInput, ReceiptNotKept, VenueError
from ..module_utils._domain.users import check_user
from ..module_utils._operations._operation import Runtime
from ..module_utils._operations._receipts import Places, places
from . import book, bundle, private_files, receipts, sealing
from .channels import email, registry
from .channels.channel import MAIL, OPEN_ZIP, REASON, SEALED_ZIP, Bundle, Channel, Parcel

# File names and contents of a token, region and profile: ``formats.token_files``.
TokenFiles = Callable[[Mapping[str, Any], str, str], Mapping[str, str]]

_TEXT = {"type": "str"}
_EMAIL = {
    **dict.fromkeys(("host", "sender", "to", "subject", "username"), _TEXT),
    "password": {"type": "str", "no_log": True},
    "port": {"type": "int"},
    "tls": {"type": "str", "default": "starttls"},
    "ca_file": {"type": "path"},
}
_HTTPS = {
    "url": _TEXT,
    "method": {"type": "str", "default": "PUT", "choices": ["PUT", "POST"]},
    "headers": {"type": "dict", "no_log": True},
    "field_name": {"type": "str", "default": "file"},
    "ca_file": {"type": "path"},
}
ARGUMENT_SPEC: Mapping[str, Any] = {
    # raw: to convert it is to risk an error that quotes it
    "token": {"type": "raw", "no_log": True},
    "receipt": {"type": "dict"},
    "user": _TEXT,
    "channel": {"type": "str", "default": "file"},
    "recipients": {"type": "raw", "default": "~/.mdps/recipients"},
    "fingerprints": {"type": "list", "elements": "str", "default": []},
    "unsealed": {"type": "bool", "default": False},
    "dest": {"type": "path", "default": "~/.mdps/handoff/"},
    "email": {"type": "dict", "options": _EMAIL},
    "https": {"type": "dict", "options": _HTTPS},
    "resend": {"type": "path"},
    "undelivered": {"type": "path", "default": "~/.mdps/undelivered"},
    "receipts_file": {"type": "path", "default": "~/.mdps/receipts.jsonl"},
    "receipts_s3": {"type": "str", "default": ""},
    "receipts_ssm_path": {"type": "str", "default": ""},
    "bucket": {"type": "str", "default": ""},
    "contact": {"type": "str", "default": "the MDPS admin who sent you this"},
    "time_zone": {"type": "str", "default": "America/Los_Angeles"},
    "profile_name": {"type": "str", "default": ""},
    "readme_template": {"type": "path"},
}


def secrets_of(options: Mapping[str, Any]) -> set[str]:
    """The texts among the options that nobody but their owner may see."""
    token, mail, web = (
        options[name] if isinstance(options[name], Mapping) else {} for name in ("token", "email", "https")
    )
    keys = token.get("Credentials") if isinstance(token.get("Credentials"), Mapping) else {}
    found = [
        keys.get("SecretAccessKey"),
        keys.get("SessionToken"),
        mail.get("password"),
        *(web.get("headers") or {}).values(),
        options["token"],
    ]
    return {one for one in found if isinstance(one, str)}


@dataclass(frozen=True)
class HandOver:
    """One hand-off.

    :param options: see the documentation of ``venue_sts_handoff``, with amazon.aws's connection options, which are used
        only
        where receipts go to S3 or SSM.
    """

    options: Mapping[str, Any]
    runtime: Runtime
    token_files: TokenFiles

    def run(self) -> dict[str, Any]:
        """Do it, or in check mode say whether it could be done.

        :raises InvalidInput: before anything was sent or sealed.
        :raises NoRecipientKey: the user is not in the book.
        :raises DeliveryFailed: sealed and kept, but not delivered. The facts say where it is.
        :raises ReceiptNotKept: the facts hold the receipt and whether the token was delivered.
        """
        try:
            return self._run()
        except (DeliveryFailed, ReceiptNotKept):
            raise
        except VenueError as error:
            self._record_unsent(error)
            raise

    def _run(self) -> dict[str, Any]:
        channel = registry.choose(self.options)
        bundle.zone(self.options["time_zone"])
        self._places.check()
        return self._resend(channel) if self.options["resend"] else self._first_time(channel)

    @property
    def _places(self) -> Places:
        return places(self.options)

    @property
    def _receipts_file(self) -> Path:
        return Path(self.options["receipts_file"]).expanduser()

    def _first_time(self, channel: Channel) -> dict[str, Any]:
        user = self._user()
        person = self._person(channel, user)
        facts: dict[str, Any] = {"changed": True, "user": user, "channel": channel.NAME, "delivered": False}
        facts["recipient_keys"] = [
            {"kind": one.kind, "fingerprint": one.fingerprint, "name": one.name} for one in person.keys
        ]
        outcome = {"key_changed": self._key_changed(person), "resent": False}
        if self.runtime.check_mode:
            return facts
        receipt = self._checked_receipt()
        made = self._bundle(receipt)
        if self.options["unsealed"]:
            self.runtime.warn(f"The token of {user} is written unsealed, as unsealed: true demands. {REASON}")
            parcel = Parcel(f"{made.stem}.zip", made.zip, OPEN_ZIP)
        else:
            parcel = channel.seal(made, person.keys, person.email)
        return self._send(channel, parcel, receipt, facts, outcome)

    def _user(self) -> str:
        known = (self.options["receipt"] or {}).get("recipient")
        user = self.options["user"] or known
        if not user:
            raise InvalidInput("user", "say who the token is for.")
        check_user("user", user)
        if known and user != known:
            raise InvalidInput(
                "user", f"the receipt says that the token is for {known}, not for {user}: nothing was sealed."
            )
        return str(user)

    def _person(self, channel: Channel, user: str) -> book.Person:
        if self.options["unsealed"]:
            return book.Person(user, ())
        person = book.find(self.options["recipients"], user, self.runtime.now())
        book.check_fingerprints(person, self.options["fingerprints"])
        channel.check_keys(person.keys)
        return person

    def _key_changed(self, person: book.Person) -> bool:
        before = receipts.last_keys(self._receipts_file, person.user)
        new = [one.fingerprint for one in person.keys if before and one.fingerprint not in before]
        if new:
            self.runtime.warn(
                f"The key of {person.user} is not the one that the last token was sealed to: now {', '.join(new)}, before {', '.join(before)}. "
                f"Ask {person.user}, by telephone or in person, whether they changed it."
            )
        return bool(new)

    def _checked_receipt(self) -> dict[str, Any]:
        receipt, token = self.options["receipt"], self.options["token"]
        receipts.check(receipt)
        keys = token.get("Credentials") if isinstance(token, Mapping) else None
        if not isinstance(keys, Mapping) or not {"AccessKeyId", "SecretAccessKey", "SessionToken"} <= set(keys):
            raise InvalidInput("token", "give the token that venue_sts_token returned.")
        if keys["AccessKeyId"] != receipt["access_key_id"]:
            raise InvalidInput("receipt", "it belongs to another token: nothing was sealed.")
        self._check_alive(receipt)
        return dict(receipt)

    def _check_alive(self, receipt: Mapping[str, Any]) -> None:
        if bundle.parse_time(receipt["expires_at"]) <= self.runtime.now():
            raise InvalidInput("token", f"it ended at {receipt['expires_at']}: issue a new one.")

    def _bundle(self, receipt: Mapping[str, Any]) -> Bundle:
        venue = f"{receipt['project']}-{receipt['venue']}"
        issued = bundle.parse_time(receipt["issued_at"])
        stem = re.sub(r"[^\w.@-]", "_", f"{venue}-{receipt['recipient']}-{issued:%Y%m%dT%H%M%SZ}")
        texts = self.token_files(self.options["token"], receipt["region"], self.options["profile_name"])
        facts = {**receipt, "bucket": self.options["bucket"] or receipt.get("bucket")}
        settings = {name: self.options[name] for name in ("time_zone", "contact")}
        leaflet = bundle.readme(
            facts,
            sorted(texts),
            folder=stem,
            template=Path(self.options["readme_template"] or bundle.TEMPLATE),
            **settings,
        )
        until = f"{bundle.parse_time(receipt['expires_at']):%Y-%m-%d %H:%M} UTC"
        return Bundle(bundle.pack(texts, leaflet, issued), stem, f"Your access to the MDPS venue {venue} until {until}")

    def _resend(self, channel: Channel) -> dict[str, Any]:
        parcel = _read_parcel(Path(self.options["resend"]).expanduser())
        channel.check_resend(parcel)
        digest = hashlib.sha256(parcel.body).hexdigest()
        receipt = receipts.find_last(
            self._receipts_file, lambda one: one.get("handoff", {}).get("sealed_sha256") == digest
        )
        facts: dict[str, Any] = {"changed": True, "channel": channel.NAME, "delivered": False}
        outcome = {"key_changed": False, "resent": True}
        if receipt is None:
            self.runtime.warn(
                f"No receipt in {self._receipts_file} tells of {parcel.name}, so none is added for sending it again."
            )
            receipt = {}
        else:
            self._check_alive(receipt)
            facts["user"] = receipt["recipient"]
            before = receipt["handoff"]
            parcel = Parcel(parcel.name, parcel.body, parcel.media_type, parcel.kind, tuple(before["sealed_to"]))
            facts["recipient_keys"] = [
                {"kind": before["sealed_with"], "fingerprint": one, "name": ""} for one in before["sealed_to"]
            ]
        return facts if self.runtime.check_mode else self._send(channel, parcel, receipt, facts, outcome)

    def _send(
        self,
        channel: Channel,
        parcel: Parcel,
        receipt: Mapping[str, Any],
        facts: dict[str, Any],
        outcome: Mapping[str, Any],
    ) -> dict[str, Any]:
        target, problem = "", ""
        try:
            target = channel.deliver(parcel)
        except DeliveryFailed as error:
            problem = error.message
        facts |= {"delivered": not problem, "target": target, **_how_to_open(parcel)}
        if channel.NAME == "file" and target:
            facts["path"] = target
        if channel.NAME == "output":
            facts["sealed"] = parcel.body.decode()
        advice = self._keep(parcel, facts) if problem else self._tidy(target)
        record = {**receipt, "handoff": {**outcome, **_outcome(channel, parcel, target, problem, self.runtime.now())}}
        facts["receipt"] = record
        unkept = self._record(record) if receipt else ""
        if problem:
            raise DeliveryFailed(" ".join(filter(None, (problem, advice, unkept))), **facts)
        if unkept:
            raise ReceiptNotKept(f"The token was delivered ({target}), but: {unkept}", **facts)
        return facts

    def _keep(self, parcel: Parcel, facts: dict[str, Any]) -> str:
        """Keep what could not be delivered, and say how to go on. What is not sealed is not spread further."""
        if not parcel.kind:
            return "It was not sealed, so it was not kept either: issue again."
        if self.options["resend"]:
            kept = Path(self.options["resend"])
        else:
            try:
                kept = private_files.write("undelivered", Path(self.options["undelivered"]) / parcel.name, parcel.body)
            except (VenueError, OSError) as error:
                facts["sealed"] = parcel.body.decode()
                return f"It could not be kept on disk either ({error}), but it is sealed, and stands in this result as 'sealed': save that."
        facts["kept"] = str(kept)
        return f"Nothing is lost: the sealed bundle is kept. Send it again, without issuing again, while the token lasts: -e handoff_resend={kept}"

    def _tidy(self, target: str) -> str:
        """Remove what had been kept, once it has been delivered from there."""
        if self.options["resend"]:
            kept = Path(self.options["resend"]).expanduser().resolve()
            if kept.parent == Path(self.options["undelivered"]).expanduser().resolve() and str(kept) != target:
                kept.unlink()
        return ""

    def _record_unsent(self, error: VenueError) -> None:
        """A token that was issued is recorded, even if nothing could be done with it."""
        receipt = self.options["receipt"]
        if self.options["resend"] or self.runtime.check_mode or not receipts.is_complete(receipt):
            return
        channel = self.options["channel"]  # if unknown, it may be anything that went to the wrong option
        outcome = {
            "channel": channel if channel in registry.CHANNELS else None,
            "delivered": False,
            "problem": error.message,
            "at": _iso(self.runtime.now()),
        }
        error.facts["receipt"] = {**receipt, "handoff": outcome}
        unkept = self._record(error.facts["receipt"])
        if unkept:
            self.runtime.warn(unkept)

    def _record(self, record: Mapping[str, Any]) -> str:
        try:
            self._places.keep(record, Clients(self.options))
        except ReceiptNotKept as error:
            return error.message
        return ""


def _read_parcel(path: Path) -> Parcel:
    """A sealed file that was kept.

    :raises InvalidInput: it cannot be read, or it is not sealed.
    """
    try:
        body = path.read_bytes()
    except OSError as error:
        raise InvalidInput("resend", f"{path} cannot be read: {error.strerror}.") from None
    if email.is_sealed(body):
        return Parcel(path.name, body, MAIL, "mail")
    kind = sealing.sealed_kind(body.decode(errors="replace"))
    if not kind:
        raise InvalidInput("resend", f"{path} is not sealed. {REASON}")
    return Parcel(path.name, body, SEALED_ZIP, kind)


def _how_to_open(parcel: Parcel) -> dict[str, str]:
    if parcel.media_type == MAIL:
        return {"how_to_open": "Open it in Outlook or Thunderbird."}
    if not parcel.kind:
        return {"how_to_open": "It is not sealed: extract the zip."}
    return {"how_to_open": sealing.HOW_TO_OPEN[parcel.kind].format(sealed=parcel.name, opened=Path(parcel.name).stem)}


def _iso(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def _outcome(channel: Channel, parcel: Parcel, target: str, problem: str, now: datetime) -> dict[str, Any]:
    """What a receipt says about delivery; see docs/receipt.schema.json."""
    return {
        "at": _iso(now),
        "channel": channel.NAME,
        "delivered": not problem,
        "target": target or None,
        "problem": problem or None,
        "file": parcel.name,
        "sealed_with": parcel.kind or None,
        "sealed_to": list(parcel.fingerprints),
        "sealed_sha256": hashlib.sha256(parcel.body).hexdigest() if parcel.kind else None,
    }
