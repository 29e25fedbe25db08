# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Names and limits; the procedure's own examples are inputs."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from ansible_collections.mdps.venue_sts.plugins.module_utils._domain import names
from ansible_collections.mdps.venue_sts.plugins.module_utils._domain.errors import InvalidInput

SBG = names.Venue("sbg", "dev")


def test_the_procedures_names() -> None:
    assert SBG.external_id_parameter == "/unity/sbg/dev/cs/sts/role/external-id"
    assert SBG.bucket_parameter == "/unity/sbg/dev/ds/datastore-bucket"
    assert SBG.role_name() == "unity-sbg-dev-sts"
    assert SBG.role_name("mdps") == "mdps-sbg-dev-sts"
    assert str(SBG) == "sbg-dev"
    assert names.check_session_name("session_name", "unityuser12252025") == "unityuser12252025"


def test_two_venues_can_have_one_role_name() -> None:
    assert names.Venue("unity", "sbg-dev").role_name() == names.Venue("unity", "sbg-dev").role_name("unity")
    assert names.Venue("unity", "sbg-dev").role_name("x") == names.Venue("unity-sbg", "dev").role_name("x")


def test_the_ten_tags() -> None:
    assert SBG.tags("external-id") == {
        "Name": "sbg-dev-cs-sts-external-id",
        "Proj": "sbg",
        "Venue": "dev",
        "Env": "dev",
        "ServiceArea": "cs",
        "CreatedBy": "cs",
        "Capability": "sts",
        "CapVersion": "1.0",
        "Component": "external-id",
        "Stack": "external-id",
    }


def test_a_role_name_may_have_64_characters_and_no_more() -> None:
    # unity- and -sts take 10 and 1 joins the two: 53 are left.
    assert len(names.Venue("p" * 50, "dev").role_name()) == 64
    with pytest.raises(InvalidInput, match=r"venue: the role name .* has 65 characters and IAM allows 64"):
        names.Venue("p" * 51, "dev").role_name()
    with pytest.raises(InvalidInput, match="name_prefix: 'my unity-sbg-dev-sts' is not a role name"):
        SBG.role_name("my unity")


# As they are spelled in the field.
@pytest.mark.parametrize(
    ("project", "venue"),
    [
        ("sbg", "dev"),
        ("unity", "sbg-dev"),
        ("SBG", "DEV"),
        ("Unity", "Catalya-DS"),
        ("sips_test", "ops2-b"),
        ("1sbg", "v1.2"),
        ("a--b", "x-"),
    ],
)
def test_names_keep_their_spelling(project: str, venue: str) -> None:
    made = names.make_venue(project, venue)
    assert made == names.Venue(project, venue)
    assert made.external_id_parameter == f"/unity/{project}/{venue}/cs/sts/role/external-id"
    assert made.bucket_parameter == f"/unity/{project}/{venue}/ds/datastore-bucket"
    assert made.role_name() == f"unity-{project}-{venue}-sts"
    assert (made.tags("role")["Proj"], made.tags("role")["Venue"]) == (project, venue)


def test_names_are_compared_without_case() -> None:
    assert names.Venue("SBG", "Dev").key == names.Venue("sbg", "DEV").key
    assert names.Venue("sbg", "dev").key != names.Venue("sbg", "test").key


@pytest.mark.parametrize(
    "text", ["", "sbg dev", "-sbg", "_sbg", ".sbg", "sbg/dev", "sbg\n", "sbgé", "*", "a+b", "a=b", "a@b", "a,b"]
)
def test_bad_projects_and_venues(text: str) -> None:
    with pytest.raises(InvalidInput, match=r"^project: "):
        names.make_venue(text, "dev")
    with pytest.raises(InvalidInput, match=r"^venue: "):
        names.make_venue("sbg", text)


def test_parameters_have_conventional_names_unless_an_option_says_otherwise() -> None:
    assert names.parameter_names(SBG, {}) == (SBG.external_id_parameter, SBG.bucket_parameter, names.BOUNDARY_PARAMETER)
    options = {"external_id_parameter": "/x/id", "bucket_parameter": None, "boundary_parameter": "Boundary-1.0"}
    assert names.parameter_names(SBG, options) == ("/x/id", SBG.bucket_parameter, "Boundary-1.0")


@pytest.mark.parametrize("option", ["external_id_parameter", "bucket_parameter", "boundary_parameter"])
@pytest.mark.parametrize(
    "text",
    [
        "",
        "/",
        "x/y",
        "/x/",
        "//x",
        "/x y",
        "/x:3",
        "/aws/x",
        "/AWSx/y",
        "/ssm",
        "awsx",
        "/x\n",
        "/é",
        "/x" * 16,
        "x" * 1012,
    ],
)
def test_what_is_not_the_name_of_a_parameter_is_refused(option: str, text: str) -> None:
    with pytest.raises(InvalidInput, match=f"^{option}: "):
        names.parameter_names(SBG, {option: text})


@pytest.mark.parametrize("text", ["/x", "/unity/SBG/dev/x_y.z-1", "plain", "/unity/aws/ssm", "x" * 1011, "/x" * 15])
def test_names_of_parameters(text: str) -> None:
    assert names.check_parameter_name("bucket_parameter", text) == text


def test_ranges_include_their_ends() -> None:
    assert [names.check_range("duration_seconds", n, 900, 43200) for n in (900, 43200)] == [900, 43200]
    for seconds in (899, 43201, -1):
        with pytest.raises(InvalidInput, match=f"duration_seconds: {seconds} must be 900 to 43200 seconds"):
            names.check_range("duration_seconds", seconds, 900, 43200)


ACCEPTED: list[tuple[Callable[[str], str], str]] = [
    (lambda text: names.check_role_name("role_name", text), "a+b=c,d.e@f-g_h"),
    (lambda text: names.check_role_name("role_name", text), "r" * 64),
    (names.check_path, "/"),
    (names.check_path, "/mdps/venues/"),
    (names.check_path, "/" + "p" * 510 + "/"),
    (lambda text: names.check_session_name("session_name", text), "s" * 64),
    (lambda text: names.check_session_name("source_identity", text), "a@"),
    (lambda text: names.check_external_id("external_id", text), "x" * 1224),
    (lambda text: names.check_external_id("external_id", text), "a:/=+,.@-_"),
]
REFUSED: list[tuple[Callable[[str], str], str, str]] = [
    (lambda text: names.check_role_name("role_name", text), "", "role_name: '' is not a role name"),
    (lambda text: names.check_role_name("role_name", text), "r" * 65, "is not a role name"),
    (lambda text: names.check_role_name("role_name", text), "rôle", "is not a role name"),
    (lambda text: names.check_role_name("role_name", text), "a/b", "is not a role name"),
    (names.check_path, "", "path: '' must begin and end with '/'"),
    (names.check_path, "mdps/", "must begin and end"),
    (names.check_path, "/mdps", "must begin and end"),
    (names.check_path, "/m dps/", "must begin and end"),
    (names.check_path, "/" + "p" * 511 + "/", "must begin and end"),
    (lambda text: names.check_session_name("session_name", text), "x", "session_name: 'x' must be 2 to 64"),
    (lambda text: names.check_session_name("session_name", text), "s" * 65, "must be 2 to 64"),
    (
        lambda text: names.check_session_name("source_identity", text),
        "jane doe",
        "source_identity: 'jane doe' must be 2 to 64",
    ),
    (lambda text: names.check_session_name("source_identity", text), "jdoe\n", "must be 2 to 64"),
]


@pytest.mark.parametrize(("check", "text"), ACCEPTED)
def test_accepted(check: Callable[[str], str], text: str) -> None:
    assert check(text) == text


@pytest.mark.parametrize(("check", "text", "message"), REFUSED)
def test_refused(check: Callable[[str], str], text: str, message: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        check(text)
    assert message in caught.value.message


@pytest.mark.parametrize("value", ["s", "secret value", "secret*", "s" * 1225, "sécret", "secret\n", ""])
def test_a_bad_external_id_is_refused_and_not_quoted(value: str) -> None:
    with pytest.raises(InvalidInput, match="external_id: must be 2 to 1,224") as caught:
        names.check_external_id("external_id", value)
    assert "secret" not in caught.value.message
    assert "sécret" not in caught.value.message
