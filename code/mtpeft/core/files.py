"""Files as this package reads and writes them: whole or not at all, line by line at LF, with names
that stay inside.

- `write_atomic`: a reader sees the old file or the new one. What a killed process left of it goes
  at the next start.
- `append_lines`, `repair_last_line`: append-only files of lines, of which a kill costs at most the
  line being written.
- `lines`: the one notion of a line. Bytes are split at LF only; a last line without its end is a
  line.
- `scratch`: a temporary folder that the next start removes where this process could not.
"""

import codecs
import contextlib
import errno
import hashlib
import json
import os
import re
import shlex
import shutil
import stat
import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from multiprocessing.util import Finalize
from pathlib import Path
from typing import Any

from mtpeft.core.errors import BadInput, MtpeftError, Unwritable
from mtpeft.core.output import claim

_HOST = hashlib.sha256(os.uname().nodename.encode()).hexdigest()[:8]
_PART = re.compile(r"\..+\.([0-9a-f]{8})\.(\d+)\.part")
_SCRATCH = re.compile(r"mtpeft-[a-z0-9]+-([0-9a-f]{8})\.(\d+)-.+")
_swept: set[Path] = set()


def cannot(what: str, path: Path, error: OSError) -> MtpeftError:
    """The error of this package for one of the system's.

    Args:
        what: What was tried, as an infinitive: `write`, `lock`, `read`.
        path: The file it was tried on.
        error: What the system said.
    """
    if what in ("write", "lock"):
        return Unwritable(*_system_said(what, path, error))
    return MtpeftError(*_system_said(what, path, error))


def _system_said(what: str, path: Path, error: OSError) -> tuple[str, str, str]:
    """What was found, what was expected and what helps; see `cannot`."""
    folder = _parent(path)  # the others could not be made
    reason = error.strerror or str(error)
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return f"cannot {what} {path}: {reason}", "free disk space", f"df -h {folder}"
    if error.errno in (errno.ELOOP, errno.ENOTDIR, errno.EEXIST, errno.ENAMETOOLONG):
        return (
            f"cannot {what} {path}: {reason}",
            "a path of folders that ends in a name",
            f"ls -l {_parent(path)}; correct the path",
        )
    if what in ("write", "lock"):
        return (
            f"cannot {what} {path}: {reason}",
            "a writable folder with free space",
            f"df -h {folder}; ls -ld {folder}; MTPEFT_OUT and MTPEFT_CACHE name other folders",
        )
    return (f"cannot {what} {path}: {reason}", "a file that this user can read", f"ls -ld {path}")


# ---------------------------------------------------------------- writing


def expect_writable(path: Path) -> None:
    """Refuse a path that cannot be written before anything is computed for it.

    Raises:
        MtpeftError: Something lies there that is no file, or the system would refuse.
    """
    _refuse_odd(path)
    try:
        try:
            os.close(os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC))
        except FileNotFoundError:
            nearest = next(p for p in path.absolute().parents if os.path.lexists(p))
            os.stat(nearest / ".")
            if not os.access(nearest, os.W_OK | os.X_OK):
                read_only = os.statvfs(nearest).f_flag & os.ST_RDONLY
                number = errno.EROFS if read_only else errno.EACCES
                raise OSError(number, os.strerror(number)) from None
    except OSError as error:
        raise cannot("write", path, error) from error


def write_atomic(path: Path, content: bytes | str) -> None:
    """Write under a temporary name, flush to the disk, then rename.

    A reader sees the old content or the new one, never half.

    Raises:
        MtpeftError: The system refuses.
    """
    data = encoded(content, path) if isinstance(content, str) else content
    _refuse_odd(path)  # a rename would put a file in the place of a device
    temporary = path.with_name(f".{path.name}.{_HOST}.{os.getpid()}.part")
    try:
        claim(path)
        path.parent.mkdir(parents=True, exist_ok=True)
        sweep(path.parent)
        try:
            with open(temporary, "wb") as stream:
                stream.write(data)
                stream.flush()
                os.fsync(stream.fileno())
            os.replace(temporary, path)
        finally:
            temporary.unlink(missing_ok=True)
    except OSError as error:
        raise cannot("write", path, error) from error


def encoded(text: str, path: Path) -> bytes:
    """A text in UTF-8.

    Args:
        text: The text.
        path: The file that it is meant for, for the message.

    Raises:
        MtpeftError: The text holds half a surrogate pair, which UTF-8 cannot hold.
    """
    try:
        return text.encode("utf-8")
    except UnicodeEncodeError as error:
        around = ascii(text[max(0, error.start - 30) : error.end + 10])
        raise MtpeftError(
            f"cannot write {path}: {around} is no valid Unicode",
            "text that UTF-8 can hold",
            "correct the text that it came from",
        ) from error


def append_lines(path: Path, lines: Iterable[str]) -> None:
    """Append lines (without their ends) and flush them to the disk before returning.

    A half line that a kill left is first ended or cut off, so that it cannot spoil the next one.
    """
    data = b"".join(encoded(line, path) + b"\n" for line in lines)
    _refuse_odd(path)
    try:
        claim(path)
        path.parent.mkdir(parents=True, exist_ok=True)
        with open(path, "a+b") as stream:
            if stream.tell() and os.pread(stream.fileno(), 1, stream.tell() - 1) != b"\n":
                repair_last_line(path)
            stream.write(data)
            stream.flush()
            os.fsync(stream.fileno())
    except OSError as error:
        raise cannot("write", path, error) from error


def repair_last_line(path: Path) -> None:
    """Cut off a last line without its end, or end it where it is a whole JSON object."""
    _refuse_odd(path)
    try:
        data = path.read_bytes()
        last = data[data.rfind(b"\n") + 1 :]
        if not last:
            return
        try:
            whole = isinstance(json.loads(last.decode("utf-8-sig")), dict)
        except (ValueError, RecursionError):
            whole = False
        with open(path, "r+b") as stream:
            if whole:
                stream.seek(0, os.SEEK_END)
                stream.write(b"\n")
            else:
                stream.truncate(len(data) - len(last))
            stream.flush()
            os.fsync(stream.fileno())
    except OSError as error:
        raise cannot("write", path, error) from error


def _refuse_odd(path: Path) -> None:
    """Refuse to write where something lies that is no file."""
    if _odd(path):
        error = no_file(path, "a file, or a path at which nothing lies")
        fix = f"ls -l {_parent(path)}; name another path"
        raise MtpeftError(f"cannot write {error.found}", error.expected, fix)


# ---------------------------------------------------------------- reading


def no_file(path: Path, expected: str, fix: str = "") -> BadInput:
    """The error for a path at which no file can be read, saying what lies there instead.

    Args:
        path: The path.
        expected: What should lie there.
        fix: What helps where nothing does.
    """
    shown = shlex.quote(str(path))
    try:
        kind = os.stat(path).st_mode
    except OSError as error:
        return _nothing("file", path, error, expected, fix)
    if stat.S_ISDIR(kind):
        return BadInput(path, "a folder, not a file", expected, f"ls -l {shown}; name a file in it")
    for test, found in (
        (stat.S_ISFIFO, "a pipe, which can be read once only"),
        (stat.S_ISSOCK, "a socket, not a file"),
        (stat.S_ISCHR, "a device, not a file"),
        (stat.S_ISBLK, "a device, not a file"),
    ):
        if test(kind):
            return BadInput(path, found, expected, "write the data into a file and name that")
    return BadInput(path, "cannot be read", expected, f"ls -l {shown}")


def no_folder(path: Path, expected: str, fix: str = "") -> BadInput:
    """The error for a path at which there is no folder, saying what lies there instead.

    Args:
        path: The path.
        expected: What should lie there.
        fix: What helps where nothing does.
    """
    try:
        kind = os.stat(path).st_mode
    except OSError as error:
        return _nothing("folder", path, error, expected, fix)
    if stat.S_ISDIR(kind):
        return BadInput(path, "cannot be used", expected, fix or f"ls -l {shlex.quote(str(path))}")
    what = "a file" if stat.S_ISREG(kind) else "a pipe, a socket or a device"
    return BadInput(
        path, f"{what}, not a folder", expected, f"ls -l {_parent(path)}; name a folder"
    )


def _nothing(what: str, path: Path, error: OSError, expected: str, fix: str) -> BadInput:
    """The error for a path that the system cannot look at.

    Args:
        what: What was looked for, `file` or `folder`.
        path: The path.
        error: What the system said.
        expected: What should lie there.
        fix: What helps where nothing does.
    """
    shown = shlex.quote(str(path))
    if error.errno == errno.ENOENT:
        if not path.is_symlink():
            return BadInput(path, f"no such {what}", expected, fix or f"ls -l {_parent(path)}")
        found = f"a link to {os.readlink(path)}, which is not there"
    elif error.errno == errno.ELOOP:
        found = "a link that leads back to itself"
    elif error.errno == errno.ENOTDIR:
        found = f"no such {what}: a part of the path is a file, not a folder"
    else:
        found = f"cannot be looked at: {error.strerror or error}"
        shown = _parent(path)
    return BadInput(path, found, expected, f"ls -ld {shown}; correct the path")


def _parent(path: Path) -> str:
    """The nearest folder above a path that is there."""
    return shlex.quote(str(next((p for p in path.parents if os.path.isdir(p)), path.parent)))


def _odd(path: Path) -> bool:
    """Whether something lies at a path that is no file and would be waited for, or never end."""
    try:
        kind = os.stat(path).st_mode
    except OSError:
        return False
    return not stat.S_ISREG(kind)


def lines(data: bytes) -> list[bytes]:
    """The lines of a text, without their ends and without a byte order mark. Only LF ends a line;
    the last one needs no end.
    """
    found = data.removeprefix(codecs.BOM_UTF8).split(b"\n")
    return found[:-1] if not found[-1] else found


def text_lines(text: str) -> list[str]:
    """The same of decoded text."""
    found = text.split("\n")
    return found[:-1] if not found[-1] else found


def read_text(path: Path) -> str:
    """A UTF-8 file with its line ends as they are, without a byte order mark.

    Raises:
        BadInput: The file cannot be read, or a line is not UTF-8; the error names it.
    """
    data = read_bytes(path)
    _refuse_packed(path, data)
    try:
        return data.removeprefix(codecs.BOM_UTF8).decode("utf-8")
    except UnicodeDecodeError as error:
        data = data.removeprefix(codecs.BOM_UTF8)  # what the error counts in
        line = data.count(b"\n", 0, error.start) + 1
        raise BadInput(
            path,
            f"byte 0x{data[error.start]:02x} is not UTF-8",
            "UTF-8 text",
            f"iconv -f LATIN1 -t UTF-8 {path}, if that is what it is in",
            line=line,
        ) from error


def read_bytes(path: Path) -> bytes:
    """The bytes of a file, unpacked where its name ends in `.gz`.

    Raises:
        BadInput: It cannot be read.
    """
    if _odd(path):
        raise no_file(path, "a file")
    try:
        if path.name.endswith(".gz"):
            import gzip
            import zlib

            with open(path, "rb") as stream:
                start = stream.read(2)
            if start not in (b"", b"\x1f\x8b"):
                shown = shlex.quote(str(path))
                raise BadInput(
                    path,
                    "damaged gzip data: it is none, though the name ends in .gz",
                    "a gzip file, or another name",
                    f"mv {shown} {shlex.quote(str(path).removesuffix('.gz'))}",
                )
            try:
                with gzip.open(path, "rb") as stream:
                    return stream.read()
            except (EOFError, zlib.error, gzip.BadGzipFile) as error:
                raise BadInput(
                    path,
                    f"damaged gzip data: {error}",
                    "a whole gzip file",
                    "copy or download the file again",
                ) from error
        return path.read_bytes()
    except OSError as error:
        raise BadInput(
            path,
            f"cannot be read: {error.strerror or error}",
            "a file that this user can read",
            f"ls -ld {path}",
        ) from error


_PACKED: tuple[tuple[bytes, str, str], ...] = (
    (b"\x1f\x8b", "gzip data", "mv {0} {0}.gz"),
    (b"BZh", "bzip2 data", "bzip2 -dkc {0} >{0}.jsonl"),
    (b"\xfd7zXZ\x00", "xz data", "xz -dkc {0} >{0}.jsonl"),
    (b"\x28\xb5\x2f\xfd", "Zstandard data", "zstd -dkc {0} >{0}.jsonl"),
    (b"PK\x03\x04", "a zip archive", "unzip {0}"),
    (codecs.BOM_UTF32_LE, "UTF-32 text", "iconv -f UTF-32 -t UTF-8 {0} >{0}.utf8"),
    (codecs.BOM_UTF16_LE, "UTF-16 text", "iconv -f UTF-16 -t UTF-8 {0} >{0}.utf8"),
    (codecs.BOM_UTF16_BE, "UTF-16 text", "iconv -f UTF-16 -t UTF-8 {0} >{0}.utf8"),
)
"""How other forms of a file begin, and what makes text of them."""


def _refuse_packed(path: Path, data: bytes) -> None:
    """Say once what a file is that is no UTF-8 text, in place of an error for each of its lines."""
    for start, what, fix in _PACKED:
        if data.startswith(start):
            shown = shlex.quote(str(path))
            raise BadInput(path, what, "UTF-8 text, or gzip under a name in .gz", fix.format(shown))


def unique(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    """A JSON object whose keys stand once each (`object_pairs_hook`): of two equal ones Python takes the
    last without a word.

    Raises:
        ValueError: A key stands twice.
    """
    found = dict(pairs)
    if len(found) < len(pairs):
        twice = Counter(key for key, _ in pairs).most_common(1)[0][0]
        raise ValueError(f"the key {twice[:80]!a} twice")
    return found


def record_lines(path: Path) -> Iterator[tuple[int, bytes]]:
    """The lines of a file in JSON lines, packed or not, each with its number.

    Raises:
        BadInput: The file cannot be read, or is in another form: packed otherwise, one JSON value
            over all of its lines, or lines that end in a carriage return alone.
    """
    data = read_bytes(path)
    _refuse_packed(path, data)
    every = lines(data)
    found = [line for line in every if line.strip()]
    if found and not _is_json(found[0]):
        shown = shlex.quote(str(path))
        expected = "one JSON object a line"
        if len(found) == 1 and _is_json(found[0].split(b"\r")[0]):
            fix = f"tr '\\r' '\\n' <{shown} >{shown}.lf"
            raise BadInput(path, "lines that end in a carriage return alone", expected, fix)
        if found[0].lstrip()[:1] in (b"[", b"{") and len(found) > 1 and _is_json(data):
            what, rows = ("array", "r") if found[0].lstrip()[:1] == b"[" else ("object", "[r]")
            split = f"import json, sys; r = json.load(sys.stdin); print(*map(json.dumps, {rows}), sep='\\n')"
            fix = f'python3 -c "{split}" <{shown} >{shown}.jsonl'
            raise BadInput(path, f"one JSON {what} over all of its lines", expected, fix)
    yield from enumerate(every, start=1)


def _is_json(data: bytes) -> bool:
    try:
        json.loads(data.removeprefix(codecs.BOM_UTF8).decode("utf-8"))
    except (ValueError, RecursionError):
        return False
    return True


def json_objects(path: Path, keys: Iterable[str], fix: str = "") -> Iterator[tuple[int, Any]]:
    """The objects of a file in JSON lines, packed or not, each with the number of its line.

    Args:
        path: The file; an empty line is none of its objects.
        keys: What every object must have.
        fix: What to do about a bad line, for the message.

    Raises:
        BadInput: With file and line, for whatever is not an object with these keys.
    """
    needed = set(keys)
    for number, line in record_lines(path):
        if not line.strip():
            continue
        try:
            record = json.loads(line.decode("utf-8"), object_pairs_hook=unique)
        except UnicodeDecodeError as error:
            raise BadInput(
                path, f"not UTF-8: {error.reason}", "UTF-8 text", fix, line=number
            ) from error
        except (ValueError, RecursionError) as error:
            raise BadInput(
                path, f"malformed JSON: {error}", "one object a line", fix, line=number
            ) from error
        if not isinstance(record, dict) or not needed <= record.keys():
            found = ", ".join(record) if isinstance(record, dict) else type(record).__name__
            raise BadInput(
                path,
                f"keys {ascii(found)[1:-1]}",
                f"an object with {', '.join(sorted(needed))}",
                fix,
                line=number,
            )
        yield number, record


# ---------------------------------------------------------------- what a killed process left


def sweep(folder: Path) -> None:
    """Remove what killed processes of this machine left in a folder.

    Once for each folder in a process.
    """
    if folder in _swept:
        return
    _swept.add(folder)
    with contextlib.suppress(OSError):
        for entry in os.scandir(folder):
            match = _PART.fullmatch(entry.name) or _SCRATCH.fullmatch(entry.name)
            if match is None or match[1] != _HOST or _alive(int(match[2])):
                continue
            with contextlib.suppress(OSError):
                if entry.stat(follow_symlinks=False).st_uid != os.getuid():
                    continue
                if entry.is_dir(follow_symlinks=False):
                    shutil.rmtree(entry.path)
                else:
                    os.unlink(entry.path)


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def scratch_prefix(name: str) -> str:
    """How the name of a temporary folder of this process begins, by which `sweep` knows it.

    Args:
        name: What it is for, in small letters and digits.
    """
    return f"mtpeft-{name}-{_HOST}.{os.getpid()}-"


@contextlib.contextmanager
def scratch(name: str, folder: Path | None = None) -> Iterator[Path]:
    """A temporary folder that is gone afterwards, at the latest when the next process asks for one.

    Args:
        name: What it is for, in small letters and digits.
        folder: Where it is made; default: the system's folder for temporary files.

    Raises:
        MtpeftError: It cannot be made, or has no room for 64 KiB: what a tool says that finds its
            disk full is seldom that.
    """
    place = folder or Path(tempfile.gettempdir())
    try:
        place.mkdir(parents=True, exist_ok=True)
        sweep(place)
        made = tempfile.mkdtemp(prefix=scratch_prefix(name), dir=place)
    except OSError as error:
        raise cannot("write", place / f"mtpeft-{name}", error) from error
    try:
        probe = Path(made, "probe")
        try:
            probe.write_bytes(bytes(1 << 16))
            probe.unlink()
        except OSError as error:
            raise cannot("write", Path(made), error) from error
        yield Path(made)
    finally:
        shutil.rmtree(made, ignore_errors=True)


@contextlib.contextmanager
def temporary_files_of(name: str) -> Iterator[None]:
    """Let a library that is started in this block keep its temporary files where the next start
    sweeps; they go at the end of this process, which may be a worker.

    Args:
        name: Of the library, in small letters and digits.
    """
    life = contextlib.ExitStack()
    folder = str(life.enter_context(scratch(name)))
    Finalize(None, life.close, exitpriority=0)  # unlike atexit, run at the end of a worker, too
    variable, module = os.environ.get("TMPDIR"), tempfile.tempdir
    os.environ["TMPDIR"] = tempfile.tempdir = folder
    try:
        yield
    finally:
        tempfile.tempdir = module
        if variable is None:
            del os.environ["TMPDIR"]
        else:
            os.environ["TMPDIR"] = variable
