# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The drill: an exposed access key is identified and revoked, and another recipient continues to work.

The second part of ``make demo``, on an AWS emulator that enforces policies and is removed afterwards.
docs/incident.md is the runbook for the real case, with the same playbooks.
"""

from __future__ import annotations

import os
import pathlib
import tempfile

from botocore.exceptions import ClientError
from embedded_aws import Ministack, program
from recipients import Recipient

from demo import QUIET, expect, play, tell

VENUE = ("-e", "project=sbg", "-e", "venue=dev")


def call(aws: Ministack, who: Recipient, bucket: str) -> bool:
    """Do what a recipient does all day; show whether AWS lets them."""
    keys = who.keys()
    try:
        aws.client("s3", **keys).list_objects_v2(Bucket=bucket)
    except ClientError as error:
        print(f"{who.name:<10} aws s3 ls s3://{bucket}/   refused: {error.response['Error']['Code']}")
        return False
    print(f"{who.name:<10} aws s3 ls s3://{bucket}/   works")
    return True


def prepare(env: dict[str, str], folder: pathlib.Path) -> list[Recipient]:
    """Provision a venue, and issue a token each to two recipients."""
    (folder / "recipients").mkdir(mode=0o700)
    people = [Recipient(name, folder) for name in ("jdoe", "jane")]
    expect(
        "failed=0" in play(env, "mdps.venue_sts.provision", *VENUE, "-e", "provision_permissions_boundary=none"), "-"
    )
    places = {
        "handoff_key_directory": f"{folder}/recipients",
        "handoff_undelivered": f"{folder}/undelivered",
        "handoff_receipts_file": f"{folder}/receipts.jsonl",
    }
    options = [part for name, value in places.items() for part in ("-e", f"{name}={value}")]
    for one in people:
        play(
            env, "mdps.venue_sts.issue", *VENUE, "-e", f"user={one.name}", "-e", f"handoff_dest={one.inbox}/", *options
        )
    return people


def drill(aws: Ministack, folder: pathlib.Path) -> None:
    """Run the three steps."""
    bucket = aws.publish("sbg", "dev")
    env = {**os.environ, **QUIET, **aws.environment(), "AWS_EC2_METADATA_DISABLED": "true"}
    tell("Drill. Two recipients hold tokens of the venue sbg-dev, on an AWS that enforces policies.")
    jdoe, jane = prepare(env, folder)

    tell(f"Drill 1 of 3. The key {jdoe.access_key_id} is found in a public repository. Nothing else is known of it.")
    expect(call(aws, jdoe, bucket) and call(aws, jane, bucket), "both tokens should work.")

    tell("Drill 2 of 3. The incident playbook says what the key is. Then it ends it.")
    found = ("-e", f"access_key_id={jdoe.access_key_id}", "-e", f"receipts_file={folder}/receipts.jsonl")
    shown = play(env, "mdps.venue_sts.incident", *found)
    expect("RECIPIENT     jdoe" in shown and "VALID until" in shown, "the key was not identified.")
    # The emulator's policy simulation does not know sessions, so step 3 is the proof. With AWS, leave verify alone.
    play(env, "mdps.venue_sts.incident", *found, "-e", "act=true", "-e", "verify=false")

    tell("Drill 3 of 3. jdoe's next call is refused. jane goes on working.")
    expect(not call(aws, jdoe, bucket), "jdoe's token still works.")
    expect(call(aws, jane, bucket), "jane's token was revoked, too.")
    tell("The drill is done. Continue with docs/incident.md.")


def main() -> None:
    """Run the drill in a folder of its own, which is removed at the end."""
    if not program():
        raise SystemExit("The drill needs ministack: pip install ministack, in an environment of its own, and its "
                         "bin folder in PATH")  # fmt: skip
    with tempfile.TemporaryDirectory(prefix="venue_sts_drill.") as name:
        folder = pathlib.Path(name)
        with Ministack(folder / "ministack.log", LOG_LEVEL="WARNING", HOME=name) as aws:
            drill(aws, folder)


if __name__ == "__main__":
    main()
