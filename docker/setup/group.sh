#!/usr/bin/env bash
# Installs one dependency group from its hashed lock into the environment and leaves a stamp.
# Usage: group.sh VENV GROUP      (GROUP: core, score, train, gradients, dev, docs)
#        group.sh VENV --stale    names the groups that were installed from another lock, and does nothing
set -euo pipefail
venv=$1 group=$2
cd "$(dirname "$0")/../.."
# What the locks of a group say.
said() {
    if [ "$1" = train ]; then set -- train torch-cpu torch-cuda; fi
    for name; do cat "docker/locks/$name.txt"; done | sha256sum | cut -d' ' -f1
}
if [ "$group" = --stale ]; then
    for name in core score train gradients dev docs; do
        if [ -f "$venv/.$name" ] && [ "$(cat "$venv/.$name")" != "$(said "$name")" ]; then echo "$name"; fi
    done
    exit
fi
stamp="$venv/.$group" lock="docker/locks/$group.txt" made=$(said "$group")
pip=("$venv/bin/python" -m pip --disable-pip-version-check --quiet)
other=
if [ "$group" = train ] && [ -n "${MTPEFT_TORCH:-}" ]; then
    other=$([ "$(bash docker/setup/torch.sh "$venv" --installed)" = "$MTPEFT_TORCH" ] || echo yes)
fi
# What the lock says decides, not its date: in a fresh clone every file is newer than the stamp.
if [ ! -f "$stamp" ] || [ "$(cat "$stamp")" != "$made" ] || [ -n "$other" ]; then
    echo "mtpeft: installing group '$group' from $lock"
    rm -f "$stamp"  # an installation that is cut off is none, and not the one before it either
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
