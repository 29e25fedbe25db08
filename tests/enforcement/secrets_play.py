# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A play that does everything with marked secrets that this collection can do, and fails in every way it can fail."""

from __future__ import annotations

from typing import Any

ROLE, TOKEN = "mdps.venue_sts.venue_sts_role", "mdps.venue_sts.venue_sts_token"
# Characters that quoting changes; none of it is a real key.
MARKS = {
    "given": "GIVEN+/mark:fake=external.id/AAAABBBBCCCCDDDD",
    "rotated": "ROTATED+/mark:fake=external.id/EEEEFFFFGGGGHHHH",
    "wrong": "WRONG+/mark:fake=external.id/IIIIJJJJKKKKLLLL",
    "illegal": "ILLEGAL mark with spaces <fake external ID> MMMMNNNN",
    "in_ssm": "SSM+/mark:fake=external.id/OOOOPPPPQQQQRRRR",
    "in_trust": "TRUST+/mark:fake=external.id/SSSSTTTTUUUUVVVV",
    "secret_key": "SECRETKEY+/mark/fake/WWWWXXXXYYYYZZZZaaaabbbb",
    "session_token": "SESSIONTOKEN+/mark/fake==/ccccddddeeeeffffgggghhhh",
    "option_key": "OPTIONKEY+/mark/fake/iiiijjjjkkkkllllmmmm",
    "option_token": "OPTIONTOKEN+/mark/fake==/nnnnooooppppqqqq",
}
MFA_CODE = "704937"
VENUE = {"project": "sbg", "venue": "dev"}
SPLIT = {"project": "sbg", "venue": "split"}
USER = {**VENUE, "user": "jdoe"}
ISSUE = {**USER, "session_name": "plain-jdoe", "wait_timeout": 0}
# Session names that the proxy treats in a special way: see test_secrets.
SPOILED = ("quoting", "garbled", "cut", "incomplete", "undated", "unverified")


def mark(name: str) -> str:
    """A template for a marked secret."""
    return "{{ marks." + name + " }}"


GOOD: list[dict[str, Any]] = [
    {"name": "Create", "diff": True, ROLE: {**VENUE, "external_id": mark("given")}},
    {"name": "Look", "diff": True, "check_mode": True, ROLE: {**VENUE, "rotate_external_id": True}},
    {
        "name": "Rotate to a given one",
        "diff": True,
        ROLE: {**VENUE, "external_id": mark("rotated"), "rotate_external_id": True},
    },
    {"name": "Encrypt it", "diff": True, ROLE: {**VENUE, "external_id_type": "SecureString"}},
    {"name": "Issue with the previous one", TOKEN: {**USER, "external_id": mark("given")}},
    {"name": "End the rotation", "diff": True, ROLE: {**VENUE, "rotate_external_id": True}},
    {"name": "Rotate to a new one", "diff": True, ROLE: {**VENUE, "rotate_external_id": True}},
    {
        "name": "Resolve a conflict",
        "diff": True,
        ROLE: {**SPLIT, "project": "sbg", "venue": "joined", "on_external_id_conflict": "use_parameter"},
    },
    {
        "name": "Issue to many",
        TOKEN: {**VENUE, "user": "{{ item }}", "session_name": "{{ item }}-session"},
        "loop": ["ann", "bob"],
        "register": "many",
    },
    {"name": "Use a receipt", "ansible.builtin.debug": {"msg": "{{ many.results | map(attribute='receipt') }}"}},
    {
        "name": "Issue until it works",
        TOKEN: ISSUE,
        "register": "one",
        "until": "one is succeeded",
        "retries": 2,
        "delay": 0,
    },
    {
        "name": "Use the keys",
        TOKEN: {
            **ISSUE,
            "access_key": "{{ one.sts_creds.access_key }}",
            "secret_key": "{{ one.sts_creds.secret_key }}",
            "session_token": "{{ one.sts_creds.session_token }}",
        },
    },
    {
        "name": "Keys as options",
        TOKEN: {
            **ISSUE,
            "access_key": "AKIAEXAMPLEOPTIONKEY",
            "secret_key": mark("option_key"),
            "session_token": mark("option_token"),
        },
    },
    {
        "name": "With a code",
        TOKEN: {
            **ISSUE,
            "mfa_serial_number": "arn:aws:iam::123456789012:mfa/jane",
            "mfa_token": MFA_CODE,
            "verify": True,
        },
    },
    {"name": "Try", "check_mode": True, TOKEN: {**ISSUE, "external_id": "{{ now_valid }}"}},
    {"name": "With an environment of its own", TOKEN: ISSUE, "environment": {"SOME": "thing"}},
    {"name": "Write", TOKEN: {**ISSUE, "dest": "{{ tokens }}/jdoe.json"}},
    {"name": "Keep the receipt", "ansible.builtin.set_fact": {"kept": "{{ one.receipt }}", "cacheable": True}},
    {
        "name": "Issue as the role does",
        "ansible.builtin.import_role": {"name": "mdps.venue_sts.issue"},
        "vars": {"issue_project": "sbg", "issue_venue": "dev", "issue_user": "role", "issue_dest": "{{ tokens }}/"},
    },
    {"name": "Remove", "diff": True, ROLE: {"project": "sbg", "venue": "joined", "state": "absent"}},
]
BAD: dict[str, dict[str, Any]] = {
    "illegal external ID": {ROLE: {**VENUE, "external_id": mark("illegal")}},
    "external ID in a list": {ROLE: {**VENUE, "external_id": [mark("wrong")], "tags": {"a": "\x00"}}},
    "conflict": {ROLE: SPLIT},
    "wrong type beside it": {ROLE: {**VENUE, "external_id": mark("wrong"), "max_session_duration": "long"}},
    "unknown option beside it": {ROLE: {**VENUE, "external_id": mark("wrong"), "nonsense": True}},
    "missing option beside it": {ROLE: {"project": "sbg", "external_id": mark("wrong")}},
    "keys that contradict each other": {
        ROLE: {**VENUE, "profile": "x", "access_key": "AKIAEXAMPLE", "secret_key": mark("option_key")}
    },
    "requester is wrong": {TOKEN: {**ISSUE, "external_id": mark("wrong")}},
    "requester is illegal": {TOKEN: {**ISSUE, "external_id": mark("illegal")}},
    "SSM and trust differ": {TOKEN: {**ISSUE, **SPLIT}},
    "code without device": {TOKEN: {**ISSUE, "mfa_token": MFA_CODE}},
    "dest exists": {TOKEN: {**ISSUE, "dest": "{{ tokens }}/jdoe.json"}},
    "dest cannot be": {TOKEN: {**ISSUE, "dest": "/proc/nothing/here"}},
    "asynchronous": {TOKEN: ISSUE, "async": 10, "poll": 1},
    "out of time": {TOKEN: {**ISSUE, "session_name": "held"}, "timeout": 3},
    **{name: {TOKEN: {**ISSUE, "session_name": name, "verify": name == "unverified"}} for name in SPOILED},
}


def play(host: str, *, modules: bool = True) -> list[dict[str, Any]]:
    """The play; every failure must happen, and is printed by its rescue block.

    :param modules: also with the task that ships its module wherever it runs.
    """
    good = [task for task in GOOD if modules or "environment" not in task]
    rescued = [_rescued(number, name, task) for number, (name, task) in enumerate(BAD.items())]
    proof = {
        "name": "All failures happened",
        "ansible.builtin.assert": {"that": [f"rescued_{number} is defined" for number in range(len(BAD))]},
    }
    return [{"name": "Everything", "hosts": host, "gather_facts": False, "tasks": [*good, *rescued, proof]}]


# What no plugin can prevent; docs/enforcement.md and the module's notes say so.
LIMITS: dict[str, list[dict[str, Any]]] = {
    "failed_when": [
        {
            "name": "Fail on purpose",
            "block": [{"name": "Issue", TOKEN: USER, "failed_when": True}],
            "rescue": [{"name": "Show", "ansible.builtin.debug": {"var": "ansible_failed_result"}}],
        }
    ],
}


def limit(host: str, name: str) -> list[dict[str, Any]]:
    """A play that shows what cannot be made safe."""
    return [{"name": "Limit", "hosts": host, "gather_facts": False, "tasks": [GOOD[0], *LIMITS[name]]}]


def _rescued(number: int, name: str, task: dict[str, Any]) -> dict[str, Any]:
    shown = {"name": "Show", "ansible.builtin.debug": {"var": "ansible_failed_result"}, "register": f"rescued_{number}"}
    return {"name": name, "block": [{"name": name, **task}], "rescue": [shown]}
