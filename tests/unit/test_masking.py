# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What is registered as a secret, what a text shows of it, and what stands in its place among the options."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import pytest
from ansible_collections.mdps.venue_sts.plugins.module_utils import _masking

SECRET = 'SeNtInEl+/"quoted"\\=é'
SPEC: dict[str, Any] = {
    "project": {"type": "str"},
    "external_id": {"type": "str", "no_log": True},
    "mfa_token": {"type": "str", "no_log": True},
    "password": {"type": "str", "no_log": True, "aliases": ["pass"]},
    "headers": {"type": "dict", "no_log": True},
    "token": {"type": "raw", "no_log": True},
    "email": {"type": "dict", "options": {"host": {"type": "str"}, "password": {"type": "str", "no_log": True}}},
}


@pytest.fixture(autouse=True)
def _nothing_known(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(_masking, "_known", set())
    # The registry of ansible-core is one for the process, and for good.
    monkeypatch.setattr(_masking, "NATIVE", False)
    yield


@pytest.mark.parametrize(
    "text",
    [
        SECRET,
        f"Invalid header value b'{SECRET}\\n'",
        f"https://host/?X-Amz-Security-Token={quote(SECRET, safe='')}&x=1",
        json.dumps({"a": SECRET}),
        repr(f"{SECRET}\n"),
    ],
)
def test_a_text_shows_no_known_secret_in_any_form(text: str) -> None:
    _masking.register(f" {SECRET}\r\n")
    masked = _masking.mask(text)
    assert "SeNtInEl" not in masked
    assert _masking.MASK in masked


def test_data_is_masked_at_any_depth() -> None:
    _masking.register(SECRET)
    assert _masking.mask({"a": [{"b": SECRET}, 1, None, True], "c": f"x{SECRET}y"}) == {
        "a": [{"b": "********"}, 1, None, True],
        "c": "x********y",
    }


def test_the_longer_of_two_secrets_goes_first() -> None:
    _masking.register("abcdefgh", "abcdefghijkl")
    assert _masking.mask("abcdefghijkl") == "********"


@pytest.mark.parametrize(
    ("option", "value", "masked"),
    [
        ("external_id", "unity-sbg-dev", False),
        ("external_id", "a-random-value-01", True),
        ("mfa_token", "123456", False),
        ("password", "hunter2", False),
        ("password", "hunter22", True),
        ("pass", "hunter22", True),
        ("headers", {"Authorization": "Bearer abcdefgh"}, True),
        ("email", {"password": "hunter22"}, True),
        ("email", {"host": "smtp.example.org"}, False),
        ("project", "unity-project", False),
    ],
)
def test_a_secret_option_is_registered_unless_it_may_be_part_of_a_name(option: str, value: Any, masked: bool) -> None:
    _masking.register_options(SPEC, {option: value})
    text = value if isinstance(value, str) else next(iter(value.values()))
    assert _masking.mask(f"role/{text}/x") == ("role/********/x" if masked else f"role/{text}/x")


def test_of_a_token_only_the_keys_are_secret() -> None:
    token = {
        "Credentials": {
            "AccessKeyId": "ASIAEXAMPLEEXAMPLE00",
            "SecretAccessKey": "secretsecretsecret",
            "SessionToken": "tokentokentoken",
            "Expiration": "2026-11-22T10:30:15Z",
        },
        "AssumedRoleUser": {"Arn": "arn:aws:sts::123456789012:assumed-role/a/b"},
    }
    _masking.register_options(SPEC, {"token": token})
    assert _masking.mask(token) == {
        **token,
        "Credentials": {**token["Credentials"], "SecretAccessKey": "********", "SessionToken": "********"},
    }


def test_keys_in_a_result_are_found_by_their_names() -> None:
    _masking.register_result(
        {"results": [{"sts_creds": {"secret_key": "secretsecret", "session_token": "tokentoken"}}]}
    )
    assert _masking.mask("secretsecret tokentoken") == "******** ********"


@pytest.mark.parametrize("name", [*SPEC, "pass"])
@pytest.mark.parametrize("value", ["x", "", 7, ["x"], {"password": "x", "host": "y"}], ids=repr)
def test_a_placeholder_stands_for_a_secret_option_whatever_its_value(name: str, value: Any) -> None:
    shown = _masking.hide_options(SPEC, {name: value})[name]
    if name == "project":
        assert shown == value
    elif name == "email" and isinstance(value, dict):
        assert shown == {"password": _masking.HIDDEN, "host": "y"}
    else:
        assert shown == _masking.HIDDEN


@pytest.mark.parametrize("given", [{"passwrd": SECRET}, {"email": {"pass": SECRET}}, {"secret-key": [SECRET]}])
def test_the_value_of_an_unknown_option_is_hidden(given: dict[str, Any]) -> None:
    assert "SeNtInEl" not in repr(_masking.hide_options(SPEC, given))


def test_an_option_that_is_not_given_has_no_placeholder() -> None:
    assert _masking.hide_options(SPEC, {"password": None}) == {"password": None}


def test_the_core_registers_no_secret_option_by_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    assert _masking.for_core(SPEC) == SPEC
    monkeypatch.setattr(_masking, "NATIVE", True)
    spec = _masking.for_core(SPEC)
    assert "True" not in str(spec)
    assert spec["password"] == {"type": "str", "no_log": False, "aliases": ["pass"]}
    assert spec["email"]["options"]["password"] == {"type": "str", "no_log": False}


@pytest.mark.parametrize("scheme", ["https", "HTTPS", " http"])
def test_what_an_address_has_behind_its_question_mark_is_hidden(scheme: str) -> None:
    given = {"https": {"url": f"{scheme}://lft.example.org/x/?sig=FAKE-signature", "method": "PUT"}, "user": "a?b"}
    spec = {"https": {"type": "dict", "options": {"url": {"type": "str"}, "method": {"type": "str"}}}, "user": {}}
    hidden = _masking.hide_options(spec, given)
    assert hidden["https"]["url"] == f"{scheme}://lft.example.org/x/?{_masking.HIDDEN}"
    assert (hidden["https"]["method"], hidden["user"]) == ("PUT", "a?b")


@pytest.mark.parametrize("login", ["jdoe:SeNtInEl", "SeNtInEl", "jdoe:Se@SeNtInEl", "jdoe:x/SeNtInEl"])
def test_the_login_in_an_address_is_hidden(login: str) -> None:
    hidden = _masking.hide_options({"url": {"type": "str"}}, {"url": f"https://{login}@kion.example.org/api"})
    assert hidden["url"] == f"https://{_masking.HIDDEN}@kion.example.org/api"


@pytest.mark.parametrize("damage", ["\0", "\ufeff", "\r\n", " \0\n"])
def test_a_damaged_secret_is_masked_in_the_form_that_is_used(damage: str) -> None:
    _masking.register(f"{damage}FAKE-key-in-use{damage}")
    assert "FAKE-key-in-use" not in _masking.mask("it says FAKE-key-in-use.")
