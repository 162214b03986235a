"""The plain way to evaluate: full logits, `generate` at batch 8 on the model as it is, the public scorers."""

import math
from collections.abc import Iterator, Sequence
from typing import Any

import torch
from transformers import DataCollatorForSeq2Seq

Json = dict[str, Any]
BATCH = 8


def evaluate(model: Any, tokenizer: Any, data: Json, max_new_tokens: int) -> Json:
    """Perplexity of the held-out answers, BLEU and ROUGE-L of generated ones."""
    model.eval()
    answers = generated(model, tokenizer, data["questions"], max_new_tokens)
    return {"perplexity": perplexity(model, tokenizer, data["held_out"]), **scores(answers, data["references"])}


def _batches(rows: Sequence[Any]) -> Iterator[Sequence[Any]]:
    for start in range(0, len(rows), BATCH):
        yield rows[start : start + BATCH]


@torch.no_grad()
def perplexity(model: Any, tokenizer: Any, rows: Sequence[Json]) -> float:
    total, count = 0.0, 0
    collate = DataCollatorForSeq2Seq(tokenizer)
    for some in _batches(rows):
        batch = collate(list(some)).to(model.device)
        labels = batch.pop("labels")[:, 1:]
        logits = model(**batch).logits[:, :-1].float()
        total += float(torch.nn.functional.cross_entropy(logits.flatten(0, 1), labels.flatten(), reduction="sum"))
        count += int((labels != -100).sum())
    return math.exp(total / count)


@torch.no_grad()
def generated(model: Any, tokenizer: Any, questions: Sequence[list[int]], max_new_tokens: int) -> list[str]:
    """Greedy answers, in the order of the rows."""
    tokenizer.padding_side = "left"
    answers: list[str] = []
    for some in _batches(questions):
        batch = tokenizer.pad({"input_ids": list(some)}, return_tensors="pt").to(model.device)
        out = model.generate(
            **batch, max_new_tokens=max_new_tokens, do_sample=False, pad_token_id=tokenizer.pad_token_id
        )
        answers += tokenizer.batch_decode(out[:, batch["input_ids"].shape[1] :], skip_special_tokens=True)
    tokenizer.padding_side = "right"
    return [text.strip() for text in answers]


def scores(answers: Sequence[str], references: Sequence[str]) -> Json:
    from rouge_score.rouge_scorer import RougeScorer
    from sacrebleu.metrics import BLEU

    scorer = RougeScorer(["rougeL"])
    rouge = [scorer.score(r, a)["rougeL"].fmeasure for a, r in zip(answers, references, strict=True)]
    return {
        "bleu": BLEU().corpus_score(list(answers), [list(references)]).score / 100,
        "rouge_l": sum(rouge) / len(rouge),
    }
