"""Find the export's files and bring them to this machine: a folder, a Google Cloud Storage or an S3 bucket.

Buckets are read through Arrow's file systems: Google's and Amazon's own client libraries, which come with pyarrow.
"""

from __future__ import annotations

import fnmatch
import hashlib
import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

from pyarrow import fs

from hub import api
from hub_ga4.config import AMAZON, GOOGLE, Ga4Config
from hub_ga4.days import Found
from hub_ga4.tokens import GoogleToken

_PATTERN = re.compile(r"[*?\[]")
_UNFINISHED = (".tmp", ".part", ".partial", ".crdownload")
_REFUSED = re.compile(
    r"access.?denied|permission.?denied|unauthenticated|forbidden|invalid.?access.?key|signature|expired.?token|"
    r"invalid.?token|HTTP status code 40[13]|HTTP response code 40[13]|credentials",
    re.IGNORECASE,
)
_MISSING = re.compile(r"no.?such|not.?found|does not exist|HTTP (status|response) code 404", re.IGNORECASE)
_ELSEWHERE = re.compile(
    r"permanent.?redirect|authorization.?header.?malformed|HTTP (status|response) code 301", re.IGNORECASE
)
_PATIENCE = timedelta(seconds=15)


@dataclass(slots=True)
class Storage:
    """The files below one place; ``label`` is how messages call it, ``system`` gives the file system to be used now."""

    label: str
    system: Callable[[], Any]
    root: str
    pattern: str | None
    is_local: bool
    cache: Path
    connection: str
    _fetched: dict[str, Path] = field(default_factory=dict)

    def files(self) -> list[Found]:
        """Return every file below the folder that fits the pattern, unfinished and hidden ones left out.

        Raises:
            SourceError: there is no such folder or bucket.
            AuthError: the credentials may not list it.
            TransientError: the storage does not answer.
        """
        with self._failures():
            found = self.system().get_file_info(fs.FileSelector(self.root, recursive=True, allow_not_found=False))
            return [
                Found(name, each.size, each.mtime_ns or 0)
                for each in found
                if each.type == fs.FileType.File and self._is_wanted(name := self._below(each.path))
            ]

    def head(self, found: Found, size: int) -> bytes:
        """Return the first bytes of a file."""
        with self._failures(), self.system().open_input_stream(self._path(found)) as file:
            return bytes(file.read(min(size, found.size)))

    def local(self, found: Found) -> Path:
        """Return where a file lies on this machine; one of a bucket is fetched, once."""
        if self.is_local:
            return Path(self._path(found))
        target = self._place(found)
        if not target.exists():
            self._fetch(found, target)
        self._fetched[found.name] = target
        return target

    def release(self, files: Iterable[Found]) -> None:
        """Delete what was fetched of these files."""
        for each in files:
            path = self._fetched.pop(each.name, None)
            if path is not None:
                path.unlink(missing_ok=True)

    def tidy(self, wanted: Iterable[Found]) -> None:
        """Delete what a run that was killed had fetched, apart from files that are still to be read."""
        keep = {self._place(each) for each in wanted}
        for path in (self.cache / "objects").glob("*"):
            if path not in keep:
                path.unlink(missing_ok=True)

    def _fetch(self, found: Found, target: Path) -> None:
        target.parent.mkdir(parents=True, exist_ok=True)
        unfinished = target.with_suffix(".part")
        with self._failures():
            fs.copy_files(
                self._path(found), str(unfinished), source_filesystem=self.system(),
                destination_filesystem=fs.LocalFileSystem(),
            )  # fmt: skip
        size = unfinished.stat().st_size
        if size < found.size:  # more may come: Google unpacks what is stored with Content-Encoding: gzip
            raise api.TransientError(f"{self.label}/{found.name} broke off after {size:,} of {found.size:,} bytes")
        unfinished.replace(target)

    def _place(self, found: Found) -> Path:
        told = f"{found.name}|{found.size}|{found.stamp}"
        return self.cache / "objects" / hashlib.sha256(told.encode()).hexdigest()[:32]

    def _path(self, found: Found) -> str:
        return f"{self.root}/{found.name}"

    def _below(self, path: str) -> str:
        return path.removeprefix(self.root).lstrip("/")

    def _is_wanted(self, name: str) -> bool:
        last = name.rpartition("/")[2]
        if last.startswith((".", "_")) or last.endswith(_UNFINISHED):
            return False
        return self.pattern is None or fnmatch.fnmatchcase(name, self.pattern)

    @contextmanager
    def _failures(self) -> Iterator[None]:
        """Name a failure after what happens next; what the library says of it may hold half an answer and is cut."""
        try:
            yield
        except OSError as error:
            told = " ".join(str(error).split())[:200]
            if isinstance(error, FileNotFoundError) or _MISSING.search(told):
                raise api.SourceError(
                    f"there is nothing at {self.label}", next_step="Correct `path`, or put the export there."
                ) from None
            if _ELSEWHERE.search(told):
                raise api.SourceError(
                    f"{self.label} lies in another region", next_step="Set `region` to that of the bucket."
                ) from None
            if isinstance(error, PermissionError) or _REFUSED.search(told):
                raise api.AuthError(
                    f"{self.label} may not be read: {told}",
                    next_step=f"Give {self.connection} credentials that may list and read the bucket.",
                ) from None
            raise api.TransientError(f"{self.label} cannot be read: {told}") from None


def open_storage(config: Ga4Config, shop: api.Shop, connection: str, http: api.Http | None) -> Storage:
    """Return the storage that a source's settings name.

    Raises:
        AuthError: the service account's key is refused.
        SourceError: what reads such a bucket is not installed.
    """
    is_local = not config.path.startswith((GOOGLE, AMAZON))
    place = config.path.removeprefix(GOOGLE).removeprefix(AMAZON).rstrip("/")
    pattern = None
    if _PATTERN.search(place) or (is_local and (shop.workspace / place).is_file()):
        fixed = _PATTERN.split(place)[0].rpartition("/")[0]
        place, pattern = fixed, place.removeprefix(fixed).lstrip("/").replace("**/", "*")
    root = str(shop.workspace / place) if is_local else place
    system = _file_system(config, http)
    return Storage(config.path.rstrip("/"), system, root, pattern, is_local, shop.cache, connection)


def _file_system(config: Ga4Config, http: api.Http | None) -> Callable[[], Any]:
    """Return what gives the file system: one for good, or one for as long as a token lasts."""
    if not config.path.startswith((GOOGLE, AMAZON)):
        local = fs.LocalFileSystem()
        return lambda: local
    endpoint = config.endpoint
    where: dict[str, Any] = {}
    if endpoint is not None:
        port = f":{endpoint.port}" if endpoint.port is not None else ""
        where = {"endpoint_override": f"{endpoint.host}{port}{endpoint.path}", "scheme": endpoint.scheme or "https"}
    if config.path.startswith(AMAZON):
        if config.access_key_id is not None and config.secret_access_key is not None:
            where |= {"access_key": config.access_key_id, "secret_key": config.secret_access_key.get_secret_value()}
        if config.region is not None:
            where["region"] = config.region
        amazon = fs.S3FileSystem(anonymous=config.anonymous, connect_timeout=10, request_timeout=60, **where)
        return lambda: amazon
    where["retry_time_limit"] = _PATIENCE
    if config.google_key is not None and http is not None:
        return _with_token(GoogleToken(config.google_key, http), where)
    google = fs.GcsFileSystem(anonymous=config.anonymous, **where)
    return lambda: google


def _with_token(token: GoogleToken, where: dict[str, Any]) -> Callable[[], Any]:
    opened: dict[str, Any] = {}

    def system() -> Any:
        text, ends = token.current()
        if text not in opened:
            opened.clear()
            opened[text] = fs.GcsFileSystem(access_token=text, credential_token_expiration=ends, **where)
        return opened[text]

    return system
