"""A date's rows contain what was known on its morning: no later result changes them."""

from __future__ import annotations

import datetime as dt
import random
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa

from tests.python.support.engine import Engine, assert_same

# Columns that a line of the date itself keeps: its player and the mark of not playing.
KNOWN_BEFORE = ("game_id", "player_id", "player_name", "team_abbr", "position", "is_dnp")
COUNTS = ("points", "fgm", "fga", "fg3m", "fg3a", "ftm", "fta")
MORE_COUNTS = ("oreb", "dreb", "ast", "stl", "blk", "tov", "pf")

GAMES_AFTER = "select game_id from nba_raw.games where game_date > $day"
GAMES_OF_DAY = "select game_id from nba_raw.games where game_date = $day"


def game_dates(engine: Engine) -> list[dt.date]:
    found = engine.query("select distinct game_date from nba_raw.games order by game_date")
    return [row["game_date"] for row in found]


def forget_the_future(engine: Engine, day: dt.date, seed: int) -> None:
    """Delete every result after a day, and change those of the day itself at random."""
    chance = random.Random(seed)  # noqa: S311 -- made-up results, not secrets
    with duckdb.connect(str(engine.path)) as connection:
        for table in ("player_box_scores", "shots"):
            connection.execute(
                f"delete from nba_raw.{table} where game_id in ({GAMES_AFTER})", {"day": day}
            )
        connection.execute(
            "update nba_raw.games set status = 'scheduled', home_score = null, away_score = null "
            "where game_date > $day",
            {"day": day},
        )
        for (game_id,) in connection.execute(GAMES_OF_DAY, {"day": day}).fetchall():
            home, away = chance.sample(range(60, 200), 2)
            status = chance.choice(("final", "in_progress"))
            connection.execute(
                "update nba_raw.games set status = $status, home_score = $home, away_score = $away "
                "where game_id = $game_id",
                {"status": status, "home": home, "away": away, "game_id": game_id},
            )
        replace_rows(connection, "player_box_scores", day, lambda row: other_line(chance, row))
        replace_rows(connection, "shots", day, lambda row: other_shot(chance, row))
        connection.execute("delete from nba_raw.player_registry")


def replace_rows(
    connection: duckdb.DuckDBPyConnection, table: str, day: dt.date, change: Any
) -> None:
    of_day = f"from nba_raw.{table} where game_id in ({GAMES_OF_DAY})"
    old = connection.execute(f"select * {of_day} order by all", {"day": day}).to_arrow_table()
    changed = [each for each in map(change, old.to_pylist()) if each is not None]
    rows = pa.Table.from_pylist(changed, old.schema)
    connection.execute(f"delete {of_day}", {"day": day})
    connection.register("changed_rows", rows)
    connection.execute(f"insert into nba_raw.{table} by name select * from changed_rows")
    connection.unregister("changed_rows")


def other_line(chance: random.Random, row: dict[str, Any]) -> dict[str, Any]:
    """Return another line of the same player; every now and then an empty or an absurd one.

    A mark stays without counts, or else the line would say that he was not out.
    """
    if row["is_dnp"]:
        return {**row, "dnp_reason": chance.choice((None, "rest"))}
    kind = chance.choice(("some", "some", "none", "unknown"))
    counts = {name: chance.randint(0, 40) if kind == "some" else 0 for name in COUNTS}
    counts["fga"] += counts["fgm"]
    minutes = {"some": round(chance.uniform(0, 60), 2), "none": 0.0, "unknown": None}[kind]
    return {
        **row,
        **counts,
        **{name: chance.randint(0, 20) for name in MORE_COUNTS},
        "minutes": minutes,
        "is_starter": chance.random() < 0.5,
        "dnp_reason": chance.choice((None, "rest")),
        "plus_minus": chance.choice((None, chance.randint(-40, 40))),
    }


def other_shot(chance: random.Random, row: dict[str, Any]) -> dict[str, Any] | None:
    if chance.random() < 0.3:
        return None
    made = chance.random() < 0.5
    return {
        **row,
        "shot_value": chance.choice((2, 3)),
        "is_made": made,
        "is_assisted": made and chance.random() < 0.5,
        "zone_basic": chance.choice(("Mid-Range", "Restricted Area", None)),
        "is_paint": chance.random() < 0.5,
    }


def add_a_future(engine: Engine, day: dt.date, seed: int) -> None:
    """Let the games of the last month be played again after a day, by other players of both teams.

    Some weeks later they are on the schedule once more, without a result.
    """
    chance = random.Random(seed)  # noqa: S311 -- as above
    players = [row["player_id"] for row in engine.query("select player_id from nba_raw.players")]
    others = pa.table({"player_id": players, "other_id": chance.sample(players, len(players))})
    month = (
        "where game_id in (select game_id from nba_raw.games "
        f"where game_date between date '{day}' - 29 and date '{day}')"
    )
    again, once_more = (f"game_id[:5] || '{digit}' || game_id[7:]" for digit in (8, 9))
    with duckdb.connect(str(engine.path)) as connection:
        connection.register("others", others)
        for table in ("player_box_scores", "shots"):
            connection.execute(
                f"insert into nba_raw.{table} by name "
                f"select * exclude (other_id) replace ({again} as game_id, other_id as player_id) "
                f"from nba_raw.{table} join others using (player_id) {month}"
            )
        connection.execute(
            f"""
            insert into nba_raw.games by name
            select * replace ({again} as game_id, game_date + 30 as game_date)
            from nba_raw.games {month}
            union all
            select * replace (
                {once_more} as game_id, game_date + 70 as game_date, 'scheduled' as status,
                null as home_score, null as away_score
            )
            from nba_raw.games {month}
            """
        )
        connection.unregister("others")


def test_neither_results_of_a_date_nor_what_comes_after_it_change_anything_up_to_it(
    simulated: Engine, simulated_raw: Engine, tmp_path: Path
) -> None:
    dates = game_dates(simulated)
    day = dates[-9]
    changed = simulated_raw.copy(tmp_path)
    forget_the_future(changed, day, seed=1)
    add_a_future(changed, day, seed=3)
    assert len(game_dates(changed)) > len(dates) + 20
    changed.backfill(dates[0], day)
    assert_same(simulated.everything(end=day), changed.everything())
    assert_only_labels_differ(changed, simulated, day)


def assert_only_labels_differ(changed: Engine, engine: Engine, day: dt.date) -> None:
    """The training examples of a day have the same features and other labels."""
    one, other = (labels_and_features(each, day) for each in (changed, engine))
    assert len(one["features"]) > 20
    assert one["features"] == other["features"]
    assert one["labels"] != other["labels"]


def labels_and_features(engine: Engine, day: dt.date) -> dict[str, list[dict[str, Any]]]:
    rows = engine.query(
        "select * from nba_predictions.training_examples where game_date = ? order by player_id",
        [day],
    )
    labels = {name for name in rows[0] if name == "did_play" or name.startswith("actual_")}
    return {
        "labels": [{name: row[name] for name in labels} for row in rows],
        "features": [{name: row[name] for name in row.keys() - labels} for row in rows],
    }


def test_what_is_known_before_the_game_does_change_its_date(
    simulated: Engine, simulated_raw: Engine, tmp_path: Path
) -> None:
    """A date's rows read two facts of the date: who is listed, and who is marked as not playing."""
    day = game_dates(simulated)[-3]
    changed = simulated_raw.copy(tmp_path)
    stars = changed.query(
        f"""
        select game_id, player_id from nba_raw.player_box_scores
        where game_id in ({GAMES_OF_DAY}) and not is_dnp
        qualify row_number() over (partition by game_id, team_abbr order by points desc) = 1
        """.replace("$day", "?"),
        [day],
    )
    for star in stars:
        zeros = ", ".join(f"{name} = 0" for name in (*COUNTS, *MORE_COUNTS))
        his = f"where game_id = '{star['game_id']}' and player_id = {star['player_id']}"
        changed.execute(
            f"update nba_raw.player_box_scores set is_dnp = true, minutes = null, {zeros} {his}",
            f"delete from nba_raw.shots {his}",
        )
    changed.backfill(day, day)
    before, after = simulated.rows("pcf"), changed.rows("pcf")
    assert before.keys() & after.keys() == after.keys()
    differing = {
        name for key, row in after.items() for name in row if row[name] != before[key][name]
    }
    usage = {"projected_usage_rate", "star_teammates_out", "usage_spike_score"}
    assert (
        usage
        <= differing
        <= usage
        | {
            "total_composite_adjustment",
            "usage_context_json",
            "data_hash",
            "has_warnings",
            "warning_details",
        }
    )
    for short in ("tdza", "psza", "pdc"):
        assert_same(
            {short: simulated.everything(day, day)[f"{short} rows"]},
            {short: changed.everything(day, day)[f"{short} rows"]},
        )


def test_the_same_holds_on_real_data(real: Engine, real_raw: Engine, tmp_path: Path) -> None:
    day, week_before = dt.date(2022, 1, 15), dt.date(2022, 1, 8)
    changed = real_raw.copy(tmp_path)
    forget_the_future(changed, day, seed=4)
    changed.backfill(week_before, day)
    expected = real.everything(week_before, day)
    assert len(expected["psza rows"]) > 3_000
    assert_same(expected, changed.everything())
