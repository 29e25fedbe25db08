# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""SAML responses: really signed ones, hostile ones, and what happens to them between browser and file."""

from __future__ import annotations

import json
import quopri
import re
import socket
from datetime import UTC, datetime, timedelta
from urllib.parse import quote

import pytest
from ansible_collections.mdps.venue_sts.plugins.module_utils._domain import saml
from hypothesis import given, settings
from hypothesis import strategies as st

pytest.importorskip("signxml", reason="signxml is not installed in this environment")

from tests.support.saml import ISSUED, PROVIDER, ROLE, document, encoded, signed

OTHER = "arn:aws:iam::210987654321:role/unity-sbg-dev-sts"
OTHER_PROVIDER = "arn:aws:iam::210987654321:saml-provider/MDPS"
SECOND_PROVIDER = "arn:aws:iam::123456789012:saml-provider/Second"
NOW = ISSUED + timedelta(minutes=1)


def problem(text):
    with pytest.raises(saml.SamlProblem) as caught:
        saml.read_response(text)
    return str(caught.value)


def test_a_signed_response_is_read():
    response = saml.read_response(signed())
    assert response.pairs == (saml.RolePair(ROLE, PROVIDER),)
    assert response.audiences == response.recipients == ("https://signin.aws.amazon.com/saml",)
    assert (response.issued, response.not_before, response.not_on_or_after) == (
        ISSUED,
        ISSUED,
        ISSUED + timedelta(minutes=5),
    )
    assert not response.is_encrypted
    saml.check_fresh(response, NOW)


def test_neither_assertion_nor_xml_is_in_its_text():
    text = signed()
    assert text[:40] not in repr(saml.read_response(text))


# --- between browser and file ---


def folded(text):
    return "\r\n".join(text[start : start + 76] for start in range(0, len(text), 76)) + "\n"


@pytest.mark.parametrize(
    "spoil",
    [
        folded,
        lambda text: f"  \t{text}\n\n",
        lambda text: quote(text, safe=""),
        lambda text: f"SAMLResponse={quote(text, safe='')}&RelayState=%2Fx",
        lambda text: quote(folded(text), safe=""),
        lambda text: f'"{text}"',
    ],
)
def test_what_copying_does_to_a_response_does_no_harm(spoil):
    text = signed()
    assert saml.read_response(spoil(text)).encoded == text


@pytest.mark.parametrize("text", ["", " \n", "SAMLResponse="])
def test_nothing_is_named(text):
    assert "empty" in problem(text)


@pytest.mark.parametrize("kept", [0.3, 0.5, 0.9, 0.999])
def test_a_response_cut_off_in_copying_is_named(kept):
    text = signed()
    for length in range(int(len(text) * kept), int(len(text) * kept) + 4):
        assert "cut off" in problem(text[:length])


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("not base64!", "not base64"),
        (encoded("no xml"), "not complete XML"),
        (encoded("<a/>"), "not a SAML response"),
        (encoded('<a:Response xmlns:a="urn:oasis:names:tc:SAML:2.0:protocol"/>'), "no assertion"),
        (document(), "decoded XML"),
        ("A" * 100_001, "100001 characters"),
        (encoded(document().replace("status:Success", "status:AuthnFailed")), "refused the login (AuthnFailed)"),
        (encoded(document().replace('IssueInstant="2026', 'IssueInstant="soon')), "time"),
    ],
)
def test_what_is_no_usable_response_is_told_apart(text, words):
    assert words in problem(text)


# --- hostile documents ---

LAUGHS = (
    '<!DOCTYPE r [<!ENTITY a "ha">'
    + "".join(f'<!ENTITY {b} "{f"&{a};" * 10}">' for a, b in zip("abcdefgh", "bcdefghi", strict=True))
    + "]><r>&i;</r>"
)


@pytest.mark.parametrize(
    "document_type",
    [
        LAUGHS,
        '<!DOCTYPE r [<!ENTITY x SYSTEM "file:///etc/passwd">]><r>&x;</r>',
        '<!DOCTYPE r SYSTEM "http://127.0.0.1:{port}/evil.dtd"><r/>',
        '<!DOCTYPE r [<!ENTITY % p SYSTEM "http://127.0.0.1:{port}/evil"> %p;]><r/>',
        "<!DOCTYPE r><r/>",
    ],
)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_a_document_type_ends_the_reading_before_anything_is_expanded_or_fetched(document_type, encoding):
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        listener.setblocking(False)
        hostile = document_type.replace("{port}", str(listener.getsockname()[1]))
        assert "DOCTYPE" in problem(encoded(hostile.encode(encoding)))
        with pytest.raises(BlockingIOError):
            listener.accept()


def test_an_undefined_entity_is_no_text():
    assert "not complete XML" in problem(encoded(document().replace("jdoe", "&jdoe;")))


def test_depth_is_limited():
    assert "nested deeper" in problem(encoded("<a>" * 10_000))
    most, end = saml.DEEPEST, "</samlp:Response>"
    within, beyond = (document().replace(end, "<a>" * number + "</a>" * number + end) for number in (most - 1, most))
    assert saml.read_response(encoded(within)).pairs
    assert "nested deeper" in problem(encoded(beyond))


def test_a_forged_assertion_around_a_signed_one_only_changes_what_is_tried():
    # Signature wrapping: this reader believes both and vouches for neither; STS gets the text unchanged and judges it.
    forged = document(roles=(f"{OTHER},{OTHER_PROVIDER}",)).replace(
        "<saml:Subject>",
        "<saml:Advice>"
        + document()[document().index("<saml:Assertion") : document().index("</samlp:Response>")]
        + "</saml:Advice><saml:Subject>",
    )
    text = encoded(forged)
    response = saml.read_response(text)
    assert {pair.role_arn for pair in response.pairs} == {ROLE, OTHER}
    assert response.encoded == text


# --- the choice of role and provider ---


@pytest.mark.parametrize("value", [f"{ROLE},{PROVIDER}", f"{PROVIDER},{ROLE}", f" {ROLE} , {PROVIDER}\n"])
def test_role_and_provider_come_in_either_order(value):
    assert saml.read_response(signed([value])).pairs == (saml.RolePair(ROLE, PROVIDER),)


@pytest.mark.parametrize(
    "value", [ROLE, f"{ROLE},{ROLE}", f"{PROVIDER},{PROVIDER}", f"{ROLE},{PROVIDER},{PROVIDER}", "nonsense"]
)
def test_what_is_no_pair_is_skipped(value):
    assert saml.read_response(signed([value, f"{OTHER},{OTHER_PROVIDER}"])).pairs == (
        saml.RolePair(OTHER, OTHER_PROVIDER),
    )


def test_among_several_the_one_for_the_role_is_chosen():
    response = saml.read_response(signed([f"{OTHER},{OTHER_PROVIDER}", f"{ROLE},{PROVIDER}"]))
    assert saml.choose(response, ROLE) == saml.RolePair(ROLE, PROVIDER)
    assert saml.choose(response, ROLE, PROVIDER) == saml.RolePair(ROLE, PROVIDER)
    assert saml.find_role(response, "unity-sbg-dev-sts", "210987654321") == OTHER


@pytest.mark.parametrize(
    ("roles", "wanted", "provider", "words"),
    [
        ([f"{OTHER},{OTHER_PROVIDER}"], ROLE, "", f"is not for the role {ROLE}. It is for {OTHER}"),
        (
            [f"{ROLE},{PROVIDER}"],
            ROLE,
            SECOND_PROVIDER,
            f"not from the provider {SECOND_PROVIDER}, but from {PROVIDER}",
        ),
        ([f"{ROLE},{PROVIDER}", f"{ROLE},{SECOND_PROVIDER}"], ROLE, "", "Set saml_provider_arn to one of them"),
        (["nonsense"], ROLE, "", "not for an AWS role"),
    ],
)
def test_a_response_for_other_roles_says_for_which(roles, wanted, provider, words):
    with pytest.raises(saml.SamlProblem) as caught:
        saml.choose(saml.read_response(signed(roles)), wanted, provider)
    assert words in str(caught.value)


@pytest.mark.parametrize(
    ("roles", "name", "account", "words"),
    [
        ([f"{ROLE},{PROVIDER}", f"{OTHER},{OTHER_PROVIDER}"], "unity-sbg-dev-sts", "", "several accounts"),
        ([f"{ROLE},{PROVIDER}"], "unity-sbg-ops-sts", "", "not for the role unity-sbg-ops-sts"),
        ([f"{ROLE},{PROVIDER}"], "unity-sbg-dev-sts", "210987654321", "in account 210987654321"),
    ],
)
def test_a_name_that_tells_no_one_role(roles, name, account, words):
    with pytest.raises(saml.SamlProblem) as caught:
        saml.find_role(saml.read_response(signed(roles)), name, account)
    assert words in str(caught.value)


def test_an_encrypted_assertion_needs_to_be_told_all():
    text = document()
    start, end = text.index("<saml:Assertion"), text.index("</samlp:Response>")
    response = saml.read_response(encoded(text[:start] + "<saml:EncryptedAssertion/>" + text[end:]))
    assert response.is_encrypted
    assert response.issued == saml.read_response(encoded(text)).issued  # as the response says, not the assertion
    saml.check_fresh(response, NOW)
    assert saml.choose(response, ROLE, PROVIDER) == saml.RolePair(ROLE, PROVIDER)
    for attempt in (lambda: saml.choose(response, ROLE), lambda: saml.find_role(response, "unity-sbg-dev-sts")):
        with pytest.raises(saml.SamlProblem, match="encrypted"):
            attempt()


# --- time, audience, recipient ---


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(-61, "valid from"), (-60, ""), (0, ""), (299, ""), (359, ""), (360, "expired"), (86_400, "expired")],
)
def test_five_minutes_and_a_minute_of_skew(seconds, words):
    response = saml.read_response(signed(life=timedelta(hours=1)))
    if not words:
        saml.check_fresh(response, ISSUED + timedelta(seconds=seconds))
        return
    with pytest.raises(saml.SamlProblem, match=words):
        saml.check_fresh(response, ISSUED + timedelta(seconds=seconds))


def test_an_expired_response_says_what_to_do():
    with pytest.raises(
        saml.SamlProblem,
        match=r"valid until 2026-11-22T09:35:15Z .* within 5 minutes.* it is 2026-11-22T10:30:15Z now. Log in .* again",
    ):
        saml.check_fresh(saml.read_response(signed(life=timedelta(hours=1))), ISSUED + timedelta(hours=1))


def test_conditions_may_be_tighter_than_five_minutes():
    response = saml.read_response(signed(life=timedelta(minutes=1)))
    saml.check_fresh(response, ISSUED + timedelta(seconds=119))
    with pytest.raises(saml.SamlProblem, match="so its conditions say"):
        saml.check_fresh(response, ISSUED + timedelta(seconds=120))


def test_the_tighter_of_both_time_limits_counts():
    text = document(life=timedelta(minutes=4))
    data = text.index("<saml:SubjectConfirmationData")
    text = text[:data] + text[data:].replace("09:34:15", "09:31:15", 1)
    response = saml.read_response(encoded(text))
    assert response.not_on_or_after == ISSUED + timedelta(minutes=1)


@pytest.mark.parametrize(
    "text", ["2026-11-22T09:30:15Z", "2026-11-22T09:30:15.1234567Z", "2026-11-22T10:30:15+01:00", "2026-11-22T09:30:15"]
)
def test_times_come_in_several_forms(text):
    response = saml.read_response(encoded(document().replace("2026-11-22T09:30:15.000000Z", text)))
    assert response.issued.astimezone(UTC).replace(microsecond=0) == datetime(2026, 11, 22, 9, 30, 15, tzinfo=UTC)


@pytest.mark.parametrize(
    "audience",
    [
        "https://signin.aws.amazon.com/saml",
        "https://us-west-2.signin.aws.amazon.com/saml",
        "urn:amazon:webservices",
        "urn:amazon:webservices:govcloud",
        "https://signin.amazonaws-us-gov.com/saml",
        "https://signin.amazonaws.cn/saml",
    ],
)
def test_aws_as_audience(audience):
    saml.check_fresh(saml.read_response(signed(audience=audience)), NOW)


@pytest.mark.parametrize("place", ["audience", "recipient"])
@pytest.mark.parametrize(
    "value",
    [
        "https://kion.example.org/saml",
        "https://signin.aws.amazon.com.evil.example/saml",
        "https://evil.example/signin.aws.amazon.com/saml",
    ],
)
def test_another_service_is_named(place, value):
    with pytest.raises(saml.SamlProblem, match=r"not (for|to) AWS") as caught:
        saml.check_fresh(saml.read_response(signed(**{place: value})), NOW)
    assert value in str(caught.value)


def test_the_recipient_may_be_regional_or_for_encrypted_assertions():
    for recipient in (
        "https://us-west-2.signin.aws.amazon.com/saml",
        "https://signin.aws.amazon.com/saml/acs/SAMLSP123",
    ):
        saml.check_fresh(saml.read_response(signed(recipient=recipient)), NOW)


# --- what people paste ---


def har(text):
    return json.dumps({"request": {"postData": {"params": [{"name": "SAMLResponse", "value": quote(text, safe="")}]}}})


def archive(**entry):
    return json.dumps({"log": {"entries": [{"request": {"postData": None}}, entry]}})


def for_cmd(text):
    """As Chromium's ``Copy as cURL (cmd)`` writes it: a caret before each character that the shell would read."""
    command = f'curl "https://signin.aws.amazon.com/saml" --data-raw "SAMLResponse={quote(text, safe="")}&RelayState="'
    return re.sub(r"%(?=[a-zA-Z0-9_])", "%^", re.sub(r"([\"%&])", r"^\1", command))


def quoted_printable(text):
    page = f'<input type="hidden" name="SAMLResponse" value="{text}"/>'
    return quopri.encodestring(page.encode()).decode()


PASTES = {
    "developer tools, parsed": lambda text: f"SAMLResponse: {text}\nRelayState: https://x/y\n",
    "developer tools, other order": lambda text: f"RelayState: \nSAMLResponse: {text}",
    "developer tools, a table": lambda text: f'SAMLResponse\t"{text}"\nRelayState\t""',
    "a label on a line of its own": lambda text: f"SAMLResponse\n{text}\n",
    "form data": lambda text: f"SAMLResponse={quote(text, safe='')}&RelayState=%2Fx",
    "form data, other order": lambda text: f"RelayState=%2Fx&SAMLResponse={quote(text, safe='')}",
    "form data, folded": lambda text: f"RelayState=\r\n&SAMLResponse={quote(folded(text), safe='')}",
    "JSON": lambda text: json.dumps({"RelayState": "", "SAMLResponse": text}),
    "JSON, indented": lambda text: json.dumps({"Form data": {"SAMLResponse": [text]}}, indent=2),
    "JSON of an HTTP archive": har,
    "copied as cURL": lambda text: (
        f"curl 'https://signin.aws.amazon.com/saml' --data-raw 'SAMLResponse={quote(text)}&R='"
    ),
    "copied as cURL on Windows": for_cmd,
    "the data of what was copied on Windows": lambda text: f"SAMLResponse={text}^&RelayState=",
    "an HTTP archive with the form data as text": lambda text: archive(
        request={"postData": {"text": f"RelayState=&SAMLResponse={quote(text, safe='')}"}}
    ),
    "an HTTP archive with the page": lambda text: archive(
        response={"content": {"text": f'<form><input name="SAMLResponse" value="{text}"/></form>'}}
    ),
    "developer tools, with other fields": lambda text: f"SAMLResponse: {text}\nSubmit: Continue\nSigAlg: http://x",
    "a table, with other fields": lambda text: f"SAMLResponse\t{text}\nSubmit\tContinue\n",
    "a RelayState with the name of the field": lambda text: (
        f"RelayState=https%3A%2F%2Fx%2F%3Fa%3DSAMLResponse&SAMLResponse={quote(text, safe='')}"
    ),
    "a saved page (.mhtml)": quoted_printable,
    "the page": lambda text: f'<form><input type="hidden" name="SAMLResponse" value="{text}"/></form>',
    "the page, other order": lambda text: f"<INPUT value='{text.replace('+', '&#x2b;')}' NAME='SAMLResponse'>",
    "a byte order mark": lambda text: f"\ufeff{text}\r\n",
    "quoted": lambda text: f"'{text}'",
}


@pytest.mark.parametrize("name", PASTES)
def test_what_people_paste_is_understood(name):
    text = signed()
    assert saml.read_response(PASTES[name](text)).encoded == text


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "ascii"])
@pytest.mark.parametrize("name", PASTES)
def test_files_of_several_editors_are_understood(name, encoding):
    text = signed()
    content = PASTES[name](text).replace("\ufeff", "").encode(encoding)
    assert saml.read_response(saml.decode_file(content)).encoded == text


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("SAMLResponse: \nRelayState: x", "empty"),
        ('{"SAMLResponse": ""}', "empty"),
        ('{"RelayState": "x"}', "JSON without a field SAMLResponse"),
        ('{"text": "{\\"SAMLResponse\\": \\"PHNh\\"}"}', "JSON without a field SAMLResponse"),
        ('{"text": " [\\"SAMLResponse=PHNh\\"]"}', "JSON without a field SAMLResponse"),
        ('{"SAMLResponse": "PHNh', "cut off in copying"),
        ("[" * 100_000, "cut off in copying"),
        ("SAMLRequest=fZJNT", "This is the SAMLRequest"),
        ("PHNhbWw+\u201d", "Character 9 of the SAML assertion is not ASCII"),
        ("PHNh\u200bbWw+", "Character 5 of the SAML assertion is not ASCII"),
        ("PHNh\0bWw+", "Character 5 of the SAML assertion is not ASCII"),
        ("A" * 100_001, "has 100001 characters, and AWS accepts 100000"),
        ("A" * 1_000_000, "has 1000000 characters, and AWS accepts 100000"),
        ("A" * 1_000_001, "more than any SAML response"),
        ("<input name='SAMLResponse'>", "empty"),
    ],
)
def test_pastes_that_cannot_be_right_are_told_apart(text, words):
    assert words in problem(text)


def test_the_longest_response_that_aws_takes_is_read():
    text = encoded(document() + " " * (75_000 - len(document().encode())))
    assert len(text) == 100_000
    assert saml.read_response(text)


def test_a_file_that_is_no_text():
    with pytest.raises(saml.SamlProblem, match="does not contain text"):
        saml.decode_file(b"\x80\x81")


def test_a_character_that_base64_does_not_have_is_not_ignored():
    whole = encoded(document())
    assert "not base64" in problem(f"{whole[:20]}!!!!{whole[20:]}")


@pytest.mark.parametrize("length", [4095, 4094])
def test_what_a_terminal_cut_off_is_named_as_such(length):
    assert "a terminal accepts no more in one pasted line" in problem(encoded(document() + " " * 2000)[:length])


# --- any text, any bytes, any document ---

TEXTS = st.text(max_size=300) | st.binary(max_size=300).map(encoded) | st.from_regex(r"SAMLResponse.{0,50}")
SECRET = "U0VDUkVULXNlbnRpbmVs"


def survives(text):
    """Everything that can be asked about a response, or a SamlProblem."""
    try:
        response = saml.read_response(text)
        saml.check_fresh(response, NOW)
        saml.choose(response, saml.find_role(response, "unity-sbg-dev-sts"))
    except saml.SamlProblem as error:
        assert len(error.message) < 5000
        return error.message
    return ""


@given(TEXTS)
@settings(deadline=None, max_examples=400)
def test_any_text_is_read_or_a_sentence(text):
    assert SECRET not in survives(text + SECRET)


@given(st.binary(max_size=300))
@settings(deadline=None)
def test_any_file_is_read_or_a_sentence(content):
    try:
        survives(saml.decode_file(content))
    except saml.SamlProblem as error:
        assert "does not contain text" in error.message


PARTS = re.split(r"(<[^>]*>|\"[^\"]*\")", document())


ODD = [
    "", "&#0;", "\ud800", "9999-12-31T23:59:59Z", "0001-01-01T00:00:00Z", "<!-- x -->", "<![CDATA[x]]>",
    '<?xml version="1.0" encoding="x"?>',
]  # fmt: skip
CHANGES = st.lists(st.tuples(st.integers(0, len(PARTS) - 1), st.sampled_from([*PARTS, *ODD])), max_size=4)


@given(CHANGES)
@settings(deadline=None, max_examples=600)
def test_any_damaged_document_is_read_or_a_sentence(changes):
    parts = list(PARTS)
    for place, text in changes:
        parts[place] = text
    survives(encoded("".join(parts).encode("utf-8", "surrogatepass")))


@pytest.mark.parametrize("year", ["9999-12-31T23:59:59Z", "0001-01-01T00:00:00Z", "9999-12-31T23:59:59-23:59"])
def test_times_at_the_ends_of_the_calendar(year):
    assert "not valid" in problem(encoded(document().replace("2026-11-22T09:30:15.000000Z", year)))


@pytest.mark.parametrize("encoding", ["utf-7", "x-unknown", "cp037", "utf-32", "big5", "iso-2022-jp"])
def test_encodings_that_the_parser_does_not_know(encoding):
    assert problem(encoded(f'<?xml version="1.0" encoding="{encoding}"?><a/>'))


def test_a_document_for_thousands_of_roles_does_not_fill_the_screen():
    roles = [f"arn:aws:iam::{number:012}:role/{'p' * 100}/x,{PROVIDER}" for number in range(200)]
    response = saml.read_response(encoded(document(roles)))
    with pytest.raises(saml.SamlProblem) as caught:
        saml.choose(response, ROLE)
    assert len(str(caught.value)) < 3000 and "and 190 more" in str(caught.value)
