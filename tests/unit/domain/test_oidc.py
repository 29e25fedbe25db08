# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Which web identity providers a role may trust, the statements for them, and the steps that create them in IAM."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.mdps.venue_sts.plugins.module_utils._domain import oidc
from ansible_collections.mdps.venue_sts.plugins.module_utils._domain.drift import differences
from ansible_collections.mdps.venue_sts.plugins.module_utils._domain.errors import InvalidInput
from ansible_collections.mdps.venue_sts.plugins.module_utils._domain.oidc import OidcProvider
from ansible_collections.mdps.venue_sts.plugins.module_utils._domain.role_plan import plan_present
from ansible_collections.mdps.venue_sts.plugins.module_utils._domain.trust import TRUST_POLICY_LENGTH, Trust, length
from ansible_collections.mdps.venue_sts.plugins.module_utils._domain.trust_reader import foreign_statements

from tests.support.described_roles import ROOT, current, desired, role
from tests.support.golden import assert_golden

ACCOUNT = "123456789012"
POOL = "cognito-idp.us-west-2.amazonaws.com/us-west-2_Example01"
GITHUB = f"https://{oidc.GITHUB}"
MAIN = "repo:unity-sds/sbg:ref:refs/heads/main"
RECIPIENTS = OidcProvider(POOL, ACCOUNT, ("client-of-sbg",), ("11111111-2222-3333-4444-555555555555",))
WORKFLOWS = OidcProvider(oidc.GITHUB, ACCOUNT, ("sts.amazonaws.com",), ("repo:unity-sds/sbg:ref:refs/tags/*", MAIN))


def given(**changes: Any) -> dict[str, Any]:
    return {"provider": GITHUB, "audiences": ["sts.amazonaws.com"], "subjects": [MAIN], **changes}


def check(**changes: Any) -> OidcProvider:
    (provider,) = oidc.check_providers([given(**changes)], "aws")
    return provider


def test_the_statements_of_two_providers() -> None:
    assert_golden(
        "trust_web_identity",
        Trust([ROOT], "a-fixed-external-id", oidc_providers=[RECIPIENTS, WORKFLOWS]).policy("aws"),
    )


def test_a_provider_by_its_address_or_its_arn() -> None:
    assert check() == OidcProvider(oidc.GITHUB, "", ("sts.amazonaws.com",), (MAIN,), False)
    arn = f"arn:aws:iam::{ACCOUNT}:oidc-provider/{POOL}"
    found = check(provider=arn, audiences=["b", "a", "b"], subjects=["x", "y*"], create=True)
    assert found == OidcProvider(POOL, ACCOUNT, ("b", "a"), ("x", "y*"), True)
    assert found.in_account(ACCOUNT).arn("aws") == arn
    assert check(provider="HTTPS://Login.Example.org/Realm").issuer == "login.example.org/Realm"


def test_a_provider_of_another_account_is_refused() -> None:
    with pytest.raises(InvalidInput, match="is in account 123456789012, but the role is in 210987654321"):
        RECIPIENTS.in_account("210987654321")
    assert check().in_account(ACCOUNT).account_id == ACCOUNT


@pytest.mark.parametrize(
    "text",
    [
        *("http://example.org", "example.org", "https://example.org:8443", "https://example.org/?a=b", "https://", ""),
        *("https://example.org/#x", "https://a b", f"https://{'a' * 250}", "https://user@example.org", "https://-a"),
        *("arn:aws:iam::123456789012:saml-provider/x", "arn:aws:iam::12:oidc-provider/example.org"),
        "arn:aws:iam::123456789012:oidc-provider/",
    ],
)
def test_what_is_no_provider(text: str) -> None:
    with pytest.raises(InvalidInput, match=r"^oidc_providers: .* is neither the address of an issuer"):
        check(provider=text)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"provider": "arn:aws-cn:iam::123456789012:oidc-provider/example.org"}, "is in partition aws-cn"),
        ({"provider": "https://cognito-identity.amazonaws.com"}, "identity pools are not supported"),
        ({"audiences": []}, "needs audiences"),
        ({"audiences": ["*"]}, "exact texts, without"),
        ({"audiences": [str(number) for number in range(101)]}, "must be at most 100 exact texts"),
        ({"audiences": ["${aws:userid}"]}, "without policy variables"),
        ({"audiences": ["a\nb"]}, "printable ASCII"),
        ({"audiences": ["é"]}, "printable ASCII"),
        ({"audiences": ["a" * 256]}, "1 to 255"),
        ({"subjects": None}, "needs subjects, the 'sub' claims"),
        ({"subjects": []}, "needs subjects, the 'sub' claims"),
        ({"any_subject": True}, "Set exactly one"),
        ({"any_subject": True, "subjects": None}, "any_subject is refused for token.actions.githubusercontent.com"),
        ({"provider": "https://example.org", "subjects": ["*"]}, "begins with a wildcard"),
        ({"provider": "https://example.org", "subjects": ["?ob"]}, "begins with a wildcard"),
    ],
)
def test_what_is_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        check(**changes)
    assert caught.value.message.startswith("oidc_providers: ")
    assert message in caught.value.message


def test_a_provider_twice_is_refused() -> None:
    arn = f"arn:aws:iam::{ACCOUNT}:oidc-provider/{oidc.GITHUB}"
    with pytest.raises(InvalidInput, match=r"contains token\.actions\.githubusercontent\.com twice"):
        oidc.check_providers([given(), given(provider=arn)], "aws")


TOO_WIDE = {
    oidc.GITHUB: [
        *("repo:*", "repo:unity-sds*", "repo:unity-sds/*", "repo:unity-sds/sbg*", "repo:unity-sds/sbg", "repo:u?/x:y"),
        *(
            "repo:unity-sds@*/sbg@*:ref:refs/heads/main",
            "repo:unity-sds@1/sbg@*",
            "environment:prod",
            "repository_id:*",
        ),
        *("repo:unity-sds@12/sbg:ref:refs/heads/main", "job_workflow_ref:unity-sds/*"),
    ],
    "gitlab.com": ["project_path:*", "project_path:unity/*", "user_login:*"],
    "app.terraform.io": ["organization:*", "organization:unity*:project:x"],
    "agent.buildkite.com": ["organization:unity*"],
    "oidc.codefresh.io": ["account:*"],
    "scalr.io": ["account:*:environment:prod"],
    "proidc.upbound.io": ["mcp:unity/*"],
    "oidc.circleci.com/org/0a0a0a0a-0a0a-0a0a-0a0a-0a0a0a0a0a0a": ["org/*", "org/x/project/y/z"],
    "oidc.vercel.com": ["owner:*", "owner:unity:*"],
    "api.pulumi.com/oidc": ["pulumi:deploy:*"],
    "accounts.google.com": ["1*", "123", "1234567890*"],
    **{key: ["0000-0001-5109-3700*", "user?"] for key in oidc.EXACT_ISSUERS},
}


@pytest.mark.parametrize(("issuer", "subject"), [(one, text) for one, texts in TOO_WIDE.items() for text in texts])
def test_strangers_at_issuers_for_everybody_are_refused(issuer: str, subject: str) -> None:
    with pytest.raises(InvalidInput, match="matches subjects of other owners"):
        check(provider=f"https://{issuer}", subjects=[subject])


@pytest.mark.parametrize("issuer", [*oidc.SHARED_ISSUERS, "login.microsoftonline.com/common/v2.0", "orcid.org/"])
def test_not_everybody_at_an_issuer_for_everybody_is_accepted(issuer: str) -> None:
    for provider in (f"https://{issuer}", f"arn:aws:iam::{ACCOUNT}:oidc-provider/{issuer}"):
        with pytest.raises(InvalidInput, match="any_subject is refused"):
            check(provider=provider, subjects=None, any_subject=True)


def test_a_subject_without_a_wildcard_is_not_blamed_for_one() -> None:
    with pytest.raises(InvalidInput, match="it does not identify the owner of the token"):
        check(subjects=["repo:unity-sds/sbg"])


def test_every_issuer_for_everybody_has_a_test() -> None:
    assert {next(host for host in oidc.SHARED_ISSUERS if one.startswith(host)) for one in TOO_WIDE} == set(
        oidc.SHARED_ISSUERS
    )


ID = "0a0a0a0a-0a0a-0a0a-0a0a-0a0a0a0a0a0a"
NARROW = {
    oidc.GITHUB: [
        *(MAIN, "repo:unity-sds/sbg:*", "repo:unity-sds/sbg:environment:prod", "repository_id:4711:ref:*"),
        *("repo:unity-sds@12/sbg@4711:ref:refs/heads/main", "repo:unity-sds@12/sbg@4711:*"),
    ],
    "gitlab.com": ["project_path:unity/sub/sbg:ref_type:branch:ref:main", "project_path:unity/sbg:*"],
    "app.terraform.io": ["organization:unity:project:sbg:workspace:x:run_phase:*"],
    "agent.buildkite.com": ["organization:unity:pipeline:sbg:*"],
    "oidc.codefresh.io": ["account:4711:pipeline:x"],
    "scalr.io": ["account:unity:environment:prod:workspace:x"],
    "proidc.upbound.io": ["mcp:unity/sbg:provider:provider-aws"],
    f"oidc.circleci.com/org/{ID}": [f"org/{ID}/project/{ID}/user/*"],
    "oidc.vercel.com": ["owner:unity:project:sbg:environment:production"],
    "api.pulumi.com/oidc": ["pulumi:deploy:org:unity:project:*"],
    "accounts.google.com": ["123456789012345678901"],
    **{key: ["0000-0001-5109-3700", "http://cilogon.org/serverA/users/12345"] for key in oidc.EXACT_ISSUERS},
    POOL: ["11111111-2222-3333-4444-555555555555"],
    "login.microsoftonline.com/11111111-2222-3333-4444-555555555555/v2.0": ["app*"],  # a tenant of one's own
    "token.actions.githubusercontent.com.example.org": ["repo:*"],  # another host
}


@pytest.mark.parametrize(("issuer", "subject"), [(one, text) for one, texts in NARROW.items() for text in texts])
def test_subjects_that_say_whose_they_are(issuer: str, subject: str) -> None:
    assert check(provider=f"https://{issuer}", subjects=[subject]).subjects == (subject,)


def test_any_subject_of_a_pool_of_ones_own_is_accepted_and_warned_about() -> None:
    provider = check(provider=f"https://{POOL}", subjects=None, any_subject=True)
    assert provider.accepts("whoever")
    assert "StringLike" not in str(provider.statement(1, "aws"))
    (note,) = provider.notes()
    assert note.startswith(f"oidc_providers: every user of {POOL} who gets a token for sts.amazonaws.com can assume")


def test_a_wildcard_for_a_whole_repository_is_warned_about() -> None:
    assert [*check(subjects=[MAIN]).notes()] == []
    assert "every branch, tag and pull request" in next(check(subjects=["repo:unity-sds/sbg:*"]).notes())


def test_subjects_are_compared_as_iam_compares_them() -> None:
    assert WORKFLOWS.accepts(MAIN)
    assert WORKFLOWS.accepts("repo:unity-sds/sbg:ref:refs/tags/v1")
    assert not WORKFLOWS.accepts("repo:unity-sds/sbg:ref:refs/heads/mainly")
    assert not WORKFLOWS.accepts("repo:UNITY-SDS/sbg:ref:refs/heads/main")


# The plan ------------------------------------------------------------------------------------------------------------

CREATED = RECIPIENTS._replace(create=True)
ARN = RECIPIENTS.arn("aws")
TRUST = Trust([ROOT], "", oidc_providers=[CREATED])


def plan(found: dict[str, Any], trust: Trust = TRUST, **now: Any) -> Any:
    return plan_present(current(oidc_providers=found, **now), desired(trust=trust), "a-fresh-external-id")


def test_a_missing_provider_is_created_before_the_trust_policy_names_it() -> None:
    made = plan({ARN: None})
    assert [step.action for step in made.steps] == ["iam:CreateOpenIDConnectProvider", "iam:UpdateAssumeRolePolicy"]
    arguments = made.steps[0].arguments
    assert arguments["Url"] == f"https://{POOL}"
    assert arguments["ClientIDList"] == ["client-of-sbg"]
    assert {tag["Key"] for tag in arguments["Tags"]} == {
        *("ServiceArea", "CreatedBy", "Capability", "CapVersion", "Component", "Stack")
    }
    assert "oidc_providers" not in made.diff()["before"]
    assert made.diff()["after"]["oidc_providers"] == {ARN: {"audiences": ["client-of-sbg"]}}


def test_a_missing_audience_is_added_and_others_stay() -> None:
    made = plan({ARN: ["another"]})
    assert made.steps[0].action == "iam:AddClientIDToOpenIDConnectProvider"
    assert made.steps[0].arguments == {"OpenIDConnectProviderArn": ARN, "ClientID": "client-of-sbg"}
    assert made.diff()["after"]["oidc_providers"] == {ARN: {"audiences": ["another", "client-of-sbg"]}}


def test_a_provider_that_is_right_is_left_alone() -> None:
    trust = TRUST._replace(external_id="an-external-id-for-tests")
    made = plan({ARN: ["another", "client-of-sbg"]}, role=role(trust=trust.policy("aws")))
    assert (made.steps, made.diff()) == ([], {"before": {}, "after": {}})


def test_a_provider_without_create_is_not_touched() -> None:
    made = plan({}, TRUST._replace(oidc_providers=[RECIPIENTS]))
    assert [step.operation for step in made.steps] == ["update_assume_role_policy"]


def test_too_many_audiences_are_refused() -> None:
    with pytest.raises(InvalidInput, match="more than 100 audiences"):
        plan({ARN: [str(number) for number in range(100)]})


def test_the_statements_are_the_collections_own_and_go_with_the_option() -> None:
    now = role(trust=TRUST._replace(external_id="an-external-id-for-tests").policy("aws"))
    assert foreign_statements(now.trust) == ()
    made = plan({}, Trust([ROOT], ""), role=now)
    assert differences(made, now) == [f"trusts {ARN}, which it should not"]
    assert [step.summary for step in made.steps] == ["set the trust policy"]


def test_an_altered_condition_is_drift() -> None:
    wider = CREATED._replace(subjects=())
    now = role(trust=TRUST._replace(external_id="an-external-id-for-tests", oidc_providers=[wider]).policy("aws"))
    made = plan({ARN: ["client-of-sbg"]}, role=now)
    assert differences(made, now) == ["the trust policy has unexpected conditions or actions"]


def test_a_trust_policy_without_room_for_rotation_and_lock_is_refused() -> None:
    many = RECIPIENTS._replace(subjects=tuple(f"{number:036d}" for number in range(29)))
    trust = TRUST._replace(oidc_providers=[many])
    assert length(trust._replace(external_id="an-external-id-for-tests").policy("aws")) < TRUST_POLICY_LENGTH
    with pytest.raises(InvalidInput, match=r"a rotation or an incident lock does not fit.* Specify fewer subjects"):
        plan({}, trust)
