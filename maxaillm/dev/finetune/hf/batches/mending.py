"""What helps where a chat template refuses a conversation: fixes of data, tried one by one."""

from __future__ import annotations

from collections.abc import Sequence

from pydantic import ValidationError

from maxaillm.dev.finetune.data.examples.conversation import Conversation
from maxaillm.dev.finetune.data.fixes import Fix, fixes
from maxaillm.dev.finetune.data.store.batch import stored
from maxaillm.dev.finetune.hf.batches.chat_template import Template, UnfitConversationError

TRIED = (
    ("join_turns",),
    ("move_system",),
    ("drop_system",),
    ("move_system", "join_turns"),
    ("drop_system", "join_turns"),
)
"""Fixes by themselves, the one that changes least first, and then two together."""
NOTHING = (
    "Look at these rows: the template wants their turns in another order, or has no place for "
    "what they hold. Or choose another model."
)


def mending_of(template: Template, chat: Conversation) -> str:
    """The fixes after which the template takes the conversation, in words."""
    for names in TRIED:
        chosen = [fixes[name].model_validate({}) for name in names]
        if takes(template, chat, chosen):
            words = " and ".join(f"“{fix.label}”" for fix in chosen)
            return f"Use {words} on the dataset{also_fitting(template, chat, names)}."
    return NOTHING


def also_fitting(template: Template, chat: Conversation, names: Sequence[str]) -> str:
    """A prompt of the system need not be lost where a question may begin with it."""
    if "drop_system" not in names:
        return ""
    moving = fixes["move_system"].model_validate({"also_opening": True})
    others = [fixes[name].model_validate({}) for name in names if name != "drop_system"]
    fits = takes(template, chat, [moving, *others])
    return f", or “{moving.label}” with the opening prompt, too" if fits else ""


def takes(template: Template, chat: Conversation, chosen: Sequence[Fix]) -> bool:
    """Whether the template takes what these fixes make of a conversation."""
    before = example = stored(chat)
    for fix in chosen:
        ready = fix.for_rows_of(Conversation)
        ready.begin()
        example = ready.apply(1, example) or example
    if example == before:
        return False
    try:
        after = Conversation.model_validate(example)
        template.render(after.messages, after.tools)
    except (UnfitConversationError, ValidationError):
        return False
    return True
