"""The bundled sample: a tiny base model and question-answer pairs to try a run with."""
