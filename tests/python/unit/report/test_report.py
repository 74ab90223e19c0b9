"""The report page: what it shows, and that nothing in the data becomes markup."""

from __future__ import annotations

import base64
import datetime as dt
import hashlib
import itertools
import json
import re
from collections import Counter
from collections.abc import Callable, Mapping
from html.parser import HTMLParser
from pathlib import Path

import pyarrow as pa
import pytest
import yaml

from python_workers.accounting.schedule import LAST_DATE, game_dates, resolve
from python_workers.cli.app import main
from python_workers.processors.catalogue import PROCESSORS
from python_workers.processors.shot_zones import SHOT_ZONES
from python_workers.reading.scope import Scope
from python_workers.report.queries import read_report
from python_workers.report.scales import SeasonAxis
from python_workers.settings import load_settings
from python_workers.warehouse.open import open_warehouse
from tests.python.support.engine import Engine
from tests.python.support.folders import REPOSITORY
from tests.python.unit.report.conftest import DATES, HOSTILE, LONG, WITHOUT_SHOTS

pytestmark = pytest.mark.slow

MODELS = REPOSITORY / "models" / "precompute"
VOID = {"meta", "link", "input", "br", "img", "hr"}


class Page(HTMLParser):
    """The elements of a page, and the text of all of them and of some by name."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str]]] = []
        self.texts: dict[str, list[str]] = {}
        self.text = ""
        self._open: list[str] = []
        self.source = path.read_text(encoding="utf-8")
        self.feed(self.source)
        self.close()
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, {name: value or "" for name, value in attrs}))
        if tag not in VOID:
            self._open.append(tag)
            self.texts.setdefault(tag, []).append("")

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, {name: value or "" for name, value in attrs}))

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self._open:
            self.texts[self._open[-1]][-1] += data
        if not {"script", "style"} & set(self._open):
            self.text += data

    def all(self, tag: str, class_: str = "") -> list[dict[str, str]]:
        wanted = set(class_.split())
        return [
            attributes
            for name, attributes in self.elements
            if name == tag and wanted <= set(attributes.get("class", "").split())
        ]

    def rows_of(self, table: str) -> list[str]:
        """Return the text of each row of the body of a table."""
        body = self.source.split(f'id="{table}"')[1].split("</table>")[0]
        rows = re.findall(r"<tr[^>]*>(.*?)</tr>", body.split("<tbody>")[1], re.DOTALL)
        return [re.sub(r"<[^>]+>", " ", row) for row in rows]


@pytest.fixture(scope="module")
def drawn() -> dict[tuple[str, ...], Page]:
    """Return the pages of the untouched warehouse so far, by the arguments of the command."""
    return {}


@pytest.fixture
def report(
    backfilled: Engine,
    drawn: dict[tuple[str, ...], Page],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Callable[..., Page]:
    def write(engine: Engine, *arguments: str) -> Page:
        if engine is backfilled and arguments in drawn:
            return drawn[arguments]
        path = tmp_path / "report.html"
        assert run(monkeypatch, engine, "--out", str(path), *arguments) in (0, 1)
        page = Page(path)
        if engine is backfilled:
            drawn[arguments] = page
        return page

    return write


def run(monkeypatch: pytest.MonkeyPatch, engine: Engine, *arguments: str) -> int:
    """Run ``backcourt report`` and return its exit code."""
    monkeypatch.setenv("BACKCOURT_DUCKDB_PATH", str(engine.path))
    with pytest.raises(SystemExit) as ended:
        main(["report", *arguments])
    assert isinstance(ended.value.code, int)
    return ended.value.code


def test_the_page_is_complete_without_a_network(
    backfilled: Engine, report: Callable[..., Page]
) -> None:
    page = report(backfilled)
    for _, attributes in page.elements:
        for name in ("src", "href", "srcset", "action", "data", "poster", "xlink:href"):
            assert attributes.get(name, "#").startswith(("#", "data:"))
    (style,), (_, script) = page.texts["style"], page.texts["script"]
    assert "url(" not in style
    assert "@import" not in style
    assert "fetch(" not in script


def test_the_page_s_own_policy_admits_its_script_and_its_style_alone(
    backfilled: Engine, report: Callable[..., Page]
) -> None:
    page = report(backfilled)
    (policy,) = [each["content"] for each in page.all("meta") if "http-equiv" in each]
    allowed = dict(part.strip().split(" ", 1) for part in policy.split(";"))
    assert allowed["default-src"] == "'none'"
    for name, tag in (("script-src", "script"), ("style-src", "style")):
        content = page.texts[tag][-1]
        digest = base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()
        assert allowed[name] == f"'sha256-{digest}'"
    assert not [name for _, attributes in page.elements for name in attributes if name == "style"]


def test_names_and_reasons_are_text_whatever_they_hold(
    backfilled: Engine, report: Callable[..., Page], tmp_path: Path
) -> None:
    engine = backfilled.copy(tmp_path / "hostile")
    engine.execute(
        "update nba_processing.precompute_failures set failure_reason = '"
        + HOSTILE.replace("'", "''")
        + "' where not is_expected"
    )
    page = report(engine)
    assert [each.get("type", "") for each in page.all("script")] == ["application/json", ""]
    assert page.all("img") == []
    for _, attributes in page.elements:
        assert not [name for name in attributes if name.startswith("on")]
    assert page.text.count("<script>alert(1)</script>") >= 2


def test_a_name_of_ten_kilobytes_is_cut(backfilled: Engine, report: Callable[..., Page]) -> None:
    page = report(backfilled)
    assert LONG[:20] in page.text
    assert LONG[:200] not in page.text


def test_every_game_date_of_every_processor_is_a_cell_in_the_colour_of_its_status(
    backfilled: Engine, report: Callable[..., Page]
) -> None:
    page = report(backfilled)
    cells = Counter(
        each["class"].split()[1].removeprefix("s-") for each in page.all("rect", "cell")
    )
    found = backfilled.coverage(DATES[0], DATES[-1]).by_date
    assert cells == Counter(row["coverage_status"] for row in found)
    assert cells.total() == len(DATES) * len(PROCESSORS)
    assert cells["investigate"] > 0
    assert f"{DATES[0]:%a} {DATES[0]}: " in page.text


def test_the_head_has_the_sums_of_the_coverage(
    backfilled: Engine, report: Callable[..., Page]
) -> None:
    page = report(backfilled)
    rows = backfilled.coverage(DATES[0], DATES[-1]).by_date
    investigate = sum(row["incomplete_upstream"] for row in rows)
    expected = sum(row["expected"] for row in rows)
    assert investigate > 0
    assert (
        f"Everyone is accounted for; {investigate:,} entries of {expected:,} "
        f"({100 * investigate / expected:.2f} %) to investigate." in page.text
    )
    tiles = page.texts["b"]
    for number in (expected, sum(row["records"] for row in rows), investigate):
        assert f"{number:,}" in tiles
    assert f"{DATES[0]} to {DATES[-1]}" in page.text
    (run_id,) = {row["run_id"] for row in backfilled.query("from nba_processing.processor_runs")}
    assert run_id in page.texts["code"]
    assert "DuckDB" in page.texts["dd"]


def test_entries_to_investigate_are_listed_by_player_and_reason(
    backfilled: Engine, report: Callable[..., Page]
) -> None:
    page = report(backfilled)
    (of_player,) = [row for row in page.rows_of("entries") if "Player Number4" in row]
    dates = [day for day in DATES if day > WITHOUT_SHOTS]
    assert "psza" in of_player
    assert "INCOMPLETE_UPSTREAM" in of_player
    assert f"shot zones: {WITHOUT_SHOTS}" in of_player
    assert of_player.split()[-3:] == [str(len(dates)), str(dates[0]), str(dates[-1])]


def test_times_and_rows_of_the_last_runs_are_shown(
    backfilled: Engine, report: Callable[..., Page]
) -> None:
    page = report(backfilled)
    (written,) = backfilled.query("select sum(inserted) as n from nba_processing.processor_runs")
    assert f"{written['n']:,}" in page.texts["td"]
    assert page.text.count("Start-up and inputs") == 1
    assert f"{len(DATES) * len(PROCESSORS)} processor-dates of this range" in page.text


def test_the_zone_charts_add_up_to_the_shots(
    backfilled: Engine, report: Callable[..., Page]
) -> None:
    page = report(backfilled)
    shots = backfilled.query(
        """
        select extract(month from game_date) as month, count(*) as n
        from nba_raw.shots join nba_raw.games using (game_id) group by all
        """
    )
    for row in shots:
        name = dt.date(2021, row["month"], 1).strftime("%B %Y")
        assert f"{name}: {row['n']:,} attempts" in page.text
    (last,) = backfilled.query(
        "select count(*) as n from nba_precompute.player_shot_zone_analysis "
        "where analysis_date = (select max(analysis_date) "
        "from nba_precompute.player_shot_zone_analysis)"
    )
    assert len(page.all("circle", "dot")) == last["n"]
    assert "AAA, paint: " in page.text


def test_what_was_found_in_the_raw_data_is_shown_by_season_and_lines_by_themselves(
    backfilled: Engine, report: Callable[..., Page], tmp_path: Path
) -> None:
    shown = [" ".join(row.split()) for row in report(backfilled).rows_of("findings")]
    assert [row for row in shown if row.startswith("shots ")] == [
        (
            "shots teams with lines and no shots in a final game 2 "
            f"{WITHOUT_SHOTS} {game_on(backfilled, WITHOUT_SHOTS)} no shot of AAA"
        )
    ]
    spoiled = backfilled.copy(tmp_path / "spoiled")
    spoiled.execute(
        "update nba_raw.player_box_scores set minutes = null where player_id = 3",
        "update nba_raw.shots set team_abbr = 'CCC' where game_id = "
        f"'{game_on(spoiled, DATES[0])}' and player_id = 4",
    )
    lines = [" ".join(row.split()) for row in report(spoiled).rows_of("lines")]
    without_minutes = [row for row in lines if "and no minutes" in row]
    assert [row.split()[0] for row in without_minutes] == [str(day) for day in DATES]
    assert all(" AAA 3 lines with points" in row for row in without_minutes)
    strays = [row for row in lines if "team CCC, game of AAA and BBB" in row]
    assert len(strays) == len(lines) - len(without_minutes) == 10


def game_on(engine: Engine, day: dt.date) -> str:
    (found,) = engine.query("select game_id from nba_raw.games where game_date = ?", [day])
    game_id: str = found["game_id"]
    return game_id


def test_the_dictionary_describes_every_column_of_the_outputs(
    backfilled: Engine, report: Callable[..., Page]
) -> None:
    page = report(backfilled)
    for processor in PROCESSORS:
        assert processor.table in page.texts["code"]
    for column in backfilled.query(f"describe {SHOT_ZONES.table}"):
        assert column["column_name"] in page.texts["code"]
    text = (MODELS / f"{SHOT_ZONES.model}.yml").read_text(encoding="utf-8")
    (described,) = yaml.safe_load(text)["models"]
    own = [column["description"] for column in described["columns"]]
    assert {each for each in own if "doc(" not in each} <= set(page.texts["td"])
    # Descriptions that several tables share stand in columns.md.
    assert "First 16 hex digits of the SHA-256 of the record's business fields." in page.texts["td"]
    assert "doc(" not in page.text


def test_simulated_players_are_called_simulated(
    backfilled: Engine, report: Callable[..., Page], tmp_path: Path
) -> None:
    assert "Simulated data" not in report(backfilled).text
    engine = backfilled.copy(tmp_path / "simulated")
    engine.execute("update nba_raw.players set player_id = 9000001 where player_id = 6")
    assert "Simulated data" in report(engine).text


def test_a_range_keeps_the_other_dates_out(backfilled: Engine, report: Callable[..., Page]) -> None:
    page = report(backfilled, "--start", str(DATES[2]), "--end", str(DATES[4]))
    assert len(page.all("rect", "cell")) == 3 * len(PROCESSORS)
    assert str(DATES[3]) in page.text
    assert str(DATES[5]) not in page.text
    assert "No shot zones of players yet" in page.text


def test_a_partly_backfilled_warehouse_says_what_is_missing(
    loaded: Engine, report: Callable[..., Page], tmp_path: Path
) -> None:
    engine = loaded.copy(tmp_path / "partly")
    engine.backfill(DATES[0], DATES[3])
    page = report(engine)
    pairs = len(DATES) * len(PROCESSORS)
    assert "Everyone is accounted for on the dates that have run." in page.text
    assert f"{12 * len(PROCESSORS)} of {pairs} processor-dates have not run yet" in page.text
    assert f"backcourt backfill --start {DATES[0]} --end {DATES[-1]}" in page.text
    assert len(page.all("rect", "cell s-not_run")) == 12 * len(PROCESSORS)
    after = report(engine, "--start", str(DATES[8]), "--end", str(DATES[-1]))
    assert "Nothing has been computed in this range yet." in after.text
    assert "No processor has run in this range." in after.text


def test_without_a_warehouse_or_a_backfill_there_is_no_page(
    loaded: Engine,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    path = tmp_path / "report.html"
    assert run(monkeypatch, Engine(tmp_path / "none"), "--out", str(path)) == 3
    assert "backcourt load DIR" in capsys.readouterr().err
    assert run(monkeypatch, loaded.copy(tmp_path / "raw"), "--out", str(path)) == 3
    assert "backcourt backfill" in capsys.readouterr().err
    assert not path.exists()


def test_the_folder_of_the_page_is_made_and_a_folder_is_no_page(
    backfilled: Engine,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    path = tmp_path / "some" / "where" / "report.html"
    assert run(monkeypatch, backfilled, "--out", str(path)) in (0, 1)
    assert [each.name for each in path.parent.iterdir()] == ["report.html"]
    assert str(path) in capsys.readouterr().out
    assert run(monkeypatch, backfilled, "--out", str(path.parent)) == 2
    assert str(path) in capsys.readouterr().err
    assert run(monkeypatch, backfilled, "--out", str(path / "below.html")) == 2
    assert f"{path} is a file" in capsys.readouterr().err


def test_every_statement_on_a_table_by_date_names_its_dates(
    backfilled: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent: list[str] = []
    with open_warehouse(load_settings(duckdb_path=backfilled.path)) as warehouse:
        scope = Scope(resolve(warehouse, everything=True), game_dates(warehouse))
        query = warehouse.query

        def watched(sql: str, params: Mapping[str, object] | None = None) -> pa.Table:
            sent.append(sql)
            return query(sql, params)

        monkeypatch.setattr(warehouse, "query", watched)
        read_report(warehouse, scope)
    by_date = [sql for sql in sent if not re.search(r"from nba_raw\.player(s|_registry)\b", sql)]
    assert len(by_date) > 20
    for sql in by_date:
        named = (
            *("between @start and @end", "analysis_date = @day", "in unnest(@days)"),
            f"date '{LAST_DATE}'",
        )
        assert any(condition in sql for condition in named)


def test_names_of_thirty_seasons_leave_room_for_one_another() -> None:
    def names(seasons: int) -> list[tuple[float, str]]:
        starts = [dt.date(1990 + index, 10, 20) for index in range(seasons)]
        axis = SeasonAxis(
            {f"{day:%Y}-": [day, day + dt.timedelta(days=175)] for day in starts}, 44.0, 1180.0
        )
        texts = re.findall(
            r'<text x="([\d.]+)" y="[\d.]+" class="season"[^>]*>([^<]*)<', axis.frame(0, 10)
        )
        return [(float(x), name) for x, name in texts if name]

    assert [name for _, name in names(2)] == ["1990-", "1991-"]
    many = names(30)
    assert many[0][1] == "1990"
    assert len(many) == 30
    gaps = [right - left for (left, _), (right, _) in itertools.pairwise(many)]
    assert min(gaps) >= 30


def test_what_blocks_most_rows_comes_first_with_the_command_that_computes_them(
    backfilled: Engine, report: Callable[..., Page]
) -> None:
    first, *_ = [" ".join(row.split()) for row in report(backfilled).rows_of("causes")]
    (blocked,) = backfilled.query(
        "select count(*) as n, min(analysis_date) as a, max(analysis_date) as z "
        "from nba_processing.precompute_failures "
        "where failure_category = 'INCOMPLETE_UPSTREAM'"
    )
    game = game_on(backfilled, WITHOUT_SHOTS)
    assert first.startswith(f"{WITHOUT_SHOTS} BBB–AAA {game} the shots of AAA and BBB are ")  # noqa: RUF001
    # The names of blocked players link to their pages.
    assert " Player Number3 ; Player Number4 ; Player Number5 ; Player Number6 ; " in first
    assert "#player=playernumber4" in [link["href"] for link in report(backfilled).all("a")]
    assert first.endswith(
        f" {blocked['n']} psza backcourt backfill --start {blocked['a']} --end {blocked['z']}"
    )


def test_the_entries_name_what_they_can_be_filtered_by_and_lead_to_the_player(
    backfilled: Engine, report: Callable[..., Page]
) -> None:
    page = report(backfilled)
    rows = [each for each in page.all("tr") if "data-category" in each]
    assert {row["data-team"] for row in rows} == {"AAA", "BBB"}
    assert {row["data-season"] for row in rows} == {"2021-22"}
    assert {row["data-category"] for row in rows} == {"INCOMPLETE_UPSTREAM"}
    assert {"href": "#player=playernumber4"} in page.all("a")
    entities = json.loads(page.texts["script"][0])
    (stored,) = backfilled.query(
        "select * from nba_precompute.player_shot_zone_analysis "
        "where player_lookup = 'playernumber4' order by analysis_date desc limit 1"
    )
    player = entities["players"]["playernumber4"]
    assert player["zones"][1] == str(stored["analysis_date"])
    assert player["zones"][-1] == stored["three_pt_pct_last_10"]
    factors = backfilled.query(
        "select fatigue_score from nba_precompute.player_composite_factors "
        "where player_lookup = 'playernumber4' order by analysis_date desc"
    )
    assert [row[3] for row in player["factors"]] == [row["fatigue_score"] for row in factors[:10]]
    counted = {name: count for name, count, *_ in player["rows"]}
    assert counted["pcf"] == len(factors)
    assert set(entities["teams"]) == {"AAA", "BBB"}


def test_the_last_run_s_restatements_are_listed(
    backfilled: Engine, report: Callable[..., Page], tmp_path: Path
) -> None:
    assert "The last run restated no row of this range." in report(backfilled).text
    engine = backfilled.copy(tmp_path / "restated")
    (last,) = engine.query(
        "select run_id from nba_processing.processor_runs order by finished_at desc limit 1"
    )
    engine.execute(
        "insert into nba_processing.record_changes (processor_name, run_id, change, entity_id, "
        "changed_columns, analysis_date, changed_at) "
        f"select '{SHOT_ZONES.name}', '{last['run_id']}', 'updated', 'playernumber4', "
        f"'paint_rate_last_10,data_hash', date '{DATES[12]}', now()"
    )
    page = report(engine)
    assert "restated 1 stored row of" in " ".join(page.text.split())
    (row,) = page.rows_of("restated")
    assert " ".join(row.split()) == (
        f"psza 1 0 {DATES[12]} {DATES[12]} paint_rate_last_10 1, data_hash 1"
    )
