#!/usr/bin/env bash
# Installs one dependency group from its hashed lock into the environment and leaves a stamp.
# Usage: group.sh VENV GROUP    (GROUP: core, score, train, dev)
set -euo pipefail
venv=$1 group=$2
cd "$(dirname "$0")/../.."
echo "mtpeft: installing group '$group' from docker/locks/$group.txt"
pip=("$venv/bin/python" -m pip --disable-pip-version-check --quiet)
if [ "$group" = train ]; then
    # torch first: its build is chosen by the machine, and the rest then finds it in place.
    bash docker/setup/torch.sh "$venv"
fi
"${pip[@]}" install --require-hashes -r "docker/locks/$group.txt"
# The package itself is used in place, so that what is edited is what runs.
"$venv/bin/python" - "$PWD/code" <<'PY'
import pathlib, sys, sysconfig
pathlib.Path(sysconfig.get_path("purelib"), "mtpeft-in-place.pth").write_text(sys.argv[1] + "\n")
PY
printf '#!/bin/sh\nexec "%s" -m mtpeft "$@"\n' "$(cd "$venv" && pwd)/bin/python" >"$venv/bin/mtpeft"
chmod +x "$venv/bin/mtpeft"
touch "$venv/.$group"
