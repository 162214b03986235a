"""The launch page says how many weights a run will train before anything is loaded: PEFT has to agree."""

from pathlib import Path

import pytest
from peft import LoraConfig as PeftConfig
from peft import get_peft_model
from transformers import AutoModelForCausalLM, GPT2Config, GPTNeoXConfig, LlamaConfig, PhiConfig, PretrainedConfig

from app.config_sections import LoraConfig
from app.launch import model_shape
from app.launch.launch_facts import trainable_parameters, trainable_share

TINY = {"hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2, "num_attention_heads": 4, "vocab_size": 64}
MODELS: dict[str, PretrainedConfig] = {
    "llama": LlamaConfig(**TINY, num_key_value_heads=2),
    "tied": LlamaConfig(**TINY, tie_word_embeddings=True),
    "gpt2": GPT2Config(n_embd=32, n_layer=2, n_head=4, vocab_size=64, n_positions=32, bos_token_id=0, eos_token_id=0),
    "gpt_neox": GPTNeoXConfig(**TINY),
    "phi": PhiConfig(**TINY),
}


@pytest.fixture(scope="module", params=MODELS)
def folder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp(request.param)
    AutoModelForCausalLM.from_config(MODELS[request.param]).save_pretrained(path)
    return path


@pytest.mark.filterwarnings("ignore:fan_in_fan_out:UserWarning", "ignore::FutureWarning")
@pytest.mark.parametrize("changes", [{}, {"r": 4}, {"bias": "all"}, {"bias": "lora_only"}, {"use_dora": True}])
def test_the_forecast_is_what_peft_trains(folder: Path, changes: dict[str, object]) -> None:
    settings = {"r": 8, **changes}
    model = AutoModelForCausalLM.from_pretrained(folder)
    peft = get_peft_model(model, PeftConfig(target_modules="all-linear", task_type="CAUSAL_LM", **settings))
    trained, total = peft.get_nb_trainable_parameters()
    shape = model_shape.read(folder)
    assert shape is not None
    assert trainable_parameters(LoraConfig(**settings), shape) == trained
    assert trainable_share(LoraConfig(**settings), shape) == pytest.approx(trained / total)
