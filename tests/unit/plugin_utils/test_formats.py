# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The texts of a token, read back by what they are for: the shells themselves, botocore, and parsers."""

from __future__ import annotations

import configparser
import json
import os
import re
import subprocess
from datetime import datetime

import pytest
from ansible_collections.mdps.venue_sts.plugins.module_utils._domain.errors import InvalidInput
from ansible_collections.mdps.venue_sts.plugins.plugin_utils._formats import NOTICE, token_files
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.programs import require_shell

ARN = "arn:aws:sts::123456789012:assumed-role/unity-sbg-dev-sts/unityuser12252025"
EXPIRATION = "2016-03-15T00:05:07Z"
# Every character a key could have, those that shells treat as their own among them.
PRINTABLE = "".join(map(chr, range(0x21, 0x7F)))
CMD_REFUSES = '%!"'
CMD_TAKES = "".join(c for c in PRINTABLE if c not in CMD_REFUSES)
NAMES = {
    "AccessKeyId": "AWS_ACCESS_KEY_ID",
    "SecretAccessKey": "AWS_SECRET_ACCESS_KEY",
    "SessionToken": "AWS_SESSION_TOKEN",
}


def make_token(
    secret="9drTJvcXLB89EXAMPLELB8923FB892xMFI", session="AQoXdzELDDY//////////wEaoAK1wvxJY12r2IrDFT2IvAzTCn3z+=="
):
    return {
        "AssumedRoleUser": {"AssumedRoleId": "AROA3XFRBF535PLBIFPI4:unityuser12252025", "Arn": ARN},
        "Credentials": {
            "SecretAccessKey": secret,
            "SessionToken": session,
            "Expiration": EXPIRATION,
            "AccessKeyId": "ASIAJEXAMPLEXEG2JICEA",
        },
    }


def expected(token):
    wanted = {variable: token["Credentials"][key] for key, variable in NAMES.items()}
    return {**wanted, "AWS_REGION": "us-west-2", "AWS_DEFAULT_REGION": "us-west-2"}


# --- the shells, each run for real ---

STALE = {
    "AWS_SECURITY_TOKEN": "stale",
    "AWS_PROFILE": "stale",
    "AWS_DEFAULT_PROFILE": "stale",
    "AWS_CREDENTIAL_EXPIRATION": "2001-01-01T00:00:00Z",
}
SHELLS = {
    "sh": ("env.sh", ["sh", "-c", '. "$1"; exec env -0', "sh"]),
    "bash": ("env.sh", ["bash", "--norc", "-euc", '. "$1"; exec env -0', "bash"]),
    "zsh": ("env.sh", ["zsh", "-f", "-ec", '. "$1"; exec env -0', "zsh"]),
    "fish": ("env.fish", ["fish", "--no-config", "-c", "source $argv[1]; exec env -0"]),
    "pwsh": ("env.ps1", ["pwsh", "-NoProfile", "-NonInteractive", "-Command", '& { . $args[0]; & "env" "-0" }']),
}


def run_shell(shell, token, folder, **options):
    name, command = SHELLS[shell]
    require_shell(shell)
    path = folder / name
    path.write_text(token_files(token, **options)[name], newline="")
    path.chmod(0o600)
    environment = {"PATH": os.environ["PATH"], "HOME": str(folder), **STALE}
    done = subprocess.run([*command, str(path)], env=environment, capture_output=True, check=True)
    assert done.stderr == b""
    pairs = (entry.partition("=") for entry in done.stdout.decode().split("\0") if entry)
    return {name: value for name, _sign, value in pairs if name.startswith("AWS_")}


@pytest.mark.parametrize("shell", SHELLS)
@pytest.mark.parametrize(
    "secret", ["plain/Secret+Key", PRINTABLE, PRINTABLE[::-1], "=ls", "~root", "'", "\\", "\\'", "''"]
)
def test_the_shell_gets_exactly_the_keys_and_none_of_the_stale_ones(shell, secret, tmp_path):
    token = make_token(secret=secret)
    if set(secret) & set(CMD_REFUSES):  # one refusal for all: shown below
        secret = "".join(c for c in secret if c not in CMD_REFUSES)
        token = make_token(secret=secret)
    assert run_shell(shell, token, tmp_path) == expected(token)


def test_no_executable_line_but_assignments_in_powershell():
    tree_sitter = pytest.importorskip("tree_sitter", reason="tree-sitter is not installed in this environment")
    grammar = pytest.importorskip(
        "tree_sitter_powershell", reason="tree-sitter-powershell is not installed in this environment"
    )
    token = make_token(secret=CMD_TAKES)
    text = token_files(token)["env.ps1"]
    root = tree_sitter.Parser(tree_sitter.Language(grammar.language())).parse(text.encode()).root_node
    assert not root.has_error
    found = {}
    for statement in [node for top in root.children for node in (top.children if top.type == "statement_list" else [])]:
        name, _sign, value = statement.text.decode().partition(" = ")
        leaves = [
            n
            for n in walk(statement)
            if n.type in ("verbatim_string_characters", "expandable_string_literal", "command")
        ]
        if value == "$null":
            assert not leaves
            continue
        assert [leaf.type for leaf in leaves] == ["verbatim_string_characters"]
        found[name.removeprefix("$Env:")] = value[1:-1].replace("''", "'")
    assert found == expected(token)


def walk(node):
    yield node
    for child in node.children:
        yield from walk(child)


# --- Windows cmd ---


def run_cmd(text):
    """Do what cmd.exe does with SET lines.

    Percent signs first, then quotes protect & | < > ^, then SET "NAME=VALUE".
    """
    assert text.endswith("\r\n")
    variables = {}
    first, *lines = text.split("\r\n")[:-1]
    assert first.startswith("@REM ") and not set(first) & set("&|<>^%")
    for line in lines:
        assert "%" not in line and "!" not in line
        match = re.fullmatch(r'@SET "([A-Z_]+)=([^"]*)"', line)
        assert match, "not one SET with one pair of quotes, hidden by @"
        if match[2]:
            variables[match[1]] = match[2]
        else:
            variables.pop(match[1], None)
    return variables


def test_cmd_has_set_on_every_line_and_unsets_the_stale():
    token = make_token(secret=CMD_TAKES)
    text = token_files(token)["env.cmd"]
    assert run_cmd(text) == expected(token)
    for stale in ("AWS_SECURITY_TOKEN", "AWS_PROFILE", "AWS_DEFAULT_PROFILE"):
        assert f'@SET "{stale}="\r\n' in text


@pytest.mark.parametrize("character", CMD_REFUSES)
def test_what_cmd_cannot_take_is_refused_without_the_value(character):
    with pytest.raises(InvalidInput, match="Windows command prompt") as caught:
        token_files(make_token(secret=f"before{character}after"))
    assert "before" not in str(caught.value)


@pytest.mark.parametrize("secret", ["/begins/with/a/slash", "x" * 1025, "back\\slash"])
def test_setx_gets_a_path_and_a_name_but_no_key(secret):
    text = token_files(make_token(secret=secret))["desktop.cmd"]
    pairs = dict(re.findall(r'^@SETX ([A-Z_]+) "([^"]*)"\r$', text, re.MULTILINE))
    assert pairs == {
        "AWS_SHARED_CREDENTIALS_FILE": "%~dp0credentials",
        "CPL_AWS_CREDENTIALS_FILE": "%~dp0credentials",
        "AWS_PROFILE": "123456789012-sbg-dev",
        "AWS_REGION": "us-west-2",
    }
    assert set(re.findall(r"^@REG DELETE HKCU\\Environment /V ([A-Z_]+) /F\r$", text, re.MULTILINE)) == {*pairs, NOTICE}
    assert not any(value.startswith("/") for value in pairs.values())
    assert secret not in text
    assert all(line.startswith(("@", ":")) for line in text.splitlines())


# --- documents ---


def test_undo_removes_every_variable_and_tells_the_desktop():
    lines = token_files(make_token())["desktop.cmd"].splitlines()
    undo = lines.index(":undo")
    kept = [line.split()[1] for line in lines[:undo] if line.startswith("@SETX")]
    steps = [line.split() for line in lines[undo + 1 :]]
    removed = [words[4] for words in steps if words[:2] == ["@REG", "DELETE"]]
    assert removed == [*kept, NOTICE]
    assert steps[-2:] == [["@SETX", NOTICE, "ended"], steps[-1]] and len(kept) == 4
    first = next(number for number, line in enumerate(lines) if line.startswith("@SETX"))
    for name in kept:
        assert any(line.startswith(f"@IF DEFINED {name} ECHO Replaced") for line in lines[:first])


def test_token_json_is_the_procedures_document():
    token = make_token()
    assert json.loads(token_files(token)["token.json"]) == token


def test_the_answer_that_clients_of_earthdata_know():
    answer = json.loads(token_files(make_token())["s3credentials.json"])
    keys = make_token()["Credentials"]
    assert answer == {
        "accessKeyId": keys["AccessKeyId"],
        "secretAccessKey": keys["SecretAccessKey"],
        "sessionToken": keys["SessionToken"],
        "expiration": "2016-03-15 00:05:07+00:00",
    }
    assert datetime.fromisoformat(answer["expiration"]) == datetime.fromisoformat(EXPIRATION)


def test_no_file_sets_the_variable_that_outlives_its_keys():
    """Once it has passed, botocore refuses newer, valid keys in the same window."""
    for name, text in token_files(make_token()).items():
        assert not re.search(r"(export|SETX?|\$Env:)[^\r\n]*AWS_CREDENTIAL_EXPIRATION[ =']+[\w'](?!ull)", text), name


def test_credential_process_answer():
    assert json.loads(token_files(make_token())["credential_process.json"]) == {
        "Version": 1,
        **make_token()["Credentials"],
    }


def test_credential_process_invents_no_expiry():
    token = make_token()
    token["Credentials"]["Expiration"] = None
    assert "Expiration" not in json.loads(token_files(token)["credential_process.json"])


def read_profile(text, name):
    parser = configparser.RawConfigParser()  # botocore's own
    parser.read_string(text)
    return dict(parser[name])


@pytest.mark.parametrize(
    ("arn", "given", "name"),
    [
        (ARN, "", "123456789012-sbg-dev"),
        ("arn:aws-us-gov:sts::123456789012:assumed-role/unity-sbg-dev-sts/someone", "", "123456789012-sbg-dev"),
        ("arn:aws:sts::123456789012:assumed-role/xaccounts3access/s3-access-example", "", "venue-sts"),
        (ARN, "mine", "mine"),
    ],
)
def test_the_profile_is_named_for_account_and_venue(arn, given, name):
    token = make_token(secret=CMD_TAKES)
    token["AssumedRoleUser"]["Arn"] = arn
    assert read_profile(token_files(token, region="us-gov-west-1", profile=given)["credentials"], name) == {
        "aws_access_key_id": token["Credentials"]["AccessKeyId"],
        "aws_secret_access_key": token["Credentials"]["SecretAccessKey"],
        "aws_session_token": token["Credentials"]["SessionToken"],
        "region": "us-gov-west-1",
    }


def test_keys_without_a_role_will_do():
    files = token_files({"Credentials": make_token()["Credentials"]})
    assert "[venue-sts]" in files["credentials"]


# --- refusals ---


@pytest.mark.parametrize("value", ["", "a b", "a\nb", "a\r", "a\0", "café", "\u2019", None, 5])
@pytest.mark.parametrize("key", ["AccessKeyId", "SecretAccessKey", "SessionToken"])
def test_a_damaged_key_is_refused_by_name(key, value):
    token = make_token()
    token["Credentials"][key] = value
    with pytest.raises(InvalidInput, match=rf"Credentials\.{key}"):
        token_files(token)


@pytest.mark.parametrize("token", [None, "text", [], {}, {"Credentials": "text"}, {"AccessKeyId": "x"}])
def test_what_is_no_token_is_refused(token):
    with pytest.raises(InvalidInput, match="assume-role"):
        token_files(token)


@pytest.mark.parametrize("name", ["[x]", "a]b", "a\nb", "a b", "DEFAULT", "#x", "-x", "x" * 129])
def test_profile_names_that_break_the_file(name):
    with pytest.raises(InvalidInput, match="profile"):
        token_files(make_token(), profile=name)


@pytest.mark.parametrize("region", ["", "us west", "us-west-2; rm -rf ~", "US-WEST-2", "us-west-2\n"])
def test_regions_that_are_none(region):
    with pytest.raises(InvalidInput, match="region"):
        token_files(make_token(), region=region)


@settings(max_examples=200)
@given(secret=st.text(alphabet=CMD_TAKES, min_size=1), session=st.text(alphabet=CMD_TAKES, min_size=1))
def test_any_key_survives_cmd_the_profile_and_json(secret, session):
    token = make_token(secret=secret, session=session)
    files = token_files(token)
    assert run_cmd(files["env.cmd"]) == expected(token)
    profile = read_profile(files["credentials"], "123456789012-sbg-dev")
    assert (profile["aws_secret_access_key"], profile["aws_session_token"]) == (secret, session)
    assert json.loads(files["credential_process.json"])["SecretAccessKey"] == secret
