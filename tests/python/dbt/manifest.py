"""Reads dbt's manifest as a graph of names, and checks the rules of dbt-project-evaluator.

The rules are those of https://dbt-labs.github.io/dbt-project-evaluator that apply to one project
without packages. Each returns the names that break it.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import PurePosixPath
from typing import Any

HARD_CODED = re.compile(r"\b(?:from|join)\s+(?:\w+\.)?nba_\w+\.\w+", re.IGNORECASE)
MOST_LEAVES = 3
MOST_PARENTS = 6
MOST_CHAINED_VIEWS = 4


@dataclass(frozen=True)
class Project:
    """A parsed project; models are known by name, sources as `source.table`."""

    manifest: Any

    @cached_property
    def models(self) -> dict[str, Any]:
        return {n.name: n for n in self.manifest.nodes.values() if n.resource_type == "model"}

    @cached_property
    def sources(self) -> dict[str, Any]:
        return {f"{n.source_name}.{n.name}": n for n in self.manifest.sources.values()}

    @cached_property
    def exposures(self) -> dict[str, Any]:
        return {n.name: n for n in self.manifest.exposures.values()}

    def parents(self, name: str) -> set[str]:
        """Return models, seeds and sources that a model or exposure reads."""
        node = self.models.get(name) or self.exposures[name]
        return {self._name(key) for key in node.depends_on.nodes}

    def children(self, name: str) -> set[str]:
        """Return the models that read a model or source."""
        return {model for model in self.models if name in self.parents(model)}

    def ancestors(self, name: str) -> set[str]:
        found: set[str] = set()
        waiting = [name]
        while waiting:
            new = {p for p in self.parents(waiting.pop()) if p not in found}
            found |= new
            waiting += [parent for parent in new if parent in self.models]
        return found

    def folder(self, model: str) -> str:
        """Return the innermost folder of a model."""
        return PurePosixPath(self.models[model].original_file_path).parent.name

    def is_view(self, name: str) -> bool:
        return name in self.models and self.models[name].config.materialized == "view"

    def _name(self, key: str) -> str:
        if key in self.manifest.sources:
            source = self.manifest.sources[key]
            return f"{source.source_name}.{source.name}"
        return str(self.manifest.nodes[key].name)

    # Modelling

    def root_models(self) -> Iterable[str]:
        return (model for model in self.models if not self.parents(model))

    def sources_read_outside_of_staging(self) -> Iterable[str]:
        return (
            model
            for model in self.models
            if self.folder(model) != "staging" and self.parents(model) & self.sources.keys()
        )

    def staging_models_that_read_models(self) -> Iterable[str]:
        return (
            model
            for model in self.models
            if self.folder(model) == "staging" and self.parents(model) & self.models.keys()
        )

    def several_sources_joined(self) -> Iterable[str]:
        return (m for m in self.models if len(self.parents(m) & self.sources.keys()) > 1)

    def sources_with_several_readers(self) -> Iterable[str]:
        return (source for source in self.sources if len(self.children(source)) > 1)

    def unused_sources(self) -> Iterable[str]:
        return (source for source in self.sources if not self.children(source))

    def duplicate_sources(self) -> Iterable[str]:
        relations = Counter(source.relation_name for source in self.sources.values())
        return (name for name, n in self.sources.items() if relations[n.relation_name] > 1)

    def hard_coded_references(self) -> Iterable[str]:
        return (name for name, model in self.models.items() if HARD_CODED.search(model.raw_code))

    def fans_out_to_leaves(self) -> Iterable[str]:
        leaves = {model for model in self.models if not self.children(model)}
        return (model for model in self.models if len(self.children(model) & leaves) > MOST_LEAVES)

    def too_many_joins(self) -> Iterable[str]:
        # A table of the workers joins nothing in SQL.
        return (
            name
            for name, model in self.models.items()
            if len(self.parents(name)) > MOST_PARENTS
            and model.config.materialized != "worker_table"
        )

    def rejoins_of_upstream_concepts(self) -> Iterable[str]:
        for child in self.models:
            parents = self.parents(child)
            for between in parents & self.models.keys():
                if self.children(between) == {child} and self.parents(between) < parents:
                    yield f"{between} in {child}"

    # Testing, documentation, structure

    def models_without_test_of_the_primary_key(self) -> Iterable[str]:
        tested = {
            self._name(node.attached_node)
            for node in self.manifest.nodes.values()
            if node.resource_type == "test"
            and getattr(node, "test_metadata", None) is not None
            and node.test_metadata.name == "unique_key"
        }
        return self.models.keys() - tested

    def sources_without_freshness(self) -> Iterable[str]:
        return (n for n, s in self.sources.items() if not (s.freshness and s.freshness.warn_after))

    def undocumented(self) -> Iterable[str]:
        for name, node in {**self.models, **self.sources, **self.exposures}.items():
            if not node.description:
                yield name
            for column in getattr(node, "columns", {}).values():
                if not column.description:
                    yield f"{name}.{column.name}"

    def models_without_columns(self) -> Iterable[str]:
        return (n for n, node in {**self.models, **self.sources}.items() if not node.columns)

    def properties_that_are_not_beside_their_model(self) -> Iterable[str]:
        for name, model in self.models.items():
            path = PurePosixPath(model.original_file_path).with_suffix(".yml")
            if model.patch_path != f"backcourt://{path}":
                yield name
        for test in self.manifest.unit_tests.values():
            tested = self.models[test.model].original_file_path
            if PurePosixPath(test.original_file_path) != PurePosixPath(tested).with_suffix(".yml"):
                yield test.name

    def prefixes_of_another_folder(self) -> Iterable[str]:
        for model in self.models:
            is_staging = self.folder(model) == "staging"
            if model.startswith("stg_") != is_staging:
                yield model
            if model.startswith("int_") and "analytics" not in self.models[model].fqn:
                yield model

    # Performance, governance

    def long_chains_of_views(self) -> Iterable[str]:
        def length(name: str) -> int:
            if not self.is_view(name):
                return 0
            return 1 + max(map(length, self.parents(name)), default=0)

        return (model for model in self.models if length(model) > MOST_CHAINED_VIEWS)

    def exposures_of_views_or_sources(self) -> Iterable[str]:
        for exposure in self.exposures:
            for parent in self.parents(exposure):
                if self.is_view(parent) or parent in self.sources:
                    yield f"{parent} in {exposure}"

    def exposures_of_private_models(self) -> Iterable[str]:
        for exposure in self.exposures:
            for parent in self.parents(exposure) & self.models.keys():
                if self.models[parent].access != "public":
                    yield f"{parent} in {exposure}"

    def public_models_without_contract(self) -> Iterable[str]:
        return (
            name
            for name, model in self.models.items()
            if model.access == "public" and not model.contract.enforced
        )
