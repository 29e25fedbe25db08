# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Playbooks over HTTPS: a server of Amazon's, a proxy that inspects TLS, and a server that nobody trusts."""

from __future__ import annotations

import contextlib
import json
import socket
import socketserver
import ssl
import threading
from collections.abc import Iterator
from pathlib import Path

import certifi
import pytest

from tests.support.places import Authority
from tests.support.playbook import Run, ansible_playbook
from tests.support.servers import Moto
from tests.support.serving import serving

VENUES = ("dev", "test", "ops")


class TlsFront(socketserver.ThreadingTCPServer):
    """Speaks TLS before a moto server, and counts the connections whose certificate the client did not accept."""

    refused = 0
    context: ssl.SSLContext
    target: int

    def finish_request(self, request: socket.socket, client_address: object) -> None:
        try:
            connection = self.context.wrap_socket(request, server_side=True)
        except OSError:
            self.refused += 1
            return
        with connection, socket.create_connection(("127.0.0.1", self.target)) as upstream:
            answers = threading.Thread(target=forward, args=(upstream, connection))
            answers.start()
            forward(connection, upstream)
            answers.join()


def forward(source: socket.socket, target: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while data := source.recv(65536):
            target.sendall(data)
        target.shutdown(socket.SHUT_WR)


@contextlib.contextmanager
def front(moto: Moto, authority: Authority) -> Iterator[TlsFront]:
    server = TlsFront(("127.0.0.1", 0), socketserver.BaseRequestHandler)
    server.context, server.target = authority.context(), moto.port
    with serving(server):
        yield server


def provision(moto: Moto, server: TlsFront, bundle: Path, folder: Path) -> Run:
    """Provision three venues one after the other."""
    hosts = {f"sbg-{venue}": {"project": "sbg", "venue": venue} for venue in VENUES}
    (folder / "inventory.json").write_text(json.dumps({"venues": {"hosts": hosts}}))
    for venue in VENUES:
        moto.publish("sbg", venue)
    environment = {
        **moto.environment(),
        "AWS_URL": f"https://127.0.0.1:{server.server_address[1]}",
        "AWS_CA_BUNDLE": str(bundle),
        "AWS_MAX_ATTEMPTS": "1",
        "ANSIBLE_LOCAL_TEMP": str(folder / "local"),
    }
    arguments = ("mdps.venue_sts.provision", "-i", "inventory.json", "--forks", "1")
    return ansible_playbook(*arguments, env=environment, cwd=folder)


def bundle_with(folder: Path, *authorities: Authority) -> Path:
    bundle = folder / "bundle.pem"
    files = (Path(certifi.where()), *(one.file for one in authorities))
    bundle.write_bytes(b"".join(file.read_bytes() for file in files))
    return bundle


@pytest.mark.parametrize(("subject", "most_refused"), [("Amazon", 0), ("Inspecting proxy", 4)])
def test_a_run_finds_the_bundle_that_it_needs_once_and_leaves_no_file(
    moto: Moto, tmp_path: Path, subject: str, most_refused: int
) -> None:
    authority = Authority(tmp_path, subject)
    with front(moto, authority) as server:
        provision(moto, server, bundle_with(tmp_path, authority), tmp_path).expect()
    roles = {role["RoleName"] for role in moto.client("iam").list_roles()["Roles"]}
    assert roles == {f"unity-sbg-{venue}-sts" for venue in VENUES}
    # The first venue's four calls go out side by side; the other venues begin with what it has found out.
    assert min(most_refused, 1) <= server.refused <= most_refused
    assert list((tmp_path / "local").iterdir()) == []


def test_a_server_that_is_not_in_the_bundle_gets_no_call(moto: Moto, tmp_path: Path) -> None:
    with front(moto, Authority(tmp_path, "Amazon")) as server:
        run = provision(moto, server, bundle_with(tmp_path), tmp_path).expect(2)
    assert "could not be verified" in run.output
    assert moto.client("iam").list_roles()["Roles"] == []
