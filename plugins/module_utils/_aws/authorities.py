# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Which certificate authorities a client trusts: first Amazon's own, which all of AWS's endpoints use.

botocore loads the file of authorities again for each connection. For the 120 public ones this takes 17 to 50 ms of CPU
time, for Amazon's five 1 ms. So a client gets a file that has only those of them that OpenSSL loads from the bundle in
force. Where a certificate is not accepted with it, such as that of a proxy that inspects TLS, the whole bundle takes
the place of that file, and botocore connects again. No certificate is accepted that the bundle would not accept.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import ssl
import tempfile
from pathlib import Path
from typing import Any

with contextlib.suppress(ImportError):  # Clients says so
    import botocore
    from botocore.exceptions import ProxyConnectionError, SSLError

# A private folder that lasts as long as all clients of this run, or None: then every client loads the whole bundle.
# plugin_utils/_speed.py names it.
folder: str | None = None

# What OpenSSL's own form of a certificate says of its uses is lost where Python returns the certificate.
WITH_USES = b"-----BEGIN TRUSTED CERTIFICATE-----"
# Amazon Trust Services, https://www.amazontrust.com/repository/: an organization called just "Amazon" (DER: the length,
# then the text), and the one that Amazon took over.
NAMES = (b"\x06Amazon", b"Starfield Services Root Certificate Authority - G2")
REPEATED = "venue_sts_whole_bundle"
_REFUSED = re.compile(r"certificate.verify.failed", re.IGNORECASE)


def bundle_in_force(session: Any, verify: bool | str | None) -> bool | str | None:
    """Return what a client of this session verifies certificates with, as botocore's ``verify``.

    :param verify: what amazon.aws makes of ``validate_certs``, ``aws_ca_bundle`` and ``AWS_CA_BUNDLE``.
    :returns: a path; False for no verification; or True for the bundle of certifi or botocore. As for the AWS CLI, that
        is where neither the profile's ``ca_bundle`` nor ``REQUESTS_CA_BUNDLE`` names another.
    """
    if verify is not True:
        return verify
    return session.get_config_variable("ca_bundle") or os.environ.get("REQUESTS_CA_BUNDLE") or True


def by_tls(endpoint: str | None) -> bool:
    """Return whether an endpoint is called by TLS, as all of AWS's are. An emulator's need not be.

    :param endpoint: its URL; None for AWS's.
    """
    return not (endpoint or "").startswith("http:")


def short_list(verify: bool | str | None) -> str | None:
    """Return the path of a file with those of Amazon's authorities that are in a bundle, or None if there are none.

    :param verify: the bundle in force, as from :func:`bundle_in_force`.
    """
    bundle = _path(verify)
    if not folder or not bundle:
        return None
    try:
        about = bundle.stat()
        version = f"{bundle.absolute()} {about.st_mtime_ns} {about.st_size}"
        path = Path(folder, f"authorities-{hashlib.sha256(version.encode()).hexdigest()[:16]}.pem")
        if not path.exists():
            chosen = "" if WITH_USES in bundle.read_bytes() else _amazons(bundle)
            if not chosen:
                return None
            _write(path, chosen)
    except OSError:  # no bundle to read, which botocore reports, or no room for the file
        return None
    return str(path)


def certificate_refused(error: object) -> bool:
    """Return whether the certificate of the server, or of an HTTPS proxy, was not accepted, before anything was sent.

    :param error: what botocore raised.
    """
    if isinstance(error, ProxyConnectionError):
        error = error.kwargs.get("error")
    elif not isinstance(error, SSLError):
        return False
    return bool(_REFUSED.search(str(error)))


def unusable_bundle(error: object) -> str:
    """Return why the CA bundle could not be loaded, or '' if that is not the error.

    :param error: what botocore raised. OpenSSL's text begins with its library that failed, X.509.
    """
    cause = error.kwargs.get("error") if isinstance(error, SSLError) else None
    inner = cause.args[0] if isinstance(cause, Exception) and cause.args else None
    if isinstance(inner, ssl.SSLError):
        return "it has no certificates in PEM form" if str(inner).startswith("[X509") else ""
    return inner.strerror or "" if isinstance(inner, OSError) else ""


def use_full_bundle_on_error(client: Any, short: str, verify: bool | str | None) -> None:
    """Make a client try again with the whole bundle when a certificate is not accepted with the short list.

    A link to the bundle replaces the file, so that the clients of this run that come later begin with the whole bundle.
    botocore reads it for each connection.

    :param client: verifies with ``short``.
    :param short: what :func:`short_list` returned.
    :param verify: the bundle in force.
    """

    def widen(caught_exception: object = None, request_dict: Any = None, **_rest: Any) -> int | None:
        lost = isinstance(caught_exception, SSLError) and not Path(short).exists()
        bundle = _path(verify)
        if bundle is None or request_dict["context"].get(REPEATED):
            return None
        if not lost and not certificate_refused(caught_exception):
            return None
        request_dict["context"][REPEATED] = True
        try:
            _link(Path(short), bundle)
        except OSError:
            return None
        return 0  # seconds to wait

    # As specific as botocore's own handler, whose answer would count otherwise: it waits.
    service = client.meta.service_model.service_id.hyphenize()
    client.meta.events.register_first(f"needs-retry.{service}", widen)


def _path(verify: bool | str | None) -> Path | None:
    if verify is True:
        return public_bundle()
    return Path(verify) if verify else None


def public_bundle() -> Path:
    """Return the bundle that botocore uses by default: certifi's where it is installed, or a file of its own."""
    try:
        from certifi import where  # noqa: PLC0415 - optional
    except ImportError:
        return Path(botocore.__file__).with_name("cacert.pem")
    return Path(where())


def _amazons(bundle: Path) -> str:
    """Return the authorities of a bundle that carry one of ``NAMES``, as PEM; '' if OpenSSL cannot load the bundle.

    OpenSSL reads it, so that nothing counts here that does not count for a connection.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    try:
        context.load_verify_locations(bundle)
    except ssl.SSLError:
        return ""
    found = context.get_ca_certs(binary_form=True)
    return "".join(ssl.DER_cert_to_PEM_cert(one) for one in found if any(name in one for name in NAMES))


def _write(path: Path, content: str) -> None:
    """Write a file at once: others that run at the same time read all of it, or find none."""
    with tempfile.TemporaryDirectory(dir=path.parent) as place:
        new = Path(place, path.name)
        new.touch(mode=0o600)
        new.write_text(content)
        new.replace(path)


def _link(path: Path, bundle: Path) -> None:
    """Replace a file by a link at once. That needs no space, and works also where the folder was removed."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=path.parent) as place:
        new = Path(place, path.name)
        new.symlink_to(bundle.absolute())
        new.replace(path)
