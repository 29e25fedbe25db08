# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The demo: an admin provisions two venues and issues a token, on an embedded AWS emulator.

Run by ``make demo``, or from an installed collection with a Python that has ansible-core, boto3, moto[server] and
pyrage.
The playbooks are the real ones; only the credentials and AWS_URL are those of the emulator. It is removed at the end.
"""

from __future__ import annotations

import functools
import io
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import textwrap
import zipfile
from collections.abc import Callable
from typing import Any

try:
    import boto3
    import pyrage
    from embedded_aws import REGION, Moto
except ImportError as missing:
    raise SystemExit(f"The demo needs {missing.name}: pip install ansible-core boto3 'moto[server]' pyrage") from None

HERE = pathlib.Path(__file__).resolve().parent
ANSIBLE = pathlib.Path(sys.prefix) / "bin" / "ansible-playbook"
QUIET = {"ANSIBLE_LOCALHOST_WARNING": "false", "ANSIBLE_INVENTORY_UNPARSED_WARNING": "false"}


def tell(text: str) -> None:
    """Print the next step."""
    print(
        f"\n\033[1m{textwrap.fill(text, 110)}\033[0m" if sys.stdout.isatty() else f"\n### {textwrap.fill(text, 110)}",
        flush=True,
    )


def expect(holds: bool, what: str) -> None:
    """Stop the demo if it does not show what it says."""
    if not holds:
        raise SystemExit(f"The demo failed: {what}")


def play(env: dict[str, str], *arguments: str, code: int = 0) -> str:
    """Run ansible-playbook as the admin does, show command and output, and return the output."""
    shown = " ".join(f"'{one}'" if " " in one else one for one in arguments).replace(f"{HERE}/", "demo/")
    print(f"\n$ ansible-playbook {shown}", flush=True)
    done = subprocess.run(
        [ANSIBLE, *arguments], env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
    )
    print(done.stdout, flush=True)
    expect(done.returncode == code, f"exit status {done.returncode} where {code} was expected.")
    return done.stdout


def hour_keys(aws: Moto) -> dict[str, str]:
    """The admin's credentials for an hour, as Kion returns them: a session of the account's operator role."""
    trust = {
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": "sts:AssumeRole"}],
    }
    role = aws.client("iam").create_role(RoleName="mcp-tenantOperator", AssumeRolePolicyDocument=json.dumps(trust))[
        "Role"
    ]
    keys = aws.client("sts").assume_role(RoleArn=role["Arn"], RoleSessionName="admin")["Credentials"]
    return {
        "AWS_ACCESS_KEY_ID": keys["AccessKeyId"],
        "AWS_SECRET_ACCESS_KEY": keys["SecretAccessKey"],
        "AWS_SESSION_TOKEN": keys["SessionToken"],
    }


def make_key(directory: pathlib.Path) -> pyrage.x25519.Identity:
    """Do what jdoe does once with age-keygen: create a key, and send the public half to the admin."""
    identity = pyrage.x25519.Identity.generate()
    directory.mkdir(mode=0o700)
    (directory / "jdoe.age").write_text(f"{identity.to_public()}\n")
    print(f"\nThe admin's key directory: jdoe.age is {identity.to_public()}")
    return identity


def open_bundle(sealed: pathlib.Path, identity: pyrage.x25519.Identity) -> dict[str, dict[str, str]]:
    """Open a sealed bundle as its recipient, show what is in it, and return the token."""
    armored = sealed.read_bytes()
    expect(armored.startswith(b"-----BEGIN AGE ENCRYPTED FILE-----"), "the bundle is not sealed.")
    print(f"\n$ age --decrypt --identity key.txt --output token.zip {sealed.name}")
    with zipfile.ZipFile(io.BytesIO(pyrage.decrypt(armored, [identity]))) as bundle:
        names = sorted(bundle.namelist())
        print("\n".join(f"  {pathlib.PurePath(name).name}" for name in names))
        readme = bundle.read(next(name for name in names if name.endswith("README.txt"))).decode()
        print("\n" + "\n".join(f"  | {line}" for line in readme.splitlines()[:14]) + "\n  | ...")
        token: dict[str, dict[str, str]] = json.loads(
            bundle.read(next(name for name in names if name.endswith("/token.json") or name == "token.json"))
        )
    return token


def use(aws: Moto, token: dict[str, dict[str, str]], bucket: str) -> None:
    """Do what a recipient does with a token."""
    keys = token["Credentials"]
    session = boto3.Session(keys["AccessKeyId"], keys["SecretAccessKey"], keys["SessionToken"], region_name=REGION)
    connect: Any = session.client  # type stubs know clients by literal names only
    s3, ecr, sts = (connect(service, endpoint_url=aws.url) for service in ("s3", "ecr", "sts"))
    print(f"\nI am           {sts.get_caller_identity()['Arn']}")
    s3.put_object(Bucket=bucket, Key="incoming/hello.txt", Body=b"hello from jdoe")
    print(f"wrote          s3://{bucket}/incoming/hello.txt")
    text = s3.get_object(Bucket=bucket, Key="incoming/hello.txt")["Body"].read().decode()
    print(f"read it back   {text}")
    expect(text == "hello from jdoe", "the object came back changed.")
    print(f"created        {ecr.create_repository(repositoryName='sbg/preprocess')['repository']['repositoryUri']}")


def story(aws: Moto, folder: pathlib.Path) -> None:
    """Run all steps of the demo."""
    buckets = [aws.publish("sbg", "dev"), aws.publish("emit", "ops")]
    env = {**os.environ, **QUIET, **aws.environment(), **hour_keys(aws), "AWS_EC2_METADATA_DISABLED": "true"}
    inventory = ("-i", f"{HERE}/inventory.yml")

    tell(
        "1. The account publishes the data buckets of two venues in SSM. The admin has credentials from Kion and "
        "provisions both venues."
    )
    expect("failed=0" in play(env, "mdps.venue_sts.provision", *inventory), "provisioning failed.")

    tell("2. The second run changes nothing.")
    again = play(env, "mdps.venue_sts.provision", *inventory)
    expect(
        all("changed=0" in line for line in again.splitlines() if "ok=" in line), "the second run changed something."
    )

    tell(
        "3. jdoe has no AWS account and asks for access to sbg-dev. The admin has jdoe's public key. The token is "
        "sealed to it in memory."
    )
    identity = make_key(folder / "recipients")
    one = ("-e", "project=sbg", "-e", "venue=dev", "-e", "user=jdoe")
    places = {
        "handoff_key_directory": f"{folder}/recipients",
        "handoff_undelivered": f"{folder}/undelivered",
        "handoff_dest": f"{folder}/for-lft/",
        "handoff_receipts_file": f"{folder}/receipts.jsonl",
    }
    options = [part for name, value in places.items() for part in ("-e", f"{name}={value}")]
    issue = functools.partial(play, env, "mdps.venue_sts.issue", *one, *options)
    shown = issue()
    hand_off(aws, folder, identity, shown, buckets[0])
    refuse_and_record(issue, folder)

    tell("8. The admin removes both venues.")
    play(env, "mdps.venue_sts.deprovision", *inventory, "-e", "confirm=all")
    expect(
        not [role for role in aws.client("iam").list_roles()["Roles"] if role["RoleName"].endswith("-sts")],
        "a role still exists.",
    )


def hand_off(aws: Moto, folder: pathlib.Path, identity: pyrage.x25519.Identity, shown: str, bucket: str) -> None:
    """The recipient's part."""
    tell(
        "4. The admin sends the sealed file to jdoe by LFT. Only jdoe can open it. It contains the "
        "credentials and a README."
    )
    token = open_bundle(next((folder / "for-lft").iterdir()), identity)
    expect(token["Credentials"]["SecretAccessKey"] not in shown, "a key was shown.")

    tell("5. jdoe uses the token.")
    use(aws, token, bucket)


def refuse_and_record(issue: Callable[..., str], folder: pathlib.Path) -> None:
    """What protects the venue: a refusal, and the receipt."""
    tell("6. A requester sends the external ID of another venue. No token is issued.")
    refused = issue("-e", "issue_external_id=external-id-of-another-venue", code=2)
    expect("is not this venue's" in refused, "the wrong external ID was not refused.")

    tell("7. For the auditor: the receipt. It was written before AWS was asked, and again after the delivery.")
    receipts = (folder / "receipts.jsonl").read_text()
    print(f"\n{receipts}")
    states = [json.loads(line)["state"] for line in receipts.splitlines()]
    expect(states == ["requested", "delivered"], "the receipt should say requested, then delivered.")


def main() -> None:
    """Run the demo in a folder of its own, which is removed at the end."""
    with tempfile.TemporaryDirectory(prefix="venue_sts_demo.") as name, Moto(pathlib.Path(name) / "moto.log") as aws:
        story(aws, pathlib.Path(name))
    tell(
        "Done. With AWS: run the same commands with your credentials and your inventory, without AWS_URL. Continue "
        "with docs/first-venue.md."
    )


if __name__ == "__main__":
    main()
