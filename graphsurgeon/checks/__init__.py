"""Whether a model is sound, `gs check`: rules by family; `check.check` runs them all."""
