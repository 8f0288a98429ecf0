"""Puts the parts together as the settings say. Owns the reading of the settings of sign-ins; asks nobody."""

from __future__ import annotations

from txmon.clock import Clock, RandomBytes
from txmon.errors import ConfigError
from txmon.oidc.fetch import Fetch
from txmon.oidc.groups import load_groups
from txmon.oidc.identity import Identity, Terms
from txmon.oidc.issuer import Issuer, Log, Policy
from txmon.oidc.sessions import Sessions
from txmon.oidc.signin import Client, SignIn
from txmon.oidc.tokens import Rules, Tokens
from txmon.settings import Settings
from txmon.store.access import Access


def make_identity(
    settings: Settings, access: Access, clock: Clock, random_bytes: RandomBytes, log: Log
) -> Identity | None:
    """Return who recognises tokens and sessions, None where no issuer is set.

    Raises:
        ConfigError: a file cannot be used.
    """
    s = settings
    if s.oidc_issuer is None:
        return None
    try:
        fetch = Fetch(s.oidc_timeout_ms / 1000, ca_file=s.oidc_ca_file, loopback=s.oidc_test_loopback)
    except OSError as error:
        raise ConfigError(
            f"TXMON_OIDC_CA_FILE: {s.oidc_ca_file}: cannot be used; it holds certificates, PEM"
        ) from error
    policy = Policy(s.oidc_algorithms, keys_s=s.oidc_keys_seconds, pause_s=s.oidc_keys_pause_seconds)
    issuer = Issuer(s.oidc_issuer, fetch, policy, log)
    tokens = Tokens(issuer, Rules(s.oidc_algorithms, s.oidc_token_age_seconds), clock)
    groups = None if s.oidc_groups is None else load_groups(s.oidc_groups)
    terms = Terms(s.oidc_issuer, s.oidc_audience, groups, s.oidc_groups_claim)
    client = _client(s)
    if client is None:
        return Identity(terms, access, tokens, None, None)
    signin = SignIn(client, issuer, tokens, fetch, clock, random_bytes)
    sessions = Sessions(clock, random_bytes, s.oidc_session_seconds, s.oidc_idle_seconds)
    return Identity(terms, access, tokens, signin, sessions)


def _client(s: Settings) -> Client | None:
    if s.oidc_client_id is None or s.oidc_redirect_url is None:
        return None
    secret = None
    if s.oidc_client_secret_file is not None:
        path = s.oidc_client_secret_file
        try:
            mode, secret = path.stat().st_mode, path.read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigError(f"TXMON_OIDC_CLIENT_SECRET_FILE: {path}: cannot be read; correct it") from error
        if mode & 0o077:
            raise ConfigError(
                f"TXMON_OIDC_CLIENT_SECRET_FILE: {path} may be read by others; run `chmod 600 {path}`"
            )
        if not secret:
            raise ConfigError(f"TXMON_OIDC_CLIENT_SECRET_FILE: {path} is empty; write the secret into it")
    return Client(s.oidc_client_id, s.oidc_redirect_url, s.oidc_scopes, secret)
