"""The codes that feeds use for one franchise; a macro that dbt reads is generated from them."""

from __future__ import annotations

# Codes of different eras (NJN, BKN) are listed together, too: they never occur in the same season.
FRANCHISES = (
    ("BKN", "BRK", "NJN", "NJ"),
    ("CHA", "CHO", "CHH"),
    ("GSW", "GS", "GOS"),
    ("MEM", "VAN"),
    ("NOP", "NO", "NOH", "NOK", "NOR"),
    ("NYK", "NY"),
    ("OKC", "SEA"),
    ("PHI", "PHL"),
    ("PHX", "PHO"),
    ("SAS", "SA", "SAN"),
    ("UTA", "UTAH", "UTH"),
    ("WAS", "WSH", "WSB"),
)
