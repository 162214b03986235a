"""The least that a run can be launched from: a base model that nothing but its headers is read of, and a data set."""

import json
import struct
from pathlib import Path

from app.data.dataset_import.store import Store
from app.data.rows import Row
from app.db import Database
from app.models import Dataset
from app.settings import Settings

LAYERS = {"embed_tokens": [100, 16], "q_proj": [16, 16], "v_proj": [8, 16], "lm_head": [100, 16]}


def write_model(folder: Path) -> None:
    folder.mkdir(parents=True)
    header = json.dumps({f"{name}.weight": {"dtype": "F16", "shape": shape} for name, shape in LAYERS.items()}).encode()
    (folder / "model.safetensors").write_bytes(struct.pack("<Q", len(header)) + header)
    (folder / "tokenizer.json").write_text("{}")
    config = {"architectures": ["LlamaForCausalLM"], "model_type": "llama", "max_position_embeddings": 512}
    (folder / "config.json").write_text(json.dumps(config))


def write_dataset(database: Database, settings: Settings, rows: int = 200) -> None:
    with database.writing() as session:
        dataset = Dataset(name="pairs", sha256="0", format="jsonl", rows=rows, train_rows=0, eval_rows=0, columns=[])
        session.add(dataset)
        session.commit()
        settings.dataset_dir(dataset.id or 0).mkdir(parents=True)
        with Store(settings.dataset_dir(dataset.id or 0)) as files:
            for number in range(rows):
                files.add(Row(f"Ask {number}", "", f"Tell {number}"))
