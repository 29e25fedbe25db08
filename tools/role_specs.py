# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Write what a role and its module have in common: argument_specs.yml, the README's table of options, and defaults.

Usage: role_specs.py [--check]

A role of the table below takes every option of its module as <role>_<option>. Writing that manually would drift; with
--check nothing is written, and differences are printed and make the exit status 1. The operations declare which options
must not be empty; this writes it into the documentation of modules and roles.
"""

from __future__ import annotations

import ast
import importlib
import pathlib
import re
import sys
import textwrap
from collections.abc import Mapping
from typing import Any

import yaml
from yaml_style import Indented, width

ROOT = pathlib.Path(__file__).resolve().parent.parent
ROLES = {
    "provision": "venue_sts_role",
    "issue": "venue_sts_token",
    "broker": "kion_credentials",
    "assume": "venue_sts_token",
    "handoff": "venue_sts_handoff",
    "revoke": "venue_sts_revocation",
    "lease": "venue_sts_lease",
    "renew": "venue_sts_renewal",
}
WITHOUT_A_MODULE = ("awx_setup", "report")  # their argument specs are written manually
WITHOUT_AWS = {"broker"}
LEFT_OUT = {
    "assume_dest",  # its credentials stay in memory
    *("assume_reuse", "broker_share"),  # the roles set them
    "broker_renew_before",  # broker_minimum_seconds says it
    *(f"issue_{name}" for name in ("reuse", "renew_before")),  # a recipient's token is always a new one
    "assume_handoff",
    # Variables of the role handoff, which sends a token again, count for the first attempt as well.
    *(
        f"{role}_{name}"
        for role in ("issue", "renew")
        for name in ("handoff", "receipts_file", "receipts_s3", "receipts_ssm_path")
    ),
    "lease_handoff",
}
# The variables of a hand-off that a role uses; None for all of them.
OF_HANDOFF: dict[str, tuple[str, ...] | None] = {
    "issue": None,
    "renew": None,
    "lease": ("https", "key_directory", "key_directory_shared", "public_keys", "fingerprints"),
}
# What a role says otherwise than its module.
OWN: dict[str, dict[str, Any]] = {
    "broker_minimum_seconds": {
        "default": 900,
        "description": [
            "For how many seconds the credentials must be valid. New credentials that expire sooner are refused, and "
            "credentials of this run that expire sooner are fetched again. If Kion does not say when they expire, a "
            "warning is shown.",
        ],
    },
    "assume_verify": {
        "default": True,
        "description": ["Call GetCallerIdentity with the new credentials before anything else uses them."],
    },
    "issue_dest": {
        "description": [
            "Write the token's JSON to this file on the controller, with mode 0600. Missing folders are created with "
            "mode 0700.",
            "If it is an existing folder or ends with a slash, the file is created in this folder with the name "
            "C(<project>_<venue>_<user>_<time>-<digits>.json). In it, C(~) marks an uppercase letter, and C(-~) is an "
            "underscore of a name. For several venues, it must be a folder.",
            "An existing file is never overwritten. The folder must belong to the user, and nobody else may write to "
            "it.",
            "Without it, the token is sealed to the user's public key and handed off, with the variables "
            "C(handoff_...).",
        ],
    },
}
# What variables of a hand-off mean in the roles of leases, which compare keys with the approval, not with receipts.
CONFIRMED = (
    "Seal only to keys with these fingerprints, which the recipient has confirmed through another channel, such as the "
    "telephone."
)
OF_LEASES: dict[str, dict[str, list[str]]] = {
    "lease": {
        "handoff_https": ["The transfer service, for O(lease_channel=https)."],
        "handoff_fingerprints": [
            CONFIRMED,
            "Without it, a key that differs from the key in the user's present lease is refused.",
        ],
    },
    "renew": {
        "handoff_https": [
            "The transfer service, for leases with the channel V(https), and for O(handoff_channel=https)."
        ],
        "handoff_fingerprints": [CONFIRMED, "A key that differs from the approved one is always refused."],
        "handoff_unsealed": ["Must not be set to true, because tokens of a lease are always sealed."],
    },
}
CONNECTION = {
    "region": {
        "type": "str",
        "description": ["The AWS region. The default is AWS_REGION or the region of the profile."],
    },
    "profile": {
        "type": "str",
        "description": ["The AWS profile to use. The default is AWS_PROFILE, or the credentials in the environment."],
    },
}
# What is the same for every task about a venue. The inventory says it once, as venue_sts_<option>, for all roles.
SHARED = (
    *("region", "profile", "name_prefix", "role_name", "expected_account_id"),
    *("external_id_parameter", "bucket_parameter", "boundary_parameter", "lease_path"),
)
# Variables of other roles that count if a role's own is not set: the inventory says them once.
INSTEAD = {
    "lease_limits": "C(issue_limits) is used",
    "renew_limits": "C(lease_limits) is used, or else C(issue_limits)",
    "renew_maximum_days": "C(lease_maximum_days) is used",
    "renew_leases_file": "C(lease_leases_file) is used",
    "renew_lease_signers": "C(lease_signers) is used",
    **{f"revoke_{one}": f"C(handoff_{one}) is used" for one in ("receipts_file", "receipts_s3", "receipts_ssm_path")},
}
MODULES = sorted(path.stem for path in (ROOT / "plugins/modules").glob("*.py"))
MUST_HAVE_A_VALUE = "An option that is set must have a value. An empty string, list or mapping is an error"
NOTE = re.compile(rf"^  - {MUST_HAVE_A_VALUE}.*\n(?:    .*\n)*", re.MULTILINE)
BEGIN, END = "<!-- options: written by tools/role_specs.py -->", "<!-- end of options -->"


def module_options(module: str) -> dict[str, Any]:
    """The options of a module, with those of this collection's own documentation fragment, in the module's order."""
    documentation = yaml.safe_load(_constants(ROOT / "plugins/modules" / f"{module}.py")["DOCUMENTATION"])
    fragments = _constants(ROOT / "plugins/doc_fragments/venue.py")
    options: dict[str, Any] = {}
    for name in documentation["extends_documentation_fragment"]:
        if name.startswith("mdps.venue_sts.venue"):
            key = (name.split(".")[3:] or ["documentation"])[0].upper()
            options |= yaml.safe_load(fragments[key]).get("options", {})
    options |= {name: one for name, one in documentation["options"].items() if not name.startswith("_")}
    return options


def _constants(path: pathlib.Path) -> dict[str, str]:
    """The texts that a Python file assigns to names, at any level."""
    assigned = [node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Assign)]
    return {node.targets[0].id: node.value.value for node in assigned if isinstance(node.value, ast.Constant)}  # type: ignore[attr-defined,misc]


def role_options(role: str) -> dict[str, Any]:
    """The options of a role: its module's and the two of the connection."""
    options = {
        f"{role}_{name}": _plain(role, spec)
        for name, spec in {**module_options(ROLES[role]), **({} if role in WITHOUT_AWS else CONNECTION)}.items()
    }
    kept = {name: {**spec, **OWN.get(name, {})} for name, spec in options.items() if name not in LEFT_OUT}
    for name in SHARED:
        if spec := kept.get(f"{role}_{name}"):
            spec["description"] = [*spec["description"], f"If it is not set, C(venue_sts_{name}) is used."]
    for name, words in INSTEAD.items():
        if spec := kept.get(name):
            spec["description"] = [*spec["description"], f"If it is not set, {words}."]
    handoff = _handoff_options(OF_HANDOFF[role]) if role in OF_HANDOFF else {}
    for name, description in OF_LEASES.get(role, {}).items():
        handoff[name]["description"] = description
    return kept | handoff


def _handoff_options(named: tuple[str, ...] | None) -> dict[str, Any]:
    """The variables that say how a role hands tokens off: the suboptions of ``handoff``, and the receipts.

    :param named: those of them that the role uses; None for all.
    """
    module = module_options("venue_sts_token")
    receipts = {name: module[name] for name in ("receipts_file", "receipts_s3", "receipts_ssm_path")}
    options = {**module["handoff"]["suboptions"], **receipts}
    found = {
        f"handoff_{name}": _plain("handoff", {**spec, "description": _without_path(spec["description"])})
        for name, spec in options.items()
        if named is None or name in named
    }
    for spec in found.values():
        spec["description"] = [_without_links(text, found) for text in spec["description"]]
    return found


def _without_links(text: str, known: Mapping[str, Any]) -> str:
    """A text in which options that the role does not have are no links."""
    return re.sub(r"O\(((\w+)[^)]*)\)", lambda link: link[0] if link[2] in known else f"C({link[1]})", text)


def _without_path(texts: list[str]) -> list[str]:
    """Texts in which a suboption is called by its own name."""
    return [one.replace("O(handoff.", "O(") for one in texts]


def _plain(role: str, spec: dict[str, Any]) -> dict[str, Any]:
    """A module's option as a role's: no aliases, and names of options as the role has them."""
    texts = [re.sub(r"O\(([a-z0-9_]+)(?![\w.])", rf"O({role}_\1", one) for one in spec["description"]]
    # A role's spec names no suboptions, so that one cannot be linked to.
    texts = [re.sub(r"O\(([a-z0-9_]+\.[a-z0-9_.]+)\)", rf"C({role}_\1)", one) for one in texts]
    texts = [re.sub(r"RV\(([a-z0-9_]+)\)", r"C(\1)", one) for one in texts]
    kept = {key: value for key, value in spec.items() if key in ("type", "elements", "choices", "default", "required")}
    if kept["type"] in ("json", "path"):
        kept["type"] = "raw" if kept["type"] == "json" else "str"
    return {"description": texts, **kept}


def argument_specs(role: str) -> str:
    """The text of meta/argument_specs.yml."""
    meta = yaml.safe_load((ROOT / "roles" / role / "meta/main.yml").read_text())
    main = {
        "short_description": meta["galaxy_info"]["description"],
        "description": [_introduction(role)],
        "options": role_options(role),
    }
    spec: dict[str, Any] = {"argument_specs": {"main": main}}
    text = yaml.dump(spec, Dumper=Indented, sort_keys=False, width=width(spec), allow_unicode=True)
    return f"---\n# Written by tools/role_specs.py from the module's documentation.\n{text}"


def _introduction(role: str) -> str:
    """The first paragraph of the role's README, in Ansible's markup."""
    paragraph = (ROOT / "roles" / role / "README.md").read_text().split("\n\n")[1]
    unlinked = re.sub(r"\[([^\]]+)\]\([^)]+\)", r"\1", " ".join(paragraph.split()))
    return re.sub(r"`([^`]+)`", r"C(\1)", unlinked)


def table(options: dict[str, Any]) -> str:
    """The README's table of options."""
    rows = ["| Variable | Type | Default | Description |", "|---|---|---|---|"]
    for name, spec in options.items():
        default = (
            "**required**"
            if spec.get("required")
            else f"`{_shown(spec['default'])}`"
            if spec.get("default") not in (None, "")
            else ""
        )
        kind = f"list of {spec['elements']}" if "elements" in spec else spec["type"]
        choices = f" One of {', '.join(f'`{one}`' for one in spec['choices'])}." if "choices" in spec else ""
        text = re.sub(r"\b(?:O|V|C|E|M|P)\(([^)]*)\)", r"`\1`", " ".join(spec["description"])).replace("|", "\\|")
        text = re.sub(r"`[\w.]+#module:", "`", text)  # the name of another module is for ansible-doc
        text = text.replace("#filter`", "`")
        rows.append(f"| `{name}` | {kind} | {default} | {text}{choices} |")
    return "\n".join(rows)


def _shown(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def defaults(role: str) -> str:
    """The text of defaults/main.yml: the shared options, and what is written there manually."""
    place = ROOT / "roles" / role / "defaults/main.yml"
    by_hand = [one for one in place.read_text().splitlines()[1:] if "venue_sts_" not in one] if place.exists() else []
    shared = [
        f"{name}: \"{{{{ lookup('ansible.builtin.vars', 'venue_sts_{one}', default=omit) }}}}\""
        for one in SHARED
        if (name := f"{role}_{one}") in role_options(role)
    ]
    return "\n".join(["---", *by_hand, *shared]) + "\n"


def may_be_empty(module: str) -> list[str] | None:
    """The options for which empty is a value like any other; None where the module has no operation."""
    sys.path[:0] = [str(pathlib.Path(sys.prefix) / "collections")]
    operation = getattr(
        importlib.import_module(f"ansible_collections.mdps.venue_sts.plugins.modules.{module}"), "OPERATION", None
    )
    if operation is None:
        return None
    fillable = {
        name
        for name, option in operation.argument_spec.items()
        if option["type"] not in ("int", "bool", "float") and not name.startswith("_")
    }
    return sorted(fillable - operation.narrowing)


def rule(module: str, shape: str) -> str:
    """The sentence about empty options, for a module that has an operation."""
    found = may_be_empty(module)
    if found is None:
        return ""
    excepted = [name for name in found if shape.strip("`") % name not in LEFT_OUT]
    names = " and ".join(
        filter(None, [", ".join(shape % name for name in excepted[:-1]), *(shape % name for name in excepted[-1:])])
    )
    return f"{MUST_HAVE_A_VALUE}{', except for ' + names if names else ''}."


def module_text(module: str) -> str:
    """The text of a module, with the note about empty options."""
    text = (ROOT / "plugins/modules" / f"{module}.py").read_text()
    sentence = rule(module, "O(%s)")
    if not sentence:
        return text
    note = textwrap.fill(sentence, 120, initial_indent="  - ", subsequent_indent="    ", break_long_words=False)
    if NOTE.search(text):
        return NOTE.sub(note + "\n", text, count=1)
    if "\nnotes:\n" in text:
        return text.replace("\nnotes:\n", f"\nnotes:\n{note}\n", 1)
    return text.replace("\nseealso:\n", f"\nnotes:\n{note}\nseealso:\n", 1)


def outputs() -> dict[pathlib.Path, str]:
    """Every file this writes, with its text."""
    found = {ROOT / "plugins/modules" / f"{module}.py": module_text(module) for module in MODULES}
    for role in ROLES:
        home = ROOT / "roles" / role
        found[home / "meta/argument_specs.yml"] = argument_specs(role)
        found[home / "defaults/main.yml"] = defaults(role)
        found[home / "README.md"] = _readme(role, role_options(role))
    for role in WITHOUT_A_MODULE:
        home = ROOT / "roles" / role
        specs = yaml.safe_load((home / "meta/argument_specs.yml").read_text())
        found[home / "README.md"] = _readme(role, specs["argument_specs"]["main"]["options"])
    return found


def _readme(role: str, options: dict[str, Any]) -> str:
    before, rest = (ROOT / "roles" / role / "README.md").read_text().split(BEGIN)
    sentence = rule(ROLES[role], f"`{role}_%s`") if role in ROLES else ""
    sentence = sentence.replace("An option that is set", "A variable that is set")
    below = f"\n\n{textwrap.fill(sentence, 120, break_on_hyphens=False)}" if sentence else ""
    return f"{before}{BEGIN}\n{table(options)}{below}\n{END}{rest.split(END)[1]}"


def main() -> int:
    """Write, or with --check compare."""
    changed = [path for path, text in outputs().items() if not path.exists() or path.read_text() != text]
    for path in changed:
        print(f"{'differs' if '--check' in sys.argv else 'written'}: {path.relative_to(ROOT)}")
        if "--check" not in sys.argv:
            path.parent.mkdir(exist_ok=True)
            path.write_text(outputs()[path])
    return 1 if changed and "--check" in sys.argv else 0


if __name__ == "__main__":
    sys.exit(main())
