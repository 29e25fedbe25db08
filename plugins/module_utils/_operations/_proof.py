# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What the methods have in common that need no AWS keys: a proof of an identity provider takes their place."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from .._domain.errors import AwsRefused, ConnectionProblem, InvalidInput, VenueError
from ._operation import Params

# STS takes none of these with a proof. The identity provider puts what corresponds to them into it.
IN_THE_PROOF = (
    "external_id",
    "tags",
    "transitive_tag_keys",
    "tag_session",
    "source_identity",
    "mfa_serial_number",
    "mfa_token",
)


def is_method(params: Params, method: str, own: Sequence[str], proof: str) -> bool:
    """Whether the method is asked for.

    :param own: the options that only this method has.
    :param proof: what it is called in a message, such as ``assertion``.
    :raises InvalidInput: an option that has no meaning with the method.
    """
    asked = bool(params["method"] == method)
    for option in IN_THE_PROOF if asked else own:
        if params[option]:
            reason = f"cannot be given with method {method}, because the {proof} contains it"
            raise InvalidInput(option, f"{reason if asked else f'is for method {method} only'}.")
    if asked and params["require_requester_external_id"]:
        raise InvalidInput(
            "require_requester_external_id", f"has no effect with method {method}: AWS checks no external ID there."
        )
    return asked


def explained(error: AwsRefused | ConnectionProblem, advice: Mapping[str, str], kind: type[VenueError]) -> VenueError:
    """A refusal of STS with what to do about it; the same error if nothing is known about it.

    :param advice: by error code.
    """
    words = advice.get(str(error.facts.get("error_code")))
    if not words:
        return error
    said = error.message.split(" The AWS credentials have expired.")[0].split(" The caller needs ")[0]
    return kind(f"{said} {words}", **error.facts)
