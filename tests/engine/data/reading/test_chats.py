"""Chats as files have them: tools and calls, reasoning, weights, and turns in any order."""

from __future__ import annotations

import json
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from maxaillm.dev.finetune.data.examples.conversation import Conversation
from maxaillm.dev.finetune.data.reading.examples import read_examples
from maxaillm.dev.finetune.data.store.batch import Batch, stored
from maxaillm.dev.finetune.data.store.query import RowQuery
from maxaillm.dev.finetune.data.store.store import RowStore, RowWriter
from tests.engine.data.files import Checked, check, json_lines

TIMES: list[Any] = [{"time": "2026-05-01"}, {"time": 3600, "loud": True, "days": ["mon"]}, {}]


def tool(name: str, **parameters: Any) -> dict[str, Any]:
    function = {"name": name} | ({"parameters": parameters} if parameters else {})
    return {"type": "function", "function": function}


def called(arguments: Any) -> list[dict[str, Any]]:
    call = {"id": "c1", "type": "function"}
    return [
        {"role": "user", "content": "remind me"},
        {
            "role": "assistant",
            "content": None,
            "tool_calls": [call | {"function": {"name": "remind", "arguments": arguments}}],
        },
        {"role": "tool", "tool_call_id": "c1", "name": "remind", "content": "ok"},
        {"role": "assistant", "content": "Done."},
    ]


def check_rows(tmp_path, *rows: Any) -> Checked:
    path = tmp_path / "rows.jsonl"
    path.write_text(json_lines(rows))
    return check(path)


def turns(*spoken: tuple[str, str]) -> dict[str, Any]:
    return {"messages": [{"role": role, "content": text} for role, text in spoken]}


def test_tools_and_calls_are_kept_as_they_were(tmp_path):
    tools = [tool("remind", type="object", properties={"time": {"type": "string"}}), tool("list")]
    found = check_rows(tmp_path, *({"messages": called(given), "tools": tools} for given in TIMES))
    assert found.report.codes == {}
    assert [json.loads(row.tools) for row in found.examples] == [tools] * 3
    calls = [row.messages[1].tool_calls[0] for row in found.examples]
    assert [json.loads(call.arguments) for call in calls] == TIMES
    assert {(call.id, call.name) for call in calls} == {("c1", "remind")}
    assert found.examples[0].messages[2].tool_call_id == "c1"


@pytest.mark.parametrize("write", ["parquet", "jsonl"])
def test_no_row_gets_the_arguments_of_another(tmp_path, write):
    """Arrow gives each object the keys of all."""
    given = [{"city": "Oslo"}, {"days": 3}, {"city": "Rome", "days": 1}]
    rows = [{"messages": called(each), "tools": [tool("remind")]} for each in given]
    path = tmp_path / f"rows.{write}"
    if write == "parquet":
        pq.write_table(pa.Table.from_pylist(rows), path)
    else:
        path.write_text(json_lines(rows))
    examples = check(path).examples
    calls = [json.loads(row.messages[1].tool_calls[0].arguments) for row in examples]
    assert calls == given


def test_older_function_calls_are_calls(tmp_path):
    call = {"name": "w", "arguments": '{"c":"Oslo"}'}
    chat = [
        {"role": "developer", "content": "Be short."},
        {"role": "user", "content": "weather"},
        {"role": "assistant", "content": None, "function_call": call},
        {"role": "function", "name": "w", "content": "3"},
        {"role": "assistant", "content": "3 degrees"},
    ]
    found = check_rows(tmp_path, {"messages": chat, "functions": [{"name": "w"}]})
    (row,) = found.examples
    assert [message.role for message in row.messages][:2] == ["system", "user"]
    assert row.messages[2].tool_calls[0].model_dump(exclude_none=True) == call
    assert row.messages[3].name == "w"
    assert json.loads(row.tools) == [{"type": "function", "function": {"name": "w"}}]


def test_sharegpt_calls_are_calls(tmp_path):
    said = [
        {"from": "human", "value": "weather"},
        {"from": "function_call", "value": '{"name": "w", "arguments": {"c": 1}}'},
        {"from": "observation", "value": "3"},
        {"from": "gpt", "value": "3 degrees"},
    ]
    found = check_rows(tmp_path, {"conversations": said, "tools": '[{"name": "w"}]'})
    (row,) = found.examples
    assert json.loads(row.messages[1].tool_calls[0].arguments) == {"c": 1}
    assert row.messages[1].content == ""
    assert row.messages[2].role == "tool"


def test_gemini_calls_are_calls(tmp_path):
    call = {"functionCall": {"name": "w", "args": {"c": "Oslo"}}}
    result = {"functionResponse": {"name": "w", "response": {"t": 3}}}
    contents = [
        {"role": "user", "parts": [{"text": "weather"}]},
        {"role": "model", "parts": [call]},
        {"role": "user", "parts": [result]},
        {"role": "model", "parts": [{"text": "3 degrees"}]},
    ]
    (row,) = check_rows(tmp_path, {"contents": contents}).examples
    assert json.loads(row.messages[1].tool_calls[0].arguments) == {"c": "Oslo"}
    assert (row.messages[2].role, json.loads(row.messages[2].content)) == ("tool", {"t": 3})


@pytest.mark.parametrize("key", ["reasoning_content", "reasoning", "thinking"])
def test_reasoning_is_kept_apart_from_the_answer(tmp_path, key):
    answer = {"role": "assistant", "content": "42", key: "17+20+5"}
    found = check_rows(tmp_path, {"messages": [{"role": "user", "content": "17+25?"}, answer]})
    assert found.report.codes == {}
    assert (found.examples[0].messages[1].reasoning, found.examples[0].messages[1].content) == (
        "17+20+5", "42",
    )  # fmt: skip


def test_a_column_with_the_system_prompt_is_the_systems_turn(tmp_path):
    row = turns(("user", "hi"), ("assistant", "hello"))
    own = turns(("system", "Be short."), ("user", "hi"), ("assistant", "hello"))
    found = check_rows(tmp_path, row | {"system": "Be kind."}, own | {"system": "Be kind."})
    first = [example.messages[0] for example in found.examples]
    assert [(turn.role, turn.content) for turn in first] == [
        ("system", "Be kind."), ("system", "Be kind.\n\nBe short."),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("weight", "kept"), [(0, 0.0), (1, 1.0), ("1", 1.0), (True, 1.0), (0.5, 0.5), (None, None)]
)
def test_weights_are_taken(tmp_path, weight, kept):
    earlier = [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]
    answer = {"role": "assistant", "content": "d", "weight": weight}
    found = check_rows(tmp_path, {"messages": [*earlier, earlier[0], answer]})
    assert found.examples[0].messages[3].weight == kept
    assert found.report.codes == ({"partial_weight": 1} if kept == 0.5 else {})


def test_a_row_with_nothing_to_learn_is_named(tmp_path):
    answer = {"role": "assistant", "content": "b", "weight": 0}
    found = check_rows(
        tmp_path, {"messages": [{"role": "user", "content": "a"}, answer]}, turns(
            ("user", "a"), ("assistant", "b")
        )
    )  # fmt: skip
    assert (found.report.rows, found.report.bad_rows) == (1, 1)
    assert [finding.row for finding in found.of_code("nothing_learned")] == [1]


@pytest.mark.parametrize(
    ("spoken", "code"),
    [
        ([("system", "s"), ("assistant", "Hello!"), ("user", "q"), ("assistant", "a")],
         "assistant_first"),
        ([("assistant", "Hello!"), ("user", "q"), ("assistant", "a")], "assistant_first"),
        ([("user", "q"), ("system", "s"), ("assistant", "a")], "late_system"),
        ([("user", "q"), ("user", "r"), ("assistant", "a")], "repeated_speaker"),
        ([("user", "q"), ("assistant", "a"), ("assistant", "b")], "repeated_speaker"),
    ],
)  # fmt: skip
def test_turns_in_another_order_stay_in_it_and_are_said(tmp_path, spoken, code):
    found = check_rows(tmp_path, *[turns(*spoken)] * 2)
    assert [(t.role, t.content) for t in found.examples[0].messages] == spoken
    assert found.report.bad_rows == 0
    assert len(found.of_code(code)) == 2


@pytest.mark.parametrize(
    ("spoken", "code"),
    [
        ([("user", "q")], "no_answer"),
        ([("assistant", "a")], "no_prompt"),
        ([("user", "q"), ("assistant", "a"), ("user", "q")], "no_last_answer"),
        ([("user", "q"), ("assistant", " ")], "empty_turn"),
    ],
)
def test_what_is_no_conversation_is_named(tmp_path, spoken, code):
    fine = [turns(("user", f"question {n}"), ("assistant", f"answer {n}")) for n in range(3)]
    assert [f.code for f in check_rows(tmp_path, *fine, turns(*spoken)).findings] == [code]


def test_stored_rows_are_the_same_and_rows_of_earlier_releases_open(tmp_path):
    rows = [{"messages": called({"time": 1}), "tools": [tool("remind")]}]
    (row,) = check_rows(tmp_path, *rows).examples
    new, old = tmp_path / "new", tmp_path / "old"
    with RowWriter(new) as writer:
        writer.add(Batch(Conversation, [1], [stored(row)]))
    assert list(read_examples(new)) == [row]
    struct = pa.struct([("role", pa.string()), ("content", pa.string()), ("weight", pa.float64())])
    schema = pa.schema(
        [("number", pa.int64()), ("split", pa.string()), ("messages", pa.list_(struct))],
        metadata={b"maxaillm.example": b"Conversation"},
    )
    talk = [{"role": "user", "content": "q"}, {"role": "assistant", "content": "an answer"}]
    pq.write_table(pa.Table.from_pylist([{"number": 1, "messages": talk}], schema=schema), old)
    assert [example.messages[1].content for example in read_examples(old)] == ["an answer"]
    assert RowStore(old).find(RowQuery(words="answer")).tolist() == [0]


def test_calls_and_thoughts_are_searched_and_counted(tmp_path):
    answer = {"role": "assistant", "content": "42", "thinking": "carry the one"}
    rows = [
        {"messages": called({"place": "Reykjavik"})},
        {"messages": [{"role": "user", "content": "17+25?"}, answer]},
    ]
    found = check_rows(tmp_path, *rows)
    store = tmp_path / "store"
    with RowWriter(store) as writer:
        writer.add(Batch(Conversation, [1, 2], list(map(stored, found.examples))))
    assert RowStore(store).find(RowQuery(words="reykjavik")).tolist() == [0]
    assert RowStore(store).find(RowQuery(words="carry", part="reasoning")).tolist() == [1]
    for number, example in enumerate(map(stored, found.examples)):
        batch = Batch(Conversation, [1], [example])
        told = [piece.text for piece in Conversation.pieces_of(example)]
        assert batch.texts.values.to_pylist() == told, number
    assert {"call", "reasoning"} <= found.report.statistics["chars"].keys()


ANTHROPIC_TOOL = {"name": "w", "description": "d", "input_schema": {"type": "object"}}
ANTHROPIC = [
    {"role": "user", "content": "weather"},
    {"role": "assistant", "content": [
        {"type": "thinking", "thinking": "Hm.", "signature": "s"}, {"type": "text", "text": "See:"},
        {"type": "tool_use", "id": "t1", "name": "w", "input": {"c": "Oslo"}}]},
    {"role": "user", "content": [
        {"type": "tool_result", "tool_use_id": "t1", "content": [{"type": "text", "text": "3"}]},
        {"type": "text", "text": "and now?"}]},
    {"role": "assistant", "content": [{"type": "text", "text": "3 degrees"}]},
]  # fmt: skip
BEDROCK = [
    {"role": "user", "content": [{"text": "weather"}]},
    {"role": "assistant", "content": [
        {"reasoningContent": {"reasoningText": {"text": "Hm.", "signature": "s"}}},
        {"text": "See:"},
        {"toolUse": {"toolUseId": "t1", "name": "w", "input": {"c": "Oslo"}}}]},
    {"role": "user", "content": [
        {"toolResult": {"toolUseId": "t1", "content": [{"json": 3}], "status": "ok"}},
        {"text": "and now?"}]},
    {"role": "assistant", "content": [{"text": "3 degrees"}]},
]  # fmt: skip
BEDROCK_SPEC = {"name": "w", "description": "d", "inputSchema": {"json": {"type": "object"}}}


@pytest.mark.parametrize(
    ("row", "unread"),
    [
        ({"messages": ANTHROPIC, "tools": [ANTHROPIC_TOOL]}, ["signature"]),
        (
            {"schemaVersion": "bedrock-conversation-2024", "messages": BEDROCK}
            | {"toolConfig": {"tools": [{"toolSpec": BEDROCK_SPEC}]}},
            ["signature", "status"],
        ),
    ],
    ids=["Anthropic", "Bedrock"],
)
def test_calls_and_results_among_the_parts_of_a_message_are_turns(tmp_path, row, unread):
    found = check_rows(tmp_path, row)
    (read,) = found.examples
    roles = ["user", "assistant", "tool", "user", "assistant"]
    assert [message.role for message in read.messages] == roles
    asked, result = read.messages[1:3]
    assert (asked.content, asked.reasoning) == ("See:", "Hm.")
    (call,) = asked.tool_calls
    assert (call.id, call.name, json.loads(call.arguments)) == ("t1", "w", {"c": "Oslo"})
    assert (result.content, result.tool_call_id) == ("3", "t1")
    assert read.messages[3].content == "and now?"
    function = {"name": "w", "description": "d", "parameters": {"type": "object"}}
    assert json.loads(read.tools) == [{"type": "function", "function": function}]
    named = [finding.message for finding in found.of_code("not_read")]
    assert len(named) == len(unread)
    assert all(key in message for key, message in zip(unread, sorted(named), strict=True))
