"""Two hundred hiding places for pictures, film, archives and programs behind allowed names; and harmless files.

Made from real, if tiny, pictures: what hides (`PAYLOADS`) times where it hides (`places`). Owns no verdict.
"""

from __future__ import annotations

import base64
import binascii
import bz2
import gzip
import io
import quopri
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from email.message import EmailMessage

from filekit import CSV, TEXT, mail, pdf, stream

Hidden = tuple[str, str, bytes]


def png(side: int = 8, noise: int = 1) -> bytes:
    """A whole PNG, gray."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    rows = b"".join(b"\0" + bytes((x * y * noise) % 251 for x in range(side)) for y in range(side))
    head = struct.pack(">IIBBBBB", side, side, 8, 0, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", head)
        + chunk(b"IDAT", zlib.compress(rows))
        + chunk(b"IEND", b"")
    )


def box(kind: bytes, *brands: bytes) -> bytes:
    """The beginning of a file of the ISO base media format, and some data."""
    body = b"ftyp" + kind + bytes(4) + b"".join(brands)
    return struct.pack(">I", len(body) + 4) + body + struct.pack(">I", 200) + b"mdat" + bytes(range(192))


SCAN = bytes((i * 37 + 11) % 250 for i in range(200))
EXIF = (
    b"\xff\xd8\xff\xe1\0\x2aExif\0\0MM\0*\0\0\0\x08\0\1\x01\x0f\0\2\0\0\0\4Cam\0\0\0\0\0" + SCAN + b"\xff\xd9"
)
JFIF = b"\xff\xd8\xff\xe0\0\x10JFIF\0\1\1\0\0\1\0\1\0\0\xff\xdb\0\x43\0" + SCAN + b"\xff\xd9"
PAYLOADS = {
    "png": png(), "jpeg with exif": EXIF, "jpeg": JFIF, "jpeg, tables first": b"\xff\xd8\xff\xdb\0\x43\0" + SCAN,
    "gif": b"GIF87a\x08\0\x08\0\xf0\0\0\0\0\0\xff\xff\xff," + SCAN, "webp": b"RIFF\xd0\0\0\0WEBPVP8L" + SCAN,
    "heic": box(b"heic", b"mif1", b"heic"), "avif": box(b"avif", b"mif1"), "mp4": box(b"isom", b"iso2", b"mp41"),
    "mov": box(b"qt  "), "webm": b"\x1a\x45\xdf\xa3\x9f\x42\x86\x81\1\x42\x82\x84webm" + SCAN,
    "tiff": b"MM\0*\0\0\0\x08" + SCAN, "bmp": b"BM" + struct.pack("<IHHI", 254, 0, 0, 54) + SCAN,
    "ico": b"\0\0\1\0\1\0\x10\x10\0\0\1\0\x20\0" + SCAN, "jp2": b"\0\0\0\x0cjP  \r\n\x87\n" + SCAN,
}  # fmt: skip
PICTURES = {
    name: PAYLOADS[name] for name in ("png", "jpeg with exif", "gif", "webp", "heic", "mp4", "tiff", "bmp")
}


def zipped(name: str, content: bytes) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(name, content)
    return out.getvalue()


def tarred(content: bytes) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:xz") as archive:
        info = tarfile.TarInfo("x")
        info.size = len(content)
        archive.addfile(info, io.BytesIO(content))
    return out.getvalue()


ARCHIVES = {
    "zip": zipped("a.png", png()), "docx": zipped("[Content_Types].xml", b"<Types/>"), "gz": gzip.compress(png(), mtime=0),
    "bz2": bz2.compress(png()), "tar.xz": tarred(png()), "macro": b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + SCAN + b"VBA",
    "elf": b"\x7fELF\2\1\1" + SCAN, "exe": b"MZ\x90\0\3\0\0\0" + SCAN, "class": b"\xca\xfe\xba\xbe\0\0\0\x41" + SCAN,
}  # fmt: skip


def folded(data: bytes, width: int, before: bytes = b"", end: bytes = b"\n") -> bytes:
    return b"".join(before + data[i : i + width] + end for i in range(0, len(data), width))


def encodings(content: bytes) -> dict[str, bytes]:
    """The bytes of something as letters."""
    whole, letters, digits = (
        content + bytes(220),
        base64.b64encode(content + bytes(220)),
        content.hex().encode(),
    )
    return {
        "base64": folded(letters, 76), "base64, short lines": folded(letters, 28), "base64 url": base64.urlsafe_b64encode(whole),
        "base64, quoted": folded(letters, 64, b"> "), "base64, indented": folded(letters, 60, b"    ", b"\r\n"),
        "base64 parted by spaces": folded(letters, 10, b"", b" "), "base32": folded(base64.b32encode(whole), 72),
        "ascii85": folded(base64.a85encode(whole), 75), "base85": folded(base64.b85encode(whole), 75),
        "hex": folded(digits, 80), "hex with commas": b", ".join(b"0x" + digits[i : i + 2] for i in range(0, len(digits), 2)),
        "numbers": b",".join(str(each).encode() for each in content), "octal": "".join(f"\\{each:03o}" for each in content).encode(),
        "escapes": "".join(f"\\x{each:02x}" for each in content).encode(), "percent": "".join(f"%{each:02X}" for each in content).encode(),
        "quoted-printable": quopri.encodestring(content, quotetabs=True),
        "uuencode": b"begin 644 a\n" + b"".join(binascii.b2a_uu(content[i : i + 45]) for i in range(0, len(content), 45)) + b"`\nend\n",
        "data uri": b"see data:image/png;base64," + letters, "json": b'{"photo": "' + letters.replace(b"/", rb"\/") + b'"}',
    }  # fmt: skip


def places() -> Iterator[Hidden]:
    """What hides, the name of the file, its content."""
    for what, content in PICTURES.items():
        for how, letters in encodings(content).items():
            yield f"{what} in a text as {how}", "a.txt", TEXT + letters + b"\n"
        yield from _in_mail(what, content)
        yield from _in_pdf(what, content)
    for what, content in PAYLOADS.items():
        yield f"{what} with a mark before it", "a.txt", b"\xef\xbb\xbf" + content
        yield f"{what} behind lines of text", "a.txt", TEXT + content
        yield f"{what} behind a table", "a.csv", CSV + content
    for what, content in ARCHIVES.items():
        yield f"{what} behind a PDF", "a.pdf", pdf() + content
        yield f"{what} before a PDF", "a.pdf", content + pdf()
        yield f"{what} as base64", "a.txt", folded(base64.b64encode(content + bytes(300)), 60)
        yield f"{what} attached", "a.eml", mail((content, "application/octet-stream", "report.pdf"))
    yield from _active()
    yield from _cells()


def _in_mail(what: str, content: bytes) -> Iterator[Hidden]:
    yield f"{what} inline", "a.eml", mail((content, "image/jpeg", "a.jpg"))
    inner = EmailMessage()
    inner["From"], inner["To"], inner["Subject"] = "a@b.example", "c@d.example", "Fwd"
    inner.set_content("see")
    inner.add_attachment(content, maintype="application", subtype="pdf", filename="a.pdf")
    for _ in range(3):
        outer = EmailMessage()
        outer["From"], outer["To"], outer["Subject"] = "a@b.example", "c@d.example", "Fwd"
        outer.set_content("forwarded")
        outer.add_attachment(inner)
        inner = outer
    yield f"{what} in a letter in a letter", "a.eml", inner.as_bytes()
    letters = base64.b64encode(content + bytes(200))
    head = b"From: a@b.example\r\nTo: c@d.example\r\nSubject: x\r\n"
    yield (
        f"{what} as the body",
        "a.eml",
        head + b"Content-Transfer-Encoding: base64\r\n\r\n" + folded(letters, 76, b"", b"\r\n"),
    )
    yield (
        f"{what} in a header",
        "a.eml",
        head + b"Face: " + folded(letters, 70, b" ", b"\r\n") + b"\r\nhello\r\n",
    )
    page = b'<p><IMG SRC="data:image/png;base64,' + letters + b'"></p>'
    yield f"{what} in a page", "a.eml", head + b"Content-Type: text/html\r\n\r\n" + page
    parted = (
        b'Content-Type: multipart/mixed; boundary="B"\r\n\r\n' + letters
        + b"\r\n--B\r\nContent-Type: text/plain\r\n\r\nhello\r\n--B--\r\n"
    )  # fmt: skip
    yield f"{what} before the first part", "a.eml", head + parted


def _in_pdf(what: str, content: bytes) -> Iterator[Hidden]:
    packed, letters = zlib.compress(content), base64.b64encode(content + bytes(200))
    image = b"/Type /XObject /Subtype /Image /Width 8 /Height 8 /ColorSpace /DeviceGray /BitsPerComponent 8"
    yield (
        f"{what} in an image object",
        "a.pdf",
        pdf(b"BT ET", stream(image + b" /Filter /FlateDecode", packed)),
    )
    yield (
        f"{what} packed twice",
        "a.pdf",
        pdf(b"BT ET", stream(b"/Filter [/FlateDecode /FlateDecode]", zlib.compress(packed))),
    )
    yield (
        f"{what} in the metadata",
        "a.pdf",
        pdf(b"BT ET", stream(b"/Type /Metadata /Subtype /XML", b"<x:image>" + letters + b"</x:image>")),
    )
    yield (
        f"{what} in a string of digits",
        "a.pdf",
        pdf(b"BT ET", b"<< /Title <" + content.hex().encode() + b"> >>"),
    )
    octal = "".join(f"\\{each:03o}" for each in content).encode()
    yield f"{what} in a string of escapes", "a.pdf", pdf(b"BT ET", b"<< /Title (" + octal + b") >>")
    late = b"9 0 obj\n" + stream(image, content) + b"\nendobj\ntrailer << /Root 1 0 R >>\n%%EOF\n"
    yield f"{what} in a later version", "a.pdf", pdf() + late
    inline = b"q 8 0 0 8 0 0 cm BI /W 8 /H 8 /BPC 8 /CS /G ID " + content + b" EI Q"
    yield f"{what} inline", "a.pdf", pdf(inline)


def _active() -> Iterator[Hidden]:
    """What a program would run."""
    texts = {
        "page": b"<HTML><BODY onload=x()>hello</BODY></HTML>", "script": b"<ScRiPt>x()</sCrIpT>", "hta": b"<hta:application id=x>",
        "wsf": b"<job><script language=VBScript>x</script></job>", "php": b"<?PHP echo 1;", "shell": b"#!/usr/bin/env python\nimport os\n",
        "batch": b"@ECHO OFF\r\nstart x.exe\r\n", "macro": b"Sub AutoOpen()\r\nShell x\r\nEnd Sub\r\n", "vbs": b'Set a = CREATEOBJECT("x")\r\n',
        "svg": b"<SVG onload=x()></SVG>", "iframe": b"<iframe srcdoc=x>", "xml": b"<?xml version='1.0'?><x/>", "asp": b"<%eval request(1)%>",
        "link": b"click JavaScript:alert(1)", "postscript": b"%!PS-Adobe-3.0\n1 0 0 setrgbcolor\n", "rtf": b"{\\rtf1\\ansi hello}",
        "url file": b"[InternetShortcut]\r\nURL=file:///x\r\n", "jar manifest": b"PK\3\4" + bytes(30),
    }  # fmt: skip
    for what, content in texts.items():
        yield f"{what} as a text", "a.txt", content
        if what not in ("jar manifest", "postscript", "rtf"):
            yield f"{what} in a letter", "a.eml", mail(text="see below\n" + content.decode())
    pdfs = {
        "script at the start": b"<< /OpenAction << /S /JavaScript /JS 6 0 R >> >>", "script of a field": b"<< /AA << /K << /S /JavaScript >> >> >>",
        "a form": b"<< /AcroForm << /XFA [(x) 7 0 R] >> >>", "a file": b"<< /Names << /EmbeddedFiles << /Names [(a) 6 0 R] >> >> >>",
        "a program": b"<< /S /Launch /Win << /F (x.exe) >> >>", "a film": b"<< /Subtype /Screen /A << /S /Rendition >> >>",
        "a model": b"<< /Subtype /3D /3DD 7 0 R >>", "its name escaped": b"<< /S /#4aavaScript /J#53 (x) >>",
    }  # fmt: skip
    for what, content in pdfs.items():
        yield f"a PDF with {what}", "a.pdf", pdf(b"BT ET", content)
        yield (
            f"a PDF with {what}, packed",
            "a.pdf",
            pdf(
                b"BT ET",
                stream(b"/Type /ObjStm /N 1 /First 4 /Filter /FlateDecode", zlib.compress(b"5 0 " + content)),
            ),
        )
    yield "a PDF behind a page", "a.pdf", b"<html></html>\n" + pdf()


def _cells() -> Iterator[Hidden]:
    """What a spreadsheet would run."""
    cells = {
        "command": b"=cmd|'/C calc'!A0", "sum": b"@SUM(1+1)*cmd", "plus": b"+cmd|x", "minus": b"-cmd|x", "link": b'"=HYPERLINK(""http://x"")"',
        "tab": b'"\t=1+1"', "spaces": b"   =1+1", "wide": "＝1+1".encode(),
    }  # fmt: skip
    for what, cell in cells.items():
        yield f"a formula ({what})", "a.csv", b"date,amount\n2026-01-05," + cell + b"\n"
        yield f"a formula behind semicolons ({what})", "a.csv", b"date;amount\n2026-01-05;" + cell + b"\n"
        yield f"a formula behind tabs ({what})", "a.csv", b"date\tamount\n2026-01-05\t" + cell + b"\n"
    letters = base64.b64encode(png(24, 7))
    yield (
        "base64 cut into cells",
        "a.csv",
        b"n,part\n" + b"".join(b"%d,%s\n" % (i, letters[i : i + 30]) for i in range(0, len(letters), 30)),
    )
    yield (
        "numbers in cells",
        "a.csv",
        b"\n".join(b",".join(b"%d" % v for v in png(16)[i : i + 16]) for i in range(0, 200, 16)),
    )


DKIM = base64.b64encode(bytes((i * 73 + 5) % 256 for i in range(256)))


def harmless() -> Iterator[tuple[str, str, bytes]]:
    """Kind, name and content of files as people attach them."""
    letters = "Dear colleagues,\n\nas agreed, the statement of January.\n\nRegards,\nAna\n"
    for number, text in enumerate((
        letters, "Größe, naïve, façade, Übermaß\n", "東京の支店に電話した。\n", "Звонили в отделение.\n", "اتصلنا بالفرع\n", "שיחה עם הסניף\n",
        "IBAN NL91ABNA0417164300, DE89370400440532013000\n" * 40, "sha256 " + "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08\n" * 30,
        "order 3f2b8a1c-77aa-4d0e-9d0b-0f6a1d2c3b4e\n" * 50, "-" * 300 + "\n", "2026-01-05 12:00:00 950.00 EUR acct-1 -> acct-2\n" * 400,
        "1. Seen at the desk\n2. Paid in cash\n" * 30, "https://bank.example/statement?id=17\n", "BIC: ABNANL2A; ref BM-2026-17; RIFF raff\n",
    )):  # fmt: skip
        yield "text", f"note {number}.txt", text.encode()
    yield "csv", "a.csv", CSV
    yield "csv", "b.csv", b"date;amount;to\n2026-01-05;-12,50;shop\n2026-01-06;+3,00;x\n"
    yield "csv", "c.csv", b"date\tamount\n2026-01-05\t-12.50\n"
    yield (
        "csv",
        "d.csv",
        b"id,hash\n"
        + b"".join(
            b"%d,%s\n" % (i, base64.b16encode(bytes(((i * j) % 256) for j in range(20)))) for i in range(300)
        ),
    )
    yield "csv", "e.csv", b"n,value\n" + b"".join(b"%d,%d\n" % (i, i * i) for i in range(2000))
    yield "csv", "f.csv", b'name,note\n"Miller, Ann","said ""yes"""\n'
    yield "email", "a.eml", mail()
    yield "email", "b.eml", mail(html="<p>Dear all, <b>see below</b></p><table><tr><td>1</td></tr></table>")
    yield "email", "c.eml", mail((CSV, "text/csv", "t.csv"), (pdf(), "application/pdf", "s.pdf"))
    yield "email", "d.eml", mail(text="> " + "\n> ".join(letters.splitlines()))
    signed = b"DKIM-Signature: v=1; a=rsa-sha256; d=bank.example;\r\n b=" + folded(DKIM, 70, b"  ", b"\r\n")
    yield "email", "e.eml", signed + mail()
    yield "email", "f.eml", mail(text="Größe und naïve\n")
    yield "pdf", "a.pdf", pdf()
    yield "pdf", "b.pdf", pdf(packed=False)
    many = (
        b"BT /F1 12 Tf "
        + b" ".join(b"1 0 0 1 72 %d Tm (line %d) Tj" % (700 - i, i) for i in range(400))
        + b" ET"
    )
    yield "pdf", "c.pdf", pdf(many)
    yield "pdf", "d.pdf", pdf(b"BT <0048006500790020> Tj ET", b"<< /Title <FEFF00530074> /Author (Ana) >>")
    cmap = b"/CIDInit /ProcSet findresource begin 1 beginbfrange <00> <7f> <0000> endbfrange end"
    yield "pdf", "e.pdf", pdf(b"BT ET", stream(b"/Filter /FlateDecode", zlib.compress(cmap)))
    yield "pdf", "f.pdf", pdf(b"0 0 m 100 100 l S BT (drawn) Tj ET")
