"""What a run would do before it starts: the memory bar, findings, and changes that help."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.models import User

from jobs.run_form.findings import changed
from jobs.run_form.preview import Preview, preview_run
from jobs.services.resolve import resolve
from maxaillm.dev.finetune import estimate
from maxaillm.dev.finetune.config import RunConfig
from maxaillm.dev.finetune.errors import ConfigError
from maxaillm.dev.finetune.estimate.memory import PROCESS_BYTES
from tests.hosted import HostedConfig
from tests.jobs.runs import make_dataset
from tests.stored_rows import stored_rows


@pytest.fixture
def config(alice: User) -> RunConfig:
    texts = [{"text": "a b c" if n % 2 else "so and so and so on"} for n in range(500)]
    version = make_dataset(alice, rows=500, rows_sha256=stored_rows(texts))
    training = {"per_device_train_batch_size": 64, "num_train_epochs": 9}
    # 125 of the rows are held out
    data = {"dataset": version.dataset_id, "max_length": 1024, "packing": False}
    data |= {"validation_share": 0.25}
    return RunConfig.parse({"model": {"name": "starter/chat"}, "data": data, "training": training})


def previewed(config: RunConfig, user: User) -> Preview:
    return preview_run(resolve(config, user))


def with_memory(monkeypatch: pytest.MonkeyPatch, free: int) -> None:
    monkeypatch.setattr(estimate, "available_bytes", lambda: free)


def titles(preview: Preview) -> list[str]:
    return [finding.title for finding in preview.findings]


def test_a_run_that_fits_has_no_findings(
    alice: User, config: RunConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    with_memory(monkeypatch, 10**12)
    preview = previewed(config, alice)
    assert preview.estimate is not None
    assert preview.estimate.fits
    assert titles(preview) == []
    assert preview.effective_batch == 64
    meter = preview.meter
    assert meter is not None
    assert meter.over_bytes == 0
    assert sum(part.size_bytes for part in meter.parts) == preview.estimate.memory_bytes.total


def test_a_tracker_that_can_not_be_reported_to_is_said_before_the_run(
    alice: User, config: RunConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    with_memory(monkeypatch, 10**12)
    asked = changed(config, {"training.report_to": ["comet_ml"]})
    (finding,) = previewed(asked, alice).findings
    assert finding.title == "Comet is not installed, so this run is not reported to it."
    assert finding.text == "Whoever runs this: pip install comet-ml."
    (fix,) = finding.fixes
    assert titles(previewed(changed(asked, fix.changes), alice)) == []


def test_each_change_that_is_offered_makes_it_fit(
    alice: User, config: RunConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    with_memory(monkeypatch, 10**12)
    found = previewed(config, alice).estimate
    assert found is not None
    needed = found.memory_bytes.total
    with_memory(monkeypatch, needed - (needed - PROCESS_BYTES) // 3)
    preview = previewed(config, alice)
    (finding,) = preview.findings
    assert finding.level == "bad"
    assert preview.meter is not None
    assert preview.meter.over_bytes > 0
    assert len(finding.fixes) == 2
    for fix in finding.fixes:
        after = previewed(changed(config, fix.changes), alice)
        assert after.estimate is not None
        assert after.estimate.fits
        assert after.effective_batch == preview.effective_batch


def test_where_nothing_helps_nothing_is_offered(
    alice: User, config: RunConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    with_memory(monkeypatch, 10**6)
    (finding,) = previewed(config, alice).findings
    assert finding.fixes == ()
    assert "smaller model" in finding.text


@pytest.mark.parametrize(
    ("changes", "title"),
    [
        ({"training.learning_rate": 0.9}, "Learning rate 0.900 is very high"),
        ({"training.learning_rate": 1e-9}, "Learning rate 1.0e-9 is very low"),
        ({"training.max_steps": 3}, "Only 3 steps"),
        ({"training.eval_steps": 50, "training.max_steps": 21}, "Evaluates every 50 steps of 21"),
        ({"training.save_steps": 99, "training.max_steps": 21}, "Saves every 99 steps of 21"),
        ({"data.validation_share": 0.02}, "Only 10 held-out rows"),
        ({"data.validation_share": 0}, "No rows are held out"),
    ],
)
def test_doubtful_options_are_named(
    alice: User,
    config: RunConfig,
    monkeypatch: pytest.MonkeyPatch,
    changes: dict[str, Any],
    title: str,
) -> None:
    with_memory(monkeypatch, 10**12)
    assert title in titles(previewed(changed(config, changes), alice))


def test_others_data_and_missing_models_are_named(
    alice: User, bob: User, config: RunConfig
) -> None:
    with pytest.raises(ConfigError) as refused:
        previewed(config, bob)
    assert [problem.path for problem in refused.value.problems] == ["data.dataset"]
    with pytest.raises(ConfigError) as refused:
        previewed(changed(config, {"model.name": "/no/such/folder"}), alice)
    assert [problem.path for problem in refused.value.problems] == ["model.name"]


def test_a_model_that_is_not_here_yet_can_not_be_estimated(alice: User, config: RunConfig) -> None:
    preview = previewed(changed(config, {"model.name": "nobody/nothing"}), alice)
    assert preview.estimate is None
    assert preview.error is not None
    assert "not on this machine" in preview.error.message


def test_a_model_of_its_provider_can_not_be_estimated(alice: User) -> None:
    version = make_dataset(alice, format={"name": "messages"})
    whole = {"provider": "hosted", "model": {"name": "small-1"}}
    config = HostedConfig.parse(whole | {"data": {"dataset": version.dataset_id}})
    resolved = resolve(config, alice)
    assert (resolved.config.task, resolved.refused_methods) == ("causal_lm", {})
    preview = preview_run(resolved)
    assert preview.config == resolved.config
    assert preview.error is not None
    assert "Hosted has its models to itself" in preview.error.message
