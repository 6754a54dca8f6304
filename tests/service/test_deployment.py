from pathlib import Path

from posology.service.deployment import open_deployment
from posology.service.settings import ModelSettings, Settings


def test_only_its_owner_may_read_the_store_wherever_it_is(
    small_model: Path, tmp_path: Path
) -> None:
    tmp_path.chmod(0o755)  # as a folder that was there before
    settings = Settings((ModelSettings("warfarin", small_model),), tmp_path, allow_unsigned=True)
    deployment = open_deployment(settings)
    try:
        files = {path.name: path.stat().st_mode & 0o777 for path in tmp_path.iterdir()}
    finally:
        deployment.workers.close()
        deployment.store.close()
    assert set(files) >= {"service.key", "store.sqlite", "store.sqlite-wal"}
    assert set(files.values()) == {0o600}
