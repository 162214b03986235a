"""The sections of a run's configuration: each setting with its default, its limits and what people see of it.

`label`, `unit` and `common` beside a field are for people: the form, the tables and `GET /config/schema` read them from
here. Where nothing else is said, sizes are in tokens or rows.
"""

from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

QuantizationMethod = Literal["nf4", "fp4", "int8", "none"]
ComputeDtype = Literal["auto", "float32", "bfloat16", "float16"]
Optimizer = Literal[
    "adamw_torch",
    "adamw_torch_fused",
    "adam",
    "adamw_bnb_8bit",
    "paged_adamw_32bit",
    "paged_adamw_8bit",
    "adafactor",
    "sgd",
    "rmsprop",
    "lion_8bit",
]
Schedule = Literal[
    "cosine",
    "linear",
    "constant",
    "constant_with_warmup",
    "polynomial",
    "cosine_with_restarts",
    "inverse_sqrt",
]

# No training has more rows or steps, and sums of such numbers stay finite.
MOST = 1_000_000_000


def setting(default: Any, label: str, help: str, *, unit: str = "", common: bool = False, **limits: Any) -> Any:
    """A field with what people see of it."""
    extra: dict[str, Any] = {"label": label, "unit": unit, "common": common}
    return Field(default, description=help, json_schema_extra=extra, **limits)


class Section(BaseModel):
    # Infinity would pass a lower limit, and JSON cannot carry it.
    model_config = ConfigDict(frozen=True, extra="forbid", protected_namespaces=(), allow_inf_nan=False)


class ModelConfig(Section):
    base_model: str = setting(
        ...,
        "Base model",
        "A hub id, a folder under an allowed model folder, or sample/... for the bundled one.",
        common=True,
        min_length=1,
        max_length=500,
    )
    revision: str | None = setting(
        None, "Revision", "Branch, tag or commit of a hub model; empty: main.", max_length=200
    )


class QuantizationConfig(Section):
    method: QuantizationMethod = setting(
        "nf4",
        "Quantisation",
        "How the frozen base is stored: nf4 and fp4 take 4 bits a weight, int8 takes 8, none keeps it whole.",
        common=True,
    )
    double_quant: bool = setting(
        True, "Double quantisation", "Quantise the block scales too (4-bit only): saves 0.4 bits a weight."
    )
    compute_dtype: ComputeDtype = setting(
        "auto", "Compute type", "auto: bfloat16 on a GPU (float16 where it has none), float32 on CPU."
    )


class LoraConfig(Section):
    r: int = setting(8, "LoRA r", "Rank of the adapter: its capacity, and its size.", common=True, ge=1, le=1024)
    lora_alpha: int = setting(
        16,
        "LoRA alpha",
        "The adapter is scaled by alpha / r; twice the rank is usual.",
        common=True,
        ge=1,
        le=4096,
    )
    lora_dropout: float = setting(0.05, "LoRA dropout", "Share of adapter inputs dropped in training.", ge=0, lt=1)
    target_modules: str | list[str] = setting(
        "all-linear",
        "Target modules",
        "all-linear, or the names of the layers to adapt (q_proj, v_proj, ...).",
        min_length=1,
    )
    bias: Literal["none", "all", "lora_only"] = setting("none", "Bias", "Which biases are trained as well.")
    use_rslora: bool = setting(False, "rsLoRA", "Scale by alpha / sqrt(r) instead: steadier at high rank.")
    use_dora: bool = setting(False, "DoRA", "Train magnitude and direction apart: slower, often a little better.")
    fused: bool = setting(
        True,
        "Fused adapter",
        "Layer and adapter in fewer operations, same result; off: as peft computes them.",
    )

    @model_validator(mode="after")
    def _target_modules(self) -> Self:
        if isinstance(self.target_modules, str) and self.target_modules != "all-linear":
            raise ValueError("target_modules: give all-linear or a list of layer names")
        if not all(isinstance(name, str) and name.strip() for name in self.target_modules):
            raise ValueError("target_modules: a layer name is empty")
        return self


class DataConfig(Section):
    dataset: int = setting(..., "Data set", "The data set to train and evaluate on.", common=True, ge=1, le=2**63 - 1)
    eval_fraction: float = setting(
        0.1, "Held-out share", "Share of the rows kept from training, for the results.", gt=0, lt=1
    )
    validation_fraction: float = setting(
        0.0,
        "Validation share",
        "Share of the training rows kept for choosing (early stop, best checkpoint); never reported.",
        ge=0,
        lt=1,
    )
    split_seed: int = setting(
        42, "Split seed", "Another seed holds out other rows: results do not compare.", ge=0, le=2**31 - 1
    )
    max_train_rows: int | None = setting(
        None,
        "Training rows",
        "Train on the first n training rows; empty: all.",
        unit="rows",
        common=True,
        ge=1,
        le=MOST,
    )
    max_length: int = setting(
        512,
        "Max length",
        "Longer rows are shortened: first the prompt, then the response.",
        unit="tokens",
        common=True,
        ge=16,
        le=131_072,
    )
    prompt_template: str = setting(
        "auto",
        "Prompt template",
        "auto, chat, plain, or a Jinja text over instruction and input.",
        min_length=1,
        max_length=20_000,
    )
    allow_leakage: bool = setting(
        False, "Allow leakage", "Run even where the same response stands on both sides of the split."
    )


class TrainingConfig(Section):
    learning_rate: float = setting(
        2e-4, "Learning rate", "Peak learning rate of the schedule.", common=True, gt=0, le=1
    )
    per_device_train_batch_size: int = setting(
        4, "Batch size", "Rows in one forward pass.", unit="rows", common=True, ge=1, le=1024
    )
    gradient_accumulation_steps: int = setting(
        4,
        "Accumulation",
        "Forward passes in one optimizer step; times the batch size it is the effective batch size.",
        common=True,
        ge=1,
        le=1024,
    )
    auto_find_batch_size: bool = setting(
        True, "Halve on full memory", "Out of memory: once more with half the batch and twice the accumulation."
    )
    num_train_epochs: float = setting(3.0, "Epochs", "Passes over the training rows.", common=True, gt=0, le=1000)
    max_steps: int | None = setting(
        None, "Max steps", "Optimizer steps; given, it wins over epochs.", unit="steps", ge=1, le=MOST
    )
    optim: Optimizer = setting("adamw_torch", "Optimizer", "adam equals adamw_torch where weight decay is 0.")
    lr_scheduler_type: Schedule = setting("cosine", "Schedule", "How the learning rate falls.")
    warmup_steps: float = setting(
        0.03, "Warm-up", "Steps to the peak learning rate; below 1 a share of all steps.", ge=0, le=MOST
    )
    weight_decay: float = setting(0.0, "Weight decay", "Decoupled weight decay of the adapter.", ge=0, le=1)
    max_grad_norm: float = setting(1.0, "Gradient clip", "Largest gradient norm; 0: no clipping.", ge=0, le=MOST)
    gradient_checkpointing: Literal["auto"] | bool = setting(
        "auto", "Gradient checkpointing", "Recompute activations: less memory, a third slower."
    )
    max_tokens_per_step: int | None = setting(
        None,
        "Tokens a step",
        "Most tokens in an optimizer step, in as many passes as accumulation says; given, it wins over batch size.",
        unit="tokens",
        ge=16,
        le=MOST,
    )
    packing: Literal["auto"] | bool = setting(
        "auto",
        "Packing",
        "Join the rows of a batch instead of padding them; auto: where the base model then computes the same.",
    )
    train_sampling_strategy: Literal["group_by_length", "random"] = setting(
        "group_by_length", "Sampling", "Batches of rows of like length, or of any: less padding, or the plain way."
    )
    logits: Literal["scored", "all"] = setting(
        "scored", "Logits", "Computed of the tokens that the loss counts, or of all: the plain way."
    )
    torch_compile: bool = setting(
        False, "Compile", "Let torch.compile fuse the model's operations: minutes at first, faster steps then."
    )
    use_liger_kernel: bool = setting(
        False, "Liger kernels", "Fused kernels for the architectures that they know; GPU only."
    )
    logging_steps: int | None = setting(
        None,
        "Log every",
        "Steps between two looks at loss and gradient norm; empty: each on CPU, every eighth on a GPU.",
        unit="steps",
        ge=1,
        le=1000,
    )
    seed: int = setting(42, "Seed", "Of weights, order and dropout.", common=True, ge=0, le=2**31 - 1)
    eval_steps: int | None = setting(
        None, "Evaluate every", "Steps between held-out losses; empty: once an epoch.", unit="steps", ge=1, le=MOST
    )
    save_steps: int | None = setting(
        None,
        "Save every",
        "Steps between checkpoints; empty: once a minute and once an epoch, which both hold anyway.",
        unit="steps",
        ge=1,
        le=MOST,
    )
    early_stopping_patience: int | None = setting(
        None, "Early stopping", "Stop after this many evaluations without a better validation loss.", ge=1, le=MOST
    )
    load_best_model_at_end: bool = setting(
        False, "Keep the best", "Keep the checkpoint with the best validation loss instead of the last."
    )

    @property
    def effective_batch_size(self) -> int | None:
        """Rows in an optimizer step; None where its size is given in tokens."""
        if self.max_tokens_per_step is not None:
            return None
        return self.per_device_train_batch_size * self.gradient_accumulation_steps

    @property
    def max_tokens_per_pass(self) -> int | None:
        """None where a pass has a number of rows."""
        return self.max_tokens_per_step and self.max_tokens_per_step // self.gradient_accumulation_steps


class EvaluationConfig(Section):
    max_eval_rows: int = setting(
        250, "Held-out rows", "Measure on the first n held-out rows.", unit="rows", ge=1, le=100_000
    )
    max_new_tokens: int = setting(128, "New tokens", "Longest generated answer.", unit="tokens", ge=1, le=8192)
    generation: Literal["fast", "plain"] = setting(
        "fast",
        "Generation",
        "fast: from a dequantised copy, which finished rows leave; plain: by transformers, from the model itself.",
    )
