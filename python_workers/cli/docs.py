"""``backcourt docs``."""

from __future__ import annotations

import shutil
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from python_workers.backfill.dbt_project import DbtProject
from python_workers.cli import options
from python_workers.cli.console import out
from python_workers.reading.dictionary import whole_dictionary
from python_workers.runtime.scratch import scratch_folder
from python_workers.runtime.writing import check_writable, replaced, write_text
from python_workers.settings import load_settings, resolve_project_dir
from python_workers.warehouse.open import open_warehouse

DICTIONARY, DBT_DOCS = "dictionary.html", "dbt.html"


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("docs")(docs)


def docs(
    folder: Annotated[
        Path | None,
        typer.Option("--out", metavar="DIR", help="Where to write.  [default: data/docs]"),
    ] = None,
    dictionary_only: Annotated[
        bool,
        typer.Option("--dictionary-only", help="Leave out dbt's page, which takes longer."),
    ] = False,
    target: options.TargetOption = None,
    wait: options.WaitOption = None,
) -> int:
    """Write the data dictionary and dbt's documentation, a page each.

    The dictionary has every table with types and descriptions of its columns; dbt's page adds the
    lineage, the tests and the SQL.
    """
    from python_workers.report.dictionary_page import render_dictionary  # noqa: PLC0415 -- jinja

    project = resolve_project_dir()
    folder = project / "data" / "docs" if folder is None else folder
    dictionary, dbt_docs = folder / DICTIONARY, folder / DBT_DOCS
    for path in (dictionary, dbt_docs):
        check_writable(path)
    entries = whole_dictionary(project)
    write_text(dictionary, render_dictionary(entries, datetime.now(UTC)))
    columns = sum(len(entry.columns) for entry in entries)
    out.print(f"data dictionary:  {dictionary} ({len(entries)} tables, {columns:,} columns)")
    if dictionary_only:
        return 0
    settings = load_settings(target=target, wait_seconds=wait)
    # dbt opens a DuckDB file for writing, so nobody else may read it meanwhile.
    shared = settings.target != "duckdb"
    with (
        open_warehouse(settings, read_only=shared),
        scratch_folder() as place,
    ):
        page = DbtProject(settings).document(place)
        with replaced(dbt_docs) as unfinished:
            shutil.copyfile(page, unfinished)
    out.print(f"dbt's documentation, with the lineage:  {dbt_docs}")
    return 0
