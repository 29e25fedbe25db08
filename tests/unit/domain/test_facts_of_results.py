# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Small facts that results and screens are made of."""

from __future__ import annotations

import json

import pytest
from ansible_collections.mdps.venue_sts.plugins.module_utils._domain import (
    awx_request,
    report,
    trust_plan,
    trust_reader,
)
from ansible_collections.mdps.venue_sts.plugins.module_utils._domain.issue_summary import table

from tests.support.receipts import issued


def test_what_cannot_be_decided_is_a_sentence() -> None:
    statement = {"Effect": "Allow", "NotPrincipal": {"AWS": "*"}, "Action": "sts:AssumeRole"}
    reading = trust_reader.read_trust({"Statement": [statement]})
    assert len(list(trust_plan.undecided(reading))) == len(reading.undecided) == 1


@pytest.mark.parametrize("number", [None, True, "7"])
def test_a_request_without_a_number_cannot_be_named(number: object) -> None:
    job = {"id": number, "extra_vars": json.dumps({"issue_user": "jdoe"})}
    with pytest.raises(awx_request.UnreadableAnswer):
        awx_request.waiting_for("jdoe", job)


def test_the_role_of_a_receipt_and_a_file_that_is_not_sealed() -> None:
    receipt = issued()
    assert receipt.role_arn.endswith(f"/{receipt.role_name}")
    handoff = {"target": "/t/x.json", "sealed_to": []}
    (_heading, row) = table([{"receipt": {**receipt.to_json(), "handoff": handoff}}])
    assert row.endswith("/t/x.json (not sealed)")


def test_venues_of_one_account_share_its_keys() -> None:
    keys = {"broker_account": "123456789012", "broker_result": {"sts_creds": {"access_key": "ASIAEXAMPLE"}}}
    hosts = [{"project": "sbg", "venue": one, "inventory_hostname": one, **keys} for one in ("dev", "ops")]
    (account,) = report.accounts(hosts)
    assert (account["key_host"], len(account["venues"])) == ("dev", 2)


def test_the_venue_that_asked_kion_says_why_an_account_has_no_keys() -> None:
    asked = {"broker_result": {"failed": True, "msg": "Kion does not accept the API key."}}
    hosts = [
        {"project": "sbg", "venue": one, "inventory_hostname": one, "broker_account": "123456789012", **more}
        for one, more in (("dev", {}), ("ops", asked), ("test", {}))
    ]
    for order in (hosts, hosts[::-1], [hosts[1], hosts[0]]):
        (account,) = report.accounts(order)
        assert account["problem"] == "Kion does not accept the API key."
    (account,) = report.accounts(hosts[:1])
    assert account["problem"] == "There are no credentials from Kion for this account."
