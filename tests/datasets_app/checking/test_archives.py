"""A ZIP archive with a file a split, uploaded."""

from __future__ import annotations

import io
from zipfile import ZipFile

from django.test import Client

from tests.datasets_app.conftest import Importer


def test_its_files_become_the_splits_of_one_data_set(
    upload: Importer, alice_client: Client
) -> None:
    file = io.BytesIO()
    with ZipFile(file, "w") as archive:
        for split, rows in (("test", 4), ("train", 30), ("dev", 5)):
            lines = "".join(f"What is {n} in {split}?,It is {n}.\n" for n in range(rows))
            archive.writestr(f"answers/{split}.csv", f"prompt,completion\n{lines}")
    version = upload(file.getvalue(), "answers.zip")
    assert (version.status, version.rows, version.bad_rows) == ("ready", 39, 0)
    assert version.facts["splits"] == {"train": 30, "validation": 5, "test": 4}
    page = alice_client.get(f"/datasets/{version.dataset_id}/findings/").content.decode()
    assert "Several files" in page
    assert "train: &#x27;answers/train.csv&#x27;" in page
