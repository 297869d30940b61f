"""A storage on 127.0.0.1 that speaks Amazon's and Google's protocols as far as reading goes, and checks who asks.

S3: ListObjectsV2, GetObject and HeadObject, signed with Signature Version 4. Cloud Storage: the JSON API's objects.list
and objects.get, and the token endpoint of OAuth 2.0 for service accounts.
"""

from __future__ import annotations

import base64
import gzip
import hashlib
import hmac
import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import format_datetime
from functools import cache, reduce
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, parse_qsl, quote, unquote, urlsplit
from xml.sax.saxutils import escape

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

KEY_ID, SECRET = "AKIAEXAMPLE", "an-access-key-of-the-tests"
ACCOUNT = "hub@acme.iam.gserviceaccount.example"
TOKEN = "ya29.a-token-of-the-tests"
LIST_SIZE = 3
"""Objects per page of a listing: small, so that every listing has several."""


@cache
def account_key(_whose: str) -> rsa.RSAPrivateKey:
    """Return a service account's key, made once."""
    return rsa.generate_private_key(public_exponent=65_537, key_size=2048)


@dataclass
class Stored:
    content: bytes
    written: datetime


@dataclass
class ObjectStorage:
    """Buckets; ``denied`` refuses whoever asks, ``faults`` are statuses given before an answer is.

    A token lasts ``lasting`` seconds, and only the newest is taken; ``cut`` answers break off half way. One that
    ``unpacks`` gives gzip files as what is in them, as Google does where Content-Encoding says gzip.
    """

    buckets: dict[str, dict[str, Stored]] = field(default_factory=lambda: {"acme": {}})
    public: bool = False
    denied: bool = False
    faults: list[int] = field(default_factory=list)
    cut: int = 0
    lasting: int = 3600
    region: str | None = None
    unpacks: bool = False
    tokens: int = 0
    requests: list[str] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)
    address: str = ""
    key: rsa.RSAPrivateKey = field(default_factory=lambda: account_key("own"))

    def put(self, name: str, content: bytes, bucket: str = "acme") -> None:
        """Store an object; each write is a second younger than the one before."""
        moment = datetime.fromtimestamp(1_790_000_000 + len(self.requests) + len(self.buckets[bucket]), UTC)
        old = self.buckets[bucket].get(name)
        self.buckets[bucket][name] = Stored(content, max(moment, _later(old.written)) if old else moment)

    def fetched(self) -> list[str]:
        """Return the objects whose content was asked for."""
        return [name for line in self.requests if (name := _content_of(line))]

    def service_account(self) -> str:
        """Return a service account's key that this storage takes."""
        pem = self.key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        told = {
            "type": "service_account",
            "project_id": "acme",
            "private_key_id": "1",
            "private_key": pem.decode(),
            "client_email": ACCOUNT,
            "client_id": "1",
            "token_uri": f"{self.address}/token",
        }
        return json.dumps(told)

    def takes(self, assertion: str) -> bool:
        """Tell whether a JWT is signed by the account's key and asks for what it may."""
        head, claims, signature = assertion.split(".")
        told = json.loads(_unpadded(claims))
        try:
            signed = f"{head}.{claims}".encode()
            self.key.public_key().verify(_unpadded(signature), signed, padding.PKCS1v15(), hashes.SHA256())
        except InvalidSignature:
            return False
        return bool(told["iss"] == ACCOUNT and told["scope"].endswith("devstorage.read_only"))


@contextmanager
def serving(storage: ObjectStorage) -> Iterator[ObjectStorage]:
    """Serve a storage."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"storage": storage}))
    storage.address = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield storage
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    storage: ObjectStorage

    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        self.storage.requests.append(f"{self.command} {self.path}")
        if self.storage.faults:
            self._answer(self.storage.faults.pop(0), b"try again")
        elif parts.path.startswith("/storage/v1/b/"):
            self._google(parts.path.removeprefix("/storage/v1/b/"), parse_qs(parts.query))
        else:
            self._amazon(parts.path, parse_qs(parts.query, keep_blank_values=True))

    do_HEAD = do_GET  # noqa: N815 - what http.server looks for

    def do_POST(self) -> None:
        body = parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode())
        self.storage.requests.append(f"POST {self.path}")
        if self.storage.faults:
            self._answer(self.storage.faults.pop(0), b"try again")
        elif self.storage.denied or not self.storage.takes(body["assertion"][0]):
            self._json(400, {"error": "invalid_grant", "error_description": "Invalid JWT Signature."})
        else:
            self.storage.tokens += 1
            told = {"access_token": f"{TOKEN}-{self.storage.tokens}", "expires_in": self.storage.lasting}
            self._json(200, told | {"token_type": "Bearer"})

    # -- Google

    def _google(self, path: str, query: dict[str, list[str]]) -> None:
        bucket, _, rest = path.partition("/o")
        is_known = self.storage.public or self.headers["Authorization"] == f"Bearer {TOKEN}-{self.storage.tokens}"
        if not is_known or self.storage.denied:
            status = 403 if is_known else 401
            self._json(status, {"error": {"code": status, "message": "does not have storage.objects.list access"}})
        elif bucket not in self.storage.buckets:
            self._json(404, {"error": {"code": 404, "message": "The specified bucket does not exist."}})
        elif rest in ("", "/"):
            names, after = self._page(bucket, query.get("prefix", [""])[0], query.get("pageToken", [""])[0])
            told = {"items": [self._metadata(bucket, name) for name in names]}
            self._json(200, told | ({"nextPageToken": after} if after else {}))
        elif unquote(rest[1:]) not in self.storage.buckets[bucket]:
            self._json(404, {"error": {"code": 404, "message": "No such object"}})
        elif query.get("alt") == ["media"]:
            self._content(self.storage.buckets[bucket][unquote(rest[1:])])
        else:
            self._json(200, self._metadata(bucket, unquote(rest[1:])))

    def _metadata(self, bucket: str, name: str) -> dict[str, Any]:
        stored = self.storage.buckets[bucket][name]
        written = stored.written.isoformat().replace("+00:00", "Z")
        told = {"kind": "storage#object", "name": name, "bucket": bucket, "size": str(len(stored.content))}
        return told | {"updated": written, "timeCreated": written, "generation": "1", "metageneration": "1"}

    # -- Amazon

    def _amazon(self, path: str, query: dict[str, list[str]]) -> None:
        bucket, _, name = unquote(path).lstrip("/").partition("/")
        if not self.storage.public and not self._is_signed():
            self._error(403, "SignatureDoesNotMatch")
        elif self.storage.denied:
            self._error(403, "AccessDenied")
        elif self.storage.region and f"/{self.storage.region}/s3/" not in self.headers["Authorization"]:
            self._error(301, "PermanentRedirect")
        elif bucket not in self.storage.buckets:
            self._error(404, "NoSuchBucket")
        elif "list-type" in query:
            self._list(bucket, query)
        elif name not in self.storage.buckets[bucket]:
            self._error(404, "NoSuchKey")
        else:
            self._content(self.storage.buckets[bucket][name])

    def _list(self, bucket: str, query: dict[str, list[str]]) -> None:
        prefix, token = query.get("prefix", [""])[0], query.get("continuation-token", [""])[0]
        names, after = self._page(bucket, prefix, token)
        told = "".join(
            f"<Contents><Key>{escape(name)}</Key><LastModified>{each.written.isoformat()[:19]}.000Z</LastModified>"
            f'<ETag>"{hashlib.md5(each.content, usedforsecurity=False).hexdigest()}"</ETag>'
            f"<Size>{len(each.content)}</Size><StorageClass>STANDARD</StorageClass></Contents>"
            for name in names
            for each in [self.storage.buckets[bucket][name]]
        )
        more = f"<NextContinuationToken>{escape(after)}</NextContinuationToken>" if after else ""
        text = (
            '<?xml version="1.0" encoding="UTF-8"?><ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">'
            f"<Name>{bucket}</Name><KeyCount>{len(names)}</KeyCount><IsTruncated>{str(bool(after)).lower()}</IsTruncated>"
            f"{more}{told}</ListBucketResult>"
        )
        self._answer(200, text.encode(), {"Content-Type": "application/xml"})

    def _error(self, status: int, code: str) -> None:
        self.storage.refused.append(code)
        text = f'<?xml version="1.0"?><Error><Code>{code}</Code><Message>told by the storage</Message></Error>'
        self._answer(status, text.encode(), {"Content-Type": "application/xml"})

    def _is_signed(self) -> bool:
        """Check Signature Version 4, by the steps of Amazon's own description."""
        found = re.fullmatch(
            r"AWS4-HMAC-SHA256 Credential=([^/]+)/(\d+)/([^/]+)/s3/aws4_request, SignedHeaders=([^,]+), Signature=(\w+)",
            self.headers.get("Authorization", ""),
        )
        if found is None or found[1] != KEY_ID:
            return False
        _, day, region, names, signature = found.groups()
        parts = urlsplit(self.path)
        pairs = sorted(
            f"{quote(key, '-_.~')}={quote(value, '-_.~')}"
            for key, value in parse_qsl(parts.query, keep_blank_values=True)
        )
        headers = "".join(f"{name}:{' '.join(self.headers[name].split())}\n" for name in names.split(";"))
        request = "\n".join(
            [self.command, parts.path, "&".join(pairs), headers, names, self.headers["x-amz-content-sha256"]]
        )
        scope = f"{day}/{region}/s3/aws4_request"
        digest = hashlib.sha256(request.encode()).hexdigest()
        to_sign = f"AWS4-HMAC-SHA256\n{self.headers['x-amz-date']}\n{scope}\n{digest}"
        key = reduce(_hmac, [day, region, "s3", "aws4_request"], f"AWS4{SECRET}".encode())
        return hmac.compare_digest(_hmac(key, to_sign).hex(), signature)

    # -- both

    def _page(self, bucket: str, prefix: str, after: str) -> tuple[list[str], str]:
        names = sorted(name for name in self.storage.buckets[bucket] if name.startswith(prefix) and name > after)
        return names[:LIST_SIZE], names[LIST_SIZE - 1] if len(names) > LIST_SIZE else ""

    def _content(self, stored: Stored) -> None:
        content, status, headers = stored.content, 200, {"Last-Modified": format_datetime(stored.written, usegmt=True)}
        if self.storage.unpacks and content.startswith(b"\x1f\x8b"):
            content = gzip.decompress(content)
        span = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", ""))
        if span is not None:
            start, end = int(span[1]), min(int(span[2] or len(content) - 1), len(content) - 1)
            headers["Content-Range"] = f"bytes {start}-{end}/{len(content)}"
            content, status = content[start : end + 1], 206
        if self.storage.cut and self.command == "GET":
            self.storage.cut -= 1
            self._answer(status, content, headers, sent=len(content) // 2)
            return
        self._answer(status, content, headers)

    def _json(self, status: int, told: Any) -> None:
        if status >= 400:
            self.storage.refused.append(str(status))
        self._answer(status, json.dumps(told).encode(), {"Content-Type": "application/json"})

    def _answer(
        self, status: int, body: bytes, headers: dict[str, str] | None = None, *, sent: int | None = None
    ) -> None:
        self.send_response(status)
        for name, value in {**(headers or {}), "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body[:sent])
        if sent is not None:
            self.close_connection = True

    def log_message(self, *told: Any) -> None:
        """Be quiet."""


def _hmac(key: bytes, text: str) -> bytes:
    return hmac.new(key, text.encode(), hashlib.sha256).digest()


def _unpadded(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def _later(moment: datetime) -> datetime:
    return datetime.fromtimestamp(moment.timestamp() + 1, UTC)


def _content_of(request: str) -> str | None:
    method, _, path = request.partition(" ")
    parts = urlsplit(path)
    if method != "GET" or "list-type" in parts.query:
        return None
    if parts.path.startswith("/storage/v1/b/"):
        return unquote(parts.path.partition("/o/")[2]) if "alt=media" in parts.query else None
    return unquote(parts.path).lstrip("/").partition("/")[2] or None
