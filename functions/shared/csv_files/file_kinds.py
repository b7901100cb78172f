"""Names the kind of a file that is not CSV, by its beginning."""

import re

# Magic numbers and their offsets. Of kinds that begin alike, the longer beginning comes first.
MAGIC: tuple[tuple[int, bytes, str], ...] = (
    (0, b"PK\x05\x06", "an empty ZIP archive"),
    (0, b"PK\x07\x08", "a ZIP archive"),
    (
        0,
        b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1",
        "a Microsoft Office 97-2003 document, such as a workbook (.xls)",
    ),
    (0, b"%PDF", "a PDF"),
    (0, b"%!PS", "PostScript"),
    (0, b"{\\rtf", "a rich text document (RTF)"),
    (0, b"PAR1", "Parquet"),
    (0, b"PARE", "Parquet"),
    (0, b"bplist00", "an Apple property list"),
    (0, b"ORC\x08", "ORC"),
    (0, b"ORC\n", "ORC"),
    (0, b"Obj\x01", "Avro"),
    (0, b"ARROW1\x00", "Arrow (Feather)"),
    (0, b"FEA1\x00", "Feather"),
    (0, b"\x89HDF\r\n\x1a\n", "HDF5"),
    (0, b"SQLite format 3\x00", "an SQLite database"),
    (0, b"ID;PWXL", "a SYLK spreadsheet"),
    (0, b"\x28\xb5\x2f\xfd", "compressed with zstd"),
    (4, b"1AY&SY", "compressed with bzip2"),
    (0, b"\xfd7zXZ\x00", "compressed with xz"),
    (0, b"\x5d\x00\x00", "compressed with LZMA"),
    (0, b"\x04\x22\x4d\x18", "compressed with LZ4"),
    (0, b"\xff\x06\x00\x00sNaPpY", "compressed with Snappy"),
    (0, b"LZIP\x01", "compressed with lzip"),
    (0, b"\x1f\x9d", "compressed with compress (.Z)"),
    (0, b"\x1f\xa0", "compressed with LZH"),
    (0, b"\x78\x01", "compressed with zlib"),
    (0, b"\x78\x5e", "compressed with zlib"),
    (0, b"\x78\x9c", "compressed with zlib"),
    (0, b"\x78\xda", "compressed with zlib"),
    (4, b"\x17\x72\x45\x38\x50\x90", "compressed with bzip2"),
    (1, b"\x2a\x4d\x18", "compressed with zstd or LZ4"),
    (0, b"\x02\x21\x4c\x18", "compressed with LZ4"),
    (0, b"Salted__", "encrypted with OpenSSL"),
    (0, b"age-encryption.org/", "encrypted with age"),
    (0, b"MSCF\0\0\0\0", "a Microsoft cabinet archive (.cab)"),
    (0, b"!<arch>\n", "an ar archive"),
    (2, b"-lh5-", "an LHA archive"),
    (0, b"\x09\x08\x10\x00", "an Excel workbook (.xls)"),
    (0, b"\x09\x04\x06\x00", "an Excel workbook (.xls)"),
    (0, b"\x09\x02\x06\x00", "an Excel workbook (.xls)"),
    (0, b"\x00\x00\x02\x00\x06\x04", "a Lotus 1-2-3 worksheet"),
    (0, b"\xff\xff\xff\xff", "an Arrow stream"),
    (0, b"\0\1\0\0Standard ", "an Access database"),
    (0, b"RDX3\n", "R data"),
    (0, b"$FL2@(#)", "SPSS data"),
    (0, b"\x93NUMPY", "a NumPy array"),
    (0, b"\x80\x04\x95", "a Python pickle"),
    (0, b"\x7fELF", "a program"),
    (0, b"MZ\x90\0", "a program"),
    (0, b"\x89LZO", "compressed with LZO"),
    (0, b"7z\xbc\xaf\x27\x1c", "a 7z archive"),
    (0, b"Rar!\x1a\x07", "a RAR archive"),
    (257, b"ustar", "a tar archive"),
    (0, b"\x89PNG", "a picture (PNG)"),
    (0, b"\xff\xd8\xff", "a picture (JPEG)"),
    (0, b"GIF87a", "a picture (GIF)"),
    (0, b"GIF89a", "a picture (GIF)"),
)
ZIP = b"PK\x03\x04"
# Programs read these after a byte order mark and empty lines, too.
SHIFTED = frozenset({b"%PDF", b"%!PS", b"{\\rtf"})
# Kinds of ZIP archives, by parts of their members' names.
ZIP_MEMBERS = (
    (b"xl/", "an Excel workbook (.xlsx)"),
    (b"opendocument.spreadsheet", "an OpenDocument spreadsheet (.ods)"),
    (b"word/", "a Word document (.docx)"),
    (b"[Content_Types].xml", "a Microsoft Office document, such as an Excel workbook (.xlsx)"),
    (b"Index/", "an Apple Numbers document"),
)
KINDS_OF_TEXT = {
    "lfs": "a Git LFS pointer, not the file itself",
    "annex": "a git-annex pointer, not the file itself",
    "html": "HTML",
    "xml": "XML or HTML",
    "json": "JSON",
    "yaml": "YAML",
    "sql": "SQL",
    "terminal": "a text table of a database client or a terminal",
    "pem": "PEM, such as a certificate or an encrypted message",
    "uu": "encoded with uuencode",
    "link": "an Internet shortcut (.url), not the file itself",
    "base64": "encoded in base64",
    "arff": "a data set in the Attribute-Relation File Format (.arff)",
    "mail": "an e-mail or a web archive (MIME)",
    "dif": "a spreadsheet in the Data Interchange Format (.dif)",
}
# Beginnings of these kinds. Exports of MetaTrader and Finam have names of columns between < and >.
BEGINNING = re.compile(
    r"""
    (?P<lfs>version[ ]https://[^\s/]+/spec/v\d)
    |(?P<annex>(?:\S*\.git)?/annex/objects/)
    |(?P<html><(?:!doctype\s+html|html|head|body|table|meta|script)\b)
    |(?P<xml>(?!<[\w ]+>[,;\t|]<)<(?:!--|%|[!?/]?[a-z]))
    |(?P<json>(?:\x1e|\)\]\}'?,?|[\w.$]{1,99}\()?\s*[\[{]\s*
       (?:["{\[\]}]|-?\d|(?:true|false|null)\s*[,\]]|'[^'\n]*'\s*:|\w+\s*:\s))
    |(?P<yaml>---\s*\n|%YAML\s)
    |(?P<sql>(?:--\s|/\*).*\bdump\b|(?:create|drop)\s+table\s|insert\s+into\s
       |copy\s.+\sfrom\s+stdin|pragma\s+\w+\s*=|set\s+names\s|replace\s+into\s)
    |(?P<terminal>\+-[-+]*\+\s*\n\||[^\n]*\n(?=[^\n]*--)[ |:+=-]+\r?\n
       |[^\n]*\n(?=[^\n]*---)[-,;\t ]+\r?\n|\*{9,}[ ]1\.[ ]row)
    |(?P<link>\[InternetShortcut\])
    |(?P<base64>(?:[a-z0-9+/]{76}\r?\n){2})
    |(?P<arff>@relation\s)
    |(?P<pem>-----BEGIN\s)
    |(?P<uu>begin(?:-base64)?\s\d{3}\s)
    |(?P<mail>mime-version:|(?:return-path|received):\s)
    |(?P<dif>TABLE\s*\n0,1\s*\n)
    """,
    re.IGNORECASE | re.VERBOSE,
)
# Only the beginning of a file, of this length, is searched for kinds of text.
TEXT_CHARACTERS = 1024


def kind_of_bytes(beginning: bytes) -> str | None:
    """Name the kind of a binary file; None for what may be text."""
    # Only the kinds in SHIFTED may follow a byte order mark or white space.
    text = beginning[:TEXT_CHARACTERS].removeprefix(b"\xef\xbb\xbf").lstrip(b" \t\r\n")
    if text != beginning[: len(text)]:
        shifted = (k for at, magic, k in MAGIC if magic in SHIFTED and text.startswith(magic, at))
        if kind := next(shifted, None):
            return kind
    if beginning.startswith(ZIP):
        found = (kind for member, kind in ZIP_MEMBERS if member in beginning)
        return next(found, "a ZIP archive")
    for position, magic, kind in MAGIC:
        if beginning.startswith(magic, position):
            return kind
    return None


def kind_of_text(beginning: bytes) -> str | None:
    """Name the kind of a text that is not a table; None for text that may be CSV."""
    start = beginning[:TEXT_CHARACTERS].decode(errors="replace").lstrip("\ufeff \t\r\n")
    found = BEGINNING.match(start)
    return KINDS_OF_TEXT[found.lastgroup] if found and found.lastgroup else None
