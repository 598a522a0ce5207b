"""The lines of a text are rows to a person, but are learned together."""

from tests.datasets_app.conftest import Importer


def test_a_text_is_trained_on_as_it_is(upload: Importer) -> None:
    version = upload("Once upon a time\nthere was a ruler.\n\nIt measured all.\n", "tale.txt")
    assert (version.status, version.rows) == ("ready", 3)
    assert version.training_path == version.source_path


def test_rows_of_a_table_are_trained_on_as_checked(upload: Importer) -> None:
    version = upload('{"text": "one line"}\n{"text": "another line"}\n')
    assert version.training_path == version.rows_path
