"""A vault put together with what surrounds it in a service: the store it reads, the rules of its clocks.

    rooms = open_rooms(settings, store, clock=..., random_bytes=...)     None: there is no vault here

Owns the assembly; a drafter that is not handed in drafts as the settings say.
"""

from __future__ import annotations

from dataclasses import dataclass

from txmon.clock import Clock, RandomBytes
from txmon.filing.drafts import draft_of_case
from txmon.filing.records import Wanted
from txmon.reports.model import Report
from txmon.settings import Settings
from txmon.store import Store
from txmon.vault import jurisdictions, keyfiles
from txmon.vault.jurisdictions import Jurisdictions
from txmon.vault.office import Office
from txmon.vault.release import Releases
from txmon.vault.sources import Drafter, StoreCases, copier_of
from txmon.vault.vault import Vault


def _drafter(store: Store, settings: Settings) -> Drafter:
    """Return what drafts the report of a case as the settings say."""

    def draft(
        case_id: str, report_id: str, now_us: int, jurisdiction: str | None, formats: tuple[str, ...]
    ) -> Report:
        wanted = Wanted(jurisdiction, formats)
        return draft_of_case(store, settings, case_id, number=report_id, now_us=now_us, wanted=wanted)

    return draft


@dataclass(frozen=True)
class Rooms:
    """See the module."""

    vault: Vault
    office: Office
    releases: Releases
    rules: Jurisdictions

    def close(self) -> None:
        """Let go of the vault's file."""
        self.vault.close()


def open_rooms(
    settings: Settings, store: Store, *, clock: Clock, random_bytes: RandomBytes, drafter: Drafter | None
) -> Rooms | None:
    """Open the vault of a service; None where none was made.

    Args:
        random_bytes: of the vault alone, so that nothing that is drawn elsewhere tells of it.

    Raises:
        ConfigError: its key is absent, readable by others or another's. RuleErrors: the file of
        jurisdictions is wrong. StateError: the vault is of a newer version.
    """
    rules = jurisdictions.load(settings.jurisdictions_file)
    if not settings.vault_path.exists():
        return None
    key_file = settings.vault_key_file or keyfiles.default_key_path()
    vault = Vault.open(settings.vault_path, key_file, clock=clock, random_bytes=random_bytes)
    drafter = drafter or _drafter(store, settings)
    office = Office(vault, cases=StoreCases(store), copier=copier_of(store), rules=rules, drafter=drafter)
    return Rooms(vault, office, Releases(office), rules)
