# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Keys in the forms in which people find them."""

from __future__ import annotations

import pytest
from ansible_collections.mdps.venue_sts.plugins.module_utils._domain.errors import InvalidInput
from ansible_collections.mdps.venue_sts.plugins.module_utils._domain.found_keys import FoundKeys, parse_keys

KEY, SECRET, TOKEN = "ASIAEXAMPLEEXAMPLE01", "an/example+secret+of+nobody", "anexampletoken//////w=="
JSON = '{"Credentials": {"AccessKeyId": "%s", "SecretAccessKey": "%s", "SessionToken": "%s", "Expiration": "x"}}'
PROFILE = "[default]\naws_access_key_id = %s\naws_secret_access_key=%s\naws_session_token = %s\nregion = us-west-2\n"
SHELL = "export AWS_ACCESS_KEY_ID=%s\nexport AWS_SECRET_ACCESS_KEY='%s'\nexport AWS_SESSION_TOKEN=\"%s\"\n"
POWERSHELL = '$Env:AWS_ACCESS_KEY_ID="%s"\r\n$Env:AWS_SECRET_ACCESS_KEY="%s"\r\n$Env:AWS_SESSION_TOKEN="%s"\r\n'
RESULT = '{"sts_creds": {"access_key": "%s", "secret_key": "%s", "session_token": "%s"}}'
METADATA = '{"Code": "Success", "AccessKeyId": "%s", "SecretAccessKey": "%s", "Token": "%s"}'
TERRAFORM = 'access_key = "%s"\nsecret_key = "%s"\ntoken = "%s"\n'
WORKFLOW = "aws-access-key-id: %s\naws-secret-access-key: %s\naws-session-token: %s\n"
OLD = "AWS_ACCESS_KEY_ID=%s\nAWS_SECRET_ACCESS_KEY=%s\nAWS_SECURITY_TOKEN=%s\n"
LOG = r"""{"m": "{\"AccessKeyId\": \"%s\", \"SecretAccessKey\":\"%s\", \"SessionToken\": \"%s\"}"}"""
XML = "<AccessKeyId>%s</AccessKeyId>\n <SecretAccessKey>%s</SecretAccessKey>\n <SessionToken>\n%s\n</SessionToken>"
SETX = "setx AWS_ACCESS_KEY_ID %s\r\nsetx AWS_SECRET_ACCESS_KEY %s\r\nsetx AWS_SESSION_TOKEN %s\r\n"
FISH = "set -gx AWS_ACCESS_KEY_ID %s\nset -gx AWS_SECRET_ACCESS_KEY '%s'\nset -gx AWS_SESSION_TOKEN \"%s\"\n"
CONFIGURE = "".join(
    f"aws configure set aws_{name} %s\n" for name in ("access_key_id", "secret_access_key", "session_token")
)
CODE = 'os.Setenv("AWS_ACCESS_KEY_ID", "%s"); os.Setenv("AWS_SECRET_ACCESS_KEY", "%s"); f("AWS_SESSION_TOKEN","%s")'
RUBY = "access_key_id => '%s', secret_access_key => '%s', session_token => '%s'"
FORMS = [
    *(JSON, PROFILE, SHELL, POWERSHELL, RESULT, METADATA, TERRAFORM, WORKFLOW, OLD, LOG, XML, SETX, FISH, CONFIGURE),
    *(CODE, RUBY),
]


@pytest.mark.parametrize("form", FORMS)
def test_every_form(form: str) -> None:
    found = parse_keys("keys_file", form % (KEY, SECRET, TOKEN))
    assert found == FoundKeys(KEY, SECRET, TOKEN)
    assert SECRET not in repr(found)
    assert TOKEN not in repr(found)


def test_the_same_keys_twice_are_one_token() -> None:
    text = (JSON + PROFILE) % (KEY, SECRET, TOKEN, KEY, SECRET, TOKEN)
    assert parse_keys("keys_file", text).access_key_id == KEY


def test_words_around_the_keys_are_no_keys() -> None:
    text = "The secret access key leaked, see csrf_token=another and token: bearer. AccessKeyId,SecretAccessKey,Token\n"
    assert parse_keys("keys_file", text + SHELL % (KEY, SECRET, TOKEN)) == FoundKeys(KEY, SECRET, TOKEN)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "no valid value for the access key id"),
        (f"AWS_ACCESS_KEY_ID={KEY}\n", "no valid value for the secret access key"),
        (f"AWS_ACCESS_KEY_ID={KEY}\nAWS_SECRET_ACCESS_KEY={SECRET}\n", "no valid value for the session token"),
        (PROFILE % (KEY, SECRET, TOKEN) + "aws_session_token=another\n", "several values for the session token"),
        (PROFILE % (KEY, SECRET, "tök"), "no valid value for the session token"),
    ],
)
def test_what_is_not_the_keys_of_one_token(text: str, problem: str) -> None:
    with pytest.raises(InvalidInput, match=problem) as refused:
        parse_keys("keys_file", text)
    assert not any(secret in refused.value.message for secret in (SECRET, TOKEN))
