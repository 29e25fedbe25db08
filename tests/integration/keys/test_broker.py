# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Role ``broker`` in a play: the keys reach the tasks that follow, and no eye."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

import pytest
import yaml

from tests.support.kion import API_KEY, Kion, role
from tests.support.playbook import ansible_playbook

# The play of the role's README, with its tasks left to each test.
PLAY = """
- name: Use the venue's account with credentials from Kion
  hosts: localhost
  connection: local
  gather_facts: false
  module_defaults:
    group/amazon.aws.aws: "{{ broker_keys }}"
    group/mdps.venue_sts.venue_sts: "{{ broker_keys }}"
  roles:
    - role: mdps.venue_sts.broker
      vars:
        broker_account: "123456789012"
        broker_iam_role_name: mcp-tenantOperator
"""
WHO = {"name": "Who am I", "amazon.aws.aws_caller_info": {}, "register": "who"}
SHOW = {"name": "Show", "ansible.builtin.debug": {"msg": "I am {{ who.arn }}"}}
WHERE = {"broker_account": "123456789012", "broker_iam_role_name": "mcp-tenantOperator"}
AGAIN = {"name": "Again", "ansible.builtin.include_role": {"name": "mdps.venue_sts.broker"}, "vars": WHERE}
CHECK = {"name": "Check", "ansible.builtin.include_role": {"name": "mdps.venue_sts.broker", "tasks_from": "check"}}
# Another path to the same Python: no longer "the one that runs the playbook", so the modules are shipped.
SHIPPED = ("-e", f"ansible_python_interpreter={Path(sys.executable).parent}/python3")
MINTED = "/api/v3/temporary-credentials"


@pytest.fixture
def kion(tmp_path, moto):
    """A Kion whose keys moto knows: they are a session of the admin's role."""
    statement = {"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": "sts:AssumeRole"}
    trust = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    arn = moto.client("iam").create_role(RoleName="mcp-tenantOperator", AssumeRolePolicyDocument=trust)["Role"]["Arn"]
    issued = moto.client("sts").assume_role(RoleArn=arn, RoleSessionName="from-kion")["Credentials"]
    with Kion(tmp_path) as server:
        server.keys = {
            "access_key": issued["AccessKeyId"],
            "secret_access_key": issued["SecretAccessKey"],
            "session_token": issued["SessionToken"],
        }
        yield server


def play(tmp_path, kion, moto, *tasks, options=(), **environment):
    document = yaml.safe_load(PLAY)
    document[0]["tasks"] = list(tasks)
    (tmp_path / "play.yml").write_text(yaml.safe_dump(document))
    given = {
        "AWS_URL": moto.url,
        "AWS_REGION": "us-west-2",
        "KION_CONFIG": str(tmp_path / "none"),
        "no_proxy": "127.0.0.1",
        "ANSIBLE_PYTHON_INTERPRETER": sys.executable,
    }
    env = {**kion.environment(), **given, "ANSIBLE_LOG_PATH": str(tmp_path / "log"), **environment}
    run = ansible_playbook(
        "play.yml", "-vvvvv", "--diff", "-e", f"broker_ca_path={kion.ca}", *options, env=env, cwd=tmp_path
    )
    for secret in (kion.keys["secret_access_key"], kion.keys["session_token"], API_KEY):
        assert secret not in run.output
        assert secret not in (tmp_path / "log").read_text()
    return run


def minted(kion):
    return [path for _method, path, _body in kion.seen].count(MINTED)


@pytest.mark.parametrize("options", [(), ("--check",), SHIPPED])
def test_the_keys_reach_amazon_aws_and_are_never_displayed(tmp_path, kion, moto, options):
    run = play(tmp_path, kion, moto, WHO, SHOW, options=options).expect()
    assert "I am arn:aws:sts::123456789012:assumed-role/mcp-tenantOperator/from-kion" in run.output
    assert '"expiry_source": "duration"' in run.output


def test_an_api_key_given_as_a_variable_is_not_displayed_either(tmp_path, kion, moto):
    (tmp_path / "vars.yml").write_text(f"broker_api_key: {API_KEY}\n")
    play(tmp_path, kion, moto, WHO, options=("-e", "@vars.yml"), KION_API_KEY="wrong").expect()


def test_keys_with_enough_life_left_are_kept(tmp_path, kion, moto):
    play(tmp_path, kion, moto, AGAIN, WHO).expect()
    assert minted(kion) == 1


def test_keys_with_too_little_life_left_are_fetched_again(tmp_path, kion, moto):
    kion.script = [(200, json.dumps({"status": 200, "data": {**kion.keys, "duration": 1000}}), {})]
    play(tmp_path, kion, moto, {**AGAIN, "vars": {**WHERE, "broker_minimum_seconds": 1200}}, WHO).expect()
    assert minted(kion) == 2


OTHER_REQUESTS = [
    {"broker_account": "210987654321"},
    {"broker_account": "sbg-dev"},
    {"broker_iam_role_name": "mcp-reader"},
    {"broker_config_file": "/another"},
    {"broker_idms": 2},
]


def test_keys_of_another_request_are_not_kept(tmp_path, kion, moto):
    kion.roles = [role("A"), role("B", number="210987654321", account_alias="sbg-ops"), role("C", iam="mcp-reader")]
    others = [{**AGAIN, "vars": {**WHERE, **change}} for change in OTHER_REQUESTS]
    play(tmp_path, kion, moto, *others, others[-1], WHO).expect()
    assert minted(kion) == 1 + len(OTHER_REQUESTS)


def test_keys_that_cannot_live_long_enough_are_refused(tmp_path, kion, moto):
    kion.duration = 600
    run = play(tmp_path, kion, moto, WHO).expect(2)
    assert "Kion returns credentials for 600 seconds only, and 900 are needed" in run.output
    assert "Who am I" not in run.output


def test_keys_that_expire_in_the_middle_are_said_to_have(tmp_path, kion, moto):
    later = {**CHECK, "vars": {"broker_seconds_left": -1}}
    run = play(tmp_path, kion, moto, later).expect(2)
    assert (
        "The credentials from Kion expired at 20" in run.output
        and "run the role mdps.venue_sts.broker again" in run.output
    )


def test_good_keys_pass_the_check(tmp_path, kion, moto):
    assert "The credentials from Kion are valid until 20" in play(tmp_path, kion, moto, CHECK).expect().output


def test_a_role_that_is_not_mine_shows_the_choice(tmp_path, kion, moto):
    kion.roles = [role("Reader", iam="mcp-reader")]
    run = play(tmp_path, kion, moto, WHO).expect(2)
    assert (
        "You have no IAM role 'mcp-tenantOperator' in account 123456789012. Yours are: 'Reader' (IAM role mcp-reader)"
        in run.output
    )


def test_only_venues_that_name_an_account_get_keys_from_kion(tmp_path, kion, moto):
    for venue in ("dev", "ops"):
        moto.publish("sbg", venue)
    hosts = {"sbg-dev": {"project": "sbg", "venue": "dev", **WHERE}, "sbg-ops": {"project": "sbg", "venue": "ops"}}
    (tmp_path / "inventory.json").write_text(
        json.dumps({"venues": {"hosts": hosts, "vars": {"broker_ca_path": str(kion.ca)}}})
    )
    env = {**moto.environment(), **kion.environment(), "KION_CONFIG": str(tmp_path / "none"), "no_proxy": "127.0.0.1"}
    run = ansible_playbook("mdps.venue_sts.provision", "-i", "inventory.json", env=env, cwd=tmp_path).expect()
    assert minted(kion) == 1
    results = {line.split()[0].strip('"'): line.split()[1] for line in run.output.splitlines() if "unity-sbg-" in line}
    assert results == {"sbg-dev": "changed", "sbg-ops": "changed"}


def inventory(tmp_path, kion, accounts, **more):
    """One venue for each account of the list."""
    hosts = {
        f"sbg-v{number:02}": {"project": "sbg", "venue": f"v{number:02}", **WHERE, "broker_account": account}
        for number, account in enumerate(accounts)
    }
    variables = {"broker_ca_path": str(kion.ca), **more}
    (tmp_path / "inventory.json").write_text(json.dumps({"venues": {"hosts": hosts, "vars": variables}}))


def venue_hosts(tmp_path):
    return json.loads((tmp_path / "inventory.json").read_text())["venues"]["hosts"]


def keys_for(tmp_path, kion, *options):
    """Run the first part of every playbook alone."""
    env = {**kion.environment(), "KION_CONFIG": str(tmp_path / "none"), "no_proxy": "127.0.0.1", "ANSIBLE_FORKS": "10"}
    return ansible_playbook("mdps.venue_sts.keys", "-i", "inventory.json", *options, env=env, cwd=tmp_path)


ACCOUNTS = ["123456789012", "210987654321", "111122223333"]


@pytest.mark.parametrize("options", [(), SHIPPED])
def test_each_account_is_asked_once_for_all_its_venues(tmp_path, kion, options):
    kion.roles = [role("Operator", number=number) for number in ACCOUNTS]
    inventory(tmp_path, kion, [ACCOUNTS[number % 3] for number in range(10)])
    run = keys_for(tmp_path, kion, *options).expect()
    assert sorted(body["account_number"] for _method, _path, body in kion.seen if body) == sorted(ACCOUNTS)
    shown = re.findall(r'^ +"([0-9]{12}) .* ASIA[A-Z0-9]+ +[0-9TZ:-]+ +([^"]+)"', run.output, re.MULTILINE)
    assert sorted(account for account, _venues in shown) == sorted(ACCOUNTS)
    assert sorted(", ".join(venues for _account, venues in shown).split(", ")) == sorted(venue_hosts(tmp_path))
    assert kion.keys["secret_access_key"] not in run.output


def test_the_accounts_are_asked_at_the_same_time(tmp_path, kion):
    kion.roles = [role("Operator", number=number) for number in ACCOUNTS]
    kion.wait_for(len(ACCOUNTS))  # each answer waits until all have asked
    inventory(tmp_path, kion, ACCOUNTS * 2)
    keys_for(tmp_path, kion).expect()
    assert len(kion.asked()) == len(ACCOUNTS)


def test_kion_is_asked_again_where_the_login_differs(tmp_path, kion):
    inventory(tmp_path, kion, ACCOUNTS[:1] * 2, broker_idms="{{ 7 if venue == 'v01' else 2 }}")
    keys_for(tmp_path, kion).expect()
    assert len(kion.asked()) == 2


def test_a_refusal_is_not_asked_for_again_on_every_host(tmp_path, kion):
    inventory(tmp_path, kion, ACCOUNTS[:1] * 4, broker_api_key="expired-api-key-0123456789")
    run = keys_for(tmp_path, kion).expect(2)
    assert len(kion.seen) == 1
    failed = re.findall(r'^fatal: \[(.*?)\].*"msg": "(Kion does not accept the API key.*?)"', run.output, re.MULTILINE)
    (asked,) = (host for host, message in failed if "requested once" not in message)
    assert len(failed) == 4 and sum(f"(requested once, by {asked})" in message for _host, message in failed) == 3


def test_a_refused_account_stops_its_own_venues_only(tmp_path, kion, moto):
    kion.roles = [role("Operator", number=ACCOUNTS[0])]
    inventory(tmp_path, kion, [ACCOUNTS[0], ACCOUNTS[1], ACCOUNTS[0], ACCOUNTS[1]])
    document = json.loads((tmp_path / "inventory.json").read_text())
    document["venues"]["hosts"]["sbg-v04"] = {"project": "sbg", "venue": "v04"}
    document["venues"]["hosts"]["sbg-v05"] = {"project": "sbg", "venue": "v05", "broker_account": "{{ nothing }}"}
    (tmp_path / "inventory.json").write_text(json.dumps(document))
    for number in (0, 2, 4):
        moto.publish("sbg", f"v0{number}")
    env = {**moto.environment(), **kion.environment(), "KION_CONFIG": str(tmp_path / "none"), "no_proxy": "127.0.0.1"}
    run = ansible_playbook("mdps.venue_sts.provision", "-i", "inventory.json", env=env, cwd=tmp_path).expect(2)
    failed = re.findall(r'^fatal: \[([^]]+)\]: FAILED! => .*"msg": "(.*?)"', run.output, re.MULTILINE)
    assert sorted(host for host, _message in failed) == ["sbg-v01", "sbg-v03", "sbg-v05"]
    messages = dict(failed)
    first, second = sorted(("sbg-v01", "sbg-v03"), key=lambda host: len(messages[host]))
    assert messages[second] == f"{messages[first]} (requested once, by {first})"
    assert "'nothing' is undefined" in messages["sbg-v05"]
    created = {one["RoleName"] for one in moto.client("iam").list_roles()["Roles"]}
    summary = dict(re.findall(r'^ +"(sbg-v0[0-9]) +([a-z]+) +[-a-z0-9]+', run.output, re.MULTILINE))
    failed_ones = dict.fromkeys(("sbg-v01", "sbg-v03", "sbg-v05"), "failed")
    assert summary == {**failed_ones, **dict.fromkeys(("sbg-v00", "sbg-v02", "sbg-v04"), "changed")}
    assert created == {"mcp-tenantOperator", *(f"unity-sbg-v0{number}-sts" for number in (0, 2, 4))}


def test_kion_is_asked_for_the_venues_whose_tokens_need_it(tmp_path, kion, moto):
    inventory(tmp_path, kion, ACCOUNTS[:2], issue_method="{{ 'saml' if venue == 'v00' else 'assume_role' }}")
    kion.roles = [role("Operator", number=number) for number in ACCOUNTS]
    (tmp_path / "response").write_text("not a response")
    given = (f"issue_saml_assertion_file={tmp_path}/response", f"dest={tmp_path}/t/", "user=jdoe")
    options = [option for one in given for option in ("-e", one)]
    env = {"AWS_URL": moto.url, "AWS_REGION": "us-west-2", "KION_CONFIG": str(tmp_path / "none"), **kion.environment()}
    run = ansible_playbook("mdps.venue_sts.issue", "-i", "inventory.json", *options, env=env, cwd=tmp_path).expect(2)
    assert [body["account_number"] for _method, _path, body in kion.seen if body] == [ACCOUNTS[1]]
    assert "broker_result" not in run.output


OWN_KEYS = """
- name: Get credentials
  ansible.builtin.import_playbook: mdps.venue_sts.keys
  vars: {broker_account: "{{ own }}"}
- name: Show whose credentials each venue has
  hosts: venues
  connection: local
  gather_facts: false
  tasks:
    - name: Show
      ansible.builtin.debug:
        msg: "{{ own }} has {{ broker_result.receipt.account }}"
"""


@pytest.mark.parametrize("inventoried", [{"broker_account": ACCOUNTS[0]}, {}], ids=["other account", "none"])
def test_a_venue_never_has_the_keys_of_another_account(tmp_path, kion, inventoried):
    """The variables of hosts do not hold the ``vars`` of an imported playbook, but a task sees them."""
    kion.roles = [role("Operator", number=number) for number in ACCOUNTS]
    inventory(tmp_path, kion, [])
    document = json.loads((tmp_path / "inventory.json").read_text())
    for number, account in enumerate((*ACCOUNTS, ACCOUNTS[0])):
        region = {"venue_sts_region": f"us-west-{number % 2 + 1}"}
        where = {**WHERE, **inventoried, "own": account, **region}
        document["venues"]["hosts"][f"v{number}"] = {"project": "sbg", "venue": f"v{number}", **where}
    (tmp_path / "inventory.json").write_text(json.dumps(document))
    (tmp_path / "own.yml").write_text(OWN_KEYS)
    env = {**kion.environment(), "KION_CONFIG": str(tmp_path / "none"), "no_proxy": "127.0.0.1"}
    run = ansible_playbook("own.yml", "-i", "inventory.json", env=env, cwd=tmp_path).expect()
    shown = re.findall(r'"msg": "([0-9]+) has ([0-9]+)"', run.output)
    assert sorted(shown) == sorted((account, account) for account in (*ACCOUNTS, ACCOUNTS[0]))
    assert len(kion.asked()) == len(ACCOUNTS)


def report_of(tmp_path, kion, moto, *options):
    env = {**moto.environment(), **kion.environment(), "KION_CONFIG": str(tmp_path / "none"), "no_proxy": "127.0.0.1"}
    return ansible_playbook("mdps.venue_sts.report", *options, env=env, cwd=tmp_path)


def test_the_report_says_of_each_venue_why_it_could_not_be_read(tmp_path, kion, moto):
    kion.roles = [role("Operator", number=ACCOUNTS[0])]
    inventory(tmp_path, kion, [ACCOUNTS[0]] * 3)
    document = json.loads((tmp_path / "inventory.json").read_text())
    document["venues"]["hosts"]["sbg-v01"]["broker_iam_role_name"] = "not-mine"
    document["venues"]["hosts"]["sbg-v02"]["broker_account"] = "{{ nothing }}"
    (tmp_path / "inventory.json").write_text(json.dumps(document))
    run = report_of(tmp_path, kion, moto, "-i", "inventory.json", "-e", f"json={tmp_path}/report.json").expect(2)
    shown = {one["name"]: one for one in json.loads((tmp_path / "report.json").read_text())["venues"]}
    assert {name: one["status"] for name, one in shown.items()} == {
        "sbg / v00": "absent",
        "sbg / v01": "broken",
        "sbg / v02": "broken",
    }
    assert "not-mine" in shown["sbg / v01"]["problem"]
    assert "'nothing' is undefined" in shown["sbg / v02"]["problem"]
    assert re.search(r"^sbg / v02 +not known +broken .* 'nothing' is undefined$", run.output, re.MULTILINE)


@pytest.mark.parametrize("options", [(), ("-e", "project=sbg", "-e", "venue=dev")])
def test_the_report_never_uses_the_credentials_at_hand_where_an_account_in_kion_is_named(tmp_path, kion, moto, options):
    named = ("-e", f"broker_account={ACCOUNTS[1]}", "-e", "broker_iam_role_name=mcp-tenantOperator")
    kion.roles = [role("Operator", number=number) for number in ACCOUNTS]
    run = report_of(tmp_path, kion, moto, *named, "-e", f"broker_ca_path={kion.ca}", *options).expect(2)
    assert "broker_account is set, but there are no credentials from Kion for the venues of 'venues'." in run.output


def test_the_report_uses_the_credentials_of_an_account_that_only_the_import_sets(tmp_path, kion, moto):
    kion.roles = [role("Operator", number=number) for number in ACCOUNTS]
    inventory(tmp_path, kion, [])
    document = json.loads((tmp_path / "inventory.json").read_text())
    for name, account in zip(("a", "b"), ACCOUNTS, strict=False):
        document["venues"]["hosts"][name] = {"project": "sbg", "venue": name, **WHERE, "own": account}
    (tmp_path / "inventory.json").write_text(json.dumps(document))
    (tmp_path / "own.yml").write_text(OWN_KEYS.replace("mdps.venue_sts.keys", "mdps.venue_sts.report"))
    env = {**moto.environment(), **kion.environment(), "KION_CONFIG": str(tmp_path / "none"), "no_proxy": "127.0.0.1"}
    run = ansible_playbook("own.yml", "-i", "inventory.json", env=env, cwd=tmp_path).expect()
    assert sorted(set(re.findall(r"item=([0-9]{12}) ", run.output))) == ACCOUNTS[:2]
    assert len(kion.asked()) == 2


TWICE = """
- name: Get credentials
  ansible.builtin.import_playbook: mdps.venue_sts.keys
- name: Get none, except for one venue
  ansible.builtin.import_playbook: mdps.venue_sts.keys
  vars: {keys_needed: "{{ inventory_hostname == 'sbg-v01' }}"}
- name: Get them again
  ansible.builtin.import_playbook: mdps.venue_sts.keys
"""


def test_a_play_that_needs_no_credentials_keeps_those_of_the_run(tmp_path, kion):
    kion.roles = [role("Operator", number=number) for number in ACCOUNTS[:1]]
    inventory(tmp_path, kion, [ACCOUNTS[0], int(ACCOUNTS[0]), ACCOUNTS[0]])  # YAML reads an account as a number
    (tmp_path / "twice.yml").write_text(TWICE)
    env = {**kion.environment(), "KION_CONFIG": str(tmp_path / "none"), "no_proxy": "127.0.0.1"}
    ansible_playbook("twice.yml", "-i", "inventory.json", env=env, cwd=tmp_path).expect()
    assert len(kion.asked()) == 1


def test_unknown_ends_do_not_make_every_host_ask(tmp_path, kion):
    kion.duration, kion.setting = None, None
    inventory(tmp_path, kion, ACCOUNTS[:1] * 3)
    keys_for(tmp_path, kion).expect()
    assert minted(kion) == 1


def test_kion_is_not_asked_for_a_token_by_saml(tmp_path, kion, moto):
    inventory(tmp_path, kion, ACCOUNTS[:1] * 2)
    (tmp_path / "response").write_text("not a response")
    given = ("issue_method=saml", f"issue_saml_assertion_file={tmp_path}/response", f"dest={tmp_path}/t/", "user=jdoe")
    options = [option for one in given for option in ("-e", one)]
    env = {"AWS_URL": moto.url, "AWS_REGION": "us-west-2", **kion.environment()}
    run = ansible_playbook("mdps.venue_sts.issue", "-i", "inventory.json", *options, env=env, cwd=tmp_path).expect(2)
    assert kion.seen == [] and run.output.count("SamlProblem") == 2 and "broker_result" not in run.output


def test_a_venue_of_kion_never_falls_back_to_the_credentials_at_hand(tmp_path, kion, moto):
    moto.publish("sbg", "dev")
    (tmp_path / "inventory.json").write_text(
        json.dumps({"venues": {"hosts": {"sbg-dev": {"project": "sbg", "venue": "dev", **WHERE}}}})
    )
    skipped = ("--start-at-task", "Ensure the venue's IAM role")
    env = {**moto.environment(), **kion.environment()}
    run = ansible_playbook("mdps.venue_sts.provision", "-i", "inventory.json", *skipped, env=env, cwd=tmp_path).expect(
        2
    )
    assert "broker_result" in run.output
    assert [role["RoleName"] for role in moto.client("iam").list_roles()["Roles"]] == ["mcp-tenantOperator"]
