# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Evaluation of policy conditions, with three answers: met, not met, and None for what cannot be decided.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_condition_operators.html
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from .policies import values

_SET_PREFIX = re.compile(r"(forallvalues|foranyvalue):(.+)")
# Operators whose values are compared here; the second part: * and ? are wildcards.
_COMPARED = {
    "stringequals": False,
    "stringequalsignorecase": False,
    "stringlike": True,
    "bool": False,
    "arnequals": True,
    "arnlike": True,
}
_WITHOUT_CASE = ("stringequalsignorecase", "bool")
_ARN_COLONS = 5  # the first five parts of an ARN are compared one by one
_TYPES = ("string", "numeric", "date", "bool", "binary", "ipaddress", "arn")
_VARIABLE = re.compile(r"\$\{([^}]*)\}")
_LITERALS = {"*": "*", "?": "?", "$": "$"}


@dataclass(frozen=True)
class Context:
    """The condition keys of a request.

    :param values: lower-case key -> value; None for a key that the request does not have.
    :param complete: a key that is not listed is absent; otherwise nothing is known about it.
    """

    values: Mapping[str, str | None] = field(default_factory=dict)
    complete: bool = False

    def knows(self, key: str) -> bool:
        """Whether the value of a key, or its absence, is known."""
        return self.complete or key.lower() in self.values

    def value(self, key: str) -> str | None:
        """The value of a known key; None if it is absent."""
        return self.values.get(key.lower())


class Operator(NamedTuple):
    """A condition operator in its parts, all in lower case: ``ForAllValues:StringNotEqualsIfExists``."""

    name: str
    quantifier: str
    if_exists: bool

    @property
    def negated(self) -> bool:
        """Whether it is met where no value matches, and where the key is absent."""
        return "not" in self.name

    @property
    def positive(self) -> str:
        """The operator that it negates, or itself."""
        return self.name.replace("not", "")

    @property
    def compared(self) -> bool:
        """Whether it can be evaluated here, whatever the value of the key."""
        return self.name == "null" or self.positive in _COMPARED

    @property
    def known(self) -> bool:
        """Whether IAM has such an operator."""
        return self.name == "null" or self.name.removeprefix("not").startswith(_TYPES)


class Test(NamedTuple):
    """One line of a condition: an operator, a key and its values."""

    operator: Operator
    key: str
    values: list[Any]


def parse_operator(text: str) -> Operator:
    """An operator from its name in a policy, which has no case here."""
    name = text.lower()
    found = _SET_PREFIX.fullmatch(name)
    quantifier, name = (found.group(1), found.group(2)) if found else ("", name)
    return Operator(name.removesuffix("ifexists"), quantifier, name.endswith("ifexists"))


def tests(condition: Any) -> Iterator[Test]:
    """Every test of a ``Condition`` element; keys in lower case."""
    for name, keys in condition.items() if isinstance(condition, Mapping) else ():
        for key, wanted in keys.items() if isinstance(keys, Mapping) else ():
            yield Test(parse_operator(str(name)), str(key).lower(), values(wanted))


def all_of(answers: Iterable[bool | None]) -> bool | None:
    """Whether all are true; None if that depends on what cannot be decided."""
    seen = set(answers)
    return False if False in seen else None if None in seen else True


def any_of(answers: Iterable[bool | None]) -> bool | None:
    """Whether one is true; None if that depends on what cannot be decided."""
    seen = set(answers)
    return True if True in seen else None if None in seen else False


def negation(answer: bool | None) -> bool | None:
    """The opposite; what cannot be decided stays so."""
    return None if answer is None else not answer


def is_met(condition: Any, context: Context, *, variables: bool = True) -> bool | None:
    """Whether a request meets a ``Condition`` element: every test of it.

    :param variables: whether ``${...}`` in values is a policy variable, as it is since policy version 2012-10-17.
    """
    if not isinstance(condition, Mapping):
        return None
    return all_of(_test_met(test, context, variables) for test in tests(condition))


def is_variable(value: Any) -> bool:
    """Whether a value holds a policy variable, so that only a request tells what it stands for."""
    return any(found.group(1) not in _LITERALS for found in _VARIABLE.finditer(str(value)))


def _test_met(test: Test, context: Context, variables: bool) -> bool | None:
    operator, key = test.operator, test.key
    if not context.knows(key):
        return None
    value = context.value(key)
    if operator.name == "null":
        return any_of(str(wanted).lower() == ("true" if value is None else "false") for wanted in test.values)
    if value is None:
        return _absent(operator)
    if operator.positive not in _COMPARED:
        return None
    found = any_of(_matches(operator.positive, value, wanted, variables) for wanted in test.values)
    return negation(found) if operator.negated else found


def _absent(operator: Operator) -> bool | None:
    """What a test says about a key that the request does not have."""
    if not operator.known:
        return None
    if operator.quantifier:
        return operator.if_exists or operator.quantifier == "forallvalues"
    return operator.if_exists or operator.negated


def _matches(operator: str, value: str, wanted: Any, variables: bool) -> bool | None:
    if not isinstance(wanted, str | bool | int | float):
        return None
    text = str(wanted).lower() if isinstance(wanted, bool) else str(wanted)
    pattern, certain = _pattern(operator, text, variables=variables)
    flags = re.DOTALL | (re.IGNORECASE if operator in _WITHOUT_CASE else 0)
    found = bool(re.fullmatch(pattern, value, flags))
    return found if certain or not found else None


def _pattern(operator: str, text: str, *, variables: bool) -> tuple[str, bool]:
    """A regular expression for a value, and whether it says all: a policy variable may stand for any text."""
    parts: list[str] = []
    certain, colons, end = True, 0, 0
    for found in _VARIABLE.finditer(text) if variables else ():
        literal = _LITERALS.get(found.group(1))
        parts += _literal(operator, text[end : found.start()], colons)
        parts.append(".*" if literal is None else re.escape(literal))
        colons += text[end : found.start()].count(":")
        certain, end = certain and literal is not None, found.end()
    return "".join([*parts, *_literal(operator, text[end:], colons)]), certain


def _literal(operator: str, text: str, colons: int) -> Iterator[str]:
    """The regular expression for a part of a value without variables.

    :param colons: how many precede it: no wildcard reaches across one of an ARN's first five.
    """
    for character in text:
        colons += character == ":"
        anything = "[^:]" if operator.startswith("arn") and colons < _ARN_COLONS else "."
        wildcard = {"*": f"{anything}*", "?": anything} if _COMPARED[operator] else {}
        yield wildcard.get(character, re.escape(character))
