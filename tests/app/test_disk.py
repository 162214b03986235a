"""What the data folder takes."""

from app.disk import disk_use, folder_size
from app.settings import Settings


def test_each_part_is_counted_once(settings: Settings) -> None:
    for folder, size in ((settings.run_dir(1), 300), (settings.dataset_dir(1), 200), (settings.downloads_dir, 100)):
        folder.mkdir(parents=True)
        (folder / "file").write_bytes(bytes(size))
    used = disk_use(settings)
    assert (used.runs, used.datasets, used.models) == (300, 200, 100)
    assert used.total == folder_size(settings.data_dir)
    assert used.other == (settings.data_dir / "tuneboard.db").stat().st_size
    assert used.free > 0


def test_a_folder_that_is_not_there_takes_nothing(settings: Settings) -> None:
    assert folder_size(settings.runs_dir) == 0
