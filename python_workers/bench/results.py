"""The results of a benchmark: figures with their bars, and their JSON form."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

JSON_VERSION = 1
JSON_BEGINS = '{\n "version": '

KIB_PER_GIB = 1024 * 1024


@dataclass(frozen=True)
class Bar:
    """The target of a figure.

    Parameters
    ----------
    text
        Text for readers, for example ``at most 60 s``.
    low, high
        Inclusive bounds; None without a bound.
    """

    text: str
    low: float | None = None
    high: float | None = None

    def is_met_by(self, value: float) -> bool:
        """Tell whether a value meets the bar.

        Examples
        --------
        >>> Bar("at most 60 s", high=60).is_met_by(60.5)
        False
        """
        return (self.low is None or value >= self.low) and (self.high is None or value <= self.high)


def at_most(high: float, unit: str, remark: str = "") -> Bar:
    """Return the bar of a figure that must not be larger."""
    return Bar(f"≤ {high:g} {unit}{remark}", high=high)


def at_least(low: float, unit: str) -> Bar:
    """Return the bar of a figure that must not be smaller."""
    return Bar(f"≥ {low:g} {unit}", low=low)


def exactly(value: float, unit: str) -> Bar:
    """Return the bar of a figure that must have exactly this value."""
    return Bar(f"= {value:g} {unit}", value, value)


@dataclass(frozen=True)
class Figure:
    """One measured number.

    Parameters
    ----------
    name
        Name of the measured quantity.
    value, unit
        The number, and ``s``, ``ms``, ``GiB``, ``x``, ``%`` or the plural of the counted things.
    bar
        The bar as text; None without a bar.
    met
        Whether the value meets the bar; None without a bar or in a smoke test.
    note
        A short remark.
    """

    name: str
    value: float
    unit: str
    bar: str | None = None
    met: bool | None = None
    note: str = ""

    @property
    def shown(self) -> str:
        """The value as text, with its significant digits."""
        if self.value == int(self.value) and (abs(self.value) >= 100 or self.unit not in _MEASURED):
            return f"{int(self.value):,}"
        digits = 0 if abs(self.value) >= 1000 else 1 if abs(self.value) >= 10 else 2
        return f"{self.value:,.{digits}f}"

    @property
    def verdict(self) -> str:
        """``met``, ``not met``, or an empty text."""
        return "" if self.met is None else "met" if self.met else "not met"


_MEASURED = ("s", "ms", "GiB", "x", "%")


@dataclass
class Section:
    """The figures of one question."""

    key: str
    title: str
    figures: list[Figure] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


@dataclass
class Results:
    """The results of one run of the benchmark.

    Parameters
    ----------
    created_at
        Time of the run, in UTC.
    machine
        Cores, memory, versions, revision.
    data
        Source and size of the raw data.
    is_smoke_test
        Whether it ran on only a few weeks, so that bars are not judged.
    """

    created_at: str
    machine: dict[str, Any]
    data: dict[str, Any]
    is_smoke_test: bool = False
    sections: list[Section] = field(default_factory=list)

    def section(self, key: str, title: str) -> Section:
        """Start a section."""
        self.sections.append(Section(key, title))
        return self.sections[-1]

    def add(
        self, name: str, value: float, unit: str, bar: Bar | None = None, note: str = ""
    ) -> Figure:
        """Add a figure to the last section."""
        met = None if bar is None or self.is_smoke_test else bar.is_met_by(value)
        figure = Figure(name, value, unit, bar.text if bar else None, met, note)
        self.sections[-1].figures.append(figure)
        return figure

    def note(self, text: str) -> None:
        """Add a remark to the last section."""
        self.sections[-1].notes.append(text)

    @property
    def figures(self) -> Iterable[Figure]:
        """The figures of all sections."""
        return (figure for section in self.sections for figure in section.figures)

    @property
    def missed(self) -> list[Figure]:
        """The figures that do not meet their bar."""
        return [figure for figure in self.figures if figure.met is False]

    def to_json(self) -> str:
        """Return everything as JSON."""
        return json.dumps({"version": JSON_VERSION, **asdict(self)}, indent=1, ensure_ascii=False)

    @classmethod
    def from_json(cls, text: str) -> Results:
        """Read what `to_json` wrote.

        Raises
        ------
        ValueError
            If it was written by another version.
        """
        given: dict[str, Any] = json.loads(text)
        version = given.pop("version", None)
        if version != JSON_VERSION:
            raise ValueError(f"results of version {version!r}, not {JSON_VERSION}")
        sections = [_section(section) for section in given.pop("sections")]
        return cls(**given, sections=sections)


def _section(given: Mapping[str, Any]) -> Section:
    figures = [Figure(**figure) for figure in given["figures"]]
    return Section(given["key"], given["title"], figures, list(given["notes"]))
