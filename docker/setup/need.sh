#!/usr/bin/env bash
# Makes sure that a command of the system is there: installs its package when the user may and wants it, else prints how to.
# Nothing is installed on a host unasked: a terminal is asked, INSTALL=1 says yes beforehand and INSTALL=0 no. A container, where no
# init system runs, is there to be installed into.
# Usage: need.sh COMMAND PACKAGE
set -euo pipefail
command=$1 package=$2
command -v "$command" >/dev/null && exit 0
install="apt-get install -y --no-install-recommends $package"

wanted() {
    case ${INSTALL:-} in
        1) return 0 ;;
        0) return 1 ;;
    esac
    case $(cat /proc/1/comm 2>/dev/null || echo init) in
        systemd | init) ;;
        *) return 0 ;;
    esac
    [ -t 0 ] && [ -t 2 ] || return 1
    read -r -p "mtpeft: $command is not installed. Install $package with apt-get now? [y/N] " answer
    [[ $answer =~ ^[yY] ]]
}

if command -v apt-get >/dev/null; then
    sudo=""
    if [ "$(id -u)" -ne 0 ]; then
        if command -v sudo >/dev/null && sudo -n true 2>/dev/null; then sudo="sudo"; else sudo="refused"; fi
    fi
    if [ "$sudo" = refused ]; then
        echo "mtpeft: $command is not installed, and this user may not install packages" >&2
        echo "  expected: $command on the PATH" >&2
        echo "  to fix:   sudo apt-get update && sudo $install" >&2
    elif wanted; then
        echo "mtpeft: installing $package: $sudo $install"
        $sudo env DEBIAN_FRONTEND=noninteractive apt-get update -qq
        # shellcheck disable=SC2086
        $sudo env DEBIAN_FRONTEND=noninteractive $install >/dev/null
        exit 0
    else
        echo "mtpeft: $command is not installed, and nothing is installed unasked" >&2
        echo "  expected: $command on the PATH, or INSTALL=1" >&2
        echo "  to fix:   ${sudo:+$sudo }apt-get update && ${sudo:+$sudo }$install; or make again with INSTALL=1" >&2
    fi
else
    echo "mtpeft: $command is not installed, and this system has no apt-get" >&2
    echo "  to fix:   install $command so that it is on the PATH" >&2
fi
exit 2
