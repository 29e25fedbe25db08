# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A venue's credentials as a named profile in the AWS shared credentials file."""

from __future__ import annotations

import contextlib
import json
import os
import stat
from collections.abc import Mapping
from dataclasses import dataclass, field
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
from .._domain.errors import FileNotWritten, InvalidInput, VenueError
from .._domain.names import make_venue
from .._domain.profiles import KEY_NAMES, check_profile_name, check_region, credentials_of, role_arn
from .._files import followed, locked, replace_private
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


@dataclass(frozen=True)
class ProfileOptions:
    """The options, checked.

    :param values: what the profile must have; None if it must be absent. Secret.
    :param target: the credentials file, with symbolic links followed.
    """

    name: str
    mark: Mark
    values: Mapping[str, str] | None = field(repr=False)
    target: Path
    adopt: bool


class ProfilePlan(NamedTuple):
    """What the file contains, and what it must contain."""

    old: str
    new: str
    mode: int | None  # of the file as it is, if there is one
    before: Profile | None

    @property
    def is_change(self) -> bool:
        """Whether there is anything to write. A file with these credentials must not be readable by others."""
        return self.old != self.new or bool(self.new and self.mode is not None and self.mode & 0o077 and self.before)


def with_known_token(args: Mapping[str, Any]) -> dict[str, Any]:
    """Return the arguments of a task with those parts of the token that are used here.

    STS adds fields to its answer from time to time, such as SessionTokenSize; Ansible refuses what it does not know.
    """
    token = args.get("token")
    if isinstance(token, str):
        with contextlib.suppress(ValueError, RecursionError):  # Ansible reports a text that is no mapping
            token = json.loads(token)
    return {**args, "token": _known(token, TOKEN)} if isinstance(token, Mapping) else dict(args)


def _known(value: Any, spec: Mapping[str, Any]) -> Any:
    if not isinstance(value, Mapping):
        return value
    return {
        name: _known(value[name], one.get("options", {})) if "options" in one else value[name]
        for name, one in spec.items()
        if name in value
    }


def parse(params: Params, _clients: Clients, _runtime: Runtime) -> ProfileOptions:
    """Check the options.

    :raises InvalidInput: an option cannot be right, the name of the profile is not known, or somebody else decides
        which file it is.
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
            "profile", "is missing. Set it, or account_id, which is part of the default name and not known otherwise."
        )
    values, expires = None, ""
    if params["state"] == "present":
        credentials = credentials_of(token)
        values = {name: credentials[key] for key, name in KEY_NAMES.items()}
        expires = credentials.get("Expiration", "")
        if params["region"]:
            values["region"] = check_region(params["region"])
    name = check_profile_name(params["profile"] or f"{account}-{venue}")
    target = followed("credentials_file", params["credentials_file"])
    return ProfileOptions(name, Mark(venue, account, expires), values, target, params["adopt"])


def make_plan(options: ProfileOptions) -> ProfilePlan:
    """Read the file and plan its new content.

    :raises FileNotWritten: it cannot be read.
    :raises MalformedFile: AWS tools could not read it.
    :raises OwnershipConflict: another venue or somebody else wrote the profile.
    """
    old, mode = _read(options.target)
    try:
        before = read_profile(old, options.name)
        if not options.adopt:
            check_owner(options.name, before, options.mark)
        new = (
            without_profile(old, options.name)
            if options.values is None
            else with_profile(old, options.name, options.mark, options.values)
        )
        check_result(old, new, options.name, options.values)
    except MalformedFile as error:
        raise MalformedFile(f"credentials_file '{options.target}': {error.message}") from None
    return ProfilePlan(old, new, mode, before)


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


def keep_profile(options: ProfileOptions, _clients: Clients, runtime: Runtime) -> Result:
    """Write or remove the profile.

    :raises VenueError: see ``_domain/errors.py``; the file is then unchanged.
    """
    plan = make_plan(options)
    if plan.is_change and not runtime.check_mode:
        with locked("credentials_file", options.target, runtime.sleep):
            plan = make_plan(options)
            if plan.is_change:
                replace_private("credentials_file", options.target, plan.new.encode(errors="surrogateescape"))
    if options.values:
        _warn_of_winners(options, plan, runtime)
    return {
        "changed": plan.is_change,
        "profile": options.name,
        "credentials_file": str(options.target),
        "expiration": options.mark.expires or None,
        "diff": _diff(options, plan),
    }


def _warn_of_winners(options: ProfileOptions, plan: ProfilePlan, runtime: Runtime) -> None:
    """Warn of settings with which AWS tools ignore the credentials, in this file or in that of the configuration."""
    config = Path(os.path.expanduser(os.environ.get("AWS_CONFIG_FILE") or "~/.aws/config"))  # noqa: PTH111 - never raise
    for place, profile in ((options.target, plan.before), (config, _configured(config, options.name))):
        rivals = [name for name in WINNERS if profile and name in profile.values]
        if rivals:
            runtime.warn(
                f"The profile {options.name} also has {', '.join(rivals)} in '{place}', so AWS tools will not use its "
                "credentials. Remove these settings, or name another profile."
            )


def _configured(config: Path, name: str) -> Profile | None:
    """Return the settings of the profile in the configuration file. A file that cannot be read is not our concern."""
    with contextlib.suppress(VenueError):
        text, _mode = _read(config)
        return read_profile(text, f"profile {name}") or (read_profile(text, name) if name == "default" else None)
    return None


def _diff(options: ProfileOptions, plan: ProfilePlan) -> dict[str, str]:
    """Return before and after without the credentials: only whether there are any, and whether they are new."""
    after = read_profile(plan.new, options.name)
    return {
        "before_header": str(options.target),
        "after_header": str(options.target),
        "before": _outline(options.name, plan.before, "hidden", plan.mode),
        "after": _outline(
            options.name,
            after,
            "hidden, new" if plan.before and _keys(plan.before) != _keys(after) else "hidden",
            0o600 if plan.is_change else plan.mode,
        ),
    }


def _keys(profile: Profile | None) -> list[str | None]:
    return [profile.values.get(name) for name in KEY_NAMES.values()] if profile else []


def _outline(name: str, profile: Profile | None, keys: str, mode: int | None) -> str:
    if not profile:
        return ""
    shown = [
        *([str(profile.mark)] if profile.mark else []),
        f"keys: {keys}",
        *([f"region = {profile.values['region']}"] if "region" in profile.values else []),
        *([f"file mode: {mode:04o}"] if mode is not None else []),
    ]
    return "\n".join([f"[{name}]", *shown, ""])


OPERATION = Operation(
    name="venue_sts_profile",
    argument_spec=ARGUMENT_SPEC,
    parse=parse,
    execute=keep_profile,
    narrowing=filled_in(ARGUMENT_SPEC),
    services=(),
    constraints={"required_if": [("state", "present", ("token",))]},
)
