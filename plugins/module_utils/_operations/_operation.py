# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What an operation is: options, a check of them, and the work. Both front ends run it through here."""

from __future__ import annotations

import os
import random
import secrets
import time
import traceback
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime
from typing import Any, Generic, TypeVar

from ansible.module_utils.common.validation import (
    check_type_bool,
    check_type_dict,
    check_type_int,
    check_type_list,
)

from .._aws.clients import Clients
from .._domain.errors import InvalidInput, UnexpectedError, VenueError, printable
from .._masking import mask

Params = Mapping[str, Any]
Result = dict[str, Any]

EMPTY = "must not be empty. Set a value, or omit the option."
BLANK_JSON = {"{}", "[]", "null", '""'}
_COLLECTION = "mdps/venue_sts/plugins/"


@dataclass(frozen=True)
class Runtime:
    """What an operation may not take from its surroundings by itself: mode, warnings, time and chance.

    :param check_mode: read and plan, change nothing.
    :param warn: shows one sentence to the user.
    :param now: the current time, aware, in UTC.
    :param sleep: waits so many seconds.
    :param jitter: a random number of seconds between 0 and its argument.
    :param token_hex: so many random bytes as hexadecimal text, from the system's secure source.
    :param hosts: on how many hosts the play runs the task at the same time.
    """

    check_mode: bool = False
    warn: Callable[[str], None] = lambda message: None
    now: Callable[[], datetime] = lambda: datetime.now(UTC)
    sleep: Callable[[float], None] = time.sleep
    jitter: Callable[[float], float] = lambda most: random.uniform(0, most)  # noqa: S311 - spreads retries, guards nothing
    token_hex: Callable[[int], str] = secrets.token_hex
    hosts: int = 1


OptionsT = TypeVar("OptionsT")


@dataclass(frozen=True, kw_only=True)
class Operation(Generic[OptionsT]):
    """One use case, free of Ansible.

    :param name: the module's name.
    :param argument_spec: the module's own options; amazon.aws's connection options are added where ``services`` is not
        empty.
    :param parse: checks everything that can be checked without an AWS call, and returns the options as one frozen
        dataclass. Raises VenueError.
    :param execute: does the work with the parsed options; raises VenueError.
    :param services: the AWS services it calls, so that their models can be loaded once, before the fork.
    :param secret_result: the result contains credentials, so it is hidden from callbacks, logs and job events.
    :param narrowing: the options that narrow or check, such as ``access`` or ``limits.access``. Set to an empty
        value, they are an error. tools/role_specs.py documents them.
    :param constraints: ``mutually_exclusive``, ``required_if`` and the like, as for AnsibleModule.
    """

    name: str
    argument_spec: Mapping[str, Any]
    parse: Callable[[Params, Clients, Runtime], OptionsT]
    execute: Callable[[OptionsT, Clients, Runtime], Result]
    services: Sequence[str] = ("iam", "ssm", "sts")
    secret_result: bool = False
    narrowing: frozenset[str] = frozenset()
    constraints: Mapping[str, Any] = field(default_factory=dict)

    def run(self, params: Params, runtime: Runtime) -> tuple[bool, Result]:
        """Run to the end and return (True, result) or (False, failure). Raises no exception of its own.

        Failures, warnings and results without credentials show no secret that is known by then.
        """
        try:
            result = self._run(params, replace(runtime, warn=lambda message: runtime.warn(printable(mask(message)))))
            return True, result if self.secret_result else mask(result)
        except VenueError as error:
            failure = error
        except Exception as error:
            failure = unexpected(error, self.name)
        return False, mask(failure.to_result(subject(params)))

    def _run(self, params: Params, runtime: Runtime) -> Result:
        self.check_not_blank(params)
        clients = Clients(params)
        return self.execute(self.parse(params, clients, runtime), clients, runtime)

    def check_not_blank(self, params: Params, *, given: bool = False) -> None:
        """Refuse options of this operation that are given without a value. See the function of this name."""
        check_not_blank(self.argument_spec, self.narrowing, params, given=given)


def check_not_blank(
    argument_spec: Mapping[str, Any], narrowing: Iterable[str], params: Params, *, given: bool = False
) -> None:
    """Refuse options that narrow or check and are given without a value: empty never means "no limit".

    :param argument_spec: the options of the operation.
    :param narrowing: those that narrow or check.
    :param params: the options of the task.
    :param given: no option is there by default, so that None was given too: YAML reads ``access:`` so. That is
        refused for every option, of whatever type: ``duration_seconds:`` would lift a limit, and ``handoff:``
        return the credentials.
    :raises InvalidInput: an option is an empty or blank text, an empty list or mapping, or a list with a blank item.
    """
    for option in _without_value(argument_spec, params) if given else ():
        raise InvalidInput(option, EMPTY)
    for option in sorted(narrowing):
        outer, _dot, inner = option.partition(".")
        holder = params.get(outer) if inner else params
        if not isinstance(holder, Mapping) or (inner or outer) not in holder:
            continue
        value = holder[inner or outer]
        is_json = argument_spec.get(option, {}).get("type") == "json"
        if _is_blank(value) or (is_json and _is_blank_json(value)):
            raise InvalidInput(option, EMPTY)


def subject(params: Params) -> str:
    """Return what a failure is about, such as ``Venue sbg-dev``, or an empty text."""
    known = params.get("project") and params.get("venue")
    return f"Venue {params['project']}-{params['venue']}" if known else ""


def filled_in(argument_spec: Mapping[str, Any], but: Iterable[str] = ()) -> frozenset[str]:
    """Return the options that are texts, paths, lists or mappings, to be declared as ``narrowing``.

    :param argument_spec: the options.
    :param but: the options for which empty is a value like any other.
    """
    kinds = ("str", "path", "list", "dict", "json", "raw")
    return frozenset(name for name, option in argument_spec.items() if option["type"] in kinds) - frozenset(but)


def _without_value(argument_spec: Mapping[str, Any], params: Params, above: str = "") -> Iterator[str]:
    """Yield the options and suboptions that are given as None."""
    for name, spec in argument_spec.items():
        if name in params and params[name] is None:
            yield f"{above}{name}"
        elif "options" in spec:
            given = params.get(name)
            for one in given if isinstance(given, list) else [given]:
                if isinstance(one, Mapping):
                    yield from _without_value(spec["options"], one, f"{above}{name}.")


def check_connection(argument_spec: Mapping[str, Any], given: Mapping[str, Any]) -> None:
    """Refuse connection options that a task gives without a value: it would use whatever credentials there are.

    An environment variable that is set and empty is another matter: it is as if it were not set, as for the AWS CLI.

    :param argument_spec: the connection options, with their aliases.
    :param given: the options of the task.
    :raises InvalidInput: one is None, or an empty or blank text.
    """
    for name, option in argument_spec.items():
        for one in (name, *option.get("aliases", ())):
            if one in given and (given[one] is None or _is_blank(given[one])):
                raise InvalidInput(one, EMPTY)


def check_types(argument_spec: Mapping[str, Any], values: Mapping[str, Any], prefix: str = "") -> None:
    """Refuse what ansible-core could not convert, or would convert into something else, with the name of the option.

    ansible-core itself ends with a traceback for an infinite number and for some suboptions, has no words for an empty
    value, and makes a string of true, or of a date in a list: a user ``False``, who was called ``no``.

    :param values: the options as the task gives them. A text may hold a dictionary, as JSON or as key=value. None is
        not looked at: see check_not_blank.
    :raises InvalidInput: an option, or one of its suboptions, is empty or of another type.
    """
    for name, option in argument_spec.items():
        for one in (name, *option.get("aliases", ())):
            if values.get(one) is not None:
                _check_type(option, values[one], f"{prefix}{one}")


def _check_type(option: Mapping[str, Any], value: Any, title: str) -> None:
    kind, elements = option.get("type", "str"), option.get("elements", "raw")
    try:
        converted = _CONVERSIONS.get(kind, _take)(value)
        items = [_ITEMS[elements](item) for item in converted] if kind == "list" else [converted]
    except (TypeError, ValueError, OverflowError):
        words = f"must be a list{_OF[elements]}." if kind == "list" else f"must be {_KINDS[kind]}."
        raise InvalidInput(title, EMPTY if _is_blank(value) else words) from None
    if "options" in option:
        for item in items:
            check_types(option["options"], item, f"{title}.")


def _check_int(value: Any) -> int:
    if isinstance(value, bool):
        raise TypeError
    return int(check_type_int(value))


def _check_json(value: Any) -> Any:
    if not isinstance(value, (str, Mapping, list, tuple)):
        raise TypeError
    return value


def _check_list(value: Any) -> Sequence[Any]:
    if isinstance(value, (list, tuple)):
        return value
    if isinstance(value, bool) or _is_blank(value):  # ansible-core has them as ["True"] and [""]
        raise TypeError
    return list(check_type_list(value))


def _check_item(value: Any) -> Any:
    if isinstance(value, (bool, date, Mapping, list, tuple)):
        raise TypeError
    return value


def _check_text(value: Any) -> Any:
    if isinstance(value, bool):
        raise TypeError
    return value


def _take(value: Any) -> Any:
    return value


# A text takes any other value, as does what is not listed: a number or a date is often written without quotation marks.
_CONVERSIONS: Mapping[str, Callable[[Any], Any]] = {
    "bool": check_type_bool,
    "dict": check_type_dict,
    "int": _check_int,
    "json": _check_json,
    "list": _check_list,
    "path": _check_text,
    "str": _check_text,
}
_KINDS = {
    "bool": "true or false",
    "dict": "a dictionary",
    "int": "an integer",
    "json": "a dictionary or JSON text",
    "path": "a string. Put words such as no, on and true in quotation marks",
    "str": "a string. Put words such as no, on and true in quotation marks",
}
_ITEMS: Mapping[str, Callable[[Any], Any]] = {"dict": check_type_dict, "raw": _take, "str": _check_item}
_OF = {"dict": " of dictionaries", "raw": "", "str": " of strings"}


def _is_blank(value: Any) -> bool:
    if isinstance(value, str):
        return not value.strip()
    if isinstance(value, (list, tuple)):
        return not value or any(item is None or _is_blank(item) for item in value)
    return isinstance(value, Mapping) and not value


def _is_blank_json(text: Any) -> bool:
    return isinstance(text, str) and text.strip() in BLANK_JSON


def unexpected(error: Exception, operation: str) -> UnexpectedError:
    """Describe an exception that no code of this collection expected, without its text, which may quote a secret."""
    reason = os.strerror(error.errno) if isinstance(error, OSError) and isinstance(error.errno, int) else ""
    return UnexpectedError(operation, type(error).__name__, _place(error), reason)


def _place(error: Exception) -> str:
    """Return file and line of the innermost frame in this collection, which names no value."""
    frames = [(frame.f_code.co_filename, line) for frame, line in traceback.walk_tb(error.__traceback__)]
    own = [f"{filename.rsplit('/', 1)[-1]}:{line}" for filename, line in frames if _COLLECTION in filename]
    return own[-1] if own else ""
