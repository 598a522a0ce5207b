"""Snippets that ask a deployment, in curl, Python and JavaScript; each works when pasted."""

from __future__ import annotations

from typing import NamedTuple

from jobs.models import LanguageModel

CURL = """curl {url}/{call} \\
  -H "Authorization: Bearer $MAXFT_KEY" \\
  -H "Content-Type: application/json" \\
  -d '{{"model": "{name}",
       {body}}}'
"""
PYTHON = """import os

from openai import OpenAI

client = OpenAI(base_url="{url}", api_key=os.environ["MAXFT_KEY"])
answer = client.{method}(model="{name}", {arguments})
print({shown})
"""
PYTHON_PLAIN = """import json
import os
import urllib.request

request = urllib.request.Request(
    "{url}/{call}",
    json.dumps({{"model": "{name}", {body}}}).encode(),
    {{"Authorization": "Bearer " + os.environ["MAXFT_KEY"], "Content-Type": "application/json"}},
)
print(json.load(urllib.request.urlopen(request))["data"][0])
"""
JAVASCRIPT = """fetch("{url}/{call}", {{
  method: "POST",
  headers: {{
    Authorization: `Bearer ${{process.env.MAXFT_KEY}}`,
    "Content-Type": "application/json",
  }},
  body: JSON.stringify({{ model: "{name}", {fields} }}),
}})
  .then((response) => response.json())
  .then((answer) => console.log({shown_js}));
"""
CHAT = {
    "call": "chat/completions",
    "method": "chat.completions.create",
    "body": '"messages": [{"role": "user", "content": "Hello!"}]',
    "arguments": 'messages=[{"role": "user", "content": "Hello!"}]',
    "fields": 'messages: [{ role: "user", content: "Hello!" }]',
    "shown": "answer.choices[0].message.content",
    "shown_js": "answer.choices?.[0].message.content ?? answer",
}
EMBED = {
    "call": "embeddings",
    "method": "embeddings.create",
    "body": '"input": "Hello!"',
    "arguments": 'input="Hello!"',
    "fields": 'input: "Hello!"',
    "shown": "answer.data[0].embedding",
    "shown_js": "answer.data?.[0].embedding ?? answer",
}
JUDGE = EMBED | {"call": "classify", "shown_js": "answer.data?.[0] ?? answer"}


class Snippet(NamedTuple):
    language: str
    word: str
    text: str


def snippets_of(name: str, url: str, model: LanguageModel | None) -> list[Snippet]:
    """For what the model does: it writes, judges texts, or turns them into vectors."""
    card = model.card if model else None
    call = CHAT if card is None or card.writes else EMBED if is_encoder(card.task) else JUDGE
    facts = {"name": name, "url": url, **call}
    python = PYTHON_PLAIN if call is JUDGE else PYTHON
    return [
        Snippet("curl", "curl", CURL.format(**facts)),
        Snippet("python", "Python", python.format(**facts)),
        Snippet("javascript", "JavaScript", JAVASCRIPT.format(**facts)),
    ]


def is_encoder(task: str) -> bool:
    return task == "masked_lm"
