"""`txmon report`: draft, validate, export and show suspicious-activity reports.

What is named is a case of the store, a report of the model in a file, or a written report. Owns arguments,
reading and writing of files, and how findings are shown. It files nothing and leaves no trace in the store:
what it writes lies in a folder until a person sends it.
"""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from txmon.cli.options import Json, Place, SettingsFile
from txmon.cli.reportcase import CaseSources, drafted
from txmon.errors import ConfigError, InputError
from txmon.reports import (
    checks,
    fincen,
    fincen_ack,
    fincen_write,
    formats,
    modeljson,
    render,
    rendernarrative,
)
from txmon.reports.formats import Finding, Format, Options
from txmon.reports.model import Report

app = typer.Typer(no_args_is_help=True, help="Suspicious-activity reports.", rich_markup_mode=None)

# what a text begins with, after its declaration -> its format
_SIGNS = ((b"EFilingBatchXML", "fincen"), (b"<report", "goaml"))
_SNIFFED = 4096

Schema = Annotated[
    Path | None, typer.Option("--schema", help="The authority's own schema; its findings are added.")
]
Profile = Annotated[
    str, typer.Option("--profile", help="Jurisdiction of the format: a name, or the path of a profile file.")
]
Out = Annotated[Path, typer.Option("--out", help="File that is written.")]
MaybeOut = Annotated[
    Path | None, typer.Option("--out", help="File that is written; none: the report's number, here.")
]
Target = Annotated[
    str, typer.Argument(help="A case's id, or a file: a report of the model or a written one.")
]
Jurisdiction = Annotated[
    str, typer.Option("--jurisdiction", help="Whose report, as DE; none: the only one of the filer file.")
]
Number = Annotated[str, typer.Option("--number", help="The report's number; none: made of the case's id.")]
FilerFile = Annotated[
    Path | None, typer.Option("--filer", help="Who files, JSON; else TXMON_FILER_FILE (docs/filer.md).")
]
RecordsFolder = Annotated[
    Path | None, typer.Option("--records", help="Folder of customer records; else TXMON_RECORDS_DIR.")
]


@app.callback()
def group() -> None:
    """A report is a JSON file of the neutral model; see docs/reports.md."""


@app.command("formats")
def list_formats() -> None:
    """List the formats, one a line."""
    for name in formats.names():
        typer.echo(f"{name:<12} {formats.get(name).title}")


@app.command()
def draft(
    target: Target,
    out: MaybeOut = None,
    form: Annotated[
        str, typer.Option("--format", help="What it is for; also says what is missing for it.")
    ] = "",
    profile: Profile = "",
    jurisdiction: Jurisdiction = "",
    number: Number = "",
    filer: FilerFile = None,
    records: RecordsFolder = None,
    store: Place = None,
    settings: SettingsFile = None,
    as_json: Json = False,
) -> None:
    """Draft a report from a case, or the narrative of a model anew; what is signed is not replaced."""
    path = Path(target)
    if path.exists():
        report = modeljson.loads(_read(path))
        if report.narrative.signed is not None:
            raise InputError(f"{path}: the narrative is signed; take narrative.signed out to draft it anew")
        report = replace(report, narrative=rendernarrative.draft(report))
    else:
        report = drafted(target, CaseSources(jurisdiction, form, number, filer, records, store, settings))
    found = checks.check_for(report, formats.get(form), Options(profile=profile)) if form else []
    out = out or Path(f"{report.report_id}.json")
    _put(out, modeljson.dumps(report))
    if as_json:
        stopping = len(checks.errors(found))
        facts = {"out": str(out), "report_id": report.report_id, "mark": report.mark, "errors": stopping}
        typer.echo(json.dumps(facts))
        return
    typer.echo(f"{out}: {len(report.narrative.paragraphs)} paragraphs, for a person to complete and sign")
    for one in found:
        typer.echo(str(one))


@app.command()
def validate(
    target: Target,
    form: Annotated[str, typer.Option("--format", help="Format; a written report may tell its own.")] = "",
    schema: Schema = None,
    profile: Profile = "",
    model: Annotated[
        Path | None, typer.Option("--model", help="Of a written report: its model, which knows the victims.")
    ] = None,
    jurisdiction: Jurisdiction = "",
    filer: FilerFile = None,
    records: RecordsFolder = None,
    store: Place = None,
    settings: SettingsFile = None,
    as_json: Json = False,
) -> None:
    """Say what is missing or wrong, each with field and remedy; exit code 1 where release is stopped."""
    path, options = Path(target), Options(schema=schema, profile=profile)
    case = CaseSources(jurisdiction, form, "", filer, records, store, settings)
    report = _model(path, case)
    if report is not None:
        found = checks.check_for(report, formats.get(form), options) if form else checks.check(report)
    else:
        data = _read(path)
        if model is not None:
            victims = fincen.protected(modeljson.loads(_read(model)))
            options = replace(options, extra={"possible_victims": "\n".join(victims)})
        written = formats.get(form or _sniff(path, data))
        found = written.validate(data, options)
        _tell(written, options)
    stopping = checks.errors(found)
    _show(found, as_json)
    if not as_json and not found:
        typer.echo(f"{target}: nothing is missing or wrong")
    if stopping:
        raise typer.Exit(1)


@app.command()
def export(
    target: Target,
    form: Annotated[str, typer.Option("--format", help="Format; see `txmon report formats`.")],
    out: MaybeOut = None,
    schema: Schema = None,
    profile: Profile = "",
    jurisdiction: Jurisdiction = "",
    number: Number = "",
    filer: FilerFile = None,
    records: RecordsFolder = None,
    store: Place = None,
    settings: SettingsFile = None,
    as_json: Json = False,
) -> None:
    """Write a report in an authority's format; refused, with every reason, where something is missing."""
    case = CaseSources(jurisdiction, form, number, filer, records, store, settings)
    report = _model(Path(target), case)
    if report is None:
        raise InputError(f"{target}: is no report of the model; `txmon report draft` makes one")
    written = formats.get(form)
    options = Options(schema=schema, profile=profile)
    data = checks.write(report, written, options)
    _tell(written, options)
    out = out or Path(f"{report.report_id}.{form}{written.suffix}")
    _put(out, data)
    mark = f"; it carries {report.mark} and is not for submission" if report.mark else ""
    if as_json:
        typer.echo(json.dumps({"out": str(out), "format": form, "bytes": len(data), "mark": report.mark}))
    else:
        typer.echo(f"{out}: {written.title}, {len(data)} bytes{mark}")


@app.command()
def show(
    target: Target,
    out: Out,
    form: Annotated[str, typer.Option("--format", help="Also say what this format lacks.")] = "",
    profile: Profile = "",
    jurisdiction: Jurisdiction = "",
    filer: FilerFile = None,
    records: RecordsFolder = None,
    store: Place = None,
    settings: SettingsFile = None,
) -> None:
    """Write a page for people, with what is missing at its top; a PDF where --out ends in .pdf."""
    report = _model(Path(target), CaseSources(jurisdiction, form, "", filer, records, store, settings))
    if report is None:
        raise InputError(f"{target}: is no report of the model; `txmon report draft` makes one")
    written: Format = formats.get(form or "html")
    found = checks.check_for(report, written, Options(profile=profile))
    if out.suffix.lower() == ".pdf":
        from txmon.reports import pdf  # its library takes a while to load

        _put(out, pdf.page(report, found))
    else:
        _put(out, render.page(report, found))
    typer.echo(f"{out}: {len(checks.errors(found))} findings stop release")


@app.command()
def acknowledged(
    file: Annotated[Path, typer.Argument(help="FinCEN's acknowledgement of a batch (XML).")],
    model: Annotated[
        Path | None,
        typer.Option("--model", help="The report that was filed, unchanged; gives errors a field."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Show BSA ids and FinCEN's errors at the fields of the report; exit code 1 where one is not accepted."""
    sent = fincen_write.write(modeljson.loads(_read(model))) if model is not None else None
    answers = fincen_ack.read_acknowledgement(_read(file), sent)
    if as_json:
        fields = ("level", "code", "path", "message", "remedy")
        listed = [
            {
                "accepted": a.accepted,
                "bsa_id": a.bsa_id,
                "findings": [{name: getattr(f, name) for name in fields} for f in a.findings],
            }
            for a in answers
        ]
        typer.echo(json.dumps({"reports": listed}))
    else:
        for answer in answers:
            typer.echo(f"{'accepted' if answer.accepted else 'rejected'} {answer.bsa_id}".rstrip())
            for one in answer.findings:
                typer.echo(f"  {one}")
    if not all(a.accepted for a in answers):
        raise typer.Exit(1)


def _model(path: Path, case: CaseSources) -> Report | None:
    """Return a report of the model, from a file or drafted from a case; None: a file of another form."""
    if not path.exists():
        return drafted(str(path), case)
    data = _read(path)
    return modeljson.loads(data) if _is_model(data) else None


def _tell(target: Format, options: Options) -> None:
    for note in target.notes(options):
        typer.echo(note, err=True)


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror}); give the path of a report") from error


def _put(path: Path, data: bytes) -> None:
    """Write a file whole, readable by its owner alone: reports are confidential."""
    beside = path.with_name(f".{path.name}.part")
    try:
        handle = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(handle, "wb") as file:
            file.write(data)
        beside.replace(path)
    except OSError as error:
        beside.unlink(missing_ok=True)
        raise ConfigError(
            f"{path}: cannot be written ({error.strerror}); name a file in a folder of yours"
        ) from error


def _is_model(data: bytes) -> bool:
    start = data[:_SNIFFED].lstrip(b"\xef\xbb\xbf \t\r\n")
    return start.startswith(b"{") and b'"version"' in start and b'"report"' in start


def _sniff(path: Path, data: bytes) -> str:
    for sign, name in _SIGNS:
        if sign in data[:_SNIFFED] and name in formats.names():
            return name
    raise InputError(f"{path}: its format does not show; say --format, one of {', '.join(formats.names())}")


def _show(found: list[Finding], as_json: bool) -> None:
    if not as_json:
        for one in found:
            typer.echo(str(one))
        return
    fields = ("level", "code", "path", "line", "message", "remedy")
    listed = [{name: getattr(one, name) for name in fields} for one in found]
    typer.echo(json.dumps({"errors": len(checks.errors(found)), "findings": listed}))
