"""Filters made at random: all of them mean something, whatever they find."""

import random

SIGNS = ("=", "!=", "<", "<=", ">", ">=")
NUMBERS = ("lora.r", "perplexity", "bleu:best", "data.max_train_rows", "train_seconds", "id")
TEXTS = ("name", "notes", "experiment", "quantization.method", "device")
LISTS = ("tags", "lora.target_modules")
FLAGS = ("lora.use_dora", "lora.use_rslora")


def made(chance: random.Random, depth: int = 3) -> str:
    if depth and chance.random() < 0.6:
        parts = [made(chance, depth - 1) for _ in range(chance.randint(1, 3))]
        joined = chance.choice((" and ", " or ", " ")).join(parts)
        return f"{chance.choice(('', 'not '))}({joined})"
    return chance.choice((number, number, text, listed, flag, word))(chance)


def number(chance: random.Random) -> str:
    name = chance.choice(NUMBERS)
    some = [chance.choice(("4", "8", "16", "1e1", "0.4", "11.5", "60", "100")) for _ in range(2)]
    if chance.random() < 0.2:
        return f"{name} {chance.choice(('in', 'not in'))} ({', '.join(some)}, null)"
    if chance.random() < 0.1:
        return f"{name} {chance.choice(('=', '!='))} null"
    return f"{name} {chance.choice(SIGNS)} {some[0]}"


def text(chance: random.Random) -> str:
    value = chance.choice(('"run 3"', "study", "GPU", "nf4", "keep", '"50%"', "null"))
    sign = chance.choice(("=", "!=", "=") if value == "null" else ("=", "!=", "~"))
    return f"{chance.choice(TEXTS)} {sign} {value}"


def listed(chance: random.Random) -> str:
    name, value = chance.choice(LISTS), chance.choice(("keep", "q_proj", '"all-linear"', "null", "K"))
    if chance.random() < 0.3:
        return f"{name} {chance.choice(('in', 'not in'))} ({value}, odd)"
    return f"{name} {chance.choice(('=', '!=') if value == 'null' else ('=', '!=', '~'))} {value}"


def flag(chance: random.Random) -> str:
    return f"{chance.choice(FLAGS)} {chance.choice(('=', '!='))} {chance.choice(('true', 'false', 'null'))}"


def word(chance: random.Random) -> str:
    return chance.choice(("run", "3", "KEEP", "study", "%", "best", "nothing"))
