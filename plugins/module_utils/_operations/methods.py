# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What the methods have in common that need no AWS credentials: a proof of an identity provider takes their place."""

from __future__ import annotations

from collections.abc import Mapping

from .._domain.errors import AwsRefused, ConnectionProblem, InvalidInput, VenueError
from ._operation import Params

# STS accepts none of these with a proof. The identity provider puts what corresponds to them into it.
IN_THE_PROOF = (
    "external_id",
    "tags",
    "transitive_tag_keys",
    "tag_session",
    "source_identity",
    "mfa_serial_number",
    "mfa_token",
)


# The options that only one method has, and what its proof is called in a message.
ONLY = {
    "saml": ("saml_assertion", "saml_assertion_file", "saml_provider_arn"),
    "web_identity": ("web_identity_token_file", "web_identity_token_variable", "oidc_providers"),
}
PROOFS = {"saml": "assertion", "web_identity": "token"}


def check_method(params: Params) -> str:
    """Return the method, after a check of the options that it excludes.

    :raises InvalidInput: an option that has no meaning with the method.
    """
    method = str(params["method"])
    for other, own in ONLY.items():
        for option in own if other != method else ():
            if params[option]:
                raise InvalidInput(option, f"is for method {other} only.")
    if method in PROOFS:
        for option in IN_THE_PROOF:
            if params[option]:
                raise InvalidInput(
                    option, f"cannot be given with method {method}, because the {PROOFS[method]} contains it."
                )
        if params["require_requester_external_id"]:
            raise InvalidInput(
                "require_requester_external_id", f"has no effect with method {method}: AWS checks no external ID there."
            )
    return method


def explained(error: AwsRefused | ConnectionProblem, advice: Mapping[str, str], kind: type[VenueError]) -> VenueError:
    """A refusal of STS with what to do about it; the same error if nothing is known about it.

    :param advice: by error code.
    """
    words = advice.get(str(error.facts.get("error_code")))
    if not words:
        return error
    said = error.message.split(" The AWS credentials have expired.")[0].split(" The caller needs ")[0]
    return kind(f"{said} {words}", **error.facts)
