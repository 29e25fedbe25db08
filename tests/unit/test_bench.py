# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The benchmark counts and compares rightly."""

from __future__ import annotations

import asyncio
import importlib
import itertools
import json
import pathlib
import re
import shlex
import ssl
import threading
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from ansible_collections.mdps.venue_sts.plugins.module_utils._domain.receipt_log import read_log
from cryptography import x509
from cryptography.x509.oid import NameOID

from tests.bench import bench, kion_server, layers_probe, plan, targets
from tests.bench.certificate import make_certificate
from tests.bench.contenders import STEPS, Job, account_of, contenders, venue_name
from tests.bench.long_set import LONG
from tests.bench.many_receipts import HOSTILE_EVERY, STATES, write_receipts
from tests.bench.proxy import Proxy, depth, request_body
from tests.bench.quick_set import QUICK
from tests.bench.report import TITLES, cells, plot, table
from tests.support.kion import API_KEY


@pytest.mark.parametrize(
    ("spans", "expected"),
    [
        ([], 0),
        ([(0, 2), (0, 1), (1, 3)], 2),  # the third waited for the second, not for the first
        ([(0, 1), (1, 2), (2, 3)], 3),
        ([(0, 5), (1, 2), (3, 4), (4, 6)], 3),
    ],
)
def test_the_chain_is_the_longest_one(spans: list[tuple[float, float]], expected: int) -> None:
    assert depth(spans) == expected


CHUNKED = b"PUT / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n"
COUNTED = b"PUT / HTTP/1.1\r\nContent-Length: 3\r\n\r\n"


@pytest.mark.parametrize(
    ("head", "sent", "expected"),
    [
        (CHUNKED, b"3\r\nabc\r\nA;name=value\r\n0123456789\r\n0\r\ntrailer: x\r\n\r\nnext", b"abc0123456789"),
        (COUNTED, b"abcnext", b"abc"),
        (b"GET / HTTP/1.1\r\n\r\n", b"next", b""),
    ],
)
def test_a_request_ends_where_it_says(head: bytes, sent: bytes, expected: bytes) -> None:
    async def read() -> tuple[bytes, bytes]:
        reader = asyncio.StreamReader()
        reader.feed_data(sent)
        reader.feed_eof()
        return await request_body(head, reader), await reader.read()

    rest = b"next" if sent else b""
    assert asyncio.run(read()) == (expected, rest)


def test_a_client_that_asks_before_it_sends_is_answered() -> None:
    """S3's clients do, and wait a second for it, which would be on the account of the contender."""

    async def upstream(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        body = await reader.readexactly(3)
        writer.write(b"HTTP/1.0 200 OK\r\n\r\n" + (b"no" if b"Expect" in head else body))
        writer.close()

    async def ask() -> tuple[bytes, bytes]:
        server = await asyncio.start_server(upstream, "127.0.0.1")
        proxy = Proxy(server.sockets[0].getsockname()[1], setup=False)
        front = await asyncio.start_server(proxy.serve, "127.0.0.1")
        async with server, front:
            reader, writer = await asyncio.open_connection(*front.sockets[0].getsockname())
            writer.write(b"PUT /a HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n")
            first = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 30)
            writer.write(b"abc")
            answer = await asyncio.wait_for(reader.readuntil(b"abc"), 30)
            writer.write(b"GET /__bench__?seconds=0 HTTP/1.1\r\n\r\n")
            books = await asyncio.wait_for(reader.readuntil(b'"depth"'), 30)
            writer.close()
            await writer.wait_closed()
        return first, answer + books

    first, rest = asyncio.run(ask())
    assert first == b"HTTP/1.1 100 Continue\r\n\r\n"
    assert rest.startswith(b"HTTP/1.1 200 OK\r\n")
    assert b'{"S3 PUT": 1}' in rest


@pytest.mark.parametrize(("failures", "status"), [(0, b"200"), (1, b"200"), (2, b"500")])
def test_a_call_that_the_emulator_fails_by_chance_is_repeated_once(failures: int, status: bytes) -> None:
    answers = iter([b"500 NO"] * failures + [b"200 OK"] * 2)

    async def upstream(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 " + next(answers) + b"\r\n\r\n")
        writer.close()

    async def ask() -> bytes:
        server = await asyncio.start_server(upstream, "127.0.0.1")
        async with server:
            proxy = Proxy(server.sockets[0].getsockname()[1], setup=False)
            return await proxy._forward(b"GET /a HTTP/1.1\r\n\r\n", b"", True)

    assert asyncio.run(ask()).split(b" ")[1] == status


def test_kion_counts_requests_for_keys_and_concurrent_ones(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    together = threading.Barrier(2, timeout=60)
    monkeypatch.setattr(kion_server.time, "sleep", lambda _seconds: together.wait())
    kion = kion_server.BenchKion(tmp_path)
    words = ("aws_access_key_id", "aws_secret_access_key", "aws_session_token")
    kion.serve_keys({number: {word: f"{word} of {number}" for word in words} for number in ("1" * 12, "2" * 12)})

    def ask(number: str) -> dict[str, str]:
        body = {"account_number": number, "iam_role_name": "mcp-tenantOperator"}
        status, data = kion.answer("POST", "/api/v3/temporary-credentials", {}, body, API_KEY)
        assert status == 200
        return data

    with ThreadPoolExecutor(2) as pool:
        found = [one["access_key"] for one in pool.map(ask, ("1" * 12, "2" * 12))]
    assert found == [f"aws_access_key_id of {number}" for number in ("1" * 12, "2" * 12)]
    assert kion.books() == {"kion_asked": 2, "kion_at_once": 2}
    assert kion.books() == {"kion_asked": 0, "kion_at_once": 0}


# The report ---------------------------------------------------------------------------------------------------------


def sample(contender: str, wall: float, **more: Any) -> dict[str, Any]:
    measured = {
        **{"wall": wall, "cpu": wall / 2, "emulator_cpu": 0.1, "memory": 50, "calls": {"GetRole": 20}},
        **{"connections": 4, "depth": 0, "lines": 9, "kion_asked": 0, "kion_at_once": 0},
    }
    where = {"step": "no_change", "venues": 10, "latency": 0.0, "tls": plan.PLAIN, "forks": 2}
    return {"contender": contender, **where, **measured, **more}


def rows(*samples: dict[str, Any]) -> list[dict[str, str]]:
    """The rows of the table of all measurements, by the names of its columns."""
    lines = table({"machine": {"cores": "2"}, "samples": list(samples)}).splitlines()
    head = next(number for number, line in enumerate(lines) if line.startswith("| venues |"))
    names, *found = ([part.strip() for part in line.split("|")[1:-1]] for line in lines[head:])
    return [dict(zip(names, row, strict=True)) for row in found[1:]]


def test_medians_and_ratios() -> None:
    ours, other = rows(*(sample("ours", wall) for wall in (1.0, 2.0, 9.0)), sample("amazon.aws", 30.0))
    assert (ours["contender"], ours["runs"], ours["wall s"], ours["CPU s"]) == ("ours", "3", "2.00", "1.00")
    assert (other["contender"], other["runs"], other["wall s"], other["times ours"]) == (
        *("amazon.aws", "1", "30.00", "15.00"),
    )


def test_what_differs_in_forks_or_transport_is_not_mixed() -> None:
    found = rows(
        sample("ours", 9.0, tls=plan.OTHER),
        sample("ours", 7.0, tls=plan.TLS),
        sample("ours", 5.0, forks=10),
        sample("ours", 1.0),
    )
    assert [(row["wall s"], row["HTTPS"]) for row in found] == [
        *(("1.00", ""), ("5.00", ""), ("7.00", "yes"), ("9.00", "other authority")),
    ]


def test_requests_to_kion_are_in_the_table_where_there_were_any() -> None:
    found = rows(sample("ours, 5 accounts", 1.0, kion_asked=5, kion_at_once=3), sample("ours", 1.0))
    assert [row["Kion asked"] for row in found] == ["", "5 (3)"]


def test_the_plot_has_a_line_per_contender_and_step() -> None:
    samples = [
        sample(name, wall, venues=venues, step=step, tls=tls)
        for name, wall in (("ours", 1.0), ("other", 20.0))
        for venues in (1, 10)
        for step in ("create", "issue")
        for tls in (plan.TLS, plan.PLAIN)
    ]
    image = plot({"samples": [*samples, sample("ours", 3.0, step="renew")]})
    assert image.count("<polyline") == 4
    assert image.count('font-weight="bold"') == 2  # no panel for what was measured with one number of venues


def test_a_plot_of_one_measurement_is_empty() -> None:
    assert "<polyline" not in plot({"samples": [sample("ours", 1.0)]})


# The targets --------------------------------------------------------------------------------------------------------


def target(about: str, *samples: dict[str, Any]) -> list[str]:
    """The row of a target: bound, figure, whether it is met."""
    lines = targets.table(cells(list(samples)), cores=2)
    (row,) = [line for line in lines if line.startswith(f"| {about} |")]
    return [part.strip() for part in row.split("|")[2:-1]]


def at(step: str, venues: int, wall: float, contender: str = "ours", latency: float = 0.0, **more: Any) -> Any:
    return sample(contender, wall, step=step, venues=venues, latency=latency, **more)


@pytest.mark.parametrize(("sealed", "figure", "met"), [(5.0, "1.25 x", "yes"), (5.1, "1.27 x", "no")])
def test_a_bound_from_above(sealed: float, figure: str, met: str) -> None:
    about = "50 venues: sealed issue / `dest`, wall time"
    assert target(about, at("seal", 50, sealed), at("issue", 50, 4.0)) == ["at most 1.25 x", figure, met]


@pytest.mark.parametrize(("theirs", "figure", "met"), [(100.0, "25.00 x", "yes"), (99.0, "24.75 x", "no")])
def test_a_bound_from_below(theirs: float, figure: str, met: str) -> None:
    found = target(
        "50 venues: amazon.aws / no change, wall time",
        at("no_change", 50, 4.0),
        at("no_change", 50, theirs, "amazon.aws"),
    )
    assert found == ["at least 25 x", figure, met]


@pytest.mark.parametrize(("ours", "met"), [(1.4, "yes"), (1.5, "no")])
def test_faster_is_not_as_fast_as(ours: float, met: str) -> None:
    found = target(
        "1 venue at 80 ms, HTTPS, sealed issue: one command / two CLI commands plus age",
        at("seal", 1, ours, plan.COMMAND, 0.08, tls=plan.TLS),
        at("seal", 1, 1.5, plan.CLI, 0.08, tls=plan.TLS),
    )
    assert (found[0], found[2]) == ("less than 1 x", met)


@pytest.mark.parametrize(
    "other",
    [
        at("issue", 50, 4.0, tls=plan.TLS),
        at("issue", 50, 4.0, forks=10),
        at("issue", 50, 4.0, latency=0.08),
        at("issue", 10, 4.0),
        at("issue", 50, 4.0, "amazon.aws"),
        at("create", 50, 4.0),
    ],
)
def test_a_target_is_not_measured_with_what_differs(other: dict[str, Any]) -> None:
    about = "50 venues: sealed issue / `dest`, wall time"
    assert target(about, at("seal", 50, 5.0), other) == ["at most 1.25 x", "not measured", ""]


def test_without_measurements_no_target_is_met() -> None:
    lines = targets.table({}, cores=2)
    assert len(lines) > 20
    assert all("| not measured |  |" in line for line in lines[2:])


def test_cpu_over_https_is_compared_not_wall_time() -> None:
    found = target(
        "50 venues: CPU over HTTPS / without TLS, renewal",
        at("renew", 50, 10.0, cpu=6.0, tls=plan.TLS),
        at("renew", 50, 10.0, cpu=5.0),
    )
    assert found == ["at most 1.3 x", "1.20 x", "yes"]


def test_our_own_cpu_is_that_of_each_venue_more() -> None:
    found = target(
        "own CPU of a venue, no change: ours minus ansible-core alone, each venue more from 1 to 50",
        *(at("no_change", 1, 1.0, cpu=1.0), at("no_change", 50, 1.0, cpu=5.9)),
        *(at("no_change", 1, 1.0, plan.ALONE, cpu=0.8), at("no_change", 50, 1.0, plan.ALONE, cpu=2.27)),
    )
    assert found == ["at most 60 ms", "70.00 ms", "no"]  # 100 ms minus 30 ms


def test_start_up_is_compared_with_the_same_program() -> None:
    samples = (
        *(at("seal", 1, 1.2), at("seal", 1, 0.95, plan.COMMAND)),
        *(at("no_change", 1, 0.8, plan.ALONE), at("no_change", 1, 0.7, plan.ALONE_COMMAND)),
    )
    about = "sealed issue: wall time minus ansible-core alone"
    assert target(f"1 venue, playbook, {about}", *samples) == ["at most 0.3 s", "0.40 s", "no"]
    assert target(f"1 venue, one command, {about}", *samples) == ["at most 0.3 s", "0.25 s", "yes"]


def test_the_script_is_compared_whatever_the_forks() -> None:
    samples = (
        at("seal", 50, 5.0, latency=0.08, forks=20),
        at("seal", 50, 6.0, latency=0.08, forks=10),
        at("seal", 50, 2.0, plan.SCRIPT, 0.08, forks=10),
    )
    about = "sealed issue / boto3 script"
    assert target(f"50 venues at 80 ms, forks 20: {about}", *samples) == ["at most 2.5 x", "2.50 x", "yes"]
    assert target(f"50 venues at 80 ms, forks 10: {about}", *samples) == ["at most 2.8 x", "3.00 x", "no"]


@pytest.mark.parametrize(("asked", "met"), [(5, "yes"), (6, "no")])
def test_kion_is_to_be_asked_once_for_each_account(asked: int, met: str) -> None:
    one = at("seal", 50, 5.0, "ours, 5 accounts", 0.08, forks=10, kion_asked=asked, kion_at_once=5)
    where = "50 venues in 5 accounts with keys from Kion, forks 10"
    assert target(f"{where}: requests for keys of each account", one)[2] == met


def test_growth_is_that_of_each_venue_more() -> None:
    samples = [at("seal", venues, wall) for venues, wall in ((50, 5.0), (200, 20.0), (1000, 108.0))]
    about = "sealed issue: wall time of each venue more from 200 to 1000 / from 50 to 200"
    assert target(about, *samples) == ["at most 1.1 x", "1.10 x", "yes"]


# The sets -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("rows_of", [QUICK, LONG])
def test_a_set_is_of_what_contenders_can_do(rows_of: tuple[plan.Row, ...]) -> None:
    for row in rows_of:
        assert set(row.steps) <= set(STEPS), row
        for name in row.contenders:
            contender = contenders()[name]
            assert set(row.steps) & set(contender.steps), (row, name)
            assert row.venues == 1 or not contender.single, (row, name)
            assert "create" in row.steps or contender.prepared or name.startswith(plan.ALONE), (row, name)


@pytest.mark.parametrize("rows_of", [QUICK, LONG])
def test_no_turn_of_a_set_has_the_name_of_another(rows_of: tuple[plan.Row, ...]) -> None:
    names = [str(turn) for turn in plan.turns(rows_of)]
    assert len(set(names)) == len(names)
    # With as many cores as a row names forks, two rows may be the same.
    assert plan.CORES in (10, 20) or len(names) == sum(row.runs * len(row.contenders) for row in rows_of)


# What takes the hours of the others, and growth. These targets are the long set's.
LONG_ONLY = ("HTTPS: amazon.aws", "/ from 10 to 50 ", "/ from 50 to 200 ", "from 200 to 1000 ", "1,000 venues")


@pytest.mark.parametrize(("rows_of", "missing"), [(QUICK, True), (LONG, False)])
def test_a_set_measures_the_targets(rows_of: tuple[plan.Row, ...], missing: bool) -> None:
    samples = [
        at(step, row.venues, 1.0 + row.venues, name, row.latency / 1000, tls=row.tls, forks=row.forks)
        for row in rows_of
        for name in row.contenders
        for step in row.steps
        if step in contenders()[name].steps
    ]
    lines = targets.table(cells(samples), cores=plan.CORES)
    without = [line for line in lines if "not measured" in line]
    expected = [line for line in lines if missing and any(words in line for words in LONG_ONLY)]
    assert without == expected


def test_the_commands_of_the_documentation_are_commands_of_the_benchmark() -> None:
    text = (pathlib.Path(__file__).parents[2] / "docs" / "performance.md").read_text()
    given = re.findall(r"^\|[^|]*\| `(--[^`]*)` \|$", text, re.MULTILINE)
    given += re.findall(r"BENCH='?(--[^'`\n]*?)(?:'| {2}|`)", text)
    assert len(given) > 15
    for options in given:
        rows_of = bench.wanted(bench.parse(shlex.split(options))[1])
        assert all(set(row.steps) <= set(STEPS) for row in rows_of), options


ABOUT = {"cores": "2", "files": "1"}
DONE = {"machine": ABOUT, "turns": ["a"], "samples": [{"turn": "a"}, {"turn": "broken off"}]}


@pytest.mark.parametrize(
    ("options", "file", "kept"),
    [
        ([], None, 0),
        ([], json.dumps(DONE), 0),
        ([], "{", 0),
        (["--append"], None, 0),
        (["--append"], json.dumps(DONE), 1),
        (["--resume"], json.dumps(DONE), 1),
        (["--full", "--resume"], json.dumps({**DONE, "unfinished": True}), 1),
        (["--append"], json.dumps({**DONE, "machine": {**ABOUT, "files": "2"}, "samples": []}), 0),
        (["--append"], json.dumps({**DONE, "machine": {**ABOUT, "files": "2"}}), "measured with other: files"),
        (["--resume"], json.dumps({**DONE, "machine": {**ABOUT, "cores": "8"}}), "measured with other: cores"),
        (["--full"], json.dumps({**DONE, "unfinished": True}), "a part of the long set"),
        *[(["--append"], text, "no results that can be continued") for text in ("", "{", "[]", "{}", "7", "null")],
    ],
)
def test_results_of_other_files_are_never_mixed_and_a_long_set_is_not_lost(
    tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str], options: list[str], file: str | None, kept: int | str
) -> None:
    if file is not None:
        (tmp_path / "results.json").write_text(file)
    parser, parsed = bench.parse([*options, "--output", str(tmp_path)])
    if isinstance(kept, int):
        found = bench.kept(parser, parsed, ABOUT)
        assert (found["machine"], len(found["samples"])) == (ABOUT, kept)
        return
    with pytest.raises(SystemExit):
        bench.kept(parser, parsed, ABOUT)
    assert kept in capsys.readouterr().err


def test_who_does_one_venue_only_is_left_out_of_more() -> None:
    rows_of = bench.wanted(bench.parse(["--venues", "1", "5", "--tls", "none", "amazon"])[1])
    found = [(row.venues, row.tls, plan.COMMAND in row.contenders, "ours" in row.contenders) for row in rows_of]
    assert found == [
        *((1, "none", True, True), (1, "amazon", True, True)),
        *((5, "none", False, True), (5, "amazon", False, True)),
    ]


def test_every_step_has_a_title() -> None:
    assert set(TITLES) == set(STEPS)


# The contenders -----------------------------------------------------------------------------------------------------


def test_every_contender_that_issues_also_seals() -> None:
    for contender in contenders().values():
        assert "issue" not in contender.steps or "seal" in contender.steps, contender.name


def test_a_sealed_issue_names_the_key_and_is_otherwise_the_default(tmp_path: pathlib.Path) -> None:
    for contender in contenders().values():
        if contender.name.startswith("ours") and "seal" in contender.steps:
            job = Job("seal", 1, tmp_path, 2, contender.key_kind)
            command = " ".join(contender.command(job))
            assert str(job.keys) in command
            assert "dest" not in command or contender.name == "ours, shipped"


def test_venues_are_in_as_many_accounts_as_asked() -> None:
    def accounts(name: str) -> int:
        of = contenders()[name].accounts(50)
        found = {account_of(number, of) for number in range(50)}
        assert all(re.fullmatch("[0-9]{12}", one) for one in found)
        return len(found)

    assert [accounts(name) for name in ("ours", "ours, 5 accounts", "ours, account each")] == [1, 5, 50]


# What contenders find ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("organization", ["Amazon", "Somebody else"])
def test_the_bundle_is_the_public_one_with_an_authority_more(tmp_path: pathlib.Path, organization: str) -> None:
    bundle, certificate, key = make_certificate(tmp_path, organization)
    *public, last = bundle.read_text().split("-----BEGIN CERTIFICATE-----")[1:]
    assert len(public) > 100
    authority = x509.load_pem_x509_certificate(f"-----BEGIN CERTIFICATE-----{last}".encode())
    (found,) = authority.subject.get_attributes_for_oid(NameOID.ORGANIZATION_NAME)
    assert found.value == organization
    assert key.stat().st_mode & 0o777 == 0o600
    authority.verify_directly_issued_by(authority)
    x509.load_pem_x509_certificate(certificate.read_bytes()).verify_directly_issued_by(authority)
    ssl.create_default_context(cafile=str(bundle)).load_cert_chain(certificate, key)


def test_the_long_file_of_receipts_has_whole_tokens_and_hostile_lines(tmp_path: pathlib.Path) -> None:
    file = tmp_path / "receipts.jsonl"
    write_receipts(file, 1000)
    found = read_log(file.read_bytes().splitlines())
    assert found.unreadable == 1000 // HOSTILE_EVERY
    assert (len(found.tokens), found.conflicts) == ((1000 - 1000 // HOSTILE_EVERY) // STATES, ())
    assert "unityuser" in {one.recipient for one in found.tokens}
    assert venue_name(0) in {tuple(one.venue) for one in found.tokens if one.recipient == "unityuser"}


def test_the_largest_receipts_are_not_of_the_user_who_is_revoked(tmp_path: pathlib.Path) -> None:
    """More of that user's sessions would be on record than a policy has room for."""
    file = tmp_path / "receipts.jsonl"
    write_receipts(file, 20 * HOSTILE_EVERY)
    large = [one for one in read_log(file.read_bytes().splitlines()).tokens if one.session_name.startswith("large-")]
    assert large and "unityuser" not in {one.recipient for one in large}


@pytest.mark.parametrize(
    "options",
    [
        "--latency 80 --runs 5",
        "--full --forks 20 --tls other",
        "--runs 0 --venues 1",
        "--venues 0",
        "--venues 1 --forks 0",
        "--venues 1 --latency -5",
        "--contenders 'ours, one command' --venues 10",
    ],
)
def test_options_that_would_measure_nothing_or_something_else_are_errors(options: str) -> None:
    with pytest.raises(SystemExit):
        bench.parse(shlex.split(options))


def test_a_measurement_that_is_repeated_is_a_turn_of_its_own(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bench, "take_turn", lambda _field, _turn: ())
    monkeypatch.setattr(bench.report, "write", lambda _output, _results: None)
    options = bench.parse(["--append", "--venues", "1", "--contenders", "ours", "--runs", "2"])[1]
    results: dict[str, Any] = {"turns": [], "samples": []}
    for _twice in range(2):
        bench.measure_all(None, bench.wanted(options), options, results)
    assert len(set(results["turns"])) == len(results["turns"]) == 4


def test_a_layer_has_the_time_of_its_functions_without_that_of_other_layers(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter([0.0, 1.0, 3.0, 10.0])  # the outer function begins, the inner one begins and ends, the outer one ends
    monkeypatch.setattr(layers_probe.time, "thread_time", lambda: next(clock))
    monkeypatch.setattr(layers_probe, "_totals", defaultdict(float))
    inner = layers_probe.timed("inner", lambda: "found")
    assert layers_probe.timed("outer", inner)() == "found"
    assert layers_probe._totals == {"inner": 2.0, "outer": 8.0}


def test_every_function_of_a_layer_exists() -> None:
    for names in (layers_probe.IN_MAIN, layers_probe.IN_WORKERS):
        for name in itertools.chain.from_iterable(names.values()):
            module, _colon, path = name.partition(":")
            found: Any = importlib.import_module(module)
            for part in path.split("."):
                found = getattr(found, part)
            assert callable(found)
