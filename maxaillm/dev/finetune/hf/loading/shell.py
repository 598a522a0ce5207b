"""Shell of a model: its layers as `config.json` describes them, without memory for weights."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from transformers import AutoConfig, PreTrainedModel

from maxaillm.dev.finetune.errors import ModelError
from maxaillm.dev.finetune.model_files.folder import NOT_ITS_OWN
from maxaillm.dev.finetune.processes.resources import memory_limit_bytes

NUMBERS_A_BYTE = 4
"""More can't lie in a file, with two bits each: what is beyond would be made up."""


def shell_of(folder: Path, auto_class: Any) -> PreTrainedModel:
    """The model with the head of `auto_class`. Raises ModelError for sizes that no tensor has."""
    settings = AutoConfig.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
    try:
        with torch.device("meta"):
            model: PreTrainedModel = auto_class.from_config(settings)
    except RuntimeError as error:  # nothing is computed and nothing held: it is about sizes
        raise ModelError(
            f"The sizes in the config.json of {folder.name} are not those of a model: {error}",
            NOT_ITS_OWN,
        ) from error
    return model


def require_sizes_of_files(folder: Path, auto_class: Any) -> None:
    """Raises ModelError where a model would be opened that is far larger than its files: what they
    do not hold is made up, in memory that may not be there."""
    shell = shell_of(folder, auto_class)
    described = sum(weight.numel() for weight in shell.parameters())
    held = sum(path.stat().st_size for path in folder.glob("*.safetensors"))
    if described > NUMBERS_A_BYTE * held:
        raise ModelError(
            f"The config.json of {folder.name} describes a model of {described:,} numbers, and its "
            f"files hold {held:,} bytes.",
            NOT_ITS_OWN,
        )
    tables = sum(table.numel() * table.element_size() for table in shell.buffers())
    if tables > memory_limit_bytes():
        raise ModelError(
            f"The config.json of {folder.name} asks for {tables / 1e9:,.0f} GB beside the weights: "
            "its positions or another size can't be right.",
            NOT_ITS_OWN,
        )
