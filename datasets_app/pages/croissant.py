"""Croissant: a dataset described in JSON-LD, so that other programs find, load and cite it.

Words and shapes: the Croissant format specification 1.0 of MLCommons.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from typing import Any

from django.core.cache import cache
from django.http import HttpResponse

from datasets_app.models import DatasetVersion
from datasets_app.pages.row_lines import row_lines, rows_name
from maxft_site.web.serving.files import attachment

CONTEXT: dict[str, Any] = {
    "@language": "en",
    "@vocab": "https://schema.org/",
    "citeAs": "cr:citeAs",
    "column": "cr:column",
    "conformsTo": "dct:conformsTo",
    "cr": "http://mlcommons.org/croissant/",
    "rai": "http://mlcommons.org/croissant/RAI/",
    "data": {"@id": "cr:data", "@type": "@json"},
    "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
    "dct": "http://purl.org/dc/terms/",
    "equivalentProperty": "cr:equivalentProperty",
    "examples": {"@id": "cr:examples", "@type": "@json"},
    "extract": "cr:extract",
    "field": "cr:field",
    "fileProperty": "cr:fileProperty",
    "fileObject": "cr:fileObject",
    "fileSet": "cr:fileSet",
    "format": "cr:format",
    "includes": "cr:includes",
    "isLiveDataset": "cr:isLiveDataset",
    "jsonPath": "cr:jsonPath",
    "key": "cr:key",
    "md5": "cr:md5",
    "parentField": "cr:parentField",
    "path": "cr:path",
    "recordSet": "cr:recordSet",
    "references": "cr:references",
    "regex": "cr:regex",
    "repeated": "cr:repeated",
    "replace": "cr:replace",
    "samplingRate": "cr:samplingRate",
    "sc": "https://schema.org/",
    "separator": "cr:separator",
    "source": "cr:source",
    "subField": "cr:subField",
    "transform": "cr:transform",
}
CONFORMS_TO = "http://mlcommons.org/croissant/1.0"
ROWS, RECORDS = "rows", "records"
SAMPLED_LINES = 200
TEXT = "sc:Text"
TYPES = {bool: "sc:Boolean", int: "sc:Integer", float: "sc:Float"}
"""Of Python's values; everything else is written as text."""
DAY_SECONDS = 24 * 3600
NOTHING: Mapping[str, Any] = {}


def croissant(version: DatasetVersion, address: str) -> dict[str, Any]:
    """The description of a version that is ready. `address`: its page, for who finds the file."""
    dataset = version.dataset
    description: dict[str, Any] = {
        "@context": CONTEXT,
        "@type": "sc:Dataset",
        "conformsTo": CONFORMS_TO,
        "name": dataset.name,
        "description": f"{version.rows:,} rows that a model can be tuned on.",
        "url": address,
        "version": f"{version.number}.0.0",
        "datePublished": version.created.date().isoformat(),
        "distribution": list(files_of(version)),
        "recordSet": [record_set(version)],
    }
    license = (version.origin or {}).get("license")
    return description | ({"license": license} if license else {})


def croissant_file(version: DatasetVersion, address: str) -> HttpResponse:
    """The description, to be saved."""
    headers = {"Content-Disposition": attachment("croissant.json")}
    text = json.dumps(croissant(version, address), ensure_ascii=False, indent=1)
    return HttpResponse(text, content_type="application/ld+json", headers=headers)


def files_of(version: DatasetVersion) -> Iterator[dict[str, Any]]:
    """The rows; and the file that they came from, where there is one."""
    name, size, digest = rows_name(version), *measured(version)
    yield file_object(ROWS, name, size, digest, "application/jsonlines")
    if version.sha256:
        name, size, kind = version.file_name, version.size_bytes, "application/octet-stream"
        yield file_object("upload", name, size, version.sha256, kind)


def file_object(number: str, name: str, size: int, sha256: str, kind: str) -> dict[str, Any]:
    """`contentUrl` is the file's name: it lies beside the description."""
    return {
        "@type": "cr:FileObject",
        "@id": number,
        "name": name,
        "contentUrl": name,
        "contentSize": f"{size} B",
        "encodingFormat": kind,
        "sha256": sha256,
    }


def measured(version: DatasetVersion) -> tuple[int, str]:
    """Bytes and SHA-256 of the rows as they are downloaded; remembered, for they never change."""
    key = f"croissant-{version.pk}-{version.rows_sha256}"
    known: tuple[int, str] | None = cache.get(key)
    if known is None:
        digest, size = hashlib.sha256(), 0
        for piece in row_lines(version):
            digest.update(piece)
            size += len(piece)
        known = size, digest.hexdigest()
        cache.set(key, known, DAY_SECONDS)
    return known


def record_set(version: DatasetVersion) -> dict[str, Any]:
    return {
        "@type": "cr:RecordSet",
        "@id": RECORDS,
        "name": RECORDS,
        "description": "The rows, each with what the format of the dataset has read from it.",
        "field": [field(name, values) for name, values in columns_of(version).items()],
    }


def columns_of(version: DatasetVersion) -> dict[str, list[Any]]:
    """What the first rows have in each column."""
    found: dict[str, list[Any]] = {}
    lines = b"".join(islice(row_lines(version), 1)).splitlines()[:SAMPLED_LINES]
    for line in lines:
        for name, value in json.loads(line).items():
            found.setdefault(name, []).append(value)
    return found


def field(column: str, values: Sequence[Any]) -> dict[str, Any]:
    """A column; of lists of objects, such as messages, each key a list of its own."""
    inner = [one for value in values if isinstance(value, list) for one in value]
    described: dict[str, Any] = {"@type": "cr:Field", "@id": f"{RECORDS}/{column}", "name": column}
    if objects := [one for one in inner if isinstance(one, dict)]:
        parts = {key: kind for key, kind in keys_of(objects).items() if kind}
        return described | {"subField": [part(column, key, kind) for key, kind in parts.items()]}
    shape = {"repeated": True} if inner else {}
    return described | {"dataType": type_of(inner or values) or TEXT, **shape} | source(column)


def part(column: str, key: str, kind: str) -> dict[str, Any]:
    name = f"{RECORDS}/{column}/{key}"
    told = {"@type": "cr:Field", "@id": name, "name": name, "dataType": kind, "repeated": True}
    return told | source(column, {"transform": {"jsonPath": f"$[*].{key}"}})


def source(column: str, how: Mapping[str, Any] = NOTHING) -> dict[str, Any]:
    return {"source": {"fileObject": {"@id": ROWS}, "extract": {"column": column}, **how}}


def keys_of(objects: Sequence[dict[str, Any]]) -> dict[str, str]:
    """The type of each key; empty for what is no plain value."""
    keys = dict.fromkeys(key for one in objects for key in one if key.isidentifier())
    return {key: type_of([one[key] for one in objects if key in one]) for key in keys}


def type_of(values: Sequence[Any]) -> str:
    """Of mixed plain values, text; empty where some are no plain values."""
    kinds = {type(value) for value in values if value is not None}
    if kinds & {dict, list}:
        return ""
    return TYPES.get(kinds.pop(), TEXT) if len(kinds) == 1 else TEXT
