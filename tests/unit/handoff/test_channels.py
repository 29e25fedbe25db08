# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Delivery to real servers: what arrives opens with the recipient's own tools, and nothing goes out in clear."""

from __future__ import annotations

import email
import io
import json
import smtplib
import zipfile
from email import policy

import pytest
from ansible_collections.mdps.venue_sts.plugins.module_utils._domain.errors import DeliveryFailed, InvalidInput
from cryptography.hazmat.primitives.asymmetric import ec

from tests.support import people, places
from tests.support.servers import free_port


def mail_options(port, authority, **more):
    return {
        "host": places.HOST, "port": port, "sender": "mdps@example.org", "to": "user@example.org",
        "username": "mdps", "password": places.PASSWORD, "ca_file": str(authority.file), **more,
    }  # fmt: skip


def names(data: bytes) -> list[str]:
    return zipfile.ZipFile(io.BytesIO(data)).namelist()


def attachment(letter: bytes) -> bytes:
    message = email.message_from_bytes(letter, policy=policy.default)
    assert "extract all of it" in message.get_body().get_content()
    (part,) = message.iter_attachments()
    assert part.get_filename().endswith(".zip")
    return part.get_content()


@pytest.fixture(params=["rsa", "ec"])
def card(request, tmp_path):
    return people.card_holder(tmp_path, ec.generate_private_key(ec.SECP256R1()) if request.param == "ec" else None)


def test_smime_mail_is_opened_by_openssl(issuer, authority, card):
    with places.mail_server(authority.context()) as (box, port):
        result = issuer(channel="email", public_keys={"unityuser": card.public}, email=mail_options(port, authority))
    assert result["delivered"] and result["target"] == "user@example.org" and box.recipients == ["user@example.org"]
    (message,) = box.messages
    headers = email.message_from_bytes(message, policy=policy.default)
    # RFC 8551, section 3.2: what Outlook and Thunderbird look for.
    assert headers.get_content_type() == "application/pkcs7-mime"
    assert dict(headers["Content-Type"].params) == {"smime-type": "enveloped-data", "name": "smime.p7m"}
    assert headers["Subject"] == "Your access to the MDPS venue sbg-dev until 2026-03-15 01:05 UTC"
    assert headers["Message-ID"].endswith("@example.org>")
    assert "token.json" in names(attachment(card.open_mail(message)))


def test_pgp_mime_mail_is_opened_by_gpg(issuer, authority, gpg_person):
    with places.mail_server(authority.context()) as (box, port):
        issuer(channel="email", public_keys={"unityuser": gpg_person.public}, email=mail_options(port, authority))
    message = email.message_from_bytes(box.messages[0], policy=policy.default)
    # RFC 3156, section 4.
    assert message.get_content_type() == "multipart/encrypted"
    assert message["Content-Type"].params["protocol"] == "application/pgp-encrypted"
    version, sealed = message.iter_parts()
    assert (version.get_content_type(), version.get_content().strip()) == ("application/pgp-encrypted", b"Version: 1")
    assert "token.json" in names(attachment(gpg_person.open(sealed.get_content().decode())))


def test_a_server_that_hangs_up_after_it_accepted_the_message_has_it(issuer, authority, gpg_person, monkeypatch):
    command = smtplib.SMTP.docmd
    busy = (421, b"too many connections")
    monkeypatch.setattr(smtplib.SMTP, "docmd", lambda self, cmd, *a: busy if cmd == "QUIT" else command(self, cmd, *a))
    monkeypatch.setattr(smtplib.SMTP, "quit", lambda self: self.docmd("QUIT") and self.close())
    with places.mail_server(authority.context()) as (box, port):
        result = issuer(
            channel="email", public_keys={"unityuser": gpg_person.public}, email=mail_options(port, authority)
        )
    assert result["receipt"]["state"] == "delivered"
    assert len(box.messages) == 1 and not list(issuer.undelivered.iterdir())


def test_mail_over_tls_from_the_first_byte(issuer, authority, gpg_person):
    with places.mail_server(authority.context(), implicit=True) as (box, port):
        options = mail_options(port, authority, tls="tls")
        assert issuer(channel="email", public_keys={"unityuser": gpg_person.public}, email=options)["delivered"]
    assert len(box.messages) == 1


def test_the_address_comes_from_the_key_directory_or_is_the_user(issuer, authority, gpg_person):
    with places.mail_server(authority.context()) as (box, port):
        options = mail_options(port, authority, to="")
        issuer(
            channel="email",
            public_keys={"unityuser": {"key": gpg_person.public, "email": "keys@example.org"}},
            email=options,
        )
        issuer(
            channel="email",
            user="jdoe@example.org",
            public_keys={"jdoe@example.org": gpg_person.public},
            email=options,
        )
        with pytest.raises(InvalidInput, match=r"email\.to"):
            issuer(channel="email", public_keys={"unityuser": gpg_person.public}, email=options)
    assert box.recipients == ["keys@example.org", "jdoe@example.org"]


def undelivered(issuer, box, words, **options) -> dict:
    with pytest.raises(DeliveryFailed, match=words) as caught:
        issuer(**options)
    assert not box, "something was taken anyway"
    assert places.PASSWORD not in caught.value.message and "FAKE" not in caught.value.message
    assert [one["handoff"]["delivered"] for one in issuer.receipts] == [False]
    return caught.value.facts


def test_mail_without_starttls_is_not_sent(issuer, authority, gpg_person):
    with places.mail_server(None) as (box, port):
        undelivered(
            issuer,
            box.messages,
            "STARTTLS",
            channel="email",
            public_keys={"unityuser": gpg_person.public},
            email=mail_options(port, authority),
        )


@pytest.mark.parametrize("tls", ["starttls", "tls"])
def test_a_mail_server_that_cannot_prove_its_name_is_not_used(issuer, authority, gpg_person, tls):
    with places.mail_server(authority.context("127.0.0.9"), implicit=tls == "tls") as (box, port):
        options = mail_options(port, authority, tls=tls)
        undelivered(
            issuer,
            box.messages,
            "certificate",
            channel="email",
            public_keys={"unityuser": gpg_person.public},
            email=options,
        )


def test_a_mail_server_of_an_unknown_authority_is_not_used(issuer, authority, gpg_person):
    with places.mail_server(authority.context()) as (box, port):
        options = mail_options(port, authority, ca_file=None)
        undelivered(
            issuer,
            box.messages,
            "certificate",
            channel="email",
            public_keys={"unityuser": gpg_person.public},
            email=options,
        )


def test_a_refused_login_keeps_the_message_for_resending(issuer, authority, gpg_person):
    keys = {"unityuser": gpg_person.public}
    with places.mail_server(authority.context()) as (box, port):
        wrong = mail_options(port, authority, password="FAKE-wrong")
        facts = undelivered(
            issuer, box.messages, "rejected the login of mdps", channel="email", public_keys=keys, email=wrong
        )
        with pytest.raises(InvalidInput, match=r"email\.to: has no effect"):
            elsewhere = mail_options(port, authority) | {"to": "other@example.org"}
            issuer.resend(facts["kept"], channel="email", email=elsewhere)
        result = issuer.resend(facts["kept"], channel="email", email=mail_options(port, authority))
    assert result["delivered"] and result["receipt"]["recipient"] == "unityuser"
    assert len(box.messages) == 1
    assert [one["handoff"]["delivered"] for one in issuer.receipts] == [False, True]
    assert not list(issuer.undelivered.iterdir())


def test_a_message_that_is_refused_is_kept(issuer, authority, gpg_person):
    with places.mail_server(authority.context()) as (box, port):
        box.refuse = "552 too big"
        undelivered(
            issuer,
            box.messages,
            "552",
            channel="email",
            public_keys={"unityuser": gpg_person.public},
            email=mail_options(port, authority),
        )


def test_a_server_that_is_not_there(issuer, authority, gpg_person, someone):
    port = free_port()
    undelivered(
        issuer,
        [],
        "refused",
        channel="email",
        public_keys={"unityuser": gpg_person.public},
        email=mail_options(port, authority),
    )
    issuer.receipts_file.unlink()
    undelivered(
        issuer, [], "refused", channel="https", public_keys=someone.keys, https={"url": f"https://127.0.0.1:{port}/"}
    )


def https_options(server, authority, path="/drop/", **more):
    return {"url": f"https://127.0.0.1:{server.server_port}{path}", "ca_file": str(authority.file), **more}


def test_put_to_a_transfer_service(issuer, authority, someone):
    with places.upload_server(authority.context()) as server:
        options = https_options(server, authority, headers={"X-Api-Key": "FAKE-key"})
        result = issuer(channel="https", public_keys=someone.keys, https=options)
    ((method, path, headers, body),) = server.uploads
    assert (method, path) == ("PUT", "/drop/sbg_dev_unityuser_20260315T000508Z-00000001.zip.age")
    assert headers["X-Api-Key"] == "FAKE-key" and headers["Content-Type"] == "application/octet-stream"
    assert "token.json" in names(someone.open(body.decode()))
    assert result["target"].endswith(path)
    assert "FAKE-key" not in json.dumps(result)


def test_post_as_a_form(issuer, authority, someone):
    with places.upload_server(authority.context()) as server:
        options = https_options(server, authority, "/form?signature=FAKE-signature", method="POST", field_name="upload")
        result = issuer(channel="https", public_keys=someone.keys, https=options)
    ((method, path, headers, body),) = server.uploads
    assert (method, path) == ("POST", "/form?signature=FAKE-signature")
    form = email.message_from_bytes(
        f"Content-Type: {headers['Content-Type']}\r\n\r\n".encode() + body, policy=policy.HTTP
    )
    (part,) = form.iter_parts()
    assert part["Content-Disposition"].params == {
        "name": "upload",
        "filename": "sbg_dev_unityuser_20260315T000508Z-00000001.zip.age",
    }
    assert part["Content-Transfer-Encoding"] is None  # upload services store what they get
    assert "token.json" in names(someone.open(part.get_content().decode()))
    assert "FAKE-signature" not in json.dumps(result)


@pytest.mark.parametrize(("answer", "words"), [(500, "answered 500"), (403, "answered 403"), (302, "answered 302")])
def test_an_upload_that_is_not_taken_is_kept(issuer, authority, someone, answer, words):
    with places.upload_server(authority.context(), answer) as server:
        facts = undelivered(
            issuer, [], words, channel="https", public_keys=someone.keys, https=https_options(server, authority)
        )
        assert len(server.uploads) == 1, "it went elsewhere"
    with places.upload_server(authority.context()) as server:
        issuer.resend(facts["kept"], channel="https", https=https_options(server, authority))
    assert names(someone.open(server.uploads[0][3].decode()))


@pytest.mark.parametrize("trusted", [True, False])
def test_a_transfer_service_that_cannot_prove_its_name_gets_nothing(issuer, authority, someone, trusted):
    name = "transfer.example.org" if trusted else places.HOST
    with places.upload_server(authority.context(name)) as server:
        options = https_options(server, authority, **({} if trusted else {"ca_file": None}))
        undelivered(issuer, server.uploads, "(?i)certificate", channel="https", public_keys=someone.keys, https=options)


@pytest.mark.parametrize(
    ("options", "option", "words"),
    [
        ({"channel": "slack"}, "channel", "Do not send this via slack or email"),
        ({"channel": "mail"}, "channel", "Do not send this via slack or email"),
        ({"channel": "email", "unsealed": True}, "unsealed", "Do not send this via slack or email"),
        ({"channel": "https", "unsealed": True}, "unsealed", "Do not send this via slack or email"),
        ({"channel": "output", "unsealed": True}, "unsealed", "Do not send this via slack or email"),
        (
            {"channel": "https", "https": {"url": "http://lft.example.org/"}},
            "https.url",
            "Do not send this via slack or email",
        ),
        ({"channel": "https", "https": {"url": "https://user:FAKE@lft.example.org/"}}, "https.url", "password"),
        ({"channel": "https"}, "https.url", "missing"),
        (
            {"channel": "email", "email": {"host": "mail.example.org", "sender": "a@example.org", "tls": "none"}},
            "email.tls",
            "Do not send",
        ),
        ({"channel": "email"}, "email.host", "is required"),
        ({"channel": "email", "email": {"host": "mail.example.org"}}, "email.sender", "is required"),
        (
            {"channel": "email", "email": {"host": "m", "sender": "a@example.org\nBcc: x@example.org"}},
            "email.sender",
            "line break",
        ),
        (
            {"channel": "email", "email": {"host": "m", "sender": "a@example.org", "to": "a@b.org, c@d.org"}},
            "email.to",
            "not a single email address",
        ),
    ],
)
def test_what_the_procedure_forbids_is_refused_with_its_reason(issuer, someone, options, option, words):
    for check_mode in (True, False):
        with pytest.raises(InvalidInput, match=words) as caught:
            issuer(check_mode, public_keys=someone.keys, **options)
        assert caught.value.facts["option"] == option
        assert "FAKE" not in caught.value.message
    assert not issuer.lines  # and no token was issued


def test_age_keys_are_of_no_use_in_mail(issuer, someone):
    with pytest.raises(InvalidInput, match="email needs a key of the kind smime or openpgp"):
        issuer(
            True,
            channel="email",
            public_keys=someone.keys,
            email={"host": "mail.example.org", "sender": "a@example.org"},
        )


def test_a_sealed_zip_cannot_be_resent_as_mail(issuer, someone):
    path = issuer(public_keys=someone.keys)["path"]
    with pytest.raises(InvalidInput, match="was not sealed for the channel email"):
        issuer.resend(
            path,
            channel="email",
            email={"host": "mail.example.org", "sender": "a@example.org"},
        )
