# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The reader of trust policies, on a table of documents. The enforcement tests show the same table to a judge."""

from __future__ import annotations

import json
from typing import Any

import pytest
from ansible_collections.mdps.venue_sts.plugins.module_utils._domain import trust_reader
from ansible_collections.mdps.venue_sts.plugins.module_utils._domain.conditions import Context
from ansible_collections.mdps.venue_sts.plugins.module_utils._domain.trust import Trust, lock_statement
from ansible_collections.mdps.venue_sts.plugins.module_utils._domain.trust_reader import read_trust
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.trust_documents import (
    ACCOUNT,
    CALLER,
    DOCUMENTS,
    LOCK,
    PARTNER,
    PARTNER_ROOT,
    ROLE,
    ROOT,
    A,
    B,
    allow,
    deny,
    is_,
    own,
)

DEAD_ROLE, DEAD_USER = "AROAEXAMPLEEXAMPLEEX", "AIDAEXAMPLEEXAMPLEEX"
PROVIDER = f"arn:aws:iam::{ACCOUNT}:saml-provider/Launchpad"


def test_the_table_is_long_enough() -> None:
    assert len(DOCUMENTS) >= 60


@pytest.mark.parametrize("name", DOCUMENTS)
def test_what_a_document_means(name: str) -> None:
    document = DOCUMENTS[name]
    reading = read_trust(document.policy)
    assert reading.external_ids == document.accepts
    assert reading.offered == (document.accepts if document.offers is None else document.offers)
    assert reading.current == document.current
    assert reading.demands_external_id is document.demands
    assert reading.locked is document.locked
    assert tuple(one.name for one in reading.foreign) == document.foreign
    assert len(reading.undecided) == document.undecided


@pytest.mark.parametrize("name", DOCUMENTS)
def test_no_sentence_names_an_external_id(name: str) -> None:
    reading = read_trust(DOCUMENTS[name].policy)
    shown = repr(reading) + " ".join(reading.undecided)
    assert not [one for one in trust_reader.named_external_ids(DOCUMENTS[name].policy) if len(one) > 3 and one in shown]


def test_there_may_be_no_policy_at_all() -> None:
    for policy in (None, {}, {"Statement": []}):
        assert read_trust(policy) == read_trust(None)
        assert trust_reader.external_ids(policy) == ()


@pytest.mark.parametrize("previous", [(), ("old-one",), ("zz-old", "aa-old")])
def test_what_was_built_reads_back(previous: tuple[str, ...]) -> None:
    policy = Trust([ROOT], "new-one", previous, saml_providers=[PROVIDER], require_mfa=True).policy(
        "aws", [lock_statement()]
    )
    reading = read_trust(policy)
    assert (reading.current, reading.locked, reading.foreign) == ("new-one", True, ())
    assert (reading.external_ids, reading.offered) == ((), tuple(sorted({"new-one", *previous})))
    assert trust_reader.venue_ids(policy) == reading.offered
    reading = read_trust({**policy, "Statement": policy["Statement"][:-1]})
    assert reading.external_ids == reading.offered == tuple(sorted({"new-one", *previous}))
    assert (reading.current, reading.locked, reading.foreign) == ("new-one", False, ())
    assert reading.principals == (ROOT, PROVIDER)


def test_the_lock_is_the_statement_that_is_reserved() -> None:
    assert lock_statement() == LOCK
    assert LOCK["Sid"] == trust_reader.LOCK_SID


@pytest.mark.parametrize(
    ("denied", "allowed", "locked"),
    [
        (["sts:AssumeRole"], ["sts:AssumeRole"], True),
        (["sts:AssumeRole"], [], True),
        (["sts:AssumeRole"], ["sts:AssumeRole", "sts:AssumeRoleWithSAML"], False),
        (["sts:AssumeRole"], ["sts:AssumeRoleWithWebIdentity"], False),
        (["sts:AssumeRoleWithSAML"], ["sts:AssumeRoleWithSAML"], False),  # whoever is allowed by an identity policy
        (["sts:AssumeRole*"], ["sts:*"], True),
        (["sts:assumerole", "STS:AssumeRoleWithSAML"], ["sts:AssumeRoleWithSAML", "sts:TagSession"], True),
    ],
)
def test_a_role_is_locked_if_every_way_that_its_policy_opens_is_closed(
    denied: list[str], allowed: list[str], locked: bool
) -> None:
    opened = {"Effect": "Allow", "Principal": {"AWS": ROOT}, "Action": allowed}
    policy = {"Statement": [{**LOCK, "Action": denied}, *([opened] if allowed else [])]}
    assert trust_reader.is_locked(policy) is locked


@pytest.mark.parametrize("action", trust_reader.ASSUME_ACTIONS)
def test_a_lock_covers_every_way_to_assume_the_role(action: str) -> None:
    assert trust_reader.is_locked({"Statement": [LOCK]}, action)
    assert not trust_reader.is_locked({"Statement": [{**LOCK, "Action": "sts:TagSession"}]}, action)
    assert not trust_reader.is_locked({"Statement": [{**LOCK, "Principal": {"AWS": ROOT}}]}, action)
    assert not trust_reader.is_locked({"Statement": [{**LOCK, "Effect": "Allow"}]}, action)
    assert not trust_reader.is_locked({"Statement": [{**LOCK, "Condition": is_("Null", "false")}]}, action)


def test_half_a_lock_is_a_foreign_statement() -> None:
    half = {**LOCK, "Action": trust_reader.ASSUME}
    assert [one.name for one in read_trust({"Statement": [half]}).foreign] == ["Deny statement 'MdpsVenueLocked'"]


def test_those_who_may_assume_the_role_once_each() -> None:
    policy = {
        "Statement": [
            allow(Principal={"AWS": [ROOT, ROLE], "Service": "ec2.amazonaws.com"}),
            allow(Principal={"AWS": ROOT, "Federated": [PROVIDER]}, Action="sts:AssumeRoleWithSAML"),
            allow(Principal="*"),
            # Neither of these lets anybody assume the role.
            deny(Principal={"AWS": PARTNER_ROOT}),
            allow(Principal={"AWS": PARTNER_ROOT}, Action="sts:TagSession"),
        ]
    }
    assert trust_reader.principals(policy) == (ROOT, ROLE, "ec2.amazonaws.com", PROVIDER, "*")
    assert trust_reader.principals(None) == ()
    inverted = {**allow(Principal=None), "NotPrincipal": {"AWS": PARTNER_ROOT}}
    assert trust_reader.principals({"Statement": [inverted]}) == (f"everybody except {PARTNER_ROOT}",)
    both = {**allow(Principal={"AWS": ROOT}), "NotPrincipal": {"AWS": PARTNER_ROOT}}
    assert trust_reader.principals({"Statement": [both]}) == (ROOT,)


def test_dead_principals_are_the_unique_ids() -> None:
    role = "arn:aws:iam::123456789012:role/AROAEXAMPLEEXAMPLEEX"
    policy = {"Statement": [allow(Principal={"AWS": [ROOT, DEAD_ROLE, DEAD_USER, role]})]}
    assert trust_reader.dead_principals(policy) == (DEAD_ROLE, DEAD_USER)
    assert trust_reader.dead_principals(Trust([ROOT], "id").policy("aws")) == ()


def test_every_value_is_known_for_masking_even_where_it_is_denied_or_a_pattern() -> None:
    statements = [own(A), deny(is_("StringNotLike", "x*", B)), allow(is_("Null", "true"))]
    assert trust_reader.named_external_ids({"Statement": statements}) == (A, B, "x*")


@pytest.mark.parametrize("value", ["true", "false"])
def test_whether_an_external_id_is_sent_at_all_can_be_decided(value: str) -> None:
    assert trust_reader.read_trust({"Statement": [allow(is_("Null", value))]}).undecided == ()


PATTERN = f"arn:aws:iam::{ACCOUNT}:role/aws-reserved/sso.amazonaws.com*/AWSReservedSSO_Operator_{'?' * 16}"
SSO = f"arn:aws:iam::{ACCOUNT}:role/aws-reserved/sso.amazonaws.com"


@pytest.mark.parametrize(
    ("arn", "expected"),
    [
        (f"{SSO}/us-west-2/AWSReservedSSO_Operator_0123456789abcdef", True),
        (f"{SSO}/AWSReservedSSO_Operator_0123456789abcdef", True),
        (f"{SSO}/AWSReservedSSO_Operator_Admin_0123456789abcdef", False),
        (f"{SSO}/AWSReservedSSO_Operator_0123456789abcde", False),
        (f"arn:aws:iam::{ACCOUNT}:role/AWSReservedSSO_Operator_0123456789abcdef", False),
        (SSO.replace(ACCOUNT, "210987654321") + "/AWSReservedSSO_Operator_0123456789abcdef", False),
    ],
)
@pytest.mark.parametrize("operator", ["ArnLike", "ArnEquals", "StringLike"])
def test_patterns_of_callers(arn: str, expected: bool, operator: str) -> None:
    policy = {"Version": "2012-10-17", "Statement": [allow(is_(operator, PATTERN, key="aws:PrincipalArn"))]}
    assert trust_reader.decide(policy, CALLER, "sts:AssumeRole", Context({"aws:principalarn": arn})) is expected


@pytest.mark.parametrize(("operator", "expected"), [("ArnLike", False), ("StringLike", True)])
def test_only_in_a_text_does_a_wildcard_reach_across_the_parts_of_an_arn(operator: str, expected: bool) -> None:
    policy = {"Version": "2012-10-17", "Statement": [allow(is_(operator, "arn:aws:*:role/x", key="aws:PrincipalArn"))]}
    seen = Context({"aws:principalarn": f"arn:aws:iam::{ACCOUNT}:role/x"})
    assert trust_reader.decide(policy, CALLER, "sts:AssumeRole", seen) is expected


@pytest.mark.parametrize(
    ("statement", "context", "expected"),
    [
        (allow(is_("Bool", "true", key="aws:MultiFactorAuthPresent")), Context(), None),
        (allow(is_("Bool", "true", key="aws:MultiFactorAuthPresent")), Context(complete=True), False),
        (allow(is_("BoolIfExists", True, key="aws:MultiFactorAuthPresent")), Context(complete=True), True),
        (allow(is_("StringMatches", A)), Context({"sts:externalid": A}), None),
        (allow(is_("Resembles", A)), Context(complete=True), None),
        (allow(is_("StringEquals", {"x": 1})), Context({"sts:externalid": A}), None),
        (allow("nonsense"), Context({"sts:externalid": A}), None),
        ({**allow(), "Effect": "Permit"}, Context(), False),
    ],
)
def test_what_cannot_be_decided_is_none(statement: Any, context: Context, expected: bool | None) -> None:
    policy = {"Version": "2012-10-17", "Statement": [statement]}
    assert trust_reader.decide(policy, CALLER, "sts:AssumeRole", context) is expected


def test_a_statement_without_a_readable_effect_may_deny() -> None:
    policy = {"Statement": [allow(), {**allow(), "Effect": "Forbid"}]}
    assert trust_reader.decide(policy, CALLER, "sts:AssumeRole", Context(complete=True)) is None
    assert len(read_trust(policy).undecided) == 1


def test_an_operator_that_iam_does_not_know_is_named_as_undecided() -> None:
    (sentence,) = read_trust({"Statement": [allow(is_("Resembles", A))]}).undecided
    assert sentence.endswith("has an operator that IAM does not know")


def test_the_name_of_a_statement_is_printable() -> None:
    (statement,) = read_trust({"Statement": [allow(Sid="a\x1b[2Jb\n")]}).foreign
    assert statement.name == "Allow statement 'a?[2Jb?'"


WORDS = st.sampled_from(
    ["Effect", "Deny", "Allow", "Principal", "*", "AWS", "Condition", "StringEquals", "sts:ExternalId", "Action", "Sid"]
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8) | WORDS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(WORDS | st.text(max_size=4), inner, max_size=6),
    max_leaves=25,
)


@settings(deadline=None, derandomize=True, database=None)
@given(st.fixed_dictionaries({"Statement": JSON}) | st.fixed_dictionaries({"Statement": st.lists(JSON, max_size=4)}))
def test_any_json_can_be_read(policy: dict[str, Any]) -> None:
    reading = read_trust(policy)
    json.dumps([reading.external_ids, reading.principals, [one.name for one in reading.foreign]])
    trust_reader.decide(policy, CALLER, "sts:AssumeRole", Context())


def test_elements_are_read_in_any_case() -> None:
    lower = {
        "version": "2012-10-17",
        "statement": [LOCK, {"effect": "Allow", "principal": {"AWS": "*"}, "action": "sts:AssumeRole"}],
    }
    reading = read_trust(lower)
    assert (reading.locked, [one.name for one in reading.foreign]) == (True, ["Allow statement number 2"])


SESSION = f"arn:aws:sts::{ACCOUNT}:assumed-role/issuer/jane"


@pytest.mark.parametrize(
    ("principal", "caller", "allowed"),
    [
        ({"Principal": "*"}, SESSION, True),
        ({"Principal": {"AWS": ROOT}}, SESSION, True),
        ({"Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:role/issuer"}}, SESSION, True),
        ({"Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:role/other"}}, SESSION, False),
        ({"Principal": {"AWS": SESSION}}, SESSION, True),
        ({"Principal": {"AWS": ROOT}}, PROVIDER, False),
        ({"Principal": {"Federated": PROVIDER}}, PROVIDER, True),
        ({"Principal": {"Service": "ec2.amazonaws.com"}}, SESSION, False),
        ({"NotPrincipal": {"AWS": ROOT}}, SESSION, None),
        ({"NotPrincipal": {"AWS": f"arn:aws:iam::{ACCOUNT}:role/other"}}, SESSION, None),
        ({"NotPrincipal": {"AWS": PARTNER_ROOT}}, SESSION, True),
        ({"NotPrincipal": {"AWS": PARTNER_ROOT}}, "ec2.amazonaws.com", True),
    ],
)
def test_whom_a_statement_lets_in(principal: dict, caller: str, allowed: bool | None) -> None:
    policy = {"Statement": [{"Effect": "Allow", "Action": trust_reader.ASSUME, **principal}]}
    found = trust_reader.decide(policy, caller, trust_reader.ASSUME, trust_reader.Context({}))
    assert found is allowed


def test_a_deny_of_some_does_not_keep_everybody_out() -> None:
    policy = {
        "Statement": [
            allow(is_("StringEquals", A), Principal="*"),
            deny(is_("StringEquals", A), Principal={"AWS": ROLE}),
        ]
    }
    assert read_trust(policy).external_ids == (A,)
    assert read_trust(policy).offered == ()


ISSUER = f"arn:aws:iam::{ACCOUNT}:role/issuer"
NOBODY_ELSE = [
    SESSION.replace(ACCOUNT, PARTNER),
    SESSION.replace("arn:aws:", "arn:aws-us-gov:"),
    SESSION.replace("/issuer/", "/issuer2/"),
    SESSION.replace("/issuer/", "/other/"),
    SESSION.replace("/issuer/jane", "/jane/issuer"),
    f"arn:aws:iam::{ACCOUNT}:user/issuer",
    ISSUER.replace(ACCOUNT, PARTNER),
    ISSUER.replace("role/issuer", "role/path/issuer"),
]


@pytest.mark.parametrize("caller", NOBODY_ELSE)
@pytest.mark.parametrize("effect", ["Allow", "Deny"])
def test_a_role_of_the_same_name_in_another_account_is_another_role(caller: str, effect: str) -> None:
    named = {"Effect": effect, "Action": trust_reader.ASSUME, "Principal": {"AWS": ISSUER}}
    everybody = allow(Principal="*")
    policy = {"Statement": [named, *([everybody] if effect == "Deny" else [])]}
    assert trust_reader.decide(policy, caller, trust_reader.ASSUME, Context()) is (effect == "Deny")
    assert trust_reader.decide(policy, SESSION, trust_reader.ASSUME, Context()) is (effect == "Allow")


@pytest.mark.parametrize("name", ["issuer", "path/issuer", "a/b/issuer"])
def test_a_session_does_not_show_the_path_of_its_role(name: str) -> None:
    policy = {"Statement": [allow(Principal={"AWS": f"arn:aws:iam::{ACCOUNT}:role/{name}"})]}
    assert trust_reader.decide(policy, SESSION, trust_reader.ASSUME, Context()) is True


@pytest.mark.parametrize("who", ["*", {"AWS": "*"}, {"AWS": ["*"]}, {"AWS": [ROOT, "*"]}], ids=str)
def test_a_deny_of_nobody_is_no_lock(who: Any) -> None:
    """``NotPrincipal`` with everybody: whoever reads it as a lock believes that no token can be issued."""
    nobody = {"Effect": "Deny", "Action": list(trust_reader.ASSUME_ACTIONS), "NotPrincipal": who}
    everybody = {"Effect": "Deny", "Action": list(trust_reader.ASSUME_ACTIONS), "Principal": who}
    for statement, locked in ((nobody, False), (everybody, True)):
        policy = {"Statement": [own(A), {"Sid": trust_reader.LOCK_SID, **statement}]}
        reading = read_trust(policy)
        assert reading.locked is trust_reader.is_locked(policy, trust_reader.ASSUME) is locked
        assert reading.external_ids == (() if locked else (A,))
        assert bool(reading.foreign) is not locked


@pytest.mark.parametrize(
    ("allowed", "denied", "accepted"),
    [
        ({"Principal": {"AWS": ROOT}}, {"Principal": {"AWS": ROOT}}, False),
        ({"Principal": {"AWS": ACCOUNT}}, {"Principal": {"AWS": ROOT}}, False),
        ({"Principal": {"AWS": ROOT}}, {"Principal": "*"}, False),
        ({"Principal": "*"}, {"Principal": "*"}, False),
        ({"Principal": {"AWS": ROLE}}, {"Principal": {"AWS": ROOT}}, False),
        ({"Principal": {"AWS": ROOT}}, {"Principal": {"AWS": ROLE}}, True),
        ({"Principal": {"AWS": ROOT}}, {"Principal": {"AWS": PARTNER_ROOT}}, True),
        ({"Principal": {"AWS": [ROOT, PARTNER_ROOT]}}, {"Principal": {"AWS": PARTNER_ROOT}}, True),
        ({"Principal": "*"}, {"Principal": {"AWS": ROOT}}, True),
        # An Allow of everybody else is about others than those it names.
        ({"NotPrincipal": {"AWS": PARTNER_ROOT}}, {"Principal": {"AWS": PARTNER_ROOT}}, True),
        ({"NotPrincipal": {"AWS": ROLE}}, {"Principal": {"AWS": ROOT}}, True),
        ({"NotPrincipal": {"AWS": PARTNER_ROOT}}, {"NotPrincipal": {"AWS": ROOT}}, True),
        ({"NotPrincipal": {"AWS": PARTNER_ROOT}}, {"Principal": "*"}, False),
        # A Deny of everybody else does not reach those it names.
        ({"Principal": {"AWS": ROOT}}, {"NotPrincipal": {"AWS": ROOT}}, True),
        ({"Principal": {"AWS": ROOT}}, {"NotPrincipal": "*"}, True),
        ({"Principal": "*"}, {"NotPrincipal": {"AWS": ROOT}}, True),
        ({"Principal": {"AWS": ROOT}}, {"NotPrincipal": {"AWS": PARTNER_ROOT}}, False),
    ],
    ids=str,
)
def test_an_external_id_is_accepted_unless_a_deny_is_about_all_whom_an_allow_names(
    allowed: dict[str, Any], denied: dict[str, Any], accepted: bool
) -> None:
    about = {"Action": trust_reader.ASSUME, "Condition": is_("StringEquals", A)}
    policy = {"Statement": [{"Effect": "Allow", **about, **allowed}, {"Effect": "Deny", **about, **denied}]}
    assert read_trust(policy).external_ids == ((A,) if accepted else ())


@pytest.mark.parametrize(
    ("action", "condition", "is_offered"),
    [
        (trust_reader.ASSUME, is_("StringEquals", A), False),
        ("sts:*", is_("StringEquals", A), False),
        ("sts:TagSession", is_("StringEquals", A), True),
        (trust_reader.ASSUME, is_("StringEquals", "another-id"), True),
        (trust_reader.ASSUME, {"Bool": {"aws:MultiFactorAuthPresent": "false"}}, True),
    ],
    ids=str,
)
def test_an_external_id_is_not_offered_if_a_deny_of_the_role_is_about_it(
    action: str, condition: dict[str, Any], is_offered: bool
) -> None:
    everybody = {"Effect": "Deny", "Principal": "*", "Action": action, "Condition": condition}
    assert read_trust({"Statement": [own(A), everybody]}).offered == ((A,) if is_offered else ())
