"""What the API answers of a run that is not launched yet: what it will take, and how far that can be trusted."""

from pydantic import Field

from app.web.api.shapes import Shape


class ForecastError(Shape):
    """How far forecasts of earlier runs on this hardware were off, as shares of what was measured."""

    runs: int
    middle: float
    most: float


class MemoryForecast(Shape):
    bytes: int = Field(description="At the peak of training.")
    parts: dict[str, int] = Field(description="By what takes them: weights, adapter, activations, logits, other.")
    device_bytes: int | None = Field(description="What the device has; null: no worker tells.")
    fits: str | None = Field(description="`yes`, `tight` (above 90 % of the device) or `no`.")
    recompute: bool = Field(description="Whether activations are computed again in the backward pass.")
    basis: str
    error: ForecastError | None = Field(description="null: no forecast has been held against a measurement yet.")


class TimeForecast(Shape):
    seconds: float = Field(description="From start to end, loading and evaluation included.")
    basis: str
    error: ForecastError | None


class Estimate(Shape):
    device: str | None = Field(description="What the next run will be computed on.")
    memory: MemoryForecast | None
    time: TimeForecast | None
