# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""botocore's credential providers: resolved before the first API call, with one clear sentence for each failure.

What a helper program, a library, or a file says is never quoted, since it may hold a key. AWS's own words are quoted
only for errors that repeat no parameter.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, NoReturn

from .._domain.errors import ConnectionProblem, CredentialsProblem, MissingDependency, VenueError
from .._domain.secret_text import is_key
from .._masking import register
from .advice import ADVICE, unusable_settings

with contextlib.suppress(ImportError):  # Clients reports a missing botocore before anything here is used
    from botocore import exceptions as botocore_errors
    from botocore.credentials import create_credential_resolver
    from botocore.utils import JSONFileCache

# Where the AWS CLI keeps the sessions that it started for profiles with role_arn.
CLI_CACHE = "~/.aws/cli/cache"
WEB_IDENTITY_FILE = "AWS_WEB_IDENTITY_TOKEN_FILE"
CONTAINER_TOKEN_FILE = "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"  # noqa: S105 - the name of a variable
CONTAINER_ADDRESSES = ("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "AWS_CONTAINER_CREDENTIALS_FULL_URI")
# AWS repeats a parameter (an external ID) only in messages about parameters, which these are not.
QUOTABLE = ("AccessDenied", "AccessDeniedException", "ExpiredToken", "InvalidClientTokenId", "ForbiddenException")


class _SharedSessions(dict[str, Any]):
    """Sessions that the AWS CLI started for profiles with ``role_arn``: read from its cache, never written there."""

    def __init__(self) -> None:
        super().__init__()
        self._files: Any = JSONFileCache(str(Path(CLI_CACHE).expanduser()))

    def __contains__(self, key: object) -> bool:
        if not super().__contains__(key):
            with contextlib.suppress(KeyError):  # there is none, or it is damaged
                self[str(key)] = self._files[key]
        return super().__contains__(key)


def prepare(session: Any, region: str | None) -> None:
    """Let a botocore session use the sessions of the AWS CLI, and never wait for an MFA code that nobody can type.

    :param region: where botocore asks STS for the sessions of profiles with ``role_arn``.
    """
    resolver = create_credential_resolver(session, region_name=region)
    assume_role: Any = resolver.get_provider("assume-role")
    assume_role.cache = _SharedSessions()

    def no_prompt(prompt: str) -> NoReturn:
        raise _mfa_needed(session)

    # Not public: where it is called otherwise, reading the answer fails at once in a task, which has no terminal.
    assume_role._prompter = no_prompt
    session.register_component("credential_provider", resolver)


def resolve(session: Any) -> bool:
    """Get the credentials of a session now, so that a failure is not taken for one of the first API call.

    :return: whether there are any.
    :raises VenueError: a provider is configured, and fails.
    """
    try:
        found = session.get_credentials()
        keys = found.get_frozen_credentials() if found is not None else None
    except (botocore_errors.BotoCoreError, botocore_errors.ClientError, EOFError, OSError) as error:
        raise explain(error, session) from None
    except (AttributeError, LookupError, RuntimeError, TypeError, ValueError) as error:
        raise _bad_answer(error, session) from None
    if keys:
        register(keys.secret_key, keys.token)
        _check(keys, found.method)
    return keys is not None


def _check(keys: Any, method: str) -> None:
    """Refuse credentials that HTTP cannot transmit: botocore would report a failed connection, or wrong credentials."""
    names = {
        "access key ID": keys.access_key,
        "secret access key": keys.secret_key,
        "session token": keys.token or "none",
    }
    for name, text in names.items():
        if not is_key(text):
            raise CredentialsProblem(
                f"The {name} from the provider '{method}' contains a line break, a space or another character that is "
                "not valid in it. It was probably damaged when it was copied. Copy it again."
            )


def explain(error: Exception, session: Any) -> VenueError:
    """Give the failure of a provider as one sentence, and what to do about it."""
    for kind in type(error).__mro__:
        if kind.__name__ in _EXPLANATIONS:
            return _EXPLANATIONS[kind.__name__](error, session)
    return _not_obtained(error, session)


def _profile(session: Any) -> str:
    return str(session.get_config_variable("profile") or "default")


def _chain(session: Any) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """The profile in force, and those that it takes credentials from, with their settings."""
    profiles: Mapping[str, Any] = session.full_config.get("profiles", {})
    current, seen = _profile(session), set()
    while current in profiles and current not in seen:
        seen.add(current)
        yield current, profiles[current]
        current = profiles[current].get("source_profile", "")


def _setting(session: Any, name: str) -> str:
    """A setting of the profile in force, or of one that it takes credentials from."""
    return next((str(settings[name]) for _profile_name, settings in _chain(session) if name in settings), "")


def _profile_with(session: Any, *names: str) -> str:
    """The profile that has one of these settings: the one in force, or one that it takes credentials from."""
    having = (profile for profile, settings in _chain(session) if any(name in settings for name in names))
    return next(having, _profile(session))


def _settings_do_not_work(error: Any, session: Any) -> VenueError:
    return unusable_settings(error)


def _incomplete(error: Any, session: Any) -> VenueError:
    missing = str(error.kwargs.get("cred_var", "a setting"))
    return CredentialsProblem(
        f"The AWS credentials of {_source(session)} are not complete: {missing} is missing. Set it, or remove the "
        "others."
    )


def _source(session: Any) -> str:
    if "AWS_ACCESS_KEY_ID" in os.environ and not session.instance_variables().get("profile"):
        return "the environment"
    return f"the profile '{_profile(session)}'"


def _not_obtained(error: Any, session: Any) -> VenueError:
    return CredentialsProblem(
        f"botocore could not get the AWS credentials of {_source(session)} ({type(error).__name__}). "
        f"Run 'aws sts get-caller-identity --profile {_profile(session)}' to see why."
    )


def _not_signed_in(error: Any, session: Any) -> VenueError:
    profile = _profile_with(session, "sso_session", "sso_start_url")
    return CredentialsProblem(
        f"You are not signed in to IAM Identity Center for the profile '{profile}', or the session has expired. "
        f"Run 'aws sso login --profile {profile}'."
    )


def _login_needed(error: Any, session: Any) -> VenueError:
    profile = _profile_with(session, "login_session")
    return CredentialsProblem(
        f"The profile '{profile}' has no valid login session. Run 'aws login --profile {profile}'."
    )


def _login_not_allowed(error: Any, session: Any) -> VenueError:
    return CredentialsProblem(
        f"The login session of the profile '{_profile_with(session, 'login_session')}' cannot be refreshed: "
        "its user needs the permission signin:CreateOAuth2Token."
    )


def _library_missing(error: Any, session: Any) -> VenueError:
    return MissingDependency(
        f"The profile '{_profile(session)}' needs a library that is not installed for this Python: "
        'pip install "botocore[crt]"'
    )


def _mfa_needed(session: Any) -> VenueError:
    profile = _profile(session)
    return CredentialsProblem(
        f"The profile '{profile}' needs an MFA code, and a task cannot ask you for one. "
        f"Run 'aws sts get-caller-identity --profile {profile}' first: its session is used here until 15 minutes "
        "before it ends."
    )


def _no_terminal(error: Any, session: Any) -> VenueError:
    return _mfa_needed(session)


def _retrieval(error: Any, session: Any) -> VenueError:
    if str(error.kwargs.get("provider")) == "custom-process":
        said = str(error.kwargs.get("error_msg", ""))
        if said.startswith(("Unsupported version", "Missing required key")):
            return _bad_helper_output(error, session)
        return CredentialsProblem(
            f"{_helper(session)} ended with an error. Run it in a shell to see why, for example to sign in again."
        )
    if any(os.environ.get(name) for name in CONTAINER_ADDRESSES):
        return _bad_container(session)
    return _not_obtained(error, session)


def _helper(session: Any) -> str:
    return f"The credential_process program of the profile '{_profile_with(session, 'credential_process')}'"


def _bad_helper_output(error: Any, session: Any) -> VenueError:
    return CredentialsProblem(
        f"{_helper(session)} did not print credentials in the format that AWS tools read "
        '(JSON with "Version": 1, AccessKeyId, and SecretAccessKey).'
    )


def _bad_container(session: Any) -> VenueError:
    return CredentialsProblem(
        "The container credentials endpoint (AWS_CONTAINER_CREDENTIALS_FULL_URI or _RELATIVE_URI) did not give "
        "credentials. Check its address and AWS_CONTAINER_AUTHORIZATION_TOKEN."
    )


def _bad_answer(error: Exception, session: Any) -> VenueError:
    """What botocore raises of its own when a provider's answer is not what it expects."""
    if isinstance(error, RuntimeError):
        return CredentialsProblem(
            f"The AWS credentials of {_source(session)} have expired, and getting new ones returned expired ones again."
        )
    if isinstance(error, IndexError) and any("credential_process" in one for _name, one in _chain(session)):
        return CredentialsProblem(f"{_helper(session)} cannot be started: the setting is empty.")
    if any(os.environ.get(name) for name in CONTAINER_ADDRESSES):
        return _bad_container(session)
    if os.environ.get(WEB_IDENTITY_FILE):
        return _bad_token_file(error, session)
    configured = (one for setting, one in _BAD_ANSWERS.items() if _setting(session, setting))
    return next(configured, _not_obtained)(error, session)


def _bad_parameter(error: Any, session: Any) -> VenueError:
    """What botocore says about a call of a provider that it does not even send: a token that is empty, for example."""
    if os.environ.get(WEB_IDENTITY_FILE) or _setting(session, "web_identity_token_file"):
        return _bad_token_file(error, session)
    return _not_obtained(error, session)


def _bad_token_file(error: Any, session: Any) -> VenueError:
    return CredentialsProblem("The web identity token file does not contain a token. Write a fresh token to it.")


def _file_problem(error: Any, session: Any) -> VenueError:
    name, reason = os.fspath(error.filename or ""), error.strerror
    if name and name in (os.environ.get(WEB_IDENTITY_FILE), _setting(session, "web_identity_token_file")):
        return CredentialsProblem(f"The web identity token file '{name}' cannot be read ({reason}).")
    if name == os.environ.get(CONTAINER_TOKEN_FILE):
        return CredentialsProblem(f"The file '{name}' ({CONTAINER_TOKEN_FILE}) cannot be read ({reason}).")
    if _setting(session, "credential_process"):
        return CredentialsProblem(f"{_helper(session)} cannot be started: '{name}' ({reason}).")
    return _not_obtained(error, session)


def _unreachable(error: Any, session: Any) -> VenueError:
    where = str(getattr(error, "kwargs", {}).get("endpoint_url") or "the server")
    return ConnectionProblem(
        f"The AWS credentials of {_source(session)} could not be fetched: the connection to {where} failed "
        f"({type(error).__name__}). Check network, VPN, proxy, and certificates."
    )


def _refused(error: Any, session: Any) -> VenueError:
    details = error.response.get("Error", {})
    code = str(details.get("Code", "Unknown"))
    said = str(details.get("Message", "")).strip().rstrip(".")
    quoted = f'"{said}" ({code})' if said and code in QUOTABLE else code
    facts = {"error_code": code, "request_id": str(error.response.get("ResponseMetadata", {}).get("RequestId", ""))}
    what, advice = _REFUSALS.get(error.operation_name, ("could not be fetched", ""))
    if "MultiFactorAuthentication" in said:
        advice = "Start the session with the AWS CLI again, with the code that the MFA device shows then."
    elif code == "ValidationError" and "DurationSeconds" in said:
        advice = (
            "The profile asks for a longer session than the role allows, or than the hour that AWS gives a session "
            "of another role. Set its duration_seconds to 3600, or remove it."
        )
    else:
        advice = ADVICE.get(code, advice).strip()
    return CredentialsProblem(
        f"The AWS credentials of {_source(session)} {what}: AWS said {quoted}. {advice}".strip(), **facts
    )


# What each call of a provider is for, and what to check when AWS refuses it.
_REFUSALS = {
    "AssumeRole": (
        "come from a role that could not be assumed",
        "Check role_arn, external_id, and source_profile of the profile, and that the role trusts the caller.",
    ),
    "AssumeRoleWithWebIdentity": (
        "come from a web identity token that AWS did not accept",
        "Write a fresh token to the token file, and check that the role trusts its issuer, audience, and subject.",
    ),
    "GetRoleCredentials": (
        "could not be fetched from IAM Identity Center",
        "Check that sso_account_id and sso_role_name are assigned to you.",
    ),
    "CreateToken": ("could not be fetched from IAM Identity Center", "Run 'aws sso login' again."),
    "CreateOAuth2Token": ("could not be fetched for the login session", "Run 'aws login' again."),
}
# Which setting of the profile says where an answer that nothing can be made of came from.
_BAD_ANSWERS: dict[str, Callable[[Any, Any], VenueError]] = {
    "credential_process": _bad_helper_output,
    "web_identity_token_file": _bad_token_file,
    "login_session": _login_needed,
    "sso_account_id": _not_signed_in,
}
_EXPLANATIONS: dict[str, Callable[[Any, Any], VenueError]] = {
    "ClientError": _refused,
    "ConfigParseError": _settings_do_not_work,
    "CredentialRetrievalError": _retrieval,
    "EOFError": _no_terminal,
    "ConnectionError": _unreachable,
    "HTTPClientError": _unreachable,
    "InvalidConfigError": _settings_do_not_work,
    "LoginError": _login_needed,
    "LoginInsufficientPermissions": _login_not_allowed,
    "MissingDependencyException": _library_missing,
    "NoAuthTokenError": _not_signed_in,
    "NoRegionError": _settings_do_not_work,
    "OSError": _file_problem,
    "ParamValidationError": _bad_parameter,
    "PartialCredentialsError": _incomplete,
    "ProfileNotFound": _settings_do_not_work,
    "RefreshWithMFAUnsupportedError": _no_terminal,
    "SSOError": _not_signed_in,
    "TokenRetrievalError": _not_signed_in,
}
