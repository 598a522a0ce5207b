"""What training minimises, one module each. This file is their contract."""

from __future__ import annotations

from maxaillm.dev.finetune.registry import Component, Registry


class Loss(Component):
    """A training objective; its fields are its options."""


losses: Registry[Loss] = Registry("loss", package=__name__)
