"""Files for the tests of attachments: good ones of each kind, and what hides behind their names."""

from __future__ import annotations

import base64
import io
import random
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from email.message import EmailMessage

PNG = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + bytes(40)
JPEG = b"\xff\xd8\xff\xe0\0\x10JFIF\0" + bytes(40)
GIF = b"GIF89a" + bytes(40)
WEBP = b"RIFF\x24\0\0\0WEBPVP8 " + bytes(40)
BMP = b"BM\x3a\0\0\0\0\0\0\0\x36\0\0\0" + bytes(40)
TIFF = b"II*\0\x08\0\0\0" + bytes(40)
HEIC = b"\0\0\0\x18ftypheic" + bytes(40)
AVIF = b"\0\0\0\x1cftypavif" + bytes(40)
MP4 = b"\0\0\0\x18ftypmp42" + bytes(40)
MKV = b"\x1a\x45\xdf\xa3" + bytes(40)
AVI = b"RIFF\x24\0\0\0AVI LIST" + bytes(40)
OGG = b"OggS\0\2" + bytes(40)
GZIP = b"\x1f\x8b\x08\0" + bytes(40)
SEVEN = b"7z\xbc\xaf\x27\x1c\0\4" + bytes(40)
RAR = b"Rar!\x1a\7\1\0" + bytes(40)
XZ = b"\xfd7zXZ\0" + bytes(40)
BZIP = b"BZh91AY&SY" + bytes(40)
ZSTD = b"\x28\xb5\x2f\xfd" + bytes(40)
EXE = b"MZ\x90\0\3\0" + bytes(60)
ELF = b"\x7fELF\2\1\1" + bytes(60)
OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(60)
SVG = b'<svg xmlns="http://www.w3.org/2000/svg"><circle r="9"/></svg>'
HTML = b"<!doctype html><html><script>alert(1)</script></html>"
SHELL = b"#!/bin/sh\nrm -rf /\n"
PHP = b"<?php system($_GET['c']); ?>"
BATCH = b"@echo off\r\ndel *.*\r\n"
VBS = b'Set s = CreateObject("WScript.Shell")\r\n'
POWER = b"powershell -enc AAAA\r\n"


def zipped() -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("a.png", PNG)
    return out.getvalue()


def tarred() -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        info = tarfile.TarInfo("a.png")
        info.size = len(PNG)
        archive.addfile(info, io.BytesIO(PNG))
    return out.getvalue()


BINARIES = {
    "png": PNG, "jpeg": JPEG, "gif": GIF, "webp": WEBP, "bmp": BMP, "tiff": TIFF, "heic": HEIC, "avif": AVIF,
    "mp4": MP4, "mkv": MKV, "avi": AVI, "ogg": OGG, "gzip": GZIP, "7z": SEVEN, "rar": RAR, "xz": XZ,
    "bzip": BZIP, "zstd": ZSTD, "exe": EXE, "elf": ELF, "ole": OLE, "zip": zipped(), "tar": tarred(),
}  # fmt: skip
SCRIPTS = {"svg": SVG, "html": HTML, "shell": SHELL, "php": PHP, "batch": BATCH, "vbs": VBS, "power": POWER}
TEXT = b"Called the branch on Monday.\nThe clerk remembers the customer: came twice, paid cash.\n"
CSV = (
    b'date,amount,counterparty\n2026-01-05,950.00,"Miller, Ann"\n2026-01-06,-12.50,shop\n2026-01-07,+3.00,x\n'
)


def pdf(
    content: bytes = b"BT /F1 12 Tf (Statement of account) Tj ET", *extra: bytes, packed: bool = True
) -> bytes:
    """A small PDF with a page of this content, and further objects."""
    data = zlib.compress(content) if packed else content
    filters = b"/Filter /FlateDecode " if packed else b""
    objects = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 300 300] /Contents 4 0 R >>",
        b"<< " + filters + b"/Length %d >>\nstream\n" % len(data) + data + b"\nendstream",
        *extra,
    ]
    out = b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n"
    for number, each in enumerate(objects, 1):
        out += b"%d 0 obj\n" % number + each + b"\nendobj\n"
    return out + b"trailer << /Size %d /Root 1 0 R >>\n%%%%EOF\n" % (len(objects) + 1)


def stream(dictionary: bytes, data: bytes) -> bytes:
    return b"<< " + dictionary + b" /Length %d >>\nstream\n" % len(data) + data + b"\nendstream"


def mail(*attached: tuple[bytes, str, str], html: str | None = None, text: str = "See the table.") -> bytes:
    """An e-mail with attachments: content, declared type, name."""
    message = EmailMessage()
    message["From"], message["To"] = "clerk@bank.example", "cases@bank.example"
    message["Subject"], message["Date"] = "Statement", "Mon, 05 Jan 2026 12:00:00 +0000"
    message.set_content(text)
    if html is not None:
        message.add_alternative(html, subtype="html")
    for content, kind, name in attached:
        main, _, sub = kind.partition("/")
        message.add_attachment(content, maintype=main, subtype=sub, filename=name)
    return message.as_bytes()


def hidden() -> Iterator[tuple[str, str, bytes]]:
    """What hides behind allowed names: what it is, the name, the content."""
    everything = BINARIES | SCRIPTS
    for what, content in everything.items():
        for ending in ("pdf", "csv", "txt", "eml"):
            yield f"{what} as {ending}", f"a.{ending}", content
    for what, content in BINARIES.items():
        encoded = base64.b64encode(content + bytes(200))
        yield f"{what} behind a PDF", "a.pdf", pdf() + content
        yield (
            f"{what} in a stream",
            "a.pdf",
            pdf(b"BT ET", stream(b"/Filter /FlateDecode", zlib.compress(content))),
        )
        yield f"{what} in a raw stream", "a.pdf", pdf(b"BT ET", stream(b"", content))
        yield f"{what} attached", "a.eml", mail((content, "application/octet-stream", "a.bin"))
        yield f"{what} attached as text", "a.eml", mail((content, "application/pdf", "a.pdf"))
        yield f"{what} in letters", "a.txt", b"as follows:\n" + encoded + b"\n"
        yield f"{what} in a cell", "a.csv", b"a,b\n1," + encoded + b"\n"
    for what, content in SCRIPTS.items():
        yield f"{what} within text", "a.txt", TEXT + content
        yield f"{what} in a cell", "a.csv", b'a,b\n1,"' + content.replace(b'"', b'""') + b'"\n'
        yield f"{what} in a mail", "a.eml", mail(text=content.decode())
    yield from _pdfs()
    yield from _others()


def _pdfs() -> Iterator[tuple[str, str, bytes]]:
    objects = {
        "image object": stream(b"/Type /XObject /Subtype /Image /Width 1 /Height 1", b"\0"),
        "image object, name escaped": stream(b"/Type /XObject /Subtype /#49mage", b"\0"),
        "jpeg filter": stream(b"/Filter /DCTDecode", JPEG), "fax filter": stream(b"/Filter [/CCITTFaxDecode]", b"x"),
        "jpx filter": stream(b"/Filter /JPXDecode", b"x"), "javascript": b"<< /S /JavaScript /JS (app.alert(1)) >>",
        "javascript, escaped": b"<< /S /J#61vaScript /#4a#53 (app.alert(1)) >>",
        "launch": b"<< /S /Launch /F (cmd.exe) >>", "embedded file": b"<< /Type /Filespec /EF << /F 6 0 R >> >>",
        "embedded names": b"<< /EmbeddedFiles << >> >>", "rich media": b"<< /Subtype /RichMedia >>",
        "movie": b"<< /Subtype /Movie >>", "sound": b"<< /Subtype /Sound >>", "xfa": b"<< /XFA 7 0 R >>",
        "additional actions": b"<< /AA << >> >>", "encrypted": b"<< /Encrypt 8 0 R >>",
        "portfolio": b"<< /Collection << >> >>", "thumbnail": b"<< /Thumb 5 0 R >>",
        "lzw": stream(b"/Filter /LZWDecode", b"x"), "run length": stream(b"/Filter /RunLengthDecode", b"x"),
        "unknown filter": stream(b"/Filter /Odd", b"x"), "broken stream": stream(b"/Filter /FlateDecode", b"x" * 30),
        "object stream with an image": stream(
            b"/Type /ObjStm /Filter /FlateDecode", zlib.compress(b"1 0 << /Subtype /Image >>")
        ),
        "twice packed": stream(b"/Filter [/ASCIIHexDecode /FlateDecode]", zlib.compress(PNG).hex().encode() + b">"),
        "85": stream(b"/Filter /ASCII85Decode", base64.a85encode(JPEG) + b"~>"),
    }  # fmt: skip
    for what, each in objects.items():
        yield f"PDF with {what}", "a.pdf", pdf(b"BT ET", each)
    packed = zlib.compress(PNG)
    yield (
        "a stream behind a comment",
        "a.pdf",
        pdf(b"BT ET", b"<< /Filter /FlateDecode >> %(\nstream\n" + packed + b"\nendstream )"),
    )
    yield "a stream without its end", "a.pdf", pdf(b"BT ET", b"<< /Length 9 >>\nstream\n" + packed)
    yield "an image in a string", "a.pdf", pdf(b"BT ET", b"<< /Title (" + JPEG + b") >>")
    yield (
        "an image in hex",
        "a.pdf",
        pdf(b"BT ET", b"<< /Title <" + (JPEG + bytes(80)).hex().encode() + b"> >>"),
    )
    yield "PDF with an inline image", "a.pdf", pdf(b"q BI /W 1 /H 1 /BPC 8 /CS /G ID \0 EI Q")
    yield "PDF with an unpacked inline image", "a.pdf", pdf(b"q\nBI /W 1 ID x EI Q", packed=False)
    yield "PDF behind something", "a.pdf", b"x" + pdf()
    yield "PDF without an end", "a.pdf", pdf()[:-8]
    yield "a bomb", "a.pdf", pdf(b"BT ET", stream(b"/Filter /FlateDecode", zlib.compress(bytes(80 << 20), 9)))


def _others() -> Iterator[tuple[str, str, bytes]]:
    for cell in ("=cmd|'/c calc'!A0", "@SUM(1)", '=HYPERLINK("x")', "+A1", "-B2", " =1"):
        yield f"formula {cell}", "a.csv", f'a,b\n1,"{cell.replace(chr(34), chr(34) * 2)}"\n'.encode()
    yield "uuencoded", "a.txt", b"begin 644 a.png\nMB5!.1PT*&@H\n`\nend\n"
    yield "hex", "a.txt", JPEG.hex().encode() + b"00" * 80
    yield "random letters", "a.txt", base64.b64encode(random.Random(1).randbytes(900))
    yield "data address", "a.txt", b"see data:image/png;base64,iVBORw0K"
    yield "invisible text", "a.txt", ("a" + "\u200b" * 50).encode()
    yield "tag letters", "a.txt", ("a" + "".join(chr(0xE0041 + i) for i in range(20))).encode()
    yield "no UTF-8", "a.txt", b"\xe9\xe8" * 20
    yield "UTF-16", "a.txt", "text".encode("utf-16")
    yield "control characters", "a.txt", b"a\x00b"
    yield "quotes left open", "a.csv", b'a,"b\n'
    letters = base64.b64encode(JPEG + bytes(80)).decode()
    yield "image in a header", "a.eml", b"X-Data: " + letters.encode() + b"\n" + mail()
    yield "image part", "a.eml", mail((PNG, "image/png", "a.png"))
    yield "video part", "a.eml", mail((MP4, "video/mp4", "a.mp4"))
    yield "archive part", "a.eml", mail((zipped(), "application/zip", "a.zip"))
    yield "office part", "a.eml", mail((OLE, "application/msword", "a.doc"))
    yield "image in markup", "a.eml", mail(html="<p>x</p><img src='cid:1'>")
    yield "script in markup", "a.eml", mail(html="<p>x</p><script>1</script>")
    yield (
        "PDF with an image attached",
        "a.eml",
        mail((pdf(b"BT ET", stream(b"/Subtype /Image", b"x")), "application/pdf", "a.pdf")),
    )
    yield "no headers", "a.eml", b"hello\n\nworld\n"
    yield (
        "mail in mail",
        "a.eml",
        mail((mail((PNG, "image/png", "a.png")), "application/octet-stream", "b.eml")),
    )
    for name in (
        "a.jpg",
        "a.png.txt",
        "a",
        ".txt",
        "a.pdf.exe",
        "../a.txt",
        "a.html",
        "a\u202etxt.exe",
        "a.docx",
    ):
        yield f"name {name!r}", name, TEXT
    yield "empty", "a.txt", b""
