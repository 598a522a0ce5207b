"""A Hub that takes pushes: repositories are made, files come in one commit."""

from __future__ import annotations

import base64
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit


@dataclass
class TakingHub:
    """What was pushed, by repository, and with which tokens."""

    token: str
    url: str = ""
    files: dict[str, dict[str, bytes]] = field(default_factory=dict)
    private: dict[str, bool] = field(default_factory=dict)


class Taking(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    hub: TakingHub

    def log_message(self, *_: object) -> None:
        pass

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        path = urlsplit(self.path).path
        if path == "/api/validate-yaml":
            return self.send({"errors": [], "warnings": []})
        if self.headers.get("Authorization") != f"Bearer {self.hub.token}":
            return self.send({"error": "Invalid username or password."}, status=401)
        if path == "/api/repos/create":
            return self.create(json.loads(body))
        name = "/".join(path.split("/")[3:5])
        if "/preupload/" in path:
            files = [{"path": f["path"], "uploadMode": "regular", "shouldIgnore": False}
                     for f in json.loads(body)["files"]]  # fmt: skip
            return self.send({"files": files})
        for line in map(json.loads, body.splitlines()):
            if line["key"] == "file":
                content = base64.b64decode(line["value"]["content"])
                self.hub.files[name][line["value"]["path"]] = content
        return self.send({"commitUrl": f"{self.hub.url}/{name}/commit/1", "commitOid": "1" * 40})

    def do_GET(self) -> None:
        self.send({"error": "Not found"}, status=404)

    def create(self, asked: dict[str, Any]) -> None:
        name = f"{asked.get('organization') or 'ann'}/{asked['name']}"
        self.hub.files.setdefault(name, {})
        is_private = asked.get("private") or asked.get("visibility") == "private"
        self.hub.private[name] = bool(is_private)
        self.send({"url": f"{self.hub.url}/{name}", "name": name})

    def send(self, body: dict[str, Any], status: int = 200) -> None:
        content = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)


@contextmanager
def taking(token: str) -> Iterator[TakingHub]:
    hub = TakingHub(token)
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Here", (Taking,), {"hub": hub}))
    hub.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield hub
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
