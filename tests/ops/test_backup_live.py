"""Backups at random moments of a Tuneboard at work: each is whole, and a new one made of it ends its runs rightly."""

import shutil
import time
from pathlib import Path
from random import Random

import pytest

from app import up
from app.backups import backup
from app.backups.restore import restore
from tests.chaos import invariants
from tests.chaos.house import House

MOMENTS = 2


class Restored(House):
    """A house on what a backup held."""

    file: Path

    def furnish(self) -> None:
        restore(self.settings, self.file)
        up.prepare(self.settings)


@pytest.mark.parametrize("seed", [7])
def test_a_backup_of_a_live_system_goes_on_elsewhere(seed: int, tmp_path: Path) -> None:
    chance, files = Random(seed), []
    with House(tmp_path / "house", web=True) as house:
        for number in range(MOMENTS):
            run_ids = [house.launch(steps=chance.choice((20, 60))) for _ in range(2)]
            time.sleep(chance.uniform(0, 4))
            if number:  # something that was there a moment ago goes, perhaps while it is read
                house.wait(run_ids[0] - 2, lambda run: run["status"] == "completed")
                assert house.api("DELETE", f"/runs/{run_ids[0] - 2}").status_code == 204
                del house.acknowledged[run_ids[0] - 2]
            began = time.monotonic()
            files.append((backup.make(house.settings, tmp_path / f"{number}.tar").file, dict(house.acknowledged)))
            print(f"backup {number} of {len(house.acknowledged)} runs took {time.monotonic() - began:.2f} s")
        assert house.wait_all() == []
        assert invariants.check(house) == []
    for number, (file, acknowledged) in enumerate(files):
        elsewhere = Restored(tmp_path / f"restored-{number}", web=False)
        elsewhere.folder.mkdir()
        elsewhere.file, elsewhere.acknowledged = file, acknowledged
        with elsewhere:
            assert elsewhere.wait_all() == []
            assert invariants.check(elsewhere) == []
            for run_id in acknowledged:
                assert elsewhere.run(run_id)["status"] == "completed"
        shutil.rmtree(elsewhere.folder)
