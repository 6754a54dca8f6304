"""A store of an earlier version is brought up to date, and keeps what it holds."""

from dataclasses import asdict
from pathlib import Path

from alembic import command
from alembic.config import Config
from sqlalchemy import insert, inspect

from posology.service.store import migrations, newest_answers, open_store
from posology.service.store.engines import open_engines
from posology.service.store.shadows import ShadowAnswer, read_pairs, save_shadows
from posology.service.store.tables import ANSWERS, METADATA
from tests.builders.pages import made_up_answer

ANSWER = made_up_answer("dose", "2026-11-27T08:00:00.000000Z", "p", "d" * 64)


def test_a_store_from_before_challengers_keeps_its_answers(tmp_path: Path) -> None:
    address = f"sqlite:///{tmp_path / 'store.sqlite'}"
    engines = open_engines(address)
    config = Config()
    config.set_main_option("script_location", str(Path(migrations.__file__).parent))
    with engines.writing.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "0004")
        given = {name: x for name, x in asdict(ANSWER).items() if name != "is_signed"}
        connection.execute(insert(ANSWERS), given)
    assert "shadows" not in inspect(engines.reading).get_table_names()
    engines.close()
    store = open_store(address, b"k" * 32)
    try:
        assert store.read_now(newest_answers, 9) == [ANSWER]
        shadow = ShadowAnswer(ANSWER.id, ANSWER.made_at, "e" * 64, "dose")
        store.write_now(save_shadows, [shadow])
        assert len(store.read_now(read_pairs, "warfarin", "d" * 64, "e" * 64)) == 1
        found = inspect(store.engines.reading)
        for table in METADATA.sorted_tables:
            columns = {column["name"] for column in found.get_columns(table.name)}
            assert columns == {column.name for column in table.columns}
            indexes = {index["name"] for index in found.get_indexes(table.name)}
            assert indexes >= {index.name for index in table.indexes}
    finally:
        store.close()
