# make demo   build, and show everything on this machine (a window with a display, a played story without)
# make test   everything that proves it: format, clippy, unit, simulation, real peers, window
# make soak   kill the server 50 times under load: nothing acknowledged is lost; half a million spoilt messages
# make quality  speech through our own calls over a bad network, scored by PESQ
# make bench  speed and size beside Debian's baresip and Kamailio

CARGO ?= cargo
TARGET = $(or $(CARGO_TARGET_DIR),target)

.PHONY: demo build test soak quality bench build-packages window-packages test-packages nextest schemathesis

demo: build
	$(TARGET)/release/tms demo

build: build-packages window-packages
	$(CARGO) build --release --locked --bins

test: build-packages window-packages test-packages nextest schemathesis
	$(CARGO) fmt --check
	$(CARGO) clippy --locked --all-targets -- -D warnings
	.ci/with-postgres $(CARGO) nextest run --locked --no-fail-fast --lib server::
	$(CARGO) nextest run --locked --no-fail-fast

soak: build-packages test-packages nextest
	AM_FUZZ_TIMES=50 $(CARGO) nextest run --locked --profile soak --lib --test libsrtp properties libsrtp_
	AM_FUZZ_TIMES=50 $(CARGO) nextest run --locked --profile soak --test media_engine hostile longest
	AM_FUZZ_TIMES=288 $(CARGO) nextest run --locked --profile soak --test media_engine callbacks
	TMS_SOAK_ROUNDS=50 $(CARGO) nextest run --locked --profile soak --no-capture --test tms_serve kill::

bench: build-packages window-packages test-packages
	failed=; for bench in softphone sip_messages signalling registrar portal; do \
		$(CARGO) bench --locked --bench $$bench || failed="$$failed $$bench"; \
	done; [ -z "$$failed" ] || { echo "Goals were missed:$$failed" >&2; exit 1; }

quality: build test-packages
	@python3 -m venv $(TARGET)/quality && $(TARGET)/quality/bin/pip -q install numpy pesq matplotlib
	$(TARGET)/quality/bin/python tests/quality/quality.py $(TARGET)/release/agent-manager --docs docs

build-packages:
	@sh .ci/packages build

window-packages:
	@sh .ci/packages window

test-packages:
	@sh .ci/packages test

# Two cores build cargo-nextest in a few minutes; it is there already on most developers' machines.
nextest:
	@$(CARGO) nextest --version >/dev/null 2>&1 || $(CARGO) install --locked cargo-nextest

# Makes requests of every kind from the REST API's document.
SCHEMATHESIS = schemathesis-$(shell cat tests/tms_serve/schemathesis.version)
schemathesis:
	@test -x $(TARGET)/$(SCHEMATHESIS)/bin/schemathesis || { \
	  echo "Installing $(SCHEMATHESIS) from PyPI into $(TARGET)/$(SCHEMATHESIS)"; \
	  python3 -m venv $(TARGET)/$(SCHEMATHESIS) && \
	  $(TARGET)/$(SCHEMATHESIS)/bin/pip install -q --disable-pip-version-check $(subst -,==,$(SCHEMATHESIS)); }
