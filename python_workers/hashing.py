"""Record hashes: 16 hex digits of SHA-256 over a record's identifying and business fields.

`data_hash` is the readable definition, for one record. `data_hashes` is the same for a whole table.
It may sort the fields once, by ``name + ":"``, instead of sorting ``name:text`` per record: no name
contains a colon, so no ``name:`` is the beginning of another one, and two of these strings differ
before any value begins.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from itertools import pairwise

import numpy as np
import pyarrow as pa

from python_workers.columns import InputTableError
from python_workers.text import Encoded, encode, hash_text, joined

HASH_DIGITS = 16
# Rows joined and hashed at a time: the text of a block stays in the processor's cache.
_BLOCK_ROWS = 8192

HASH_FIELDS: dict[str, tuple[str, ...]] = {
    "psza": (
        "analysis_date",
        "player_id",
        "player_lookup",
        "universal_player_id",
        "player_position",
        "season_year",
        "primary_scoring_zone",
        "sample_quality_10",
        "sample_quality_20",
        "data_quality_tier",
        "games_in_sample_10",
        "games_in_sample_20",
        "total_shots_last_10",
        "paint_rate_last_10",
        "mid_range_rate_last_10",
        "three_pt_rate_last_10",
        "paint_pct_last_10",
        "mid_range_pct_last_10",
        "three_pt_pct_last_10",
        "paint_attempts_per_game",
        "mid_range_attempts_per_game",
        "three_pt_attempts_per_game",
        "assisted_rate_last_10",
        "unassisted_rate_last_10",
        "paint_rate_last_20",
        "paint_pct_last_20",
    ),
    "pcf": (
        "analysis_date",
        "game_date",
        "player_id",
        "player_lookup",
        "universal_player_id",
        "game_id",
        "team_abbr",
        "opponent_team_abbr",
        "season_year",
        "fatigue_score",
        "shot_zone_mismatch_score",
        "pace_score",
        "usage_spike_score",
        "referee_favorability_score",
        "look_ahead_pressure_score",
        "travel_impact_score",
        "opponent_strength_score",
        "total_composite_adjustment",
        "pace_differential",
        "recent_usage_rate",
        "projected_usage_rate",
        "star_teammates_out",
        "days_rest",
    ),
    "pdc": (
        "analysis_date",
        "cache_date",
        "player_id",
        "player_lookup",
        "universal_player_id",
        "team_abbr",
        "season_year",
        "primary_scoring_zone",
        "points_avg_last_5",
        "points_avg_last_10",
        "points_avg_season",
        "points_std_last_10",
        "minutes_avg_last_10",
        "usage_rate_last_10",
        "ts_pct_last_10",
        "player_usage_rate_season",
        "games_played_season",
        "assisted_rate_last_10",
        "team_pace_last_10",
        "team_off_rating_last_10",
        "games_in_last_7_days",
        "games_in_last_14_days",
        "minutes_in_last_7_days",
        "minutes_in_last_14_days",
        "back_to_backs_last_14_days",
        "avg_minutes_per_game_last_7",
        "fourth_quarter_minutes_last_7",
        "player_age",
        "paint_rate_last_10",
        "three_pt_rate_last_10",
        "early_season_flag",
    ),
}
"""Fields of each processor's hash: identifying and business columns, no text written for people,
no timestamps, run ids, source tracking or completeness bookkeeping."""


def data_hash(record: Mapping[str, object], fields: Sequence[str]) -> str:
    """Hash one record.

    Parameters
    ----------
    record
        Values by column name, as stored.
    fields
        The names that enter the hash, in any order.

    Returns
    -------
    str
        The first 16 hex digits of the SHA-256 of ``name:text`` of each field, sorted, joined by
        ``|``.

    Raises
    ------
    KeyError
        If the record lacks a field: absent is not NULL.
    TypeError
        If a value has no text (see `text.hash_text`).

    Examples
    --------
    >>> data_hash({"player_id": 2544, "paint_rate_last_10": 47.01}, ["player_id"])
    '8cd36902d0a2e78f'
    """
    missing = [field for field in fields if field not in record]
    if missing:
        raise KeyError(f"the record lacks the hash field(s) {', '.join(missing)}")
    pairs = sorted(f"{field}:{hash_text(record[field])}" for field in fields)
    return hashlib.sha256("|".join(pairs).encode()).hexdigest()[:HASH_DIGITS]


def data_hashes(table: pa.Table, fields: Sequence[str]) -> pa.Array:
    """Hash every row of a table, each as `data_hash` would.

    Parameters
    ----------
    table
        The rows, with at least the columns `fields`.
    fields
        The names that enter the hash, in any order.

    Returns
    -------
    pyarrow.StringArray
        One hash per row.
    """
    missing = [field for field in fields if field not in table.column_names]
    if missing:
        raise InputTableError(f"the table lacks the hash field(s) {', '.join(missing)}")
    columns: list[tuple[Encoded, pa.Array]] = []
    for field in sorted(fields, key=lambda name: f"{name}:"):
        encoded = encode(table.column(field))
        columns.append((encoded, encoded.texts(hash_text, f"{field}:")))
    digests: list[bytes] = []
    for first in range(0, table.num_rows, _BLOCK_ROWS):
        rows = min(_BLOCK_ROWS, table.num_rows - first)
        digests.extend(_digests(joined(columns, "|", first, rows)))
    return _fixed_width_strings(b"".join(digests).hex().encode(), len(digests))


def with_data_hash(table: pa.Table, fields: Sequence[str]) -> pa.Table:
    """Append the ``data_hash`` column to a table of output rows."""
    return table.append_column("data_hash", data_hashes(table, fields))


def _digests(texts: pa.Array) -> list[bytes]:
    sha256 = hashlib.sha256
    _, offsets_buffer, data_buffer = texts.buffers()
    offsets = np.frombuffer(offsets_buffer, np.int32)[: len(texts) + 1].tolist()
    data = memoryview(data_buffer)
    half = HASH_DIGITS // 2
    return [sha256(data[start:end]).digest()[:half] for start, end in pairwise(offsets)]


def _fixed_width_strings(characters: bytes, count: int) -> pa.Array:
    offsets = np.arange(count + 1, dtype=np.int32) * HASH_DIGITS
    return pa.StringArray.from_buffers(count, pa.py_buffer(offsets), pa.py_buffer(characters))
