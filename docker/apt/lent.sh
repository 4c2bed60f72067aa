# Sourced by the steps of an image's build that ask apt: where the build was lent a sources file (secret apt_sources, either format),
# it is used instead of the base image's own. APT_CONFIG then names FOLDER/apt.conf, for every apt that the step starts.
# Usage: lent_sources FOLDER     (a temporary folder, which the step removes)
lent_sources() {
    local secret=/run/secrets/apt_sources kind=list
    export APT_CONFIG="$1/apt.conf"
    echo 'APT::Sandbox::User "root";' >"$APT_CONFIG"
    [ -s "$secret" ] || return 0
    # apt tells the two formats apart by the name's ending.
    if grep -q '^Types:' "$secret"; then kind=sources; fi
    mkdir "$1/parts" && cp "$secret" "$1/parts/build.$kind"
    printf 'Dir::Etc::SourceList "/dev/null";\nDir::Etc::SourceParts "%s/parts";\n' "$1" >>"$APT_CONFIG"
}
