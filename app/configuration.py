"""What makes runs replicates: the same settings but for the seed."""

import hashlib
import json
from collections.abc import Mapping
from typing import Any


def key(config: Mapping[str, Any]) -> str:
    """The same for two configurations that differ in nothing but their seed, and for no others."""
    training = {name: value for name, value in config.get("training", {}).items() if name != "seed"}
    text = json.dumps({**config, "training": training}, sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()[:32]
