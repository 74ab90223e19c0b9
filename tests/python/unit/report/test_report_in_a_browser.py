"""The report's script in a real browser, where there is one: players, filters, copies, keys."""

from __future__ import annotations

import html
import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from python_workers.cli.app import main
from tests.python.support.engine import Engine

pytestmark = pytest.mark.slow

BROWSERS = ("chromium", "chromium-browser", "google-chrome")

# A script that acts like a person, and writes what the page shows as JSON into an element.
VISIT = Path(__file__).with_name("visit.js")


@pytest.fixture(scope="module")
def browser() -> str:
    found = next(filter(None, map(shutil.which, BROWSERS)), None)
    if found is None:
        pytest.skip(f"no headless browser: none of {', '.join(BROWSERS)} is installed")
    return found


def visit(browser: str, page: Path, profile: Path) -> Any:
    # Remove the page's policy, which admits no other script; another test checks it.
    source = re.sub(r"<meta http-equiv[^>]*>", "", page.read_text(encoding="utf-8"))
    script = VISIT.read_text(encoding="utf-8")
    page.write_text(source.replace("</body>", f"<script>{script}</script></body>"), "utf-8")
    done = subprocess.run(
        [
            *(browser, "--headless=new", "--no-sandbox", "--disable-gpu", "--no-first-run"),
            *(f"--user-data-dir={profile}", "--virtual-time-budget=10000", "--dump-dom"),
            f"{page.as_uri()}#player=playernumber4",
        ],
        check=True,
        capture_output=True,
        text=True,
        timeout=180,
    )
    seen = re.search(r'<pre id="seen">(.*?)</pre>', done.stdout, re.DOTALL)
    assert seen is not None, done.stderr[-2000:]
    return json.loads(html.unescape(seen[1]))


def test_a_person_finds_players_filters_and_copies(
    browser: str, backfilled: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "report.html"
    monkeypatch.setenv("BACKCOURT_DUCKDB_PATH", str(backfilled.path))
    with pytest.raises(SystemExit):
        main(["report", "--out", str(path)])
    seen = visit(browser, path, tmp_path / "profile")
    assert "error" not in seen, seen["error"]
    assert seen["player"][0] is False
    assert seen["player"][1].startswith("Player Number4 ")
    assert seen["player"][2] == 3
    assert ["Factors", 10] in seen["factors"]
    assert seen["team"][0] == "AAA team"
    assert "#player=playernumber3" in seen["team"][1]
    assert seen["nobody"] == "No player nobody"
    assert seen["closed"] is True
    assert seen["found"][0] == "#player=playernumber5"
    assert seen["all"] == 6
    assert seen["text"] == [1, "1 of 6"]
    assert seen["category"] == "no such choice"
    assert seen["date"] == 0
    heading = "game or player,game id,what is wrong,rows blocked,of,then run"
    assert seen["copied"][0] == heading
    assert seen["copied"][1].split(",")[3] == "24"
    assert seen["focus"] is True
    assert seen["keys"] == [False, True]
    assert seen["escaped"] is True
    assert (seen["unreachable"], seen["unnamed"], seen["skipped"]) == (0, 0, 0)
