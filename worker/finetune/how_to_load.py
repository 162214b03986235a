"""The Python that loads what a run made, as text for people: with transformers and peft, and nothing of ours."""

from typing import Any

from app.run_config import RunConfig

MERGED = """\
from transformers import AutoModelForCausalLM, AutoTokenizer

tokenizer = AutoTokenizer.from_pretrained(".")  # this folder
model = AutoModelForCausalLM.from_pretrained(".", dtype="auto")"""


def adapter(config: RunConfig, environment: dict[str, Any]) -> str:
    """The base quantised as it was in training, and the adapter on it."""
    commit, quantised = environment.get("model_commit"), _quantization(config, environment)
    revision = f", revision={commit!r}" if commit else ""
    lines = [
        "from peft import PeftModel",
        f"from transformers import AutoModelForCausalLM, AutoTokenizer{', BitsAndBytesConfig' if quantised else ''}",
        "",
        f"base = {config.model.base_model!r}",
        f"tokenizer = AutoTokenizer.from_pretrained(base{revision})",
    ]
    if quantised:
        lines.append(f"quantised = {quantised}")
        revision += ", quantization_config=quantised"
    lines.append(f"model = AutoModelForCausalLM.from_pretrained(base{revision})")
    lines.append('model = PeftModel.from_pretrained(model, ".")  # this folder')
    return "\n".join(lines)


def _quantization(config: RunConfig, environment: dict[str, Any]) -> str:
    """The call that quantises as the run did; empty where nothing is quantised."""
    chosen, skipped = config.quantization, environment["quantization"]["skipped_modules"]
    if chosen.method == "none":
        return ""
    named: dict[str, Any] = {"load_in_8bit": True}
    if chosen.method != "int8":
        named = {
            "load_in_4bit": True,
            "bnb_4bit_quant_type": chosen.method,
            "bnb_4bit_use_double_quant": chosen.double_quant,
            "bnb_4bit_compute_dtype": environment["compute_dtype"],
        }
    named |= {"llm_int8_skip_modules": skipped} if skipped else {}
    arguments = "".join(f"    {name}={value!r},\n" for name, value in named.items())
    return f"BitsAndBytesConfig(\n{arguments})"
