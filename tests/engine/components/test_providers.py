"""Providers say what they serve and need; what carries out their runs is checked."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar, Literal

import pytest
from pydantic import Field

from maxaillm.dev.finetune.base import MaxFineTuningBase
from maxaillm.dev.finetune.components.plugins import fine_tuners
from maxaillm.dev.finetune.config import RunConfig
from maxaillm.dev.finetune.config.compatibility import refused_methods, resolve_defaults
from maxaillm.dev.finetune.data.examples.classification import Classification
from maxaillm.dev.finetune.data.examples.conversation import Conversation
from maxaillm.dev.finetune.data.examples.preference import Preference
from maxaillm.dev.finetune.data.examples.text import Text
from maxaillm.dev.finetune.errors import ConfigError, ModelError, ProviderError
from maxaillm.dev.finetune.estimate import estimate
from maxaillm.dev.finetune.hf.token_view import TokenView
from maxaillm.dev.finetune.interface import MaxFineTuningInterface, mismatches
from maxaillm.dev.finetune.methods import methods
from maxaillm.dev.finetune.provider_options import DEVICES, Provider, ProviderRegistry, Secret
from maxaillm.dev.finetune.provider_options import providers as registered
from maxaillm.dev.finetune.provider_options.hugging_face import HuggingFace
from maxaillm.dev.finetune.tasks import TASKS
from tests.hosted import Hosted, HostedConfig

LLAMA = {"model_type": "llama", "architectures": ["LlamaForCausalLM"]}


def hosted(**sections: Any) -> RunConfig:
    return HostedConfig.parse({"model": {"name": "small-1"}, "provider": "hosted", **sections})


@pytest.mark.parametrize("name", list(registered))
def test_every_provider_keeps_the_contract(name: str) -> None:
    cls = registered[name]
    assert mismatches(cls(name=name).fine_tuner()) == []
    assert cls.tasks <= TASKS.keys()
    assert cls.methods is None or cls.methods <= methods.keys()
    assert cls.devices <= DEVICES
    assert cls.__doc__


def test_a_name_stands_for_the_provider_with_its_defaults() -> None:
    """As in runs of an earlier version."""
    model = {"model": {"name": "starter/chat"}}
    config = RunConfig.parse({**model, "provider": "hugging_face"})
    assert config == RunConfig.parse({**model, "provider": {"name": "hugging_face"}})
    assert config == RunConfig.parse(model)
    with pytest.raises(ConfigError) as caught:
        RunConfig.parse({**model, "provider": "huggingface"})
    [problem] = caught.value.problems
    assert (problem.path, problem.value) == ("provider.name", "huggingface")
    assert "hugging_face" in problem.allowed


class Steps:
    """Carries out nothing, but has all that is called."""

    def __init__(self, config: Any, attempt: Any) -> None: ...
    def prepare_data(self, train_file: Any = None, validation_file: Any = None) -> Any: ...
    def configure_model(self) -> Any: ...
    def train(
        self, model: Any, tokenizer: Any, train_dataset: Any, eval_dataset: Any = None
    ) -> Any: ...
    def evaluate(self, trainer: Any) -> Any: ...
    def save_model(self, trainer: Any, path: Any = None) -> Any: ...
    def deploy(self) -> None: ...
    def run(self, resume: Any = None) -> None: ...


class Deaf(Steps):
    def evaluate(self) -> Any: ...  # type: ignore[override]


class Demanding(Steps):
    def deploy(self, address: str) -> None: ...  # type: ignore[override]


class Crossed(Steps):
    def train(
        self, tokenizer: Any, model: Any, train_dataset: Any, eval_dataset: Any = None
    ) -> Any: ...


class Silent(Steps):
    save_model = None  # type: ignore[assignment]


class Unfinished(MaxFineTuningBase):
    def load(self) -> None: ...


BROKEN: dict[str, tuple[object, str]] = {
    "argument": (Deaf, "evaluate can't be called with (trainer)"),
    "more": (Demanding, "deploy can't be called with (): missing a required argument: 'address'"),
    "order": (Crossed, "train takes ['tokenizer', 'model', 'train_dataset', 'eval_dataset'], not"),
    "missing": (Silent, "save_model is missing"),
    "abstract": (Unfinished, "ending is left abstract; evaluate is left abstract"),
    "function": (lambda config, attempt: None, "it is no class"),
}


@pytest.mark.parametrize("name", list(BROKEN))
def test_a_class_that_lacks_a_step_is_refused_by_name(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    cls, words = BROKEN[name]
    monkeypatch.setattr(fine_tuners, "load", lambda _: cls)
    with pytest.raises(ProviderError, match="MaxFineTuningInterface") as caught:
        HuggingFace().fine_tuner()
    assert words in caught.value.message
    assert caught.value.hint


def test_a_class_of_any_descent_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fine_tuners, "load", lambda _: Steps)
    made: MaxFineTuningInterface = HuggingFace().fine_tuner()(None, None)
    assert isinstance(made, Steps)


class Base(Provider):
    label: ClassVar[str] = "Wrong"
    name: Literal["hugging_face"] = "hugging_face"


class Unnamed(Base):
    label: ClassVar[str] = ""


class Leaky(Base):
    api_key: str = Field("", title="Key", description="Would be stored.")


class Misspelt(Base):
    secrets: ClassVar[tuple[Secret, ...]] = (Secret("openai-key", "opens"),)


class Busy(Base):
    tasks: ClassVar[frozenset[str]] = frozenset({"cooking", "causal_lm"})
    devices: ClassVar[frozenset[str]] = frozenset({"abacus"})


@pytest.mark.parametrize(
    ("cls", "words"),
    [
        (Unnamed, "it has no label"),
        (Leaky, "its option 'api_key' would be stored and shown"),
        (Misspelt, "'openai-key' is no name of an environment variable"),
        (Busy, "there is no task 'cooking'; there is no device 'abacus'"),
        (Hosted, "no class is announced that carries out 'hosted' (maxaillm.providers)"),
    ],
)
def test_what_can_not_be_is_refused_at_registration(cls: type[Provider], words: str) -> None:
    registry = ProviderRegistry("provider", package="unused")
    with pytest.raises(ProviderError) as caught:
        registry.register(cls)
    assert cls.__name__ in caught.value.message
    assert words in caught.value.message


def test_a_secret_is_asked_of_the_environment_alone() -> None:
    provider = Hosted(suffix="x")
    with pytest.raises(ProviderError, match=r"HOSTED_API_KEY \(pays for the run\)"):
        provider.check_secrets({"HOSTED_API_KEY": ""})
    provider.check_secrets({"HOSTED_API_KEY": "k"})
    HuggingFace().check_secrets({})
    assert provider.model_dump() == {"name": "hosted", "suffix": "x"}


@pytest.mark.parametrize(
    ("kind", "task"), [(Conversation, "causal_lm"), (Preference, "preference"), (Text, "causal_lm")]
)
def test_a_model_that_only_the_provider_knows_needs_no_config(kind: Any, task: str) -> None:
    config = resolve_defaults(hosted(), kind, hosted().provider.model_settings("small-1") or {})
    assert config.task == task
    assert config.evaluation.metrics


def test_a_task_that_the_provider_does_not_serve_is_a_problem() -> None:
    with pytest.raises(ConfigError) as caught:
        resolve_defaults(hosted(), Classification, {})
    problem = caught.value.problems[0]
    assert problem.path == "task"
    assert problem.allowed == "causal_lm, preference"


def test_only_the_methods_of_the_provider_are_offered() -> None:
    """None of ours: it tunes in its own way, and what is chosen for others is no mistake."""
    assert refused_methods(hosted(), "causal_lm", "") == {}

    class Picky(HuggingFace):
        methods: ClassVar[frozenset[str] | None] = frozenset({"lora", "full"})

    class PickyConfig(RunConfig):
        provider: Picky = Picky()

    config = PickyConfig.parse({"model": {"name": "m"}, "tuning": {"name": "ia3"}})
    refused = refused_methods(config, "causal_lm", "llama")
    assert refused.keys() == methods.keys() - {"lora", "full"}
    with pytest.raises(ConfigError) as caught:
        resolve_defaults(config, Conversation, LLAMA)
    [problem] = caught.value.problems
    assert (problem.path, problem.value) == ("tuning.name", "ia3")
    assert sorted(problem.allowed.split(", ")) == ["full", "lora"]


def test_what_needs_a_model_to_look_into_says_so(tmp_path: Path) -> None:
    config = hosted(data={"train_file": str(tmp_path / "rows.jsonl")})
    for look in (estimate, TokenView):
        with pytest.raises(ProviderError, match="Hosted has its models to itself"):
            look(config)


@pytest.mark.parametrize("name", ["/a/folder", "./folder", "starter/chat"])
def test_a_folder_is_no_model_of_such_a_provider(name: str) -> None:
    with pytest.raises(ModelError, match="Hosted tunes models of its own"):
        Hosted().find_model(name)
    assert Hosted().find_model("small-1") is None
