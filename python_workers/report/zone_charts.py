"""Where the league shoots: shares by month, primary zones, and the shooters with most attempts."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from markupsafe import Markup

from python_workers.report.queries import ReportData, Row
from python_workers.report.scales import SEASON_GAP, Linear, value_axis
from python_workers.report.scope import Scope
from python_workers.report.svg import bar, element, group, image, line, number, text

WIDTH = 570.0
ZONES = {"paint": "Paint", "mid_range": "Mid-range", "three": "Three"}
# Zones of the feature tables have other names for the same places.
PRIMARY_ZONES = {
    "paint": "Paint",
    "mid_range": "Mid-range",
    "perimeter": "Perimeter",
    "balanced": "Balanced",
}
POSITIONS = {"G": "Guards", "F": "Forwards", "C": "Centers"}

SHARES_LEFT, SHARES_TOP, SHARES_HEIGHT = 40.0, 8.0, 220.0
# Narrower columns have no room for their numbers.
NUMBER_ROOM = 15.0

SCATTERED_PLAYERS = 60
LABELLED_PLAYERS = 40
SCATTER_RIGHT = WIDTH - 16
SCATTER_LEFT, SCATTER_TOP, SCATTER_HEIGHT = 46.0, 8.0, 430.0
CHARACTER_WIDTH = 5.9
LABEL_HEIGHT = 12.0
LONGEST_LABEL = 24
LONGEST_TIP = 60


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
    for each in groups:
        y += 14.0 if each.starts_block else 0.0
        total = each.zones.total()
        parts.append(text(each.name, left - 10, y + 16, "label", "end"))
        parts.append(text(f"{total:,}", WIDTH, y + 16, "tick", "end"))
        below = 0.0
        for zone, name in PRIMARY_ZONES.items():
            count = each.zones[zone]
            share = 100 * count / total if total else 0.0
            at, end = scale(below), scale(below + share)
            tip = f"{each.name}: {name.lower()}\n{count:,} of {total:,} players, {share:.1f} %"
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


def most_attempts(rows: Sequence[Row]) -> Markup:
    """Return the players with the most attempts by their shares of threes and of the paint.

    Parameters
    ----------
    rows
        Players of a date, those with the most attempts first.
    """
    shown = [row for row in rows if row["paint_rate_last_10"] is not None][:SCATTERED_PLAYERS]
    bottom = SCATTER_TOP + SCATTER_HEIGHT
    threes = _tens(row["three_pt_rate_last_10"] for row in shown)
    paint = _tens(row["paint_rate_last_10"] for row in shown)
    x = Linear(threes[0], threes[-1], SCATTER_LEFT, SCATTER_RIGHT)
    y = Linear(paint[0], paint[-1], bottom, SCATTER_TOP)
    parts = [value_axis(y, paint, SCATTER_LEFT, SCATTER_RIGHT, " %")]
    for value in threes:
        parts.append(line(x(value), SCATTER_TOP, x(value), bottom, "grid"))
        parts.append(text(f"{value} %", x(value), bottom + 14, "tick", "middle"))
    parts += [_equal_mid_range(share, threes, paint, x, y) for share in (0, 20, 40)]
    parts.append(text("threes, share of attempts", SCATTER_RIGHT, bottom + 31, "label", "end"))
    parts.append(text("paint, share of attempts", SCATTER_LEFT + 6, bottom - 8, "label"))
    dots = [
        (x(row["three_pt_rate_last_10"]), y(row["paint_rate_last_10"]), _radius(row), row)
        for row in shown
    ]
    parts += [_dot(*dot) for dot in reversed(dots)]
    parts += _names(dots)
    return image(WIDTH, bottom + 36, "Players with the most attempts", *parts)


def _tens(values: Iterable[float]) -> list[int]:
    """Return the tens around some percentages."""
    known = list(values) or [0.0, 100.0]
    low, high = int(min(known) // 10), int(-(-max(known) // 10))
    return [10 * ten for ten in range(low, max(high, low + 1) + 1)]


def _equal_mid_range(
    share: int, threes: Sequence[int], paint: Sequence[int], x: Linear, y: Linear
) -> Markup:
    """Return the line of players with the same share of mid-range attempts, within the axes."""
    together = 100 - share
    left, right = max(threes[0], together - paint[-1]), min(threes[-1], together - paint[0])
    if left >= right:
        return Markup("")
    name = f"{share} % mid-range" if share else "no mid-range"
    start, end = (x(left), y(together - left)), (x(right), y(together - right))
    at_x, at_y = (start[0] + 3 * end[0]) / 4, (start[1] + 3 * end[1]) / 4
    angle = math.degrees(math.atan2(end[1] - start[1], end[0] - start[0]))
    return group(
        line(*start, *end, "diagonal"),
        element(
            "text",
            name,
            x=at_x,
            y=at_y - 5,
            class_="tick over-line",
            text_anchor="middle",
            transform=f"rotate({number(angle)} {number(at_x)} {number(at_y)})",
        ),
    )


def _radius(row: Row) -> float:
    return 0.36 * math.sqrt(row["total_shots_last_10"])


def _dot(x: float, y: float, radius: float, row: Row) -> Markup:
    zone = row["primary_scoring_zone"]
    tip = (
        f"{shortened(player_name(row), LONGEST_TIP)}\n"
        f"{row['total_shots_last_10']:,} attempts in 10 games\n"
        f"paint {row['paint_rate_last_10']:g} %, mid-range {row['mid_range_rate_last_10']:g} %, "
        f"three {row['three_pt_rate_last_10']:g} %"
    )
    class_ = f"dot p-{zone}" if zone in PRIMARY_ZONES else "dot"
    return element("circle", element("title", tip), cx=x, cy=y, r=radius, class_=class_)


def _names(dots: Sequence[tuple[float, float, float, Row]]) -> list[Markup]:
    """Return the names that fit beside their dots, players with the most attempts first."""
    taken = [(x - radius, y - radius, x + radius, y + radius) for x, y, radius, _ in dots]
    parts = []
    for x, y, radius, row in dots[:LABELLED_PLAYERS]:
        name = shortened(player_name(row), LONGEST_LABEL)
        width = CHARACTER_WIDTH * len(name)
        away = radius + 3
        for left, middle in (
            (x + away, y),
            (x - away - width, y),
            (x - width / 2, y - away - LABEL_HEIGHT / 2),
            (x - width / 2, y + away + LABEL_HEIGHT / 2),
        ):
            box = (left, middle - LABEL_HEIGHT / 2, left + width, middle + LABEL_HEIGHT / 2)
            outside = box[0] < SCATTER_LEFT or box[2] > WIDTH
            if outside or any(_overlap(box, other) for other in taken):
                continue
            parts.append(text(name, left + width / 2, middle + 3.5, "name", "middle"))
            taken.append(box)
            break
    return parts


def _overlap(
    one: tuple[float, float, float, float], other: tuple[float, float, float, float]
) -> bool:
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]


def player_name(row: Row) -> str:
    """Return the player's name, or his lookup where the registry has none."""
    return str(row["player_name"] or row["player_lookup"])


def shortened(name: str, length: int) -> str:
    """Return a name cut to a length.

    Examples
    --------
    >>> shortened("Giannis Antetokounmpo", 10)
    'Giannis A…'
    """
    return name if len(name) <= length else f"{name[: length - 1]}…"


MINUS = "\u2212"
DEFENCE_COLUMNS = {
    "paint_defense_vs_league_avg": "Paint",
    "mid_range_defense_vs_league_avg": "Mid-range",
    "three_pt_defense_vs_league_avg": "Three",
}
# Percentage points at which the colour is at its deepest.
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
    """Write a difference with its sign, and zero without one.

    Examples
    --------
    >>> _signed(1.26, 1), _signed(-0.04, 1), _signed(-2.5, 1)
    ('+1.3', '0.0', '\u22122.5')
    """
    written = f"{abs(value):.{digits}f}"
    if not written.strip("0."):
        return written
    return f"{'+' if value > 0 else MINUS}{written}"
