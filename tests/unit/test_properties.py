# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Any input at all: a clear refusal that names the option.

Before any API call, or something that AWS's own rules accept.
"""

from __future__ import annotations

import functools
import json
import re
import sys
import unicodedata
from collections.abc import Mapping
from typing import Any

import botocore.session
import hypothesis
import pytest
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible_collections.amazon.aws.plugins.module_utils.modules import aws_argument_spec
from ansible_collections.mdps.venue_sts.plugins.module_utils._aws.venue_state import Caller
from ansible_collections.mdps.venue_sts.plugins.module_utils._domain.errors import InvalidInput, NotProvisioned
from ansible_collections.mdps.venue_sts.plugins.module_utils._domain.policies import compact
from ansible_collections.mdps.venue_sts.plugins.module_utils._domain.role_plan import Current, plan_present
from ansible_collections.mdps.venue_sts.plugins.module_utils._domain.roles import Parameter
from ansible_collections.mdps.venue_sts.plugins.module_utils._operations import role
from ansible_collections.mdps.venue_sts.plugins.module_utils._operations._operation import (
    Operation,
    Runtime,
    check_types,
)
from ansible_collections.mdps.venue_sts.plugins.module_utils._operations.issue.options import parse
from ansible_collections.mdps.venue_sts.plugins.module_utils._operations.issue.request import session_policy
from ansible_collections.mdps.venue_sts.plugins.module_utils._operations.role_options import parse_role
from ansible_collections.mdps.venue_sts.plugins.module_utils._operations.role_state import (
    FoundRole,
    desired_state,
    discover,
)
from ansible_collections.mdps.venue_sts.plugins.plugin_utils import _issuing as issuing
from botocore.model import Shape
from botocore.validate import ParamValidator
from hypothesis import strategies as st

from tests.support.receipts import NOW

ACCOUNT, REGION = "123456789012", "us-west-2"
BASE = {"role": {"project": "sbg", "venue": "dev"}, "token": {"project": "sbg", "venue": "dev", "user": "jdoe"}}
OPERATIONS: dict[str, Operation] = {"role": role.OPERATION, "token": issuing.OPERATION}
# Files are looked at when they are used, after the first call.
WITHOUT_OPINION = ("dest", "saml_assertion", "saml_assertion_file", "web_identity_token_file")
SETTINGS = hypothesis.settings(
    max_examples=300,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[hypothesis.HealthCheck.too_slow],
)


class Reached(Exception):
    """The first API call would be made now."""


class NoAws:
    """Clients that make no call."""

    partition, region = "aws", REGION

    def client(self, service: str) -> Any:
        raise Reached

    def unsigned_client(self, service: str) -> Any:
        raise Reached


# Text as people mistype it, as AWS knows it, and as nobody would write it.
WORDS = st.sampled_from(
    [
        *(
            "sbg",
            "sbg-dev",
            "SBG",
            "a" * 64,
            "a--b",
            "-a",
            "1a",
            "é",
            "",
            " ",
            "none",
            "*",
            "sbg/*",
            "sbg/app",
            "sbg-dev/x?",
            "emit/*",
            "sbg/../x",
            "sbg//x",
        ),
        *(
            "unityuser12252025",
            "jane.doe@example.org",
            "José Núñez",
            "日本",
            "a b",
            "x" * 65,
            "a",
            "aa",
            "0123456789",
            "123456789012",
            "000000000000",
        ),
        *(
            "arn:aws:iam::123456789012:role/x",
            "arn:aws:iam:123456789012:role/x",
            "arn:aws-us-gov:iam::123456789012:role/x",
            "arn:aws:iam::123456789012:root",
        ),
        *(
            "arn:aws:iam::123456789012:policy/p",
            "arn:aws:iam::aws:policy/ReadOnlyAccess",
            "arn:aws:iam::123456789012:saml-provider/JPL",
            "arn:aws:iam::*:root",
        ),
        *(
            "arn:aws:sts::123456789012:assumed-role/r/s",
            "arn:aws:kms:us-west-2:123456789012:key/1234",
            "arn:aws:kms:us-west-2:123456789012:alias/x",
        ),
        *(
            "s3_read",
            "ecr_push",
            "everything",
            "my-bucket",
            "My_Bucket",
            "192.168.1.1",
            "xn--b",
            "s3://b",
            "b" * 64,
            "incoming/",
            "/incoming",
            "in*",
            "${aws:x}",
        ),
        *(
            '{"Version": "2012-10-17", "Statement": []}',
            '{"Statement": 1}',
            "[]",
            "{",
            "null",
            "/",
            "/a/",
            "//",
            "/a",
            "true",
            "3600",
            "3600 ",
            "1e3",
            "０１２３４５",
        ),
    ]
)
TEXT = st.one_of(
    WORDS,
    st.text(max_size=80),
    st.from_regex(r"[\w+=,.@:/-]{1,80}"),
    st.builds(lambda word, n: word * n, WORDS, st.integers(1, 400)),
)
NUMBERS = st.one_of(st.integers(), st.sampled_from([899, 900, 3599, 3600, 3601, 43200, 43201, 0, -1]))
OF_TYPE: Mapping[str, st.SearchStrategy[Any]] = {
    "str": TEXT,
    "path": TEXT,
    "json": st.one_of(TEXT, st.dictionaries(st.sampled_from(["Version", "Statement", "x"]), TEXT, max_size=3)),
    "int": NUMBERS,
    "bool": st.booleans(),
    "list": st.lists(TEXT, max_size=12),
    "dict": st.dictionaries(TEXT, st.one_of(TEXT, st.integers(), st.booleans()), max_size=60),
}
ANYTHING = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), TEXT),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
)


@st.composite
def options(draw: st.DrawFn, name: str, wild: bool = False, most: int = 3) -> dict[str, Any]:
    """Options of an operation: right ones, but for some."""
    spec = OPERATIONS[name].argument_spec
    changed = draw(
        st.lists(st.sampled_from(sorted(set(spec) - set(WITHOUT_OPINION))), min_size=1, max_size=most, unique=True)
    )
    return {**BASE[name], **{option: draw(ANYTHING if wild else _of_type(spec[option])) for option in changed}}


def _of_type(option: Mapping[str, Any]) -> st.SearchStrategy[Any]:
    return st.sampled_from(option["choices"]) if "choices" in option else OF_TYPE[option["type"]]


def documented(argument_spec: Mapping[str, Any]) -> set[str]:
    """The names of options and suboptions, the latter with and without those they belong to."""
    names: set[str] = set()
    for name, option in argument_spec.items():
        below = documented(option.get("options", {}))
        names |= {name, *below, *(f"{name}.{one}" for one in below)}
    return names


def validated(name: str, given: dict[str, Any]) -> tuple[list[str], dict[str, Any]]:
    """What Ansible's own check of types says, and the options it lets through."""
    operation = OPERATIONS[name]
    try:
        check_types(operation.argument_spec, given)
    except InvalidInput as error:
        return [error.message], {}
    checked = ArgumentSpecValidator(
        {**aws_argument_spec(), **operation.argument_spec}, **operation.constraints
    ).validate(given)
    return checked.error_messages, checked.validated_parameters


def outcome(name: str, params: dict[str, Any]) -> InvalidInput | None:
    """The refusal, or None if an API call would follow. Any other exception fails the test."""
    try:
        operation, runtime = OPERATIONS[name], Runtime(now=lambda: NOW, check_mode=True)
        operation.check_not_blank(params)
        operation.execute(operation.parse(params, NoAws(), runtime), NoAws(), runtime)
    except InvalidInput as error:
        return error
    except Reached:
        return None
    raise AssertionError("neither refused nor asked AWS")


@pytest.mark.parametrize("wild", [False, True], ids=["right types", "any types"])
@pytest.mark.parametrize("name", OPERATIONS)
def test_a_refusal_names_the_option_and_comes_before_any_call(name: str, wild: bool) -> None:
    @SETTINGS
    @hypothesis.given(options(name, wild))
    def holds(given: dict[str, Any]) -> None:
        errors, params = validated(name, given)
        if errors:
            assert any(option in errors[0] for option in given), errors
            return
        refusal = outcome(name, params)
        if refusal:
            option = refusal.facts["option"]
            assert option in documented(OPERATIONS[name].argument_spec)
            assert refusal.message.startswith(f"{option}: ")
            assert refusal.message.isprintable(), "control characters do not reach the terminal"
            secret, others = (
                str(given.get("external_id", "")),
                [value for option, value in given.items() if option != "external_id"],
            )
            if len(secret) >= 8 and secret not in repr(others) and secret in refusal.message:
                # Unless the message has that word anyway ("ecr_push" among what is allowed).
                anyway = outcome(name, {**params, "external_id": "another-external-id"})
                assert anyway and anyway.message == refusal.message

    holds()


@functools.cache
def shape(service: str, operation: str) -> Shape:
    """The input of an API call as botocore's service model describes it."""
    return botocore.session.get_session().get_service_model(service).operation_model(operation).input_shape


@functools.cache
def pattern(text: str) -> re.Pattern[str]:
    r"""A pattern of a service model as Python understands it: with ``\p{L}`` and the like written out."""

    def written_out(category: re.Match[str]) -> str:
        wanted = category.group(1)
        return "".join(
            re.escape(chr(code))
            for code in range(sys.maxunicode + 1)
            if unicodedata.category(chr(code)).startswith(wanted)
        )

    return re.compile(re.sub(r"\\p\{(\w+)\}", written_out, text), re.ASCII)


def assert_documented(shape: Shape, value: Any, where: str) -> None:
    """Hold a value to the lengths.

    Ranges and patterns of the service model, which botocore itself checks only in part.
    """
    limits = shape.metadata
    if shape.type_name == "structure":
        for member, inner in value.items():
            assert_documented(shape.members[member], inner, f"{where}.{member}")
        return
    if shape.type_name == "list":
        for inner in value:
            assert_documented(shape.member, inner, where)
    size = len(value) if shape.type_name in ("string", "list") else value
    if shape.type_name in ("string", "list", "integer"):
        assert limits.get("min", size) <= size <= limits.get("max", size), f"{where}: {value!r}"
    if shape.type_name == "string":
        assert pattern(limits.get("pattern", r"[\s\S]*")).fullmatch(value), f"{where}: {value!r}"


def assert_acceptable(service: str, operation: str, arguments: Mapping[str, Any]) -> None:
    """Both botocore and the documented limits take the arguments."""
    report = ParamValidator().validate(dict(arguments), shape(service, operation))
    assert not report.has_errors(), report.generate_report()
    assert_documented(shape(service, operation), arguments, operation)


@SETTINGS
@hypothesis.given(options("role", most=1))
def test_what_a_role_is_made_from_is_what_aws_documents(given: dict[str, Any]) -> None:
    errors, params = validated("role", given)
    if errors or outcome("role", params):
        return
    parsed = parse_role(params, "aws")
    published = {
        parsed.parameters.bucket: Parameter("sbg-dev-data"),
        parsed.parameters.boundary: Parameter("boundary"),
    }
    found = FoundRole(Caller(f"arn:aws:sts::{ACCOUNT}:assumed-role/admin/jane", ACCOUNT), Current(), published, REGION)
    try:
        desired = desired_state(parsed, found, discover(parsed, found))
        plan = plan_present(Current(), desired, "c0ffee" * 6)
    except (InvalidInput, NotProvisioned):  # what only shows once AWS has answered: a policy over its quota
        return
    for step in plan.steps:
        assert_acceptable(step.service, step.action.split(":")[1], step.arguments)


@SETTINGS
@hypothesis.given(options("token", most=1))
def test_what_sts_is_asked_for_is_what_aws_documents(given: dict[str, Any]) -> None:
    errors, params = validated("token", given)
    if errors or outcome("token", params):
        return
    parsed = parse(params, NoAws(), Runtime(now=lambda: NOW))
    policy = parsed.session_policy
    if parsed.request.narrows and parsed.request.buckets:
        policy = session_policy(parsed, parsed.request, ACCOUNT)
    named = {
        "RoleArn": f"arn:aws:iam::{ACCOUNT}:role/{parsed.role_name}",
        "RoleSessionName": parsed.session_name,
        "DurationSeconds": parsed.duration,
    }
    asked = {
        **named,
        "ExternalId": params["external_id"] or "00",
        **parsed.extras,
        **({"Policy": compact(policy)} if policy else {}),
    }
    assert_acceptable("sts", "AssumeRole", asked)
    assert len(json.dumps(asked)) < 10**6
