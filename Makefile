# Two commands do everything on a fresh machine: `make demo` and `make test`.
PYTHON ?= $(shell command -v python3.11 >/dev/null 2>&1 && python3.11 -c '' 2>/dev/null && echo python3.11 || echo python3)
VENV   ?= .venv
BIN    := $(VENV)/bin
DEMO   ?= demo

.PHONY: demo test check bench photoreal browser lerobot rlds clean

$(BIN)/python:
	$(PYTHON) -c 'import sys; v = sys.version_info[:2]; sys.exit(0 if (3, 11) <= v < (3, 13) else f"Python 3.11 or 3.12 is needed, this is {v[0]}.{v[1]}: make PYTHON=python3.11 …")'
	$(PYTHON) -m venv $(VENV)

# One stamp per set of extras; a changed pyproject.toml installs again.
$(VENV)/.installed-%: pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[$*]'
	touch $@

demo: $(VENV)/.installed-cluster,viz
	$(BIN)/syngrasp generate demo --out $(DEMO)/dataset
	$(BIN)/syngrasp verify $(DEMO)/dataset
	$(BIN)/syngrasp stats $(DEMO)/dataset --plots $(DEMO)/plots
	$(BIN)/syngrasp show $(DEMO)/dataset --episode 0 --out $(DEMO)/episode0.png

test: $(VENV)/.installed-test
	$(BIN)/python -m pytest $(PYTEST_ARGS)

check: $(VENV)/.installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/pyright --pythonpath $(BIN)/python
	$(BIN)/python -m pytest -q tests/test_layering.py

bench: $(VENV)/.installed-dev
	$(BIN)/python -m tests.benchmarks

# LLVM for path tracing on CPUs, from the system's packages but unpacked beside Python: no root is needed.
photoreal: $(VENV)/.installed-photoreal
	@command -v apt-get >/dev/null && command -v dpkg >/dev/null || { echo "skipped: no apt-get here; install libLLVM >= 17 your system's way (without it the scalar variant runs)"; exit 0; }; \
	place=$$($(BIN)/python -c 'import sys; print(sys.prefix)')/lib/syngrasp-llvm; mkdir -p $$place/deb && cd $$place/deb && \
	apt-get download libllvm19 libz3-4 libedit2 libbsd0 libmd0 libxml2 && for deb in *.deb; do dpkg -x $$deb ..; done && rm -r ../deb
	$(BIN)/python -c 'from syngrasp.rendering.mitsuba.variant import start_mitsuba; print(start_mitsuba("auto", 1))'

# Chromium, in which the report page is tested; without it those tests are skipped.
browser:
	@command -v chromium >/dev/null || command -v google-chrome >/dev/null && exit 0; \
	if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then apt-get update -qq && apt-get install -y -qq --no-install-recommends chromium >/dev/null; \
	else echo "skipped: install Chromium your system's way (here neither root nor apt-get)"; fi

# Readers of other projects that tests of exports ask, each in an environment of its own beside the benchmarks' peers.
PEERS := $(or $(SYNGRASP_CACHE),$(or $(XDG_CACHE_HOME),$(HOME)/.cache)/syngrasp)/bench-envs
lerobot:
	$(PYTHON) -m venv $(PEERS)/lerobot && $(PEERS)/lerobot/bin/pip install --quiet 'lerobot==0.4.4'
rlds:
	$(PYTHON) -m venv $(PEERS)/rlds && $(PEERS)/rlds/bin/pip install --quiet 'tensorflow-cpu==2.21.*' 'tensorflow-datasets==4.9.*'

clean:
	rm -rf $(DEMO) build dist .pytest_cache .ruff_cache
