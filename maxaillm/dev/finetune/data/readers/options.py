"""Read options: what the owner of a file says of how it is written, where the file doesn't tell."""

from __future__ import annotations

import codecs
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, field_validator

ENCODINGS = {
    "utf-8": "UTF-8",
    "utf-16": "UTF-16",
    "cp1252": "Windows-1252",
    "cp1250": "Windows-1250 (Central Europe)",
    "cp1251": "Windows-1251 (Cyrillic)",
    "cp1253": "Windows-1253 (Greek)",
    "cp1254": "Windows-1254 (Turkish)",
    "cp1255": "Windows-1255 (Hebrew)",
    "cp1256": "Windows-1256 (Arabic)",
    "cp1257": "Windows-1257 (Baltic)",
    "cp1258": "Windows-1258 (Vietnamese)",
    "cp874": "Windows-874 (Thai)",
    "gb18030": "GB 18030 (Chinese)",
    "big5": "Big5 (Chinese)",
    "shift_jis": "Shift JIS (Japanese)",
    "euc_jp": "EUC-JP (Japanese)",
    "euc_kr": "EUC-KR (Korean)",
    "koi8-r": "KOI8-R (Russian)",
    "cp866": "CP 866 (Russian, DOS)",
    "cp437": "CP 437 (DOS)",
    "cp850": "CP 850 (Western Europe, DOS)",
    "mac-roman": "Mac Roman",
    "iso8859-1": "Latin-1 (ISO 8859-1)",
    "iso8859-2": "Latin-2 (ISO 8859-2)",
    "iso8859-15": "Latin-9 (ISO 8859-15)",
}
"""What a file may be read in: as Python names it, and in words."""
WIDER = {"gbk": "gb18030", "gb2312": "gb18030", "cp936": "gb18030", "cp932": "shift_jis",
         "cp949": "euc_kr", "cp950": "big5", "utf-8-sig": "utf-8", "ascii": "utf-8"}  # fmt: skip
"""Names of encodings of which another one reads all, or all that matters."""
DELIMITERS = {
    ",": "Comma", ";": "Semicolon", "\t": "Tab", "|": "Bar", ":": "Colon", "^": "Caret",
    "~": "Tilde", " ": "Blank",
}  # fmt: skip


class ReadOptions(BaseModel):
    """How to read a file; what is None is found out from the file itself."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    encoding: str | None = Field(
        None,
        title="Encoding",
        description="Which characters the bytes of a text file stand for.",
    )
    delimiter: str | None = Field(
        None,
        min_length=1,
        max_length=1,
        title="Cells are divided by",
        description="Of CSV and other tables of text.",
    )
    skip_rows: int | None = Field(
        None,
        ge=0,
        le=1000,
        title="Rows above the table",
        description="A title or a cover sheet's lines: left out.",
    )
    header_rows: int | None = Field(
        None,
        ge=0,
        le=5,
        title="Header rows",
        description="They name the columns: 0 where the first row is data; several are joined.",
    )
    sheet: str | None = Field(
        None, max_length=255, title="Sheet", description="Of a workbook, the one that is read."
    )

    @field_validator("encoding")
    @classmethod
    def known(cls, value: str | None) -> str | None:
        """The encoding as it is named in `ENCODINGS`. Raises ValueError for any other."""
        if value is None:
            return None
        try:
            name = codecs.lookup(value).name
        except LookupError:
            name = value
        name = WIDER.get(name, name)
        found = next((one for one in ENCODINGS if codecs.lookup(one).name == name), None)
        if found is None:
            raise ValueError(f"{value!r:.60} is none of {', '.join(ENCODINGS)}")
        return found

    @field_validator("delimiter")
    @classmethod
    def divides(cls, value: str | None) -> str | None:
        if value is not None and (value in "\r\n\"'" or value.isalnum()):
            raise ValueError("a delimiter is no letter, digit, quotation mark or line end")
        return value

    @property
    def given(self) -> dict[str, Any]:
        """What was said."""
        return self.model_dump(exclude_none=True)


NOTHING_SAID = ReadOptions()
