"""What is kept of chats: branches, files, presets, prompt sets."""

from __future__ import annotations

import json

import pytest
from django.urls import reverse

from jobs.models import Answer, ChatPreset, Conversation, PromptSet
from jobs.services import playground

pytestmark = pytest.mark.django_db
SETS = reverse("jobs:prompt-sets")


@pytest.fixture
def chat(alice, base):
    made = playground.start_conversation(
        owner=alice, models=[base], title="Colours?", system_prompt="Be brief."
    )
    for turn, question in enumerate(["Red?", "Blue?"]):
        for column in range(2):
            Answer.objects.create(
                conversation=made, turn=turn, column=column, question=question, model=base,
                text=f"{question} <b>{column}</b>", status="done",
            )  # fmt: skip
    return made


def test_a_branch_goes_on_from_a_turn_and_leaves_the_chat(alice_client, bob_client, chat):
    address = reverse("jobs:conversation-branch", args=[chat.pk, 0])
    assert bob_client.post(address).status_code == 404
    response = alice_client.post(address)
    copy = Conversation.objects.exclude(pk=chat.pk).get()
    assert response.url == copy.get_absolute_url()
    assert [(a.turn, a.column, a.text) for a in copy.answers.all()] == [
        (0, 0, "Red? <b>0</b>"), (0, 1, "Red? <b>1</b>"),
    ]  # fmt: skip
    assert copy.system_prompt == "Be brief."
    assert chat.answers.count() == 4


def test_no_branch_of_an_answer_that_is_being_written(alice_client, chat):
    chat.answers.filter(turn=1, column=1).update(status="streaming")
    response = alice_client.post(reverse("jobs:conversation-branch", args=[chat.pk, 1]))
    assert "still being written" in response.content.decode()
    assert Conversation.objects.count() == 1


def test_a_chat_as_files(alice_client, bob_client, chat):
    lines = reverse("jobs:conversation-file", args=[chat.pk, "jsonl"])
    assert bob_client.get(lines).status_code == 404
    response = alice_client.get(lines)
    assert response["Content-Disposition"] == 'attachment; filename="colours.jsonl"'
    rows = [json.loads(line)["messages"] for line in response.content.decode().splitlines()]
    roles = ["system", "user", "assistant", "user", "assistant"]
    assert [[turn["role"] for turn in row] for row in rows] == [roles, roles]
    assert [row[-1]["content"] for row in rows] == ["Blue? <b>0</b>", "Blue? <b>1</b>"]
    text = alice_client.get(reverse("jobs:conversation-file", args=[chat.pk, "md"]))
    assert "## You\n\nRed?" in text.content.decode()
    assert alice_client.get(lines.replace("jsonl", "exe")).status_code == 404


def test_a_preset_is_kept_changed_and_shown(alice_client, bob_client, chat):
    form = {"preset_name": "  Calm ", "system_prompt": "Be calm.", "options-temperature": 0.2,
            "options-top_p": 0.5, "options-max_new_tokens": 9}  # fmt: skip
    save = reverse("jobs:chat-presets")
    response = alice_client.post(f"{save}?chat={chat.pk}", form)
    preset = ChatPreset.objects.get()
    assert response.url == f"{chat.get_absolute_url()}?preset={preset.pk}"
    page = alice_client.get(response.url).content.decode()
    assert "Be calm." in page
    assert 'value="0.2"' in page
    alice_client.post(save, form | {"system_prompt": "Be very calm."})
    assert ChatPreset.objects.get().system_prompt == "Be very calm."
    assert "very calm" not in bob_client.get(f"/playground/?preset={preset.pk}").content.decode()
    assert alice_client.post(save, form | {"preset_name": " "}).status_code == 400
    assert alice_client.post(save, form | {"options-temperature": 9}).status_code == 422
    delete = reverse("jobs:chat-preset-delete", args=[preset.pk])
    assert bob_client.post(delete).status_code == 404
    alice_client.post(delete)
    assert not ChatPreset.objects.exists()


def test_a_prompt_set_from_its_first_line_to_its_end(alice_client, bob_client, base):
    assert "No prompt sets yet" in alice_client.get(SETS).content.decode()
    assert alice_client.post(SETS, {"name": "Colours", "prompts": " \n\n"}).status_code == 422
    alice_client.post(SETS, {"name": "Colours", "prompts": "What is red?\n\n<b>Blue</b>?\n"})
    kept = PromptSet.objects.get()
    assert kept.prompts == ["What is red?", "<b>Blue</b>?"]
    again = alice_client.post(SETS, {"name": "Colours", "prompts": "x"})
    assert again.status_code == 422
    assert "Choose another name." in again.content.decode()
    assert 'data-prompt="&lt;b&gt;Blue' in alice_client.get("/playground/").content.decode()
    assert bob_client.get(kept.get_absolute_url()).status_code == 404
    assert "Colours" not in bob_client.get(SETS).content.decode()
    alice_client.post(kept.get_absolute_url(), {"name": "Colour", "prompts": "One"})
    kept.refresh_from_db()
    assert (kept.name, kept.prompts) == ("Colour", ["One"])
    alice_client.post(reverse("jobs:prompt-set-delete", args=[kept.pk]))
    assert not PromptSet.objects.exists()
