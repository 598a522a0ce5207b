"""Dockerfile and compose.yaml without a daemon: the same steps and commands, as processes."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from jobs.site.redis_server import find_server
from tests.e2e.api_client import ApiClient
from tests.faults.farm import wait_until
from tests.fresh_environment import FreshEnvironment
from tests.site_process import ROOT, free_port

pytestmark = pytest.mark.faults
STEP = re.compile(r"^([A-Z]+) +(.*)$", re.MULTILINE)
STEPS: list[tuple[str, str]] = STEP.findall((ROOT / "Dockerfile").read_text().replace("\\\n", ""))
SERVICES = yaml.safe_load((ROOT / "compose.yaml").read_text())["services"]
ENVIRONMENT = {
    "VALKEY_PASSWORD": "opensesame",
    "MAXFT_SECRET_KEY": "k" * 60,
    "POSTGRES_PASSWORD": "p",
    "MAXFT_ALLOWED_HOSTS": "maxft.example",
}


def last(name: str) -> str:
    """Of the steps of a kind, the one that counts."""
    return next(text for kind, text in reversed(STEPS) if kind == name)


def build_context(folder: Path) -> None:
    """What a build gets to see, by .dockerignore."""
    lines = (ROOT / ".dockerignore").read_text().splitlines()
    for pattern in (line[1:] for line in lines if line.startswith("!")):
        for path in ROOT.glob(pattern):
            copy(path, folder)


def copy(path: Path, folder: Path) -> None:
    if path.is_dir():
        shutil.copytree(path, folder / path.name, ignore=shutil.ignore_patterns("__pycache__"))
    else:
        shutil.copy(path, folder)


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> FreshEnvironment:
    """What the Dockerfile copies and installs, in a folder that stands for `/`."""
    root = folder = tmp_path_factory.mktemp("image")
    context = tmp_path_factory.mktemp("context")
    build_context(context)
    environment = FreshEnvironment(root / "venv")
    arguments: list[str] = []
    for name, text in STEPS:
        if name == "ARG":
            arguments.append(text)
        elif name == "WORKDIR":
            folder = root / text.lstrip("/")
            folder.mkdir(exist_ok=True)
        elif name == "COPY":
            *sources, _ = text.split()
            for source in context.iterdir() if sources == ["."] else map(context.joinpath, sources):
                copy(source, folder)
        elif name == "RUN" and "pip " in text:
            command = re.sub(r"(?<= )/(?=wheel\b)", f"{root}/", re.sub(r"--mount=\S+ ", "", text))
            environment.run("sh", "-c", "\n".join([*arguments, command]), cwd=folder)
    return environment


def test_image_needs_no_root_and_has_the_command(image, tmp_path):
    assert int(last("USER")) > 0
    assert json.loads(last("ENTRYPOINT")) == ["maxft"]
    (packages,) = image.bin.parent.glob("lib/python*/site-packages/maxft_site")
    assert (packages / "static/vendor/sbom.cdx.json").is_file()
    help_text = image.run("maxft", *json.loads(last("CMD"))[:1], "--help", cwd=tmp_path)
    assert all(option in help_text for option in json.loads(last("CMD"))[1::2])


class Compose:
    """The services of compose.yaml on this machine: SQLite in the volume for PostgreSQL."""

    def __init__(self, image: FreshEnvironment, folder: Path) -> None:
        self.image, self.folder = image, folder
        self.ports = {"valkey": free_port(), "web": free_port()}
        self.running: dict[str, subprocess.Popen[bytes]] = {}
        self.data = folder / "data"
        self.data.mkdir(parents=True)

    def env(self, service: str) -> dict[str, str]:
        given = SERVICES[service].get("environment", {})
        env = {name: self.filled_in(value) for name, value in given.items() if value is not None}
        assert env.pop("DATABASE_URL").startswith("postgres://maxft:p@postgres:5432/")
        return self.image.env(self.data, env | {"MAXFT_DATA_DIR": str(self.data)})

    def filled_in(self, text: Any) -> str:
        """Variables as Compose fills them in; a service's address as it is here."""
        filled = re.sub(
            r"\$\{(\w+)(?::([-?])([^}]*))?\}",
            lambda m: ENVIRONMENT.get(m[1]) or (m[3] if m[2] == "-" else ""),
            str(text),
        )
        return filled.replace("valkey:6379", f"127.0.0.1:{self.ports['valkey']}")

    def start_valkey(self) -> None:
        _, *options = shlex.split(self.filled_in(SERVICES["valkey"]["command"]))
        here = ["--port", str(self.ports["valkey"]), "--bind", "127.0.0.1", "--dir", self.folder]
        self.start("valkey", [find_server(), *options, *here], dict(os.environ))

    def start_site(self, service: str) -> None:
        words = shlex.split(SERVICES[service]["command"])
        here = {"0.0.0.0": "127.0.0.1", "8000": str(self.ports["web"])}
        command = [self.image.bin / "maxft", *(here.get(word, word) for word in words)]
        self.start(service, command, self.env(service))

    def start(self, name: str, command: list[Any], env: dict[str, str]) -> None:
        with (self.folder / f"{name}.log").open("wb") as log:
            self.running[name] = subprocess.Popen(
                command, cwd=self.folder, env=env, stdout=log, stderr=log
            )

    def log(self, name: str) -> str:
        return (self.folder / f"{name}.log").read_text()

    def is_healthy(self) -> bool:
        """What the image's HEALTHCHECK says of `web`."""
        _, _, command = last("HEALTHCHECK").partition("CMD ")
        python, *arguments = json.loads(command.replace("8000", str(self.ports["web"])))
        checked = [self.image.bin / python, *arguments]
        return subprocess.run(checked, capture_output=True, check=False).returncode == 0

    def stop(self) -> None:
        """As Compose does: SIGTERM, then the grace period; the queue leaves last."""
        processes = list(self.running.values())
        for process in reversed(processes):
            process.terminate()
            process.wait(int(SERVICES["web"]["stop_grace_period"].removesuffix("s")))


@pytest.fixture
def compose(image: FreshEnvironment, tmp_path: Path) -> Iterator[Compose]:
    made = Compose(image, tmp_path / "compose")
    try:
        yield made
    finally:
        for process in made.running.values():
            process.kill()
            process.wait()


def test_services_work_together(compose, tmp_path):
    compose.start_valkey()
    compose.start_site("prepare")
    assert compose.running.pop("prepare").wait(120) == 0, compose.log("prepare")
    assert "/setup/?token=" in compose.log("prepare")
    for service in SERVICES.keys() - {"postgres", "valkey", "prepare"}:
        compose.start_site(service)
    wait_until(compose.is_healthy, "the web server answers")

    token = subprocess.run(
        [compose.image.bin / "maxft", "create_token", "ann"],
        env=compose.env("web"), capture_output=True, text=True, check=True,
    ).stdout.strip()  # fmt: skip
    client = ApiClient(f"http://127.0.0.1:{compose.ports['web']}", token)
    rows = [{"prompt": f"What is thing {n}?", "completion": "It is blue."} for n in range(20)]
    (tmp_path / "rows.jsonl").write_text("\n".join(map(json.dumps, rows)))
    dataset = client.upload(tmp_path / "rows.jsonl", "Things")
    config = {"model": {"name": "starter/chat"}, "data": {"dataset": dataset["id"]}}
    run = client.start({**config, "training": {"max_steps": 5}})
    assert client.run_until(run["id"], "succeeded")["step"] == 5
    question = [{"role": "user", "content": "What is thing 3?"}]
    answer = client.http.post(
        client.http.base_url.copy_with(path="/v1/chat/completions"),
        json={"model": "starter/chat", "messages": question, "max_tokens": 8},
        timeout=120,
    )
    assert answer.status_code == 200, answer.text

    compose.stop()
    assert {p.returncode for p in compose.running.values()} <= {0, -15}
