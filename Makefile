# One command each. tools/environment.py installs everything into .build/. Only Python and make are needed beforehand.
PYTHON ?= python3
ENVIRONMENT = $(PYTHON) tools/environment.py
DEV = .build/venvs/dev
FLOOR = .build/venvs/floor
RUN_DEV = PATH="$(CURDIR)/$(DEV)/bin:$$PATH" ANSIBLE_COLLECTIONS_PATH="$(CURDIR)/$(DEV)/collections" \
	MYPYPATH="$(CURDIR)/$(DEV)/collections"
MAIN_JOB = tests/integration/test_every_core.py tests/integration/test_role.py tests/integration/test_token.py

.PHONY: help demo test test-floor test-without-speed matrix lint format sanity molecule enforcement clients \
	bench mutants docs changelog build pins pre-commit clean

help: ## show this
	@grep -E '^[a-z-]+:.*##' Makefile | sed 's/:.*## /\t/' | expand -t 14

demo: ## the main job on an embedded AWS, from provisioning to a token in use, and the drill: an exposed key is revoked
	@home=$$($(ENVIRONMENT) ministack demo) && export ANSIBLE_COLLECTIONS_PATH="$$home/collections" && \
	"$$home/bin/python" demo/demo.py && "$$home/bin/python" demo/drill.py

test: dev ## unit and integration tests on the newest ansible-core
	$(RUN_DEV) pytest -n 2 --dist loadfile --cov=plugins --cov-report= tests/unit tests/integration tests/browser
	$(RUN_DEV) coverage report --include='plugins/module_utils/_domain/*' --fail-under=100

test-floor: ## unit tests and the main job on the oldest ansible-core and Python
	@$(ENVIRONMENT) floor awscli >/dev/null
	PATH="$(CURDIR)/$(FLOOR)/bin:$$PATH" pytest -n 2 --dist loadfile tests/unit $(MAIN_JOB)

test-without-speed: dev ## the same tests without plugins/plugin_utils/_speed.py, which may change only the time
	$(RUN_DEV) python tools/without_speed.py

enforcement: dev ## tests on emulators that enforce policies: allow and deny, faults, races, secrets
	@$(ENVIRONMENT) parliament dev >/dev/null
	$(RUN_DEV) pytest tests/enforcement -m "not clients"

# Slow, and of interest only to who changes policies, bundles or the pins of these clients: .ci/run leaves it out.
clients: dev ## AWS CLI, s3fs, rasterio, rclone and others, and every README, on that server, for each kind of token
	@$(ENVIRONMENT) awscli clients dev >/dev/null
	$(RUN_DEV) pytest tests/enforcement -m clients

lint: dev ## formatting, types, YAML, Ansible's best practices, documentation
	$(RUN_DEV) ruff format --check .
	$(RUN_DEV) ruff check .
	$(RUN_DEV) mypy -p ansible_collections.mdps.venue_sts.plugins
	MYPYPATH="$(CURDIR)/tools" $(DEV)/bin/mypy tools
	MYPYPATH="$(CURDIR)/demo" $(DEV)/bin/mypy demo/demo.py demo/drill.py
	$(RUN_DEV) pytest --collect-only -qq tests # also those that only other targets run: a renamed module is noticed here
	$(RUN_DEV) yamllint --strict .
	$(RUN_DEV) codespell .
	$(RUN_DEV) python tools/plain_english.py
	$(RUN_DEV) python tools/role_specs.py --check
	$(RUN_DEV) python tools/awx_surveys.py --check
	$(RUN_DEV) ansible-lint --offline --profile production --strict
	$(RUN_DEV) antsibull-changelog lint
	$(RUN_DEV) antsibull-docs lint-collection-docs --plugin-docs --validate-collection-refs all \
		--disallow-unknown-collection-refs .
	$(RUN_DEV) reuse lint --quiet

format: dev ## fix what can be fixed automatically
	$(RUN_DEV) ruff format .
	$(RUN_DEV) ruff check --fix .
	$(RUN_DEV) python tools/role_specs.py
	$(RUN_DEV) python tools/awx_surveys.py

sanity: dev ## ansible-test sanity, without an ignore file
	$(RUN_DEV) python tools/sanity.py

bench: dev ## compare the speed with amazon.aws, the AWS CLI and boto3; BENCH=--full for the long run
	$(RUN_DEV) python tests/bench/bench.py $(BENCH)

mutants: dev ## change the code in one place at a time, and see whether a test fails
	$(RUN_DEV) python tools/mutants.py

molecule: dev ## the scenario `default`: create, idempotence, verify, destroy
	$(RUN_DEV) python tools/molecule.py

.PHONY: dev
dev:
	@$(ENVIRONMENT) awscli ministack dev >/dev/null

# ROWS='dev floor' runs some rows only.
matrix: ## unit tests, the main job and sanity on every supported core, Python, amazon.aws and boto3, and on devel
	@$(PYTHON) tools/matrix.py $(ROWS)

changelog: dev ## for a release: the fragments of changelogs/fragments become CHANGELOG.md
	$(RUN_DEV) python tools/role_specs.py
	$(RUN_DEV) antsibull-changelog release

build: dev ## the tarball for ansible-galaxy, its bill of materials and checksums, in dist/
	@$(RUN_DEV) python tools/build.py

docs: ## all pages and the reference of modules and roles as a site in dist/docs, links checked
	@home=$$($(ENVIRONMENT) docs) && "$$home/bin/python" tools/docs.py

pre-commit: dev ## install the hooks: quick checks before each commit, `lint` before each push; then run both
	$(RUN_DEV) pre-commit install
	$(RUN_DEV) pre-commit run --all-files
	$(RUN_DEV) pre-commit run --all-files --hook-stage pre-push

pins: ## refresh the pinned requirements
	@$(ENVIRONMENT) --pin demo dev docs floor ministack awscli clients galaxy-importer parliament

clean: ## remove everything that was installed or built
	rm -rf .build dist
