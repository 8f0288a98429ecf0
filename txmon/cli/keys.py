"""`txmon keys`: the local key of card tokens; people, their API keys, and grants that two people make.

Owns arguments and what is printed; who may do what is decided in `txmon.store.access`. A new key's text is
printed once and never written to a file or a log.
"""

from __future__ import annotations

from typing import Annotated

import typer

from txmon.cli import cardkeys
from txmon.cli.keyplace import hands, key_facts, opened, person_facts, spec_of, tell, tell_key
from txmon.cli.options import Entities, Json, KeyFile, Mode, PersonId, Place, Roles, SettingsFile
from txmon.cli.running import settings_of
from txmon.cli.storeplace import places_of
from txmon.errors import InputError, NotFound
from txmon.model.keys import default_key_path, ensure_key
from txmon.store import foureyes
from txmon.store.access import Access, Person, list_keys, list_people
from txmon.store.links import list_links

app = typer.Typer(no_args_is_help=True, help="Local keys; people and their API keys.", rich_markup_mode=None)
person = typer.Typer(no_args_is_help=True, help="People who work with the service.", rich_markup_mode=None)
app.add_typer(person, name="person")
app.add_typer(cardkeys.app, name="card")

_HOUR_US = 3_600_000_000


@app.callback()
def group() -> None:
    """The key of card tokens lies outside the store; API keys are rows of it, as hashes only."""


@app.command()
def init(quiet: bool = typer.Option(False, "--quiet", help="Print nothing.")) -> None:
    """Make the tokenisation key if there is none yet."""
    key = ensure_key()
    if not quiet:
        typer.echo(f"key {key.id} in {default_key_path()}")


@app.command()
def bootstrap(
    people: Annotated[list[str], typer.Argument(help="Two names at least, each NAME or NAME=ROLE,ROLE.")],
    store: Place = None,
    settings: SettingsFile = None,
    as_json: Json = False,
) -> None:
    """Make the first administrators and print a key of each; only while there is none."""
    first = [
        (name.strip(), [r for r in roles.split(",") if r])
        for name, _, roles in (p.partition("=") for p in people)
    ]
    with opened(store, settings, make=True) as opened_store:
        access = Access(opened_store)
        with opened_store.write() as tx:
            keys = access.bootstrap(tx, first)
    facts = [{"name": n, "key_id": k.key_id, "key": k.token} for (n, _), k in zip(first, keys, strict=True)]
    lines = ["each key is shown once; hand it to its person alone, who rotates it:"]
    tell(
        {"administrators": facts},
        lines + [f"{f['name']}: {f['key']}  ({f['key_id']})" for f in facts],
        as_json,
    )


@person.command("add")
def add_person(
    name: Annotated[str, typer.Argument(help="How others know this person.")],
    roles: Roles = None,
    entities: Entities = None,
    store: Place = None,
    settings: SettingsFile = None,
    key_file: KeyFile = None,
    as_json: Json = False,
) -> None:
    """Name a person and propose roles; another person must approve."""
    if not roles:
        raise InputError("name what the person does by --role, once for each role")
    with hands(store, settings, key_file) as at:
        made, grant = at.change(
            lambda tx, access, who: access.create_person(tx, who, name, roles, entities or None)
        )
    tell({"person_id": made, "grant_id": grant}, [f"person {made}; roles wait for {grant}"], as_json)


@person.command("list")
def show_people(store: Place = None, settings: SettingsFile = None, as_json: Json = False) -> None:
    """List people; also while the service runs."""
    with places_of(store, settings).open(read_only=True) as at, at.read() as conn:
        found = [person_facts(p) for p in list_people(conn)]
    lines = [f"{p['id']}  {p['state']:<8}  {p['name']}  {', '.join(p['roles'])}" for p in found]
    tell({"people": found}, lines, as_json)


@person.command("disable")
def disable_person(
    person_id: PersonId,
    store: Place = None,
    settings: SettingsFile = None,
    key_file: KeyFile = None,
) -> None:
    """Lock a person out, with all keys, at once."""
    with hands(store, settings, key_file) as at:
        at.change(lambda tx, access, who: access.disable_person(tx, who, person_id))
    typer.echo(f"person {person_id} is locked out")


@app.command()
def new(
    owner: Annotated[str, typer.Argument(help="Id of a person, or a name for a service's key.")],
    scopes: Annotated[
        list[str] | None, typer.Option("--scope", help="What it is for; once for each.")
    ] = None,
    roles: Roles = None,
    mode: Mode = None,
    entities: Entities = None,
    days: Annotated[
        float | None, typer.Option("--days", help="Days until it expires; none given: never.")
    ] = None,
    store: Place = None,
    settings: SettingsFile = None,
    key_file: KeyFile = None,
    as_json: Json = False,
) -> None:
    """Make a key and print it once; it works when another person has approved it."""
    with hands(store, settings, key_file) as at:
        with at.store.read() as conn:
            spec = spec_of(_owner(owner, list_people(conn)), scopes, roles, mode, entities, days)
        key = at.change(lambda tx, access, who: access.create_key(tx, who, spec))
    tell_key(key, as_json)


@app.command("list")
def show_keys(store: Place = None, settings: SettingsFile = None, as_json: Json = False) -> None:
    """List keys, never their text; also while the service runs."""
    with places_of(store, settings).open(read_only=True) as at, at.read() as conn:
        found = [key_facts(k) for k in list_keys(conn)]
    lines = [
        f"{k['id']}  {k['prefix']}  {k['state']:<8}  {k['name']}  {', '.join(k['scopes'])}"
        f"  last used {k['last_used'] or 'never'}"
        for k in found
    ]
    tell({"keys": found}, lines, as_json)


@app.command()
def revoke(
    key_id: Annotated[str, typer.Argument(help="Id of the key, as `txmon keys list` shows it.")],
    store: Place = None,
    settings: SettingsFile = None,
    key_file: KeyFile = None,
) -> None:
    """End a key at once."""
    with hands(store, settings, key_file) as at:
        at.change(lambda tx, access, who: access.revoke_key(tx, who, key_id))
    typer.echo(f"key {key_id} is revoked")


@app.command()
def rotate(
    key_id: Annotated[
        str | None, typer.Argument(help="Id of the key; none given: the one used here.")
    ] = None,
    overlap_hours: Annotated[float, typer.Option("--overlap-hours", help="How long both work.")] = 24.0,
    store: Place = None,
    settings: SettingsFile = None,
    key_file: KeyFile = None,
    as_json: Json = False,
) -> None:
    """Replace a key by a new one that may do the same, and print it once."""
    overlap = int(overlap_hours * _HOUR_US)
    with hands(store, settings, key_file) as at:
        old = key_id or at.who.key_id or ""
        key = at.change(lambda tx, access, who: access.rotate_key(tx, who, old, overlap))
    tell_key(key, as_json, replaces=old)


@app.command()
def link(
    person_id: PersonId,
    subject: Annotated[str, typer.Argument(help="`sub` of this person's tokens, exactly.")],
    issuer: Annotated[
        str | None, typer.Option("--issuer", help="Who issues them; else TXMON_OIDC_ISSUER.")
    ] = None,
    store: Place = None,
    settings: SettingsFile = None,
    key_file: KeyFile = None,
    as_json: Json = False,
) -> None:
    """Propose that an outside account is a person; another person must approve."""
    name = issuer or settings_of({"settings": settings}).oidc_issuer
    if name is None:
        raise InputError("no issuer is set; name one by --issuer, or set TXMON_OIDC_ISSUER")
    with hands(store, settings, key_file) as at:
        made, grant = at.change(
            lambda tx, access, who: access.propose_link(tx, who, person_id, name, subject)
        )
    tell({"link_id": made, "grant_id": grant}, [f"link {made}; it waits for {grant}"], as_json)


@app.command("links")
def show_links(store: Place = None, settings: SettingsFile = None, as_json: Json = False) -> None:
    """List which outside accounts are whose; also while the service runs."""
    with places_of(store, settings).open(read_only=True) as at, at.read() as conn:
        found = [
            {"id": n.id, "person": n.person_id, "state": n.state, "issuer": n.issuer, "subject": n.subject}
            for n in list_links(conn)
        ]
    lines = [f"{n['id']}  {n['state']:<8}  {n['person']}  {n['subject']}  of {n['issuer']}" for n in found]
    tell({"links": found}, lines, as_json)


@app.command()
def unlink(
    link_id: Annotated[str, typer.Argument(help="Id of the link, as `txmon keys links` shows it.")],
    store: Place = None,
    settings: SettingsFile = None,
    key_file: KeyFile = None,
) -> None:
    """End a link at once."""
    with hands(store, settings, key_file) as at:
        at.change(lambda tx, access, who: access.revoke_link(tx, who, link_id))
    typer.echo(f"link {link_id} is ended")


@app.command()
def grants(store: Place = None, settings: SettingsFile = None, as_json: Json = False) -> None:
    """List grants that wait for a second person; also while the service runs."""
    with places_of(store, settings).open(read_only=True) as at, at.read() as conn:
        found = [
            {"id": p.id, "by": p.author} | p.body for p in foureyes.listed(conn, kind="grant", limit=1000)
        ]
    lines = [f"{g['id']}  {g['grant']}  for {g['person'] or 'a service'}  by {g['by']}" for g in found]
    tell({"grants": found}, lines, as_json)


@app.command()
def decide(
    grant_id: Annotated[str, typer.Argument(help="Id of the grant, as `txmon keys grants` shows it.")],
    approve: Annotated[bool, typer.Option("--approve/--reject", help="What you decide.")],
    reason: Annotated[str, typer.Option("--reason", help="Why; must be said to reject.")] = "",
    store: Place = None,
    settings: SettingsFile = None,
    key_file: KeyFile = None,
) -> None:
    """Approve or reject what another person granted."""
    with hands(store, settings, key_file) as at:
        done = at.change(lambda tx, access, who: access.decide_grant(tx, grant_id, who, approve, reason))
    typer.echo(f"grant {grant_id} is {done.state}")


def _owner(owner: str, known: list[Person]) -> Person | str:
    """A person by id; anything that is no id is the name of a service."""
    if not owner.startswith("psn_"):
        return owner
    found = next((p for p in known if p.id == owner), None)
    if found is None:
        raise NotFound(f"there is no person {owner}; `txmon keys person list` shows them")
    return found
