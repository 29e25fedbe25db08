# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The hand-off: build the bundle, seal it to the recipient's keys, deliver it. The token stays in memory.

Everything that can be checked is checked in ``prepare``, before there is a token.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

from ..module_utils._domain.access import check_buckets
from ..module_utils._domain.errors import InvalidInput
from ..module_utils._domain.known_keys import KnownKeys
from ..module_utils._domain.names import Venue
from ..module_utils._domain.receipts import Receipt
from ..module_utils._domain.times import EARLIEST
from ..module_utils._domain.token_files import example_stem, token_stem
from ..module_utils._files import absolute, open_regular, real_path
from ..module_utils._operations._operation import Result, Runtime
from ..module_utils._operations.issue.parts import Delivered, Issued, Kept
from . import _destinations as destinations
from ._bundle import EXAMPLE_TOKEN, TEMPLATE, Bundle, BundleSettings, build_bundle
from ._channels import registry
from ._channels.channel import MAIL, REASON, Channel, Parcel, unsealed, unsealed_name
from ._held import keep_once, kept_delivery, remove_bundle
from ._key_directory import Holder, KeyDirectory, check_fingerprints
from ._renewal_place import RenewalPlace
from ._sealing import SealOptions
from ._signing import SIGNATURE_SUFFIX, SshSigner, read_signer


@dataclass(frozen=True)
class HandoffOptions:
    """The option ``handoff`` of ``venue_sts_token``; see its documentation."""

    keys: KeyDirectory
    fingerprints: Sequence[str]
    unsealed: bool
    undelivered: Path
    bucket: str
    bundle: BundleSettings
    sealing: SealOptions

    @classmethod
    def parse(cls, given: Mapping[str, Any]) -> HandoffOptions:
        """Read the options.

        :raises InvalidInput: one cannot be right.
        """
        settings = BundleSettings(
            time_zone=given["time_zone"],
            contact=given["contact"],
            profile_name=given["profile_name"] or "",
            readme_template=(
                absolute("readme_template", given["readme_template"]) if given["readme_template"] else TEMPLATE
            ),
            console_link=given["console_link"],
        )
        _check_unsealed(given)
        bucket = given["bucket"] or ""
        if bucket:
            check_buckets("bucket", [bucket])
        return cls(
            keys=KeyDirectory.from_options(
                given["key_directory"], given["public_keys"], shared=given["key_directory_shared"]
            ),
            fingerprints=given["fingerprints"] or (),
            unsealed=given["unsealed"],
            undelivered=absolute("undelivered", given["undelivered"]),
            bucket=bucket,
            bundle=settings,
            sealing=SealOptions(
                read_signer(given["sign_with"]) if given["sign_with"] else None, given["smime_authenticated"]
            ),
        )

    def check_places(self, channel: Channel, person: Holder, venue: Venue, *, create: bool) -> None:
        """Check that the files of a bundle can be created, where the channel puts them and where they would be kept.

        :param create: create missing folders; not in check mode.
        :raises VenueError: one cannot.
        """
        stem = example_stem(venue, person.user)
        name = unsealed_name(stem) if self.unsealed else channel.name_of(stem, person.keys)
        suffixes = ("", SIGNATURE_SUFFIX) if isinstance(self.sealing.signer, SshSigner) else ("",)
        channel.check(name, suffixes, create=create)
        if not self.unsealed:
            destinations.check("undelivered", f"{self.undelivered}/", name, suffixes, create=create)

    def check_deliverable(self, channel: Channel, person: Holder) -> None:
        """Build and seal a bundle without a token in it, so that what cannot work fails before STS is asked.

        It is not signed: a signing key in a card would ask its owner twice.

        :raises VenueError: a template, a library, a program or a key does not work.
        """
        example = self.bundle.example()
        if not self.unsealed:
            channel.seal(example, person.keys, person.email, replace(self.sealing, signer=None))


def _check_unsealed(given: Mapping[str, Any]) -> None:
    """Refuse options about sealing where nothing is sealed: they would check and sign nothing.

    :raises InvalidInput: one is set.
    """
    for name in ("fingerprints", "sign_with", "smime_authenticated"):
        if given["unsealed"] and given[name]:
            raise InvalidInput(name, "has no effect on a token that is not sealed. Omit it, or unsealed.")


@dataclass(frozen=True)
class Handoff:
    """A hand-off that was prepared: a channel, and a recipient with checked keys.

    :param key_changed: a key is not one of those that the recipient's last token was sealed to.
    :param renewals: where the next tokens of a lease will be; None if there is no lease.
    """

    options: HandoffOptions
    channel: Channel
    person: Holder
    key_changed: bool = False
    renewals: RenewalPlace | None = None
    returns_keys = False

    @classmethod
    def prepare(cls, given: Mapping[str, Any], venue: Venue, user: str, runtime: Runtime) -> Handoff:
        """Check recipient, keys, channel and folders.

        :param given: the option ``handoff``.
        :raises VenueError: the token could not be delivered.
        """
        options = HandoffOptions.parse(given)
        channel = registry.choose(given, unsealed=options.unsealed)
        channel.check_alone(runtime.hosts)
        person = find_person(options, user, channel, runtime)
        options.check_places(channel, person, venue, create=not runtime.check_mode)
        if options.unsealed:
            runtime.warn(f"The token of {user} is written unsealed, because unsealed is true. {REASON}")
        options.check_deliverable(channel, person)
        return cls(options, channel, person)

    def compared(self, known_keys: KnownKeys | None) -> Handoff:
        """Compare the recipient's keys with those that their last token was sealed to.

        :param known_keys: None if there was no token.
        :raises InvalidInput: a key is not among those that the option ``fingerprints`` confirms.
        :raises KeyChanged: a key is neither known nor confirmed, or it is not known which one was.
        """
        last = known_keys or KnownKeys(EARLIEST, ())
        changed = check_fingerprints(self.person, last.fingerprints, self.options.fingerprints, last.unread_reason)
        return replace(self, key_changed=changed)

    def facts(self) -> Result:
        """Describe the recipient's keys."""
        keys = [{"kind": one.kind, "fingerprint": one.fingerprint, "name": one.name} for one in self.person.keys]
        return {"delivered": False, "channel": self.channel.NAME, "recipient_keys": keys}

    def planned(self, receipt: Receipt) -> Result:
        """Return what check mode says."""
        self.check_deliverable(receipt)
        return self.facts()

    def check_deliverable(self, receipt: Receipt) -> None:
        """Build the bundle of a token that does not exist: a site's own README may fail for this request alone."""
        now = receipt.requested_at
        seconds = timedelta(seconds=receipt.duration_seconds)
        issued = receipt.with_token(at=now, access_key_id="", assumed_role_id="", expires_at=now + seconds)
        self._bundle(EXAMPLE_TOKEN, issued)

    def pack(self, issued: Issued, receipt: Receipt) -> Parcel:
        """Build the bundle and seal it."""
        made = self._bundle(issued.token, receipt)
        if self.options.unsealed:
            return unsealed(made)
        return self.channel.seal(made, self.person.keys, self.person.email, self.options.sealing)

    def _bundle(self, token: Mapping[str, Any], receipt: Receipt) -> Bundle:
        if receipt.issued_at is None or receipt.expires_at is None:
            raise ValueError("the receipt is not that of an issued token")
        stem = token_stem(receipt.venue, receipt.recipient, receipt.id)
        allows = dict(receipt.allows or {})
        if self.options.bucket and not allows.get("buckets"):
            allows["buckets"] = [self.options.bucket]
        verify: Sequence[str] = ()
        if not self.options.unsealed:
            verify = self.channel.how_to_verify(stem, self.person.keys, self.options.sealing)
        facts = {**receipt.to_json(), "allows": allows}
        signer = self.options.sealing.signer
        more = self.renewals.files(facts, signer.identity if signer else "") if self.renewals else {}
        return build_bundle(facts, token, self.options.bundle, stem, verify, more=more)

    def deliver(self, parcel: Parcel) -> Delivered:
        """Deliver the parcel. What is only in the result of the task is also kept, until the result was shown."""
        delivered = self.channel.deliver(parcel)
        return kept_delivery(delivered, self.keep(parcel).path) if delivered.in_result else delivered

    def describe(self, parcel: Parcel) -> dict[str, Any]:
        """Return what the receipt says about the parcel."""
        return {**describe(self.channel, parcel), "key_changed": self.key_changed, "resent": False}

    def keep(self, parcel: Parcel) -> Kept:
        """Keep the sealed parcel in a folder, or else in the result. What is not sealed is stored nowhere else."""
        if not parcel.kind:
            return Kept("", {}, "An unsealed bundle is not kept.")
        kept = keep_once(self.options.undelivered / parcel.name, parcel.body, parcel.extra_files)
        return Kept(kept, {"kept": kept}, how_to_resend(kept))

    def keep_in_result(self, parcel: Parcel, problem: str) -> Kept:
        """Put the parcel into the result, if it is sealed."""
        if not parcel.kind:
            return Kept("", {}, "An unsealed bundle is not kept.")
        advice = (
            f"The sealed bundle could not be kept on disk either ({problem.rstrip('.')}) and is in this result as "
            "'sealed'. Save it from there."
        )
        return Kept("", {"sealed": parcel.body.decode()}, advice)

    def finish(self, parcel: Parcel, delivered: Delivered) -> Result:
        """Return what the result of the task says about the delivery."""
        return finish(self.facts(), parcel, delivered)


@dataclass(frozen=True)
class Resend:
    """A sealed parcel that is sent again, by any channel that can carry it."""

    channel: Channel
    file: Path
    undelivered: Path
    parcel: Parcel
    returns_keys = False

    @classmethod
    def prepare(cls, given: Mapping[str, Any], runtime: Runtime) -> Resend:
        """Read the sealed file and check the channel.

        :raises VenueError: it is not sealed, or cannot be sent by this channel.
        """
        channel = registry.choose(given)
        channel.check_alone(runtime.hosts)
        file = absolute("resend", given["resend"])
        undelivered = absolute("undelivered", given["undelivered"])
        parcel = registry.read_parcel(file)
        channel.check_resend(parcel)
        channel.check(parcel.name, ("", *parcel.extra_files), create=not runtime.check_mode)
        return cls(channel, file, undelivered, channel.described(parcel))

    def with_receipt(self, receipt: Receipt) -> Resend:
        """Return the same with what the receipt says about the parcel: who can open it, and who signed it."""
        handoff = receipt.handoff or {}
        parcel = self.parcel.with_fingerprints(tuple(handoff.get("sealed_to") or ()))
        return replace(self, parcel=self.channel.described(parcel, str(handoff.get("signed_by") or "")))

    @contextlib.contextmanager
    def alone(self) -> Iterator[None]:
        """Keep other runs from sending the same file at the same time.

        :raises InvalidInput: another run is sending it.
        """
        with contextlib.ExitStack() as stack:
            try:
                stream = stack.enter_context(open(self.file, "rb", opener=open_regular))
                fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)  # released when the file is closed
            except BlockingIOError:
                raise InvalidInput("resend", f"another run is sending '{self.file}' at this moment.") from None
            except OSError as error:
                raise InvalidInput("resend", f"'{self.file}' cannot be read: {error.strerror}.") from None
            yield

    def remove_kept(self, target: str, warn: Callable[[str], None]) -> None:
        """Remove the file from the folder of what could not be delivered, after it was delivered elsewhere.

        :param warn: called if it cannot be removed: the delivery has succeeded nevertheless.
        """
        if self._is_kept and str(real_path(self.file)) != target:
            remove_bundle(real_path(self.file), warn)

    @property
    def _is_kept(self) -> bool:
        return real_path(self.file).parent == real_path(self.undelivered)

    @property
    def digest(self) -> str:
        """The SHA-256 by which the receipt is found."""
        return _sha256(self.parcel)

    def facts(self) -> Result:
        """Describe the keys that open the parcel."""
        keys = [{"kind": self.parcel.kind, "fingerprint": one, "name": ""} for one in self.parcel.fingerprints]
        return {"delivered": False, "channel": self.channel.NAME, "recipient_keys": keys}

    def planned(self, receipt: Receipt) -> Result:
        """Return what check mode says."""
        return self.facts()

    def check_deliverable(self, receipt: Receipt) -> None:
        """Do nothing: the parcel is ready."""

    def pack(self, issued: Issued, receipt: Receipt) -> Parcel:
        """Return the parcel as it was sealed."""
        return self.parcel

    def deliver(self, parcel: Parcel) -> Delivered:
        """Deliver the parcel."""
        delivered = self.channel.deliver(parcel)
        return (
            kept_delivery(delivered, str(real_path(self.file)) if self._is_kept else "")
            if delivered.in_result
            else delivered
        )

    def describe(self, parcel: Parcel) -> dict[str, Any]:
        """Return what the receipt says about the parcel."""
        return {**describe(self.channel, parcel), "key_changed": False, "resent": True}

    def keep(self, parcel: Parcel) -> Kept:
        """Leave the file where it is."""
        return Kept(str(self.file), {"kept": str(self.file)}, how_to_resend(str(self.file)))

    def keep_in_result(self, parcel: Parcel, problem: str) -> Kept:
        """Leave the file where it is: nothing can go wrong with that."""
        return self.keep(parcel)

    def finish(self, parcel: Parcel, delivered: Delivered) -> Result:
        """Return what the result of the task says about the delivery."""
        return finish(self.facts(), parcel, delivered)


def find_person(options: HandoffOptions, user: str, channel: Channel, runtime: Runtime) -> Holder:
    """Return the recipient with checked keys.

    :raises VenueError: nothing can be sealed to them, or this channel cannot reach them.
    """
    if options.unsealed:
        return Holder(user, ())
    person = options.keys.find(user, runtime.now())
    for sentence in person.unusable:
        runtime.warn(f"{user}: {sentence}")
    channel.check_recipient(person.keys, person.email)
    options.sealing.check(person.keys, mail=MAIL in channel.CARRIES and len(channel.CARRIES) == 1)
    if isinstance(options.sealing.signer, SshSigner):
        channel.check_signature()
    return person


def describe(channel: Channel, parcel: Parcel) -> dict[str, Any]:
    """Return the part of a receipt that is about a parcel; see docs/receipt.schema.json."""
    return {
        "channel": channel.NAME,
        "delivered": True,
        "file": parcel.name,
        "sealed_with": parcel.kind or None,
        "sealed_to": list(parcel.fingerprints),
        "sealed_sha256": _sha256(parcel) if parcel.kind else None,
        "signed_by": parcel.signed_by or None,
    }


def finish(facts: Result, parcel: Parcel, delivered: Delivered) -> Result:
    """Return the result of a delivery."""
    where = {"target": delivered.target, "how_to_open": parcel.how_to_open}
    verify = {"how_to_verify": list(parcel.how_to_verify)} if parcel.how_to_verify else {}
    return {**facts, **delivered.facts, **where, **verify, "delivered": True}


def how_to_resend(kept: str) -> str:
    """Return the advice for a parcel that was kept."""
    return (
        "Nothing is lost: the sealed bundle is kept. Send it again, without issuing again, while the token is valid: "
        f"ansible-playbook mdps.venue_sts.handoff -e handoff_resend={kept}"
    )


def _sha256(parcel: Parcel) -> str:
    return hashlib.sha256(parcel.body).hexdigest()
