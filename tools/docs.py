# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Build the pages of docs/.

Of the roles and of the modules as one site, and check that every link in it leads somewhere.

Usage: docs.py [FOLDER]       the default is dist/docs; open its index.html

Pages keep the paths that they have in the checkout, so that their links work there, on a hosting site, and here.
"""

from __future__ import annotations

import os
import pathlib
import posixpath
import re
import shutil
import subprocess
import sys
from collections.abc import Sequence

import checkout
import environment

ROOT = environment.ROOT
SOURCE = environment.BUILD / "docs"
BIN = pathlib.Path(sys.prefix) / "bin"

CONFIGURATION = """
project = "mdps.venue_sts"
extensions = ["myst_parser", "sphinx_antsibull_ext"]
html_theme = "sphinx_ansible_theme"
html_theme_options = {
    "documentation_home_url": "https://github.com/unity-sds/mdps.venue_sts", "topbar_links": {},
    "vcs_pageview_mode": "blob",
    "navigation_depth": 2,
}
html_show_copyright = False
html_use_smartypants = False
highlight_language = "YAML+Jinja"
myst_heading_anchors = 3
# Pages of Ansible itself and of other collections are named but not part of this site; antsibull-docs' linter checks
# such names.
suppress_warnings = ["ref.ref"]
"""
INDEX = """# mdps.venue_sts

Short-lived, limited access to an MDPS venue for people without an AWS account.

```{toctree}
:maxdepth: 1
Overview <README>
docs/index
```
"""
REFERENCE = "Modules and roles <reference/index>"


def gather() -> None:
    """Copy pages and what they link to, let antsibull-docs write the reference, and tie both together with an index."""
    shutil.rmtree(SOURCE, ignore_errors=True)
    checkout.copy_to(SOURCE)
    shutil.rmtree(SOURCE / ".github", ignore_errors=True)  # templates for contributors, not pages
    shutil.rmtree(SOURCE / "docs/docsite")  # pages for docs.ansible.com, which the reference has already
    reference = SOURCE / "reference"
    reference.mkdir()
    options: list[str | pathlib.Path] = [
        "--use-current",
        "--squash-hierarchy",
        "--fail-on-error",
        "--dest-dir",
        reference,
    ]
    subprocess.run(
        [BIN / "antsibull-docs", "collection", *options, "mdps.venue_sts"], check=True, env=with_collections()
    )
    (SOURCE / "conf.py").write_text(CONFIGURATION)
    pages = [
        path for path in sorted(SOURCE.rglob("*.md")) if path.name != "LICENSE.md" and "LICENSES" not in path.parts
    ]
    names = [str(path.relative_to(SOURCE).with_suffix("")) for path in pages]
    (SOURCE / "index.md").write_text(INDEX + sidebar(names, (SOURCE / "docs/index.md").read_text()))


def sidebar(names: Sequence[str], index: str) -> str:
    """The pages under the headings of docs/index.md and in its order, and last those that it does not link to."""
    placed = {"README", "docs/index"}
    trees = []
    for section in index.split("\n## ")[1:]:
        heading, _newline, body = section.partition("\n")
        linked = [posixpath.normpath(f"docs/{one}") for one in re.findall(r"\]\(([^)#]+)\.md\)", body)]
        pages = [one for one in dict.fromkeys(linked) if one in names and one not in placed]
        placed.update(pages)
        trees.append(_tree(heading, [*pages, *([REFERENCE] if heading == "Reference" else [])]))
    return "".join([*trees, _tree("Project", [name for name in names if name not in placed])])


def _tree(caption: str, pages: Sequence[str]) -> str:
    return "\n".join(["", "```{toctree}", ":maxdepth: 1", f":caption: {caption}", *pages, "```", ""])


def with_collections() -> dict[str, str]:
    """The environment in which the collections of this Python are found.

    And Python's own folder is first on the path.
    """
    return {
        **os.environ,
        "ANSIBLE_COLLECTIONS_PATH": str(pathlib.Path(sys.prefix) / "collections"),
        "PATH": f"{BIN}:{os.environ['PATH']}",
    }


def main() -> None:
    """Gather, build, check."""
    site = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else ROOT / "dist/docs").resolve()
    gather()
    shutil.rmtree(site, ignore_errors=True)
    subprocess.run(
        [BIN / "sphinx-build", "--fail-on-warning", "--keep-going", "--quiet", "-b", "html", SOURCE, site], check=True
    )
    settings = SOURCE / "linkcheckerrc"
    settings.write_text("[AnchorCheck]\n[filtering]\nlocalwebroot=\n")
    subprocess.run([BIN / "linkchecker", "--config", settings, "--no-status", f"file://{site}/index.html"], check=True)
    print(site / "index.html")


if __name__ == "__main__":
    main()
