#!/usr/bin/env bash
# Installs one dependency group from its hashed lock into the environment and leaves a stamp.
# Usage: group.sh VENV GROUP    (GROUP: core, score, train, gradients, dev, docs)
set -euo pipefail
venv=$1 group=$2
cd "$(dirname "$0")/../.."
stamp="$venv/.$group" lock="docker/locks/$group.txt"
made=$(cat "$lock" docker/setup/group.sh | sha256sum | cut -d' ' -f1)
pip=("$venv/bin/python" -m pip --disable-pip-version-check --quiet)
other=
if [ "$group" = train ] && [ -n "${MTPEFT_TORCH:-}" ]; then
    other=$([ "$(bash docker/setup/torch.sh "$venv" --installed)" = "$MTPEFT_TORCH" ] || echo yes)
fi
# What the lock says decides, not its date: in a fresh clone every file is newer than the stamp.
if [ ! -f "$stamp" ] || [ "$(cat "$stamp")" != "$made" ] || [ -n "$other" ]; then
    echo "mtpeft: installing group '$group' from $lock"
    if [ "$group" = train ]; then
        # torch first: its build is chosen by the machine, and the rest then finds it in place.
        bash docker/setup/torch.sh "$venv"
    fi
    "${pip[@]}" install --require-hashes -r "$lock"
fi
# The package itself is used in place, so that what is edited is what runs.
"$venv/bin/python" - "$PWD/code" <<'PY'
import pathlib, sys, sysconfig
pathlib.Path(sysconfig.get_path("purelib"), "mtpeft-in-place.pth").write_text(sys.argv[1] + "\n")
PY
printf '#!/bin/sh\nexec "%s" -m mtpeft "$@"\n' "$(cd "$venv" && pwd)/bin/python" >"$venv/bin/mtpeft"
chmod +x "$venv/bin/mtpeft"
printf '%s\n' "$made" >"$stamp"
