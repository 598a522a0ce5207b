"""Messages: what stands beside the results of tools is read, or named."""

from __future__ import annotations

import pytest

from maxaillm.dev.finetune.data.rows.messages import turns_of
from maxaillm.dev.finetune.data.rows.unread_messages import unread_in_turns

RESULT = {"type": "tool_result", "tool_use_id": "a", "content": "3"}
BEDROCK = {"toolResult": {"toolUseId": "a", "content": [{"text": "3"}]}}


@pytest.mark.parametrize("part", [RESULT, BEDROCK])
@pytest.mark.parametrize("role", ["user", "tool"])
def test_results_of_tools_keep_the_weight_of_their_message(role, part):
    [turn] = turns_of([{"role": role, "content": [part], "loss_weight": 0.5}], "messages")
    assert (turn.role, turn.content, turn.call_id, turn.weight) == ("tool", "3", "a", 0.5)


def test_a_name_is_read_where_its_speaker_says_something():
    message = {"role": "user", "name": "Bo", "content": [RESULT]}
    assert [*unread_in_turns([message])] == ["name"]
    message["content"] = [RESULT, {"type": "text", "text": "And now?"}]
    assert [*unread_in_turns([message])] == []
    assert [turn.name for turn in turns_of([message], "messages")] == ["", "Bo"]
