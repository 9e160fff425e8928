#!/usr/bin/env bash
# Real tools judge what `har` converts: Ansible that the playbook of the golden test is one, Salt that
# the states made from it compile, that every requisite and function is known, and that they run in
# test mode.
#
# usage: test/oracles/conversion/check.sh
# Installs its tools by pip into ${HAR_ORACLES:-~/.cache/har-oracles} once (about 4 minutes, 310 MB).
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
data=$here/../../../src/data_plane/formats/testdata
ansible_version=2.19.14
salt_version=3008.4

# shellcheck source=test/oracles/venv.sh
. "$here/../venv.sh"

ansible=$(venv ansible ansible-core $ansible_version)
salt=$(venv salt salt $salt_version)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# --- Ansible: the playbook is valid. Modules outside the core, and roles, are stood in for: the
# syntax check wants to find them, and looks no further.
collection() {
    local folder=$work/collections/ansible_collections/$1/$2
    mkdir -p "$folder/plugins/modules"
    printf 'namespace: %s\nname: %s\nversion: 99.0.0\n' "$1" "$2" > "$folder/galaxy.yml"
    shift 2
    for module in "$@"; do printf '#!/usr/bin/python\n' > "$folder/plugins/modules/$module.py"; done
}
collection community general timezone ufw npm locale_gen modprobe alternatives
collection community docker docker_container docker_image
collection ansible posix sysctl mount authorized_key selinux
for role in common tls; do mkdir -p "$work/roles/$role/tasks"; echo '[]' > "$work/roles/$role/tasks/main.yml"; done
cp "$data"/*.yml "$work/"
(
    cd "$work"
    export ANSIBLE_COLLECTIONS_PATH=$work/collections ANSIBLE_HOME=$work/ansible LC_ALL=C.UTF-8
    "$ansible/bin/ansible-playbook" --syntax-check -i localhost, site.yml modules.yml > ansible.log 2>&1
) || { cat "$work/ansible.log"; echo "FAIL: ansible-playbook refuses the playbooks"; exit 1; }
echo "ok: ansible-core $ansible_version accepts the playbooks"

# --- Salt: the states compile and run in test mode, for a minion of all plays and for one of none.
mkdir -p "$work/states" "$work/root" "$work/conf"
cp "$data"/*.sls "$work/states/"
mkdir "$work/states/folder"
touch "$work/states"/{vhost.conf.j2,a.conf,a.j2,run.sh,folder/x}
"$salt/bin/python" "$here/salt_check.py" "$salt/bin/salt-call" "$work"
