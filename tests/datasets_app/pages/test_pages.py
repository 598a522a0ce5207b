"""The pages: who sees what, states, rows, findings, downloads, deleting."""

from __future__ import annotations

import csv
import io
import json

import pytest
from asgiref.sync import async_to_sync
from django.contrib.auth.models import User
from django.test import AsyncClient, Client
from django.urls import reverse

from datasets_app.models import Dataset, DatasetVersion
from datasets_app.services import ensure_samples, purge_datasets
from datasets_app.urls import urlpatterns
from jobs.models import Run
from tests.conftest import FakeQueue
from tests.datasets_app.conftest import QUESTIONS, Importer
from tests.downloads import whole

pytestmark = pytest.mark.usefixtures("checked_here")

ONE_DATASET = [str(route.name) for route in urlpatterns if "<int:pk>" in str(route.pattern)]
WRITING = {"dataset-check", "dataset-delete", "dataset-restore", "mapping"}
FORMULAS = "text,label\n" + "".join(f"row {i},yes\nno {i},no\n" for i in range(5))


def address(name: str, version: DatasetVersion) -> str:
    which = ["trim"] if name == "change" else []
    return reverse(f"datasets:{name}", args=[version.dataset_id, *which])


@pytest.mark.parametrize("name", ONE_DATASET)
@pytest.mark.parametrize("method", ["get", "post"])
def test_another_users_dataset_is_not_there(
    name: str, method: str, upload: Importer, bob_client: Client
) -> None:
    version = upload()
    url = address(name, version)
    response = getattr(bob_client, method)(url)
    assert response.status_code in {404, 405}
    assert not Dataset.objects.exclude(deleted=None).exists()
    if response.status_code == 404:
        missing = getattr(bob_client, method)(url.replace(str(version.dataset_id), "999", 1))
        assert missing.status_code == 404


@pytest.mark.parametrize("name", ONE_DATASET)
def test_visitors_are_asked_to_sign_in(name: str, upload: Importer, client: Client) -> None:
    response = client.get(address(name, upload()))
    assert response.status_code == 302
    assert response["Location"].startswith(reverse("web:login"))


@pytest.mark.parametrize("name", sorted(WRITING))
def test_nobody_changes_the_sample(name: str, alice_client: Client, queue: FakeQueue) -> None:
    sample = ensure_samples()
    url = reverse(f"datasets:{name}", args=[sample.dataset_id])
    assert alice_client.post(url).status_code == 404
    page = alice_client.get(sample.dataset.get_absolute_url())
    assert "Train on it" in page.content.decode()


def test_the_list_names_state_and_counts(upload: Importer, alice_client: Client) -> None:
    empty = alice_client.get("/datasets/").content.decode()
    assert "No data yet" in empty
    upload(QUESTIONS + "{oops", "first.jsonl")
    upload("text,label\n", "second.csv")
    body = alice_client.get("/datasets/").content.decode()
    assert all(word in body for word in ("first", "second", "Ready", "Not usable"))
    found = alice_client.get("/datasets/", {"q": "firs"}).content.decode()
    assert "second.csv" not in found
    none = alice_client.get("/datasets/", {"q": "third"}).content.decode()
    assert "No dataset matches" in none


def test_rows_are_paged_and_found_by_number(upload: Importer, alice_client: Client) -> None:
    url = upload("{oops\n" + QUESTIONS).dataset.get_absolute_url()
    first = alice_client.get(url).content.decode()
    assert "1 to 10 of 25 rows" in first
    assert 'id="row-2"' in first
    jumped = alice_client.get(url, {"row": "14"}).content.decode()
    assert "11 to 20 of 25 rows" in jumped
    for odd in ("0", "-1", "x", "999999999999999", "99999999999999999999", "²"):
        assert alice_client.get(url, {"row": odd, "page": odd}).status_code == 200


def test_each_kind_of_row_has_its_view(upload: Importer, alice_client: Client) -> None:
    chat = upload(
        '{"messages": [{"role": "user", "content": "hi"}, {"role": "assistant", "content": "ho"}]}',
        "a.jsonl",
    )
    text = upload("Once upon a time.\n\nThere was a king.\n", "a.txt")
    label = upload(FORMULAS, "a.csv")
    pages = [
        alice_client.get(v.dataset.get_absolute_url()).content.decode() for v in (chat, text, label)
    ]
    assert 'data-role="assistant" data-trained' in pages[0]
    assert "There was a king." in pages[1]
    assert '<span class="tag">yes</span>' in pages[2]


@pytest.mark.parametrize(
    ("row", "seen"),
    [
        ({"prompt": "Hi", "chosen": "Hello", "rejected": "No"}, ["Chosen", "Rejected", "Hello"]),
        ({"prompt": "Hi", "completion": "No", "label": False}, ["Undesirable", "Hi", "No"]),
        ({"text": "Fine.", "score": 4.25}, ["Fine.", '<span class="tag">4.25</span>']),
        ({"premise": "It rains.", "hypothesis": "It is dry.", "label": "contradiction"},
         ["It rains.", "Text 2", "It is dry.", '<span class="tag">contradiction</span>']),
        ({"text": "Fine.", "labels": ["new", "<b>"]}, ['"tag">new<', '"tag">&lt;b&gt;<']),
        ({"text": "Fine.", "labels": []}, ["no label"]),
        ({"tokens": ["Ann", "Lee", "met", "Bo"], "tags": ["B-PER", "I-PER", "O", "B-PER"]},
         ['<mark>Ann Lee<span class="span-tag">PER</span></mark> met <mark>Bo<']),
        ({"tokens": ["a", "dog"], "tags": ["DET", "NOUN"]}, ['"span-tag">DET<', "<mark>dog<"]),
        ({"tokens": ["w"] * 400, "tags": ["O"] * 400}, ["… (400 words in all)"]),
    ],
)  # fmt: skip
def test_rows_of_every_task_have_their_view(
    row: dict[str, object], seen: list[str], upload: Importer, alice_client: Client
) -> None:
    version = upload(json.dumps(row) + "\n", "a.jsonl")
    page = " ".join(alice_client.get(version.dataset.get_absolute_url()).content.decode().split())
    assert [words for words in seen if words not in page] == []


def test_findings_are_grouped_filtered_and_paged(upload: Importer, alice_client: Client) -> None:
    version = upload(QUESTIONS * 3 + "{oops\n" * 2, "a.jsonl")
    url = f"{version.dataset.get_absolute_url()}findings/"
    body = alice_client.get(url).content.decode()
    assert "Duplicates: 50 rows" in body
    assert "1 to 50 of 52 findings" in body
    bad = version.findings.filter(level="bad").first()
    assert bad is not None
    only = alice_client.get(url, {"code": bad.code}).content.decode()
    assert "This row is the same as row 1." not in only.split("By kind")[0]


def test_findings_leave_as_a_table_without_formulas(upload: Importer, alice_client: Client) -> None:
    version = upload(FORMULAS + '"=HYPERLINK(""http://x"")",\n+1,\n@a,\n-b,\n"\tc",\n', "a.csv")
    response = alice_client.get(f"{version.dataset.get_absolute_url()}findings.csv")
    assert response["Content-Disposition"].startswith("attachment")
    rows = list(csv.reader(io.StringIO(whole(response).decode())))
    assert len(rows) == 1 + version.findings.count()
    assert not [cell for row in rows for cell in row if cell.startswith(tuple("=+-@\t\r"))]


def test_the_original_is_only_ever_saved(upload: Importer, alice: User) -> None:
    content = b"<svg onload=alert(1)>\n" + QUESTIONS.encode()
    version = upload(content, 'evil".svg')

    async def fetch() -> tuple[dict[str, str], bytes]:
        client = AsyncClient()
        await client.aforce_login(alice)
        response = await client.get(reverse("datasets:dataset-download", args=[version.dataset_id]))
        return dict(response.headers), b"".join([piece async for piece in response])

    headers, body = async_to_sync(fetch)()
    assert body == content
    assert headers["Content-Type"] == "application/octet-stream"
    assert headers["Content-Disposition"].startswith("attachment")
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Content-Security-Policy"] == "sandbox"


def test_the_status_part_polls_until_the_check_is_over(
    upload: Importer, alice_client: Client
) -> None:
    version = upload()
    url = reverse("datasets:dataset-status", args=[version.dataset_id])
    assert alice_client.get(url)["HX-Refresh"] == "true"
    version.status, version.progress = "checking", 0.5
    version.save()
    assert "50 %" in alice_client.get(url).content.decode()
    assert (
        'hx-trigger="every' in alice_client.get(version.dataset.get_absolute_url()).content.decode()
    )


def test_without_javascript_a_form_takes_files_and_text(
    alice_client: Client, queue: FakeQueue
) -> None:
    files = [io.BytesIO(QUESTIONS.encode()) for _ in range(2)]
    files[0].name, files[1].name = "one.jsonl", "two.jsonl"
    assert alice_client.post("/datasets/new/", {"files": files}).status_code == 302
    pasted = alice_client.post("/datasets/new/", {"text": QUESTIONS, "name": "Pasted"})
    queue.work()
    names = set(Dataset.objects.values_list("name", flat=True))
    assert names == {"one", "two", "Pasted"}
    assert {dataset.newest.rows for dataset in Dataset.objects.all()} == {25}
    assert pasted["Location"] == Dataset.objects.get(name="Pasted").get_absolute_url()
    nothing = alice_client.post("/datasets/new/", {"text": "  "})
    assert nothing.status_code == 400
    assert "Choose a file or paste rows." in nothing.content.decode()


def test_deleting_is_refused_while_runs_use_it(
    upload: Importer, alice: User, alice_client: Client
) -> None:
    version = upload()
    run = Run.objects.create(owner=alice, name="tuning", config={}, dataset=version)
    url = f"{version.dataset.get_absolute_url()}delete/"
    assert str(run) in alice_client.get(url).content.decode()
    refused = alice_client.post(url)
    assert refused.status_code in {400, 409}
    assert str(run) in refused.content.decode()
    assert alice_client.get(version.dataset.get_absolute_url()).status_code == 200
    used = alice_client.get(f"{version.dataset.get_absolute_url()}runs/").content.decode()
    assert str(run) in used


def test_deleting_can_be_undone_and_is_final_after_a_week(
    upload: Importer, alice_client: Client
) -> None:
    version = upload()
    url = version.dataset.get_absolute_url()
    listed = alice_client.post(f"{url}delete/", follow=True)
    assert "is deleted" in listed.content.decode()
    assert alice_client.get(url).status_code == 404
    assert alice_client.post(f"{url}restore/", follow=True).status_code == 200
    assert alice_client.get(url).status_code == 200

    alice_client.post(f"{url}delete/")
    assert purge_datasets() == 0
    deleted = Dataset.objects.get()
    assert deleted.deleted is not None
    deleted.deleted = deleted.deleted.replace(year=deleted.deleted.year - 1)
    deleted.save()
    assert purge_datasets() == 1
    assert not version.root.exists()
