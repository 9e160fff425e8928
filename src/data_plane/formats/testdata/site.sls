# Converted from an Ansible playbook by har.
{%- set admin_keys = pillar['admin_keys'] %}
{%- set app_version = pillar['app_version'] %}
{%- if 'manage_firewall' in pillar %}{% set manage_firewall = pillar['manage_firewall'] %}{% endif %}
{%- if 'tls_enabled' in pillar %}{% set tls_enabled = pillar['tls_enabled'] %}{% endif %}

# Play: Base system (hosts: all)
{%- set admin_group = salt['pillar.get']('admin_group', 'wheel') %}
{%- set base_packages = salt['pillar.get']('base_packages', ['curl', 'git', 'vim']) %}
{%- set ntp_servers = salt['pillar.get']('ntp_servers', ['0.pool.ntp.org', '1.pool.ntp.org']) %}
{%- set timezone = salt['pillar.get']('timezone', 'Europe/Berlin') %}

{% if grains['os_family'] == 'Debian' %}

refresh_the_package_list_0:
  module.run:
    - name: pkg.refresh_db

{% endif %}

install_base_packages_1:
  pkg.installed:
    - pkgs: {{ base_packages | json }}
{%- if grains['os_family'] == 'Debian' %}
    - require:
        - module: refresh_the_package_list_0
{%- endif %}

{% if grains['os_family'] == 'Debian' %}

install_tools_one_by_one_2:
  pkg.installed:
    - pkgs:
        - htop
        - jq
        - unzip
    - require:
        - pkg: install_base_packages_1

{% endif %}

remove_telnet_3:
  pkg.removed:
    - name: telnet
    - require:
{%- if grains['os_family'] == 'Debian' %}
        - pkg: install_tools_one_by_one_2
{%- endif %}
        - pkg: install_base_packages_1

{% if grains['os'] == 'Ubuntu' and salt['pkg.version_cmp'](grains['osrelease'] | string, '20.04') >= 0 %}

keep_openssl_current_4:
  pkg.latest:
    - name: openssl
    - require:
        - pkg: remove_telnet_3

{% endif %}

set_the_time_zone_5:
  timezone.system:
    - name: {{ timezone | json }}
    - require:
{%- if grains['os'] == 'Ubuntu' and salt['pkg.version_cmp'](grains['osrelease'] | string, '20.04') >= 0 %}
        - pkg: keep_openssl_current_4
{%- endif %}
        - pkg: remove_telnet_3

create_the_admin_group_6:
  group.present:
    - name: {{ admin_group | json }}
    - require:
        - timezone: set_the_time_zone_5

create_administrators_7_1:
  user.present:
    - name: ada
    - shell: /bin/bash
    - groups:
        - {{ admin_group | json }}
    - uid: 1501
    - remove_groups: false
    - require:
        - group: create_the_admin_group_6

create_administrators_7_2:
  user.present:
    - name: grace
    - shell: /bin/zsh
    - groups:
        - {{ admin_group | json }}
    - remove_groups: false
    - require:
        - user: create_administrators_7_1

{%- for item in admin_keys %}
"install_administrators__keys_8_{{ loop.index }}":
  ssh_auth.present:
    - name: {{ item.key | json }}
    - user: {{ item.user | json }}
    - require:
        - user: create_administrators_7_2
{%- endfor %}

harden_sshd_9:
  file.replace:
    - name: /etc/ssh/sshd_config
    - pattern: "^#?PermitRootLogin.*$"
    - repl: PermitRootLogin no
    - append_if_not_found: true
    - require:
{%- for item in admin_keys %}
        - ssh_auth: "install_administrators__keys_8_{{ loop.index }}"
{%- endfor %}
        - user: create_administrators_7_2

write_ntp_configuration_10:
  file.managed:
    - name: /etc/ntp.conf
    - contents: |
        driftfile /var/lib/ntp/ntp.drift
        server {{ ntp_servers[0] }}
        server {{ ntp_servers[1] }}
    - mode: "0644"
    - user: root
    - group: root
    - require:
        - file: harden_sshd_9

set_kernel_parameters_11_1:
  sysctl.present:
    - name: net.core.somaxconn
    - value: 1024
    - require:
        - file: write_ntp_configuration_10

set_kernel_parameters_11_2:
  sysctl.present:
    - name: vm.swappiness
    - value: 10
    - require:
        - sysctl: set_kernel_parameters_11_1

restart_sshd_12:
  service.running:
    - name: sshd
    - watch:
        - file: harden_sshd_9

restart_ntp_13:
  service.running:
    - name: ntp
    - watch:
        - file: write_ntp_configuration_10

# Play: Web tier (hosts: webservers)
{% if ('webservers' in grains.get('roles', []) or grains['id'] == 'webservers') %}
{%- set app_name = salt['pillar.get']('app_name', 'shop') %}
{%- set app_root = salt['pillar.get']('app_root', '/srv/' ~ app_name) %}
{%- set http_port = salt['pillar.get']('http_port', 8080) %}

# not converted, ansible.builtin.import_role: Salt has no state for it
role_common_15:
  test.show_notification:
    - text: "not converted: Role common (ansible.builtin.import_role)"

{% if tls_enabled | default(true) %}

# not converted, ansible.builtin.import_role: Salt has no state for it
role_tls_16:
  test.show_notification:
    - text: "not converted: Role tls (ansible.builtin.import_role)"
    - require:
        - test: role_common_15

{% endif %}

install_nginx_17:
  pkg.installed:
    - name: nginx
    - version: "1.18*"
    - refresh: true
    - require:
{%- if tls_enabled | default(true) %}
        - test: role_tls_16
{%- endif %}
        - test: role_common_15

create_application_directories_18_1:
  file.directory:
    - name: "{{ app_root }}/releases"
    - mode: "0755"
    - user: www-data
    - group: www-data
    - makedirs: true
    - require:
        - pkg: install_nginx_17

create_application_directories_18_2:
  file.directory:
    - name: "{{ app_root }}/shared"
    - mode: "0755"
    - user: www-data
    - group: www-data
    - makedirs: true
    - require:
        - file: create_application_directories_18_1

create_application_directories_18_3:
  file.directory:
    - name: "{{ app_root }}/shared/log"
    - mode: "0755"
    - user: www-data
    - group: www-data
    - makedirs: true
    - require:
        - file: create_application_directories_18_2

render_the_virtual_host_19:
  file.managed:
    - name: "/etc/nginx/sites-available/{{ app_name }}.conf"
    - source: salt://vhost.conf.j2
    - template: jinja
    - mode: "0644"
    - user: root
    - group: root
    - backup: minion
    - context:
        app_name: {{ app_name | json }}
        app_root: {{ app_root | json }}
        http_port: {{ http_port | json }}
    - require:
        - file: create_application_directories_18_3

enable_the_virtual_host_20:
  file.symlink:
    - name: "/etc/nginx/sites-enabled/{{ app_name }}.conf"
    - target: "/etc/nginx/sites-available/{{ app_name }}.conf"
    - require:
        - file: render_the_virtual_host_19

drop_the_default_site_21:
  file.absent:
    - name: /etc/nginx/sites-enabled/default
    - require:
        - file: enable_the_virtual_host_20


fetch_the_first_release_23:
  archive.extracted:
    - name: "{{ app_root }}/releases"
    - source: "https://releases.example.com/{{ app_name }}-{{ app_version }}.tar.gz"
    - user: www-data
    - enforce_toplevel: false
    - skip_verify: true
    - unless:
        - "test -e {{ app_root }}/current"
    - require:
        - file: drop_the_default_site_21

check_out_the_configuration_24:
  git.latest:
    - name: https://git.example.com/shop/config.git
    - target: "{{ app_root }}/shared/config"
    - rev: main
    - user: www-data
    - require:
        - archive: fetch_the_first_release_23

compile_assets_when_the_configuration_changed_25:
  cmd.run:
    - name: |
        set -e
        cd {{ app_root }}/shared
        ./compile --jobs {{ grains['num_cpus'] }} > log/compile.log
    - shell: /bin/bash
    - creates: /srv/shop/shared/compiled
    - env:
        - NODE_ENV: production
    - onchanges:
        - git: check_out_the_configuration_24
    - require:
        - git: check_out_the_configuration_24

validate_configuration_26:
  cmd.run:
    - name: nginx -t
    - require:
        - cmd: compile_assets_when_the_configuration_changed_25

{% if grains['os_family'] != 'RedHat' and manage_firewall | default(false) | to_bool %}

# not converted, community.general.ufw: Salt has no state for it
open_the_firewall_27:
  test.show_notification:
    - text: "not converted: Open the firewall (community.general.ufw)"
    - require:
        - cmd: validate_configuration_26

rotate_logs_28:
  cron.present:
    - name: /usr/sbin/logrotate /etc/logrotate.d/shop
    - identifier: rotate shop logs
    - user: root
    - minute: "30"
    - hour: "4"
    - require:
        - test: open_the_firewall_27

say_that_we_were_here_29:
  test.show_notification:
    - text: "web tier done on {{ grains['id'] }}"
    - require:
        - cron: rotate_logs_28

{% endif %}

start_nginx_30:
  service.running:
    - name: nginx
    - enable: true
    - require:
{%- if grains['os_family'] != 'RedHat' and manage_firewall | default(false) | to_bool %}
        - test: say_that_we_were_here_29
{%- endif %}
        - cmd: validate_configuration_26

wait_for_the_port_31:
  cmd.run:
    - name: "timeout 30 bash -c 'until (echo > /dev/tcp/127.0.0.1/8080) 2>/dev/null; do sleep 1; done'"
    - require:
        - service: start_nginx_30

check_the_shop_answers_32:
  http.query:
    - name: "http://localhost:{{ http_port }}/health"
    - status: 200
    - retry:
        attempts: 5
        interval: 3
    - require:
        - cmd: wait_for_the_port_31

# not converted, include_tasks: Salt has no state for it
unsupported_33:
  test.show_notification:
    - text: "not converted: Unnamed task (include_tasks)"
    - require:
        - http: check_the_shop_answers_32

reload_nginx_34:
  service.running:
    - name: nginx
    - reload: true
    - watch:
        - pkg: install_nginx_17
        - file: render_the_virtual_host_19
        - file: enable_the_virtual_host_20
        - file: drop_the_default_site_21

{% endif %}

# Play: Database tier (hosts: dbservers)
{% if ('dbservers' in grains.get('roles', []) or grains['id'] == 'dbservers') %}

install_postgresql_35:
  pkg.installed:
    - pkgs:
        - postgresql
        - postgresql-contrib

mount_the_data_volume_36:
  mount.mounted:
    - name: /var/lib/postgresql
    - device: /dev/vdb1
    - fstype: ext4
    - opts:
        - noatime
        - nofail
    - mkmnt: true
    - require:
        - pkg: install_postgresql_35

tune_postgresql_37:
  file.blockreplace:
    - name: /etc/postgresql/13/main/postgresql.conf
    - marker_start: "# BEGIN ANSIBLE MANAGED BLOCK"
    - marker_end: "# END ANSIBLE MANAGED BLOCK"
    - content: |
        shared_buffers = {{ (grains['mem_total'] // 4) }}MB
        max_connections = 200
    - append_if_not_found: true
    - require:
        - mount: mount_the_data_volume_36

run_the_migration_as_the_database_user_38:
  cmd.run:
    - name: /usr/local/bin/migrate --all
    - cwd: /srv/db
    - creates: /srv/db/.migrated
    - runas: postgres
    - check_cmd:
        - /bin/true
    - require:
        - file: tune_postgresql_37

remove_old_backups_39:
  cmd.run:
    - name: find /var/backups/db -mtime +30 -delete
    - shell: /bin/bash
    - require:
        - file: tune_postgresql_37

ensure_postgresql_runs_40:
  service.running:
    - name: postgresql
    - enable: true
    - require:
        - cmd: remove_old_backups_39

restart_postgresql_41:
  service.running:
    - name: postgresql
    - watch:
        - file: tune_postgresql_37

{% endif %}
