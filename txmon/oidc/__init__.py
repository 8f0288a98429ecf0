"""Who signs in elsewhere: tokens of an OpenID Connect issuer, and sessions of people who came by it.

    identity = make_identity(settings, access, clock, random_bytes, log)     None where no issuer is set
    who = await identity.by_token(token)                    a bearer token; AuthError says why not
    url, note = await identity.begin()                      where a browser goes to sign in, and what it keeps
    cookie, session, who = await identity.finish(note, answer)

A token says who somebody is to the issuer; which person that is here, two people have said before
(`txmon.store.links`). What a person may do is what two people granted, within the groups that the token
names.
See docs/access.md.
"""

from __future__ import annotations

from txmon.oidc.identity import Identity
from txmon.oidc.sessions import Session
from txmon.oidc.signin import Returned
from txmon.oidc.wiring import make_identity

__all__ = ["Identity", "Returned", "Session", "make_identity"]
