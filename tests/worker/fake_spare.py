"""The process that waits for a run, which then is the stand-in: python tests/worker/fake_spare.py"""

import importlib.util
import sys
from pathlib import Path

from worker import warm

if __name__ == "__main__":
    sys.argv[1:] = warm.stand_by(lambda gpu: None)
    spec = importlib.util.spec_from_file_location("fake_child", Path(__file__).with_name("fake_child.py"))
    assert spec
    assert spec.loader
    child = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(child)
    sys.exit(child.main())
