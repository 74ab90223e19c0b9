"""Draws the league's shots and the teams' defence by zone."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from markupsafe import Markup

from python_workers.reading.scope import Scope
from python_workers.report.queries import ReportData
from python_workers.report.rows import Row
from python_workers.report.scales import SEASON_GAP, Linear, value_axis
from python_workers.report.svg import bar, group, image, text

WIDTH = 570.0
ZONES = {"paint": "Paint", "mid_range": "Mid-range", "three": "Three"}
# The feature tables have other names for the same zones.
PRIMARY_ZONES = {
    "paint": "Paint",
    "mid_range": "Mid-range",
    "perimeter": "Perimeter",
    "balanced": "Balanced",
}
POSITIONS = {"G": "Guards", "F": "Forwards", "C": "Centers"}

SHARES_LEFT, SHARES_TOP, SHARES_HEIGHT = 40.0, 8.0, 220.0
# Smallest width of a column that has room for its number.
NUMBER_ROOM = 15.0


def shares_by_month(rows: Sequence[Row], scope: Scope) -> Markup:
    """Return a column of zone shares for each month of each season."""
    months: dict[str, dict[date, Counter[str]]] = {}
    for row in rows:
        of_season = months.setdefault(scope.season(row["game_date"]), {})
        counts = of_season.setdefault(row["game_date"].replace(day=1), Counter())
        counts.update({zone: row[zone] or 0 for zone in ZONES})
    columns = sum(len(of_season) for of_season in months.values())
    room = WIDTH - SHARES_LEFT - SEASON_GAP * (len(months) - 1)
    width = min(room / max(columns, 1), 60.0)
    bottom = SHARES_TOP + SHARES_HEIGHT
    scale = Linear(0, 100, bottom, SHARES_TOP)
    parts = [value_axis(scale, (0, 25, 50, 75, 100), SHARES_LEFT, WIDTH, " %")]
    x = SHARES_LEFT
    for season, of_season in months.items():
        left = x
        for index, (month, counts) in enumerate(sorted(of_season.items())):
            parts.append(_column(month, counts, x, width, scale))
            name = f"{month:%b}" if width >= 24 else f"{month:%b}"[0]
            if width >= 8 or index % 2 == 0:
                parts.append(text(name, x + width / 2, bottom + 13, "tick", "middle"))
            x += width
        parts.append(text(season, (left + x) / 2, bottom + 29, "season", "middle"))
        x += SEASON_GAP
    return image(WIDTH, bottom + 34, "League shares of attempts by zone and month", *parts)


def _column(month: date, counts: Counter[str], x: float, width: float, scale: Linear) -> Markup:
    total = counts.total()
    if not total:
        return Markup("")
    shares = {zone: 100 * counts[zone] / total for zone in ZONES}
    words = "\n".join(
        f"{name} {shares[zone]:.1f} % ({counts[zone]:,})" for zone, name in ZONES.items()
    )
    parts, below = [], 0.0
    inset = 0.6 if width > 4 else 0.0
    for zone, share in shares.items():
        top, low = scale(below + share), scale(below)
        tip = f"{month:%B %Y}: {total:,} attempts\n{words}"
        parts.append(bar(x + inset, top, width - 2 * inset, low - top, f"mark z-{zone}", tip))
        if width >= NUMBER_ROOM and low - top >= 14:
            parts.append(
                text(f"{share:.0f}", x + width / 2, (top + low) / 2 + 3.5, "inside", "middle")
            )
        below += share
    return group(*parts)


@dataclass(frozen=True)
class _Group:
    name: str
    zones: Counter[str]
    starts_block: bool = False


def primary_zones(players: Mapping[date, Sequence[Row]], scope: Scope) -> Markup:
    """Return the distribution of primary zones: by season, then by position on the last date."""
    groups = [_Group(scope.season(day), _zone_counts(rows)) for day, rows in players.items()]
    last = players[max(players)]
    by_position: dict[str, list[Row]] = {}
    for row in last:
        by_position.setdefault((row["player_position"] or "?")[:1].upper(), []).append(row)
    known = [position for position in POSITIONS if position in by_position]
    others = [row for position in by_position.keys() - set(known) for row in by_position[position]]
    for index, position in enumerate(known):
        counts = _zone_counts(by_position[position])
        groups.append(_Group(POSITIONS[position], counts, starts_block=index == 0))
    if others and known:
        groups.append(_Group("No position", _zone_counts(others)))
    left, height, gap = 84.0, 24.0, 7.0
    scale = Linear(0, 100, left, WIDTH - 44)
    y, parts = 4.0, []
    for shown in groups:
        y += 14.0 if shown.starts_block else 0.0
        total = shown.zones.total()
        parts.append(text(shown.name, left - 10, y + 16, "label", "end"))
        parts.append(text(f"{total:,}", WIDTH, y + 16, "tick", "end"))
        below = 0.0
        for zone, name in PRIMARY_ZONES.items():
            count = shown.zones[zone]
            share = 100 * count / total if total else 0.0
            at, end = scale(below), scale(below + share)
            tip = f"{shown.name}: {name.lower()}\n{count:,} of {total:,} players, {share:.1f} %"
            parts.append(bar(at, y, end - at, height, f"mark p-{zone}", tip))
            if end - at >= 34:
                parts.append(text(f"{share:.0f} %", (at + end) / 2, y + 16, "inside", "middle"))
            below += share
        y += height + gap
    return image(WIDTH, y, "Players by primary scoring zone", *parts)


def _zone_counts(rows: Iterable[Row]) -> Counter[str]:
    return Counter(
        row["primary_scoring_zone"] for row in rows if row["primary_scoring_zone"] in PRIMARY_ZONES
    )


MINUS = "\u2212"
DEFENCE_COLUMNS = {
    "paint_defense_vs_league_avg": "Paint",
    "mid_range_defense_vs_league_avg": "Mid-range",
    "three_pt_defense_vs_league_avg": "Three",
}
# Percentage points with the deepest colour.
DEEPEST = 6.0
SHADES = 5


def team_defence(data: ReportData) -> Markup:
    """Return a heat map of teams: shooting allowed by zone against the league, in points."""
    left, width, row_height, top = 46.0, 150.0, 15.4, 20.0
    parts = [
        text(name, left + width * (index + 0.5), 12, "tick", "middle")
        for index, name in enumerate(DEFENCE_COLUMNS.values())
    ]
    parts.append(text("def. rating", WIDTH, 12, "tick", "end"))
    for index, row in enumerate(data.teams):
        y = top + row_height * index
        parts.append(text(row["team_abbr"], left - 10, y + 11, "label", "end"))
        for column, (field, name) in enumerate(DEFENCE_COLUMNS.items()):
            parts.append(
                _defence_cell(row, field, name, left + width * column, y, width, row_height)
            )
        rating = row["defensive_rating_last_15"]
        shown = "" if rating is None else f"{rating:.1f}"
        parts.append(text(shown, WIDTH, y + 11, "number", "end"))
    height = top + row_height * len(data.teams) + 4
    return image(WIDTH, height, "Team defence by zone against the league", *parts)


def _defence_cell(
    row: Row, field: str, name: str, x: float, y: float, width: float, height: float
) -> Markup:
    value = row[field]
    if value is None:
        return Markup("")
    zone = {"Paint": "paint", "Mid-range": "mid_range", "Three": "perimeter"}[name]
    marks = [
        mark
        for mark, which in (("strongest", "strongest_zone"), ("weakest", "weakest_zone"))
        if row[which] == zone
    ]
    tip = (
        f"{row['team_abbr']}, {name.lower()}: {_signed(value, 2)} points against the league\n"
        f"last {row['games_in_sample']} games"
        f"{', ' + ' and '.join(marks) + ' zone' if marks else ''}"
    )
    shade = min(round(abs(value) / DEEPEST * SHADES), SHADES)
    side = "weak" if value > 0 else "strong"
    shown = _signed(value, 1) + {"strongest": " ▾", "weakest": " ▴"}.get("".join(marks), "")
    return group(
        bar(x + 1, y, width - 2, height - 1.6, f"heat d-{side}-{shade}", tip),
        text(shown, x + width / 2, y + 11, "number over", "middle"),
    )


def _signed(value: float, digits: int) -> str:
    """Format a difference with its sign, and zero without a sign.

    Examples
    --------
    >>> _signed(1.26, 1), _signed(-0.04, 1), _signed(-2.5, 1)
    ('+1.3', '0.0', '\u22122.5')
    """
    written = f"{abs(value):.{digits}f}"
    if not written.strip("0."):
        return written
    return f"{'+' if value > 0 else MINUS}{written}"
