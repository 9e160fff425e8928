# Converted from an Ansible playbook by har.
{%- set pairs = pillar['pairs'] %}
{%- set things = pillar['things'] %}

# Play: all (hosts: all)

upgrade_package_0:
  pkg.latest:
    - pkgs:
        - a
        - b
    - install_recommends: false
    - fromrepo: stable
    - skip_verify: true
    - only_upgrade: true

remove_package_1:
  pkg.purged:
    - name: c
    - require:
        - pkg: upgrade_package_0

install_package_2:
  pkg.uptodate:
    - refresh: true
    - require:
        - pkg: remove_package_1

install_package_3:
  pkg.installed:
    - sources:
        - tool: /tmp/tool_1.0_amd64.deb
    - require:
        - pkg: install_package_2

install_package_4:
  pkg.installed:
    - sources:
        - tool-1: https://example.com/tool-1.0.rpm
    - fromrepo: extras
    - skip_verify: true
    - require:
        - pkg: install_package_3

install_pip_5:
  pip.installed:
    - name: flask==3.0
    - bin_env: /srv/venv
    - require:
        - pkg: install_package_4

install_pip_6:
  pip.installed:
    - requirements: /srv/requirements.txt
    - cwd: /srv
    - require:
        - pip: install_pip_5

install_pip_7:
  pip.removed:
    - name: gone
    - require:
        - pip: install_pip_6

install_npm_8:
  npm.installed:
    - name: "yarn@1.22"
    - require:
        - pip: install_pip_7

install_npm_9:
  npm.bootstrap:
    - name: /srv/app
    - require:
        - npm: install_npm_8

start_service_10:
  service.running:
    - name: a
    - enable: true
    - sig: a-d
    - init_delay: 2
    - require:
        - npm: install_npm_9

stop_service_11:
  service.dead:
    - name: b
    - enable: false
    - require:
        - service: start_service_10

restart_service_12:
  module.run:
    - name: service.restart
    - m_name: c
    - require:
        - service: stop_service_11

enable_service_13:
  service.enabled:
    - name: d
    - require:
        - module: restart_service_12

disable_service_14:
  service.disabled:
    - name: e
    - require:
        - service: enable_service_13

enable_service_15:
  service.masked:
    - name: f
    - require:
        - service: disable_service_14

reload_daemon_16:
  module.run:
    - name: service.systemctl_reload
    - require:
        - service: enable_service_15

copy_file_17:
  file.managed:
    - name: /etc/a.conf
    - source: salt://a.conf
    - mode: "0640"
    - user: root
    - group: root
    - selinux:
        setype: etc_t
    - backup: minion
    - replace: false
    - check_cmd: check
    - require:
        - module: reload_daemon_16

copy_file_18:
  file.recurse:
    - name: /srv/folder
    - source: salt://folder
    - file_mode: "0644"
    - dir_mode: "0755"
    - require:
        - file: copy_file_17

copy_file_19:
  file.managed:
    - name: /etc/a.json
    - contents: "{\"a\":1}"
    - require:
        - file: copy_file_18

template_file_20:
  file.managed:
    - name: /etc/a
    - source: salt://a.j2
    - template: jinja
    - mode: "0644"
    - require:
        - file: copy_file_19

create_directory_21:
  file.directory:
    - name: /srv/a
    - mode: "0750"
    - user: a
    - makedirs: true
    - recurse:
        - user
        - mode
    - require:
        - file: template_file_20

touch_file_22:
  file.managed:
    - name: /srv/b
    - replace: false
    - mode: "0600"
    - require:
        - file: create_directory_21

create_link_23:
  file.symlink:
    - name: /srv/c
    - target: /srv/b
    - force: true
    - require:
        - file: touch_file_22

create_link_24:
  file.hardlink:
    - name: /srv/d
    - target: /srv/b
    - require:
        - file: create_link_23

delete_file_25:
  file.absent:
    - name: /srv/e
    - require:
        - file: create_link_24

set_mode_26:
  file.managed:
    - name: /srv/f
    - create: false
    - replace: false
    - user: a
    - require:
        - file: delete_file_25

manage_line_27:
  file.append:
    - name: /etc/hosts
    - text: "127.0.0.2 me"
    - require:
        - file: set_mode_26

manage_line_28:
  file.replace:
    - name: /etc/hosts
    - pattern: "old.*\\n?"
    - repl: ""
    - ignore_if_missing: true
    - backup: .bak
    - require:
        - file: manage_line_27

manage_line_29:
  file.replace:
    - name: /etc/hosts
    - pattern: ^gone \(now\)\n?
    - repl: ""
    - ignore_if_missing: true
    - require:
        - file: manage_line_28

manage_line_30:
  file.replace:
    - name: /etc/x
    - pattern: "^a=(.*)$"
    - repl: b=\1
    - require:
        - file: manage_line_29

manage_block_31:
  file.blockreplace:
    - name: /etc/hosts
    - marker_start: "# BEGIN har"
    - marker_end: "# END har"
    - content: "10.0.0.1 a"
    - append_if_not_found: true
    - insert_before_match: ^z
    - require:
        - file: manage_line_30

manage_block_32:
  file.blockreplace:
    - name: /etc/hosts
    - marker_start: "# BEGIN ANSIBLE MANAGED BLOCK"
    - marker_end: "# END ANSIBLE MANAGED BLOCK"
    - content: ""
    - require:
        - file: manage_block_31

replace_in_file_33:
  file.replace:
    - name: /etc/x
    - pattern: a
    - repl: b
    - require:
        - file: manage_block_32

download_file_34:
  file.managed:
    - name: /srv/a
    - source: https://example.com/a
    - source_hash: sha256=00
    - mode: "0755"
    - verify_ssl: false
    - require:
        - file: replace_in_file_33

extract_archive_35:
  archive.extracted:
    - name: /srv
    - source: salt://a.tgz
    - user: a
    - if_missing: /srv/x
    - options:
        - "--strip=1"
    - enforce_toplevel: false
    - require:
        - file: download_file_34

create_user_36:
  user.present:
    - name: a
    - groups:
        - b
        - c
    - uid: 1000
    - gid: users
    - fullname: A
    - createhome: true
    - system: false
    - password: "!"
    - enforce_password: false
    - expire: -1
    - require:
        - archive: extract_archive_35

delete_user_37:
  user.absent:
    - name: b
    - purge: true
    - force: true
    - require:
        - user: create_user_36

create_group_38:
  group.present:
    - name: a
    - gid: 1000
    - system: true
    - require:
        - user: delete_user_37

delete_group_39:
  group.absent:
    - name: b
    - require:
        - group: create_group_38

create_ssh_key_40:
  ssh_auth.present:
    - name: ssh-rsa AAAA
    - user: a
    - config: /srv/keys
    - comment: c
    - options:
        - no-pty
    - require:
        - group: delete_group_39

delete_ssh_key_41:
  ssh_auth.absent:
    - name: ssh-rsa BBBB
    - user: a
    - require:
        - ssh_auth: create_ssh_key_40

run_command_42:
  cmd.run:
    - name: "echo 'a b' 'it'\\''s'"
    - onlyif: test -e /srv/x
    - stdin: x
    - env:
        - A: "1"
    - retry:
        attempts: 2
        interval: 1
    - require:
        - ssh_auth: delete_ssh_key_41

run_shell_43:
  cmd.run:
    - name: "echo a > b"
    - shell: /bin/bash
    - cwd: /srv
    - creates: /srv/b
    - hide_output: true
    - check_cmd:
        - /bin/true
    - require:
        - cmd: run_command_42

run_command_44:
  cmd.run:
    - name: sleep 100
    - bg: true
    - require:
        - cmd: run_command_42

execute_script_45:
  cmd.script:
    - name: run.sh --all
    - source: salt://run.sh
    - cwd: /srv
    - creates: /srv/done
    - require:
        - cmd: run_command_44

create_cron_46:
  cron.present:
    - name: /bin/a
    - identifier: a
    - minute: "*/5"
    - daymonth: 1
    - month: 2
    - dayweek: 3
    - special: daily
    - commented: true
    - require:
        - cmd: execute_script_45

create_cron_47:
  cron.env_present:
    - name: PATH
    - value: /usr/bin
    - require:
        - cron: create_cron_46

delete_cron_48:
  cron.absent:
    - name: b
    - identifier: b
    - require:
        - cron: create_cron_47

clone_git_49:
  git.latest:
    - name: https://example.com/a.git
    - target: /srv/a
    - rev: main
    - depth: 1
    - identity: /k
    - force_reset: true
    - submodules: true
    - require:
        - cron: delete_cron_48

manage_container_50:
  docker_container.running:
    - name: a
    - image: b:1
    - port_bindings:
        - "80:80"
    - binds:
        - /a:/b
    - environment:
        A: "1"
    - command: c
    - restart_policy: always
    - networks:
        - name: "n"
    - require:
        - git: clone_git_49

remove_container_51:
  docker_container.absent:
    - name: b
    - force: true
    - require:
        - docker_container: manage_container_50

manage_container_52:
  docker_container.stopped:
    - name: c
    - require:
        - docker_container: remove_container_51

manage_image_53:
  docker_image.present:
    - name: a
    - tag: "1"
    - require:
        - docker_container: manage_container_52

create_mount_54:
  mount.mounted:
    - name: /srv/m
    - device: /dev/a
    - fstype: ext4
    - opts:
        - noatime
    - dump: 0
    - pass_num: 2
    - mount: false
    - mkmnt: true
    - require:
        - docker_image: manage_image_53

delete_mount_55:
  mount.unmounted:
    - name: /srv/n
    - persist: true
    - require:
        - mount: create_mount_54

set_hostname_56:
  network.system:
    - hostname: a
    - enabled: true
    - apply_hostname: true
    - require:
        - mount: delete_mount_55

set_timezone_57:
  timezone.system:
    - name: UTC
    - require:
        - network: set_hostname_56

set_locale_58:
  locale.present:
    - name: de_DE.UTF-8
    - require:
        - timezone: set_timezone_57

set_sysctl_59:
  sysctl.present:
    - name: a.b
    - value: "1"
    - config: /etc/sysctl.d/a.conf
    - require:
        - locale: set_locale_58

set_sysctl_60:
  file.replace:
    - name: /etc/sysctl.conf
    - pattern: "^\\s*a\\.c\\s*=.*\\n?"
    - repl: ""
    - ignore_if_missing: true
    - require:
        - sysctl: set_sysctl_59

load_module_61:
  kmod.present:
    - name: a
    - persist: true
    - require:
        - file: set_sysctl_60

unload_module_62:
  kmod.absent:
    - name: b
    - require:
        - kmod: load_module_61

create_repository_63:
  pkgrepo.managed:
    - name: deb http://example.com stable main
    - file: /etc/apt/sources.list.d/a.list
    - refresh: true
    - require:
        - kmod: unload_module_62

create_repository_64:
  pkgrepo.managed:
    - name: a
    - humanname: A
    - baseurl: http://example.com
    - gpgkey: http://example.com/k
    - gpgcheck: 1
    - enabled: 1
    - require:
        - pkgrepo: create_repository_63

delete_repository_65:
  pkgrepo.absent:
    - name: deb http://example.com old main
    - require:
        - pkgrepo: create_repository_64

set_alternative_66:
  alternatives.set:
    - name: editor
    - path: /usr/bin/vim
    - require:
        - pkgrepo: delete_repository_65

set_alternative_67:
  alternatives.install:
    - name: a
    - path: /b
    - link: /c
    - priority: 10
    - require:
        - alternatives: set_alternative_66

set_selinux_68:
  selinux.mode:
    - name: permissive
    - require:
        - alternatives: set_alternative_67

{%- set region = 'eu' %}
{%- set both = grains['host'] ~ '-eu' %}

show_message_70:
  test.show_notification:
    - text: "in {{ region }}"
    - require:
        - selinux: set_selinux_68

show_message_71:
  test.show_notification:
    - text: "both: {{ both }}"
    - require:
        - test: show_message_70

assert_condition_72:
  test.configurable_test_state:
    - changes: false
    - result: {{ (((region == 'eu') and (both is defined)) | to_bool) | json }}
    - comment: not in the EU
    - require:
        - test: show_message_71

{% if region == 'us' %}

fail_run_73:
  test.fail_without_changes:
    - name: stop
    - failhard: true
    - require:
        - test: assert_condition_72

{% endif %}

wait_for_74:
  cmd.run:
    - name: "sleep 1; timeout 5 bash -c 'until (echo > /dev/tcp/127.0.0.1/22) 2>/dev/null; do sleep 1; done'"
    - require:
{%- if region == 'us' %}
        - test: fail_run_73
{%- endif %}
        - test: assert_condition_72

wait_for_75:
  cmd.run:
    - name: "timeout 300 bash -c 'while test -e /srv/x; do sleep 1; done'"
    - require:
        - cmd: wait_for_74

unsupported_76:
  http.query:
    - name: http://127.0.0.1/
    - status: "200|204"
    - status_type: pcre
    - method: POST
    - data: x
    - header_dict:
        A: b
    - require:
        - cmd: wait_for_75

unsupported_77:
  cmd.run:
    - name: sleep 1
    - require:
        - http: unsupported_76

unsupported_78:
  test.nop:
    - require:
        - cmd: unsupported_77




run_command_82:
  cmd.run:
    - name: touch /srv/x
    - unless:
        - test -e /srv/x
    - require:
        - test: unsupported_78

run_command_83:
  cmd.run:
    - name: echo changed
    - require:
        - cmd: run_command_82

{%- for item in things %}
{%- if item.b | default(false) %}
"run_command_84_{{ loop.index }}":
  cmd.run:
    - name: "echo {{ item.a }}"
    - onchanges:
        - cmd: run_command_83
    - require:
        - cmd: run_command_83
{%- endif %}
{%- endfor %}

{%- for item_key, item_value in (pairs).items() %}
{%- set item = {'key': item_key, 'value': item_value} %}
"run_command_85_{{ loop.index }}":
  cmd.run:
    - name: "echo {{ item.key }} {{ item.value }}"
    - require:
        - cmd: run_command_83
{%- endfor %}
