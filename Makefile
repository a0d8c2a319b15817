.PHONY: help demo test lint types docs dist bench bench-quick bench-check bench-environment environment programs clean distclean

# As modules: a script in .venv/bin starts with the path of its interpreter, which may be too long for the system.
RUN = .venv/bin/python -m
# An environment of its own, so that the one for development need not change for it.
STORED = benchmarks/stored.json
BENCH = .venv-bench/bin/python -m benchmarks.bench

help: ## Say what each target does
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1|\2/p' Makefile | while IFS='|' read -r target text; do \
		printf '%-20s %s\n' "$$target" "$$text"; done

demo: environment ## Show a server and a client that accept each other, and one refusal
	@sh scripts/demo.sh

test: programs environment ## Check everything: lint, types, documentation, changelog, tests
	@sh .ci/check

lint: environment ## Check style and formatting, of code and of pages
	@$(RUN) ruff check .
	@$(RUN) ruff format --check .
	@$(RUN) doc8 -q README.rst docs examples

types: environment ## Check types
	@$(RUN) mypy

docs: environment ## Build the documentation in docs/_build/html
	@$(RUN) sphinx -W -n -q --keep-going -b html docs docs/_build/html

dist: environment ## Build the source distribution and the wheel of the last commit in dist/, the same bytes each time
	@.venv/bin/python scripts/distribution.py

links: environment ## Look up every address that the documentation names; needs the network
	@$(RUN) sphinx -q -b linkcheck docs docs/_build/links

bench: bench-environment ## Measure what tlscomm costs next to others, in ten minutes
	@$(BENCH) --json benchmarks/latest.json

bench-quick: bench-environment ## Measure the same in a minute, less well
	@$(BENCH) --quick

bench-check: bench-environment ## Name what became slower than in the stored run, STORED=FILE for another
	@$(BENCH) --contestant tlscomm --contestant Twisted --check $(STORED)

bench-environment:
	@VENV=.venv-bench EXTRAS=bench sh scripts/environment.sh

environment: ## Make .venv, or bring it up to date
	@sh scripts/environment.sh

programs:
	@sh .ci/programs openssl gnutls-bin nginx-light libnginx-mod-stream haproxy stunnel4 tshark tcpdump chromium \
	    prometheus systemd postgresql redis-server curl

clean: ## Remove what was built, and caches
	rm -rf build dist *.egg-info docs/_build _trial_temp* .hypothesis .mypy_cache .pytest_cache .ruff_cache
	rm -f twisted/plugins/dropin.cache
	find . -name .git -prune -o -name ".venv*" -prune -o -name __pycache__ -type d -exec rm -rf {} +

distclean: clean ## Remove .venv as well; the next run needs the network
	rm -rf .venv .venv-*
