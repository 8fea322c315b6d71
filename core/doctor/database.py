"""How PostgreSQL is."""

import time
from typing import Any, Final

from django.conf import settings
from django.db import DatabaseError, InterfaceError, connection, connections
from django.db.migrations.executor import MigrationExecutor

from core.doctor.findings import Finding, bad, good, worth_a_look

_OLDEST_VERSION: Final = 140000
_SHOWN: Final = 5
_FAR_BEHIND: Final = 16 * 2**20


def reachable() -> Finding:
    """Look whether the server answers, how fast, and whether it is new enough."""
    started = time.perf_counter()
    try:
        ((version,),) = _rows("SELECT current_setting('server_version_num')::int")
    except (DatabaseError, InterfaceError) as error:
        connection.close()
        return bad("database", f"does not answer: {str(error).splitlines()[0]}", "Start it or mend DATABASE_URL.")
    milliseconds = (time.perf_counter() - started) * 1000
    name = f"PostgreSQL {version // 10000}.{version % 10000}, answers in {milliseconds:.1f} ms"
    if version < _OLDEST_VERSION:
        return bad("database", name, "Upgrade to PostgreSQL 14 or later.")
    if milliseconds > 100:
        return worth_a_look("database", name, "Look for load or a long way between here and the server.")
    return good("database", name)


def encryption() -> Finding:
    """Look whether what goes to the server and back can be read on the way, or be another server's."""
    if _is_near(connection.settings_dict["HOST"]):
        return good("database encryption", "not needed: the server is on this machine")
    ((is_encrypted,),) = _rows("SELECT coalesce((SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()), false)")
    return of_the_way(is_encrypted=is_encrypted, mode=connection.settings_dict["OPTIONS"].get("sslmode", "prefer"))


def of_the_way(*, is_encrypted: bool, mode: str) -> Finding:
    """Return how it stands with a server on another machine; `mode` is libpq's sslmode."""
    advice = "Add ?sslmode=verify-full&sslrootcert=/path/of/ca.pem to DATABASE_URL, unless the network is yours alone."
    if not is_encrypted:
        return worth_a_look("database encryption", "the connection is in the clear", advice)
    if mode != "verify-full":
        return worth_a_look("database encryption", f"nobody checks whose server answers (sslmode={mode})", advice)
    return good("database encryption", "the server proves who it is")


def _is_near(host: str) -> bool:
    return not host or host.startswith("/") or host in {"localhost", "127.0.0.1", "::1"}


def replicas() -> Finding:
    """Look whether each replica that reads may go to is one, and how far behind it is."""
    aliases: list[str] = settings.DATABASE_REPLICAS
    if not aliases:
        return good("replicas", "none is read (DATABASE_REPLICA_URLS)")
    ((position,),) = _rows("SELECT CASE WHEN NOT pg_is_in_recovery() THEN pg_current_wal_flush_lsn() END")
    troubles = [f"{alias} {trouble}" for alias in aliases if (trouble := _trouble(alias, position))]
    found = f"{len(aliases) - len(troubles)} of {len(aliases)} follow"
    if troubles:
        return worth_a_look("replicas", f"{found}: {', '.join(troubles)}", "Until then the primary answers for them.")
    return good("replicas", found)


def _trouble(alias: str, position: str | None) -> str:
    """Return what is wrong with a replica, or nothing."""
    try:
        with connections[alias].cursor() as cursor:
            cursor.execute(
                "SELECT pg_is_in_recovery(), pg_wal_lsn_diff(%s::pg_lsn, pg_last_wal_replay_lsn())", [position]
            )
            is_replica, behind = cursor.fetchone()
    except (DatabaseError, InterfaceError) as error:
        connections[alias].close()
        return f"does not answer: {str(error).splitlines()[0]}"
    if not is_replica:
        return "is no replica"
    return f"is {behind:,} bytes behind" if behind is not None and behind > _FAR_BEHIND else ""


def migrations() -> Finding:
    """Look whether every migration is applied."""
    executor = MigrationExecutor(connection)
    plan = executor.migration_plan(executor.loader.graph.leaf_nodes())
    if plan:
        names = ", ".join(f"{migration.app_label}.{migration.name}" for migration, _ in plan[:_SHOWN])
        return bad("migrations", f"{len(plan)} not applied: {names}", "Run manage.py migrate.")
    return good("migrations", "all applied")


def sessions() -> Finding:
    """Look how near the server is to its limit of sessions."""
    ((used, limit),) = _rows("SELECT count(*), current_setting('max_connections')::int FROM pg_stat_activity")
    found = f"{used} of {limit} sessions"
    if used > limit * 0.8:
        advice = "Put PgBouncer in front, or run fewer processes and threads."
        return (bad if used > limit * 0.95 else worth_a_look)("sessions", found, advice)
    return good("sessions", found)


def stuck_sessions() -> Finding:
    """Look for sessions that hold a transaction open and do nothing, or run one statement for minutes."""
    rows = _rows(
        "SELECT pid, state, extract(epoch FROM clock_timestamp() - state_change)::int FROM pg_stat_activity"
        " WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend'"
        " AND state IN ('active', 'idle in transaction') AND clock_timestamp() - state_change > interval '1 minute'"
    )
    if rows:
        found = ", ".join(f"{pid} {state} for {seconds} s" for pid, state, seconds in rows[:_SHOWN])
        return bad("stuck sessions", found, "See pg_stat_activity; SELECT pg_terminate_backend(pid) ends one.")
    return good("stuck sessions", "none")


def broken_indexes() -> Finding:
    """Look for indexes that a failed CREATE INDEX CONCURRENTLY left behind."""
    names = [name for (name,) in _rows("SELECT indexrelid::regclass::text FROM pg_index WHERE NOT indisvalid")]
    if names:
        return bad("indexes", f"not valid: {', '.join(names)}", "DROP INDEX CONCURRENTLY each, then create it again.")
    return good("indexes", "all valid")


def foreign_keys_without_index() -> Finding:
    """Look for foreign keys whose row cannot be found by an index: deleting the other side scans the table."""
    rows = _rows(
        "SELECT conrelid::regclass::text, attname FROM pg_constraint"
        " JOIN pg_attribute ON attrelid = conrelid AND attnum = conkey[1]"
        " WHERE contype = 'f' AND connamespace = 'public'::regnamespace AND conparentid = 0"
        " AND NOT EXISTS (SELECT 1 FROM pg_index WHERE indrelid = conrelid AND indkey[0] = conkey[1])"
        " AND (SELECT reltuples FROM pg_class WHERE oid = conrelid) > 10000 ORDER BY 1, 2"
    )
    if rows:
        found = ", ".join(f"{table}.{column}" for table, column in rows[:_SHOWN])
        return worth_a_look("foreign keys", f"no index on {found}", "CREATE INDEX CONCURRENTLY, by a migration.")
    return good("foreign keys", "every one on a large table has an index")


def unused_indexes() -> Finding:
    """Look for large indexes that no statement has used since the statistics began; constraints need theirs."""
    # By the statistics' pages: to ask for the size would wait for whoever holds the table.
    rows = _rows(
        "SELECT indexrelname, pg_size_pretty(relpages * 8192::bigint) FROM pg_stat_user_indexes"
        " JOIN pg_index USING (indexrelid) JOIN pg_class ON pg_class.oid = indexrelid"
        " JOIN pg_stat_database ON datname = current_database()"
        " WHERE idx_scan = 0 AND NOT indisunique AND relpages > 12800"
        " AND coalesce(stats_reset, '-infinity') < clock_timestamp() - interval '30 days' ORDER BY relpages DESC"
    )
    if rows:
        found = ", ".join(f"{name} ({size})" for name, size in rows[:_SHOWN])
        return worth_a_look("unused indexes", found, "Unused on replicas too? Then it only costs writes: drop it.")
    return good("unused indexes", "no large index has lain unused for 30 days")


def scanned_tables() -> Finding:
    """Look for large tables that are read from end to end again and again."""
    rows = _rows(
        "SELECT relname, seq_scan, n_live_tup FROM pg_stat_user_tables"
        " WHERE n_live_tup > 50000 AND seq_scan > 1000 AND seq_scan > idx_scan / 10 ORDER BY seq_tup_read DESC"
    )
    if rows:
        found = ", ".join(f"{table} ({scans} times, {size} rows)" for table, scans, size in rows[:_SHOWN])
        return worth_a_look("table scans", found, "EXPLAIN the queries on it; an index is missing or not used.")
    return good("table scans", "no large table is scanned often")


def slow_queries() -> Finding:
    """Look which statements take long on average, where pg_stat_statements is there to tell."""
    if not _rows("SELECT 1 FROM pg_extension WHERE extname = 'pg_stat_statements'"):
        return good("slow queries", "not measured; CREATE EXTENSION pg_stat_statements would")
    rows = _rows(
        "SELECT round(mean_exec_time)::int, calls, left(regexp_replace(query, '\\s+', ' ', 'g'), 80)"
        " FROM pg_stat_statements JOIN pg_database ON pg_database.oid = dbid AND datname = current_database()"
        " WHERE mean_exec_time > 100 AND calls > 20 ORDER BY total_exec_time DESC LIMIT 5"
    )
    if rows:
        found = "; ".join(f"{mean} ms on average, {calls} times: {query}" for mean, calls, query in rows)
        return worth_a_look("slow queries", found, "EXPLAIN (ANALYZE, BUFFERS) them.")
    return good("slow queries", "no frequent statement takes more than 100 ms")


def buffer_hits() -> Finding:
    """Look whether the working set fits into PostgreSQL's memory."""
    ((hit, read),) = _rows("SELECT blks_hit, blks_read FROM pg_stat_database WHERE datname = current_database()")
    share = hit / (hit + read) if hit + read else 1.0
    found = f"{share:.1%} of the blocks were in memory"
    if read > 100_000 and share < 0.9:
        return worth_a_look("buffer hits", found, "Raise shared_buffers towards a quarter of the memory.")
    return good("buffer hits", found)


def bloat() -> Finding:
    """Look for tables that vacuum does not keep up with."""
    rows = _rows(
        "SELECT relname, n_dead_tup FROM pg_stat_user_tables"
        " WHERE n_dead_tup > 100000 AND n_dead_tup > n_live_tup * 0.2 ORDER BY n_dead_tup DESC"
    )
    if rows:
        found = ", ".join(f"{table} ({dead} dead rows)" for table, dead in rows[:_SHOWN])
        return worth_a_look("vacuum", found, "VACUUM (ANALYZE) them; look for old open transactions.")
    return good("vacuum", "keeps up")


def transaction_ids() -> Finding:
    """Look how far the oldest row is from transaction id wraparound."""
    ((age,),) = _rows("SELECT age(datfrozenxid) FROM pg_database WHERE datname = current_database()")
    found = f"the oldest is {age:,} transactions old"
    if age > 1_000_000_000:
        return bad("transaction ids", found, "VACUUM (FREEZE) the database before it stops taking writes.")
    return good("transaction ids", found)


def _rows(statement: str) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(statement)
        return list(cursor.fetchall())
