"""Unsupported data: told by its columns, to be refused and not mistaken."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from maxaillm.dev.finetune.data.rows.messages import ends_with_question
from maxaillm.dev.finetune.data.rows.values import METADATA, Row, all_columns, items_of
from maxaillm.dev.finetune.errors import DataError

ANSWERS = ("answer", "solution", "expected_output", "reference_code", "reference_answer")
"""With two of them, only the owner can tell which is the answer."""
PROMPTS = ("prompt", "messages", "turns", "instruction", "question", "query", "input")
ABOUT_PROMPTS = set(
    """
    category categories topic subject type difficulty level cluster dataset task task_id prompt_id
    question_id instruction_id instruction_id_list kwargs key reference language tags num_turns
    system
    """.split()  # noqa: SIM905
)
"""What stands beside the prompts of a benchmark and says nothing that could be learned."""
Columns = dict[str, list[Any]]
"""Name in small letters -> the values of the first rows, without nulls."""


class Kind(NamedTuple):
    """A family of datasets that no format reads, how to tell it, and what to do with it."""

    words: str
    keys: str
    is_kind: Callable[[Columns], bool]
    fix: str


UNANNOTATED = {
    "data", "annotations", "predictions", "drafts", "inner_id", "created_at", "updated_at",
    "project", "total_annotations", "file_upload",
}  # fmt: skip


def has(*names: str) -> Callable[[Columns], bool]:
    return lambda columns: columns.keys() >= set(names)


def has_any(columns: Columns, *names: str) -> bool:
    return not columns.keys().isdisjoint(names)


def is_tokenised(columns: Columns) -> bool:
    return "input_ids" in columns and not has_any(columns, "text", "content", "messages")


def is_bare_pair(columns: Columns) -> bool:
    """Two sentences that nothing is said about."""
    pairs = (("premise", "hypothesis"), ("sentence1", "sentence2"), ("question1", "question2"))
    labels = ("label", "target", "class", "score", "similarity", "rating", "category")
    is_labelled = any(name.endswith(labels) or name == "labels" for name in columns)
    return any(has(*pair)(columns) for pair in pairs) and not is_labelled


def is_for_vectors(columns: Columns) -> bool:
    triplets = (
        ("anchor", "positive"),
        ("query", "positive"),
        ("query", "pos"),
        ("query", "passage"),
    )
    return any(has(*names)(columns) for names in triplets)


def has_media(columns: Columns) -> bool:
    media = ("images", "image", "videos", "video", "audios", "audio")
    return has_any(columns, "messages", "conversations", "prompt") and any(
        holds(columns, name, is_filled) for name in media
    )


def is_filled(value: Any) -> bool:
    items = items_of(value)
    return bool(value) if items is None else bool(items)


def is_message_tree(columns: Columns) -> bool:
    """OpenAssistant's: a message a row; H2O's rows have a question and an answer."""
    return has("parent_id", "role")(columns) and has_any(columns, "text", "content")


def is_without_answers(columns: Columns) -> bool:
    """Prompts, and perhaps what a grader wants to know, but nothing to learn to say."""
    prompts = [name for name in PROMPTS if name in columns]
    if prompts == ["messages"] and not has_any(columns, *ANSWERS):
        return holds(columns, "messages", ends_with_question)
    about = METADATA | ABOUT_PROMPTS | set(PROMPTS)
    if set(prompts) <= {"question", "query", "input"}:
        about -= {"category", "topic", "type"}  # which may be what is to be learned of a question
    return bool(prompts) and columns.keys() <= about


def is_unannotated(columns: Columns) -> bool:
    """Tasks of Label Studio that hold nothing but the data."""
    is_task = columns.keys() <= METADATA | UNANNOTATED
    is_done = any(columns.get("annotations", ()))
    return is_task and not is_done and holds(columns, "data", lambda data: isinstance(data, dict))


BATCH_JOIN = (
    "Join requests and results by custom_id: a row for each, with body (of the request) and "
    "response (of the result), is read as it is."
)


def is_batch_request(columns: Columns) -> bool:
    """OpenAI's, or Anthropic's with params."""
    is_answered = has_any(columns, "response", "result")
    return "custom_id" in columns and has_any(columns, "body", "params") and not is_answered


def is_batch_result(columns: Columns) -> bool:
    is_answered = has_any(columns, "response", "result")
    return "custom_id" in columns and is_answered and not has_any(columns, "body", "params")


def is_long_table(columns: Columns) -> bool:
    """A word a row, with the number of its sentence, as a table on Kaggle has it."""
    return has_any(columns, "word", "token") and has_any(columns, "sentence #", "sentence_id")


def has_labelled_lines(columns: Columns) -> bool:
    return columns.keys() == {"text"} and holds(
        columns, "text", lambda text: isinstance(text, str) and text.startswith("__label__")
    )


KINDS = (
    Kind(
        "requests of a batch",
        "custom_id and body or params",
        is_batch_request,
        f"They hold questions only. {BATCH_JOIN}",
    ),
    Kind(
        "results of a batch",
        "custom_id and response or result",
        is_batch_result,
        f"They hold answers only. {BATCH_JOIN}",
    ),
    Kind(
        "a chatbot's intents",
        "tag, patterns and responses",
        has("tag", "patterns"),
        "Write a row for each pattern: text and label, the tag; or prompt and completion, one of "
        "the responses.",
    ),
    Kind(
        "words in a long table",
        "a word and the number of its sentence in each row",
        is_long_table,
        "Write each word on a line with its tag, and an empty line between sentences (CoNLL).",
    ),
    Kind(
        "fastText's lines",
        "__label__ before the text",
        has_labelled_lines,
        "Write a table with the columns text and label; several labels with a comma between them.",
    ),
    Kind(
        "annotations of images (VGG Image Annotator)",
        "file_attributes or _via_img_metadata",
        lambda columns: has_any(columns, "_via_img_metadata", "file_attributes"),
        "Only text is learned. If regions hold text, write it into a column named text.",
    ),
    Kind(
        "tasks that nobody has annotated",
        "data, and no annotations",
        is_unannotated,
        "Annotate them in Label Studio, and export them as JSON once more.",
    ),
    Kind(
        "pre-tokenised data",
        "input_ids",
        is_tokenised,
        "The numbers are pieces of text for one tokenizer alone. Upload the texts that they were "
        "made from; training cuts them up itself.",
    ),
    Kind(
        "pairs of sentences without a label",
        "two sentences in each row",
        is_bare_pair,
        "Add a column with the label or the score of each pair.",
    ),
    Kind(
        "embedding data",
        "an anchor or a query, and what is close to it",
        is_for_vectors,
        "Nothing here trains a model of vectors. Pairs with a score can be learned: name the "
        "columns sentence1, sentence2 and score.",
    ),
    Kind(
        "chat with images, video or sound",
        "a column of media beside the messages",
        has_media,
        "Only text is learned. Remove the rows that need the media, and the column.",
    ),
    Kind(
        "a tree of single messages",
        "parent_id and role",
        is_message_tree,
        "Write a row for each chat: messages, a list of {role, content}.",
    ),
)
"""Refused before any format looks at them: one may take a part for the whole."""
WITHOUT_ANSWERS = Kind(
    "prompts without answers, a prompt set",
    "questions that nothing answers",
    is_without_answers,
    "Nothing can be learned from questions alone. Ask them in the playground or as the sample "
    "prompts of a run; to train, add a column named completion with the answer to each.",
)


def refuse_unsupported(sample: Sequence[Row]) -> None:
    """Raise DataError where `sample` is a kind of data that would be learned wrongly."""
    refuse(sample, KINDS)


def refuse_unanswered(sample: Sequence[Row]) -> None:
    """Raise DataError where `sample`, which no format reads, is nothing but prompts."""
    refuse(sample, [WITHOUT_ANSWERS])


def refuse(sample: Sequence[Row], kinds: Sequence[Kind]) -> None:
    columns = columns_of(sample)
    kind = next((kind for kind in kinds if kind.is_kind(columns)), None)
    if kind is not None:
        raise DataError(
            f"This looks like {kind.words} ({kind.keys}), which no format reads.",
            f"{kind.fix} Or choose the columns yourself.",
            code="unsupported_format",
        )


def columns_of(sample: Sequence[Row]) -> Columns:
    return {
        name.strip().lower(): [row[name] for row in sample if row.get(name) is not None]
        for name in all_columns(sample)
    }


def holds(columns: Columns, name: str, test: Callable[[Any], bool]) -> bool:
    """Whether most values of a column pass `test`."""
    values = columns.get(name, [])
    return bool(values) and sum(bool(test(value)) for value in values) * 2 >= len(values)
