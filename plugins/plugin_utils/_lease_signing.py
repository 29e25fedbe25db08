# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Signatures of leases, by ssh keys: whoever may write parameters in the account could forge a lease without one."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from ..module_utils._domain.errors import InvalidInput, LeaseRefused, SealingFailed
from ..module_utils._domain.leases import Lease
from ._sealers import program
from ._signing import SshSigner, read_signer

# Another one than that of bundles, so that no signature counts for both.
NAMESPACE, SIGNER = "mdps-venue-sts-lease", "lease-signer"
_PUBLIC_KEY = re.compile(r"((?:ssh|ecdsa|sk)-[a-z0-9@.-]+ [A-Za-z0-9+/]+={0,2})(?: [ -~]*)?")
_BEGIN, _END = "-----BEGIN SSH SIGNATURE-----", "-----END SSH SIGNATURE-----"


def read_lease_signer(text: str) -> SshSigner:
    """Return the ssh key that signs leases.

    :raises InvalidInput: it is no ssh key, or needs a passphrase that nobody enters.
    """
    signer = read_signer(text)
    if not isinstance(signer, SshSigner):
        raise InvalidInput("sign_with", "a lease is signed by an ssh key. Give the path of an ssh private key.")
    try:
        signer.sign(b"", NAMESPACE)  # pylint: disable=missing-kwoa
    except SealingFailed as error:
        raise InvalidInput(
            "sign_with", f"the key cannot be used without a passphrase prompt: {error.message}"
        ) from None
    return signer


def check_signers(option: str, signers: Sequence[str]) -> tuple[str, ...]:
    """Return public keys, each as its type and its text.

    :raises InvalidInput: one is not the line of an ssh public key.
    """
    found = [_PUBLIC_KEY.fullmatch(one.strip()) for one in signers]
    if not all(found):
        raise InvalidInput(option, "must be ssh public keys, such as 'ssh-ed25519 AAAA…'.")
    return tuple(one[1] for one in found if one)


def check_signer(signer: SshSigner | None, signers: Sequence[str]) -> None:
    """Refuse an approval that renewal would refuse for its signature.

    :param signers: the public keys of which renewal requires a signature; empty if it requires none.
    :raises InvalidInput: it would not be signed, or by another key.
    """
    if not signers:
        return
    if signer is None:
        raise InvalidInput("sign_with", "is required: lease_signers is set, so renewal refuses what is not signed.")
    if signer.public not in signers:
        raise InvalidInput("sign_with", "is not in lease_signers, so renewal would refuse its signature.")


def sign(lease: Lease, signer: SshSigner) -> Lease:
    """Return the lease with its signature."""
    armored = signer.sign(lease.signed_text, NAMESPACE)
    return replace(lease, signature="".join(armored.strip().removeprefix(_BEGIN).removesuffix(_END).split()))


def check_signature(lease: Lease, signers: Sequence[str]) -> None:
    """Check that one of some keys has signed the lease as it is.

    :raises LeaseRefused: none has.
    """
    if lease.signature is None:
        raise LeaseRefused("the lease is not signed, and lease_signers requires that. Approve it again with a key.")
    if not is_signed(lease, signers):
        raise LeaseRefused(
            "the signature of the lease is not by one of lease_signers, or the lease was altered. Nothing was "
            "issued. Find out who wrote it, and approve it again."
        )


def is_signed(lease: Lease, signers: Sequence[str]) -> bool:
    """Return whether one of some keys has signed the lease as it is.

    :raises MissingDependency: ssh-keygen is not installed.
    """
    if lease.signature is None:
        return False
    with tempfile.TemporaryDirectory(prefix="venue_sts_") as folder:
        allowed, signature = Path(folder, "signers"), Path(folder, "signature")
        allowed.write_text("".join(f'{SIGNER} namespaces="{NAMESPACE}" {one}\n' for one in signers), encoding="ascii")
        signature.write_text(f"{_BEGIN}\n{lease.signature}\n{_END}\n", encoding="ascii")
        command = ["ssh-keygen", "-q", "-Y", "verify", "-f", str(allowed), "-I", SIGNER, "-n", NAMESPACE]
        try:
            program.run([*command, "-s", str(signature)], lease.signed_text)
        except SealingFailed:
            return False
    return True
