# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""An identity provider's SAML responses, really signed."""

from __future__ import annotations

import base64
import datetime
import functools
from collections.abc import Sequence

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID
from lxml import etree
from signxml import XMLSigner, methods

ROLE = "arn:aws:iam::123456789012:role/unity-sbg-dev-sts"
PROVIDER = "arn:aws:iam::123456789012:saml-provider/MDPS"
ISSUED = datetime.datetime(2026, 11, 22, 9, 30, 15, tzinfo=datetime.UTC)

DOCUMENT = """<samlp:Response xmlns:samlp="urn:oasis:names:tc:SAML:2.0:protocol"
    xmlns:saml="urn:oasis:names:tc:SAML:2.0:assertion" ID="_r1" Version="2.0" IssueInstant="{issued}" Destination="https://signin.aws.amazon.com/saml">
  <saml:Issuer>https://idp.example.org</saml:Issuer>
  <samlp:Status><samlp:StatusCode Value="urn:oasis:names:tc:SAML:2.0:status:Success"/></samlp:Status>
  <saml:Assertion ID="_a1" Version="2.0" IssueInstant="{issued}">
    <saml:Issuer>https://idp.example.org</saml:Issuer>
    <saml:Subject>
      <saml:NameID Format="urn:oasis:names:tc:SAML:2.0:nameid-format:persistent">jdoe</saml:NameID>
      <saml:SubjectConfirmation Method="urn:oasis:names:tc:SAML:2.0:cm:bearer">
        <saml:SubjectConfirmationData NotOnOrAfter="{until}" Recipient="{recipient}"/>
      </saml:SubjectConfirmation>
    </saml:Subject>
    <saml:Conditions NotBefore="{since}" NotOnOrAfter="{until}">
      <saml:AudienceRestriction><saml:Audience>{audience}</saml:Audience></saml:AudienceRestriction>
    </saml:Conditions>
    <saml:AuthnStatement AuthnInstant="{issued}" SessionIndex="_s1" SessionNotOnOrAfter="{session}">
      <saml:AuthnContext><saml:AuthnContextClassRef>urn:oasis:names:tc:SAML:2.0:ac:classes:Password</saml:AuthnContextClassRef></saml:AuthnContext>
    </saml:AuthnStatement>
    <saml:AttributeStatement>
      <saml:Attribute Name="https://aws.amazon.com/SAML/Attributes/Role">{roles}</saml:Attribute>
      <saml:Attribute
      Name="https://aws.amazon.com/SAML/Attributes/RoleSessionName"><saml:AttributeValue>jdoe</saml:AttributeValue></saml:Attribute>
    </saml:AttributeStatement>
  </saml:Assertion>
</samlp:Response>"""


@functools.cache
def _signer() -> tuple[rsa.RSAPrivateKey, x509.Certificate]:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Identity provider for tests")])
    builder = (
        x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key()).serial_number(1)
    )
    day = datetime.timedelta(days=1)
    now = datetime.datetime.now(datetime.UTC)
    return key, builder.not_valid_before(now - day).not_valid_after(now + day).sign(key, hashes.SHA256())


def document(
    roles: Sequence[str] = (f"{ROLE},{PROVIDER}",),
    *,
    issued: datetime.datetime = ISSUED,
    life: datetime.timedelta = datetime.timedelta(minutes=5),
    audience: str = "https://signin.aws.amazon.com/saml",
    recipient: str = "https://signin.aws.amazon.com/saml",
) -> str:
    """A response, not yet signed."""
    values = "".join(f"<saml:AttributeValue>{role}</saml:AttributeValue>" for role in roles)
    times = {"issued": issued, "since": issued, "until": issued + life, "session": issued + datetime.timedelta(hours=8)}
    texts = {name: moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ") for name, moment in times.items()}
    return DOCUMENT.format(roles=values, audience=audience, recipient=recipient, **texts)


def signed(*arguments: Sequence[str], **options: object) -> str:
    """A response with its assertion signed, in base64, as a browser posts it."""
    root = etree.fromstring(document(*arguments, **options).encode())  # type: ignore[arg-type]
    assertion = root.find("{urn:oasis:names:tc:SAML:2.0:assertion}Assertion")
    key, certificate = _signer()
    signer = XMLSigner(method=methods.enveloped, c14n_algorithm="http://www.w3.org/2001/10/xml-exc-c14n#")
    root.replace(assertion, signer.sign(assertion, key=key, cert=[certificate], reference_uri="_a1"))
    return encoded(etree.tostring(root))


def encoded(xml: str | bytes) -> str:
    """Base64 of a document."""
    return base64.b64encode(xml.encode() if isinstance(xml, str) else xml).decode()
