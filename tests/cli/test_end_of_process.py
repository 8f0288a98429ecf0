"""How the process of a command ends, whatever its threads are at."""

from __future__ import annotations

import subprocess
import sys

import pytest

THREAD = "import threading, time; threading.Thread(target=time.sleep, args=(600,), daemon=True).start()"


def ended(program: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=120)


@pytest.mark.parametrize("thread", [THREAD, "pass"])
@pytest.mark.parametrize(
    ("does", "code", "says"),
    [
        ("print('done', end='')", 0, ""),
        ("sys.exit(3)", 3, ""),
        ("sys.exit('no')", 1, "no\n"),
        ("raise StateError('remedy')", 2, "remedy\n"),
    ],
)
def test_the_code_is_the_commands_and_what_was_printed_is_there(
    thread: str, does: str, code: int, says: str
) -> None:
    """A thread that nobody waits for may be inside a library that aborts when it is stopped there."""
    done = ended(
        f"import sys\nfrom txmon import cli\nfrom txmon.errors import StateError\n"
        f"def command(**_):\n    {thread}\n    print('said', end='')\n    {does}\n"
        "cli.command_line = lambda words: command\ncli.entry()\n"
    )
    assert (done.returncode, done.stderr) == (code, says)
    assert done.stdout.startswith("said")
