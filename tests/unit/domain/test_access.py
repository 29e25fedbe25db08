# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Limits and requests: what is refused, what a silent request gets, and what a token really allows."""

from __future__ import annotations

import dataclasses
import itertools
from typing import Any

import hypothesis
import pytest
from ansible_collections.mdps.venue_sts.plugins.module_utils._domain import access, permissions
from ansible_collections.mdps.venue_sts.plugins.module_utils._domain.access import Access, Limits, Request
from ansible_collections.mdps.venue_sts.plugins.module_utils._domain.errors import InvalidInput, LimitExceeded
from ansible_collections.mdps.venue_sts.plugins.module_utils._domain.names import Venue
from ansible_collections.mdps.venue_sts.plugins.module_utils._domain.patterns import matches
from hypothesis import strategies as st

SBG = Venue("sbg", "dev")
PLACE = permissions.Location("aws", "us-west-2", "123456789012")
SETTINGS = hypothesis.settings(max_examples=120, deadline=None, derandomize=True, database=None)


LIMITS = {
    "access": ["s3_read", "s3_write", "ecr_pull"],
    "buckets": ["data", "more"],
    "bucket_prefixes": ["incoming", "products/l2/"],
    "ecr_repositories": ["sbg/*"],
    "duration_seconds": 900,
}


def test_limits_and_request_are_parsed_alike() -> None:
    limits = access.parse_limits("limits", LIMITS, SBG)
    assert limits == Limits(
        ("s3_read", "s3_write", "ecr_pull"), ("data", "more"), ("incoming", "products/l2"), ("sbg/*",), 900
    )
    asked = access.parse_request({**LIMITS, "user": "jdoe", "access": None}, SBG)
    assert asked == Request(None, ("data", "more"), ("incoming", "products/l2"), ("sbg/*",), 900)
    assert asked.narrows and not access.parse_request({"duration_seconds": 900}, SBG).narrows
    assert access.parse_limits("limits", None, SBG) == Limits()


@pytest.mark.parametrize("name", ["access", "buckets", "bucket_prefixes", "ecr_repositories"])
@pytest.mark.parametrize("value", [[], [""], [" "], ["\t"], "", "text", 5, {}, {"a": 1}, [None], [3]])
def test_an_empty_or_odd_value_never_means_no_limit(name: str, value: Any) -> None:
    with pytest.raises(InvalidInput, match=f"^limits.{name}: "):
        access.parse_limits("limits", {name: value}, SBG)
    with pytest.raises(InvalidInput, match=f"^{name}: "):
        access.parse_request({name: value}, SBG)


@pytest.mark.parametrize("value", [0, 899, 43201, -1, True, False, "900", 900.0, []])
def test_durations_that_are_none(value: Any) -> None:
    with pytest.raises(InvalidInput, match=r"^limits.duration_seconds: "):
        access.parse_limits("limits", {"duration_seconds": value}, SBG)
    with pytest.raises(InvalidInput, match=r"^duration_seconds: "):
        access.parse_request({"duration_seconds": value}, SBG)


@pytest.mark.parametrize(
    ("mapping", "message"),
    [
        ({}, "limits: must not be empty"),
        (dict.fromkeys(LIMITS), "limits: must not be empty"),
        ("", "limits: must be a mapping"),
        ([], "limits: must be a mapping"),
        ("access", "limits: must be a mapping"),
        ({"acess": ["s3_read"]}, "limits: has unknown keys: acess. The keys are access, buckets"),
        ({"access": ["s3_read"], 3: 4}, "limits: has unknown keys: 3"),
        ({"access": ["S3_READ"]}, "limits.access: 'S3_READ' is not valid"),
        ({"buckets": ["*"]}, "limits.buckets: '.' is not a bucket name"),
        ({"bucket_prefixes": ["*"]}, "limits.bucket_prefixes: '.' must be a folder"),
        ({"ecr_repositories": ["*"]}, "limits.ecr_repositories: '.' would match more than"),
    ],
)
def test_limits_that_cannot_be_meant(mapping: Any, message: str) -> None:
    with pytest.raises(InvalidInput, match=message):
        access.parse_limits("limits", mapping, SBG)


PULL_ONLY, READ_ONLY = Limits(access=("ecr_pull",)), Limits(access=("s3_read",))


@pytest.mark.parametrize(
    ("request_", "limits"),
    [
        (Request(("s3_read",)), Limits(("s3_read", "ecr_pull"))),
        (Request(("ecr_pull",)), Limits(("ecr_push",))),
        (Request(buckets=("data",)), Limits(buckets=("data", "more"))),
        (Request(bucket_prefixes=("incoming",)), Limits(bucket_prefixes=("incoming",))),
        (Request(bucket_prefixes=("incoming/jdoe",)), Limits(bucket_prefixes=("incoming", "x"))),
        (Request(repositories=("sbg/*",)), Limits(repositories=("sbg/*",))),
        (Request(repositories=("sbg/pre*",)), Limits(repositories=("sbg/*",))),
        (Request(repositories=("sbg/a/b",)), Limits(repositories=("sbg/*",))),
        (Request(repositories=("sbg/a?c",)), Limits(repositories=("sbg/a*",))),
        (Request(duration_seconds=900), Limits(duration_seconds=900)),
        (Request(("s3_read",), ("any",), ("a",), ("sbg/*",), 43200), Limits()),
    ],
)
def test_requests_within_the_limits(request_: Request, limits: Limits) -> None:
    given = access.authorize(request_, limits)
    for field in dataclasses.fields(request_):
        asked = getattr(request_, field.name)
        assert getattr(given, field.name) == (getattr(limits, field.name) if asked is None else asked)


@pytest.mark.parametrize(
    ("request_", "limits", "message"),
    [
        (Request(("s3_read", "s3_write")), READ_ONLY, "access: 's3_write' is outside .*limits.access: s3_read"),
        (Request(buckets=("Data",)), Limits(buckets=("data",)), "buckets: 'Data' is outside .*limits.buckets: data"),
        (Request(bucket_prefixes=("incoming-private",)), Limits(bucket_prefixes=("incoming",)), "bucket_prefixes: "),
        (Request(bucket_prefixes=("Incoming",)), Limits(bucket_prefixes=("incoming",)), "bucket_prefixes: "),
        (Request(bucket_prefixes=("incoming",)), Limits(bucket_prefixes=("incoming/jdoe",)), "bucket_prefixes: "),
        (Request(bucket_prefixes=("incomin",)), Limits(bucket_prefixes=("incoming",)), "bucket_prefixes: "),
        (Request(bucket_prefixes=("incoming", "x")), Limits(bucket_prefixes=("incoming",)), "bucket_prefixes: 'x' is"),
        (Request(repositories=("sbg/*",)), Limits(repositories=("sbg/pre*",)), "ecr_repositories: "),
        (Request(repositories=("sbg-dev/*",)), Limits(repositories=("sbg/*",)), "ecr_repositories: "),
        (Request(repositories=("sbg/a*",)), Limits(repositories=("sbg/a?",)), "ecr_repositories: "),
        (Request(repositories=("sbg/a?",)), Limits(repositories=("sbg/ab",)), "ecr_repositories: "),
        (
            Request(duration_seconds=901),
            Limits(duration_seconds=900),
            "duration_seconds: 901 .*limits.duration_seconds",
        ),
        (Request(buckets=("data",)), PULL_ONLY, "buckets: requests S3, but limits.access"),
        (Request(bucket_prefixes=("a",)), PULL_ONLY, "bucket_prefixes: requests S3, but limits.access"),
        (Request(repositories=("sbg/a",)), READ_ONLY, "ecr_repositories: requests ECR, but limits.access"),
    ],
)
def test_requests_beyond_the_limits_name_the_limit(request_: Request, limits: Limits, message: str) -> None:
    with pytest.raises(LimitExceeded, match=message) as caught:
        access.authorize(request_, limits)
    assert caught.value.to_result()["error"] == "LimitExceeded"
    assert caught.value.facts["option"] == message.partition(":")[0]


WORDS = st.lists(st.sampled_from(access.ACCESS), min_size=1, unique=True).map(access.check_access)
BUCKETS = st.lists(st.sampled_from(["data", "data-private", "more"]), min_size=1, unique=True).map(tuple)
FOLDERS = st.lists(
    st.sampled_from(["in", "in/a", "in/a/b", "in-private", "In", "i", "out"]), min_size=1, unique=True
).map(tuple)
TAILS = st.text(st.sampled_from("ab*?"), min_size=1, max_size=5)
PATTERNS = st.lists(st.builds("{}/{}".format, st.sampled_from(["sbg", "sbg-dev", "s"]), TAILS), min_size=1, max_size=3)
SECONDS = st.sampled_from([900, 901, 3600, 43200])


def scopes(kind: Any) -> st.SearchStrategy[Any]:
    parts = (WORDS, BUCKETS, FOLDERS, PATTERNS.map(tuple), SECONDS)
    return st.builds(kind, *(st.none() | part for part in parts))


def grants(scope: access.Scope, word: str, bucket: str, key: str, repository: str, seconds: int) -> bool:
    """Whether a scope, read as IAM would read its policy, covers one use. Written without the code under test."""
    if scope.duration_seconds is not None and seconds > scope.duration_seconds:
        return False
    if scope.access is not None and not {word, *(["ecr_push"] if word == "ecr_pull" else [])} & set(scope.access):
        return False
    if word.startswith("s3"):
        in_folder = scope.bucket_prefixes is None or any(key.startswith(f"{one}/") for one in scope.bucket_prefixes)
        return (scope.buckets is None or bucket in scope.buckets) and in_folder
    return scope.repositories is None or any(matches(one, repository) for one in scope.repositories)


USES = st.tuples(
    st.sampled_from(access.ACCESS),
    st.sampled_from(["data", "data-private", "more"]),
    st.sampled_from(["in/x", "in/a/x", "in/a/b/x", "in-private/x", "In/x", "i/x", "inx", "out/x", "x"]),
    st.builds("{}/{}".format, st.sampled_from(["sbg", "sbg-dev", "s"]), st.text(st.sampled_from("ab/"), max_size=5)),
    st.sampled_from([900, 901, 3600, 3601, 43200]),
)


@SETTINGS
@hypothesis.given(scopes(Request), scopes(Limits), st.lists(USES, min_size=30, max_size=30))
def test_nothing_outside_the_limits_is_ever_authorized(
    request_: Request, limits: Limits, uses: list[tuple[str, str, str, str, int]]
) -> None:
    try:
        given = access.authorize(request_, limits)
    except LimitExceeded:
        return
    for use in uses:
        if grants(given, *use):
            assert grants(limits, *use) and grants(request_, *use), (given, use)


@SETTINGS
@hypothesis.given(scopes(Limits))
def test_a_silent_request_gets_exactly_the_limits(limits: Limits) -> None:
    assert dataclasses.astuple(access.authorize(Request(), limits)) == dataclasses.astuple(limits)
    assert access.authorize(Request(*dataclasses.astuple(limits)), limits) == access.authorize(Request(), limits)


@SETTINGS
@hypothesis.given(scopes(Request), scopes(Limits))
def test_what_is_authorized_can_be_asked_for_again(request_: Request, limits: Limits) -> None:
    try:
        given = access.authorize(request_, limits)
    except LimitExceeded:
        return
    assert access.authorize(given, limits) == given == access.authorize(given, Limits())


ROLE = permissions.policy(permissions.Grant(["data", "more"], ["sbg/*"], ["incoming", "products/l2"]), PLACE)
WHOLE = permissions.policy(permissions.Grant(["data"], ["sbg/*"], delete=True), PLACE)
OWN = {
    "Statement": [
        {"Effect": "Allow", "Action": ["S3:Get*"], "Resource": "*"},
        {"Effect": "Allow", "Action": "ecr:*", "Resource": "arn:aws:ecr:us-west-2:123456789012:repository/sbg/app"},
        {"Effect": "Deny", "Action": "ecr:Put*", "Resource": "*"},
    ]
}


@pytest.mark.parametrize(
    ("policy", "read"),
    [
        (None, Access()),
        (ROLE, Access(access.ACCESS, ("data", "more"), ("incoming", "products/l2"), ("sbg/*",), False, True)),
        (WHOLE, Access(access.ACCESS, ("data",), (), ("sbg/*",), True, True)),
        (OWN, Access(("s3_read", "ecr_create", "ecr_pull"), None, (), ("sbg/app",), False, False)),
        ({"Statement": {"Effect": "Allow", "NotAction": "iam:*", "Resource": "*"}}, Access()),
        ({"Statement": []}, Access((), (), (), (), False, False)),
        ({"Statement": ["text", 5]}, Access((), (), (), (), False, False)),
        (
            {"Statement": {"Effect": "Allow", "Action": "*", "Resource": "*"}},
            Access(access.ACCESS, None, (), None, True, True),
        ),
        (
            {"Statement": {"Effect": "Allow", "Action": "s3:GetObject", "Resource": ["arn:aws:s3:::b?/a/*"]}},
            Access(("s3_read",), None, ("a",), (), False, False),
        ),
    ],
)
def test_reading_a_policy(policy: Any, read: Access) -> None:
    assert access.read_policy(policy) == read


@pytest.mark.parametrize(
    ("role", "request_", "session", "allows"),
    [
        (
            ROLE,
            Request(),
            None,
            Access(access.ACCESS, ("data", "more"), ("incoming", "products/l2"), ("sbg/*",), False, True),
        ),
        (
            ROLE,
            Request(("s3_read",), ("data", "other"), ("incoming/jdoe", "products")),
            None,
            Access(("s3_read",), ("data",), ("incoming/jdoe", "products/l2"), (), False, True),
        ),
        (
            WHOLE,
            Request(bucket_prefixes=("incoming",), repositories=("sbg/app", "emit/app")),
            None,
            Access(access.ACCESS, ("data",), ("incoming",), ("sbg/app",), True, True),
        ),
        (WHOLE, Request(("s3_read",)), None, Access(("s3_read",), ("data",), (), (), False, True)),
        (WHOLE, Request(("s3_write",)), None, Access(("s3_write",), ("data",), (), (), True, True)),
        (WHOLE, Request(("ecr_pull",)), None, Access(("ecr_pull",), (), (), ("sbg/*",), False, False)),
        (ROLE, Request(("s3_read",), ("data",), ("private",)), None, Access((), (), (), (), False, False)),
        (None, Request(("s3_read",), ("data",)), None, Access(("s3_read",), ("data",), None, (), False)),
        (None, Request(("s3_write",)), None, Access(("s3_write",), None, None, ())),
        (None, Request(), None, Access()),
        (
            ROLE,
            Request(),
            OWN,
            Access(
                ("s3_read", "ecr_create", "ecr_pull"),
                ("data", "more"),
                ("incoming", "products/l2"),
                ("sbg/app",),
                False,
                False,
            ),
        ),
        # patterns that meet without one lying in the other: what was asked for is the most it can be
        (
            permissions.policy(permissions.Grant(["data"], ["sbg/a*"]), PLACE),
            Request(("ecr_pull",), repositories=("sbg/*b",)),
            None,
            Access(("ecr_pull",), (), (), ("sbg/*b",), False, False),
        ),
    ],
)
def test_what_a_token_really_allows(role: Any, request_: Request, session: Any, allows: Access) -> None:
    assert dataclasses.replace(access.allowed(role, request_, session), exactly=None) == allows


def test_what_a_token_allows_as_a_receipt_has_it() -> None:
    assert Access(("s3_read",), ("data",), (), None, False, True).to_json() == {
        "access": ["s3_read"],
        "buckets": ["data"],
        "bucket_prefixes": [],
        "ecr_repositories": None,
        "delete": False,
        "list": True,
    }


@SETTINGS
@hypothesis.given(scopes(Request), scopes(Limits), st.lists(USES, min_size=20, max_size=20))
def test_what_is_said_to_be_allowed_is_never_less_than_what_is(
    request_: Request, role: Limits, uses: list[tuple[str, str, str, str, int]]
) -> None:
    policy = permissions.policy(
        permissions.Grant(role.buckets or ("data",), role.repositories or ("sbg/*",), role.bucket_prefixes or ()), PLACE
    )
    held = Limits(None, role.buckets or ("data",), role.bucket_prefixes, role.repositories or ("sbg/*",))
    allows = access.allowed(policy, request_)
    assert allows.buckets is not None and allows.access is not None
    said = Limits(allows.access, allows.buckets, allows.bucket_prefixes or None, allows.repositories)
    for word, bucket, key, repository, _seconds in uses:
        if grants(held, word, bucket, key, repository, 900) and grants(request_, word, bucket, key, repository, 900):
            assert grants(said, word, bucket, key, repository, 900), (allows, word)


@pytest.mark.parametrize(
    "asked",
    [
        Request(),
        Request(("s3_read",), ("data",), ("incoming",)),
        Request(bucket_prefixes=("incoming/jdoe",)),
        Request(bucket_prefixes=("products",)),
        Request(repositories=("sbg/app", "sbg/pre*")),
        Request(("s3_read",), repositories=("emit/app",)),  # no ECR access: the repositories do not matter
        Request(("ecr_pull",), buckets=("other",)),
        Request(duration_seconds=900),
    ],
)
def test_requests_that_the_role_can_serve(asked: Request) -> None:
    assert access.check_usable(ROLE, asked) == ()
    assert access.check_usable(None, asked) == ()


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        (Request(buckets=("other",)), r"buckets: the role does not allow other \(it allows data, more\), so the token"),
        (Request(bucket_prefixes=("incoming-private",)), "bucket_prefixes: the role does not allow incoming-private"),
        (Request(repositories=("emit/*",)), "ecr_repositories: the role does not allow emit/"),
    ],
)
def test_requests_that_the_role_cannot_serve(asked: Request, message: str) -> None:
    with pytest.raises(InvalidInput, match=message):
        access.check_usable(ROLE, asked)


def test_a_role_without_any_such_access() -> None:
    policy = permissions.policy(permissions.Grant(["data"], ["sbg/*"], access=("s3_read",)), PLACE)
    with pytest.raises(InvalidInput, match="access: the role does not allow ecr_pull"):
        access.check_usable(policy, Request(("ecr_pull",)))
    with pytest.raises(InvalidInput, match=r"ecr_repositories: .*it allows nothing"):
        access.check_usable(policy, Request(repositories=("sbg/app",)))
    (warning,) = access.check_usable(policy, Request(("s3_read", "s3_write"), ("data",)))
    assert warning.startswith(
        "access: the role does not allow s3_write (it allows s3_read). The token will not give access"
    )


def test_a_request_that_the_role_serves_in_part() -> None:
    warnings = access.check_usable(ROLE, Request(buckets=("data", "other"), bucket_prefixes=("incoming", "private")))
    assert [one.partition(":")[0] for one in warnings] == ["buckets", "bucket_prefixes"]
    assert "does not allow private (it allows incoming, products/l2)" in warnings[1]


@pytest.mark.parametrize("words", [subset for n in range(1, 6) for subset in itertools.combinations(access.ACCESS, n)])
def test_every_word_can_be_read_from_the_policy_that_grants_it(words: tuple[str, ...]) -> None:
    policy = permissions.policy(permissions.Grant(["data"], ["sbg/*"], access=words), PLACE)
    pulling = {"ecr_pull"} if "ecr_push" in words else set()
    assert access.read_policy(policy).access == access.check_access([*words, *pulling])


@pytest.mark.parametrize("prefix", ["mdps-venue-sts", "mdps-venue-sts/", "mdps-venue-sts/receipts"])
def test_the_prefix_for_receipts_is_nobodys_folder(prefix: str) -> None:
    with pytest.raises(InvalidInput, match="is reserved for receipts and renewals"):
        access.check_prefixes([prefix])


def test_patterns_that_reach_into_namespaces_of_others() -> None:
    patterns = ["sbg/*", "sbg-dev/*", "sbg/app", "tropess/*", "other/app", "sbg-ops/*"]
    assert access.foreign_patterns(SBG, patterns) == ("tropess/*", "sbg-ops/*")
    assert access.own_namespaces(Venue("SBG", "DEV")) == ("sbg/", "sbg-dev/")


def test_access_words_are_put_in_order_without_repetition() -> None:
    assert access.check_access(["ecr_pull", "s3_read", "ecr_pull"]) == ("s3_read", "ecr_pull")


@pytest.mark.parametrize(
    ("words", "named"), [(["s3_read", "s3"], "'s3'"), (["S3_READ"], "'S3_READ'"), ([], "an empty list")]
)
def test_unknown_access(words: list[str], named: str) -> None:
    with pytest.raises(
        InvalidInput,
        match=f"access: {named} is not valid. Choose from s3_read, s3_write, ecr_create, ecr_pull, ecr_push",
    ):
        access.check_access(words)


def test_good_buckets() -> None:
    assert access.check_buckets("buckets", ["abc", "a.b-c", "b" * 63, "abc"]) == ("abc", "a.b-c", "b" * 63)


@pytest.mark.parametrize(
    "bucket",
    [
        "",
        "ab",
        "b" * 64,
        "Bucket",
        "my_bucket",
        "-bucket",
        "bucket-",
        "a..b",
        "192.168.0.1",
        "xn--bucket",
        "sthree-bucket",
        "bucket-s3alias",
        "bucket--ol-s3",
        "bucket--x-s3",
        "bucket.mrap",
        "s3://bucket",
        "arn:aws:s3:::bucket",
        "bucket/folder",
        "bucket*",
        "bucket\n",
    ],
)
def test_buckets_that_s3_would_refuse(bucket: str) -> None:
    with pytest.raises(InvalidInput, match=r"(?s)^buckets: .* is not a bucket name"):
        access.check_buckets("buckets", [bucket])


def test_no_bucket_at_all() -> None:
    with pytest.raises(InvalidInput, match="buckets: must contain at least one bucket"):
        access.check_buckets("buckets", [])


def test_good_prefixes() -> None:
    assert access.check_prefixes(["incoming/jdoe/", "incoming/jdoe", "a.b/c=d"]) == ("incoming/jdoe", "a.b/c=d")
    assert access.check_prefixes(["x" * 1024])


@pytest.mark.parametrize(
    "prefix",
    [
        "",
        "/",
        "/incoming",
        "in*",
        "in?",
        "${aws:username}",
        "a b",
        "a//b",
        "a/../b",
        "..",
        "a/..",
        "./a",
        "a/./b",
        "a\\b",
        "a\x00b",
        "a\x1b[31m",
        "a\u200b",
        "a\u202eb",
        "\ufeffa",
        "a\ud800",
        "é" * 513,
        "x" * 1025,
        'a"b',  # no shell has a way to write it that all others know
        "a`b",
    ],
)
def test_prefixes_that_would_widen_the_grant_or_never_match(prefix: str) -> None:
    with pytest.raises(InvalidInput, match=r"bucket_prefixes: .* must be a folder"):
        access.check_prefixes([prefix])


@pytest.mark.parametrize(
    "pattern",
    [
        "sbg/*",
        "sbg-dev/*",
        "sbg/app",
        "sbg/app-?",
        "sbg/a.b_c-d/e",
        "sbg/a__b",
        "other/app",
        "tropess",
        "tropess/*",
        "emit/*",
        "unity/sbg/*",
        "ab",
        "x" * 256,
    ],
)
def test_good_repositories(pattern: str) -> None:
    assert access.check_repositories(SBG, [pattern, pattern]) == (pattern,)


@pytest.mark.parametrize(
    "pattern", ["*", "?", "??", "?*", "??/*", "s*", "sbg*", "sbg-*", "sbg-dev*", "*/app", "t?opess/*"]
)
def test_patterns_that_reach_beyond_one_namespace(pattern: str) -> None:
    with pytest.raises(InvalidInput, match=r"would match more than one namespace: .* as in 'sbg/\*'"):
        access.check_repositories(SBG, [pattern])


@pytest.mark.parametrize(
    "pattern",
    [
        "",
        "a",
        "SBG/app",
        "sbg//app",
        "sbg/../app",
        "sbg/app-",
        "/sbg/app",
        "sbg/app:latest",
        "sbg/ app",
        "x" * 257,
        "sbg/.*",
    ],
)
def test_what_is_no_repository(pattern: str) -> None:
    with pytest.raises(InvalidInput, match="is not a repository name or pattern"):
        access.check_repositories(SBG, [pattern])


def test_no_repository_at_all() -> None:
    with pytest.raises(InvalidInput, match="ecr_repositories: must contain at least one repository"):
        access.check_repositories(SBG, [])
