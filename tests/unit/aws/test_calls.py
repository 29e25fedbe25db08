# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What AWS's answers, and its silence, mean to the user."""

from __future__ import annotations

import contextvars
import socket
import ssl
import threading
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.mdps.venue_sts.plugins.module_utils._aws import calls
from ansible_collections.mdps.venue_sts.plugins.module_utils._domain.errors import (
    AwsRefused,
    ConcurrentChange,
    ConnectionProblem,
    VenueError,
)
from ansible_collections.mdps.venue_sts.plugins.module_utils._domain.steps import Step
from botocore.config import Config
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from tests.support.servers import free_port
from tests.support.stubs import plain_client, stubbed

ROLE = "unity-sbg-dev-sts"
PATH = "/unity/sbg/dev/cs/sts/role/external-id"
ASSUMED = {
    "RoleArn": f"arn:aws:iam::123456789012:role/{ROLE}",
    "RoleSessionName": "jdoe",
    "ExternalId": "top-secret-external-id",
}


def refused(service: str, operation: str, code: str, message: str = "No", **arguments: Any) -> VenueError:
    """The error that a call raises when AWS answers with this code."""
    with stubbed(service) as (client, stub):
        stub.add_client_error(operation, code, message, response_meta={"RequestId": "req-1"})
        with pytest.raises(VenueError) as caught:
            calls.call(client, operation, "do the thing", **arguments)
    return caught.value


def test_an_answer_is_given_back_as_it_is() -> None:
    with stubbed("sts") as (client, stub):
        stub.add_response("get_caller_identity", {"Account": "123456789012", "Arn": "a" * 20, "UserId": "u"})
        assert calls.call(client, "get_caller_identity", "see")["Account"] == "123456789012"


@pytest.mark.parametrize(
    ("service", "operation", "action"),
    [
        ("iam", "get_role", "iam:GetRole"),
        ("ssm", "put_parameter", "ssm:PutParameter"),
        ("sts", "assume_role_with_saml", "sts:AssumeRoleWithSAML"),
        ("iam", "list_instance_profiles_for_role", "iam:ListInstanceProfilesForRole"),
    ],
)
def test_actions_are_named_as_policies_name_them(service: str, operation: str, action: str) -> None:
    assert calls.iam_action(plain_client(service), operation) == action


@pytest.mark.parametrize("code", ["NoSuchEntity"])
def test_not_found_is_none(code: str) -> None:
    with stubbed("iam") as (client, stub):
        stub.add_client_error("get_role", code)
        assert calls.call_or_none(client, "get_role", "read", RoleName=ROLE) is None


@pytest.mark.parametrize("code", ["AccessDenied", "AccessDeniedException", "UnauthorizedOperation"])
def test_denied_is_not_not_found_and_names_the_action_to_ask_for(code: str) -> None:
    with stubbed("iam") as (client, stub):
        stub.add_client_error("get_role", code, "User is not authorized", response_meta={"RequestId": "req-1"})
        with pytest.raises(AwsRefused) as caught:
            calls.call_or_none(client, "get_role", f"read the role {ROLE}", RoleName=ROLE)
    assert caught.value.message == (
        f'could not read the role {ROLE}: AWS said "User is not authorized" ({code}, request req-1). '
        "The caller needs iam:GetRole (docs/policies lists what each task needs), and no boundary or organization "
        "policy may deny it."
    )
    assert caught.value.facts == {"operation": "iam:GetRole", "error_code": code, "request_id": "req-1"}


@pytest.mark.parametrize(
    ("code", "kind", "advice"),
    [
        ("ExpiredToken", ConnectionProblem, "The AWS credentials have expired. Get credentials for an hour from Kion"),
        ("ExpiredTokenException", ConnectionProblem, "The AWS credentials have expired."),
        ("RequestExpired", ConnectionProblem, "The AWS credentials have expired."),
        (
            "InvalidClientTokenId",
            ConnectionProblem,
            "AWS does not know these credentials. Get credentials for an hour from Kion",
        ),
        ("UnrecognizedClientException", ConnectionProblem, "AWS does not know these credentials."),
        ("InvalidAccessKeyId", ConnectionProblem, "AWS does not know these credentials."),
        ("SignatureDoesNotMatch", AwsRefused, "the clock of this machine is wrong"),
        ("InvalidSignatureException", AwsRefused, "the clock of this machine is wrong"),
        ("RequestTimeTooSkewed", AwsRefused, "the clock of this machine is wrong"),
        ("Throttling", AwsRefused, "throttled the calls after several attempts"),
        ("ThrottlingException", AwsRefused, "throttled the calls after several attempts"),
        ("TooManyRequestsException", AwsRefused, "throttled the calls after several attempts"),
        ("RequestLimitExceeded", AwsRefused, "throttled the calls after several attempts"),
        ("PackedPolicyTooLarge", AwsRefused, "are too large for STS. Specify fewer"),
        ("RegionDisabledException", AwsRefused, "STS is not activated in this region"),
        ("InvalidKeyId", AwsRefused, "The KMS key of the parameter is disabled"),
        ("KMSInvalidStateException", AwsRefused, "The KMS key of the parameter is disabled"),
        ("DisabledException", AwsRefused, "The KMS key of the parameter is disabled"),
    ],
)
def test_advice(code: str, kind: type[VenueError], advice: str) -> None:
    error = refused("sts", "get_caller_identity", code)
    assert error.__class__ is kind
    assert advice in error.message
    assert error.facts["error_code"] == code
    assert error.facts["request_id"] == "req-1"


def test_a_malformed_trust_policy_points_at_the_principals_and_a_malformed_permission_policy_does_not() -> None:
    trust = refused(
        "iam",
        "update_assume_role_policy",
        "MalformedPolicyDocument",
        "Invalid principal in policy",
        RoleName=ROLE,
        PolicyDocument="{}",
    )
    assert "A principal in trusted_principals does not exist" in trust.message
    made = refused(
        "iam",
        "create_role",
        "MalformedPolicyDocument",
        "Invalid principal in policy",
        RoleName=ROLE,
        AssumeRolePolicyDocument="{}",
    )
    assert "A principal in trusted_principals does not exist" in made.message
    inline = refused(
        "iam",
        "put_role_policy",
        "MalformedPolicyDocument",
        "Syntax",
        RoleName=ROLE,
        PolicyName="p",
        PolicyDocument="{}",
    )
    assert inline.message == 'could not do the thing: AWS said "Syntax" (MalformedPolicyDocument, request req-1).'


def test_unknown_errors_pass_through_with_code_and_request_id() -> None:
    error = refused("iam", "get_role", "SomethingNew", "Never seen.", RoleName=ROLE)
    assert error.message == 'could not do the thing: AWS said "Never seen" (SomethingNew, request req-1).'


def test_an_error_without_message_code_or_request_id_is_still_a_sentence() -> None:
    with stubbed("iam") as (client, stub):
        stub.add_client_error("get_role", "", "")
        with pytest.raises(AwsRefused, match=r'^could not read: AWS said "" \(\)\.$'):
            calls.call(client, "get_role", "read", RoleName=ROLE)


@pytest.mark.parametrize(
    ("operation", "service", "arguments", "secret"),
    [
        ("assume_role", "sts", ASSUMED, "top-secret-external-id"),
        ("put_parameter", "ssm", {"Name": PATH, "Value": "top-secret-external-id"}, "top-secret-external-id"),
        (
            "assume_role_with_saml",
            "sts",
            {
                "RoleArn": ASSUMED["RoleArn"],
                "PrincipalArn": "arn:aws:iam::123456789012:saml-provider/x",
                "SAMLAssertion": "dG9wLXNlY3JldA==",
            },
            "dG9wLXNlY3JldA==",
        ),
        (
            "assume_role",
            "sts",
            {**ASSUMED, "SerialNumber": "arn:aws:iam::123456789012:mfa/jdoe", "TokenCode": "246810"},
            "246810",
        ),
    ],
)
def test_secrets_that_aws_quotes_are_scrubbed(
    operation: str, service: str, arguments: dict[str, str], secret: str
) -> None:
    error = refused(
        service, operation, "ValidationError", f"1 validation error detected: Value '{secret}' failed", **arguments
    )
    assert secret not in str(error.to_result())
    assert "Value '(the " in error.message  # and the rest is still there


@pytest.mark.parametrize(
    ("operation", "argument"),
    [("create_role", "AssumeRolePolicyDocument"), ("update_assume_role_policy", "PolicyDocument")],
)
def test_an_external_id_inside_a_quoted_trust_policy_is_scrubbed(operation: str, argument: str) -> None:
    document = '{"Statement":[{"Condition":{"StringEquals":{"sts:ExternalId":"top-secret-external-id"}}}]}'
    error = refused(
        "iam",
        operation,
        "ValidationError",
        f"Value '{document}' at '{argument}' is too long",
        RoleName=ROLE,
        **{argument: document},
    )
    assert "top-secret" not in str(error.to_result())
    assert '"sts:ExternalId":"(the ExternalId)"' in error.message


# Silence: no credentials, no network, no trust in the certificate.


def unreachable(message: str, **settings: Any) -> None:
    client = plain_client("sts", config=Config(retries={"total_max_attempts": 1}, connect_timeout=5), **settings)
    with pytest.raises(ConnectionProblem) as caught:
        calls.call(client, "get_caller_identity", "find out who this is")
    assert message in caught.value.message
    assert caught.value.message.startswith("could not find out who this is: ")


def test_no_network_names_the_endpoint_and_what_to_look_at() -> None:
    url = f"http://127.0.0.1:{free_port()}"
    unreachable(
        f"{url} cannot be reached. Check network, VPN and proxy, and that the region us-west-2 exists.",
        endpoint_url=url,
    )


def test_no_credentials_tell_how_to_get_some() -> None:
    unreachable(
        "no AWS credentials found. Get credentials for an hour from Kion",
        aws_access_key_id=None,
        aws_secret_access_key=None,
    )


def test_a_certificate_that_nobody_trusts(tls_server: str) -> None:
    unreachable("could not be verified. Behind an inspecting proxy, set aws_ca_bundle.", endpoint_url=tls_server)


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (None, "No such file or directory"),
        ("", "it has no certificates in PEM form"),
        ("nonsense", "it has no certificates in PEM form"),
        ("-----BEGIN CERTIFICATE-----\nMIIB", "it has no certificates in PEM form"),
        ("a folder", "Is a directory"),
    ],
)
def test_a_bundle_that_cannot_be_loaded_is_said_to_be_the_reason(
    tls_server: str, tmp_path: Path, content: str | None, why: str
) -> None:
    bundle = tmp_path / "bundle.pem"
    if content == "a folder":
        bundle.mkdir()
    elif content is not None:
        bundle.write_text(content)
    unreachable(
        f"the CA bundle cannot be used ({why}). Correct aws_ca_bundle", endpoint_url=tls_server, verify=str(bundle)
    )


def test_a_server_that_does_not_speak_tls_has_no_certificate() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=answer_in_plain_text, args=(listener,))
        thread.start()
        url = f"https://127.0.0.1:{listener.getsockname()[1]}"
        unreachable(f"the connection to {url} failed (SSLError).", endpoint_url=url)
        thread.join(timeout=10)


def answer_in_plain_text(listener: socket.socket) -> None:
    connection, _address = listener.accept()
    with connection:
        connection.recv(1)
        connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")


def test_an_argument_that_botocore_refuses_is_not_quoted() -> None:
    with pytest.raises(ConnectionProblem) as caught:
        calls.call(
            plain_client("sts"),
            "assume_role",
            "assume",
            RoleArn=ASSUMED["RoleArn"],
            RoleSessionName="x",
            ExternalId=["top-secret"],
        )
    assert "ParamValidationError" in caught.value.message
    assert "top-secret" not in str(caught.value.to_result())


@pytest.fixture
def tls_server(tmp_path_factory: pytest.TempPathFactory):
    """A TLS server on loopback whose certificate nobody signed but itself."""
    certificate = self_signed(tmp_path_factory.mktemp("tls") / "server.pem")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        thread = threading.Thread(target=handshake, args=(context, listener), daemon=True)
        thread.start()
        yield f"https://127.0.0.1:{port}"
        listener.close()
        thread.join(timeout=10)


def handshake(context: ssl.SSLContext, listener: socket.socket) -> None:
    connection, _address = listener.accept()
    try:
        context.wrap_socket(connection, server_side=True).close()
    except OSError:
        pass  # the client hung up: that is what is being tested
    finally:
        connection.close()


def self_signed(path: Any) -> str:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "127.0.0.1")])
    begin, end = datetime(2026, 1, 1, tzinfo=UTC), datetime(2126, 1, 1, tzinfo=UTC)
    builder = x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number(), begin, end)
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path.write_bytes(private + builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM))
    path.chmod(0o600)
    return str(path)


# Steps.

DELETE = Step("iam", "delete_role", ROLE, "delete the role", {"RoleName": ROLE})
OVERWRITE = Step(
    "ssm",
    "put_parameter",
    PATH,
    "replace the external ID",
    {"Name": PATH, "Value": "new", "Overwrite": True},
    version=4,
)


def test_steps_are_applied_in_order_and_their_answers_kept() -> None:
    with stubbed("iam") as (iam, iam_stub), stubbed("ssm") as (ssm, ssm_stub):
        ssm_stub.add_response("put_parameter", {"Version": 4}, dict(OVERWRITE.arguments))
        iam_stub.add_response("delete_role", {}, dict(DELETE.arguments))
        done: list[tuple[Step, dict[str, Any]]] = []
        calls.apply({"iam": iam, "ssm": ssm}.__getitem__, [OVERWRITE, DELETE], done)
    assert [step for step, _answer in done] == [OVERWRITE, DELETE]
    assert done[0][1]["Version"] == 4


def test_what_was_done_before_a_failure_is_known() -> None:
    with stubbed("iam") as (iam, stub):
        stub.add_response("delete_role", {}, dict(DELETE.arguments))
        stub.add_client_error("delete_role", "AccessDenied")
        done: list[tuple[Step, dict[str, Any]]] = []
        with pytest.raises(AwsRefused, match=rf"could not delete the role \({ROLE}\)"):
            calls.apply(lambda service: iam, [DELETE, DELETE, DELETE], done)
    assert [step for step, _answer in done] == [DELETE]


@pytest.mark.parametrize(
    "code",
    [
        "NoSuchEntity",
        "ParameterNotFound",
        "EntityAlreadyExists",
        "ParameterAlreadyExists",
        "ConcurrentModification",
        "TooManyUpdates",
        "DeleteConflict",
    ],
)
def test_somebody_came_between(code: str) -> None:
    with stubbed("iam") as (iam, stub):
        stub.add_client_error("delete_role", code)
        done: list[tuple[Step, dict[str, Any]]] = []
        with pytest.raises(ConcurrentChange, match=f"{ROLE} is repeatedly changed by somebody else"):
            calls.apply(lambda service: iam, [DELETE], done)
    assert done == []


def test_another_version_shows_a_change_by_somebody_else_and_the_write_counts_as_done() -> None:
    with stubbed("ssm") as (ssm, stub):
        stub.add_response("put_parameter", {"Version": 5}, dict(OVERWRITE.arguments))
        done: list[tuple[Step, dict[str, Any]]] = []
        with pytest.raises(ConcurrentChange, match="was changed by somebody else at the same time"):
            calls.apply(lambda service: ssm, [OVERWRITE], done)
    assert [step for step, _answer in done] == [OVERWRITE]


# Side by side.


def test_reads_run_side_by_side_and_come_back_in_order() -> None:
    meeting = threading.Barrier(3, timeout=10)  # opens only once all three are in

    def read(result: int) -> int:
        meeting.wait()
        return result

    assert calls.run_concurrently(lambda: read(1), lambda: read(2), lambda: read(3)) == [1, 2, 3]
    assert calls.run_concurrently() == []


def test_side_by_side_calls_have_the_context_of_the_task() -> None:
    """The core keeps the warnings of a task in a context variable: one from another context is in no result."""
    of_task: contextvars.ContextVar[list[str]] = contextvars.ContextVar("of_task")
    of_task.set([])
    calls.run_concurrently(*[lambda text=text: of_task.get().append(text) for text in ("one", "two")])
    assert sorted(of_task.get()) == ["one", "two"]


def test_no_number_of_reads_starts_more_threads_than_there_are_connections() -> None:
    running, most, guard = [0], [0], threading.Lock()
    together = threading.Barrier(calls.SIDE_BY_SIDE)

    def read() -> None:
        with guard:
            running[0] += 1
            most[0] = max(most[0], running[0])
        together.wait(timeout=30)
        with guard:
            running[0] -= 1

    calls.run_concurrently(*[read] * (calls.SIDE_BY_SIDE * 20))
    assert most == [calls.SIDE_BY_SIDE]


def test_the_first_error_in_order_wins_however_late_it_comes() -> None:
    second_failed = threading.Event()

    def first() -> None:
        assert second_failed.wait(10)
        raise VenueError("first")

    def second() -> None:
        second_failed.set()
        raise VenueError("second")

    with pytest.raises(VenueError, match="first"):
        calls.run_concurrently(lambda: None, first, second)


ROLES = {"Roles": [], "IsTruncated": True, "Marker": "second"}


def test_a_page_is_requested_when_it_is_asked_for_and_no_sooner() -> None:
    with stubbed("iam") as (iam, stub):
        stub.add_response("list_roles", ROLES, {"MaxItems": 1})
        found = calls.pages(iam, "list_roles", "list the roles", MaxItems=1)
        assert next(found)["Marker"] == "second"
        stub.assert_no_pending_responses()
        stub.add_response("list_roles", {"Roles": [], "IsTruncated": False}, {"MaxItems": 1, "Marker": "second"})
        assert [page["Roles"] for page in found] == [[]]


def test_a_refusal_of_a_later_page_is_explained_like_any_other() -> None:
    with stubbed("iam") as (iam, stub):
        stub.add_response("list_roles", ROLES)
        stub.add_client_error("list_roles", "AccessDenied", "no")
        with pytest.raises(AwsRefused, match=r'could not list the roles: AWS said "no".*needs iam:ListRoles'):
            list(calls.pages(iam, "list_roles", "list the roles"))


def test_a_server_that_returns_the_same_page_again_and_again_is_not_read_forever() -> None:
    with stubbed("iam") as (iam, stub):
        for _time in range(2):
            stub.add_response("list_roles", ROLES)
        with pytest.raises(ConnectionProblem, match=r"list the roles: https://\S+ returned the same page twice"):
            list(calls.pages(iam, "list_roles", "list the roles"))
