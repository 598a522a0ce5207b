"""A run as text says what the run says."""

from __future__ import annotations

import ast
import shlex
from typing import Any

import yaml

from jobs.run_form.config_text import as_command, as_python, as_yaml, config_from_yaml
from maxaillm.dev.finetune.config import RunConfig

OWN: dict[str, Any] = {
    "model": {"name": 'it\'s "mine"'},
    "data": {"dataset": 3, "max_length": 77},
    "tuning": {"name": "lora", "r": 4, "target_modules": ["q_proj"]},
    "training": {"max_steps": 9, "load_best_model_at_end": True},
    "evaluation": {"sample_prompts": ["Größe?\nAnd now?"]},
}
CONFIG = RunConfig.parse(OWN)
OF_A_FILE = RunConfig.parse(OWN | {"data": {"train_file": "rows.jsonl", "max_length": 77}})


def test_yaml_comes_back_as_it_was() -> None:
    assert config_from_yaml(as_yaml(CONFIG)) == CONFIG


def test_a_program_holds_the_configuration_and_runs_it() -> None:
    program = ast.parse(as_python(CONFIG))
    compile(program, "program", "exec")
    made = next(node for node in ast.walk(program) if isinstance(node, ast.Call))
    assert RunConfig.parse(ast.literal_eval(made.args[0])) == OF_A_FILE


def test_a_command_writes_the_configuration_that_it_trains() -> None:
    first, second = as_command(CONFIG).rsplit("\n", 1)
    written = yaml.safe_load(shlex.split(first)[2])
    assert RunConfig.parse(written) == OF_A_FILE
    assert second.endswith("train run.yaml")
