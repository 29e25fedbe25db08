# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What is made ready before the fork saves reading, and hands nobody another's settings."""

from __future__ import annotations

import gc
import gzip
import multiprocessing
import pathlib
import subprocess
import sys
from multiprocessing.connection import Connection

import botocore
import botocore.loaders
import botocore.session
import pytest
from ansible_collections.mdps.venue_sts.plugins.module_utils._aws.clients import Clients
from ansible_collections.mdps.venue_sts.plugins.module_utils._domain.errors import ConnectionProblem
from ansible_collections.mdps.venue_sts.plugins.module_utils._operations.role import OPERATION
from ansible_collections.mdps.venue_sts.plugins.plugin_utils import _action as action

speed = pytest.importorskip(
    "ansible_collections.mdps.venue_sts.plugins.plugin_utils._speed", reason="speed.py is not there"
)
SERVICES = ("iam", "ssm", "sts")


@pytest.fixture(autouse=True)
def _cold(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(speed, "_LOADER", None)
    monkeypatch.setattr(speed, "_UNUSED_SESSION", None)
    speed.prepare.cache_clear()


def profiles(path: str, **keys: str) -> None:
    text = "\n".join(
        f"[{name}]\naws_access_key_id = {key}\naws_secret_access_key = fake\nregion = us-west-2\n"
        for name, key in keys.items()
    )
    pathlib.Path(path).write_text(text)


def key_of(made: Clients) -> str:
    return made.client("sts")._request_signer._credentials.access_key


def test_a_warm_process_reads_no_api_description(monkeypatch: pytest.MonkeyPatch) -> None:
    speed.prepare(SERVICES)

    def read(_self: object, path: str) -> None:
        if pathlib.Path(f"{path}.json").exists() or pathlib.Path(f"{path}.json.gz").exists():
            raise AssertionError(f"{path} was read again")

    monkeypatch.setattr(botocore.loaders.JSONFileLoader, "load_file", read)
    made = Clients({"access_key": "AKIAEXAMPLE", "secret_key": "fake", "region": "us-west-2"})
    assert made.partition == "aws"
    assert [made.client(service).meta.service_model.service_name for service in SERVICES] == list(SERVICES)


@pytest.mark.parametrize("name", ["plain", "zipped", "both", "neither", "folder", "null"])
def test_api_descriptions_are_read_as_botocore_reads_them(name: str, tmp_path: pathlib.Path) -> None:
    (tmp_path / "plain.json").write_text('{"b": {"é": [1, {}]}, "a": null}', encoding="utf-8")
    (tmp_path / "zipped.json.gz").write_bytes(gzip.compress(b'{"b": 1, "a": 2}'))
    (tmp_path / "both.json").write_text('{"plain": true}')
    (tmp_path / "both.json.gz").write_bytes(gzip.compress(b'{"zipped": true}'))
    (tmp_path / "folder.json").mkdir()
    (tmp_path / "null.json").write_text("null")
    (tmp_path / "null.json.gz").write_bytes(gzip.compress(b'{"zipped": true}'))
    theirs, ours = botocore.loaders.JSONFileLoader(), speed._shared_loader().file_loader
    path = str(tmp_path / name)
    assert ours.load_file(path) == theirs.load_file(path)
    assert list(ours.load_file(path) or ()) == list(theirs.load_file(path) or ())
    assert ours.exists(path) is theirs.exists(path)


def test_the_clients_have_the_same_methods_as_those_of_botocore() -> None:
    ours = Clients({"access_key": "AKIAEXAMPLE", "secret_key": "fake", "region": "us-west-2"})
    for service in speed.SERVICES:
        theirs = botocore.session.Session().create_client(service, region_name="us-west-2")
        assert dir(ours.client(service)) == dir(theirs)


def test_a_warm_process_has_the_names_of_all_methods(monkeypatch: pytest.MonkeyPatch) -> None:
    kept: dict[tuple[str, str], str] = {}
    monkeypatch.setattr(botocore.xform_name, "__defaults__", ("_", kept))
    speed.prepare(("sts",))
    assert kept["GetCallerIdentity", "_"] == "get_caller_identity"


@pytest.mark.parametrize("text", ["{", "[]", '{"metadata": {}}', "\ufeff{}", "null"])
def test_a_damaged_api_description_stops_no_preparation(
    text: str, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_DATA_PATH", str(tmp_path))
    place = tmp_path / "sts" / "2011-06-15"
    place.mkdir(parents=True)
    (place / "service-2.json").write_text(text, encoding="utf-8")
    speed.prepare(SERVICES)
    assert speed._UNUSED_SESSION is not None


def test_nothing_of_it_is_left_for_the_collector_when_a_process_ends() -> None:
    program = f"""
import atexit, importlib
atexit.register(lambda: print(speed._LOADER, speed._UNUSED_SESSION))  # what is registered later is called before it
speed = importlib.import_module("{speed.__name__}")
speed.prepare({SERVICES})
print(speed._LOADER is None, speed._UNUSED_SESSION is None)
"""
    begin = "from ansible.plugins.loader import init_plugin_loader; init_plugin_loader()"
    done = subprocess.run([sys.executable, "-c", begin + program], capture_output=True, text=True, check=True)
    assert done.stdout.split("\n")[:2] == ["False False", "None None"]


def test_what_is_in_a_cycle_is_ended_when_the_process_ends(tmp_path: pathlib.Path) -> None:
    """Such as a plugin that writes the rest of its file then."""
    program = f"""
import importlib
speed = importlib.import_module("{speed.__name__}")
speed.prepare({SERVICES})
class Plugin:
    def __del__(self):
        self.log.write("the rest")
        self.log.close()
plugin = Plugin()
plugin.log = open({str(tmp_path / "log")!r}, "w")
plugin.itself = plugin
del plugin
"""
    begin = "from ansible.plugins.loader import init_plugin_loader; init_plugin_loader()"
    subprocess.run([sys.executable, "-c", begin + program], capture_output=True, check=True)
    assert (tmp_path / "log").read_text() == "the rest"


def test_the_models_are_read_once_for_all_sessions() -> None:
    speed.prepare(SERVICES)
    options = {"access_key": "AKIAEXAMPLE", "secret_key": "fake", "region": "us-west-2"}
    first, second = Clients(options), Clients(options)
    loaders = {id(one._connect()[0].get_component("data_loader")) for one in (first, second)}
    assert loaders == {id(speed._shared_loader())}
    assert first._connect()[0] is not second._connect()[0]  # credentials are not shared


def test_credentials_and_profiles_of_later_count(monkeypatch: pytest.MonkeyPatch, tmp_path: pathlib.Path) -> None:
    file = str(tmp_path / "credentials")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", file)
    profiles(file, default="AKIABEFORE")
    speed.prepare(SERVICES)
    profiles(file, default="AKIAAFTER", other="AKIAOTHER")
    assert key_of(Clients({"profile": "other"})) == "AKIAOTHER"
    assert key_of(Clients({"region": "us-west-2"})) == "AKIAAFTER"
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAENVIRONMENT")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "fake")
    assert key_of(Clients({"region": "us-west-2"})) == "AKIAENVIRONMENT"


def test_one_session_serves_one_task() -> None:
    speed.prepare(SERVICES)
    options = {"access_key": "AKIAEXAMPLE", "secret_key": "fake", "region": "us-west-2"}
    first, second = Clients(options), Clients(options)
    assert first._connect()[0] is not second._connect()[0]


def test_a_missing_profile_is_for_the_task_to_tell(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_PROFILE", "nowhere")
    speed.prepare(SERVICES)
    with pytest.raises(ConnectionProblem, match="nowhere"):
        Clients({"region": "us-west-2"}).client("sts")


def test_loading_an_action_plugin_warms_what_its_operation_needs(monkeypatch: pytest.MonkeyPatch) -> None:
    warmed: list[tuple[str, ...]] = []
    monkeypatch.setattr(speed, "prepare", warmed.append)
    type("ActionModule", (action.VenueAction,), {"OPERATION": OPERATION})
    assert warmed == [SERVICES]


def test_an_operation_without_aws_warms_nothing() -> None:
    speed.prepare(())
    assert speed._LOADER is None


def test_the_garbage_collector_is_left_as_it_was() -> None:
    frozen = gc.get_freeze_count()
    speed.prepare(SERVICES)
    assert gc.isenabled()
    assert gc.get_freeze_count() == frozen


def pause_twice(pipe: Connection) -> None:
    """What a task does that loops over two items; say which objects the collector would not look at."""
    frozen = [gc.get_freeze_count()]
    for _item in range(2):
        with speed.collector_paused():
            assert not gc.isenabled()
        frozen.append(gc.get_freeze_count())
    pipe.send((frozen, gc.isenabled()))


def test_a_worker_looks_at_its_own_objects_only() -> None:
    ours, theirs = multiprocessing.Pipe()
    worker = multiprocessing.get_context("fork").Process(target=pause_twice, args=(theirs,))
    worker.start()
    frozen, on = ours.recv()
    worker.join()
    assert on
    assert frozen[0] == 0 < frozen[1] == frozen[2]


@pytest.mark.parametrize("service", ["sso", "sso-oidc", "signin"])
def test_services_of_the_credential_providers_are_known(service: str) -> None:
    # "aws login" is newer than the oldest botocore.
    if service not in botocore.session.Session().get_available_services():
        pytest.skip(f"this botocore has no {service}")
    assert speed.begin_session().get_service_model(service)
