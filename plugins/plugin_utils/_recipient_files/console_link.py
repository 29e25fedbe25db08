# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Print a link that signs you in to the S3 console of AWS with the file "credentials" beside this one.

Usage: python console_link.py BUCKET [PREFIX]

It sends the credentials only to the sign-in page of AWS, and gets a link that is valid for 15 minutes. The
session in the browser allows what the credentials allow, and ends with them. Needs Python 3.8 or later, nothing else.
"""

from __future__ import annotations

import configparser
import json
import pathlib
import sys
import urllib.parse
import urllib.request

# Sign-in page and console of each partition of AWS, by the beginning of its region names. The collection has the hosts
# in a table of its own (SIGN_IN_HOSTS): this program runs without the collection.
SITES = {
    "us-gov-": ("https://signin.amazonaws-us-gov.com/federation", "console.amazonaws-us-gov.com"),
    "cn-": ("https://signin.amazonaws.cn/federation", "console.amazonaws.cn"),
    "": ("https://signin.aws.amazon.com/federation", "console.aws.amazon.com"),
}


def read_profile(path: pathlib.Path) -> dict[str, str]:
    """Return the one profile of a credentials file."""
    parser = configparser.ConfigParser(interpolation=None)
    parser.read(path, encoding="utf-8")
    return dict(parser[parser.sections()[0]])


def sign_in(page: str, profile: dict[str, str]) -> str:
    """Return a sign-in token. The credentials are in the body of the request, not in its address."""
    session = {
        "sessionId": profile["aws_access_key_id"],
        "sessionKey": profile["aws_secret_access_key"],
        "sessionToken": profile["aws_session_token"],
    }
    # No SessionDuration: AWS refuses it for the credentials of a role that was assumed by another role.
    form = urllib.parse.urlencode({"Action": "getSigninToken", "Session": json.dumps(session)}).encode()
    with urllib.request.build_opener().open(page, data=form, timeout=60) as answer:
        return str(json.load(answer)["SigninToken"])


def place(console: str, region: str, bucket: str, prefix: str) -> str:
    """Return the address of a bucket, or of a folder of it, in the console."""
    query = urllib.parse.urlencode({"region": region, "prefix": prefix})
    return f"https://{region}.{console}/s3/buckets/{urllib.parse.quote(bucket)}?{query}"


def link(page: str, token: str, destination: str) -> str:
    """Return the address that signs in and opens another one."""
    login = {"Action": "login", "Issuer": "mdps.venue_sts", "Destination": destination, "SigninToken": token}
    return f"{page}?{urllib.parse.urlencode(login)}"


def main(arguments: list[str]) -> None:
    """Print the link."""
    if not arguments or arguments[0].startswith("-"):
        sys.exit("Usage: python console_link.py BUCKET [PREFIX]")
    profile = read_profile(pathlib.Path(__file__).with_name("credentials"))
    region = profile["region"]
    page, console = next(site for start, site in SITES.items() if region.startswith(start))
    try:
        token = sign_in(page, profile)
    except OSError as error:
        sys.exit(f"AWS returned no link ({error}). Check whether the credentials have expired.")
    print(link(page, token, place(console, region, arguments[0], "".join(arguments[1:2]))))


if __name__ == "__main__":
    main(sys.argv[1:])
