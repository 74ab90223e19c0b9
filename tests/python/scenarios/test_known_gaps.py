"""Known gaps: games that the source never corrects, and what their failures become."""

from __future__ import annotations

import datetime as dt
from collections.abc import Set as AbstractSet
from pathlib import Path

import pytest

from python_workers.accounting.known_gaps import KnownGap, known_gap_lines, read_known_gaps
from python_workers.errors import BackcourtError
from python_workers.processors.catalogue import BY_KEY
from python_workers.processors.shot_zones import SHOT_ZONES
from python_workers.reader import Reader
from tests.python.support.command import CommandLine
from tests.python.support.engine import Engine
from tests.python.support.leagues import League, days

NOTED = dt.date(2026, 1, 31)
SEASON = "2021-22"

Key = tuple[dt.date, str]


def write(path: Path, *gaps: KnownGap) -> None:
    path.write_text("\n".join([*known_gap_lines(gaps), ""]))


def categories(engine: Engine, short: str) -> dict[Key, str]:
    return {key: row["failure_category"] for key, row in engine.failures(short).items()}


def changed(before: dict[Key, str], after: dict[Key, str]) -> dict[Key, str]:
    assert before.keys() == after.keys()
    return {key: after[key] for key in after if after[key] != before[key]}


def computed_by(engine: Engine, run_id: str, short: str) -> AbstractSet[dt.date]:
    rows = engine.query(
        "select analysis_date from nba_processing.processed_dates "
        "where run_id = ? and processor_name = ?",
        [run_id, BY_KEY[short].name],
    )
    return {row["analysis_date"] for row in rows}


def test_adding_and_removing_a_known_gap_judges_the_affected_dates_again(
    four_seasons: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "known_gaps.csv"
    monkeypatch.setenv("BACKCOURT_KNOWN_GAPS", str(file))
    engine = four_seasons.copy(tmp_path)
    # A player with failures that only one game causes; he may have others, too.
    (chosen, *_) = engine.query(
        "select gaps.game_id, gaps.player_id, gaps.game_date, count(*) as dates "
        "from nba_processing.precompute_failures as failures "
        "inner join nba_processing.source_gaps as gaps on failures.player_id = gaps.player_id "
        "and failures.missing_game_dates = '[\"' || gaps.game_date || '\"]' "
        "where processor_name = ? and season_year = 2021 and gap != 'no_box_score' "
        "group by all order by dates desc, 1, 2",
        [BY_KEY["psza"].name],
    )
    psza = engine.failures("psza")
    before, rows = categories(engine, "psza"), engine.rows("psza")
    write(file, KnownGap(chosen["game_id"], chosen["player_id"], "contradicts itself", NOTED))
    known = engine.backfill(seasons=[SEASON], processors=[SHOT_ZONES])

    missing = f'["{chosen["game_date"]}"]'
    alone = {
        key
        for key, row in psza.items()
        if (row["player_id"], row["missing_game_dates"]) == (chosen["player_id"], missing)
    }
    assert len(alone) == chosen["dates"]
    assert changed(before, categories(engine, "psza")) == dict.fromkeys(alone, "KNOWN_SOURCE_GAP")
    assert engine.rows("psza") == rows
    windows = engine.query(
        "select distinct analysis_date from nba_precompute.player_shot_zone_inputs as inputs "
        "inner join nba_analytics.int_player_games as games using (player_id, season_year) "
        "where player_id = ? and games.game_date = ? "
        "and game_number between actual_game_count - 19 and actual_game_count",
        [chosen["player_id"], chosen["game_date"]],
    )
    recomputed = computed_by(engine, known.run.run_id, "psza")
    assert recomputed == {row["analysis_date"] for row in windows}
    assert {day for day, _ in alone} <= recomputed

    write(file)
    engine.backfill(seasons=[SEASON], processors=[SHOT_ZONES])
    assert categories(engine, "psza") == before


def test_a_league_with_only_known_gaps_needs_no_attention(
    backcourt: CommandLine, engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    league = League({"ATL": range(1, 8), "BOS": range(11, 18)})
    dates = days(20)
    spoiled = {12: {1: {"points": 99}}, 14: {2: {"fga": 20, "fgm": 6}}}
    for number, day in enumerate(dates):
        league.play(day, "ATL", "BOS", shots=number != 10, changes=spoiled.get(number))
    engine.load(league.write(tmp_path / "raw"))
    engine.backfill()
    assert "KNOWN_SOURCE_GAP" not in categories(engine, "psza").values()
    commands = ["plan --all", "coverage --all", "status", f"export --out {tmp_path / 'before'}"]
    commands += [f"report --out {tmp_path / 'report.html'}"]
    assert {backcourt(*command.split()).code for command in commands} == {1}

    file = tmp_path / "known_gaps.csv"
    lines = backcourt.attention("coverage", "--all", "--suggest-known-gaps").out
    file.write_text("game_id,player_id,reason,noted_on\n" + lines)
    monkeypatch.setenv("BACKCOURT_KNOWN_GAPS", str(file))
    engine.backfill()
    for short in ("psza", "pdc"):
        found = set(categories(engine, short).values())
        assert "KNOWN_SOURCE_GAP" in found
        assert "INCOMPLETE_UPSTREAM" not in found
    tests = engine.project().test(["path:tests/dbt/accounting"], dates[0], dates[-1])
    assert {test.status for test in tests} == {"pass"}
    commands[3] = f"export --out {tmp_path / 'after'}"
    for command in (*commands, "doctor", "verify --all"):
        backcourt.ok(*command.split())
    assert "everyone is accounted for" in backcourt.ok("coverage", "--all").out
    assert Reader("duckdb", duckdb_path=engine.path).coverage().stale_reason.isna().all()
    known = [key for key, name in categories(engine, "psza").items() if name == "KNOWN_SOURCE_GAP"]
    day, who = min(known)
    shown = backcourt.ok("explain", who, "--date", day, "--processor", "psza").out
    assert "failure KNOWN_SOURCE_GAP" in shown
    # Without the file the inputs are those of another project again.
    monkeypatch.delenv("BACKCOURT_KNOWN_GAPS")
    for command in ("coverage --all", "doctor"):
        told = backcourt.attention(*command.split()).out
        assert "known gaps changed (BACKCOURT_KNOWN_GAPS)" in " ".join(told.split())
    # A file that cannot be read is an error at once, not a change.
    for content in (None, b"", b"game_id,player\n", b"\xff\xfe"):
        file.unlink(missing_ok=True)
        if content is not None:
            file.write_bytes(content)
        monkeypatch.setenv("BACKCOURT_KNOWN_GAPS", str(file))
        for command in ("coverage --all", "plan --all", "status", "backfill --all"):
            refused = backcourt(*command.split())
            assert (refused.code, f"known gaps: {file}" in refused.err) == (3, True)
            assert "BACKCOURT_KNOWN_GAPS" in refused.err


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("22100001,,no shots,2026-01-31", "game_id '22100001' is not 10 letters or digits"),
        ("0022100001,x,no shots,2026-01-31", "player_id 'x' is neither an id nor empty"),
        ("0022100001,,,2026-01-31", "reason is empty"),
        ("0022100001,,no shots,31.1.2026", "noted_on '31.1.2026' is not a date"),
        ("0022100001,,no shots", "line 3 has 3 values, not 4"),
        ("0022100002,7,again,2026-01-31", "line 3: the game and player is listed twice"),
    ],
)
def test_a_wrong_line_of_known_gaps_is_refused_by_its_number(
    tmp_path: Path, line: str, problem: str
) -> None:
    file = tmp_path / "gaps.csv"
    file.write_text(f"game_id,player_id,reason,noted_on\n0022100002,7,once,2026-01-31\n{line}\n")
    with pytest.raises(BackcourtError, match="line 3") as error:
        read_known_gaps(file)
    assert problem in str(error.value)


def test_a_file_of_known_gaps_reads_back_as_it_was_written(tmp_path: Path) -> None:
    gaps = [
        KnownGap("0022100001", None, 'no shots, of "either" team', NOTED),
        KnownGap("0022100001", 7, "shots", NOTED),
    ]
    write(tmp_path / "gaps.csv", *gaps)
    assert read_known_gaps(tmp_path / "gaps.csv") == gaps
    (tmp_path / "gaps.csv").write_text("game,player\n")
    with pytest.raises(BackcourtError, match="begins with 'game,player'"):
        read_known_gaps(tmp_path / "gaps.csv")
