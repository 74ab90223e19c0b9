"""Reads JSON answers into the tables of a feed's sources, and refuses answers of another form.

A conversion reads its files with it, and a fetch what the site gives before it keeps an answer:
both take the same answers.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import duckdb
import pyarrow as pa

from python_workers.errors import BackcourtError
from python_workers.feeds.feed import Source
from python_workers.raw.json_lines import TwoValuesError, decode_json

_RESULT_SETS = """
create or replace temp table sets as
select
    file_number,
    coalesce(content ->> '$.parameters.GameID', content ->> '$.parameters[0].GameID') as game_id,
    result.name as name,
    result.headers as headers,
    result."rowSet" as cells
from (
    select
        file_number,
        content,
        unnest(from_json(
            content -> 'resultSets',
            '[{"name":"VARCHAR","headers":["VARCHAR"],"rowSet":[["VARCHAR"]]}]'
        )) as result
    from parts
)
"""
# What is wrong with a set, in the order of these: a list that is none is NULL.
_DAMAGED_SETS = """
select * from (
    select
        file_number,
        case
            when headers is null or list_contains(list_transform(headers, lambda each: each is null), true)
                then 'no list of headers'
            when cells is null then 'no list rowSet'
            when len(list_filter(cells, lambda cell: len(cell) is distinct from len(headers))) > 0
                then 'a row with another number of values than its headers'
        end as problem
    from sets
    where name = ?
)
where problem is not null
order by all
limit 1
"""  # noqa: E501


class OtherFormError(BackcourtError):
    """An answer has another form than its source.

    Parameters
    ----------
    number
        The number of the answer's file.
    label
        Its name for messages.
    problem
        What is wrong.
    present
        Names that it has.
    """

    # The files of the folder, where the answer is one of them.
    paths: Sequence[Path] = ()

    def __init__(self, number: int, label: str, problem: str, present: Sequence[str] = ()) -> None:
        super().__init__(
            f"{label}: {problem}", [f"It has: {', '.join(present)}."] if present else []
        )
        self.number, self.problem = number, problem


def create_table(connection: duckdb.DuckDBPyConnection, source: Source) -> None:
    """Create the empty table of a source."""
    columns = ", ".join(f'"{name}" varchar' for name in source.columns)
    connection.execute(f'create or replace table "{source.name}" ({columns}, file_number integer)')


def read_answers(
    connection: duckdb.DuckDBPyConnection,
    sources: Sequence[Source],
    texts: Mapping[int, str],
    labels: Sequence[str],
) -> set[int]:
    """Insert the rows of some answers into the tables of their sources.

    Parameters
    ----------
    connection
        A scratch database with the tables of the sources.
    sources
        The sources to look for; those of tables alone are passed over.
    texts
        JSON, by the number of its file.
    labels
        The names of all files for messages; the place of a name plus one is the file's number.

    Returns
    -------
    set of int
        The numbers of the answers that a source reads.

    Raises
    ------
    BackcourtError
        If a text is no JSON or an object in it has a key twice, or if the select of a source fails;
        `OtherFormError` if an answer lacks a column or a list of its source, has a column twice or
        a damaged row.
    """
    given = pa.table(
        {"file_number": pa.array(texts, pa.int32()), "text": pa.array(texts.values(), pa.string())}
    )
    connection.register("texts", given)
    broken = connection.execute(
        "select file_number, ltrim(text) like '<%' from texts where not json_valid(text) "
        "order by file_number limit 1"
    ).fetchone()
    if broken:
        raise BackcourtError(
            f"{labels[broken[0] - 1]} is {'HTML' if broken[1] else 'no JSON'}",
            "The site answered with a page instead of data: fetch this file again."
            if broken[1]
            else "It may have been cut off: fetch this file again, or move it away.",
        )
    for number, text in texts.items():
        _check_keys(text, labels[number - 1])
    connection.execute(
        "create or replace temp table parts as select file_number, text::json as content from texts"
    )
    connection.unregister("texts")
    connection.execute(_RESULT_SETS)
    known: set[int] = set()
    for source in sources:
        if source.kind == "result_set":
            known |= _insert_result_set(connection, source, labels)
        elif source.kind == "json":
            known |= _insert_nested(connection, source, labels)
    return known


def _check_keys(text: str, label: str) -> None:
    """Refuse an answer that gives a key two values: DuckDB would take the first."""
    again = "Fetch this file again, or move it away."
    try:
        decode_json(text)
    except TwoValuesError as error:
        raise BackcourtError(
            f"{label} gives {error} two values", f"One object has this key twice. {again}"
        ) from None
    except (ValueError, RecursionError) as error:
        raise BackcourtError(f"{label} cannot be read as JSON: {error}", again) from None


def _insert_result_set(
    connection: duckdb.DuckDBPyConnection, source: Source, labels: Sequence[str]
) -> set[int]:
    damaged = connection.execute(_DAMAGED_SETS, [source.path]).fetchone()
    if damaged:
        number, problem = damaged
        raise OtherFormError(number, labels[number - 1], f"{source.path} has {problem}")
    found = [
        (number, headers, parameters)
        for number, headers, parameters in connection.execute(
            "select distinct file_number, headers, if(game_id is null, [], ['GAME_ID']) "
            "from sets where name = ?",
            [source.path],
        ).fetchall()
        if not source.is_of_another_kind(headers)
    ]
    for number, headers, parameters in found:
        missing = [name for name in source.needs if name not in (*headers, *parameters)]
        if missing:
            raise _missing(number, labels, source, missing, headers)
        twice = [name for name in source.columns if headers.count(name) > 1]
        if twice:
            problem = f"{source.path} has {', '.join(twice)} twice"
            raise OtherFormError(number, labels[number - 1], problem, headers)
    cells = ", ".join(
        f"cell[list_position(headers, '{name}')]"
        if name != "GAME_ID"
        else f"coalesce(cell[list_position(headers, '{name}')], game_id)"
        for name in source.columns
    )
    connection.execute(
        f'insert into "{source.name}" select {cells}, file_number from ('  # noqa: S608 a feed's own names
        "select headers, game_id, file_number, unnest(cells) as cell from sets "
        "where name = ? and not list_has_any(headers, ?::varchar[]))",
        [source.path, source.without],
    )
    return {number for number, *_ in found}


def _insert_nested(
    connection: duckdb.DuckDBPyConnection, source: Source, labels: Sequence[str]
) -> set[int]:
    connection.execute(
        "create or replace temp table answers as select * from parts where json_exists(content, ?)",
        [f"$.{source.path}"],
    )
    found = connection.execute("select file_number from answers").fetchall()
    numbers = {number for (number,) in found}
    if not numbers:
        return numbers
    for path in source.lists:
        _check_list(connection, path, labels)
    where = f"{source.where}.select"
    hint = f"It reads answers with {source.path}, such as {labels[min(numbers) - 1]}."
    names = ", ".join(f'"{name}"' for name in source.columns)
    # A renamed key gives NULL everywhere.
    filled = ", ".join(f'count("{name}")' for name in source.needs)
    try:
        connection.execute(f"create or replace temp table nested as {source.select}")
        absent = connection.execute(
            f"select file_number, {filled} from nested group by all order by all"  # noqa: S608 as above
        ).fetchall()
        if not {number for number, *_ in absent} <= numbers:
            raise BackcourtError(f"{where} gives a file_number that is none of its answers", hint)
        for number, *counts in absent:
            missing = [name for name, count in zip(source.needs, counts, strict=True) if not count]
            if missing:
                raise _missing(number, labels, source, missing)
        connection.execute(f'insert into "{source.name}" select {names}, file_number from nested')  # noqa: S608 as above
    except duckdb.Error as error:
        raise BackcourtError(f"{where} fails: {str(error).splitlines()[0]}", hint) from error
    return numbers


def _check_list(connection: duckdb.DuckDBPyConnection, path: str, labels: Sequence[str]) -> None:
    """Refuse answers in which a list of objects is something else.

    Raises
    ------
    OtherFormError
        If it is missing, null or no list, or one of its elements is no object.
    """
    above, is_inner, _ = path.rpartition("[*]")
    kinds = f"json_type(content, '$.{path}')"
    is_list = f"coalesce({kinds} = 'ARRAY', false)"
    if is_inner:
        # One list for each element of the list above.
        elements = f"len(json_extract(content, '$.{above}[*]'))"
        is_list = f"len(list_filter({kinds}, lambda kind: kind = 'ARRAY')) = {elements}"
    is_of_objects = (
        f"len(list_filter(json_type(content, '$.{path}[*]'), lambda kind: kind != 'OBJECT')) = 0"
    )
    wrong = connection.execute(
        f"select file_number, {is_list} from answers "  # noqa: S608 a feed's own path
        f"where not ({is_list}) or not ({is_of_objects}) order by file_number limit 1"
    ).fetchone()
    if wrong:
        number, is_damaged = wrong
        problem = f"{path} has an element that is no object" if is_damaged else f"no list {path}"
        raise OtherFormError(number, labels[number - 1], problem)


def _missing(
    number: int,
    labels: Sequence[str],
    source: Source,
    missing: Sequence[str],
    present: Sequence[str] = (),
) -> OtherFormError:
    problem = f"{source.path} has no {', '.join(missing)}"
    return OtherFormError(number, labels[number - 1], problem, present)
