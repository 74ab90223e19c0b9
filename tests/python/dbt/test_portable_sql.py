"""The project writes SQL that the engines read differently only in macros."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from python_workers.settings import resolve_project_dir

# Columns that are never NULL in ordered rows: NULL comes first on BigQuery, last on DuckDB.
NEVER_NULL = {
    *("game_date", "game_id", "player_id", "analysis_date", "season_year"),
    *("played_number", "available_games", "game_number", "is_dnp", "is_played", "has_box_score"),
}

# By name: what it looks like outside quotes and comments, why it is not portable and what to write
# instead, and examples.
CONSTRUCTS: dict[str, tuple[str, str, list[str]]] = {
    "rounding": (
        r"\bround ?\(",
        "works on floats, and sends halves away from zero: half_even, ratio, fixed_point",
        ["round(points / 2, 4)", "cast(round (x) as int64)"],
    ),
    "mean": (
        r"\b(avg|mean|stddev\w*|var_\w+|variance|median|corr|percentile\w*|quantile\w*) ?\(",
        "adds floats in any order: sums and counts of integers, then ratio",
        ["avg(points)", "stddev_samp(points) over last_10", "percentile_cont(points, 0.5)"],
    ),
    "sum": (
        r"\bsum ?\(",
        "is a HUGEINT of integers on DuckDB: int_sum",
        ["sum(points)", "sum (points) over so_far"],
    ),
    "quotient": (
        r"/(?! ?\d*[1-9])|%|\bdiv ?\(",
        "is an error on BigQuery where the divisor is 0, and // or DIV where whole: ratio, int_div",
        ["points / games", "points // games", "1 / 0", "points % 2", "div(points, games)"],
    ),
    "arithmetic of dates": (
        (
            r"\binterval\b|\bdate(_add|_sub|_diff|_trunc|diff|add) ?\(|\btimestamp_\w+ ?\("
            r"|(\bdate ''|_(date|day)) ?[-+] ?\w|[-+] ?(\w+\.)?\w+_(date|day)\b"
        ),
        "gives timestamps, intervals or errors: add_days, days_between",
        ["game_date - interval 7 day", "game_date + 1", "a.game_date - b.game_date", "date '' - 1"],
    ),
    "the time": (
        r"\b(current_\w+|now|today|random|rand|generate_uuid|uuid)\b ?(\(|$|\W)",
        "makes rows that differ from run to run",
        ["where game_date < current_date", "rand()"],
    ),
    "parts of dates": (
        r"\bextract ?\( ?(?!year|month|day\b)|\b(dayofweek|week|strftime|format_date) ?\(",
        "is counted differently but for year, month and day",
        ["extract(week from game_date)", "extract(dayofweek from game_date)", "dayofweek(d)"],
    ),
    "joined texts": (
        r"\|\||\bconcat(_ws)? ?\(",
        "with a NULL is NULL on BigQuery and a text on DuckDB: join texts in Python",
        ["player_lookup || ''", "concat(a, b)"],
    ),
    "any of several": (
        (
            r"\b(string_agg|array_agg|listagg|list|any_value|arg_m\w+|m\w+_by|first|last|first_value"
            r"|last_value|nth_value|approx_\w+) ?\("
        ),
        "is up to the engine: row_number, min, max",
        ["any_value(points)", "arg_max(points, game_date)", "string_agg(name)", "first(points)"],
    ),
    "types": (
        r"\b(numeric|bignumeric|decimal|hugeint|real|float32|double|float64|varchar|text)\b",
        "is of one engine, or of another width: int64, string, type_float64()",
        ["cast(points as numeric)", "cast(x as decimal(38, 9))", "cast(x as double)"],
    ),
    "conversions": (
        r"::|\b(safe|try)_cast\b|\bas (bool|boolean|timestamp|datetime|time)\b",
        "differs, or hides what does not convert: cast",
        ["points::string", "try_cast(points as int64)", "cast(made as boolean)"],
    ),
    "hashes": (
        r"\b(md5|sha\d+|to_hex|hex|hash|farm_fingerprint|to_json\w*|to_base64) ?\(",
        "is written differently: row_hash, or Python",
        ["to_hex(sha256(name))", "farm_fingerprint(name)", "to_json_string(inputs)"],
    ),
    "patterns": (
        (
            r"\bi?like\b|\b(regexp_\w+|substr|substring|strpos|instr|split|split_part|length|lpad|rpad"
            r"|format|printf|normalize|initcap) ?\("
        ),
        "counts and matches differently: full_match, or Python",
        ["regexp_matches(name, '')", "substr(game_id, 1, 3)", "name ilike ''"],
    ),
    "syntax": (
        (
            r"\bfilter ?\( ?where\b|\bexclude ?\(|\bdistinct on\b|\basof\b|\bgroup by all\b"
            r"|\border by all\b|\bunnest\b|\blateral\b|\bpivot\b|\bqualify\b|\bin \(\)"
        ),
        "is known to one engine: case, a list of columns, row_number",
        ["count(*) filter (where made)", "select * exclude (a) from t", "group by all"],
    ),
}
# Macros that may use a construct, since they give it the same meaning on both engines.
MEANT = {
    ("rounding", "macros/rounding.sql"),
    ("quotient", "macros/rounding.sql"),
    # A macro turns each of its parts into text, also NULL.
    ("joined texts", "models/coverage/raw_findings.sql"),
    # Its parts are never NULL.
    ("joined texts", "models/coverage/stale_dates.sql"),
}


def fragments(source: str) -> Iterator[str]:
    """Give the SQL of a file, and that in the arguments of its macros, without quotes."""
    source = re.sub(r"\{#.*?#\}|--[^\n]*", "", source, flags=re.DOTALL)
    source = re.sub(r"\{%.*?%\}", " ", source, flags=re.DOTALL)
    for expression in re.findall(r"\{\{.*?\}\}", source, flags=re.DOTALL):
        for _, argument in re.findall(r"(['\"])(.*?)\1", expression, flags=re.DOTALL):
            yield " ".join(argument.split()).lower()
    # A power of ten is a number, as it is where decimals are constant.
    source = re.sub(r"\{\{ 10 \*\* .*?\}\}", "10", source)
    source = re.sub(r"\{\{.*?\}\}", "macro", source, flags=re.DOTALL)
    yield " ".join(re.sub(r"'[^']*'", "''", source).split()).lower()


def arguments(call: str) -> list[str]:
    """Return the arguments of a call, given the text behind its opening parenthesis."""
    depth, found = 0, [""]
    for character in call:
        depth += {"(": 1, ")": -1}.get(character, 0)
        if depth < 0:
            break
        if character == "," and depth == 0:
            found.append("")
        else:
            found[-1] += character
    return [each.strip() for each in found]


def faults(sql: str) -> Iterator[tuple[str, str]]:
    """Give the name of each construct that a piece of SQL must not hold, and the text."""
    for name, (pattern, _, _) in CONSTRUCTS.items():
        for found in re.finditer(pattern, sql):
            yield name, sql[max(found.start() - 30, 0) : found.end() + 20]
    for found in re.finditer(r"\b(least|greatest) ?\(", sql):
        parts = arguments(sql[found.end() :])
        if not all(re.match(r"coalesce ?\(|-?\d+$|''$", part) for part in parts):
            yield "least and greatest of a NULL", sql[found.start() : found.end() + 40]
    for found in re.finditer(r"\border by ", sql):
        terms = arguments(re.split(r"\brows between\b|\brange between\b", sql[found.end() :])[0])
        for term in terms:
            names = re.sub(r"\b(asc|desc|and|or|not|macro|\w+\.)(?=\W|\w|$)", " ", term)
            if set(re.findall(r"[a-z_]\w*", names)) - NEVER_NULL:
                yield "order of NULL", term


def sources() -> Iterator[Path]:
    project = resolve_project_dir()
    for folder in ("models", "tests/dbt"):
        yield from sorted((project / folder).rglob("*.sql"))
    yield from (project / "macros" / f"{name}.sql" for name in ("domain", "rounding", "date_range"))


def test_the_project_contains_no_sql_that_engines_read_differently() -> None:
    project = resolve_project_dir()
    found = [
        f"{path.relative_to(project)}: {name}: {text}"
        for path in sources()
        for fragment in fragments(path.read_text(encoding="utf-8"))
        for name, text in faults(fragment)
        if (name, str(path.relative_to(project))) not in MEANT
    ]
    assert not found, "\n".join(found)


WRONG = [(name, sql) for name, (_, _, examples) in CONSTRUCTS.items() for sql in examples] + [
    ("least and greatest of a NULL", "greatest(least(own_rest - their_rest, 2), -2)"),
    ("least and greatest of a NULL", "least(coalesce(a, 0), b)"),
    ("order of NULL", "row_number() over (partition by a order by points desc, game_id)"),
    ("order of NULL", "select * from t order by last_played_date"),
]


@pytest.mark.parametrize(("name", "sql"), WRONG)
def test_a_construct_is_found(name: str, sql: str) -> None:
    assert name in {found for found, _ in faults(sql)}


@pytest.mark.parametrize(
    "source",
    [
        "select {{ ratio('points', 'games', 4) }}, seconds / 60, x / {{ 10 ** decimals }}",
        "select least(coalesce(a, 0), coalesce(b, 0), 7)",
        "{# avg(points) #} select points -- round(points)",
        "row_number() over (partition by points order by t.game_date desc, game_id)",
        "select 'a || b' as label, cast(points as int64), {{ add_days('game_date', -7) }}",
        "{% if month // 12 %}where extract(year from game_date) > 2{% endif %}",
        "select last_10_since, first_date, cast(count(*) over last_10 as int64)",
    ],
)
def test_portable_sql_passes(source: str) -> None:
    assert [fault for fragment in fragments(source) for fault in faults(fragment)] == []


def test_sql_in_the_arguments_of_a_macro_is_checked() -> None:
    source = "select {{ int_sum('least(points, 3)') }}, {{ ratio('a', \"b / c\", 2) }}"
    found = {name for fragment in fragments(source) for name, _ in faults(fragment)}
    assert found == {"least and greatest of a NULL", "quotient"}
