#!/usr/bin/env bash
# R 4.2 or later, from the system's packages.
set -euo pipefail
bash "$(dirname "$0")/need.sh" R r-base-core
found=$(R --version 2>/dev/null | sed -n '1s/^R version \([0-9][0-9.]*\).*/\1/p')
if [ "$(printf '%s\n' 4.2 "${found:-0}" | sort -V | head -n 1)" != 4.2 ]; then
    echo "mtpeft: R is ${found:-of no known version}; expected R 4.2 or later" >&2
    echo "  to fix:   install a later R so that it comes first on the PATH (https://cloud.r-project.org)" >&2
    exit 2
fi
