"""Tables that only grow: the database itself refuses to change or remove what was written."""

from typing import Final

from sqlalchemy import DDL, FromClause, Table, event

_SQLITE: Final = """CREATE TRIGGER IF NOT EXISTS {table}_no_{verb} BEFORE {verb} ON {table}
BEGIN SELECT RAISE(ABORT, '{table} only grows'); END"""
_POSTGRESQL: Final = """CREATE OR REPLACE FUNCTION {table}_refuse() RETURNS trigger
LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION '{table} only grows'; END $$;
CREATE OR REPLACE TRIGGER {table}_only_grows BEFORE UPDATE OR DELETE OR TRUNCATE ON {table}
FOR EACH STATEMENT EXECUTE FUNCTION {table}_refuse()"""


def only_grows(table: FromClause) -> None:
    """Have the database refuse everything but new rows, once it makes this table."""
    if not isinstance(table, Table):
        return
    for verb in ("UPDATE", "DELETE"):
        refuse = DDL(_SQLITE.format(table=table.name, verb=verb))
        event.listen(table, "after_create", refuse.execute_if(dialect="sqlite"))
    refuse = DDL(_POSTGRESQL.format(table=table.name))
    event.listen(table, "after_create", refuse.execute_if(dialect="postgresql"))
