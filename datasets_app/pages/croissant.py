"""Croissant: a dataset described in JSON-LD, so that other programs find, load and cite it.

Words and shapes: the Croissant format specification 1.0 of MLCommons.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
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
TYPES = {bool: "sc:Boolean", int: "sc:Integer", float: "sc:Float"}
"""Of Python's values; everything else is written as text."""
DAY_SECONDS = 24 * 3600


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
        "field": [
            {
                "@type": "cr:Field",
                "@id": f"{RECORDS}/{name}",
                "name": name,
                "dataType": kind,
                "source": {"fileObject": {"@id": ROWS}, "extract": {"column": name}},
            }
            for name, kind in fields_of(version).items()
        ],
    }


def fields_of(version: DatasetVersion) -> dict[str, str]:
    """Names and types, by the first rows; of mixed types, text."""
    lines = b"".join(islice(row_lines(version), 1)).splitlines()[:SAMPLED_LINES]
    found: dict[str, str] = {}
    for line in lines:
        for name, value in json.loads(line).items():
            kind = TYPES.get(type(value), "sc:Text")
            found[name] = kind if found.get(name, kind) == kind else "sc:Text"
    return found
