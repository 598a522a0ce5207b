"""Loads a base, tuned or adapted model and answers with it, whole or piece by piece."""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any, NamedTuple, cast

import torch
from peft import PeftModel
from transformers import set_seed

from maxaillm.dev.finetune.errors import FineTuneError, ModelError
from maxaillm.dev.finetune.events import RunFolder
from maxaillm.dev.finetune.hf import loading
from maxaillm.dev.finetune.hf.chat_template import encode_prompt
from maxaillm.dev.finetune.hf.sampling import end_tokens
from maxaillm.dev.finetune.hf.streaming import Finish, TextPieces, made_tokens
from maxaillm.dev.finetune.methods import method_of_adapter
from maxaillm.dev.finetune.model_folder import check_adapter, find_folder, is_hub_name
from maxaillm.model.sampling import SamplingOptions

Messages = Sequence[Mapping[str, str]]
ADAPTER_CONFIG = "adapter_config.json"


class Usage(NamedTuple):
    """What an answer took, and why it ended."""

    prompt_tokens: int
    completion_tokens: int
    finish_reason: Finish


class Adapter(NamedTuple):
    """Where an adapter lies, and its kind in PEFT's words."""

    folder: Path
    kind: str


class PromptTooLongError(FineTuneError):
    """The prompt leaves no room for an answer."""

    code = "prompt_too_long"


class MaxHuggingFaceLLM:
    """A model that writes text.

    `model_name` is a starter model, a folder (base, tuned or adapter) or a Hub name. The base
    of an adapter is `base`, else what the adapter's run or the adapter itself names.
    `max_length` bounds prompt and answer together, in tokens.
    """

    def __init__(
        self,
        model_name: str | Path,
        device: str = "auto",
        max_length: int = 512,
        *,
        base: str | Path | None = None,
    ) -> None:
        name = as_name(model_name)
        folder = find_folder(name)
        adapter = folder if folder and (folder / ADAPTER_CONFIG).is_file() else None
        self.base_folder = loading.fetch(base_name(adapter, base) if adapter else name)
        loading.require_causal(self.base_folder)
        self.device = loading.choose_device(available(device))
        precision = loading.choose_precision("auto", self.device)
        dtype = loading.weights_dtype(precision, frozen=True)
        self.model: Any = loading.load_model(self.base_folder, dtype).model.to(self.device).eval()
        self.tokenizer = loading.load_tokenizer(adapter or self.base_folder)
        self.max_length = min(max_length, loading.context_length(self.model) or max_length)
        self.adapters: dict[str, Adapter] = {}
        self.adapter: str | None = None
        if adapter:
            self.load_adapter("default", adapter)
            self.set_adapter("default")

    def load_adapter(self, name: str, folder: Path) -> None:
        """Lay the adapter in `folder` on this base."""
        self.adapters[name] = Adapter(folder, str(check_adapter(folder).get("peft_type")))
        self.lay(name)

    def lay(self, name: str) -> None:
        """PEFT lays adapters of one kind on a base: those of another are taken off, and laid
        again when they are asked for."""
        folder, kind = self.adapters[name]
        if isinstance(self.model, PeftModel) and self.model.peft_type != kind:
            self.model = bare(self.model)
        if isinstance(self.model, PeftModel):
            self.model.load_adapter(str(folder), adapter_name=name)
        else:
            method = method_of_adapter(kind)
            if method:
                method.make_room(self.model)
            self.model = PeftModel.from_pretrained(self.model, str(folder), adapter_name=name)
        self.model.eval()

    def set_adapter(self, name: str | None) -> None:
        """Answer with an adapter, or with the bare base."""
        self.adapter = name
        if name is not None and name not in getattr(self.model, "peft_config", {}):
            self.lay(name)
        if not isinstance(self.model, PeftModel):
            return
        if not self.model.active_peft_config.is_prompt_learning:
            layers = self.model.base_model
            (layers.disable_adapter_layers if name is None else layers.enable_adapter_layers)()
        if name is not None:
            self.model.set_adapter(name)

    @property
    def answering(self) -> Any:
        """The model as `set_adapter` wants it: the bare base takes no virtual tokens."""
        is_bare = isinstance(self.model, PeftModel) and self.adapter is None
        return self.model.get_base_model() if is_bare else self.model

    def unload_adapter(self, name: str) -> None:
        """Forget an adapter, to free its memory."""
        del self.adapters[name]
        laid = getattr(self.model, "peft_config", {})
        if list(laid) == [name]:
            self.model = bare(self.model)
        elif name in laid:
            self.model.delete_adapter(name)

    def generate(
        self,
        prompt: str,
        max_new_tokens: int = 100,
        temperature: float = 0.7,
        do_sample: bool = True,  # noqa: FBT001, FBT002 - the specification's signature
    ) -> str:
        """The answer to a prompt; of a model that knows no chat, how the prompt goes on."""
        sampling = SamplingOptions(
            temperature=temperature if do_sample else 0, max_new_tokens=max_new_tokens
        )
        return "".join(self.stream(prompt, sampling))

    def chat(self, messages: Messages, sampling: SamplingOptions | None = None) -> str:
        """The assistant's next turn."""
        return "".join(self.stream(messages, sampling))

    def stream(
        self,
        prompt: str | Messages,
        sampling: SamplingOptions | None = None,
        should_stop: Callable[[], bool] = lambda: False,
    ) -> Generator[str, None, Usage]:
        """Pieces of the answer as they come; the generator returns the Usage.

        A piece never ends inside a character. `should_stop` is asked at each token. Closing
        the generator ends the computation too. Raises PromptTooLongError.
        """
        sampling = sampling or SamplingOptions()
        encoded = {n: t.to(self.device) for n, t in encode_prompt(self.tokenizer, prompt).items()}
        length = encoded["input_ids"].shape[1]
        room = min(sampling.max_new_tokens, self.max_length - length)
        if room < 1:
            raise PromptTooLongError(
                f"The prompt has {length} tokens; the model takes {self.max_length}.",
                "Shorten the prompt or start a new conversation.",
            )
        text, finish, count = TextPieces(self.tokenizer, sampling.stop), "length", 0
        ends = end_tokens(self.model, self.tokenizer)
        tokens = made_tokens(self.answering, encoded, self.options(sampling, room, ends))
        with closing(tokens):
            for token in tokens:
                count += 1
                if should_stop():
                    finish = "cancelled"
                    break
                if token in ends:
                    finish = "stop"
                    break
                yield from text.add(token)
                if text.is_stopped:
                    finish = "stop"
                    break
        yield from text.rest()
        return Usage(length, count, cast(Finish, finish))

    def options(self, sampling: SamplingOptions, room: int, ends: list[int]) -> dict[str, Any]:
        """The sampling in the words of `generate`."""
        if sampling.seed is not None:
            set_seed(sampling.seed)
        common = {
            "max_new_tokens": room,
            "eos_token_id": ends,
            "pad_token_id": self.tokenizer.pad_token_id,
            "use_cache": True,
            "repetition_penalty": sampling.repetition_penalty,
        }
        if sampling.temperature <= 0:
            return {**common, "do_sample": False, "temperature": None, "top_p": None, "top_k": None}
        return {
            **common,
            "do_sample": True,
            "temperature": sampling.temperature,
            "top_p": sampling.top_p,
            "top_k": sampling.top_k or 0,
        }


def bare(model: PeftModel) -> Any:
    """The base without its adapters."""
    if model.active_peft_config.is_prompt_learning:
        return model.get_base_model()
    return model.base_model.unload()


def as_name(model_name: str | Path) -> str:
    """A Path is a folder even where it does not look like one."""
    return str(model_name.resolve()) if isinstance(model_name, Path) else model_name


def base_name(adapter: Path, base: str | Path | None) -> str:
    """What an adapter was trained on: as told, by its run's configuration, or by itself."""
    if base:
        return as_name(base)
    run = RunFolder(adapter.resolve().parent).config
    if run.is_file():
        return str(json.loads(run.read_bytes())["model"]["name"])
    name = check_adapter(adapter).get("base_model_name_or_path")
    if not isinstance(name, str) or not (is_hub_name(name) or name.startswith("starter/")):
        raise ModelError(f"{adapter.name} does not say its base.", "Pass it: base=...")
    return name


def available(device: str) -> str:
    if device.startswith("cuda") and not torch.cuda.is_available():
        warnings.warn("There is no CUDA device here: the model runs on the CPU.", stacklevel=3)
        return "cpu"
    return device
