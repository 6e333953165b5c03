"""Whole files of all formats, and broken files: truncated, overwritten, misnamed, empty, too deep.

Files that need a fuzzer or a password are in `tests/data/broken`.
"""

from __future__ import annotations

import io
import itertools
import zipfile
from pathlib import Path

from docx import Document
from openpyxl import Workbook
from pptx import Presentation

WORDS = "The lamp in the hall is on from dusk to dawn. "
DEPTH = 3_000
REPOSITORY = Path(__file__).parents[1]


def make_broken_files() -> dict[str, bytes]:
    """The files by name; the part before the slash names the damage."""
    whole = make_whole_files()
    packed = {name: whole[name] for name in ("a.docx", "a.xlsx", "a.pptx", "a.epub", "a.odt")}
    return {
        **{f"empty/{name}": b"" for name in whole},
        **{f"first-half/{name}": content[: len(content) // 2] for name, content in whole.items()},
        **{f"first-bytes/{name}": content[:20] for name, content in whole.items()},
        **{f"zeros/{name}": _overwrite(content) for name, content in whole.items()},
        **{f"end-lost/{name}": content[:-30] for name, content in packed.items()},
        **{f"not-text/{name}": bytes(range(256)) * 8 for name in whole},
        **{f"misnamed/{name}": b"\x89PNG\r\n\x1a\n" + bytes(400) for name in whole},
        **{f"hollow/{name}": _pack({"other.txt": b"nothing"}) for name in packed},
        **_make_odd_files(),
    }


def make_whole_files() -> dict[str, bytes]:
    """An undamaged file of each format. LibreOffice's formats are left out, because it is slow."""
    return {
        "a.pdf": make_pdf(WORDS),
        "a.docx": _make_docx(),
        "a.xlsx": _make_xlsx(),
        "a.pptx": _make_pptx(),
        "a.epub": _pack(
            {
                "mimetype": b"application/epub+zip",
                "META-INF/container.xml": b"<container><rootfiles/></container>",
                "text.xhtml": f"<html><body><p>{WORDS}</p></body></html>".encode(),
            }
        ),
        "a.odt": _pack(
            {
                "mimetype": b"application/vnd.oasis.opendocument.text",
                "content.xml": f"<text>{WORDS}</text>".encode(),
            }
        ),
        "a.eml": f"From: a@example.org\nSubject: Lamps\n\n{WORDS * 9}\n".encode(),
        "a.html": f"<html><body><h1>Lamps</h1><p>{WORDS * 9}</p></body></html>".encode(),
        "a.xml": f"<lamps><lamp>{WORDS * 9}</lamp></lamps>".encode(),
        "a.json": f'{{"lamps": ["{WORDS * 9}"]}}'.encode(),
        "a.rtf": f"{{\\rtf1\\ansi {WORDS * 9}}}".encode(),
        "a.csv": f"lamp,words\n1,{WORDS}\n2,{WORDS}\n".encode(),
        "a.tsv": f"lamp\twords\n1\t{WORDS}\n2\t{WORDS}\n".encode(),
        "a.jsonl": f'{{"lamp": "{WORDS}"}}\n{{"lamp": "{WORDS}"}}\n'.encode(),
        "a.yaml": f"lamps:\n  - {WORDS}\n".encode(),
        "a.md": f"# Lamps\n\n{WORDS * 9}\n".encode(),
        "a.rst": f"Lamps\n=====\n\n{WORDS * 9}\n".encode(),
        "a.org": f"* Lamps\n\n{WORDS * 9}\n".encode(),
        "a.txt": (WORDS * 9).encode(),
        "a.msg": (REPOSITORY / "examples/handbook/mail/fake-email.msg").read_bytes(),
        "a.xls": (REPOSITORY / "tests/data/broken/empty/empty.xls").read_bytes(),
    }


def make_pdf(text: str, *, more_of_trailer: str = "") -> bytes:
    """A PDF of one page with the smallest number of objects."""
    drawn = f"BT /F1 12 Tf 72 720 Td ({text}) Tj ET"
    objects = [
        "<< /Type /Catalog /Pages 2 0 R >>",
        "<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Contents 4 0 R /Resources 6 0 R >>",
        f"<< /Length {len(drawn)} >>\nstream\n{drawn}\nendstream",
        "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
        "<< /Font << /F1 5 0 R >> >>",
    ]
    written, offsets = "%PDF-1.4\n", []
    for number, content in enumerate(objects, start=1):
        offsets.append(len(written))
        written += f"{number} 0 obj\n{content}\nendobj\n"
    table = "".join(f"{offset:010} 00000 n \n" for offset in offsets)
    size = len(objects) + 1
    return (
        f"{written}xref\n0 {size}\n0000000000 65535 f \n{table}"
        f"trailer\n<< /Size {size} /Root 1 0 R {more_of_trailer} >>\n"
        f"startxref\n{len(written)}\n%%EOF\n"
    ).encode()


def make_protected_pdf() -> bytes:
    """A PDF that is encrypted with an unknown password."""
    keys = "<" + "5f" * 32 + ">"
    return make_pdf(
        WORDS,
        more_of_trailer=f"/ID [<{'ab' * 16}> <{'ab' * 16}>] /Encrypt << /Filter /Standard /V 1"
        f" /R 2 /O {keys} /U {keys} /P -44 >>",
    )


def make_laughing_yaml() -> bytes:
    """Ten lists, each of which is nine of the one before it."""
    names = "abcdefghijk"
    lines = ["a: &a [x, x, x]"]
    for before, name in itertools.pairwise(names):
        lines.append(f"{name}: &{name} [{', '.join([f'*{before}'] * 9)}]")
    return "\n".join(lines).encode()


def _make_odd_files() -> dict[str, bytes]:
    deep = "<div>" * DEPTH + WORDS + "</div>" * DEPTH
    return {
        "protected/a.pdf": make_protected_pdf(),
        "deep/a.html": f"<html><body>{deep}</body></html>".encode(),
        "deep/a.xml": f"<a>{deep}</a>".encode(),
        "deep/a.json": b'{"a":' * DEPTH + b"1" + b"}" * DEPTH,
        "deep/a.md": b"> " * DEPTH + WORDS.encode(),
        "deep/a.yaml": b"[" * DEPTH + b"]" * DEPTH,
        "deep/a.docx": _make_docx(f"<w:p>{'<w:ins>' * DEPTH}{'</w:ins>' * DEPTH}</w:p>"),
        "bomb/a.docx": _make_docx(" " * (80 << 20)),
        "bomb/a.xml": _make_laughing_xml(),
        "foreign/a.xml": b'<!DOCTYPE a [<!ENTITY b SYSTEM "file:///etc/passwd">]><a>&b;</a>',
        "foreign/a.docx": _pack({"../../../etc/evil": b"x", "/etc/evil": b"x"}),
        "encoding/a.txt": b"caf\xe9 \xff\xfe \xc3\x28 " * 40,
        "encoding/b.txt": WORDS.encode("utf-16")[2:],
        "encoding/c.txt": "\ufeff".encode() * 3 + WORDS.encode(),
        "encoding/a.csv": b"a;b\0;c\n" * 30,
        "encoding/a.html": b"<meta charset=nosuch><p>caf\xe9</p>",
        "encoding/a.eml": b"Content-Type: text/plain; charset=nosuch\n\ncaf\xe9\n",
        "structure/a.eml": b"Content-Type: multipart/mixed; boundary=b\n\n--b\n\nno end\n",
        "structure/b.eml": b"Content-Transfer-Encoding: base64\n\n!!!not base64!!!\n",
        "structure/a.csv": b'a,"b\nc,d\n"' + b'"' * 101,
        "structure/a.json": b'{"a": 1, "a": 2,}',
        "structure/a.yaml": b"a: [1, 2\nb: - c\n",
        "structure/a.xml": b"<a><b></a></b>",
        "structure/a.rtf": b"{\\rtf1 " + b"{" * 500,
        "wide/a.csv": b",".join([b"x"] * 5_000),
        "wide/a.txt": b"x" * 1_000_000,
        "wide/a.md": b"|" * 20_000,
    }  # fmt: skip


def _make_laughing_xml() -> bytes:
    """Twelve entities, each of which is twelve of the one before it."""
    names = "abcdefghijklm"
    entities = [f'<!ENTITY {names[0]} "ha">']
    for before, name in itertools.pairwise(names):
        entities.append(f'<!ENTITY {name} "{f"&{before};" * 12}">')
    return f"<!DOCTYPE x [{''.join(entities)}]><x>&{names[-1]};</x>".encode()


def _make_docx(more: str = "") -> bytes:
    document = Document()
    document.add_heading("Lamps", 1)
    document.add_paragraph(WORDS * 9)
    content = _save(document)
    if not more:
        return content
    parts = _unpack(content)
    body = parts["word/document.xml"].replace(b"</w:body>", more.encode() + b"</w:body>")
    return _pack({**parts, "word/document.xml": body})


def _make_xlsx() -> bytes:
    book = Workbook()
    for number in range(40):
        book.active.append((f"lamp {number}", number))
    return _save(book)


def _make_pptx() -> bytes:
    deck = Presentation()
    slide = deck.slides.add_slide(deck.slide_layouts[5])
    slide.shapes.title.text = "Lamps"
    return _save(deck)


def _save(document) -> bytes:
    file = io.BytesIO()
    document.save(file)
    return file.getvalue()


def _overwrite(content: bytes) -> bytes:
    """Zeros in the middle third."""
    third = len(content) // 3
    return content[:third] + bytes(third) + content[2 * third :]


def _pack(parts: dict[str, bytes]) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in parts.items():
            archive.writestr(name, content)
    return packed.getvalue()


def _unpack(content: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}
