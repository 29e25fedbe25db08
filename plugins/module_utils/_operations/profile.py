# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A venue's keys as a named profile in the AWS shared credentials file."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import Any, NamedTuple

from ansible.module_utils.common.parameters import env_fallback

from .._aws.clients import Clients
from .._domain.arns import check_account_id
from .._domain.credentials_file import (
    WINNERS,
    MalformedFile,
    Mark,
    Profile,
    check_owner,
    check_result,
    read_profile,
    with_profile,
    without_profile,
)
from .._domain.errors import FileNotWritten, InvalidInput
from .._domain.names import make_venue
from .._domain.profiles import KEY_NAMES, check_profile_name, check_region, credentials_of, role_arn
from .._files import locked, replace_private
from ._operation import Operation, Params, Result, Runtime, filled_in

TOKEN: dict[str, Any] = {
    "Credentials": {
        "type": "dict",
        "required": True,
        "options": {
            "AccessKeyId": {"type": "str", "required": True, "no_log": False},
            "SecretAccessKey": {"type": "str", "required": True, "no_log": True},
            "SessionToken": {"type": "str", "required": True, "no_log": True},
            "Expiration": {"type": "str"},
        },
    },
    "AssumedRoleUser": {"type": "dict"},
    "PackedPolicySize": {"type": "int"},
    "SourceIdentity": {"type": "str"},
}
ARGUMENT_SPEC: dict[str, Any] = {
    "project": {"type": "str", "required": True},
    "venue": {"type": "str", "required": True},
    "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
    "token": {"type": "dict", "options": TOKEN, "no_log": False},
    "account_id": {"type": "str"},
    "profile": {"type": "str"},
    "region": {"type": "str"},
    "credentials_file": {
        "type": "path",
        "default": "~/.aws/credentials",
        "fallback": (env_fallback, ["AWS_SHARED_CREDENTIALS_FILE"]),
    },
    "adopt": {"type": "bool", "default": False},
}


class Wish(NamedTuple):
    """The options, checked. ``values`` is None where the profile shall be absent."""

    name: str
    mark: Mark
    values: dict[str, str] | None
    target: Path
    adopt: bool


class Plan(NamedTuple):
    """What the file holds now and shall hold."""

    old: str
    new: str
    mode: int | None  # of the file as it is, if there is one
    before: Profile | None

    @property
    def is_change(self) -> bool:
        """Whether there is anything to write. A file with our keys that others may read is."""
        return self.old != self.new or bool(self.new and self.mode is not None and self.mode & 0o077 and self.before)


def parse(params: Params) -> Wish:
    """Check the options.

    :raises InvalidInput: an option cannot be right, or nothing tells the profile's name.
    """
    venue, token = make_venue(params["project"], params["venue"]), params["token"] or {}
    arn = role_arn(token).split(":")
    account = arn[4] if len(arn) > 4 else ""
    if params["account_id"]:
        stated = check_account_id("account_id", params["account_id"])
        if account and account != stated:
            raise InvalidInput("account_id", f"the token is for account {account}, not for {stated}.")
        account = stated
    if not params["profile"] and not account:
        raise InvalidInput(
            "profile", "give it, or account_id: nothing else tells which account the default name would be for."
        )
    values, expires = None, ""
    if params["state"] == "present":
        credentials = credentials_of(token)
        values = {name: credentials[key] for key, name in KEY_NAMES.items()}
        expires = credentials.get("Expiration", "")
        if params["region"]:
            values["region"] = check_region(params["region"])
    name = check_profile_name(params["profile"] or f"{account}-{venue}")
    return Wish(
        name, Mark(venue, account, expires), values, Path(os.path.realpath(params["credentials_file"])), params["adopt"]
    )


def make_plan(wish: Wish) -> Plan:
    """Read the file and say what it shall become.

    :raises FileNotWritten: it cannot be read.
    :raises MalformedFile: AWS tools could not read it.
    :raises OwnershipConflict: the profile is not ours.
    """
    old, mode = _read(wish.target)
    try:
        before = read_profile(old, wish.name)
        if not wish.adopt:
            check_owner(wish.name, before, wish.mark)
        new = (
            without_profile(old, wish.name)
            if wish.values is None
            else with_profile(old, wish.name, wish.mark, wish.values)
        )
        check_result(old, new, wish.name, wish.values)
    except MalformedFile as error:
        raise MalformedFile(f"credentials_file '{wish.target}': {error.message}") from None
    return Plan(old, new, mode, before)


def _read(target: Path) -> tuple[str, int | None]:
    try:
        if target.exists() and not target.is_file():
            raise InvalidInput("credentials_file", f"'{target}' is not a file.")
        with target.open(encoding="utf-8", errors="surrogateescape", newline="") as stream:
            return stream.read(), stat.S_IMODE(os.fstat(stream.fileno()).st_mode)
    except FileNotFoundError:
        return "", None
    except OSError as error:
        raise FileNotWritten(f"credentials_file: '{target}' cannot be read ({error.strerror}).") from None


def keep_profile(params: Params, clients: Clients, runtime: Runtime) -> Result:
    """The operation of ``venue_sts_profile``.

    :raises VenueError: see ``_domain/errors.py``; the file is then as it was.
    """
    wish = parse(params)
    plan = make_plan(wish)
    if plan.is_change and not runtime.check_mode:
        with locked("credentials_file", wish.target, runtime.sleep):
            plan = make_plan(wish)
            if plan.is_change:
                replace_private("credentials_file", wish.target, plan.new.encode(errors="surrogateescape"))
    if wish.values:
        rivals = [name for name in WINNERS if plan.before and name in plan.before.values]
        if rivals:
            runtime.warn(
                f"The profile {wish.name} also has {', '.join(rivals)}, so AWS tools will not use its keys. Remove that, or name another profile."
            )
    return {
        "changed": plan.is_change,
        "profile": wish.name,
        "credentials_file": str(wish.target),
        "expiration": wish.mark.expires or None,
        "diff": _diff(wish, plan),
    }


def _diff(wish: Wish, plan: Plan) -> dict[str, str]:
    """Before and after, without keys: of those only whether they are there, and whether they are others than before."""
    after = read_profile(plan.new, wish.name)
    mode = plan.mode if plan.mode is not None else 0o600
    return {
        "before_header": str(wish.target),
        "after_header": str(wish.target),
        "before": _outline(wish.name, plan.before, "hidden", mode),
        "after": _outline(
            wish.name,
            after,
            "hidden, new" if plan.before and _keys(plan.before) != _keys(after) else "hidden",
            0o600 if plan.is_change else mode,
        ),
    }


def _keys(profile: Profile | None) -> list[str | None]:
    return [profile.values.get(name) for name in KEY_NAMES.values()] if profile else []


def _outline(name: str, profile: Profile | None, keys: str, mode: int) -> str:
    if not profile:
        return ""
    shown = [
        *([str(profile.mark)] if profile.mark else []),
        f"keys: {keys}",
        *([f"region = {profile.values['region']}"] if "region" in profile.values else []),
    ]
    return "\n".join([f"[{name}]", *shown, f"file mode: {mode:04o}", ""])


OPERATION = Operation(
    name="venue_sts_profile",
    argument_spec=ARGUMENT_SPEC,
    execute=keep_profile,
    narrowing=filled_in(ARGUMENT_SPEC),
    services=(),
    constraints={"required_if": [("state", "present", ("token",))]},
)
