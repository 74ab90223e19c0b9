"""Another program that holds a DuckDB file and writes to it."""

from __future__ import annotations

import subprocess
import sys
import textwrap
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

# Commit once without a checkpoint, and once more later.
WRITER = """
    import sys, duckdb
    with duckdb.connect(sys.argv[1]) as connection:
        table = "nba_precompute.team_defense_zone_analysis"
        connection.execute("set checkpoint_threshold = '1GB'")
        connection.execute(f"update {table} set team_abbr = 'NEW' where team_abbr = 'ATL'")
        connection.execute("begin")
        connection.execute(f"update {table} set team_abbr = 'OPEN' where team_abbr = 'NEW'")
        print("writing", flush=True)
        sys.stdin.readline()
        connection.execute("rollback")
"""


@contextmanager
def written_by_another(path: Path) -> Iterator[None]:
    with subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(WRITER), str(path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as writer:
        assert writer.stdout is not None
        assert writer.stdout.readline() == "writing\n"
        yield
        writer.communicate("\n")
