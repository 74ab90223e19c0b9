"""Draws the players with the most attempts by their shares of attempts by zone."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from python_workers.report.rows import Row
from python_workers.report.scales import Linear, value_axis
from python_workers.report.svg import element, group, image, line, number, text
from python_workers.report.zone_charts import PRIMARY_ZONES, WIDTH

SHOWN_PLAYERS = 60
NAMED_PLAYERS = 40
LEFT, RIGHT, TOP, HEIGHT = 46.0, WIDTH - 16, 8.0, 430.0
BOTTOM = TOP + HEIGHT
CHARACTER_WIDTH = 5.9
NAME_HEIGHT = 12.0
LONGEST_NAME = 24
LONGEST_TIP = 60

# Lines of equal mid-range shares, in percent, and possible positions of a name along its line.
MID_RANGE_SHARES = (0, 20, 40)
PLACES_ON_LINE = (0.9, 0.1, 0.8, 0.2, 0.7, 0.3, 0.6, 0.4, 0.5)


@dataclass(frozen=True)
class _Box:
    left: float
    top: float
    right: float
    bottom: float

    @classmethod
    def around(cls, x: float, y: float, half_width: float, half_height: float) -> _Box:
        return cls(x - half_width, y - half_height, x + half_width, y + half_height)

    def meets(self, other: _Box) -> bool:
        return (
            self.left < other.right
            and other.left < self.right
            and self.top < other.bottom
            and other.top < self.bottom
        )

    def fits(self, taken: Iterable[_Box]) -> bool:
        return (
            self.left >= LEFT
            and self.right <= WIDTH
            and not any(self.meets(other) for other in taken)
        )


@dataclass(frozen=True)
class _Dot:
    x: float
    y: float
    radius: float
    row: Row

    @property
    def box(self) -> _Box:
        return _Box.around(self.x, self.y, self.radius, self.radius)


def most_attempts(rows: Sequence[Row]) -> Markup:
    """Draw the players with the most attempts by their shares of threes and paint attempts.

    Parameters
    ----------
    rows
        Players of a date, those with the most attempts first.
    """
    shown = [row for row in rows if row["paint_rate_last_10"] is not None][:SHOWN_PLAYERS]
    threes = _tens(row["three_pt_rate_last_10"] for row in shown)
    paint = _tens(row["paint_rate_last_10"] for row in shown)
    x = Linear(threes[0], threes[-1], LEFT, RIGHT)
    y = Linear(paint[0], paint[-1], BOTTOM, TOP)
    dots = [
        _Dot(
            x(row["three_pt_rate_last_10"]),
            y(row["paint_rate_last_10"]),
            0.36 * math.sqrt(row["total_shots_last_10"]),
            row,
        )
        for row in shown
    ]
    taken = [dot.box for dot in dots]
    parts = [value_axis(y, paint, LEFT, RIGHT, " %")]
    for value in threes:
        parts.append(line(x(value), TOP, x(value), BOTTOM, "grid"))
        parts.append(text(f"{value} %", x(value), BOTTOM + 14, "tick", "middle"))
    for share in MID_RANGE_SHARES:
        # Both axes are shares: the rest up to 100 is the mid-range share.
        low = max(threes[0], 100 - share - paint[-1])
        high = min(threes[-1], 100 - share - paint[0])
        if low < high:
            ends = (x(low), y(100 - share - low)), (x(high), y(100 - share - high))
            parts.append(_equal_mid_range(share, *ends, taken))
    parts.append(text("threes, share of attempts", RIGHT, BOTTOM + 31, "label", "end"))
    parts.append(text("paint, share of attempts", LEFT + 6, BOTTOM - 8, "label"))
    parts += [_circle(dot) for dot in reversed(dots)]
    parts += _names(dots, taken)
    return image(WIDTH, BOTTOM + 36, "Players with the most attempts", *parts)


def _tens(values: Iterable[float]) -> list[int]:
    """Return the multiples of ten that enclose some percentages."""
    known = list(values) or [0.0, 100.0]
    low, high = int(min(known) // 10), int(-(-max(known) // 10))
    return [10 * ten for ten in range(low, max(high, low + 1) + 1)]


def _equal_mid_range(
    share: int, start: tuple[float, float], end: tuple[float, float], taken: list[_Box]
) -> Markup:
    """Draw a line and, if there is room, its name; add the name's box to `taken`."""
    name = f"{share} % mid-range" if share else "no mid-range"
    angle = math.atan2(end[1] - start[1], end[0] - start[0])
    half = CHARACTER_WIDTH * len(name) / 2
    parts = [line(*start, *end, "diagonal")]
    for place in PLACES_ON_LINE:
        at_x = start[0] + place * (end[0] - start[0])
        at_y = start[1] + place * (end[1] - start[1])
        box = _Box.around(
            at_x + 8 * math.sin(angle),
            at_y - 8 * math.cos(angle),
            half * math.cos(angle) + 4,
            half * math.sin(angle) + 4,
        )
        if box.top >= TOP and box.bottom <= BOTTOM and box.fits(taken):
            taken.append(box)
            turned = f"rotate({number(math.degrees(angle))} {number(at_x)} {number(at_y)})"
            parts.append(
                element(
                    "text",
                    name,
                    x=at_x,
                    y=at_y - 5,
                    class_="tick",
                    text_anchor="middle",
                    transform=turned,
                )
            )
            break
    return group(*parts)


def _circle(dot: _Dot) -> Markup:
    row = dot.row
    zone = row["primary_scoring_zone"]
    tip = (
        f"{shortened(player_name(row), LONGEST_TIP)}\n"
        f"{row['total_shots_last_10']:,} attempts in 10 games\n"
        f"paint {row['paint_rate_last_10']:g} %, mid-range {row['mid_range_rate_last_10']:g} %, "
        f"three {row['three_pt_rate_last_10']:g} %"
    )
    class_ = f"dot p-{zone}" if zone in PRIMARY_ZONES else "dot"
    return element("circle", element("title", tip), cx=dot.x, cy=dot.y, r=dot.radius, class_=class_)


def _names(dots: Sequence[_Dot], taken: list[_Box]) -> list[Markup]:
    """Draw the names that fit beside their dots, for players with the most attempts first."""
    parts = []
    for dot in dots[:NAMED_PLAYERS]:
        name = shortened(player_name(dot.row), LONGEST_NAME)
        half, away = CHARACTER_WIDTH * len(name) / 2, dot.radius + 3
        for x, y in (
            (dot.x + away + half, dot.y),
            (dot.x - away - half, dot.y),
            (dot.x, dot.y - away - NAME_HEIGHT / 2),
            (dot.x, dot.y + away + NAME_HEIGHT / 2),
        ):
            box = _Box.around(x, y, half, NAME_HEIGHT / 2)
            if box.fits(taken):
                parts.append(text(name, x, y + 3.5, "name", "middle"))
                taken.append(box)
                break
    return parts


def player_name(row: Row) -> str:
    """Return the player's name, or his lookup if the registry lacks the name."""
    return str(row["player_name"] or row["player_lookup"])


def shortened(name: str, length: int) -> str:
    """Return a name cut to a length.

    Examples
    --------
    >>> shortened("Giannis Antetokounmpo", 10)
    'Giannis A…'
    """
    return name if len(name) <= length else f"{name[: length - 1]}…"
