"""How good an answer is, and how sure a difference between models. Pure."""
