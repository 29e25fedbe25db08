# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Files that contain credentials or decide who gets them: created safely, readable by their owner alone, never partial.

The rules are those of ``StrictModes`` in OpenSSH: a folder must belong to the user, nobody else may write to it, and
nobody else may replace one of the folders above it. See sshd_config(5).
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import grp
import os
import pwd
import secrets
import stat
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from ._domain.errors import FileNotWritten, InvalidInput

PREFIX, SUFFIX = ".venue_sts.", ".tmp"
# Accounts that own a group's files in name only: nobody can log in as one of these.
NO_LOGIN_SHELLS = {"nologin", "false", "sync", "shutdown", "halt"}
MOST_LINKS = 40  # as Linux
PAUSE = 0.2  # seconds between two attempts to take a lock
BY_EFFECTIVE_ID = os.access in os.supports_effective_ids
LONGEST_NAME = 255  # bytes; as Linux
ACL = "system.posix_acl_access"  # see acl(5); the extended attribute that holds it on Linux
KINDS = {
    stat.S_IFDIR: "a folder",
    stat.S_IFLNK: "a symbolic link",
    stat.S_IFIFO: "a FIFO",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
    stat.S_IFSOCK: "a socket",
}


def absolute(option: str, path: str | Path) -> Path:
    """Return the absolute path that an option names. Symbolic links are kept.

    :param option: the option, for messages.
    :param path: may begin with ``~`` or ``~user``.
    :raises InvalidInput: it is empty, has an unprintable character or too long a name, or names an unknown user.
    """
    text = os.fspath(path)
    if not text.strip() or not text.isprintable():
        raise InvalidInput(
            option,
            "this is not the path of a file or folder: it is empty, or contains a non-printable character.",
        )
    expanded = os.path.expanduser(text)  # noqa: PTH111 - Path.expanduser raises RuntimeError
    if expanded.startswith("~"):
        raise InvalidInput(option, f"'{text}' begins with the name of an unknown user.")
    found = Path(os.path.abspath(expanded))  # noqa: PTH100 - keep links
    check_name_lengths(option, found.parts)
    return found


def real_path(path: Path) -> Path:
    """Return a path without symbolic links. For links that form a loop, Path.resolve fails before Python 3.13."""
    return Path(os.path.realpath(path))


def followed(option: str, path: str | Path) -> Path:
    """Return a path without symbolic links, after a check that nobody else decides where they lead.

    :raises InvalidInput: a link, or a folder that has one, is another user's, or others may write to the folder.
    """
    target = absolute(option, path)
    for link in _links(option, target):
        check_folder(option, link.parent, is_destination=False)
    return real_path(target)


def check_name_lengths(option: str, names: Iterable[str]) -> None:
    """Check that a file system can hold names of files or folders.

    :raises InvalidInput: one is longer than `LONGEST_NAME`.
    """
    for name in names:
        size = len(name.encode())
        if size > LONGEST_NAME:
            raise InvalidInput(option, f"the name '{name}' has {size} bytes, and at most {LONGEST_NAME} are allowed.")


def create_private(option: str, path: str | Path, data: bytes) -> Path:
    """Create a file with mode 0600. An existing file is never overwritten.

    The data is written to a temporary file through the handle that created it, flushed to the disk, and only then given
    its name. A run that is killed leaves the whole file or, at most, the temporary one, which `remove_leftovers`
    removes.

    :param option: the option that names the path, for messages.
    :param path: the file; missing folders are created with mode 0700.
    :returns: the absolute path.
    :raises InvalidInput: the path or one of its folders is not safe, or the file exists.
    :raises FileNotWritten: no permission or no space.
    """
    target = check_new_file(option, path)
    with _temporary(option, target, data) as (folder, name):
        try:
            _name_once(folder, name, target.name)
        except FileExistsError:
            raise _exists(option, target) from None
    return target


def replace_private(option: str, path: str | Path, data: bytes) -> Path:
    """Replace a file in one step, or create it, with mode 0600. The owner and group of an existing file are kept.

    :param option: the option that names the path, for messages.
    :raises InvalidInput: the path or one of its folders is not safe.
    :raises FileNotWritten: no permission or no space; an existing file is unchanged.
    """
    target = absolute_file(option, path)
    prepare_folder(option, target.parent)
    before = _regular_or_missing(option, target)
    with _temporary(option, target, data) as (folder, name):
        if before and (before.st_uid, before.st_gid) != (os.geteuid(), os.getegid()):
            os.chown(name, before.st_uid, before.st_gid, dir_fd=folder, follow_symlinks=False)
        os.rename(name, target.name, src_dir_fd=folder, dst_dir_fd=folder)
    return target


def append_private(
    option: str, path: str | Path, line: bytes, *, sleep: Callable[[float], None] = time.sleep, timeout: float = 30.0
) -> None:
    """Add a line to a file: under a lock, flushed to the disk, mode 0600. A line that does not fit is removed again.

    :param option: the option that names the path, for messages.
    :param line: the text without a line break at its end.
    :param sleep: waits for a number of seconds.
    :param timeout: how long to wait for another process that holds the lock, in seconds.
    :raises InvalidInput: the path or one of its folders is not safe.
    :raises FileNotWritten: no permission, no space, or the other process does not end.
    """
    target = check_append_file(option, path)
    with _reported(option, target):
        flags = os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
        handle = os.open(target, flags, 0o600)
        try:
            if not stat.S_ISREG(os.fstat(handle).st_mode):
                raise InvalidInput(option, f"'{target}' is not a regular file.")
            _wait_for_lock(handle, f"{option}: '{target}'", sleep, timeout)  # released when the handle is closed
            is_new = os.fstat(handle).st_size == 0
            _append_locked(handle, line)
            if is_new:  # under the lock: the name of a file with lines survives a power failure
                _sync_folder(target.parent)
        finally:
            os.close(handle)


def check_new_file(option: str, path: str | Path) -> Path:
    """Check that a file can be created safely, and create its missing folders. Removes leftovers of killed runs.

    :raises InvalidInput: the path or one of its folders is not safe, or something of that name exists.
    :raises FileNotWritten: a missing folder cannot be created.
    """
    target = absolute_file(option, path)
    prepare_folder(option, target.parent)
    if _regular_or_missing(option, target):
        raise _exists(option, target)
    return target


def check_append_file(option: str, path: str | Path, *, create: bool = True) -> Path:
    """Check that lines can be added to a file.

    :param create: create missing folders; if not, check those that exist.
    :raises InvalidInput: the path or one of its folders is not safe, or the file is not writable.
    :raises FileNotWritten: a missing folder cannot be created.
    """
    target = absolute_file(option, path)
    if create:
        prepare_folder(option, target.parent)
    elif not check_existing_folder(option, target.parent):
        return target
    found = _regular_or_missing(option, target)
    if found and found.st_uid != os.geteuid():
        raise InvalidInput(option, f"'{target}' belongs to {_user(found.st_uid)}. Use a file that belongs to you.")
    if not os.access(target if found else target.parent, os.W_OK, effective_ids=BY_EFFECTIVE_ID):
        raise InvalidInput(option, f"'{target}' is not writable.")
    if create and not found:
        check_writable(option, target.parent)
    return target


def open_regular(path: str, flags: int) -> int:
    """Open a file, but not a FIFO or a device, which would block or never end. For the argument ``opener`` of open().

    :raises OSError: it is something else than a regular file, or cannot be opened.
    """
    handle = os.open(path, flags | os.O_NONBLOCK)
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        os.close(handle)
        raise OSError(errno.EINVAL, "not a regular file")
    return handle


def check_existing_folder(option: str, folder: Path) -> bool:
    """Check a folder without creating it, or if it is missing, the one that it would be created in.

    :returns: whether it exists.
    :raises InvalidInput: a folder is not safe, or not writable.
    """
    existing = next(one for one in (folder, *folder.parents) if os.path.lexists(one))
    with _reported(option, folder):
        check_folder(option, existing, is_destination=existing == folder)
        if not os.access(existing, os.W_OK | os.X_OK, effective_ids=BY_EFFECTIVE_ID):
            raise _not_writable(option, existing, "no permission, or a read-only file system")
    return existing == folder


def prepare_folder(option: str, folder: Path) -> None:
    """Create missing folders with mode 0700, check all, and remove leftovers of killed runs from the last.

    :raises InvalidInput: a folder is not safe; the message names it and the reason.
    :raises FileNotWritten: a missing folder cannot be created.
    """
    with _reported(option, folder):
        existing = next(one for one in (folder, *folder.parents) if os.path.lexists(one))
        check_folder(option, existing, is_destination=existing == folder)
        for one in reversed([one for one in (folder, *folder.parents) if not os.path.lexists(one)]):
            one.mkdir(mode=0o700, exist_ok=True)
        check_folder(option, folder)
    remove_leftovers(folder)


def check_writable(option: str, folder: Path) -> None:
    """Check that files can be created in a folder: create the temporary file of a write, and remove it.

    :raises InvalidInput: none can be created, as in a read-only file system.
    """
    try:
        place = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            handle, name = _locked_file(place)
            os.unlink(name, dir_fd=place)
            os.close(handle)
        finally:
            os.close(place)
    except OSError as error:
        raise _not_writable(option, folder, error.strerror) from None


def _not_writable(option: str, folder: Path, reason: str | None) -> InvalidInput:
    return InvalidInput(option, f"no file can be created in the folder '{folder}' ({reason}).")


def check_folder(option: str, folder: Path, *, is_destination: bool = True, allow_group: bool = False) -> None:
    """Check that only the user decides what a folder holds.

    :param is_destination: the folder itself must belong to the user. False for a folder in which one will be created.
    :param allow_group: accept that a group may write, as in a checked-out project that several people share.
    :raises InvalidInput: somebody else may write to it or replace it; the message names the folder and the reason.
    """
    real = real_path(folder)
    ways = [real_path(link.parent) for link in _links(option, folder)]
    holders = [one for way in ways for one in (way, *way.parents)]
    for one in dict.fromkeys((real, *real.parents, *holders)):
        found = one.stat()
        if not stat.S_ISDIR(found.st_mode):
            raise InvalidInput(option, f"'{one}' is not a folder.")
        own = is_destination and one == real
        if found.st_uid != os.geteuid() and (own or found.st_uid != 0):
            raise InvalidInput(
                option, f"the folder '{one}' belongs to {_user(found.st_uid)}. Use a folder that belongs to you."
            )
        # In a folder with the sticky bit, such as /tmp, nobody can replace the entries of another user.
        if found.st_mode & stat.S_ISVTX and not own:
            continue
        check_writers(option, f"folder '{one}'", found, one, allow_group=allow_group)


def _links(option: str, folder: Path) -> list[Path]:
    """The symbolic links on the way to a folder. Who may change one of them decides where the way leads.

    :raises InvalidInput: a link belongs to somebody else, or there are too many.
    """
    found: list[Path] = []
    waiting = [Path(os.path.abspath(folder))]  # noqa: PTH100 - keep links
    while waiting:
        way = waiting.pop()
        links = [one for one in (way, *way.parents) if one.is_symlink() and one not in found]
        for link in links:
            owner = link.lstat().st_uid
            if owner not in (os.geteuid(), 0):
                raise InvalidInput(option, f"the symbolic link '{link}' belongs to {_user(owner)}.")
            waiting.append(link.parent / link.readlink())
        found += links
        if len(found) > MOST_LINKS:
            raise InvalidInput(option, f"the path to '{folder}' has too many symbolic links.")
    return found


def check_writers(option: str, what: str, found: os.stat_result, place: Path | int, *, allow_group: bool) -> None:
    """Check that nobody else may write to a file or folder.

    :param what: the kind and the path, for the message: ``file '/home/admin/key'``.
    :param place: its path, or the handle that it was opened as.
    :param allow_group: accept that a group, or users named in an access control list, may write.
    :raises InvalidInput: everybody, a group or a user named in an access control list may write to it.
    """
    check_not_for_everybody(option, what, found)
    path = what.partition(" ")[2]
    if not found.st_mode & stat.S_IWGRP or allow_group:
        return
    if _has_acl(place):  # then these bits are the most that the list may give to anybody, not those of the group
        problem = f"an access control list may make the {what} writable by other users. Run: setfacl -b {path}"
        raise InvalidInput(option, problem)
    if not _is_own_group(found.st_gid):
        raise InvalidInput(option, f"the {what} is writable by the group {_group(found.st_gid)}. Run: chmod g-w {path}")


def check_not_for_everybody(option: str, what: str, found: os.stat_result) -> None:
    """Check that a file or folder is not writable by everyone.

    :param what: the kind and the path, for the message: ``file '/home/admin/key'``.
    :raises InvalidInput: it is writable by everyone.
    """
    if found.st_mode & stat.S_IWOTH:
        path = what.partition(" ")[2]
        # One with the sticky bit, such as /tmp, is meant to be so.
        advice = "Use another folder." if found.st_mode & stat.S_ISVTX else f"Run: chmod o-w {path}"
        raise InvalidInput(option, f"the {what} is writable by everyone. {advice}")


def _has_acl(place: Path | int) -> bool:
    """Whether a file or folder has a POSIX access control list. False on systems that keep them in another way."""
    if not hasattr(os, "getxattr"):
        return False
    try:
        os.getxattr(place, ACL)
    except OSError as error:
        return error.errno not in (errno.ENODATA, errno.ENOTSUP)
    return True


def _is_own_group(gid: int) -> bool:
    """Whether a group is the user's primary one, and the user is the only person in it.

    False if that cannot be known: nothing lists the group, or the user. A directory service that does not list users
    does not list the other members either. Root is not counted: it may write everywhere anyway.
    """
    try:
        named = grp.getgrgid(gid).gr_mem
    except KeyError:
        return False
    everybody = pwd.getpwall()
    members = {one.pw_uid for one in everybody if _may_log_in(one) and (one.pw_gid == gid or one.pw_name in named)}
    is_primary = any(one.pw_uid == os.geteuid() and one.pw_gid == gid for one in everybody)
    unknown = set(named) - {one.pw_name for one in everybody}
    return is_primary and not unknown and members <= {os.geteuid(), 0}


def _may_log_in(entry: pwd.struct_passwd) -> bool:
    return Path(entry.pw_shell).name not in NO_LOGIN_SHELLS


def remove_leftovers(folder: Path) -> None:
    """Remove temporary files that killed runs left in a folder. Those of running ones are locked and stay."""
    with contextlib.suppress(OSError):
        for place in list(folder.glob(f"{PREFIX}*{SUFFIX}")):
            _remove_unless_locked(place)


def _remove_unless_locked(place: Path) -> None:
    with contextlib.suppress(OSError):
        handle = os.open(place, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
        try:
            if os.fstat(handle).st_uid == os.geteuid():
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                place.unlink()
        finally:
            os.close(handle)


@contextlib.contextmanager
def _temporary(option: str, target: Path, data: bytes) -> Iterator[tuple[int, str]]:
    """Write data to a locked temporary file beside the target: (folder handle, name). It is removed at the end."""
    with _reported(option, target):
        folder = os.open(target.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            handle, name = _locked_file(folder)
            try:
                _write_all(handle, data)
                os.fsync(handle)
                yield folder, name
                os.fsync(folder)
            finally:
                with contextlib.suppress(FileNotFoundError):
                    os.unlink(name, dir_fd=folder)
                os.close(handle)
        finally:
            os.close(folder)


def _locked_file(folder: int) -> tuple[int, str]:
    while True:
        name = f"{PREFIX}{secrets.token_hex(8)}{SUFFIX}"
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        handle = os.open(name, flags, 0o600, dir_fd=folder)
        fcntl.flock(handle, fcntl.LOCK_EX)
        if os.fstat(handle).st_nlink:
            return handle, name
        os.close(handle)  # another run took it for a leftover before it was locked


def _name_once(folder: int, name: str, final: str) -> None:
    """Give a file its final name, or fail if that is taken. The caller removes the first name.

    :raises FileExistsError: something of that name exists.
    """
    try:
        os.link(name, final, src_dir_fd=folder, dst_dir_fd=folder, follow_symlinks=False)
    except FileExistsError:
        raise
    except OSError:
        # File systems without hard links, such as FAT: a run that is killed between these two leaves an empty file.
        os.close(os.open(final, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600, dir_fd=folder))
        os.rename(name, final, src_dir_fd=folder, dst_dir_fd=folder)


def _append_locked(handle: int, line: bytes) -> None:
    if os.fstat(handle).st_mode & 0o077:
        os.fchmod(handle, 0o600)
    end = os.lseek(handle, 0, os.SEEK_END)
    # This line must not be appended to an incomplete line of a killed run.
    is_torn = end > 0 and os.pread(handle, 1, end - 1) != b"\n"
    try:
        _write_all(handle, (b"\n" if is_torn else b"") + line + b"\n")
        os.fsync(handle)
    except OSError:
        os.ftruncate(handle, end)
        raise


def _write_all(handle: int, data: bytes) -> None:
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(handle, rest) :]


@contextlib.contextmanager
def _reported(option: str, path: Path) -> Iterator[None]:
    """Turn an error of the file system into one that names the option and the path."""
    try:
        yield
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise FileNotWritten(f"{option}: '{path}' cannot be written ({reason}).") from None


def absolute_file(option: str, path: str | Path) -> Path:
    """Return the absolute path of a file.

    :raises InvalidInput: it is not a path, or that of a folder.
    """
    if os.fspath(path).endswith(os.sep):
        raise InvalidInput(option, f"'{path}' ends with a slash, as the path of a folder. Name a file.")
    return absolute(option, path)


def _regular_or_missing(option: str, target: Path) -> os.stat_result | None:
    """The status of a regular file, or None if nothing of that name exists.

    :raises InvalidInput: it is something else, such as a symbolic link.
    """
    try:
        found = target.lstat()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise InvalidInput(option, f"'{target}' cannot be a file ({error.strerror}).") from None
    if not stat.S_ISREG(found.st_mode):
        raise InvalidInput(option, f"'{target}' is {KINDS.get(stat.S_IFMT(found.st_mode), 'not a regular file')}.")
    return found


def _exists(option: str, target: Path) -> InvalidInput:
    return InvalidInput(option, f"'{target}' exists and is never overwritten. Remove it or name another file.")


def _user(uid: int) -> str:
    try:
        return f"the user {pwd.getpwuid(uid).pw_name}"
    except KeyError:
        return f"the user with ID {uid}"


def _group(gid: int) -> str:
    try:
        return grp.getgrgid(gid).gr_name
    except KeyError:
        return f"with ID {gid}"


def _sync_folder(folder: Path) -> None:
    """Make a new name in a folder survive a power failure."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


@contextlib.contextmanager
def locked(option: str, target: Path, sleep: Callable[[float], None], timeout: float = 30.0) -> Iterator[None]:
    """Keep other runs of this collection from changing a file at the same time.

    The lock is a file beside the target, since the target is replaced. It stays: removing it would let two runs in.

    :param option: the option that names the target, for messages.
    :param sleep: waits for a number of seconds.
    :param timeout: how long to wait for another run, in seconds.
    :raises FileNotWritten: the folder is not writable, or the other run does not end.
    """
    place = target.with_name(f".{target.name}.lock")
    prepare_folder(option, target.parent)
    with _reported(option, place):
        handle = os.open(place, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        _wait_for_lock(handle, f"'{target}' ('{place}')", sleep, timeout)
        yield
    finally:
        os.close(handle)


def _wait_for_lock(handle: int, what: str, sleep: Callable[[float], None], timeout: float) -> None:
    while not _take(handle):
        if timeout <= 0:
            raise FileNotWritten(f"{what} is locked by another process.")
        sleep(PAUSE)
        timeout -= PAUSE


def _take(handle: int) -> bool:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
