"""A vault that is open: its file and keys, who may work in it, copies, retention, rotation of its key.

    vault = Vault.open(file, key_file, clock=clock, random_bytes=random_bytes)
    caller = vault.caller(principal)          None: nobody here
    vault.keep("preservation", order_id, items, keep_until, why, who); vault.kept(order_id)

Owns the life of a vault; what people do with reports is `txmon.vault.office`.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from types import TracebackType

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey

from txmon.clock import Clock, RandomBytes
from txmon.errors import ConfigError
from txmon.store.identity import Principal
from txmon.vault import chain, copies, grants, keyfiles
from txmon.vault.caller import Caller
from txmon.vault.chain import Verified
from txmon.vault.copies import Item, Keeping
from txmon.vault.db import VaultFile
from txmon.vault.seal import KEY_BYTES, wrap

_PUBLIC = "backup_public"


class Vault:
    """See the module. May be used from any thread."""

    def __init__(self, file: VaultFile, clock: Clock, random_bytes: RandomBytes) -> None:
        self.file, self.clock, self.random_bytes = file, clock, random_bytes

    @classmethod
    def open(cls, path: Path, key_file: Path, *, clock: Clock, random_bytes: RandomBytes) -> Vault:
        """Open a vault.

        Raises:
            ConfigError: there is none, or its key is absent, readable by others or another's. StateError: of
            a newer version.
        """
        if not path.exists():
            raise ConfigError(f"{path} is no vault; make one by `txmon vault init`")
        return cls(VaultFile(path, keyfiles.read_key(key_file), clock, random_bytes), clock, random_bytes)

    @classmethod
    def make(
        cls, path: Path, key_file: Path, backup_key_file: Path, people: tuple[str, str], *,
        clock: Clock, random_bytes: RandomBytes,
    ) -> Vault:  # fmt: skip
        """Make a vault with its key files, and let in the first two people: with `mlro`, with `mlro_release`.

        Raises:
            ConfigError: one of the files exists. InputError: one person twice.
        """
        for place in (path, key_file, backup_key_file):
            if place.exists():
                raise ConfigError(f"{place} exists and is not replaced; a vault is made once")
        grants.require_two(*people)
        key, private = random_bytes(KEY_BYTES), random_bytes(KEY_BYTES)
        public = X25519PrivateKey.from_private_bytes(private).public_key().public_bytes_raw()
        try:
            keyfiles.write_key(key_file, key)
            keyfiles.write_key(backup_key_file, private)
            file = VaultFile.make(path, key, clock, random_bytes)
            with file.write() as tx:
                tx.put("key", _PUBLIC, public)
                grants.begin(tx, *people)
                tx.log({"action": "vault.made", "by": "operator", "facts": {"people": list(people)}})
        except BaseException:
            for place in (path, key_file, backup_key_file):  # none was there before
                place.unlink(missing_ok=True)
            raise
        return cls(file, clock, random_bytes)

    # -- people ------------------------------------------------------------------------------------------

    def caller(self, who: Principal) -> Caller | None:
        """Return somebody with what the vault grants now; None where that is nothing."""
        with self.file.read() as reader:
            return grants.caller_of(reader, who, self.clock.now_us())

    # -- copies ------------------------------------------------------------------------------------------

    def keep(self, kind: str, owner: str, items: Sequence[Item], keep_until: int, why: str, who: str) -> int:
        """Keep copies for an owner until a moment, microseconds UTC; durable when it returns.

        Copies that are there stay longer if that is asked. Returns how many are new.

        Args:
            kind: of the owner, as ``preservation``. who: identity of who wants it.
        """
        with self.file.write() as tx:
            new = copies.keep(tx, Keeping(kind, owner, keep_until, why, who), items)
            facts = {"kind": kind, "copies": len(items), "new": new, "keep_until_us": keep_until}
            tx.log({"action": "copies.kept", "by": who, "reason": why, "facts": facts}, owner)
        return new

    def kept(self, owner: str) -> list[Item]:
        """Return what is kept for an owner, in order of keeping."""
        with self.file.read() as reader:
            return [copy.item for copy in copies.kept(reader, owner)]

    def retain(self) -> int:
        """Take out the copies whose time is over, and their bytes from the file; returns how many."""
        with self.file.write() as tx:
            gone = copies.retain(tx, tx.clock.now_us())
            if gone:
                tx.log({"action": "copies.retained", "by": "operator", "facts": {"copies": gone}})
        if gone:
            self.file.scrub()
        return sum(gone.values())

    # -- keys --------------------------------------------------------------------------------------------

    @property
    def backup_public(self) -> X25519PublicKey:
        """The public key that backups are sealed for."""
        with self.file.read() as reader:
            return X25519PublicKey.from_public_bytes(reader.get("key", _PUBLIC).content)

    def rotate(self, key_file: Path) -> None:
        """Put a new key into the key file; the data key is wrapped anew, nothing else is sealed again.

        The vault opens with what the key file holds at every moment, also after a kill in between.

        Raises:
            ConfigError: the file cannot be written, or holds another vault's key.
        """
        old = keyfiles.read_key(key_file)
        new = self.random_bytes(KEY_BYTES)
        fresh = key_file.with_name(key_file.name + ".new")
        fresh.unlink(missing_ok=True)  # left by a process that was killed here: no vault has its key only
        keyfiles.write_key(fresh, new)
        wrapped = wrap(new, self.file.data_key, self.file.vault_id, self.random_bytes)
        with self.file.write() as tx:
            if tx.meta(f"wrapped:{keyfiles.name_of(old)}") is None:
                raise ConfigError(f"{key_file} does not hold this vault's key; name the right file")
            tx.set_meta(f"wrapped:{keyfiles.name_of(new)}", wrapped)
            tx.log({"action": "key.added", "by": "operator", "facts": {"key": keyfiles.name_of(new)}})
        fresh.replace(key_file)
        keyfiles.sync_folder(key_file.parent)
        with self.file.write() as tx:
            dropped = tx.only_wrapped(keyfiles.name_of(new))
            tx.log({"action": "key.ended", "by": "operator", "facts": {"keys": dropped}})

    # -- life --------------------------------------------------------------------------------------------

    def verify(self, noted: tuple[int, bytes] | None = None) -> Verified:
        """Check the whole vault; see `txmon.vault.chain`."""
        return chain.verify(self.file, noted)

    def close(self) -> None:
        """Let go of the file."""
        self.file.close()

    def __enter__(self) -> Vault:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
