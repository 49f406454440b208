"""Which ops of TensorFlow its TFLite converter never takes.

The table `tflite_refused.txt` is made by `tools/make_tflite_converter_ops.py` by asking the converter.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

SELECT, NONE = "select", "none"


@cache
def refused() -> dict[str, str]:
    """Return op -> SELECT where TensorFlow's own kernel may stand in the file instead, NONE where nothing runs it."""
    text = Path(__file__).with_name("tflite_refused.txt").read_text("utf-8")
    found = (line.split(" ") for line in text.splitlines() if line and not line.startswith("#"))
    return {words[0]: words[1] for words in found}
