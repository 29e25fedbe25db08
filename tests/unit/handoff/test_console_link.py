# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The script that makes a console link, against a sign-in page of our own.

The PowerShell script is compared with it.
"""

from __future__ import annotations

import http.server
import json
import urllib.parse
from collections.abc import Iterator
from pathlib import Path

import pytest
from ansible_collections.mdps.venue_sts.plugins.plugin_utils import _bundle as bundle
from ansible_collections.mdps.venue_sts.plugins.plugin_utils._formats import token_files
from ansible_collections.mdps.venue_sts.plugins.plugin_utils._recipient_files import console_link

from tests.support.serving import serving
from tests.support.tokens import TOKEN


class Page(http.server.BaseHTTPRequestHandler):
    """Answers as the sign-in page, and notes what it was asked."""

    asked: list[tuple[str, str]] = []  # noqa: RUF012 - one server, one list

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        self.asked.append((self.path, body))
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b'{"SigninToken": "sign-in+token"}')

    def log_message(self, *_args: object) -> None:
        """Print nothing."""


@pytest.fixture
def page() -> Iterator[str]:
    Page.asked.clear()
    with serving(http.server.HTTPServer(("127.0.0.1", 0), Page)) as server:
        yield f"http://127.0.0.1:{server.server_port}/federation"


def test_the_keys_go_to_the_sign_in_page_in_the_body_of_a_request(tmp_path: Path, page: str) -> None:
    (tmp_path / "credentials").write_text(token_files(TOKEN)["credentials"])
    token = console_link.sign_in(page, console_link.read_profile(tmp_path / "credentials"))
    ((path, body),) = Page.asked
    form = dict(urllib.parse.parse_qsl(body))
    keys = TOKEN["Credentials"]
    assert path == "/federation"
    assert set(form) == {"Action", "Session"}, "SessionDuration is refused for keys of a chained role"
    assert json.loads(form["Session"]) == {
        "sessionId": keys["AccessKeyId"],
        "sessionKey": keys["SecretAccessKey"],
        "sessionToken": keys["SessionToken"],
    }
    address = console_link.link(page, token, console_link.place("console.aws.amazon.com", "us-west-2", "b", "in/jdoe/"))
    query = dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(address).query))
    assert query == {
        "Action": "login",
        "Issuer": "mdps.venue_sts",
        "Destination": "https://us-west-2.console.aws.amazon.com/s3/buckets/b?region=us-west-2&prefix=in%2Fjdoe%2F",
        "SigninToken": "sign-in+token",
    }
    assert not any(keys[name] in address for name in ("SecretAccessKey", "SessionToken", "AccessKeyId"))


@pytest.mark.parametrize("arguments", [[], ["--help"]])
def test_it_says_how_to_call_it(arguments: list[str]) -> None:
    with pytest.raises(SystemExit, match="Usage"):
        console_link.main(arguments)


def test_the_powershell_script_names_the_same_pages() -> None:
    text = (bundle.FILES / "console_link.ps1").read_text()
    for page, console in console_link.SITES.values():
        assert f'"{page}", "{console}"' in text
    assert "getSigninToken" in text and "SessionDuration" not in text and "-Method Post" in text
