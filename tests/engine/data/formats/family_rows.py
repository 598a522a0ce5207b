"""Rows as people have them: for each format every spelling it is known in, and the example."""

from __future__ import annotations

from typing import Any

from maxaillm.dev.finetune.data.examples import Example
from maxaillm.dev.finetune.data.examples.classification import Classification
from maxaillm.dev.finetune.data.examples.conversation import Conversation
from maxaillm.dev.finetune.data.examples.multi_label_classification import MultiLabelClassification
from maxaillm.dev.finetune.data.examples.preference import Preference
from maxaillm.dev.finetune.data.examples.regression import Regression
from maxaillm.dev.finetune.data.examples.text import Text
from maxaillm.dev.finetune.data.examples.token_labels import TokenLabels
from maxaillm.dev.finetune.data.examples.unpaired_preference import UnpairedPreference

Spelled = tuple[dict[str, Any], Example]


def said(*pairs: tuple[str, str]) -> list[dict[str, str]]:
    return [{"role": role, "content": content} for role, content in pairs]


def chat(*texts: str) -> Conversation:
    """What user and assistant say in turns."""
    roles = ("user", "assistant")
    return Conversation(
        messages=said(*((roles[place % 2], text) for place, text in enumerate(texts)))
    )


ASKED, GOOD, POOR = said(("user", "Hi")), said(("assistant", "Yo")), said(("assistant", "No"))
HUMAN, GPT = {"from": "human", "value": "Hi"}, {"from": "gpt", "value": "Yo"}
PREFERRED = Preference(messages=ASKED, chosen=GOOD, rejected=POOR)
JUDGED = UnpairedPreference(messages=ASKED, completion=GOOD, desirable=True)
HI = chat("Hi", "Yo")
CALLED = Conversation(messages=[
    {"role": "user", "content": "Hi"},
    {"role": "assistant", "content": "",
     "tool_calls": [{"id": "a", "name": "w", "arguments": '{"b": 1}'}]},
    {"role": "tool", "content": "3", "tool_call_id": "a"},
    {"role": "assistant", "content": "Yo"},
])  # fmt: skip
THOUGHT = Conversation(messages=[*ASKED, GOOD[0] | {"reasoning": "Hm."}])
CHOICES = ["red", "blue"]
CHOSEN = chat("Hi\n\nA. red\nB. blue", "B. blue")
SPAN = {"text": ["Yo", "Yo!"], "answer_start": [3, 3]}
ABOUT = chat("Once.\n\nHi", "Yo")
REFLECTED = chat(
    "Hi", "### Thought:\nNo\n\n### Agent Reflection:\nRude.\n\n### Final Response:\nYo"
)

TAGGED = TokenLabels(tokens=["Hi", "Yo", "."], tags=["O", "B-A", "O"])


def node(role: str, text: str, parent: str, *children: str) -> dict[str, Any]:
    """A message in ChatGPT's export."""
    content = {"content_type": "text", "parts": [text]}
    message = {"author": {"role": role}, "content": content}
    return {"message": message, "parent": parent, "children": list(children)}


FAMILIES: dict[str, list[Spelled]] = {
    "messages": [
        ({"messages": ASKED + GOOD}, HI),
        ({"conversations": ASKED + GOOD}, HI),
        ({"texts": ASKED + GOOD}, HI),
        ({"conversation": ASKED + GOOD, "expected_output": "a"}, HI),
        ({"messages": ASKED + GOOD, "tools": [], "parallel_tool_calls": False}, HI),
        ({"messages": [
            {"role": "user", "content": [{"type": "text", "text": "Hi"}]},
            {"role": "assistant", "content": [
                {"type": "tool_use", "id": "a", "name": "w", "input": {"b": 1}}]},
            {"role": "user", "content": [
                {"type": "tool_result", "tool_use_id": "a", "content": "3"}]},
            {"role": "assistant", "content": "Yo"}]}, CALLED),
    ],
    "sharegpt": [
        ({"conversations": [HUMAN, GPT]}, HI),
        ({"conversations": [HUMAN, GPT], "tools": "[]", "system": "", "images": []}, HI),
        ({"conversations": [{"role": "user", "value": "Hi"}, {"role": "bot", "value": "Yo"}]}, HI),
    ],
    "conversation": [({"conversations": [{"input": "Hi", "output": "Yo"}]}, HI)],
    "instruction": [
        ({"instruction": "Hi", "output": "Yo"}, HI),
        ({"instruction": "Hi", "input": "", "output": "Yo", "history": [], "system": ""}, HI),
        ({"instruction": "Hi", "context": "", "response": "Yo", "category": "open_qa"}, HI),
        ({"INSTRUCTION": "Hi", "RESPONSE": "Yo", "SOURCE": "a"}, HI),
    ],
    "reflection": [
        ({"instruction": "Hi", "output": "No", "reflection": "Rude.", "corrected": "Yo"},
         REFLECTED),
        ({"instruction": "Hi", "input": "", "output": "No", "reflection": "Rude.",
          "corrected": "Yo"}, REFLECTED),
    ],
    "prompt_completion": [
        ({"prompt": "Hi", "completion": "Yo"}, HI),
        ({"prompt": "Hi", "response": "Yo"}, HI),
        ({"prompt": "Hi", "generation": "Yo"}, HI),
        ({"prompt": "Hi", "answer": "Yo"}, HI),
        ({"prompt": "Hi", "solution": "Yo"}, HI),
        ({"input": "Hi", "output": "Yo", "tags": "a"}, HI),
        ({"query": "Hi", "response": "Yo"}, HI),
        ({"query": "Hi", "answer": "Yo"}, HI),
        ({"question": "Hi", "answer": "Yo", "category": "a"}, HI),
        ({"article": "Once.", "question": "Hi", "answer": "Yo"}, ABOUT),
        ({"system_prompt": "", "question": "Hi", "response": "Yo", "id": "1"}, HI),
        ({"message_1": "Hi", "message_2": "Yo", "topic": "a", "role_1": "b"}, HI),
        ({"article": "Hi", "summary": "Yo"}, HI),
        ({"content": "Hi", "summary": "Yo"}, HI),
        ({"document": "Hi", "summary": "Yo"}, HI),
        ({"text": "Hi", "summary": "Yo"}, HI),
        ({"source": "Hi", "target": "Yo"}, HI),
        ({"text": "Hi", "target": "Yo " * 40}, chat("Hi", "Yo " * 40)),
        ({"text": "Hi", "label": "Yo " * 40}, chat("Hi", "Yo " * 40)),
    ],
    "chat_pair": [
        ({"prompt": ASKED, "completion": GOOD}, HI),
        ({"prompt": ASKED, "completion": "Yo"}, HI),
        ({"prompt": ASKED, "solution": "Yo"}, HI),
        ({"messages": ASKED, "reference_code": "Yo"}, HI),
        ({"messages": ASKED, "expected_output": "Yo"}, HI),
        ({"messages": ASKED, "completion": "Yo", "id": 3}, HI),
    ],
    "kiln": [
        ({"input": "Hi", "output": "Yo", "reasoning": "Hm.", "tags": "a,b"},
         THOUGHT),
        ({"input": "Hi", "output": "Yo", "chain_of_thought": "Hm.", "reasoning": ""},
         THOUGHT),
        ({"input": "Hi", "output": "Yo", "chain_of_thought": "Hm.", "reasoning": "Hm."},
         THOUGHT),
        ({"input": "Hi", "output": "Yo", "reasoning": ""}, HI),
    ],
    "multiple_choice": [
        ({"question": "Hi", "choices": CHOICES, "answer": 1}, CHOSEN),
        ({"question": "Hi", "choices": CHOICES, "answer": "b"}, CHOSEN),
        ({"question": "Hi", "choices": CHOICES, "answer": "Blue"}, CHOSEN),
        ({"question": "Hi", "choices": CHOICES, "solution": "blue"}, CHOSEN),
        ({"question": "Hi", "options": CHOICES, "answer": "1", "subject": "art"}, CHOSEN),
        ({"question": "Hi", "choices": {"text": CHOICES, "label": ["A", "B"]}, "answerKey": "B"},
         CHOSEN),
        ({"question": "Hi", "choices": {"text": CHOICES, "label": ["1", "2"]}, "answerKey": "2"},
         chat("Hi\n\n1. red\n2. blue", "2. blue")),
        ({"question": "Hi", "choices": CHOICES, "answer": 1, "explanation": "The sky is."},
         chat("Hi\n\nA. red\nB. blue", "The sky is.\n\nB. blue")),
        ({"question": "Hi", "choices": CHOICES, "explanation": "The sky is."},
         chat("Hi\n\nA. red\nB. blue", "The sky is.")),
    ],
    "translation": [({"translation": {"en": "Hi", "de": "Yo"}}, HI)],
    "self_instruct": [
        ({"name": "a", "instruction": "Hi", "instances": [{"input": "", "output": "Yo"}]}, HI),
    ],
    "segments": [
        ({"segments": [{"label": False, "text": "H"}, {"label": False, "text": "i"},
                       {"label": True, "text": "Yo"}]}, HI),
    ],
    "extractive_qa": [
        ({"id": "1", "title": "a", "context": "Once.", "question": "Hi", "answers": SPAN}, ABOUT),
        ({"context": "Once.", "question": "Hi", "answers": [{"text": "Yo"}]}, ABOUT),
    ],
    "squad": [
        ({"title": "a", "paragraphs": [{"context": "Once.", "qas": [
            {"question": "Hi", "id": "1", "answers": [{"text": "Yo", "answer_start": 1}]}]}]},
         ABOUT),
    ],
    "conversation_tree": [
        ({"id": 1, "parent_id": None, "instruction": "Hi", "output": "Yo"}, HI),
        ({"id": "a", "parent_id": "", "prompt": "Hi", "output": "Yo", "system": ""}, HI),
        ({"id": 1, "parent_id": 0, "prompt": "Hi", "completion": "Yo"}, HI),
    ],
    "gemini": [
        ({"contents": [{"role": "user", "parts": [{"text": "Hi"}]},
                       {"role": "model", "parts": [{"text": "Yo"}]}]}, HI),
        ({"systemInstruction": {"role": "system", "parts": [{"text": "Be."}]},
          "contents": [{"role": "user", "parts": [{"text": "Hi"}]},
                       {"role": "model", "parts": [{"text": "Yo"}]}]},
         Conversation(messages=said(("system", "Be."), ("user", "Hi"), ("assistant", "Yo")))),
    ],
    "api_log": [
        ({"request": {"model": "a", "messages": ASKED}, "response": {"choices": [
            {"index": 0, "message": {"role": "assistant", "content": "Yo"}}]}}, HI),
        ({"custom_id": "a", "body": {"messages": ASKED}, "response": {"status_code": 200, "body": {
            "choices": [{"message": {"role": "assistant", "content": "Yo"}}]}}}, HI),
    ],
    "bedrock": [
        ({"schemaVersion": "bedrock-conversation-2024", "system": [{"text": "Be."}], "messages": [
            {"role": "user", "content": [{"text": "Hi"}]},
            {"role": "assistant", "content": [{"text": "Yo"}]}]},
         Conversation(messages=said(("system", "Be."), ("user", "Hi"), ("assistant", "Yo")))),
        ({"schemaVersion": "bedrock-conversation-2024", "messages": [
            {"role": "user", "content": [{"text": "Hi"}]},
            {"role": "assistant", "content": [
                {"toolUse": {"toolUseId": "a", "name": "w", "input": {"b": 1}}}]},
            {"role": "user", "content": [
                {"toolResult": {"toolUseId": "a", "content": [{"text": "3"}]}}]},
            {"role": "assistant", "content": [{"text": "Yo"}]}]}, CALLED),
    ],
    "chatgpt": [
        ({"title": "a", "current_node": "c", "mapping": {
            "r": {"id": "r", "message": None, "parent": None, "children": ["b"]},
            "b": node("user", "Hi", "r", "c"), "c": node("assistant", "Yo", "b")}}, HI),
    ],
    "claude": [
        ({"uuid": "a", "name": "b", "chat_messages": [
            {"uuid": "c", "sender": "human", "text": "Hi", "content": [], "attachments": []},
            {"uuid": "d", "sender": "assistant", "text": "", "files": [],
             "content": [{"type": "thinking", "thinking": "Hm."}, {"type": "text", "text": "Yo"}]},
        ]}, THOUGHT),
    ],
    "entity_spans": [
        ({"text": "Hi Yo.", "entities": [{"start": 3, "end": 5, "label": "A"}]}, TAGGED),
        ({"id": 1, "text": "Hi Yo.", "label": [[3, 5, "A"]]}, TAGGED),
        ({"text": "Hi Yo.", "spans": [{"start": 3, "end": 5, "text": "Yo", "labels": ["A"]}]},
         TAGGED),
        ({"text": "Hi Yo.", "entities": [{"start_offset": 3, "end_offset": 5, "label": "A",
                                          "id": 4}], "relations": []}, TAGGED),
    ],
    "label_studio_entities": [
        ({"id": 1, "data": {"text": "Hi Yo."}, "annotations": [{"result": [
            {"type": "labels", "value": {"start": 3, "end": 5, "text": "Yo", "labels": ["A"]}},
        ]}]}, TAGGED),
    ],
    "label_studio_choices": [
        ({"id": 1, "data": {"text": "Hi"}, "annotations": [
            {"result": [{"type": "choices", "value": {"choices": ["a"]}}]}], "predictions": []},
         Classification(text="Hi", label="a")),
    ],
    "text": [
        ({"text": "Hi"}, Text(text="Hi")),
        ({"content": "Hi", "url": "a"}, Text(text="Hi")),
    ],
    "classification": [
        ({"text": "Hi", "label": 1}, Classification(text="Hi", label="1")),
        ({"text": "Hi", "label": "true"}, Classification(text="Hi", label="true")),
        ({"text": "Hi", "target": "a"}, Classification(text="Hi", label="a")),
        ({"premise": "Hi", "hypothesis": "Yo", "label": 0},
         Classification(text="Hi", pair="Yo", label="0")),
        ({"question1": "Hi", "question2": "Yo", "label": "x"},
         Classification(text="Hi", pair="Yo", label="x")),
    ],
    "multi_label": [
        ({"text": "Hi", "labels": ["a", "b"]},
         MultiLabelClassification(text="Hi", labels=["a", "b"])),
    ],
    "label_columns": [
        ({"text": "Hi", "a": 1, "b": 0}, MultiLabelClassification(text="Hi", labels=["a"])),
    ],
    "regression": [
        ({"text": "Hi", "label": 0.5}, Regression(text="Hi", score=0.5)),
        ({"text": "Hi", "score": 0.5}, Regression(text="Hi", score=0.5)),
        ({"sentence1": "Hi", "sentence2": "Yo", "score": 3.5},
         Regression(text="Hi", pair="Yo", score=3.5)),
    ],
    "token_classification": [
        ({"tokens": ["Hi"], "tags": ["O"]}, TokenLabels(tokens=["Hi"], tags=["O"])),
        ({"tokens": ["Hi"], "ner_tags": [2]}, TokenLabels(tokens=["Hi"], tags=["2"])),
        ({"sentence": "Hi Yo", "word_labels": "O,B-A"},
         TokenLabels(tokens=["Hi", "Yo"], tags=["O", "B-A"])),
        ({"text": "Hi Yo", "labels": "O B-A"},
         TokenLabels(tokens=["Hi", "Yo"], tags=["O", "B-A"])),
    ],
    "preference": [
        ({"prompt": "Hi", "chosen": "Yo", "rejected": "No"}, PREFERRED),
        ({"prompt": "Hi", "chosen": ASKED + GOOD, "rejected": ASKED + POOR, "score_chosen": 1.5},
         PREFERRED),
        ({"input": {"messages": ASKED, "tools": [], "parallel_tool_calls": True},
          "preferred_output": GOOD, "non_preferred_output": POOR}, PREFERRED),
        ({"prompt": "Hi", "chosen_response": "Yo", "rejected_answer": "No",
          "rejected_prompt": "Hi"}, PREFERRED),
        ({"prompt": "Hi", "text": "Yo", "rejected_text": "No"}, PREFERRED),
        ({"messages": ASKED + GOOD, "rejected_response": "No"}, PREFERRED),
        ({"conversations": [HUMAN], "chosen": GPT, "rejected": {"from": "gpt", "value": "No"}},
         PREFERRED),
    ],
    "ranked_answers": [
        ({"prompt": "Hi", "answers": [{"answer": "Hm", "rank": 2}, {"answer": "No", "rank": 3},
                                      {"answer": "Yo", "rank": 1, "model": "a"}]}, PREFERRED),
        ({"prompt": "\n\nHuman: Hi\n\nAssistant: ",
          "answers": [{"answer": "Yo", "rank": 1.0}, {"answer": "No", "rank": 7.0}]}, PREFERRED),
    ],
    "unpaired_preference": [
        ({"prompt": "Hi", "completion": "Yo", "label": True}, JUDGED),
        ({"prompt": ASKED, "completion": GOOD, "label": True}, JUDGED),
        ({"question": "Hi", "answer": "Yo", "label": 1}, JUDGED),
        ({"conversations": [HUMAN, GPT], "kto_tag": True}, JUDGED),
        ({"instruction": "Hi", "input": "", "output": "Yo", "kto_tag": True}, JUDGED),
    ],
    "stepwise": [
        ({"prompt": "Hi", "completions": ["Yo"], "labels": [True]}, JUDGED),
        ({"prompt": ASKED, "completions": ["One.", "Two."], "labels": [True, False]},
         UnpairedPreference(
             messages=ASKED, completion=said(("assistant", "One.\nTwo.")), desirable=False)),
    ],
}  # fmt: skip
"""By the format that reads it."""
