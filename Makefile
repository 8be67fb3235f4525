# make demo   animate the shipped sample person; prints where the video is
# make test   run the tests
# Both work on a fresh machine: they make .venv and install everything into it.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
READY  := $(VENV)/.ready
OUT    ?= out

.PHONY: install demo test e2e test-all lint types imports check docs wheel clean

install: $(READY)

$(READY): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo "bdmm needs Python 3.11 or later; name one with: make PYTHON=python3.13 ..."; exit 2; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet -c constraints.txt torch==$$(sed -n 's/^torch==//p' constraints.txt)
	$(BIN)/python -m pip install --quiet -c constraints.txt -e '.[dev]'
	@touch $(READY)

demo: $(READY)
	@mkdir -p $(OUT)
	$(BIN)/bdmm animate src/bdmm/assets/samples/person.jpg --motion dance -o $(OUT)/demo.mp4 --sheet $(OUT)/demo.png

test: $(READY)
	$(BIN)/python -m pytest -q -n 2

# From no data at all to a video by weights that were trained on the way.
e2e: $(READY)
	$(BIN)/python -m pytest -q -m slow tests/cli/test_end_to_end.py

test-all: $(READY)
	$(BIN)/python -m pytest -q -m "not gpu"

lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(READY)
	$(BIN)/pyright

imports: $(READY)
	$(BIN)/lint-imports

# The documentation as a site in out/docs; broken links and other warnings fail.
docs: $(READY)
	$(BIN)/zensical build --strict --clean -f mkdocs.yml

# A wheel in dist/, installed into an environment of its declared dependencies alone, and run.
wheel: $(READY)
	$(BIN)/python tools/check_wheel.py

check: lint types imports test

clean:
	rm -rf $(VENV) $(OUT) build dist src/*.egg-info
