"""A feed of the user's own: the docs' example loads, and each mistake is named where it stands."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from python_workers.errors import BackcourtError
from python_workers.feeds.convert import Conversion, convert
from python_workers.feeds.feed import find_feed
from python_workers.raw.load import load_directory
from python_workers.warehouse.duckdb.warehouse import DuckDBWarehouse
from tests.python.support.feed_answers import write_json
from tests.python.support.folders import REPOSITORY
from tests.python.support.raw_factories import refusal

DOCS = (REPOSITORY / "docs" / "feeds.md").read_text()
(DECLARATION,) = re.findall(r"```toml\n(title.*?)```", DOCS, re.DOTALL)
(GAMES,) = re.findall(r"```sql\n(-- games\.sql.*?)```", DOCS, re.DOTALL)
MATCHES = "id,day,home,guest,home_points,guest_points\n1,2021-11-03,AAA,BBB,101,99\n"


class Own:
    """The feed of the docs, and a folder with a file of it."""

    def __init__(self, path: Path) -> None:
        self.folder, self.files, self.raw = path / "mine", path / "files", path / "raw"
        self.folder.mkdir()
        self.files.mkdir()
        self.write("feed.toml", DECLARATION)
        self.write("games.sql", GAMES)
        (self.files / "matches.csv").write_text(MATCHES)

    def write(self, name: str, text: str | bytes) -> None:
        content = text if isinstance(text, bytes) else text.encode()
        (self.folder / name).write_bytes(content)

    def convert(self) -> Conversion:
        return convert(find_feed(str(self.folder)), self.files, self.raw)


@pytest.fixture
def own(tmp_path: Path) -> Own:
    return Own(tmp_path)


def test_the_example_of_the_docs_is_loaded(own: Own, warehouse: DuckDBWarehouse) -> None:
    done = own.convert()
    assert done.warnings == ()
    load_directory(warehouse, own.raw)
    found = warehouse.query(
        "select game_id, home_score, away_score, status from nba_raw.games"
    ).to_pylist()
    expected = {"game_id": "M000000001", "home_score": 101, "away_score": 99, "status": "final"}
    assert found == [expected]


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("day::date as game_date,", "", "gives no column game_date"),
        ("whole(home_points) as home_score,", "", "gives no column home_score"),
        ("day::date", "home::date", "fails: Conversion Error"),
        ("'final' as status", "'final' as state", "gives unknown columns: state"),
        ("'M' || padded(id, 9)", "id", "matches.csv: games: column game_id has an unusable"),
        ("'M' || padded(id, 9)", "id::bigint", "column game_id is BIGINT, not text"),
        ("day::date", "'infinity'::date", "5881580-07-11 is outside the years 1 to 9999"),
        ("whole(home_points)", "9223372036854775808", "9223372036854775808 is above 400"),
        ("'final'", "'Done'", "'Done' is none of final, in_progress, postponed, scheduled"),
        ("'regular'", "'Regular Season'", "'Regular Season' is none of play_in, playoffs, reg"),
        ("'regular'", "null", "column season_type must not be empty"),
        ("'regular'", "'preseason'", "Left out: 1 preseason."),
        ("guest_points", "home_points", "of a final game are equal"),
        ("day::date", "'2031-11-03'::date", "column game_date lies outside the season"),
        (", file_number", ", 7 as file_number", "gives 7 as file_number"),
        ("day::date", "[day::date]", "column game_date is DATE[], not a number, a flag, a date"),
        ("day::date", "interval 1 day", "column game_date is INTERVAL, not a number, a flag"),
        (GAMES, "-- nothing", "games.sql is empty"),
    ],
)
def test_a_mistake_in_a_select_is_named(own: Own, old: str, new: str, expected: str) -> None:
    assert old in GAMES
    own.write("games.sql", GAMES.replace(old, new))
    said = refusal(own.convert)
    assert expected in said
    assert "another form" not in said
    assert not own.raw.exists()


def test_without_a_file_number_a_wrong_row_is_that_of_its_select(own: Own) -> None:
    own.write("games.sql", GAMES.replace(", file_number", "").replace("'final'", "'Done'"))
    assert "mine/games.sql: games: column status has an unusable value" in refusal(own.convert)


def test_a_correct_select_may_say_it_otherwise(own: Own) -> None:
    own.write("games.sql", GAMES.replace("'regular'", "'Regular'") + "; -- the end")
    assert own.convert().tables[0].rows == 1
    own.write("games.sql", GAMES.replace("as game_id", "as GAME_ID"))
    assert own.convert().tables[0].rows == 1


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ('ids = "own"', 'ids = "owm"', "ids = 'owm' is none of nba, own"),
        ('ids = "own"', "", "ids is missing"),
        ("title", "tittle", "tittle is no key of it"),
        ("[sources.matches]", "[sources.matches]\nneed = []", "sources.matches.need is no key"),
        ('ids = "own"', 'extends = "nbaapi"', "'nbaapi', which is none of nba_api, nba_dump, nba"),
        ("[sources.matches]", '[sources.matches]\nlike = "nba"', "'nba', which is none of nba_api"),
        ("[sources.matches]", '[sources.matches]\nlike = "nba_api"', "'matches', which is none of"),
        ('ids = "own"', 'ids = "own"\nfills = []', "fills names nothing"),
        ("[sources.matches]", "[sources]\n[sources.matches]\nlike = []", "is not a text"),
        ('ids = "own"', 'ids = "own"\nfills = ["shot"]', "fills names 'shot', which is none of"),
        ('may = ["attendance"]', 'may = "attendance"', "may = 'attendance' is not a list of texts"),
        ("[sources.matches]", "[sources.matches", "it is no TOML"),
        ("[sources.matches]", "[sources.games]", "sources.games: name the source with letters"),
        ("[sources.matches]", '[sources."a b"]', "sources.a b: name the source with letters"),
        ('"attendance"', '"attendance", "id"', "'id' cannot be a column"),
        ('"attendance"', "'say \"'", "cannot be a column"),
        ("needs", 'json = "a[*"\nselect = ""\nneeds', "matches.json = 'a[*' is no path"),
        ("needs", 'json = ""\nselect = ""\nneeds', "matches.json = '' is no path"),
        (
            "needs",
            'json = "a"\nlists = ["a[*"]\nselect = ""\nneeds',
            "matches.lists = 'a[*' is no path",
        ),
        ("needs", 'json = "a"\nresult_set = "A"\nneeds', "json has no use beside result_set"),
        ("needs", 'select = "select 1"\nneeds', "matches.select has no use without json"),
        ("[sources.matches]", '[sources.MATCHES]\nneeds = ["x"]\n[sources.matches]', "in another"),
    ],
)
def test_a_mistake_in_the_declaration_is_named(own: Own, old: str, new: str, expected: str) -> None:
    assert old in DECLARATION
    own.write("feed.toml", DECLARATION.replace(old, new))
    with pytest.raises(BackcourtError) as caught:
        own.convert()
    assert expected in caught.value.message
    assert "mine/feed.toml: " in caught.value.message
    assert caught.value.exit_code == 2


def test_a_source_may_have_a_reserved_name_and_replace_one_of_the_base(own: Own) -> None:
    own.write("feed.toml", DECLARATION.replace("matches", "order"))
    own.write("games.sql", GAMES.replace("from matches", 'from "order"'))
    assert own.convert().tables[0].rows == 1
    own.write("feed.toml", DECLARATION.replace('ids = "own"', 'extends = "nba_api"'))
    own.write("games.sql", GAMES)
    assert own.convert().tables[0].rows == 1
    renamed = DECLARATION.replace("matches", "schedule").replace(
        'ids = "own"', 'ids = "own"\nextends = "nba_api"'
    )
    own.write("feed.toml", renamed)
    own.write("games.sql", GAMES.replace("from matches", "from schedule"))
    assert own.convert().tables[0].rows == 1


def test_a_long_id_and_a_broken_count_are_refused(own: Own) -> None:
    (own.files / "matches.csv").write_text(MATCHES.replace("\n1,", "\n1234567890,"))
    assert "game_id = 'M1234567890'" in refusal(own.convert)
    (own.files / "matches.csv").write_text(MATCHES.replace("101", "101.5"))
    assert "'101.5 (not a whole number)'" in refusal(own.convert)


def test_rows_of_no_game_of_the_league_are_left_out_with_a_warning(own: Own) -> None:
    own.write("feed.toml", DECLARATION.replace('ids = "own"', 'ids = "nba"'))
    own.write(
        "shots.sql",
        "select 'M000000001' as game_id, 1 as event_number, 1 as period, 5 as clock_seconds, "
        "3 as player_id, 'AAA' as team_abbr, 2 as shot_value, true as is_made",
    )
    assert own.convert().warnings == (
        "shots: rows are left out whose game_id is not one of the league: M000000001",
    )


def test_other_files_of_a_feed_are_named(own: Own) -> None:
    own.write("shot.sql", "select 1")
    assert "mine/shot.sql is named after no raw table" in refusal(own.convert)
    (own.folder / "shot.sql").unlink()
    own.write("games.sql", b"select '\xff'")
    assert "mine/games.sql is not UTF-8 text" in refusal(own.convert)
    (own.folder / "feed.toml").unlink()
    said = refusal(own.convert)
    assert "has no feed.toml" in said
    assert "Known: nba_api, nba_dump, nba_live, sportsdataverse." in said


@pytest.mark.parametrize(
    ("select", "expected"),
    [
        ("select nothing from answers", "sources.matches.select fails: Binder Error"),
        ("drop table answers", "sources.matches.select fails: Parser Error"),
        ("select 1 as id, file_number from answers", "select fails: Binder Error"),
        ("select 1 as id, 2 as day, 3 as home, 4 as guest from answers", "select fails: Binder"),
        (
            "select 1 as id, 2 as day, 3 as home, 4 as guest, 9 as file_number from answers",
            "select gives a file_number that is none of its answers",
        ),
        (
            "select 'x'::int as id, 2 as day, 3 as home, 4 as guest, file_number from answers",
            "select fails: Conversion Error",
        ),
    ],
)
def test_a_failing_select_of_a_source_is_named(own: Own, select: str, expected: str) -> None:
    own.write(
        "feed.toml",
        'title = "Own"\nids = "own"\n[sources.matches]\njson = "matches"\n'
        f'select = "{select}"\nneeds = ["id", "day", "home", "guest"]\n',
    )
    write_json(own.files / "a.json", {"matches": []})
    said = refusal(own.convert)
    assert "mine/feed.toml: sources.matches.select" in said
    assert expected in said
    assert "such as a.json" in said
    assert "Nothing was converted." in said


def test_the_lists_of_a_source_are_lists_of_objects(own: Own) -> None:
    own.write(
        "feed.toml",
        'title = "Own"\nids = "own"\n[sources.matches]\njson = "days"\n'
        'lists = ["days", "days[*].matches"]\n'
        'select = """select each->>\'id\' as id, file_number from (select file_number, '
        'unnest(json_extract(content, \'$.days[*].matches[*]\')) as each from answers)"""\n'
        'needs = ["id"]\n',
    )
    games = GAMES
    for column, value in (
        ("day::", "'2021-11-03'::"),
        ("home_points", "'101'"),
        ("guest_points", "'99'"),
    ):
        games = games.replace(column, value)
    own.write("games.sql", games.replace("home as", "'A' as").replace("guest as", "'B' as"))
    (own.files / "matches.csv").unlink()
    right = {"days": [{"matches": [{"id": 1}]}, {"matches": []}, {"matches": [{"id": 2}]}]}
    write_json(own.files / "a.json", right)
    assert own.convert().tables[0].rows == 2
    for wrong, expected in (
        ({}, "no list days[*].matches"),
        ({"matches": {"id": 3}}, "no list days[*].matches"),
        (None, "days has an element that is no object"),
        ({"matches": [3]}, "days[*].matches has an element that is no object"),
    ):
        write_json(own.files / "a.json", {"days": [*right["days"], wrong]})
        assert f"a.json: {expected}" in refusal(own.convert)


@pytest.mark.parametrize("name", ["_mine", ".mine"])
def test_a_feed_in_a_folder_that_looks_hidden_can_be_loaded(
    own: Own, warehouse: DuckDBWarehouse, name: str
) -> None:
    own.folder = own.folder.rename(own.folder.parent / name)
    own.convert()
    assert [report.table for report in load_directory(warehouse, own.raw, tables=["games"]).tables]
    assert own.convert().tables[0].rows == 1
