# Two commands that need nothing but Python and make: `make demo` and `make test`. `make check` lints and checks types.

PYTHON ?= $(firstword $(foreach name,python3 python3.13 python3.12 python3.11 python3.10,$(shell \
	$(name) -c 'import sys; sys.exit(not (3, 10) <= sys.version_info < (3, 14))' 2>/dev/null && echo $(name))))
BIN := .venv/bin
SOURCES := $(shell find graphsurgeon -type f ! -name '*.pyc')
PYTEST := TF_CPP_MIN_LOG_LEVEL=3 $(BIN)/python -m pytest -q -n 2 --durations=20
ORACLES := tensorflow or litert or onnx or fleet or processes or browser or corpus or distribution

.PHONY: demo test check bench oracles pictures clean python

demo: .venv-demo/ready
	tools/demo.sh .venv-demo/bin/gs

# The first run needs no TensorFlow and is quick; the second one starts many processes, has TensorFlow and LiteRT compute the right answers,
# and tries the corpus of models of others where it is there. Both run, also where the first one fails.
test: .venv/ready
	@status=0; \
	$(PYTEST) -m "not ($(ORACLES))" || status=$$?; \
	$(PYTEST) --dist loadfile -m "$(ORACLES)" || status=$$?; \
	exit $$status

check: .venv/ready
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

# Asks Keras 3 and Keras 2 anew which files of each other they load, as they are and mended; MXNet and OpenCV what
# layers of MXNet and Caffe yield; MediaPipe which models with metadata it takes.
oracles: .venv/ready .venv-keras-2/ready .venv-layers/ready .venv-mediapipe/ready
	TF_CPP_MIN_LOG_LEVEL=3 $(BIN)/python tools/keras_answers.py $(BIN)/python .venv-keras-2/bin/python
	.venv-layers/bin/python tools/mxnet_answers.py fixtures/mxnet/answers.npz
	.venv-layers/bin/python tools/caffe_answers.py fixtures/caffe/answers.npz
	$(BIN)/python tools/mediapipe_answers.py .venv-mediapipe/bin/python fixtures/mediapipe/answers.json

# The pictures of README and docs, drawn anew; that of the page by a Chromium, where there is one.
pictures: .venv/ready
	$(BIN)/python tools/pictures.py

# How fast it is, beside TensorFlow and beside what is wanted; on a quiet machine.
bench: .venv/ready
	$(BIN)/python benchmarks/budgets.py

clean:
	rm -rf .venv .venv-demo .venv-keras-2 .venv-layers .venv-mediapipe demo tutorial

python:
	@test -n "$(PYTHON)" || { echo "no Python 3.10 to 3.13 found; call make PYTHON=/path/to/python3" >&2; exit 1; }

# What users get: an ordinary install, anew whenever a source has changed.
.venv-demo/ready: pyproject.toml README.md $(SOURCES) | python
	test -x .venv-demo/bin/python || $(PYTHON) -m venv .venv-demo
	.venv-demo/bin/python -m pip install --quiet --disable-pip-version-check --force-reinstall --no-deps .
	.venv-demo/bin/python -m pip install --quiet --disable-pip-version-check .
	touch $@

# What developers get: an editable install, so only a change of the requirements makes it anew.
.venv/ready: pyproject.toml | python
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]'
	touch $@

# tf_keras is Keras 2 as it went on after Keras 3; its version is the one of the TensorFlow it is for.
.venv-layers/ready: | python
	test -x .venv-layers/bin/python || $(PYTHON) -m venv .venv-layers
	.venv-layers/bin/python -m pip install --quiet --disable-pip-version-check \
		mxnet==1.9.1 numpy==1.23.5 opencv-python-headless==4.8.1.78
	touch $@

.venv-mediapipe/ready: | python
	test -x .venv-mediapipe/bin/python || $(PYTHON) -m venv .venv-mediapipe
	.venv-mediapipe/bin/python -m pip install --quiet --disable-pip-version-check 'mediapipe==1.2.*'
	touch $@

.venv-keras-2/ready: | python
	test -x .venv-keras-2/bin/python || $(PYTHON) -m venv .venv-keras-2
	.venv-keras-2/bin/python -m pip install --quiet --disable-pip-version-check 'tf_keras==2.21.*' h5py
	touch $@
