#!/usr/bin/env bash
# Installs the pinned torch in the build that suits this machine, and says which and why. Usage: torch.sh VENV [--installed]
# With --installed it says which build is there (cpu, cuda or none) and does nothing.
# MTPEFT_TORCH=cpu or cuda overrides the choice. The CPU build is not in every registry: put its wheel into a folder
# that pip searches (PIP_FIND_LINKS) or add the index that serves it (PIP_EXTRA_INDEX_URL).
set -euo pipefail
venv=$1
cd "$(dirname "$0")/../.."
installed=none
for file in "$venv"/lib/python3*/site-packages/torch/version.py; do
    [ -f "$file" ] || continue
    # cuda: Optional[str] = '13.0', or None in a CPU build
    if grep -q "^cuda.*= *'" "$file"; then installed=cuda; else installed=cpu; fi
done
if [ "${2:-}" = --installed ]; then echo "$installed"; exit; fi
build=${MTPEFT_TORCH:-} why="MTPEFT_TORCH is set"
if [ -z "$build" ]; then
    if gpu=$(nvidia-smi --query-gpu=name,driver_version --format=csv,noheader 2>/dev/null | head -n 1) && [ -n "$gpu" ]; then
        build=cuda why="NVIDIA GPU found: $gpu"
    else
        build=cpu why="no NVIDIA GPU found"
    fi
fi
lock="docker/locks/torch-$build.txt"
if [ ! -f "$lock" ]; then
    echo "mtpeft: MTPEFT_TORCH is '$build'; expected cpu or cuda" >&2
    exit 2
fi
echo "mtpeft: torch $(sed -n 's/^torch==\([^ ]*\).*/\1/p' "$lock"), $build build ($why)"
pip=("$venv/bin/python" -m pip --disable-pip-version-check --quiet)
# Both builds have one version: pip would take the other one for the one that is wanted.
if [ "$installed" != none ] && [ "$installed" != "$build" ]; then
    echo "mtpeft: the $installed build of torch makes room for it"
    "${pip[@]}" uninstall --yes torch
fi
if ! "${pip[@]}" install --require-hashes -r "$lock"; then
    echo "mtpeft: the $build build of torch could not be installed from $lock" >&2
    if [ "$build" = cpu ]; then
        echo "  to fix:   point PIP_FIND_LINKS at a folder with the +cpu wheel, or PIP_EXTRA_INDEX_URL at an index that has it;" >&2
        echo "            or accept the CUDA build (several GB, works without a GPU): make MTPEFT_TORCH=cuda" >&2
    fi
    exit 2
fi
