"""JSON Schema of events: a union discriminated by kind, for the API's description."""

from __future__ import annotations

from typing import Any

from pydantic import GetJsonSchemaHandler
from pydantic_core import CoreSchema

from maxaillm.dev.finetune.run.events.payload import KINDS

Json = dict[str, Any]


class UnionOfKinds:
    """Marks a model with the fields `kind` and `data`: `Annotated[EventOut, UnionOfKinds()]`.

    It describes and does not validate: kinds that are not known are sent as they are.
    """

    def __get_pydantic_json_schema__(
        self, core_schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> Json:
        general = handler.resolve_ref_schema(handler(core_schema))

        def variant(title: str, kind: Json, data: Json) -> Json:
            fields = {**general["properties"], "kind": kind, "data": data}
            return {**general, "title": title, "properties": fields}

        known = [
            variant(kind, {"const": kind}, handler(cls.__pydantic_core_schema__))
            for kind, cls in KINDS.items()
        ]
        other = {"type": "string", "not": {"enum": list(KINDS)}}
        return {"oneOf": [*known, variant("another kind", other, {"type": "object"})]}
