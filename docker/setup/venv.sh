#!/usr/bin/env bash
# Creates the virtual environment. Usage: venv.sh PYTHON VENV
set -euo pipefail
python=$1 venv=$2
if ! "$python" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' 2>/dev/null; then
    echo "mtpeft: $python is $("$python" --version 2>&1 || echo missing); expected Python 3.11, 3.12 or 3.13, which the locks fit" >&2
    echo "  to fix:   apt-get install python3 python3-venv, or make PYTHON=/path/to/python3.11" >&2
    exit 2
fi
if ! "$python" -c 'import ensurepip, venv' 2>/dev/null; then
    echo "mtpeft: $python has no venv module; expected one" >&2
    echo "  to fix:   apt-get install python3-venv" >&2
    exit 2
fi
above=$venv
while [ ! -e "$above" ]; do above=$(dirname "$above"); done
if [ ! -d "$above" ] || [ ! -w "$above" ]; then
    echo "mtpeft: $venv cannot be made: this user may not write into $above (a read-only checkout?)" >&2
    echo "  expected: a folder for the environment, and one for results, that this user may write into" >&2
    echo "  to fix:   make VENV=/another/folder/venv MTPEFT_OUT=/another/folder/out reproduce-all" >&2
    exit 2
fi
"$python" -m venv "$venv"
