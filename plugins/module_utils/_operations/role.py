# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Ensure a venue's STS role, or remove it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from .._aws.account import other_spellings, read_roles
from .._aws.calls import DENIED, apply
from .._aws.clients import Clients
from .._domain.errors import AwsRefused, OwnershipConflict, VenueError
from .._domain.external_id import ExternalIdRequest
from .._domain.published import check_confirmed
from .._domain.role_facts import still_using
from .._domain.role_plan import plan_absent, plan_present
from .._domain.roles import Parameter
from .._domain.steps import Plan, Step
from ._operation import Operation, Result, Runtime
from .accounts import check_account
from .assumable import check_assumable
from .converge import converge
from .preflight import Preflight
from .propagation import PropagationRetry, principal_may_be_new
from .role_options import ARGUMENT_SPEC, NARROWING, RoleOptions, parse
from .role_state import Discovered, FoundRole, desired_state, discover, read, read_providers

EXTERNAL_ID_BYTES = 20  # 160 bits, as 40 hexadecimal digits


class RoleRun:
    """One run of the operation: what it planned first, and what it has done so far."""

    def __init__(self, options: RoleOptions, clients: Clients, runtime: Runtime) -> None:
        self.options, self.clients, self.runtime = options, clients, runtime
        self.candidate = runtime.token_hex(EXTERNAL_ID_BYTES)
        self.done: list[tuple[Step, dict[str, Any]]] = []
        self.plans: list[Plan] = []
        self.discovered: Discovered | None = None
        self.notes: list[str] = []
        self.result: Result = {}

    @property
    def steps(self) -> list[Step]:
        """What was done; in check mode, what would be."""
        return list(self.plans[0].steps) if self.runtime.check_mode else [step for step, _answer in self.done]

    def attempt(self, number: int) -> None:
        """Read, plan, check what the plan refers to, and apply.

        :raises ConcurrentChange: somebody else changed the venue between reads and writes.
        """
        found = read(self.options, self.clients)
        check_account(found.caller, self.options.expected_account_id)
        plan, about = self._plan_present(found, number) if self.options.present else self._plan_absent(found)
        self.plans.append(plan)
        if not self.runtime.check_mode:
            retry = PropagationRetry(self.runtime, self.options.wait_timeout, principal_may_be_new)
            apply(self.clients.client, plan.steps, self.done, retry.wait_to_retry)
        self.result = {**_identity(self.options, found, self.done), **about}

    def _plan_present(self, found: FoundRole, number: int) -> tuple[Plan, Result]:
        # Of the first attempt: what is published must not change between the checks and the writes.
        discovered = self.discovered = self.discovered or discover(self.options, found)
        desired = desired_state(self.options, found, discovered)
        if number:
            _check_spelling(self.options, found, self.clients)
            # Whoever wrote the parameter last has decided; a rotation must not start a second time.
            request = self.options.external_id
            desired = replace(
                desired, external_id=ExternalIdRequest(request.given, "use_parameter", False, request.retire)
            )
        current = replace(found.current, oidc_providers=read_providers(desired, self.clients))
        plan = plan_present(current, desired, self.candidate)
        check_confirmed(found.current, desired, _sources(discovered, found), self.options.confirmed)
        preflight = Preflight(
            plan,
            desired,
            found,
            discovered,
            self.clients,
            self.runtime,
            simulate=self.options.simulate,
            analyze=self.options.analyze,
        )
        self.notes = [*plan.notes, *preflight.run()]
        return plan, {**discovered.to_json(), "locked": plan.locked}

    def _plan_absent(self, found: FoundRole) -> tuple[Plan, Result]:
        options = self.options
        name = options.parameters.external_id
        plan = plan_absent(found.current, options.venue, options.role_name, name, adopt=options.adopt)
        if found.current.parameter and not self.done:
            _check_unused(options, found, found.current.parameter, self.clients)
        missing = []
        if found.current.role and not found.current.parameter:
            missing.append(
                f"There is no SSM parameter {name} in region {found.region} of account {found.caller.account_id}. If "
                "the external ID is in another region, it stays there: remove it with the region of the venue."
            )
        self.notes = self.notes or [*plan.notes, *missing]  # a second attempt may find no role
        return plan, {}


def _sources(discovered: Discovered, found: FoundRole) -> dict[str, str]:
    """Where buckets, boundary and region come from, where no option names them."""
    sources = {"region": f"the region of this run ({found.region})"}
    for what, option, source in (
        ("buckets", "buckets", discovered.bucket_source),
        ("permissions_boundary", "permissions_boundary", discovered.boundary_source),
    ):
        if source != option:
            sources[what] = f"the SSM parameter {source}"
    return sources


def _check_spelling(options: RoleOptions, found: FoundRole, clients: Clients) -> None:
    """Refuse a role whose name IAM takes for that of a role in another spelling, where IAM does not show that one.

    :raises OwnershipConflict: as said.
    """
    if found.current.role:
        return
    try:
        others = other_spellings(clients.client("iam"), options.role_name)
    except AwsRefused as refusal:
        if refusal.code in DENIED:
            return  # the run ends with what IAM says
        raise
    if others:
        raise OwnershipConflict(
            f"the role {options.role_name} cannot be created: account {found.caller.account_id} has the role "
            f"{others[0]}, and role names have no case. If that is this venue's role, use the spelling of its tags, "
            f"and delete the SSM parameter {options.parameters.external_id}. Otherwise set role_name or name_prefix."
        )


def _check_unused(options: RoleOptions, found: FoundRole, parameter: Parameter, clients: Clients) -> None:
    """Refuse to delete the external ID of another role, of this venue under another name or of another venue.

    :raises OwnershipConflict: as said.
    """
    # A role of another venue matters where it is not certain that the parameter is this one's.
    is_own = found.current.role and options.parameters.external_id == options.venue.external_id_parameter
    value = "" if is_own else parameter.value
    using = still_using(read_roles(clients.client("iam")), options.venue, value)
    others = [name for name in using if name.lower() != options.role_name.lower()]
    if others:
        advice = "Remove them first" if found.current.role else "Set role_name to the name of the role, to remove both"
        there = "Besides the" if found.current.role else "there is no"
        raise OwnershipConflict(
            f"{there} role {options.role_name} in account {found.caller.account_id}, "
            f"{'' if found.current.role else 'but '}{', '.join(others)} belongs to this venue or accepts the external "
            f"ID in {options.parameters.external_id}. Nothing was changed. {advice}."
        )


def ensure_role(options: RoleOptions, clients: Clients, runtime: Runtime) -> Result:
    """The operation of ``venue_sts_role``.

    :raises VenueError: see ``_domain/errors.py``; ``steps`` then lists what had been done before.
    """
    run = RoleRun(options, clients, runtime)
    try:
        converge(runtime, run.attempt)
        assumable = _check_assumable(run) if options.wait and options.present and not runtime.check_mode else {}
    except VenueError as error:
        error.facts.setdefault("steps", [step.shown() for step, _answer in run.done])
        raise
    for note in run.notes:
        runtime.warn(note)
    return {
        **run.result,
        **assumable,
        "changed": bool(run.steps),
        "steps": [step.shown() for step in run.steps],
        "notes": run.notes,
        "diff": run.plans[0].diff(),
    }


def _check_assumable(run: RoleRun) -> Result:
    """Assume the role, unless it is locked: then nobody can."""
    options = run.options
    if run.plans[-1].locked:
        return {"assumable": False}
    check_assumable(run.clients, run.runtime, options.role_name, options.parameters.external_id, options.wait_timeout)
    return {"assumable": True}


def _identity(options: RoleOptions, found: FoundRole, done: list[tuple[Step, dict[str, Any]]]) -> Result:
    role, account = found.current.role, found.caller.account_id
    created = next((answer["Role"] for step, answer in done if step.operation == "create_role"), None)
    return {
        "role": {
            "arn": role.arn
            if role
            else f"arn:{options.partition}:iam::{account}:role{options.path}{options.role_name}",
            "name": options.role_name,
            "role_id": role.role_id if role else created["RoleId"] if created else None,
            "account_id": account,
            "partition": options.partition,
        },
        "external_id_parameter": options.parameters.external_id,
    }


OPERATION = Operation(
    name="venue_sts_role",
    argument_spec=ARGUMENT_SPEC,
    parse=parse,
    execute=ensure_role,
    narrowing=NARROWING,
)
