"""Health of a container: ends with 0 while the service beside it says that it is ready, else with 1.

Asks `/readyz` on this machine, by the port and the TLS that the service was told of; nothing but the
standard library is loaded, as it runs every few seconds. Owns nothing else.
"""

import os
import ssl
import sys
import urllib.error
import urllib.request

TIMEOUT_S = 5


def reasons(environ: dict[str, str]) -> str:
    """Return why the service is not ready, or an empty text."""
    tls = bool(environ.get("TXMON_TLS_CERT_FILE"))
    url = f"{'https' if tls else 'http'}://127.0.0.1:{environ.get('TXMON_PORT') or 8080}/readyz"
    context = ssl.create_default_context()
    context.check_hostname = False  # it is this machine, whatever name the certificate has
    context.verify_mode = ssl.CERT_NONE
    opener = urllib.request.build_opener(
        urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=context)
    )
    try:
        with opener.open(url, timeout=TIMEOUT_S):
            return ""
    except urllib.error.HTTPError as error:
        return f"{error.code}: {error.read(2000).decode('utf-8', 'replace')}"
    except OSError as error:
        return f"no answer: {error}"


if __name__ == "__main__":
    found = reasons(dict(os.environ))
    if found:
        sys.exit(found)
