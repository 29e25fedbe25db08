# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""boto3 clients for one task, from the connection options of amazon.aws."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from typing import Any

from ansible_collections.amazon.aws.plugins.module_utils.botocore import get_aws_connection_info

from .._domain.errors import ConnectionProblem, CredentialsProblem, MissingDependency
from .._domain.secret_text import check_key
from . import authorities, providers
from .advice import unusable_settings

try:
    import botocore.config
    import botocore.exceptions
    import botocore.session
    from botocore import UNSIGNED

    HAS_BOTO3 = True
except ImportError:
    HAS_BOTO3 = False

USER_AGENT = "mdps.venue_sts/1.0.0"
KEYS_ADVICE = (
    "Get credentials for an hour from Kion (Cloud Access Role > Temporary Access Keys), then set them in the "
    "environment (AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN) or name their profile (AWS_PROFILE "
    "or the option 'profile')."
)

EITHER_ADVICE = (
    "Both a profile and credentials are set. Use only one of them. Unset AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and "
    "AWS_SESSION_TOKEN (or the credential options), or do not name a profile (AWS_PROFILE or the option 'profile')."
)

MOST_ATTEMPTS = 6
# botocore's names of the credentials -> the options.
KEY_OPTIONS = {
    "aws_access_key_id": "access_key",
    "aws_secret_access_key": "secret_key",
    "aws_session_token": "session_token",
}


def _begin_session() -> Any:
    return botocore.session.Session()


# plugin_utils/_speed.py has a faster way.
begin_session: Callable[[], Any] = _begin_session


def _make_session(profile: str | None) -> Any:
    session = begin_session()
    if profile:
        session.set_config_variable("profile", profile)
    # Old botocore would use the global STS endpoint in us-east-1. Regional ones are nearer and fail independently.
    session.set_config_variable("sts_regional_endpoints", "regional")
    return session


class _Options:
    """What amazon.aws's connection helper wants of a module: options, and a way to fail."""

    def __init__(self, params: Mapping[str, Any]) -> None:
        self.params = params

    def fail_json(self, msg: str, **facts: Any) -> None:
        if self.params.get("profile") and any(
            self.params.get(name) for name in ("access_key", "secret_key", "session_token")
        ):
            raise ConnectionProblem(EITHER_ADVICE)
        raise ConnectionProblem(msg)


class Clients:
    """Makes the clients of one task, each once, all from one session.

    amazon.aws's own ``boto3_conn`` makes a session per client, which reads the API descriptions each time
    (50 ms instead of 3).
    """

    def __init__(self, params: Mapping[str, Any]) -> None:
        self._params = params
        self._made: dict[str, Any] = {}
        self._connection: tuple[Any, str | None, dict[str, Any]] | None = None
        self._has_credentials = False
        self._region = ""

    def _connect(self) -> tuple[Any, str | None, dict[str, Any]]:
        if self._connection is None:
            if not HAS_BOTO3:
                raise MissingDependency("boto3 and botocore are not installed for this Python: pip install boto3")
            try:
                region, endpoint, options = get_aws_connection_info(_Options(self._params))
                session = _make_session(options.pop("profile_name", None))
                options["verify"] = authorities.bundle_in_force(session, options.get("verify"))
            except (botocore.exceptions.BotoCoreError, TypeError, ValueError) as error:
                raise unusable_settings(error) from None
            for name, option in KEY_OPTIONS.items():
                if options.get(name):
                    options[name] = check_key(option, options[name])
            self._region = region or ""
            self._connection = (session, endpoint, options)
        return self._connection

    @property
    def region(self) -> str:
        """The region the work is in, such as ``us-west-2``."""
        self._connect()
        if not self._region:
            raise ConnectionProblem(
                "No AWS region is set: set the option 'region', AWS_REGION, or a region in the profile (MDPS uses "
                "us-west-2)."
            )
        return self._region

    @property
    def partition(self) -> str:
        """The partition of the region, such as ``aws`` or ``aws-us-gov``, known without an AWS call."""
        session, _endpoint, _options = self._connect()
        try:
            return str(session.get_partition_for_region(self.region))
        except botocore.exceptions.UnknownRegionError:
            raise ConnectionProblem(f"'{self.region}' is not an AWS region (MDPS uses us-west-2).") from None

    def client(self, service: str) -> Any:
        """The client for a service.

        Make clients before starting threads: making them is not thread-safe, using them is.
        """
        if service not in self._made:
            self._require_credentials()
            self._made[service] = self._make(service, {})
        return self._made[service]

    def client_in(self, service: str, region: str) -> Any:
        """The client for a service in another region than that of the work."""
        self._require_credentials()
        return self._make(service, {}, region=region)

    def _require_credentials(self) -> None:
        session, _endpoint, options = self._connect()
        if self._has_credentials or options.get("aws_access_key_id"):
            return
        try:
            providers.prepare(session, self.region)
            self._has_credentials = providers.resolve(session)
        except botocore.exceptions.BotoCoreError as error:
            raise providers.explain(error, session) from None
        if not self._has_credentials:
            raise CredentialsProblem(f"No AWS credentials found. {KEYS_ADVICE}")

    def client_with_keys(self, service: str, access_key: str, secret_key: str, session_token: str) -> Any:
        """A client with other credentials, for the same region and endpoint."""
        keys = {
            "aws_access_key_id": access_key,
            "aws_secret_access_key": secret_key,
            "aws_session_token": session_token,
        }
        return self._make(service, keys)

    def unsigned_client(self, service: str) -> Any:
        """A client that signs nothing, for the calls that carry their own proof."""
        return self._make(service, {}, botocore.config.Config(signature_version=UNSIGNED))

    def _make(self, service: str, keys: Mapping[str, str], extra: Any = None, region: str = "") -> Any:
        session, endpoint, options = self._connect()
        settings = {**options, **keys}
        try:
            config = botocore.config.Config(
                user_agent_extra=USER_AGENT, retries=_retries(session), connect_timeout=10, read_timeout=30
            )
            for more in (settings.pop("aws_config", None), extra):
                config = config.merge(more) if more else config
            bundle = settings["verify"]
            shortens = authorities.by_tls(endpoint) and _retry_mode(session, config) != "legacy"
            short = authorities.short_list(bundle) if shortens else None
            client = session.create_client(
                service,
                region_name=region or self.region,
                endpoint_url=endpoint,
                config=config,
                **{**settings, "verify": short or bundle},
            )
        except (botocore.exceptions.BotoCoreError, ValueError) as error:
            raise unusable_settings(error) from None
        if short:
            authorities.use_full_bundle_on_error(client, short, bundle)
        return client


def _retries(session: Any) -> Any:
    """How often botocore repeats a call that AWS throttles: as the environment or the profile says, or six times."""
    mode = os.environ.get("AWS_RETRY_MODE") or session.get_scoped_config().get("retry_mode")
    try:
        attempts = session.get_config_variable("max_attempts")
    except ValueError:
        raise ConnectionProblem(
            "AWS_MAX_ATTEMPTS, or max_attempts in the profile, is not a number. Correct it, or remove it."
        ) from None
    return {"mode": mode or "standard", **({} if attempts else {"total_max_attempts": MOST_ATTEMPTS})}


def _retry_mode(session: Any, config: Any) -> str:
    """Return the retry mode of botocore for a client with this configuration. An aws_config with retries may name none.

    In the mode ``legacy``, the error of the last attempt is raised before ``use_full_bundle_on_error`` has a say.
    """
    return str((config.retries or {}).get("mode") or session.get_config_variable("retry_mode"))
