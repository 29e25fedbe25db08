# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Clients trust Amazon's own authorities first, then the bundle in force, and nothing else."""

from __future__ import annotations

import contextlib
import os
import socket
import ssl
import stat
import sys
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import botocore
import certifi
import pytest
from ansible_collections.mdps.venue_sts.plugins.module_utils._aws import authorities, calls
from ansible_collections.mdps.venue_sts.plugins.module_utils._aws.clients import Clients
from ansible_collections.mdps.venue_sts.plugins.module_utils._domain.errors import AwsRefused, ConnectionProblem

from tests.support.places import Authority
from tests.support.serving import serving

FAKE = {"access_key": "AKIAFAKEFAKEFAKEFAKE", "secret_key": "fake-secret", "session_token": "fake-token"}
REFUSED = b"<ErrorResponse><Error><Code>AccessDenied</Code><Message>no</Message></Error></ErrorResponse>"
PEM = "-----BEGIN CERTIFICATE-----\n{}\n-----END CERTIFICATE-----\n"


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The private folder of a run."""
    private = tmp_path / "run"
    private.mkdir(mode=0o700)
    monkeypatch.setattr(authorities, "folder", str(private))
    return private


def certificates(file: str | Path) -> set[bytes]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(file)
    return set(context.get_ca_certs(binary_form=True))


def test_the_short_list_of_the_public_bundle_is_what_amazon_publishes(folder: Path) -> None:
    short = authorities.short_list(True)
    assert short is not None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(short)
    names = {dict(part[0] for part in one["subject"])["commonName"] for one in context.get_ca_certs()}
    assert names == {f"Amazon Root CA {number}" for number in (1, 2, 3, 4)} | {
        "Starfield Services Root Certificate Authority - G2"
    }
    assert certificates(short) < certificates(certifi.where())
    assert stat.S_IMODE(Path(short).stat().st_mode) == 0o600
    assert os.listdir(folder) == [Path(short).name]  # noqa: PTH208 - nothing half written is left


def test_without_certifi_the_list_comes_from_botocores_own_bundle(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "certifi", None)
    short = authorities.short_list(True)
    assert short is not None
    assert len(certificates(short)) == 5
    assert certificates(short) < certificates(Path(botocore.__file__).with_name("cacert.pem"))


@pytest.mark.parametrize("content", ["", "no certificate", PEM.format("***"), PEM.format("QW1hem9u"), None], ids=repr)
def test_a_bundle_without_amazons_authorities_is_used_as_it_is(
    tmp_path: Path, folder: Path, content: str | None
) -> None:
    bundle = tmp_path / "bundle.pem"
    if content is not None:
        bundle.write_text(content)
    for verify in (str(bundle), str(tmp_path), False, None):
        assert authorities.short_list(verify) is None
    assert not any(folder.iterdir())


BEGIN = "-----BEGIN CERTIFICATE-----"


@pytest.mark.parametrize(
    "changed",
    [
        lambda pem: pem.replace(BEGIN, f"#{BEGIN}"),
        lambda pem: pem.replace(BEGIN, f" {BEGIN}"),
        lambda pem: pem.replace(BEGIN, f"Amazon: {BEGIN}"),
        lambda pem: pem[:-60],
        lambda pem: pem.replace(BEGIN, f"{BEGIN}\n***"),
        lambda pem: pem + PEM.format("QUJD"),
        lambda pem: PEM.format("QUJD") + pem,
        lambda pem: pem.replace(" CERTIFICATE", " TRUSTED CERTIFICATE") + pem,
        lambda pem: pem.replace(" CERTIFICATE", " X509 CERTIFICATE"),
        lambda pem: "\ufeff" + pem,
        lambda pem: pem.replace("\n", "\r\n"),
        lambda pem: pem + pem,
    ],
)
def test_what_openssl_does_not_load_from_a_bundle_is_in_no_list(tmp_path: Path, changed: Callable[[str], str]) -> None:
    bundle = tmp_path / "changed.pem"
    bundle.write_text(changed(Authority(tmp_path, "Amazon").file.read_text()), newline="")
    short = authorities.short_list(str(bundle))
    try:
        loaded = certificates(bundle)
    except ssl.SSLError:
        loaded = set()
    assert (certificates(short) if short else set()) <= loaded
    assert bool(short) == (bool(loaded) and "TRUSTED" not in bundle.read_text())


def test_without_tls_no_list_is_made(folder: Path) -> None:
    options = {"profile": None, "region": "us-west-2", "validate_certs": True, "aws_ca_bundle": None, **FAKE}
    Clients({**options, "endpoint_url": "http://127.0.0.1:1", "aws_config": None}).client("sts")
    assert not any(folder.iterdir())
    assert authorities.by_tls(None)
    assert authorities.by_tls("https://sts.us-west-2.amazonaws.com")


def test_a_bundle_that_is_changed_during_a_run_gets_a_new_list(tmp_path: Path) -> None:
    bundle = tmp_path / "bundle.pem"
    bundle.write_bytes(Path(certifi.where()).read_bytes())
    first = authorities.short_list(str(bundle))
    bundle.write_bytes(Authority(tmp_path, "Amazon").file.read_bytes())
    second = authorities.short_list(str(bundle))
    assert first
    assert second
    assert certificates(second) == certificates(bundle) != certificates(first)


@pytest.mark.parametrize("where", ["missing", "bundle.pem"])
def test_where_the_list_cannot_be_written_the_bundle_is_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    (tmp_path / "bundle.pem").touch()
    monkeypatch.setattr(authorities, "folder", str(tmp_path / where))
    assert authorities.short_list(True) is None


def test_without_a_folder_there_is_no_list(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(authorities, "folder", None)
    assert authorities.short_list(True) is None


class Session:
    """A session with a profile."""

    def __init__(self, ca_bundle: str | None) -> None:
        self._ca_bundle = ca_bundle

    def get_config_variable(self, name: str) -> str | None:
        assert name == "ca_bundle"
        return self._ca_bundle


@pytest.mark.parametrize(
    ("verify", "profile", "environment", "expected"),
    [
        (True, None, None, True),
        (True, "/profile.pem", None, "/profile.pem"),
        (True, "/profile.pem", "/requests.pem", "/profile.pem"),
        (True, None, "/requests.pem", "/requests.pem"),
        ("/option.pem", "/profile.pem", "/requests.pem", "/option.pem"),
        (False, "/profile.pem", "/requests.pem", False),
        (None, "/profile.pem", "/requests.pem", None),
    ],
)
def test_the_bundle_in_force_is_that_of_the_aws_cli(
    monkeypatch: pytest.MonkeyPatch, verify: Any, profile: str | None, environment: str | None, expected: Any
) -> None:
    if environment:
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", environment)
    else:
        monkeypatch.delenv("REQUESTS_CA_BUNDLE", raising=False)
    assert authorities.bundle_in_force(Session(profile), verify) == expected


class Refusing(BaseHTTPRequestHandler):
    """STS, which refuses every call."""

    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(403)
        self.send_header("Content-Length", str(len(REFUSED)))
        self.end_headers()
        self.wfile.write(REFUSED)

    def log_message(self, *words: object) -> None:
        """Quiet."""


class TlsServer(ThreadingHTTPServer):
    """Counts the handshakes that it began, and those that ended well."""

    begun = ended = 0
    context: ssl.SSLContext

    def finish_request(self, request: Any, client_address: Any) -> None:
        self.begun += 1
        with contextlib.suppress(OSError), self.context.wrap_socket(request, server_side=True) as connection:
            self.ended += 1
            self.RequestHandlerClass(connection, client_address, self)


@contextlib.contextmanager
def sts_with(authority: Authority) -> Iterator[TlsServer]:
    server = TlsServer(("127.0.0.1", 0), Refusing)
    server.context = authority.context()
    with serving(server):
        yield server


def bundle_of(folder: Path, *more: Authority) -> str:
    bundle = folder / "bundle.pem"
    bundle.write_bytes(b"".join(Path(one).read_bytes() for one in (certifi.where(), *(each.file for each in more))))
    return str(bundle)


@contextlib.contextmanager
def client_of(server: TlsServer, bundle: str, aws_config: dict[str, Any] | None = None) -> Iterator[Any]:
    """A client of STS that trusts a bundle."""
    options = {"profile": None, "region": "us-west-2", "validate_certs": True, "aws_ca_bundle": bundle, **FAKE}
    url = f"https://127.0.0.1:{server.server_address[1]}"
    sts = Clients({**options, "endpoint_url": url, "aws_config": aws_config}).client("sts")
    try:
        yield sts
    finally:
        sts.close()


def ask(server: TlsServer, bundle: str) -> dict[str, Any]:
    """Ask STS who this is, with a client of its own, and return the facts of the refusal."""
    with (
        client_of(server, bundle) as sts,
        pytest.raises(AwsRefused) as caught,
        calls.noting_lost_answers(sts, "get_caller_identity"),
    ):
        calls.call(sts, "get_caller_identity", "ask")
    return caught.value.facts


def test_a_server_of_amazons_is_verified_with_the_short_list(tmp_path: Path, folder: Path) -> None:
    amazon = Authority(tmp_path, "Amazon")
    with sts_with(amazon) as server:
        bundle = bundle_of(tmp_path, amazon)
        ask(server, bundle)
        assert (server.begun, server.ended) == (1, 1)
    assert [len(certificates(file)) for file in folder.iterdir()] == [6]


def test_behind_a_proxy_that_inspects_tls_the_whole_bundle_is_used_from_the_second_connection_on(
    tmp_path: Path, folder: Path
) -> None:
    proxy = Authority(tmp_path, "Inspecting proxy")
    with sts_with(proxy) as server:
        bundle = bundle_of(tmp_path, proxy)
        facts = ask(server, bundle)
        assert (server.begun, server.ended) == (2, 1)
        assert "answer_lost" not in facts  # nothing was sent before
        ask(server, bundle)
        assert (server.begun, server.ended) == (3, 2)
    assert [certificates(file) for file in folder.iterdir()] == [certificates(bundle)]


@pytest.mark.parametrize("mode", ["legacy", "standard", "adaptive", None])
@pytest.mark.parametrize("place", ["environment", "profile", "aws_config"])
def test_a_proxy_that_inspects_tls_is_accepted_in_every_retry_mode_at_the_first_attempt(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mode: str | None, place: str
) -> None:
    proxy = Authority(tmp_path, "Inspecting proxy")
    aws_config = None
    if place == "aws_config":
        aws_config = {"retries": {"total_max_attempts": 1, **({"mode": mode} if mode else {})}}
    elif place == "environment":
        monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
        monkeypatch.setenv("AWS_RETRY_MODE", mode or "")
    else:
        config = tmp_path / "config"
        config.write_text("[default]\nmax_attempts = 1\n" + (f"retry_mode = {mode}\n" if mode else ""))
        monkeypatch.setenv("AWS_CONFIG_FILE", str(config))
    with sts_with(proxy) as server:
        with client_of(server, bundle_of(tmp_path, proxy), aws_config) as sts, pytest.raises(AwsRefused):
            calls.call(sts, "get_caller_identity", "ask")
        assert server.ended == 1


def test_calls_side_by_side_all_find_the_whole_bundle(tmp_path: Path) -> None:
    proxy = Authority(tmp_path, "Inspecting proxy")
    with sts_with(proxy) as server:
        bundle = bundle_of(tmp_path, proxy)
        calls.run_concurrently(*[lambda: ask(server, bundle)] * 6)
        assert server.ended == 6


def test_a_list_that_was_deleted_during_a_run_does_no_harm(tmp_path: Path, folder: Path) -> None:
    amazon = Authority(tmp_path, "Amazon")
    with sts_with(amazon) as server, client_of(server, bundle_of(tmp_path, amazon)) as sts:
        for file in folder.iterdir():
            file.unlink()
        with pytest.raises(AwsRefused):
            calls.call(sts, "get_caller_identity", "ask")


@pytest.mark.parametrize("left", [None, "a file"])
def test_a_folder_that_was_removed_during_a_run_does_no_harm(tmp_path: Path, folder: Path, left: str | None) -> None:
    proxy = Authority(tmp_path, "Inspecting proxy")
    with sts_with(proxy) as server, client_of(server, bundle_of(tmp_path, proxy)) as sts:
        for file in folder.iterdir():
            file.unlink()
        folder.rmdir()
        if left is None:
            with pytest.raises(AwsRefused):
                calls.call(sts, "get_caller_identity", "ask")
        else:
            folder.write_text(left)
            with pytest.raises(ConnectionProblem):
                calls.call(sts, "get_caller_identity", "ask")


class Breaking(Refusing):
    """Breaks the TLS connection after it has read a call."""

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.server.posts += 1  # type: ignore[attr-defined]
        os.write(self.connection.fileno(), b"\x17\x03\x03\x00\x20" + b"x" * 32)
        self.close_connection = True


def test_an_error_after_the_call_was_sent_does_not_repeat_it(tmp_path: Path, folder: Path) -> None:
    amazon = Authority(tmp_path, "Amazon")
    with sts_with(amazon) as server:
        server.RequestHandlerClass, server.posts = Breaking, 0  # type: ignore[attr-defined]
        once = {"retries": {"mode": "standard", "total_max_attempts": 1}}
        with client_of(server, bundle_of(tmp_path, amazon), once) as sts, pytest.raises(ConnectionProblem):
            calls.call(sts, "get_caller_identity", "ask")
        assert server.posts == 1  # type: ignore[attr-defined]
    assert [len(certificates(file)) for file in folder.iterdir()] == [6]


class Connecting(BaseHTTPRequestHandler):
    """A proxy that is called by TLS, and connects to the server behind it."""

    def do_CONNECT(self) -> None:
        host, _colon, port = self.path.partition(":")
        with socket.create_connection((host, int(port))) as behind:
            self.wfile.write(b"HTTP/1.1 200 OK\r\n\r\n")
            back = threading.Thread(target=forward, args=(behind.recv, self.connection.sendall), daemon=True)
            back.start()
            forward(self.connection.recv, behind.sendall)
            with contextlib.suppress(OSError):
                behind.shutdown(socket.SHUT_RDWR)
            back.join()
        self.close_connection = True

    def log_message(self, *words: object) -> None:
        """Quiet."""


def forward(receive: Callable[[int], bytes], send: Callable[[bytes], object]) -> None:
    with contextlib.suppress(OSError):
        while data := receive(65536):
            send(data)


@pytest.mark.parametrize("known", [True, False])
def test_the_certificate_of_an_https_proxy_is_verified_with_the_whole_bundle(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, known: bool
) -> None:
    (tmp_path / "corporate").mkdir()
    amazon, corporate = Authority(tmp_path, "Amazon"), Authority(tmp_path / "corporate", "Corporate")
    bundle = bundle_of(tmp_path, amazon, *([corporate] if known else []))
    proxy = TlsServer(("127.0.0.1", 0), Connecting)
    proxy.context = corporate.context()
    monkeypatch.setenv("HTTPS_PROXY", f"https://127.0.0.1:{proxy.server_address[1]}")
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    with sts_with(amazon) as server, serving(proxy):
        if known:
            ask(server, bundle)
            assert (server.ended, proxy.begun, proxy.ended) == (1, 2, 1)
            return
        once = {"retries": {"mode": "standard", "total_max_attempts": 1}}
        with (
            client_of(server, bundle, once) as sts,
            pytest.raises(ConnectionProblem, match="certificate of the HTTPS proxy could not be verified"),
        ):
            calls.call(sts, "get_caller_identity", "ask")
        assert (server.begun, proxy.ended) == (0, 0)


@pytest.mark.parametrize("subject", ["Amazon", "Somebody"])
def test_a_certificate_of_an_authority_outside_the_bundle_is_refused_whatever_its_name(
    tmp_path: Path, subject: str
) -> None:
    once = {"retries": {"total_max_attempts": 1}}
    with (
        sts_with(Authority(tmp_path, subject)) as server,
        client_of(server, bundle_of(tmp_path), once) as sts,
    ):
        with pytest.raises(ConnectionProblem, match="could not be verified"):
            calls.call(sts, "get_caller_identity", "ask")
        assert server.ended == 0
