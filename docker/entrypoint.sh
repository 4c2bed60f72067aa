#!/usr/bin/env bash
# Entry point of the images: checks what would otherwise fail late, then runs the command given to the container.
set -euo pipefail
fail() { printf 'mtpeft: %s\n  to fix:   %s\n' "$1" "$2" >&2; exit 2; }

out=${MTPEFT_OUT:-$PWD/results/regenerated}
if [ ! -d "$out" ] || [ ! -w "$out" ]; then
    fail "$out is not a directory that user $(id -u) may write; results go there" \
         "mount one (-v \"\$PWD/out:/out\" -e MTPEFT_OUT=/out) and make it writable, or run with --user \"\$(id -u):\$(id -g)\""
fi
# A mounted checkout may be newer than the image. Its locks decide whether the image's environment still fits.
if [ -f docker/locks/core.txt ]; then
    if ! sha256sum --check --status --strict "$VENV/locks.sha256"; then
        fail "the environment in this image was not installed from the locks of $PWD/docker/locks" "make image-cpu (or image)"
    fi
    for stamp in "$VENV"/.core "$VENV"/.score "$VENV"/.train "$VENV"/.dev; do
        if [ -e "$stamp" ] && [ -n "$(find docker/locks docker/setup -newer "$stamp" -print -quit)" ]; then
            touch "$stamp" 2>/dev/null ||
                fail "the mounted source is newer than this image, whose stamps cannot be renewed" "run without --read-only"
        fi
    done
fi
exec "$@"
