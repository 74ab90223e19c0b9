"""Values of every type that a file can hold are read exactly or as missing, or refused by row."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from python_workers.raw.schema import (
    GAMES,
    PLAYER_BOX_SCORES,
    PLAYERS,
    RAW_TABLES,
    SHOTS,
    RawTable,
)
from tests.python.support.folders import REPOSITORY
from tests.python.support.raw_factories import (
    FORMATS,
    Row,
    Rows,
    game,
    line,
    player,
    read,
    refusal,
    shot,
)

CASES = REPOSITORY.parent / "shared" / "cases"


def names(rows: Rows) -> list[str]:
    return [row["player_name"] for row in rows]


class TestTypedValues:
    """Values that Parquet can hold, but Python or a raw column cannot."""

    @pytest.mark.parametrize(
        ("name", "schema", "expected"),
        [
            ("parquet_latin1", PLAYER_BOX_SCORES, ["player_name", "is not UTF-8 text"]),
            ("ts_ns1", GAMES, ["game_date", "000000001 has a time of day"]),
        ],
    )
    def test_a_case_is_refused_with_file_column_and_row(
        self, tmp_path: Path, name: str, schema: RawTable, expected: list[str]
    ) -> None:
        if not CASES.exists():
            pytest.skip("the shared cases are not beside this clone")
        message = refusal(read, CASES / name / "raw", schema, tmp_path)
        for part in [f"{schema.name}/{schema.name}.parquet: column", "row ", *expected]:
            assert part in message

    @pytest.mark.parametrize(
        ("column", "reason"),
        [
            (pa.array([0, 1], pa.timestamp("ns")), "00.000000001 has a time of day"),
            (pa.array([0, 86_400_000], pa.timestamp("ms", "UTC")), "is an instant"),
            (
                pa.array([0, 86_400], pa.timestamp("s", "Mars/Olympus")),
                "Mars/Olympus is an instant",
            ),
            (pa.array([0, 2_932_897], pa.date32()), "10000-01-01 is outside the years 1 to 9999"),
            (pa.array([0, -10_000_000]).cast(pa.int32()).view(pa.date32()), "outside the years"),
            (pa.array([0, 86_400_000 * 3_000_000], pa.timestamp("ms")), "is outside the years"),
            (pa.array([None, "2021-10-20T00:00Z"]), "is an instant"),
            (pa.array([None, "2021-10-20 00:00:00+00:00"]), "is an instant"),
            (pa.array([None, "2021-10-19T19:30:00"]), "has a time of day"),
            (pa.array([None, 20_211_019]), "is not a date like"),
            (pa.array([None, 1], pa.time64("ns")), "1 ns is a time of day"),
            (pa.array([None, 2**62], pa.duration("s")), "4611686018427387904 s is a duration"),
        ],
        ids=str,
    )
    def test_values_that_are_no_plain_dates_are_refused_by_row(
        self, tmp_path: Path, column: pa.Array, reason: str
    ) -> None:
        table = pa.table({"player_id": [1, 2], "player_name": ["A", "B"], "birth_date": column})
        (tmp_path / "players").mkdir()
        pq.write_table(table, tmp_path / "players" / "a.parquet", store_schema=True)
        message = refusal(read, tmp_path, PLAYERS, tmp_path)
        assert "players/a.parquet: column birth_date has an unusable value" in message
        assert reason in message

    @pytest.mark.parametrize(
        "column",
        [
            pa.array([0], pa.timestamp("ns")),
            pa.array([0], pa.timestamp("s")),
            pa.array([0], pa.date64()),
            pa.array(["1970-01-01"]),
            pa.array(["1970-01-01T00:00:00.000"]),
        ],
        ids=str,
    )
    def test_midnight_without_a_time_zone_is_a_date(self, tmp_path: Path, column: pa.Array) -> None:
        table = pa.table({"player_id": [1], "player_name": ["A"], "birth_date": column})
        (tmp_path / "players").mkdir()
        pq.write_table(table, tmp_path / "players" / "a.parquet")
        assert str(read(tmp_path, PLAYERS, tmp_path)[0]["birth_date"]) == "1970-01-01"

    @pytest.mark.parametrize(
        ("column", "kind"),
        [
            (pa.array([b"0" * 16], pa.binary(16)).cast(pa.uuid()), "uuid"),
            (pa.array([["A"]]), "list"),
            (pa.array([{"a": 1}]), "struct"),
        ],
        ids=str,
    )
    def test_a_column_of_an_unusable_type_is_named(
        self, tmp_path: Path, column: pa.Array, kind: str
    ) -> None:
        (tmp_path / "players").mkdir()
        table = pa.table({"player_id": [1], "player_name": column})
        pq.write_table(table, tmp_path / "players" / "a.parquet")
        message = refusal(read, tmp_path, PLAYERS, tmp_path)
        assert "players/a.parquet: column player_name has the unusable type" in message
        assert kind in message

    @pytest.mark.parametrize("kind", [pa.binary(), pa.large_string(), pa.string_view()])
    def test_text_of_every_type_is_text(self, tmp_path: Path, kind: pa.DataType) -> None:
        (tmp_path / "players").mkdir()
        column = pa.array(["Dončić"]).cast(kind)
        table = pa.table({"player_id": pa.array([1], pa.uint8()), "player_name": column})
        pq.write_table(table, tmp_path / "players" / "a.parquet")
        assert names(read(tmp_path, PLAYERS, tmp_path)) == ["Dončić"]

    def test_half_precision_numbers_are_numbers(self, tmp_path: Path) -> None:
        (tmp_path / "shots").mkdir()
        row = {name: [value] for name, value in shot().items()}
        table = pa.table(row | {"clock_seconds": pa.array([702.5], pa.float16())})
        pq.write_table(table, tmp_path / "shots" / "a.parquet")
        assert read(tmp_path, SHOTS, tmp_path)[0]["clock_seconds"] == 702.5


class TestMissing:
    @pytest.mark.parametrize("word", ["", " ", "NA", "N/A", "NaN", "nan", "null", "NULL", "None"])
    def test_a_word_for_missing_is_missing_in_every_column_that_may_be_empty(
        self, read_rows: Callable[..., Rows], word: str
    ) -> None:
        for schema, row in ((PLAYER_BOX_SCORES, line()), (SHOTS, shot()), (GAMES, game())):
            empty = [column.name for column in schema.columns if column.is_nullable]
            for suffix in FORMATS:
                found = read_rows(schema, [row | dict.fromkeys(empty, word)], suffix)
                assert {name: found[0][name] for name in empty} == dict.fromkeys(empty)

    @pytest.mark.parametrize("suffix", FORMATS)
    def test_a_word_for_missing_is_no_name(
        self, read_rows: Callable[..., Rows], suffix: str
    ) -> None:
        rows = [player(1), player(2, player_name="N/A")]
        message = refusal(read_rows, PLAYERS, rows, suffix)
        assert f"players/a.{suffix}: column player_name must not be empty" in message
        assert "row 2: no value" in message

    def test_the_case_with_na_is_read(self, tmp_path: Path) -> None:
        if not CASES.exists():
            pytest.skip("the shared cases are not beside this clone")
        raw = CASES / "csv_na_text" / "raw"
        assert "NA" in "".join(path.read_text() for path in raw.rglob("*.csv"))
        for schema in RAW_TABLES:
            assert read(raw, schema, tmp_path)

    @pytest.mark.parametrize("suffix", FORMATS)
    def test_only_players_who_did_not_play_may_have_empty_counts(
        self, read_rows: Callable[..., Rows], suffix: str
    ) -> None:
        counts: Row = dict.fromkeys(("points", "fga", "pf"))
        absent = line(1, is_dnp=True, minutes=None, **counts)
        found = read_rows(PLAYER_BOX_SCORES, [absent, line(2)], suffix)
        assert [found[0][name] for name in counts] == [0, 0, 0]
        assert found[0]["minutes"] is None
        assert found[1]["points"] == 11
        message = refusal(read_rows, PLAYER_BOX_SCORES, [absent, line(2, points=None)], suffix)
        assert "column points must not be empty" in message
        assert "row 2: no value" in message
        assert "row 1" not in message


@pytest.mark.parametrize("suffix", FORMATS)
def test_event_numbers_go_up_to_the_largest_integer(
    read_rows: Callable[..., Rows], suffix: str
) -> None:
    found = read_rows(SHOTS, [shot(2**63 - 1), shot(2**53 + 1)], suffix)
    assert [row["event_number"] for row in found] == [2**63 - 1, 2**53 + 1]
    text = [{name: str(value) for name, value in shot(2**63).items()}]
    assert "is above" in refusal(read_rows, SHOTS, text, suffix)
