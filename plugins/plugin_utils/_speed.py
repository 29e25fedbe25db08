# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What makes tasks faster and changes no result: this file can be deleted.

It rests on interfaces that are not public, all of them here: ``ActionBase.finalize_task_arg``,
``TemplateEngine.available_variables`` and ``AnsibleCollectionConfig.collection_finder`` of ansible-core,
``Loader.list_available_services``, ``Loader.file_loader`` and the component ``data_loader`` of botocore. Where one of
them changes, this file goes, or the part of it.
"""

from __future__ import annotations

import atexit
import contextlib
import functools
import gc
import gzip
import importlib.abc
import importlib.machinery
import importlib.util
import json
import multiprocessing
import os
import re
import ssl
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import CodeType, ModuleType
from typing import Any

from ansible import constants as C
from ansible.errors import AnsibleValueOmittedError
from ansible.plugins.action import ActionBase
from ansible.template import is_trusted_as_template
from ansible.utils.collection_loader import AnsibleCollectionConfig

# The private packages of this collection: module_utils and plugin_utils.
OWN = tuple(f"{__package__.rpartition('.')[0]}.{name}." for name in ("module_utils", "plugin_utils"))


class KeptBytecode(importlib.abc.MetaPathFinder):
    """Finds the files of this collection as Python finds any other package: with their bytecode in ``__pycache__``.

    ansible-core's finder compiles each file of a collection in each run, which takes 1 ms. Python compares the time and
    the size of the source with those in the bytecode, and goes on without it in a folder that it may not write to.
    """

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        """Find a file of the private packages, and nothing else."""
        if not path or not fullname.startswith(OWN):
            return None
        spec = _finder(path[0]).find_spec(fullname, target)
        if not spec or not spec.loader:
            return None  # there is no such file, or a folder without __init__.py
        is_package = spec.submodule_search_locations is not None
        # ansible-core prefers a folder to a file of the same name, also one without __init__.py.
        hidden = not is_package and Path(path[0], fullname.rpartition(".")[2]).is_dir()
        return None if hidden else spec


class UndamagedBytecode(importlib.machinery.SourceFileLoader):
    """Loads a file with its bytecode, or from its source if the bytecode is damaged, for example after a full disk."""

    def get_code(self, fullname: str) -> CodeType | None:
        """Return the code of the file. Damaged bytecode is removed, so that the next run writes it again."""
        try:
            return super().get_code(fullname)
        except (EOFError, ImportError, MemoryError, TypeError, ValueError):  # as what the damage is read
            path = self.get_filename(fullname)
            with contextlib.suppress(OSError):  # in a folder that this user may not write to
                Path(importlib.util.cache_from_source(path)).unlink()
            return self.source_to_code(self.get_data(path), path)


@functools.cache
def _finder(folder: str) -> importlib.machinery.FileFinder:
    loader = (UndamagedBytecode, importlib.machinery.SOURCE_SUFFIXES)
    return importlib.machinery.FileFinder(folder, loader)


def _keep_bytecode() -> None:
    """Put the finder before ansible-core's, and not first: a tool that restricts imports comes before both."""
    theirs = AnsibleCollectionConfig.collection_finder
    if theirs in sys.meta_path and not any(isinstance(finder, KeptBytecode) for finder in sys.meta_path):
        sys.meta_path.insert(sys.meta_path.index(theirs), KeptBytecode())


_keep_bytecode()

from ..module_utils._aws import authorities, clients  # noqa: E402 - the first that the finder finds

with contextlib.suppress(ImportError):  # Clients reports a missing botocore
    import botocore
    import botocore.exceptions
    import botocore.loaders
    import botocore.session

# How roles and playbooks pass an option that is optional. CONTRIBUTING.md says why in this form.
OPTIONAL = re.compile(r"\{\{ lookup\('ansible\.builtin\.vars', '(\w+)', default=omit\) \}\}")
# How playbooks pass one that also has a short name: -e days=3 for lease_days.
EITHER = re.compile(r"\{\{ lookup\('mdps\.venue_sts\.one_variable', '(\w+)', '(\w+)', default=omit\) \}\}")
# How playbooks pass one that exists only beside another variable, such as keys beside the account that they are for.
BESIDE = re.compile(r"\{\{ [.\w]+ if query\('ansible\.builtin\.varnames', '\^(\w+)\$'\)(?: and \w+)? else omit \}\}")
# How they pass one that is required: issue_project is "{{ project }}", and that is "sbg".
# Not what only looks like a variable to the pattern: Jinja has these words itself.
_WORDS = "true|True|false|False|none|None|not|and|or|in|is|if|else|self|super|loop"
REQUIRED = re.compile(r"\{\{ (?!(?:" + _WORDS + r")\b)([^\W\d]\w*)(?: \| mandatory\('[^'\\]*'\))? \}\}")
MOST_STEPS = 5  # a variable may refer to itself, which is Jinja's to report

# Every AWS service that this collection calls.
SERVICES = ("cloudtrail", "iam", "kms", "s3", "ssm", "sts")


def resolve_variable(value: Any, variables: Mapping[str, Any]) -> Any:
    """Return what a template that only names a variable stands for, which may be another template.

    :param value: the template, or any other value, which is returned as it is. So is one that ends at a required
        variable that is not set: its own text may say what to do (``mandatory``).
    :param variables: the variables, not templated.
    """
    given = value
    for _step in range(MOST_STEPS):
        if not _is_template(value):
            break
        required = REQUIRED.fullmatch(value)
        named = required or OPTIONAL.fullmatch(value) or EITHER.fullmatch(value)
        if not named:
            break
        found = [name for name in named.groups() if name in variables]
        if not found:
            return given if required else value
        if len(found) > 1:
            break  # the lookup reports it
        value = variables[found[0]]
    return value


def _is_template(value: Any) -> bool:
    return isinstance(value, str) and is_trusted_as_template(value)


class FastArguments(ActionBase):  # type: ignore[misc]  # ansible-core has no type information
    """An action whose arguments a role passes on from its variables.

    Jinja takes 1 ms to compile a template. A role passes 30 arguments for each venue; most of their variables nobody
    has set.
    """

    @classmethod
    def finalize_task_arg(cls, name: str, value: Any, templar: Any, context: Any) -> Any:
        """Evaluate an argument that only names a variable without compiling a template."""
        if name == "handoff":  # a role passes all of its suboptions
            value = resolve_variable(value, templar.available_variables)
            if isinstance(value, Mapping):
                return dict(cls._finalized(value, templar, context))
        return cls._finalize(name, value, templar, context)

    @classmethod
    def _finalized(cls, suboptions: Mapping[str, Any], templar: Any, context: Any) -> Iterator[tuple[str, Any]]:
        for name, value in suboptions.items():
            with contextlib.suppress(AnsibleValueOmittedError):
                yield name, cls._finalize(name, value, templar, context)

    @classmethod
    def _finalize(cls, name: str, value: Any, templar: Any, context: Any) -> Any:
        variables = templar.available_variables
        value = resolve_variable(value, variables)
        shapes = (OPTIONAL, EITHER, BESIDE) if _is_template(value) else ()
        unset = next(filter(None, (shape.fullmatch(value) for shape in shapes)), None)
        if unset and not any(name in variables for name in unset.groups()):
            raise AnsibleValueOmittedError
        return super().finalize_task_arg(name, value, templar, context)


# What is made once per process and the same for every account. The API descriptions take 0.1 s to read; all sessions
# share them.
_LOADER: Any = None
# One session that nobody has used: it has read no setting, no file and no credentials yet, and is given away once.
_UNUSED_SESSION: Any = None


@atexit.register
def _forget() -> None:
    """Free the API descriptions when the process ends. Python would otherwise visit each part of them several times.

    It collects garbage twice then: before and after it removes the modules. The second time, which ignores
    ``gc.disable``, ends everything that the first one would have.
    """
    global _LOADER, _UNUSED_SESSION  # noqa: PLW0603 - see above
    _LOADER = _UNUSED_SESSION = None
    gc.disable()


class _KnownServices(list[str]):
    """The services of this collection, listed without reading the folders of all 400, which takes botocore 25 ms.

    Any other name counts as known too: botocore then looks for its files. Its credential providers need services of
    their own (IAM Identity Center, ``aws login``).
    """

    def __contains__(self, name: object) -> bool:
        return True


class _PlainFiles:
    """Reads API descriptions into dictionaries.

    botocore reads them into OrderedDict, from the time when a dictionary had no order: twice the time and the memory,
    and each forked process copies more of that memory.
    """

    _OPEN = ((".json", open), (".json.gz", gzip.open))

    def exists(self, file_path: str) -> bool:
        """Whether there is such a file, named without its suffix."""
        return any(Path(file_path + suffix).is_file() for suffix, _open in self._OPEN)

    def load_file(self, file_path: str) -> Any:
        """Return what the file holds, named without its suffix, or None if there is no such file."""
        for suffix, opened in self._OPEN:
            if Path(file_path + suffix).is_file():
                with opened(file_path + suffix, "rb") as file:
                    described = json.loads(file.read().decode("utf-8"))
                if described is not None:
                    return described
        return None


def _shared_loader() -> Any:
    global _LOADER  # noqa: PLW0603 - see above
    if _LOADER is None:
        _LOADER = botocore.loaders.create_loader(os.environ.get("AWS_DATA_PATH"))
        _LOADER.file_loader = _PlainFiles()
        _LOADER.list_available_services = lambda type_name: _KnownServices(SERVICES)
    return _LOADER


def begin_session() -> Any:
    """Return a botocore session that finds the API descriptions in memory, if they were read before in this process."""
    global _UNUSED_SESSION
    session, _UNUSED_SESSION = _UNUSED_SESSION or botocore.session.Session(), None
    session.register_component("data_loader", _shared_loader())
    return session


clients.begin_session = begin_session
# ansible-core removes this folder, which nobody else can read, when the run ends.
authorities.folder = C.DEFAULT_LOCAL_TMP


@contextlib.contextmanager
def collector_paused() -> Iterator[None]:
    """Pause the garbage collector for work that leaves hardly any garbage in cycles.

    Reading API descriptions takes it a third of the time. In a forked process it writes to each object it looks at, so
    that the memory of the process it was forked from is copied page by page. So a worker, which ends with its task,
    never looks at the objects that were there before, also when the collector goes on; those of the items of a loop
    are collected.
    """
    was_on = gc.isenabled()
    gc.disable()
    if multiprocessing.parent_process() and not gc.get_freeze_count():
        gc.freeze()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


@functools.cache
def prepare(services: tuple[str, ...]) -> None:
    """Do now what every task does alike, so that processes forked later find it done.

    Read the API descriptions, begin a session, find the certificate bundle, and let OpenSSL get itself ready for the
    first TLS context of a process.
    """
    global _UNUSED_SESSION  # noqa: PLW0603 - see above
    if not clients.HAS_BOTO3 or not services:
        return
    # What another botocore does not have, or calls otherwise, is read when it is needed, and a damaged file then
    # reported.
    with collector_paused(), contextlib.suppress(botocore.exceptions.DataNotFoundError, ValueError):
        for service in services:
            described = _shared_loader().load_service_model(service, "service-2")
            for operation in described.get("operations", ()) if isinstance(described, dict) else ():
                botocore.xform_name(operation)  # botocore keeps the name of the method
            _shared_loader().load_service_model(service, "endpoint-rule-set-1")
        for name in ("endpoints", "partitions", "sdk-default-configuration", "_retry"):
            _shared_loader().load_data(name)
    _UNUSED_SESSION = botocore.session.Session()
    authorities.public_bundle()  # certifi looks for its file once in a process
    ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
