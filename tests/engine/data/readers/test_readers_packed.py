"""Packed files: told by their content, unpacked piece by piece, refused with a reason."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import random
import sys
from zipfile import ZIP_BZIP2, ZIP_DEFLATED, ZIP_LZMA, ZIP_STORED, ZipFile

import pytest

from maxaillm.dev.finetune.data.readers import open_records, packing
from maxaillm.dev.finetune.errors import DataError
from tests.engine.data.files import error_of, json_lines, read

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

ROWS = [{"text": f"Größe {n}", "label": str(n % 3)} for n in range(300)]
LINES = json_lines(ROWS).encode()
TABLE = ("text,label\n" + "".join(f"{row['text']},{row['label']}\n" for row in ROWS)).encode()
PACK = {"gzip": gzip.compress, "bzip2": bz2.compress, "xz": lzma.compress,
        "Zstandard": zstd.compress}  # fmt: skip
every_packing = pytest.mark.parametrize("words", PACK)


def archive(members: dict[str, bytes], method: int = ZIP_DEFLATED) -> bytes:
    file = io.BytesIO()
    with ZipFile(file, "w", method) as found:
        for name, content in members.items():
            found.writestr(name, content)
    return file.getvalue()


@every_packing
@pytest.mark.parametrize("content", [LINES, TABLE, TABLE.decode().encode("utf-16")])
@pytest.mark.parametrize("name", ["rows.gz", "upload", "rows.csv.zst"])
def test_packed_files_are_told_by_their_content(tmp_path, words, content, name):
    path = tmp_path / name
    path.write_bytes(PACK[words](content))
    assert open_records(path, name="rows.csv." + words).packing == words
    assert read(path) == (ROWS, [])


@pytest.mark.parametrize("suffix", [".gz", ".bz2", ".xz", ".zst"])
def test_the_inner_name_counts(tmp_path, suffix):
    pack = dict(zip((".gz", ".bz2", ".xz", ".zst"), PACK.values(), strict=True))[suffix]
    path = tmp_path / f"rows.tsv{suffix}"
    path.write_bytes(pack(b"greeting\tkind\nhello there\tx\nbye now\ty\nhi you\tz\n"))
    assert open_records(path).columns == ("greeting", "kind")


@pytest.mark.parametrize("method", [ZIP_STORED, ZIP_DEFLATED, ZIP_BZIP2, ZIP_LZMA])
def test_the_one_file_of_a_zip_archive(tmp_path, method):
    path = tmp_path / "rows"
    litter = {"__MACOSX/a/._rows.csv": b"x", "a/.DS_Store": b"x", "a/Thumbs.db": b"x"}
    path.write_bytes(archive({"a/sürprise (1).csv": TABLE} | litter, method))
    records = open_records(path)
    assert (records.packing, records.notes) == ("ZIP", ())
    assert read(path) == (ROWS, [])


def test_a_readme_beside_the_data_is_left_aside_and_told(tmp_path):
    path = tmp_path / "rows.zip"
    path.write_bytes(archive({"SMSCollection": b"ham\tHello you\nspam\tWin now\n", "readme": b"x"}))
    (note,) = open_records(path).notes
    assert note.code == "left_aside"
    assert "'SMSCollection'" in note.message
    assert "'readme'" in note.message
    assert len(read(path).rows) == 2


@every_packing
def test_several_parts_one_after_the_other(tmp_path, words):
    path = tmp_path / "rows.jsonl.packed"
    path.write_bytes(PACK[words](LINES) + PACK[words](LINES))
    assert read(path).rows == ROWS * 2


@pytest.mark.parametrize(
    ("members", "code", "words"),
    [
        ({}, "not_one_file", "no data file"),
        ({"folder/": b""}, "not_one_file", "no data file"),
        ({"a.csv": TABLE, "b.csv": TABLE}, "not_one_file", "2 files: 'a.csv', 'b.csv'"),
        ({f"{n}.csv": TABLE for n in range(9)}, "not_one_file", "and 4 more"),
        ({"a.csv.gz": gzip.compress(TABLE)}, "nested_archive", "another archive, 'a.csv.gz'"),
        ({"a.zip": archive({"a.csv": TABLE})}, "nested_archive", "another archive"),
        ({"word/document.xml": b"x", "[Content_Types].xml": b"x"}, "unsupported_file", "Word"),
        ({"a.png": b"\x89PNG\r\n\x1a\n"}, "unsupported_file", "PNG"),
        ({"a.csv": b""}, "empty_file", "empty"),
    ],
)
def test_archives_without_one_data_file_are_refused(tmp_path, members, code, words):
    path = tmp_path / "a.zip"
    path.write_bytes(archive(members))
    error = error_of(path)
    assert error.code == code
    assert words in error.message
    assert error.hint


def test_an_encrypted_member_is_refused(tmp_path):
    content = bytearray(archive({"a.csv": TABLE}))
    for signature, flags in ((b"PK\3\4", 6), (b"PK\1\2", 8)):
        content[content.index(signature) + flags] |= 1
    path = tmp_path / "a.zip"
    path.write_bytes(content)
    error = error_of(path)
    assert error.code == "encrypted"
    assert "'a.csv'" in error.message


def test_a_tar_in_gzip_is_refused(tmp_path):
    path = tmp_path / "a.tar.gz"
    path.write_bytes(gzip.compress(b"a.csv".ljust(257, b"\0") + b"ustar" + bytes(300)))
    assert "TAR" in error_of(path).message


@every_packing
@pytest.mark.parametrize("share", [0.2, 0.6, 0.97])
def test_a_file_that_is_cut_off_is_refused_in_a_sentence(tmp_path, words, share):
    text = "".join(random.Random(0).choices("abcdefghij \n", k=400_000))
    packed = PACK[words](text.encode())
    path = tmp_path / "a.txt.packed"
    path.write_bytes(packed[: int(len(packed) * share)])
    error = error_of(path)
    assert error.code == "broken_archive"
    assert words in error.message
    assert "ends too early" in error.message


@pytest.mark.parametrize("words", [*PACK, "ZIP"])
def test_any_damage_is_refused_or_read(tmp_path, words):
    pack = PACK.get(words) or (lambda content: archive({"a.jsonl": content}))
    packed, dice, path = pack(LINES), random.Random(words), tmp_path / "a.jsonl"
    codes = set()
    for _ in range(150):
        damaged = bytearray(packed)
        for _ in range(dice.randrange(1, 4)):
            damaged[dice.randrange(len(damaged))] = dice.randrange(256)
        path.write_bytes(damaged)
        try:
            list(open_records(path))
        except DataError as error:
            codes.add(error.code)
            assert error.message.endswith(".")
    assert "broken_archive" in codes


@every_packing
def test_bombs_are_refused_before_they_go_off(tmp_path, words, monkeypatch):
    monkeypatch.setattr(packing, "FREE_BYTES", 50_000)
    monkeypatch.setattr(packing, "MAX_RATIO", 20)
    path = tmp_path / "a.txt.packed"
    path.write_bytes(PACK[words](b"much the same text\n" * 60_000))
    error = error_of(path)
    assert error.code == "unpacked_too_large"
    monkeypatch.setattr(packing, "FREE_BYTES", 10**9)
    assert len(read(path).rows) == 60_000


def test_the_progress_is_that_of_the_packed_file(tmp_path):
    path = tmp_path / "a.jsonl.gz"
    dice = random.Random(0)
    rows = [{"text": f"{dice.getrandbits(800):0200x}"} for _ in range(20_000)]
    path.write_bytes(gzip.compress(json_lines(rows).encode()))
    records = open_records(path)
    shares = [records.progress() for _ in records]
    assert shares == sorted(shares)
    assert 0 < shares[0] < 0.3
    assert 0.4 < shares[10_000] < 0.8
    assert shares[-1] == 1
