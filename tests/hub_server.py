"""A Hub of one's own: serves dataset repositories that a test describes, as the Hub would."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import unquote, urlsplit


@dataclass
class Repository:
    """Files by name, what the card says, and how the Hub misbehaves."""

    files: dict[str, bytes]
    card: dict[str, Any] = field(default_factory=dict)
    branches: dict[str, str] = field(default_factory=dict)
    is_gated: bool = False
    fails: set[str] = field(default_factory=set)
    """Files that are answered with 500."""
    cuts: set[str] = field(default_factory=set)
    """Files whose first answer ends in the middle."""
    portal: bytes = b""
    """What a network that wants a login first answers in the Hub's place."""
    sizes: dict[str, int] = field(default_factory=dict)
    """Sizes that are told though they are not true."""

    @property
    def commit(self) -> str:
        digest = hashlib.sha1(repr(sorted(self.files.items())).encode(), usedforsecurity=False)
        return digest.hexdigest()


class Hub:
    """Repositories by name with all their commits, and the requests that came."""

    def __init__(self) -> None:
        self.heads: dict[str, Repository] = {}
        self.commits: dict[tuple[str, str], Repository] = {}
        self.requests: list[str] = []
        self.tokens: set[str] = set()
        self.url = ""

    def add(self, name: str, files: Mapping[str, bytes | str], **how: Any) -> Repository:
        """Make a repository, or the next commit of one."""
        content = {k: v.encode() if isinstance(v, str) else v for k, v in files.items()}
        repository = Repository(content, **how)
        self.heads[name] = self.commits[name, repository.commit] = repository
        return repository

    def find(self, name: str, revision: str) -> Repository | None:
        return self.heads.get(name) if revision == "main" else self.commits.get((name, revision))


class Answer(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    hub: Hub

    def log_message(self, *_: object) -> None:
        pass

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_GET(self) -> None:
        self.hub.requests.append(f"{self.command} {self.path}")
        self.hub.tokens.add(self.headers.get("Authorization", ""))
        parts = [unquote(part) for part in urlsplit(self.path).path.strip("/").split("/")]
        if parts[:2] == ["api", "datasets"]:
            self.tell_repository("/".join(parts[2:4]), parts[5] if len(parts) > 5 else "main")
        elif parts[0] == "datasets" and parts[3] == "resolve":
            self.lead_to_file("/".join(parts[1:3]), parts[4], "/".join(parts[5:]))
        elif parts[0] == "cdn":
            self.send_file(self.hub.commits["/".join(parts[1:3]), parts[3]], "/".join(parts[4:]))
        else:
            self.refuse(404, "EntryNotFound")

    def tell_repository(self, name: str, revision: str) -> None:
        repository = self.hub.find(name, revision)
        if repository is None:
            known = name in self.hub.heads
            return self.refuse(404, "RevisionNotFound" if known else "RepoNotFound")
        if repository.portal:
            return self.send(200, repository.portal, {"Content-Type": "text/html"})
        files = [
            {"rfilename": file, "size": repository.sizes.get(file, len(content)), "blobId": "0"}
            for file, content in repository.files.items()
        ]
        told = {
            "id": name,
            "sha": repository.commit,
            "cardData": repository.card,
            "siblings": files,
        }
        return self.send(200, json.dumps(told).encode(), {"Content-Type": "application/json"})

    def lead_to_file(self, name: str, revision: str, file: str) -> None:
        """Large files lie elsewhere: the Hub redirects there."""
        repository = self.hub.find(name, revision)
        if repository is None or file not in repository.files:
            return self.refuse(404, "EntryNotFound")
        if repository.is_gated:
            return self.refuse(401, "GatedRepo")
        if file in repository.fails:
            return self.send(500, b"")
        headers = {
            "Location": f"{self.hub.url}/cdn/{name}/{repository.commit}/{file}",
            "X-Repo-Commit": repository.commit,
            "X-Linked-Size": str(len(repository.files[file])),
            "ETag": '"0"',
        }
        return self.send(302, b"", headers)

    def send_file(self, repository: Repository, file: str) -> None:
        content = repository.files[file]
        start = int(self.headers.get("Range", "bytes=0-").removeprefix("bytes=").split("-")[0])
        headers = {"ETag": '"0"', "Accept-Ranges": "bytes"}
        if start:
            headers["Content-Range"] = f"bytes {start}-{len(content) - 1}/{len(content)}"
        if file in repository.cuts:
            repository.cuts.discard(file)
            self.send(200, content, headers, cut=len(content) // 2)
            self.close_connection = True
        else:
            self.send(206 if start else 200, content[start:], headers)

    def refuse(self, status: int, code: str) -> None:
        self.send(status, b"", {"X-Error-Code": code, "X-Error-Message": code})

    def send(
        self,
        status: int,
        body: bytes,
        headers: dict[str, str] | None = None,
        cut: int | None = None,
    ) -> None:
        self.send_response(status)
        for name, value in {**(headers or {}), "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(body[:cut])


@contextmanager
def serving() -> Iterator[Hub]:
    """A Hub on a free port of this machine, as long as the block lasts."""
    hub = Hub()
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Here", (Answer,), {"hub": hub}))
    hub.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield hub
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
