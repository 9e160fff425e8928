# shellcheck shell=bash
# Sourced by the oracles: tools of PyPI, each in an environment of its own, installed once.
cache=${HAR_ORACLES:-${XDG_CACHE_HOME:-$HOME/.cache}/har-oracles}

# venv NAME PACKAGE VERSION: the folder of a virtual environment that has exactly this package.
venv() {
    local folder=$cache/$1-$3
    if [ ! -e "$folder/complete" ]; then
        echo "installing $2 $3 into $folder" >&2
        rm -rf "$folder"
        python3 -m venv "$folder" >&2 || { echo "FAIL: no python3 with venv: apt-get install python3-venv" >&2; exit 1; }
        "$folder/bin/pip" install --quiet "$2==$3" >&2 || { echo "FAIL: pip cannot install $2==$3: is a package index reachable?" >&2; exit 1; }
        touch "$folder/complete"
    fi
    echo "$folder"
}
