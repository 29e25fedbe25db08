# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The result and the warnings: what an admin is to know after a run."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from ..._domain.lease_names import parameter_name
from ..._domain.lease_parameters import FoundLeases
from ..._domain.leases import StoredLease
from ..._domain.receipts import CLOCK_TOLERANCE, Receipt
from ..._domain.revocation import standing
from ..._domain.roles import Role
from ..._domain.steps import Step
from ..._domain.subjects import shown as subjects_shown
from ..._domain.times import iso
from ..._domain.trust_reader import denied_subjects
from ..._domain.words import first_of
from .._operation import Runtime
from .options import RevocationOptions
from .planning import RolePlan, disputed_of
from .state import Known, State, has_lease, unknown


def warn(options: RevocationOptions, known: Known, state: State, plans: Sequence[RolePlan], runtime: Runtime) -> None:
    """Warn of what the result alone does not make plain."""
    notes = [note for one in plans for note in one.plan.notes]
    of_target = [*_target(options, known, state, plans), *_not_lifted(options, state, plans)]
    of_people = _logging_in_again(state) if options.by_receipt and options.state == "present" else ()
    for sentence in (*notes, *of_target, *of_people, *_roles(options, state), *_receipts(known, state)):
        runtime.warn(sentence)


def _target(options: RevocationOptions, known: Known, state: State, plans: Sequence[RolePlan]) -> Iterator[str]:
    """About what was asked for."""
    if options.target == "web_identity_subject" and options.state == "present":
        yield (
            "Sessions of this subject that have no receipt are not ended by this, since their names are not known. "
            "CloudTrail has them (venue_sts_session_info): revoke them by session_name, or revoke all."
        )
    if options.state == "unlocked" and any(one.plan.locked for one in plans):
        yield "The venue stays locked: another Deny statement prevents everyone from assuming the role."
    if options.by_receipt and not known.found and not has_lease(options, state.leases):
        yield f"{unknown(options).message} Check the spelling of the name."
    elif options.by_receipt and not known.receipts and not has_lease(options, state.leases):
        yield "No token of this venue that the receipts name is still valid. There is nothing to revoke."
    others = [one.session_name for one in known.receipts if options.target == "session_name"]
    if options.state == "present" and others and options.value not in others:
        yield (
            f"None of the {len(others)} receipts of valid tokens of {options.venue} names the session "
            f"{options.value}. Check that the name is spelled as in the receipt or in CloudTrail."
        )


def _logging_in_again(state: State) -> Iterator[str]:
    """About people who need nobody to get a new session."""
    issued = [(role.role, one) for role in state.roles for one in role.receipts]
    subjects = {
        f"{subject} of {issuer}": None
        for role, one in issued
        if one.method == "web_identity"
        for subject, issuer in [[one.context.get(f"web_identity_{name}", "") for name in ("subject", "issuer")]]
        if subject not in denied_subjects(role.trust).get(issuer, ())
    }
    if subjects:
        yield (
            "Whoever has a web identity token of these subjects can get a new session immediately. Also revoke the "
            f"subjects, with -e issuer=… and -e subject=…: {first_of(list(subjects))}."
        )
    users = dict.fromkeys(
        one.context.get("saml_subject", one.recipient) for _role, one in issued if one.method == "saml"
    )
    if users:
        yield (
            "These users can log in with SAML again and get new tokens. To prevent this, remove their access in the "
            f"identity provider, or lock the venue: {first_of(list(users))}."
        )


def _not_lifted(options: RevocationOptions, state: State, plans: Sequence[RolePlan]) -> Iterator[str]:
    """About sessions that stay revoked, because they may be somebody else's."""
    for one in plans:
        names = disputed_of(options, state, one.of)
        if names:
            role = "" if one.role.name.lower() == options.role_name.lower() else f" -e revoke_role_name={one.role.name}"
            yield (
                f"Not lifted: {first_of(names)}. Another receipt, or the name of the session, says that it belongs to "
                "somebody else, so one of the receipts may be forged. If you know that it is the right session, lift "
                f"it by its name: ansible-playbook mdps.venue_sts.revoke -e project={options.venue.project} "
                f"-e venue={options.venue.venue}{role} -e session_name={names[0]} -e lift=true "
                "(or session_name, with state: absent)."
            )


def _roles(options: RevocationOptions, state: State) -> Iterator[str]:
    """About roles that are left as they are."""
    if state.own_missing:
        yield (
            f"There is no role {options.role_name} in account {state.caller.account_id}. Only tokens of the venue's "
            "other roles were revoked. If the venue's role has another name, set role_name."
        )
    for reason in state.not_reached:
        yield f"The venue may have other roles, which are not changed: {reason}"
    for reason in dict.fromkeys(why for _one, why in state.left_out):
        names = [one.session_name for one, why in state.left_out if why == reason]
        done = "lifted" if options.state == "absent" else "revoked"
        yield f"Not {done}: {first_of(names)}. Either the receipt is false, or this needs other credentials: {reason}"
    if state.gone:
        names = [one.session_name for one in state.gone]
        yield f"The role of these sessions no longer exists, so they have ended: {first_of(names)}."
    replaced = [one.session_name for role in state.roles for one in role.receipts if is_replaced(role.role, one)]
    if replaced and options.by_receipt:
        yield (
            "The role of these sessions was deleted and created again, so they ended with the old role: "
            f"{first_of(replaced)}. They are revoked for the new role as well."
        )


def _receipts(known: Known, state: State) -> Iterator[str]:
    """About receipts that say something strange."""
    early = [one.session_name for one in known.receipts if one.requested_at > state.now + CLOCK_TOLERANCE]
    if early:
        yield (
            f"Receipts are dated in the future: {first_of(early)}. Either the clock of the machine that issued the "
            "token was wrong, or the receipts are forged. What was issued until now is revoked."
        )


def is_replaced(role: Role, receipt: Receipt) -> bool:
    """Whether the role is another one of the same name than the one that the token is of."""
    return bool(receipt.role_id) and receipt.role_id != role.role_id


def in_force(one: RolePlan) -> list[dict[str, Any]]:
    """The revocations of a role after the run, as the result lists them."""
    in_force = [each.shown() for each in standing(one.plan.after["revocations"], one.role.role_id)]
    refused = one.plan.after.get("revoked_subjects", denied_subjects(one.role.trust))
    return [{"role_name": one.role.name, **each} for each in [*in_force, *subjects_shown(refused)]]


def sessions(options: RevocationOptions, state: State) -> list[dict[str, Any]]:
    """The tokens that receipts named, and what their role is like now."""
    if not options.by_receipt:
        return []
    living = [(one, is_replaced(role.role, one)) for role in state.roles for one in role.receipts]
    return [
        {
            "session_name": one.session_name,
            "recipient": one.recipient,
            "access_key_id": one.access_key_id,
            "role_arn": one.role_arn,
            "ends_by": iso(one.ends_by),
            "issued": bool(one.access_key_id),
            "role_gone": gone,
        }
        for one, gone in [*living, *[(one, True) for one in state.gone]]
    ]


def diff(plans: Sequence[RolePlan]) -> dict[str, Any]:
    """Before and after, of the only role or of each by its name."""
    parts = {one.role.name: one.plan.diff() for one in plans}
    if len(parts) == 1:
        return next(iter(parts.values()))
    return {side: {name: part[side] for name, part in parts.items()} for side in ("before", "after")}


def chosen(options: RevocationOptions, leases: FoundLeases | None, steps: Sequence[Step]) -> Sequence[StoredLease]:
    """The leases that end with the tokens.

    :param steps: those that end leases: what was done or, in check mode, would be.
    """
    names = {name for step in steps for name in step.arguments["Names"]}
    found = leases.stored if leases else ()
    return [one for one in found if parameter_name(options.lease_path, one.lease.user) in names]


def ended(one: StoredLease) -> dict[str, Any]:
    """A lease as the result lists it."""
    return {"user": one.lease.user, "id": one.lease.id, "ends_at": iso(one.lease.ends_at)}
