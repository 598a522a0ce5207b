"""A trigger that refuses to move a run out of a state in which it has ended."""

from django.db import migrations

from jobs.models import ENDED

ended = ", ".join(f"'{status.value}'" for status in sorted(ENDED))

CREATE = {
    "sqlite": f"""
        CREATE TRIGGER run_stays_ended BEFORE UPDATE OF status ON jobs_run
        WHEN OLD.status IN ({ended}) AND NEW.status <> OLD.status
        BEGIN SELECT RAISE(ABORT, 'a run that has ended stays ended'); END
    """,
    "postgresql": f"""
        CREATE FUNCTION run_stays_ended() RETURNS trigger AS $$
        BEGIN
            RAISE EXCEPTION 'a run that has ended stays ended' USING ERRCODE = 'check_violation';
        END $$ LANGUAGE plpgsql;
        CREATE TRIGGER run_stays_ended BEFORE UPDATE OF status ON jobs_run FOR EACH ROW
        WHEN (OLD.status IN ({ended}) AND NEW.status <> OLD.status)
        EXECUTE FUNCTION run_stays_ended()
    """,
}
DROP = {
    "sqlite": "DROP TRIGGER run_stays_ended",
    "postgresql": "DROP TRIGGER run_stays_ended ON jobs_run; DROP FUNCTION run_stays_ended()",
}


def create(apps, schema_editor):
    execute(schema_editor, CREATE)


def drop(apps, schema_editor):
    execute(schema_editor, DROP)


def execute(schema_editor, statements):
    statement = statements.get(schema_editor.connection.vendor)
    if statement:
        with schema_editor.connection.cursor() as cursor:
            cursor.execute(statement)


class Migration(migrations.Migration):
    dependencies = [("jobs", "0002_talk_columns")]
    operations = [migrations.RunPython(create, drop)]
