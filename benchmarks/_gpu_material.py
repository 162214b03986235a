"""What a GPU is measured with, made on the spot: TinyLlama-1.1B's shape at random weights, and synthetic pairs."""

import json
import random
from pathlib import Path

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

TINYLLAMA = {
    "hidden_size": 2048, "intermediate_size": 5632, "num_hidden_layers": 22, "num_attention_heads": 32,
    "num_key_value_heads": 4, "max_position_embeddings": 2048, "vocab_size": 32_000,
}  # fmt: skip
TINY = TINYLLAMA | {
    "hidden_size": 64, "intermediate_size": 128, "num_hidden_layers": 2, "num_attention_heads": 4, "vocab_size": 1024,
}  # fmt: skip
WORDS = [a + b + c for a in "bdfgklmnprst" for b in "aeiou" for c in "lnrst"]


def make_model(folder: Path, *, tiny: bool) -> None:
    torch.manual_seed(0)
    with torch.device("cuda" if torch.cuda.is_available() else "cpu"):
        config = LlamaConfig(**(TINY if tiny else TINYLLAMA), bos_token_id=0, eos_token_id=1)
        model = LlamaForCausalLM(config).to(torch.bfloat16)
    model.save_pretrained(folder)
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(vocab_size=800, special_tokens=["<s>", "</s>"], initial_alphabet=alphabet)
    tokenizer.train_from_iterator([" ".join(WORDS)], trainer)
    PreTrainedTokenizerFast(tokenizer_object=tokenizer, bos_token="<s>", eos_token="</s>").save_pretrained(folder)


def make_rows(path: Path, count: int = 2500) -> None:
    """About as long as questions and answers for patients are: 220 tokens in the mean, some of 512 and more."""
    draw = random.Random(0)

    def words(mean: float) -> str:
        return " ".join(draw.choices(WORDS, k=max(4, min(430, round(draw.lognormvariate(0, 0.6) * mean)))))

    pairs = [{"instruction": f"{i} {words(20)}?", "input": "", "response": f"{words(152)}."} for i in range(count)]
    path.write_text("".join(json.dumps(pair) + "\n" for pair in pairs))
