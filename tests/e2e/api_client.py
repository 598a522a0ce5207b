"""A script's view of the site: the REST API with a token, nothing else."""

from __future__ import annotations

from pathlib import Path
from time import monotonic, sleep
from typing import Any

import httpx

from tests.site_process import PATIENCE_SECONDS

ENDED = {"succeeded", "failed", "cancelled"}


class ApiClient:
    def __init__(self, url: str, token: str) -> None:
        self.http = httpx.Client(
            base_url=f"{url}/api/v1",
            headers={"Authorization": f"Bearer {token}"},
            timeout=PATIENCE_SECONDS,
        )

    def get(self, path: str, **query: Any) -> Any:
        return self.http.get(path, params=query).raise_for_status().json()

    def post(self, path: str, body: object | None = None, **headers: str) -> httpx.Response:
        return self.http.post(path, json=body, headers=headers)

    def upload(self, file: Path, name: str) -> dict[str, Any]:
        """Upload a file and wait until it is checked."""
        with file.open("rb") as content:
            answer = self.http.post("/datasets", files={"file": content}, data={"name": name})
        assert answer.status_code == 201, answer.text
        return self.wait(f"/datasets/{answer.json()['id']}", "checking", "uploading")

    def start(self, config: dict[str, Any]) -> dict[str, Any]:
        answer = self.post("/runs", config)
        assert answer.status_code == 201, answer.text
        started: dict[str, Any] = answer.json()
        return started

    def run_until(self, run: int, *statuses: str) -> dict[str, Any]:
        """The run once it has one of the statuses; an end that is not asked for fails."""
        end = monotonic() + PATIENCE_SECONDS
        while monotonic() < end:
            state: dict[str, Any] = self.get(f"/runs/{run}")
            if state["status"] in statuses:
                return state
            assert state["status"] not in ENDED, state
            sleep(0.1)
        raise AssertionError(f"not {statuses} in {PATIENCE_SECONDS} s: {state}")

    def wait(self, path: str, *passing: str) -> dict[str, Any]:
        end = monotonic() + PATIENCE_SECONDS
        while monotonic() < end:
            state: dict[str, Any] = self.get(path)
            if state["status"] not in passing:
                return state
            sleep(0.1)
        raise AssertionError(f"still {state['status']} after {PATIENCE_SECONDS} s")

    def events(self, run: int, kind: str) -> list[dict[str, Any]]:
        """All events of a kind, read page by page as a script would."""
        found, after = [], 0
        while True:
            page = self.get(f"/runs/{run}/events", after=after)
            found += [event for event in page["items"] if event["kind"] == kind]
            if not page["items"]:
                return found
            after = page["items"][-1]["seq"]
