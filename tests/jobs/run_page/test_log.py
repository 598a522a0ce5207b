"""The end of a log: searched literally, bounded, cleaned; the whole as a download."""

from asgiref.sync import async_to_sync
from django.contrib.auth.models import User
from django.http import StreamingHttpResponse
from django.test import AsyncClient, Client
from django.urls import reverse

from jobs.models import Run
from jobs.run_page.log import TAIL_BYTES, TAIL_LINES, tail_of
from tests.jobs.runs import make_run


def write_log(run: Run, text: str | bytes) -> None:
    folder = run.attempt_folder(run.attempt)
    folder.root.mkdir(parents=True, exist_ok=True)
    folder.log.write_bytes(text.encode() if isinstance(text, str) else text)


def test_a_run_without_a_log_has_no_lines(alice: User) -> None:
    assert tail_of(make_run(alice)).lines == []


def test_the_end_is_read_whatever_the_length(alice: User) -> None:
    run = make_run(alice)
    write_log(run, "".join(f"line {number}\n" for number in range(100_000)))
    tail = tail_of(run)
    assert tail.lines[-1] == "line 99999"
    assert len(tail.lines) == TAIL_LINES
    assert tail.size_bytes > TAIL_BYTES
    assert not tail.is_whole


def test_words_are_searched_literally(alice_client: Client, alice: User) -> None:
    run = make_run(alice)
    write_log(run, "loss (.+)+Q here\nother\n")
    page = alice_client.get(reverse("jobs:run-log", args=[run.pk]), {"q": "(.+)+q"})
    assert "(.+)+Q here" in page.text
    assert "other" not in page.text
    assert "No line holds" in alice_client.get(page.request["PATH_INFO"], {"q": "zz"}).text


def test_bars_colours_and_turning_marks_are_cleaned(alice: User) -> None:
    run = make_run(alice)
    write_log(run, "10 %\r50 %\r100 %\n\x1b[1;31mred\x1b[0m \u202egnp.exe\n")
    assert tail_of(run).lines == ["100 %", "red gnp.exe"]


def test_events_read_as_sentences(alice: User) -> None:
    run = make_run(alice)
    write_log(run, '{"seq":1,"kind":"log","step":1200,"time":0,"data":{"loss":1.18345}}\n{"a":1}\n')
    assert tail_of(run).lines == ["00:00:00  log         step 1,200  loss 1.183", '{"a":1}']


def test_an_event_of_an_unknown_kind_reads_as_a_sentence_too(alice: User) -> None:
    run = make_run(alice)
    write_log(
        run, '{"seq":1,"kind":"gpu","time":0,"data":{"fan":2048,"is_hot":true,"at":"a\\nb"}}\n'
    )
    assert tail_of(run).lines == ["00:00:00  gpu         fan 2,048  is_hot True  at a b"]


def test_the_whole_log_is_downloaded_by_its_owner(alice: User, bob: User) -> None:
    run = make_run(alice)
    write_log(run, "first\nlast\n")
    address = reverse("jobs:run-log-file", args=[run.pk])

    async def fetch(user: User) -> tuple[int, bytes]:
        client = AsyncClient()
        await client.aforce_login(user)
        answer = await client.get(address)
        if not isinstance(answer, StreamingHttpResponse):
            return answer.status_code, b""
        return answer.status_code, b"".join([chunk async for chunk in answer])

    assert async_to_sync(fetch)(alice) == (200, b"first\nlast\n")
    assert async_to_sync(fetch)(bob)[0] == 404


def test_the_api_gives_each_line_once_while_the_log_grows(
    alice: User, bob: User, alice_client: Client, bob_client: Client
) -> None:
    run = make_run(alice, attempt=1, status="running")
    address = f"/api/v1/runs/{run.pk}/log"
    assert alice_client.get(address).json()["lines"] == []
    lines = [f"line {n} ä" for n in range(200)]
    whole = "\n".join(lines).encode() + b"\n"
    found: list[str] = []
    after = 0
    for end in range(1, len(whole) + 200, 97):  # cut anywhere, within a line or a character
        write_log(run, whole[:end])
        part = alice_client.get(address, {"attempt": 1, "after": after}).json()
        found += part["lines"]
        after = part["next"]
    assert found == lines
    assert after == len(whole) == part["size_bytes"]
    assert alice_client.get(address, {"after": 2**40}).json()["lines"] == []
    assert bob_client.get(address).status_code == 404
    write_log(run, b"x" * (TAIL_BYTES + 10))
    part = alice_client.get(address).json()
    assert part["next"] == TAIL_BYTES
    write_log(run, b"all\nnearly")
    assert alice_client.get(address).json()["lines"] == ["all"]
    Run.objects.filter(pk=run.pk).update(status="failed")
    assert alice_client.get(address).json()["lines"] == ["all", "nearly"]
