# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""S/MIME, as far as nothing needs cryptography: ``certificates.py`` does the work, and takes 15 ms to import."""

from __future__ import annotations

KIND = "smime"
SUFFIX = ".p7m"
HOW_TO_OPEN = (
    "gpgsm --output {opened} --decrypt {sealed}   (with a PIV card, or in Kleopatra; with a key in a file: "
    "openssl cms -decrypt -binary -inform PEM -inkey YOUR-PRIVATE-KEY-FILE -in {sealed} -out {opened})"
)
PUBLIC_HEADERS = ("-----BEGIN CERTIFICATE-----", "-----BEGIN X509 CERTIFICATE-----", "-----BEGIN PKCS7-----")
HEADERS = ("-----BEGIN PKCS7-----", "-----BEGIN CMS-----")
