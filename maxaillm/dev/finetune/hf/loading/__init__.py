"""Loads models and tokenizers: safetensors only, no code of theirs, nothing unchecked."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Sequence
from importlib.util import find_spec
from logging import ERROR, getLogger
from pathlib import Path
from typing import Any, NamedTuple

import torch
from huggingface_hub.errors import StrictDataclassError
from transformers import (
    AutoModelForCausalLM,
    AutoTokenizer,
    BitsAndBytesConfig,
    PreTrainedModel,
)
from transformers import PreTrainedTokenizerBase as Tokenizer
from transformers.utils import logging

from maxaillm.dev.finetune.errors import FineTuneError, ModelError
from maxaillm.dev.finetune.hf.loading.shell import require_sizes_of_files
from maxaillm.dev.finetune.hf.templates import use_limited_templates
from maxaillm.dev.finetune.model_files.folder import check_folder, find_folder
from maxaillm.dev.finetune.processes.resources import usable_cores
from maxaillm.dev.finetune.run.torchrun import process_count

WHOLE_MODULES = ["lm_head", "score", "classifier", "pre_classifier", "classification_head"]
TEXT_FILES = ["*.json", "*.jinja", "*.txt", "*.model", "LICENSE*"]
HUB_FILES = ["*.safetensors", *TEXT_FILES]
FAULTS = (
    OSError, ValueError, KeyError, ImportError, TypeError, AttributeError, StrictDataclassError,
)  # fmt: skip
"""What the libraries raise for settings that are damaged or of a wrong type."""
HEADS_IN_BODY = re.compile(r"(^|\.)pooler\.")
BUFFERS = re.compile(r"(^|\.)(final_logits_bias|attn\.(masked_)?bias|inv_freq|position_ids)$")
"""Tensors that older files hold and nobody trains."""


def fetch(name: str) -> Path:
    """The checked folder of the model `name`; a Hub name is downloaded if it has to be."""
    folder = find_folder(name) or download(name)
    check_folder(folder)
    return folder


def download(name: str, files: Sequence[str] = HUB_FILES) -> Path:
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError

    try:
        return Path(snapshot_download(name, allow_patterns=list(files)))
    except (HfHubHTTPError, LocalEntryNotFoundError, OSError) as error:
        raise ModelError(
            f"{name} could not be fetched from the Hub: {first_line(error)}",
            "Check the name and the network, and HF_TOKEN for a gated model; "
            "or give a folder that starts with ./ or /.",
        ) from None


def load_tokenizer(folder: Path) -> Tokenizer:
    """The tokenizer, with a pad token. Labels never come from padding, so EOS stays trained."""
    logging.disable_progress_bar()
    logging.set_verbosity_error()  # what matters is told as an event
    use_limited_templates()
    try:
        tokenizer: Tokenizer = AutoTokenizer.from_pretrained(
            folder, local_files_only=True, trust_remote_code=False
        )
    except FAULTS as error:
        raise ModelError(
            f"The tokenizer in {folder.name} can't be loaded: {first_line(error)}",
            "The folder needs tokenizer.json, tokenizer_config.json and a sound config.json.",
        ) from error
    if tokenizer.pad_token is None:
        tokenizer.pad_token = choose_pad_token(tokenizer)
    return tokenizer


def choose_pad_token(tokenizer: Tokenizer) -> str:
    """A token that is not EOS where there is one, so that EOS keeps its one meaning."""
    padding = [token for token in sorted(tokenizer.get_added_vocab()) if "pad" in token.lower()]
    unused = [*padding, tokenizer.unk_token]
    distinct = [token for token in unused if token and token != tokenizer.eos_token]
    chosen = next(iter(distinct), tokenizer.eos_token)
    if chosen is None:
        raise ModelError("The tokenizer has neither a pad nor an end token.", "Choose another.")
    return str(chosen)


class Opened(NamedTuple):
    """A model, and what of it and its folder did not fit together."""

    model: PreTrainedModel
    fresh: list[str]
    """The weights that the folder does not hold, or holds in another size: a new head's."""
    unused: list[str] = []
    """Those of the folder that have no place in the model, other heads aside."""

    def in_body(self, names: Iterable[str]) -> list[str]:
        """The weights among `names` that no task makes anew: all that lies below the heads."""
        prefix = f"{self.model.base_model_prefix}."
        inner = (name for name in names if name.startswith(prefix))
        return [name for name in inner if not HEADS_IN_BODY.search(name)]

    def tell_unused(self, warn: Callable[[str, str], object]) -> None:
        if self.unused:
            warn(
                "Weights of the folder have no place in the model that its config.json describes, "
                f"and are left out: {first_and_more(self.unused)}.",
                "Check that config.json and the weights belong together.",
            )


def load_model(
    folder: Path, dtype: torch.dtype, auto_class: Any = AutoModelForCausalLM, **options: Any
) -> Opened:
    """The model in `folder`, its weights held as `dtype`, with the head of `auto_class`.

    Weights of another size than the folder's are made anew, and named. Raises ModelError.
    """
    try:
        require_sizes_of_files(folder, auto_class)
        model, report = auto_class.from_pretrained(
            folder,
            dtype=dtype,
            use_safetensors=True,
            trust_remote_code=False,
            local_files_only=True,
            output_loading_info=True,
            ignore_mismatched_sizes=True,
            **options,
        )
    except FAULTS as error:
        raise ModelError(
            f"The model in {folder.name} can't be loaded: {first_line(error)}",
            "Check that the folder is whole and that transformers knows this kind of model.",
        ) from error
    take_plain_path(model)
    mismatched = {str(entry[0]) for entry in report["mismatched_keys"]}
    opened = Opened(model, sorted({*report["missing_keys"], *mismatched}))
    unused = [name for name in report["unexpected_keys"] if not BUFFERS.search(name)]
    return opened._replace(unused=sorted(opened.in_body(unused)))


def quantization_options(
    quantization: str, dtype: torch.dtype, device: torch.device
) -> dict[str, Any]:
    """What `from_pretrained` is told to hold weights in 8 or 4 bits; heads stay whole.

    4 bits are QLoRA's: normal floats whose scales are quantised too (Dettmers et al. 2023).
    Raises FineTuneError without bitsandbytes.
    """
    if quantization == "none":
        return {}
    if find_spec("bitsandbytes") is None:
        raise FineTuneError(
            "Quantization needs bitsandbytes, which is not installed.",
            'Run: pip install "maxft[quantization]"',
        )
    getLogger("bitsandbytes.autograd").setLevel(ERROR)  # it warns at each product of matrices
    config = BitsAndBytesConfig(
        load_in_8bit=quantization == "8bit",
        load_in_4bit=quantization == "4bit",
        bnb_4bit_quant_type="nf4",
        bnb_4bit_use_double_quant=True,
        bnb_4bit_compute_dtype=dtype,
        llm_int8_skip_modules=WHOLE_MODULES,
    )
    return {"quantization_config": config, "device_map": {"": device}}


def take_plain_path(model: PreTrainedModel) -> None:
    """Keep bitsandbytes from packing 4-bit weights anew for processors with avx512_bf16, which it
    does when a model is first asked something outside of training: what is packed passes no
    gradient on, is rounded to bf16, and fails for sizes that don't suit."""
    for module in model.modules():
        if hasattr(module, "support_avx512bf16_for_cpu"):
            module.support_avx512bf16_for_cpu = False


def choose_device(wanted: str = "auto") -> torch.device:
    if wanted != "auto":
        return torch.device(wanted)
    if not torch.cuda.is_available():
        return torch.device("cpu")
    own = int(os.environ.get("LOCAL_RANK", "0"))
    if own >= torch.cuda.device_count():
        raise FineTuneError(
            f"There are {torch.cuda.device_count()} GPUs for more processes than that.",
            "Lower training.devices.",
        )
    return torch.device("cuda", own) if process_count() > 1 else torch.device("cuda")


def set_threads() -> None:
    """As many threads as this process may use: more of them make it many times slower."""
    torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS") or usable_cores()))


def context_length(model: Any) -> int | None:
    """How many tokens the model can see, where its configuration says so."""
    length = getattr(model.config, "max_position_embeddings", None)
    if not length:
        return None
    offsets = [
        module.padding_idx + 1  # RoBERTa counts its positions from there
        for name, module in model.named_modules()
        if name.endswith("embeddings.position_embeddings")
        and getattr(module, "padding_idx", None) is not None
    ]
    return int(length) - max(offsets, default=0)


def first_and_more(names: Sequence[str]) -> str:
    return f"{names[0]} and {len(names) - 1:,} more" if len(names) > 1 else names[0]


def first_line(error: BaseException) -> str:
    """What an error says first, and what it is about where that ends with a colon."""
    lines = list(filter(None, map(str.strip, str(error).splitlines()))) or [type(error).__name__]
    return " ".join(lines[: 2 if lines[0].endswith(":") else 1])
