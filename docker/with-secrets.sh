#!/bin/sh
# Runs a build step with what the builder lent it under /run/secrets and /run/wheels; nothing of it stays in a layer.
#   ca_bundle   certificates that pip must trust (a company's proxy, for instance)
#   pip_conf    a pip configuration: which index to ask
#   npm_conf    a configuration of npm
#   /run/wheels a folder of wheels that no index has
# Usage: with-secrets.sh COMMAND [ARGUMENT...]
set -eu
secrets=/run/secrets
if [ -s $secrets/ca_bundle ]; then
    export PIP_CERT=$secrets/ca_bundle SSL_CERT_FILE=$secrets/ca_bundle NODE_EXTRA_CA_CERTS=$secrets/ca_bundle
fi
if [ -s $secrets/pip_conf ]; then
    export PIP_CONFIG_FILE=$secrets/pip_conf
fi
if [ -s $secrets/npm_conf ]; then
    export NPM_CONFIG_USERCONFIG=$secrets/npm_conf
fi
if [ -d /run/wheels ]; then
    export PIP_FIND_LINKS=/run/wheels
fi
export PIP_NO_CACHE_DIR=1
exec "$@"
