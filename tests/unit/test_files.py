# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Files with keys: where they may be, how they come into being, and what a killed run leaves."""

from __future__ import annotations

import errno
import fcntl
import grp
import os
import pwd
import signal
import socket
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from ansible_collections.mdps.venue_sts.plugins.module_utils import _files as files
from ansible_collections.mdps.venue_sts.plugins.module_utils._domain.errors import FileNotWritten, InvalidInput

from tests.support.users import folder_of_somebody_else, let_somebody_write, somebody_else

DATA = b"FAKE-key\n"
SOMEBODY = 4321  # no such user on any machine of ours


def names(folder: Path) -> list[str]:
    return [one.name for one in folder.iterdir()]


def write(kind: str, path: Path) -> None:
    """Write by one of the three ways: each keeps the same rules for folders and for what stands at the path."""
    {
        "create": lambda: files.create_private("dest", path, DATA),
        "replace": lambda: files.replace_private("dest", path, DATA),
        "append": lambda: files.append_private("dest", path, DATA[:-1]),
    }[kind]()


WAYS = pytest.mark.parametrize("way", ["create", "replace", "append"])


@WAYS
def test_a_new_file_is_whole_and_private_whatever_the_umask(way: str, tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        write(way, tmp_path / "new" / "deeper" / "file")
    finally:
        os.umask(before)
    assert (tmp_path / "new" / "deeper" / "file").read_bytes() == DATA
    modes = {one.name: stat.S_IMODE(one.stat().st_mode) for one in tmp_path.rglob("*")}
    assert modes == {"new": 0o700, "deeper": 0o700, "file": 0o600}


def test_an_existing_file_is_never_overwritten(tmp_path: Path) -> None:
    files.create_private("dest", tmp_path / "file", DATA)
    with pytest.raises(InvalidInput, match="exists and is never overwritten"):
        files.create_private("dest", tmp_path / "file", b"other")
    assert (tmp_path / "file").read_bytes() == DATA
    assert names(tmp_path) == ["file"]


def test_a_file_that_appears_between_check_and_write_is_not_overwritten(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(files, "check_new_file", lambda option, path: Path(path))
    (tmp_path / "file").write_text("of somebody else")
    with pytest.raises(InvalidInput, match="exists"):
        files.create_private("dest", tmp_path / "file", DATA)
    assert (tmp_path / "file").read_text() == "of somebody else"


def make(kind: str, path: Path) -> None:
    if kind == "FIFO":
        os.mkfifo(path)
    elif kind == "folder":
        path.mkdir()
    elif kind == "symbolic link":
        (path.parent / "elsewhere").write_text("kept")
        path.symlink_to("elsewhere")
    elif kind == "dangling":
        path.symlink_to("nowhere")
    else:
        server = socket.socket(socket.AF_UNIX)
        server.bind(str(path))
        server.close()


@WAYS
@pytest.mark.parametrize(
    ("kind", "said"),
    [
        ("FIFO", "is a FIFO"), ("folder", "is a folder"), ("symbolic link", "is a symbolic link"),
        ("dangling", "is a symbolic link"), ("socket", "is a socket"),
    ],
)  # fmt: skip
def test_only_a_regular_file_is_written(way: str, kind: str, said: str, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)  # a socket's path must be short
    make(kind, Path("place"))
    inode = os.lstat("place").st_ino
    with pytest.raises(InvalidInput, match=said):
        write(way, tmp_path / "place")
    assert os.lstat("place").st_ino == inode
    assert not Path("nowhere").exists()
    assert not Path("elsewhere").exists() or Path("elsewhere").read_text() == "kept"


@WAYS
def test_a_device_is_not_written(way: str, tmp_path: Path, monkeypatch) -> None:
    found = os.stat_result((stat.S_IFCHR | 0o600, 7, 1, 1, os.geteuid(), os.getegid(), 0, 0, 0, 0))
    lstat = Path.lstat
    monkeypatch.setattr(Path, "lstat", lambda path: found if path.name == "device" else lstat(path))
    with pytest.raises(InvalidInput, match="is a device"):
        write(way, tmp_path / "device")


@WAYS
@pytest.mark.parametrize("above", [0, 1, 2], ids=["the folder", "its parent", "further up"])
@pytest.mark.parametrize(
    ("mode", "said"),
    [
        (0o777, r"is writable by everyone. Run: chmod o-w '.*'$"),
        (0o702, r"is writable by everyone. Run: chmod o-w '.*'$"),
        (0o1777, r"is writable by everyone. Use another folder\.$"),  # chmod would break every program that uses /tmp
    ],
)
def test_a_folder_that_others_may_write_to_is_refused(
    way: str, above: int, mode: int, said: str, tmp_path: Path
) -> None:
    deep = tmp_path / "a" / "b" / "c"
    deep.mkdir(parents=True)
    folder = [deep, *deep.parents][above]
    folder.chmod(mode)
    if mode & stat.S_ISVTX and above:  # nobody can replace an entry of another user there
        write(way, deep / "file")
        return
    with pytest.raises(InvalidInput, match=said) as refused:
        write(way, deep / "file")
    assert f"'{folder}'" in refused.value.message
    assert names(deep) == []


@WAYS
@pytest.mark.parametrize("above", [0, 1])
def test_a_folder_that_a_group_may_write_to_is_refused_unless_the_user_is_alone_in_it(
    way: str, above: int, tmp_path: Path, monkeypatch
) -> None:
    deep = tmp_path / "a" / "b"
    deep.mkdir(parents=True)
    [deep, *deep.parents][above].chmod(0o775)
    monkeypatch.setattr(files, "_is_own_group", lambda gid: False)
    with pytest.raises(InvalidInput, match=r"is writable by the group"):
        write(way, deep / "file")
    monkeypatch.setattr(files, "_is_own_group", lambda gid: True)
    write(way, deep / "file")


def account(name: str, uid: int, gid: int, shell: str = "/bin/bash") -> pwd.struct_passwd:
    return pwd.struct_passwd((name, "x", uid, gid, "", "/home", shell))


@pytest.mark.parametrize(
    ("group", "accounts", "own"),
    [
        ([], [account("me", 1000, 500)], True),
        (["me"], [account("me", 1000, 500)], True),
        ([], [account("root", 0, 500), account("me", 1000, 500)], True),
        ([], [account("me", 1000, 500), account("daemon", 9, 500, "/usr/sbin/nologin")], True),
        (["other"], [account("me", 1000, 500), account("other", 1001, 1001)], False),
        ([], [account("me", 1000, 500), account("other", 1001, 500)], False),
        (["of-a-directory-service"], [account("me", 1000, 500)], False),
        ([], [account("me", 1000, 501)], False),  # not the primary group
        ([], [], False),  # a directory service that does not list its users
    ],
)
def test_a_group_is_the_user_only_if_nobody_else_is_in_it(group, accounts, own, monkeypatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    monkeypatch.setattr(grp, "getgrgid", lambda gid: grp.struct_group(("g", "x", gid, group)))
    monkeypatch.setattr(pwd, "getpwall", lambda: accounts)
    assert files._is_own_group(500) is own


def test_a_group_that_is_not_listed_is_not_the_user(monkeypatch) -> None:
    monkeypatch.setattr(pwd, "getpwall", lambda: [account("me", os.geteuid(), 54321)])
    assert files._is_own_group(54321) is False


@WAYS
@pytest.mark.parametrize("above", [0, 1])
@pytest.mark.skipif(not hasattr(os, "setxattr"), reason="access control lists are read on Linux only")
def test_a_folder_that_an_access_control_list_opens_is_refused(way: str, above: int, tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(files, "_is_own_group", lambda gid: True)
    deep = tmp_path / "a" / "b"
    deep.mkdir(parents=True, mode=0o700)
    folder = [deep, *deep.parents][above]
    let_somebody_write(folder)
    with pytest.raises(InvalidInput, match="an access control list may make the") as refused:
        write(way, deep / "file")
    assert f"setfacl -b '{folder}'" in refused.value.message
    assert names(deep) == []
    folder.chmod(0o700)  # the list remains, and gives nobody anything
    write(way, deep / "file")


@pytest.mark.parametrize(
    "path", ["~nobody-of-that-name/x", "a\N{NO-BREAK SPACE}b/x", "a\nb/x", "a\0b/x", "n" * 256, "é" * 128]
)
@pytest.mark.parametrize("end", ["", "/", "/deeper"])
def test_a_path_that_cannot_be_is_refused(path: str, end: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        files.absolute("dest", f"{path}{end}")
    assert refused.value.message.isprintable()


def test_a_path_is_expanded_and_keeps_its_links(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "link").symlink_to("elsewhere")
    assert files.absolute("dest", "~/link") == tmp_path / "link"
    monkeypatch.chdir(tmp_path)
    assert files.absolute("dest", "n" * 255) == tmp_path / ("n" * 255)


@WAYS
def test_a_path_with_a_slash_at_its_end_is_not_that_of_a_file(way: str, tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="ends with a slash"):
        write(way, f"{tmp_path}/new/")  # type: ignore[arg-type]
    assert names(tmp_path) == []


@pytest.fixture
def closed_folder() -> Iterator[Path]:
    with folder_of_somebody_else() as folder:
        folder.chmod(0o500)
        yield folder


@pytest.mark.parametrize("create", [True, False])
@pytest.mark.parametrize("path", ["file", "new/file"])
def test_a_folder_without_permission_is_noticed_before_anything_is_written(
    path: str, create: bool, closed_folder: Path
) -> None:
    with somebody_else(), pytest.raises((InvalidInput, FileNotWritten)):
        files.check_append_file("receipts_file", closed_folder / path, create=create)
    assert names(closed_folder) == []


@pytest.mark.skipif(not Path("/proc/self").exists() or os.geteuid() != 0, reason="only root owns a folder in /proc")
def test_a_folder_that_takes_no_files_is_noticed_although_its_mode_allows_them() -> None:
    with pytest.raises(InvalidInput, match=r"no file can be created in the folder '/proc'"):
        files.check_writable("dest", Path("/proc"))


def test_trying_a_folder_leaves_nothing_in_it(tmp_path: Path) -> None:
    files.check_writable("dest", tmp_path)
    assert names(tmp_path) == []


@WAYS
@pytest.mark.parametrize("above", [0, 1])
@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a folder to another user")
def test_a_folder_of_another_user_is_refused(way: str, above: int, tmp_path: Path) -> None:
    deep = tmp_path / "a" / "b"
    deep.mkdir(parents=True)
    os.chown([deep, *deep.parents][above], SOMEBODY, -1)
    with pytest.raises(InvalidInput, match="belongs to the user with ID 4321"):
        write(way, deep / "file")


def test_a_link_among_the_folders_is_followed_and_what_it_leads_to_is_checked(tmp_path: Path) -> None:
    (tmp_path / "real" / "open").mkdir(parents=True)
    (tmp_path / "link").symlink_to("real/open")
    files.create_private("dest", tmp_path / "link" / "file", DATA)
    (tmp_path / "real").chmod(0o777)
    with pytest.raises(InvalidInput, match=r"the folder '.*/real' is writable by everyone"):
        files.create_private("dest", tmp_path / "link" / "another", DATA)


@WAYS
@pytest.mark.parametrize("path", ["", "  ", "a\0b", "a\nb", "n" * 300])
def test_a_path_that_is_none_is_refused(way: str, path: str, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises((InvalidInput, FileNotWritten)) as refused:
        write(way, path)
    assert refused.value.message.isprintable()
    assert names(tmp_path) == []


@WAYS
@pytest.mark.parametrize("call", ["write", "fsync"])
@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EIO, errno.EDQUOT])
def test_a_disk_that_fails_leaves_nothing(way: str, call: str, code: int, tmp_path: Path, monkeypatch) -> None:
    def fail(*_: object) -> None:
        raise OSError(code, os.strerror(code))

    (tmp_path / "file").write_bytes(b"before\n") if way != "create" else None
    monkeypatch.setattr(os, call, fail)
    with pytest.raises(FileNotWritten, match=os.strerror(code)):
        write(way, tmp_path / "file")
    monkeypatch.undo()
    left = {one.name: one.read_bytes() for one in tmp_path.iterdir()}
    assert left == ({} if way == "create" else {"file": b"before\n"})


def test_each_line_is_flushed_and_the_folder_with_the_first(tmp_path: Path, monkeypatch) -> None:
    flushed: list[str] = []

    def fsync(handle: int) -> None:
        flushed.append("folder" if stat.S_ISDIR(os.fstat(handle).st_mode) else "file")

    monkeypatch.setattr(os, "fsync", fsync)
    for _line in range(2):
        files.append_private("receipts_file", tmp_path / "log", b"{}")
    assert flushed == ["file", "folder", "file"]


def test_replacing_keeps_owner_and_other_names_of_the_folder(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"before")
    (tmp_path / "file").chmod(0o644)
    if os.geteuid() == 0:
        os.chown(tmp_path / "file", SOMEBODY, SOMEBODY)
    files.replace_private("credentials_file", tmp_path / "file", DATA)
    found = (tmp_path / "file").stat()
    assert ((tmp_path / "file").read_bytes(), stat.S_IMODE(found.st_mode)) == (DATA, 0o600)
    assert found.st_uid == (SOMEBODY if os.geteuid() == 0 else os.geteuid())
    assert names(tmp_path) == ["file"]


def test_a_folder_behind_links_is_used_unless_somebody_else_may_change_a_link(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir(mode=0o700)
    (tmp_path / "own").mkdir(mode=0o700)
    (tmp_path / "open").mkdir()
    (tmp_path / "own" / "one").symlink_to("../real")
    (tmp_path / "two").symlink_to(tmp_path / "own" / "one")
    (tmp_path / "open" / "three").symlink_to(tmp_path / "real")
    (tmp_path / "four").symlink_to(tmp_path / "open" / "three")
    files.create_private("dest", tmp_path / "two" / "file", DATA)
    assert (tmp_path / "real" / "file").read_bytes() == DATA
    (tmp_path / "open").chmod(0o777)
    for way in (tmp_path / "open" / "three", tmp_path / "four"):
        with pytest.raises(InvalidInput, match=r"the folder .* is writable by everyone"):
            files.create_private("dest", way / "another", DATA)
    assert names(tmp_path / "real") == ["file"]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a link away")
def test_a_link_of_somebody_else_is_refused_also_where_nobody_can_replace_it(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir(mode=0o700)
    (tmp_path / "sticky").mkdir()
    (tmp_path / "sticky").chmod(0o1777)
    (tmp_path / "sticky" / "link").symlink_to(tmp_path / "real")
    os.lchown(tmp_path / "sticky" / "link", SOMEBODY, SOMEBODY)
    with pytest.raises(InvalidInput, match=r"the symbolic link '.*link' belongs to"):
        files.create_private("dest", tmp_path / "sticky" / "link" / "file", DATA)


def test_links_that_lead_nowhere_end(tmp_path: Path) -> None:
    (tmp_path / "a").symlink_to("b")
    (tmp_path / "b").symlink_to("a")
    with pytest.raises((InvalidInput, FileNotWritten)):
        files.create_private("dest", tmp_path / "a" / "file", DATA)


def test_appending_after_a_torn_line_keeps_both_apart(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b'{"half":')
    files.append_private("receipts_file", tmp_path / "file", b"{}")
    files.append_private("receipts_file", tmp_path / "file", b"[]")
    assert (tmp_path / "file").read_bytes() == b'{"half":\n{}\n[]\n'


def test_another_process_that_holds_the_lock_of_a_log_is_not_waited_for_forever(tmp_path: Path) -> None:
    waited: list[float] = []
    (tmp_path / "file").write_bytes(b"[]\n")
    with (tmp_path / "file").open("rb") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        with pytest.raises(FileNotWritten, match="is locked by another process"):
            files.append_private("receipts_file", tmp_path / "file", b"{}", sleep=waited.append, timeout=1.0)
    assert 4 <= len(waited) <= 6
    files.append_private("receipts_file", tmp_path / "file", b"{}", sleep=waited.append)
    assert (tmp_path / "file").read_bytes() == b"[]\n{}\n"


KILLED = """
import os, signal, sys
from ansible_collections.mdps.venue_sts.plugins.module_utils import _files as files
step, way, path = sys.argv[1:]
def die(*_, **__): os.kill(os.getpid(), signal.SIGKILL)
setattr(files.os, step, die)
getattr(files, way)("dest", path, b"FAKE-key")
"""


@pytest.mark.parametrize("way", ["create_private", "replace_private"])
@pytest.mark.parametrize("step", ["write", "fsync", "link", "rename", "unlink"])
def test_what_a_killed_run_leaves_is_removed_by_the_next(way: str, step: str, tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", KILLED, step, way, tmp_path / "file"],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        check=False,
    )
    # A new file is linked to its name, and an existing one is replaced by renaming.
    unused = {"create_private": "rename", "replace_private": "link"}[way]
    assert done.returncode == (0 if step == unused else -signal.SIGKILL)
    has_name = step in (unused, "unlink")
    assert (tmp_path / "file").exists() is has_name
    assert not has_name or (tmp_path / "file").read_bytes() == b"FAKE-key"
    files.create_private("dest", tmp_path / "another", DATA)
    assert set(names(tmp_path)) == {"another", *(["file"] if has_name else [])}


def test_a_file_system_without_hard_links_gets_the_file_too_and_nothing_is_overwritten(
    tmp_path: Path, monkeypatch
) -> None:
    def refuse(*_given: object, **_options: object) -> None:
        raise PermissionError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(os, "link", refuse)
    files.create_private("dest", tmp_path / "file", DATA)
    assert ((tmp_path / "file").read_bytes(), names(tmp_path)) == (DATA, ["file"])
    monkeypatch.setattr(files, "check_new_file", lambda _option, path: path)  # it appears after the check
    with pytest.raises(InvalidInput, match="exists and is never overwritten"):
        files.create_private("dest", tmp_path / "file", b"another")
    assert ((tmp_path / "file").read_bytes(), names(tmp_path)) == (DATA, ["file"])


def test_the_temporary_file_of_a_run_that_goes_on_stays(tmp_path: Path) -> None:
    with files._temporary("dest", tmp_path / "file", DATA) as (_folder, name):
        files.remove_leftovers(tmp_path)
        assert (tmp_path / name).read_bytes() == DATA
    assert names(tmp_path) == []


def test_a_temporary_file_that_was_taken_for_a_leftover_is_made_again(tmp_path: Path, monkeypatch) -> None:
    lock, removed = fcntl.flock, []

    def remove_first(handle: int, operation: int) -> None:
        if not removed:
            removed.extend(tmp_path.iterdir())
            removed[0].unlink()
        lock(handle, operation)

    monkeypatch.setattr(fcntl, "flock", remove_first)
    files.create_private("dest", tmp_path / "file", DATA)
    assert (tmp_path / "file").read_bytes() == DATA
    assert len(removed) == 1


def test_what_another_user_named_like_a_leftover_stays(tmp_path: Path, monkeypatch) -> None:
    place = tmp_path / f"{files.PREFIX}x{files.SUFFIX}"
    place.write_text("of somebody else")
    real = os.geteuid()
    monkeypatch.setattr(os, "geteuid", lambda: real + 1)
    files.remove_leftovers(tmp_path)
    assert place.exists()
