"""What the tables of resources repeat."""

from collections.abc import Iterator
from typing import Final

from core.denormalised import Repeated, counting, repeats, rewriting
from resources.keywords.field_rules import stored_rules
from resources.models import ResourceType
from resources.schemas.keywords import Keywords
from resources.services import share_checks
from resources.services.keyword_changes import out_of_step
from resources.services.search_index import reindex, stored_plan
from resources.share_values import is_plan_of, plan_of

_TAGS: Final = "SELECT resource_id, tag, key, owner_id, visibility, type FROM resource_tags"
_TRUE_TAGS: Final = """
SELECT DISTINCT resources.id, one.tag::varchar, lower(one.tag)::varchar COLLATE "C", owner_id, visibility, type
FROM resources CROSS JOIN LATERAL unnest(tags) AS one (tag) WHERE deleted_at IS NULL
"""
_FALSE: Final = f"SELECT resource_id, tag FROM ({_TAGS} EXCEPT {_TRUE_TAGS}) AS wrong"  # noqa: S608  # constants of ours
_MISSING: Final = f"SELECT * FROM ({_TRUE_TAGS} EXCEPT {_TAGS}) AS missing"  # noqa: S608  # as above
_NEWEST_SCHEMA: Final = """
SELECT FROM resource_types LEFT JOIN resource_type_versions AS present
    ON present.type_id = resource_types.id AND present.number = resource_types.schema_version
WHERE present.schema IS DISTINCT FROM resource_types.schema
"""


def _mend_tags() -> int:
    gone = rewriting(f"DELETE FROM resource_tags WHERE (resource_id, tag) IN ({_FALSE})")()  # noqa: S608  # as above
    return (
        gone + rewriting(f"INSERT INTO resource_tags (resource_id, tag, key, owner_id, visibility, type) {_MISSING}")()
    )


def _wrong_plans() -> Iterator[ResourceType]:
    for kind in ResourceType.objects.order_by("key"):
        keywords = Keywords.of(kind.schema)
        is_kept = (kind.field_rules, kind.search_plan) == (stored_rules(keywords), stored_plan(keywords))
        if not (is_kept and is_plan_of(keywords, kind.share_plan)):
            yield kind


def _mend_plans() -> int:
    wrong = list(_wrong_plans())
    for kind in wrong:
        keywords = Keywords.of(kind.schema)
        kind.field_rules, kind.search_plan = stored_rules(keywords), stored_plan(keywords)
        if not is_plan_of(keywords, kind.share_plan):
            kind.share_plan = plan_of(keywords, since=kind.schema_version)
        kind.save(update_fields=["field_rules", "search_plan", "share_plan"])
    return len(wrong)


def _stale_vectors(*, is_dry: bool) -> int:
    keys = ResourceType.objects.order_by("key").values_list("key", flat=True)
    return sum(batch.stale for key in keys for batch in reindex(key, is_dry=is_dry))


def _rows_out_of_step() -> int:
    kinds = ResourceType.objects.order_by("key")
    return sum(1 for kind in kinds for _ in out_of_step(kind.key, Keywords.of(kind.schema)))


repeats(
    Repeated(
        "resource_types.field_rules, .search_plan, .share_plan",
        "what the schema says of reading, searching and indexes",
        lambda: sum(1 for _ in _wrong_plans()),
        _mend_plans,
    ),
    Repeated("resource_types.schema", "the schema of the newest version", counting(_NEWEST_SCHEMA)),
    Repeated(
        "resources.search",
        "name, description, tags, data",
        lambda: _stale_vectors(is_dry=True),
        lambda: _stale_vectors(is_dry=False),
    ),
    Repeated(
        "resources.version",
        "the count of writes",
        counting(
            "SELECT FROM resources WHERE version IS DISTINCT FROM "
            "(SELECT max(number) FROM resource_history WHERE resource_id = resources.id)"
        ),
    ),
    Repeated("resource_versions.snapshot", "the resource as it was"),
    Repeated("resource_versions.changed", "the difference to the version before"),
    Repeated(
        "resource_tags.*",
        "tags, owner, type and visibility of live resources",
        counting(f"({_TAGS} EXCEPT {_TRUE_TAGS}) UNION ALL ({_TRUE_TAGS} EXCEPT {_TAGS})"),
        _mend_tags,
    ),
    Repeated(
        "resource_unique_values.*, resource_references.*",
        "the values of data that are unique, or refer to others",
        _rows_out_of_step,
        mended_by="revalidate --repair",
    ),
    Repeated(
        "shares.resource_…",
        "owner, type, visibility, time, bin, status and indexed values of the resource",
        lambda: share_checks.out_of_step().count(),
        share_checks.mend,
    ),
    Repeated(
        "files.version",
        "the number of the version that is shown",
        counting(
            "SELECT FROM files WHERE NOT EXISTS "
            "(SELECT FROM file_versions WHERE file_id = files.id AND number = files.version)"
        ),
    ),
)
