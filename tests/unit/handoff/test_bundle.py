# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The bundle, as somebody with a Windows laptop finds it. tests/enforcement/test_readme.py runs what it says."""

from __future__ import annotations

import configparser
import functools
import io
import json
import re
import shlex
import subprocess
import sys
import textwrap
import zipfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.mdps.venue_sts.plugins.module_utils._domain.errors import InvalidInput
from ansible_collections.mdps.venue_sts.plugins.plugin_utils import _bundle as bundle
from ansible_collections.mdps.venue_sts.plugins.plugin_utils._bundle import BundleSettings
from ansible_collections.mdps.venue_sts.plugins.plugin_utils._formats import OTHER_KEYS
from ansible_collections.mdps.venue_sts.plugins.plugin_utils._renewal_place import RenewalPlace

from tests.support.programs import required
from tests.support.tokens import TOKEN

EVERYTHING = {
    "access": ["s3_read", "s3_write", "ecr_create", "ecr_pull", "ecr_push"],
    "buckets": ["sbg-dev-unity-data"],
    "bucket_prefixes": [],
    "ecr_repositories": ["sbg/*"],
}
LEASE = RenewalPlace("sbg-dev-unity-data", "mdps-venue-sts/renewals/sbg/dev/unityuser/token.zip.age")
RECEIPT = {
    "recipient": "unityuser",
    "project": "sbg",
    "venue": "dev",
    "account_id": "123456789012",
    "region": "us-west-2",
    "role_arn": "arn:aws:iam::123456789012:role/unity-sbg-dev-sts",
    "session_name": "unityuser12252025",
    "issued_at": "2026-03-15T00:05:08Z",
    "expires_at": "2026-03-15T01:05:07Z",
    "allows": EVERYTHING,
}


def texts(
    *,
    settings: BundleSettings | None = None,
    verify: tuple[str, ...] = (),
    renewal: RenewalPlace | None = None,
    **facts: Any,
) -> dict[str, str]:
    """The files of a bundle."""
    chosen = settings or BundleSettings(contact="mdps@example.org")
    more = renewal.files({**RECEIPT, **facts}, "FAKE") if renewal else {}
    made = bundle.build_bundle({**RECEIPT, **facts}, TOKEN, chosen, "folder", verify, more=more)
    archive = zipfile.ZipFile(io.BytesIO(made.zip))
    assert archive.testzip() is None
    return {name: archive.read(name).decode() for name in archive.namelist()}


CONSOLE = BundleSettings(console_link=True)


def readme(*, verify: tuple[str, ...] = (), **allows: Any) -> str:
    return texts(allows={**EVERYTHING, **allows}, verify=verify)["README.txt"]


def test_it_says_what_when_how_and_whom_to_ask() -> None:
    text = readme()
    assert text.count("\n") == text.count("\r\n") > 50
    assert text.isascii()
    for words in (
        "VENUE DEV OF SBG",
        "Saturday 14 March 2026, 18:05 PDT",
        "2026-03-15 01:05 UTC",
        "Read and write data in Amazon S3:\r\n     s3://sbg-dev-unity-data/\r\n",
        'set "AWS_SHARED_CREDENTIALS_FILE=%CD%\\credentials"',
        '$Env:AWS_PROFILE = "123456789012-sbg-dev"',
        'export AWS_SHARED_CREDENTIALS_FILE="$PWD/credentials"',
        "CPL_AWS_CREDENTIALS_FILE",
        'set "AWS_REGION=us-west-2"',
        "aws ecr get-login-password --region us-west-2 | docker login --username AWS ",
        "docker logout 123456789012.dkr.ecr.us-west-2.amazonaws.com",
        "12 hours",
        "aws ecr create-repository --region us-west-2 --repository-name sbg/NAME",
        "Whom to ask: mdps@example.org",
        "unityuser12252025",
        "the refreshed credentials are still expired",
        'account 123456789012 and, at the end of "Arn", unityuser12252025.',
        "the credentials were revoked",
        "externally-managed-environment",
        "python -m awscli",
    ):
        assert words in text, words


@pytest.mark.parametrize(
    "name", ["a$(touch own)", "a`touch own`", 'a"; touch own; "', "a$HOME", "a\\", "a\u201d;own", "a!rm", "a%PATH%"]
)
def test_names_in_a_policy_run_no_command_of_their_own(name: str) -> None:
    """A session policy may come from somebody else than the recipient, who types these commands."""
    files = texts(
        settings=CONSOLE,
        allows={
            "places": [f"read,list data/{name}/", "read,list data/b c/"],
            "repositories": [f"create,push sbg/{name}*"],
        },
    )
    text = files["README.txt"]
    assert f"     s3://data/{name}/  (not below: shells would interpret its name)\r\n" in text
    assert f"(ECR): sbg/{name}*\r\n" in text
    used = text.partition("Use them\r\n")[2]
    assert 'aws s3 ls "s3://data/b c/"' in used and "--repository-name REPOSITORY\r\n" in used
    assert name not in used and name not in files["CLIENTS.txt"]


def test_a_notebook_uses_the_profile_whatever_credentials_its_computer_has(tmp_path: Path) -> None:
    """As on a cluster, whose notebooks get the role of their computer by variables."""
    files = texts()
    (tmp_path / "credentials").write_text(files["credentials"])
    lines = files["CLIENTS.txt"].partition("    import os\r\n")[2].partition("\r\n\r\n")[0]
    code = "import os\n" + textwrap.dedent(lines.replace("\r\n", "\n")).replace("FOLDER", str(tmp_path))
    show = "\nimport boto3; s = boto3.Session(); print(s.get_credentials().method, s.region_name)"
    own = dict.fromkeys(OTHER_KEYS, "own") | {"AWS_WEB_IDENTITY_TOKEN_FILE": str(tmp_path / "none")}
    environment = {**own, "HOME": str(tmp_path), "AWS_EC2_METADATA_DISABLED": "true"}
    command = [sys.executable, "-c", code + show]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.stdout == "shared-credentials-file us-west-2\n", done.stderr


@pytest.mark.parametrize(
    "own",
    [
        {"AWS_WEB_IDENTITY_TOKEN_FILE": "/nowhere", "AWS_ROLE_ARN": "arn:aws:iam::123456789012:role/notebooks"},
        {"AWS_DEFAULT_PROFILE": "own"},
        {"AWS_ACCESS_KEY_ID": "ASIASTALE", "AWS_SECRET_ACCESS_KEY": "x"},
    ],
)
def test_what_wins_over_the_profile_is_removed_by_the_readme(tmp_path: Path, own: dict[str, str]) -> None:
    files = texts()
    (tmp_path / "credentials").write_text(files["credentials"])
    found = re.search(r"^ \* bash and zsh:\r\n    (.*)\r\n", files["README.txt"], re.MULTILINE)
    assert found and set(own) <= set(found[1].split()[1:])
    profile = {"AWS_SHARED_CREDENTIALS_FILE": "credentials", "AWS_PROFILE": "123456789012-sbg-dev"}
    base = {"HOME": str(tmp_path), "AWS_EC2_METADATA_DISABLED": "true", **profile}
    show = [sys.executable, "-c", "import boto3; print(boto3.Session().get_credentials().method)"]
    run = functools.partial(subprocess.run, show, cwd=tmp_path, capture_output=True, text=True)
    assert run(env={**base, **own}).stdout != "shared-credentials-file\n"
    assert run(env=base).stdout == "shared-credentials-file\n"


def test_what_is_opened_as_the_guide_says_is_for_its_owner_alone(tmp_path: Path) -> None:
    """age, gpg and openssl write what they open with the usual mode, which other users may read."""
    guide = (Path(__file__).parents[3] / "docs" / "recipients.md").read_text(encoding="utf-8")
    opening = guide.partition("## 3. Open it")[2].partition("## 4.")[0]
    command = next(re.finditer(r"`(age --decrypt [^`]*)`", opening))[1]
    first = [found[1] for found in re.finditer(r"type `(umask[^`]*)`", opening[: opening.index(command)])]
    script = "\n".join(
        [
            "set -e; umask 022; age-keygen -o key.txt; echo FAKE >plain",
            'age --encrypt --recipient "$(age-keygen -y key.txt)" --output x.zip.age plain',
            *first,
            command,
        ]
    )
    subprocess.run(["sh", "-c", script], cwd=tmp_path, capture_output=True, check=True)
    assert (tmp_path / "x.zip").stat().st_mode & 0o777 == 0o600
    for text in (readme(), guide):
        assert re.search("(?i)delete the\\s+zip file", text) and re.search("folder and the\\s+zip file", text)


def test_the_next_credentials_can_be_copied_into_the_same_file() -> None:
    """AWS tools read no profile at all of a file with two sections of one name."""
    files = texts(renewal=LEASE)
    copied = "[other]\nregion = us-east-1\n" + files["credentials"] + "[last]\nregion = us-east-2\n"
    said = re.search(
        r"has the line (\[\S+\]) already,\s+first delete that line and\s+the (\d+) lines", files["README.txt"]
    )
    assert said
    lines = copied.splitlines()
    start = lines.index(said[1])
    del lines[start : start + 1 + int(said[2])]
    parser = configparser.RawConfigParser()
    parser.read_string("\n".join([*lines, files["credentials"]]))
    assert parser.sections() == ["other", "last", "123456789012-sbg-dev"]
    assert "If it is there\r\nfrom an earlier bundle, change its lines" in files["README.txt"]


def test_a_profile_of_the_same_name_is_explained(tmp_path: Path) -> None:
    """A role in the recipient's own configuration wins over the credentials."""
    (tmp_path / "credentials").write_text(texts()["credentials"])
    section = "[profile 123456789012-sbg-dev]"
    (tmp_path / "config").write_text(f"{section}\nrole_arn = arn:aws:iam::123456789012:role/own\nsource_profile = x\n")
    environment = {
        "AWS_SHARED_CREDENTIALS_FILE": str(tmp_path / "credentials"),
        "AWS_CONFIG_FILE": str(tmp_path / "config"),
        "AWS_PROFILE": "123456789012-sbg-dev",
    }
    show = [sys.executable, "-c", "import boto3; print(boto3.Session().get_credentials().method)"]
    run = functools.partial(subprocess.run, show, env=environment, capture_output=True, text=True)
    assert run().stdout != "shared-credentials-file\n"
    assert f"look for {section} in the file\r\n.aws/config" in readme()
    (tmp_path / "config").write_text((tmp_path / "config").read_text().replace(section, "[profile own]"))
    assert run().stdout == "shared-credentials-file\n"


def test_nothing_needs_to_be_run_from_the_bundle() -> None:
    """The main way reads one file. Scripts are named only in the list of files and for the desktop."""
    use = readme().partition("Use them")[2].partition("Programs started from the desktop")[0]
    assert not re.search(r"\bcall\b|Invoke-Expression|\. \./|source|env\.", use)
    for shell in ("Command Prompt", "PowerShell:", "bash ", "fish:", "tcsh and csh:"):
        lines = use.split(shell, 1)[1].split("\r\n\r\n")[0].splitlines()[1:]
        assert len(lines) == 3 and lines[2].strip() == "aws sts get-caller-identity"


def test_the_lines_for_powershell_are_powershell() -> None:
    """Those of the README, and those of the guide for recipients. No PowerShell runs on this machine."""
    tree_sitter = pytest.importorskip("tree_sitter", reason="tree-sitter is not installed in this environment")
    grammar = pytest.importorskip("tree_sitter_powershell", reason="its grammar is not installed in this environment")
    parser = tree_sitter.Parser(tree_sitter.Language(grammar.language()))
    blocks = re.findall(r"^ (?:\* )?PowerShell:\r\n((?:    .*\r\n)+)", readme(), re.MULTILINE)
    guide = (Path(__file__).parents[3] / "docs" / "recipients.md").read_text(encoding="utf-8")
    blocks += re.findall(r"```powershell\n(.*?)```", guide, re.DOTALL)
    assert len(blocks) == 5
    for block in blocks:
        assert not parser.parse(block.encode()).root_node.has_error, block


@pytest.mark.parametrize("words", [("s3_read",), ("s3_write",), ("s3_read", "s3_write")])
def test_only_what_the_token_allows_is_described(words: tuple[str, ...]) -> None:
    text = readme(access=list(words), bucket_prefixes=["pub/l2", "calibration/"], ecr_repositories=[])
    for place in ("s3://sbg-dev-unity-data/pub/l2/", "s3://sbg-dev-unity-data/calibration/"):
        assert (f"aws s3 cp {place}NAME ." in text) is ("s3_read" in words)
        assert (f"aws s3 cp NAME {place}NAME" in text) is ("s3_write" in words)
    assert "s3://sbg-dev-unity-data/\r\n" not in text
    assert "docker login" not in text and "create-repository" not in text
    assert "outside the folders above" in text


@pytest.mark.parametrize(("delete", "listing"), [(True, True), (False, False), (None, None)])
def test_deleting_and_listing_are_promised_only_where_they_work(delete: bool | None, listing: bool | None) -> None:
    text = readme(delete=delete, list=listing)
    verbs = "Read, write and delete" if delete else "Read and write"
    assert f" * {verbs} data in Amazon S3:\r\n" in text
    assert ("    aws s3 rm s3://sbg-dev-unity-data/NAME\r\n" in text) is (delete is True)
    assert (" * delete data (aws s3 rm s3://...)\r\n" in text) is (delete is not True)
    for command in ("ls s3://sbg-dev-unity-data/", "sync FOLDER", "sync s3://"):
        assert (f"    aws s3 {command}" in text) is (listing is not False), command
    assert (" * list data (aws s3 ls s3://...)\r\n" in text) is (listing is False)


def test_a_token_for_containers_says_nothing_of_data() -> None:
    text = readme(access=["ecr_pull"], buckets=[], ecr_repositories=["sbg/app"])
    assert "docker pull 123456789012.dkr.ecr.us-west-2.amazonaws.com/sbg/app:TAG" in text
    for words in ("docker push", "create-repository --", "s3://sbg", "NAME with your own name"):
        assert words not in text


@pytest.mark.parametrize(
    ("pattern", "name"),
    [("sbg/*", "sbg/NAME"), ("sbg/pre*", "sbg/preNAME"), ("sbg/app", "sbg/app"), ("sbg/*-l?", "sbg/NAME-lx")],
)
def test_a_pattern_of_repositories_becomes_a_name_to_fill_in(pattern: str, name: str) -> None:
    text = readme(ecr_repositories=[pattern])
    assert f"--repository-name {name}\r\n" in text
    assert f"(ECR): {pattern}\r\n" in text
    assert ("Replace NAME with your own name, in lower case" in text) is (name != pattern)


@pytest.mark.parametrize("folder", ["R&D", "a;b", "it's", "l(2)", "x|y>z", "Núñez", "#1", "a,b=c", "{n}"])
@pytest.mark.parametrize("shell", ["sh", "bash", pytest.param("fish", marks=required("fish"))])
def test_a_folder_of_any_name_stays_one_word_in_every_shell(tmp_path: Path, folder: str, shell: str) -> None:
    (tmp_path / "aws").write_text("#!/bin/sh\nprintf '%s\\n' \"$@\"\n")
    (tmp_path / "aws").chmod(0o755)
    files = texts(allows={**EVERYTHING, "bucket_prefixes": [folder], "delete": True}, settings=CONSOLE)
    url = f"s3://sbg-dev-unity-data/{folder}/"
    commands = re.findall(r"^    (aws s3 .*)\r$", files["README.txt"], re.MULTILINE)
    assert len(commands) == 6
    for command in commands:
        environment = {"PATH": f"{tmp_path}:/usr/bin:/bin", "HOME": str(tmp_path), "LC_ALL": "C.UTF-8"}
        done = subprocess.run(
            [shell, "-c", command], env=environment, cwd=tmp_path, capture_output=True, text=True, check=True
        )
        assert any(word in (url, f"{url}NAME", f"{url}FOLDER/") for word in done.stdout.splitlines()), done.stdout
    assert shlex.split(re.findall(r"^    (python .*)\r$", files["README.txt"], re.MULTILINE)[-1])[-1] == f"{folder}/"
    part = files["CLIENTS.txt"].replace("\r", "").partition("boto3)\n")[2].partition("Python: s3fs")[0]
    compile("\n".join(re.findall(r"^    (.*)$", part, re.MULTILINE)), "CLIENTS.txt", "exec")


def test_what_is_not_known_is_not_claimed() -> None:
    for allows in (None, {}, {"access": None, "buckets": None}):
        text = texts(allows=allows)["README.txt"]
        assert "What they allow was not recorded. Ask: mdps@example.org" in text
        assert "s3://" not in text.partition("What the credentials allow")[2] and "docker login" not in text
        assert "They give access to nothing else" not in text
    assert "s3://BUCKET/  (ask for the name of the BUCKET)" in readme(buckets=None)
    assert "(ECR): (ask for their names)" in readme(ecr_repositories=None)


def test_places_that_differ_are_described_one_by_one() -> None:
    places = ["read,list data/", "read,write,list data/out/", "write more/pub"]
    text = readme(places=places, repositories=["create sbg/n*", "pull,push sbg/app", "pull shared/*"])
    assert " * Read and write data in Amazon S3:\r\n     s3://data/out/\r\n * Read data in" in text
    for line in (
        "    aws s3 cp NAME s3://data/out/NAME",
        "    aws s3 cp NAME s3://more/pubNAME",
        " * write data elsewhere than in s3://data/out/, s3://more/pub",
        " * Push container images (ECR): sbg/app",
        " * Pull container images (ECR): sbg/app, shared/*",
        " * push images of shared/*",
        "    aws ecr create-repository --region us-west-2 --repository-name sbg/nNAME",
        "    docker push 123456789012.dkr.ecr.us-west-2.amazonaws.com/sbg/app:TAG",
    ):
        assert f"{line}\r\n" in text, line
    for line in ("aws s3 cp NAME s3://data/NAME", "aws s3 ls s3://more/", "aws s3 cp s3://more/pubNAME ."):
        assert f"    {line}\r\n" not in text
    assert "the most that they open" not in text


def test_what_a_policy_may_take_away_is_not_promised() -> None:
    text = readme(narrowed=True)
    assert "This is the most that they allow." in text and "aws s3 ls s3://sbg-dev-unity-data/" in text
    one_object = readme(access=["s3_read"], places=[], repositories=[], narrowed=True)
    assert "aws s3 cp" not in one_object and "read or write data" not in one_object
    assert "s3://BUCKET/in/" in readme(buckets=None, places=["read */in/"], repositories=[])
    assert "s3://known/in/" in readme(buckets=["known"], places=["read */in/"], repositories=["pull *"])
    assert "(ECR): (ask for their names)" in readme(places=[], repositories=["pull *"])


def test_the_sender_is_checked_before_anything_is_used() -> None:
    unsigned, signed = readme(), readme(verify=("ssh-keygen -Y verify -f signers.txt",))
    for text in (unsigned, signed):
        assert text.index("who sent this?") < text.index("What the credentials allow") < text.index("Use them")
    assert "certutil -hashfile FILE SHA256" in unsigned and "the AWS account (123456789012)" in unsigned
    assert "    ssh-keygen -Y verify -f signers.txt\r\n" in signed and "certutil" not in signed


@pytest.mark.parametrize(
    ("partition", "region", "host"),
    [("aws-us-gov", "us-gov-west-1", "amazonaws.com"), ("aws-cn", "cn-north-1", "amazonaws.com.cn")],
)
def test_other_partitions(partition: str, region: str, host: str) -> None:
    arn = f"arn:{partition}:iam::123456789012:role/unity-sbg-dev-sts"
    assert f"123456789012.dkr.ecr.{region}.{host}\r\n" in texts(region=region, role_arn=arn)["README.txt"]


def test_every_file_is_explained_and_exists() -> None:
    for console_link in (False, True):
        found = texts(settings=BundleSettings(console_link=console_link), renewal=LEASE if console_link else None)
        assert ("console_link.py" in found) is console_link
        assert ("console_link.py" in found["README.txt"]) is console_link
        listed = re.findall(r"^    ([\w.-]+) {2,}(\S.*)\r$", found["README.txt"], re.MULTILINE)
        assert {name for name, _purpose in listed} == set(found) - {"README.txt"}


def test_the_bundle_of_a_lease_renews_itself_and_no_other_does() -> None:
    lease, other = texts(renewal=LEASE), texts()
    assert set(lease) - set(other) == {"renewal.json", "renew.sh", "renew.ps1"}
    assert "You have a lease" not in other["README.txt"]
    part = lease["README.txt"].partition("Automatic renewal")[2].partition("The data")[0]
    prose = [line for line in part.splitlines()[2:] if line and not line.startswith("    ")]
    assert len(prose[:5]) == 5 and prose[5:] == ["On Windows, the last line is:"]
    assert (
        'credential_process = sh "FOLDER/renew.sh" "KEY-FILE"' in part
        and "[profile 123456789012-sbg-dev-lease]" in part
    )
    assert "\r" not in lease["renew.sh"] and lease["renew.ps1"].count("\n") == lease["renew.ps1"].count("\r\n")
    assert json.loads(lease["renewal.json"]) == {
        "schema": 1,
        "bucket": "sbg-dev-unity-data",
        "key": "mdps-venue-sts/renewals/sbg/dev/unityuser/token.zip.age",
        "region": "us-west-2",
        "role_arn": "arn:aws:iam::123456789012:role/unity-sbg-dev-sts",
        "account_id": "123456789012",
        "user": "unityuser",
        "issued_at": "2026-03-15T00:05:08Z",
        "expires_at": "2026-03-15T01:05:07Z",
        "signed": "FAKE",
    }


def test_no_key_is_in_the_texts_for_reading() -> None:
    found = texts()
    for name in ("README.txt", "CLIENTS.txt", "desktop.cmd"):
        for key in ("AccessKeyId", "SecretAccessKey", "SessionToken"):
            assert TOKEN["Credentials"][key] not in found[name]


def test_a_sites_own_template(tmp_path: Path) -> None:
    own = tmp_path / "own.txt"
    own.write_text("{{ recipient }} until {{ ends_utc }}\n")
    settings = BundleSettings(readme_template=own)
    settings.example()
    assert texts(settings=settings)["README.txt"] == "unityuser until 2026-03-15 01:05 UTC\r\n"
    for bad in (
        "{{ secret_key }}",
        "{% if %}",
        "{{ ''.__class__.__mro__ }}",
        "{{ 1 / 0 }}",
        "{{ [][1] }}",
        "{{ 1 + '' }}",
    ):
        own.write_text(bad)
        with pytest.raises(InvalidInput, match=r"own\.txt does not work"):
            settings.example()


@pytest.mark.parametrize(
    ("settings", "option"),
    [
        ({"profile_name": "my profile"}, "profile_name"),
        ({"profile_name": "DEFAULT"}, "profile_name"),
        ({"contact": "Jane\n[default]"}, "contact"),
        ({"contact": "Jane \x1b[31m"}, "contact"),
    ],
)
def test_a_text_that_no_bundle_can_have_is_found_before_there_is_a_token(settings: dict[str, str], option: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        BundleSettings(**settings).example()
    assert caught.value.facts["option"] == option
    assert caught.value.message.endswith(".")


@pytest.mark.parametrize("name", ["Mars/Olympus", "", "../etc/passwd", "America/los angeles"])
def test_an_unknown_time_zone_is_found_before_there_is_a_token(name: str) -> None:
    with pytest.raises(InvalidInput, match="time_zone"):
        BundleSettings(time_zone=name).example()


@pytest.mark.parametrize("given", ["", "sbg-data"])
def test_the_profile_is_the_admins_choice_or_that_of_the_venue(given: str) -> None:
    found = texts(settings=BundleSettings(profile_name=given))
    profile = given or bundle.profile_name(TOKEN)
    assert f"[{profile}]" in found["credentials"]
    assert profile in found["README.txt"] and profile in found["CLIENTS.txt"]


def test_the_same_input_gives_the_same_zip() -> None:
    made_at = datetime(2026, 3, 15, 0, 5, 8, tzinfo=UTC)
    first = bundle.Bundle({"b": "2", "README.txt": "read", "A": "1"}, made_at, "stem", "subject")
    assert first.zip == bundle.Bundle({"A": "1", "b": "2", "README.txt": "read"}, made_at, "stem", "subject").zip
    archive = zipfile.ZipFile(io.BytesIO(first.zip))
    assert archive.namelist() == ["README.txt", "A", "b"]
    assert {(entry.date_time, entry.external_attr >> 16) for entry in archive.infolist()} == {
        ((2026, 3, 15, 0, 5, 8), 0o600)
    }


def test_the_documents_are_those_of_the_token() -> None:
    found = texts()
    assert json.loads(found["token.json"]) == TOKEN
    assert found["credentials"].splitlines()[1] == "[123456789012-sbg-dev]"


def test_what_was_prepared_is_not_compiled_again(monkeypatch: pytest.MonkeyPatch) -> None:
    bundle.prepare()
    monkeypatch.setattr(bundle, "SandboxedEnvironment", None)
    assert "README.txt" in texts()
