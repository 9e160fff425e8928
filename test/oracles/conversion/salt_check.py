"""Lets Salt compile and test-run the states of the golden tests. Used by check.sh.

Runs in Salt's own Python, so that it can compare arguments with the signatures of Salt's functions.
"""

import importlib
import inspect
import json
import pathlib
import re
import subprocess
import sys

PILLAR = {
    "admin_keys": [{"user": "ada", "key": "ssh-ed25519 AAAA"}],
    "app_version": "1.0",
    "tls_enabled": True,
    "manage_firewall": True,
    "things": [{"a": 1, "b": True}, {"a": 2}],
    "pairs": {"x": 1, "y": 2},
}
# Arguments that any state takes.
GLOBAL = {
    "name", "names", "order", "failhard", "require", "watch", "onchanges", "onfail", "prereq", "listen", "onlyif",
    "unless", "creates", "check_cmd", "retry", "runas", "reload_modules",
}
# What a state says when Salt does not know its function or an argument, however the machine is.
UNKNOWN = re.compile(
    r"was not found in SLS|is not available|not a valid state|invalid keyword|unexpected keyword"
    r"|missing \d+ required|Specified state .* (was )?not found|is unavailable"
)
# What functions with **kwargs are documented to take.
KEYWORDS = {
    "pkg": {"only_upgrade", "hold", "install_recommends"},
    "pkgrepo": {"baseurl", "gpgkey", "gpgcheck", "enabled", "humanname", "file", "refresh", "mirrorlist"},
    "network": {"hostname", "apply_hostname", "enabled"},
    "cmd": {"stdin", "bg", "hide_output", "env", "timeout", "shell"},
    "service": {"sig", "init_delay", "no_block", "unmask", "enable", "reload"},
    "file": {"mode", "check_cmd", "verify_ssl", "defaults"},
    "docker_container": {"port_bindings", "binds", "environment", "command", "restart_policy", "networks"},
    "git": {"identity"},
    "archive": {"source_hash"},
    "http": {"method", "data", "header_dict", "username", "password", "verify_ssl"},
}
# Modules that left Salt's core for extensions of their own; the report says so.
EXTENSIONS = {"docker_container", "docker_image", "npm", "alternatives"}
# Modules whose file has another name.
FILES = {"pip": "pip_state"}
# Functions whose tool need not be on the machine that runs the test.
NEEDS_TOOL = {"sysctl", "timezone", "service", "cron"}


def known_arguments(shown):
    """Every function exists in Salt and takes the arguments that it is given."""
    faults = []
    for identifier, body in shown.items():
        for module, parts in body.items():
            if module.startswith("__") or module in EXTENSIONS:
                continue
            function = next(part for part in parts if isinstance(part, str))
            given = {key for part in parts if isinstance(part, dict) for key in part}
            try:
                states = importlib.import_module(f"salt.states.{FILES.get(module, module)}")
            except ImportError:
                faults.append(f"{identifier}: Salt has no states `{module}`")
                continue
            found = getattr(states, {"import": "import_"}.get(function, function), None)
            if found is None:
                faults.append(f"{identifier}: Salt has no state `{module}.{function}`")
                continue
            parameters = inspect.signature(found).parameters.values()
            if any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters) and module == "module":
                continue
            extra = given - {parameter.name for parameter in parameters} - GLOBAL
            takes_any = any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters)
            if extra and not (takes_any and extra <= KEYWORDS.get(module, set())):
                faults.append(f"{identifier}: `{module}.{function}` does not take {sorted(extra)}")
    if faults:
        sys.exit("FAIL: " + "\nFAIL: ".join(faults))


def run(salt_call, work, sls, roles, function, *extra):
    conf = {"file_client": "local", "id": "minion", "grains": {"roles": roles}, "root_dir": str(work / "root")}
    (work / "conf" / "minion").write_text(json.dumps(conf))
    command = [salt_call, "--local", f"--config-dir={work / 'conf'}", f"--file-root={work / 'states'}"]
    command += ["--out=json", "--log-level=quiet", function, sls, "pillar=" + json.dumps(PILLAR), *extra]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    try:
        return json.loads(done.stdout)["local"]
    except (ValueError, KeyError):
        sys.exit(f"FAIL: salt-call {function} gave no answer:\n{done.stdout}\n{done.stderr}")


def check(salt_call, work, sls, roles):
    shown = run(salt_call, work, sls, roles, "state.show_sls")
    if not isinstance(shown, dict):
        sys.exit(f"FAIL: Salt cannot compile the states for {roles}: {shown}")
    known_arguments(shown)
    applied = run(salt_call, work, sls, roles, "state.apply", "test=True")
    if not isinstance(applied, dict):
        sys.exit(f"FAIL: Salt refuses the states for {roles}: {applied}")
    wanted = set(shown)
    got = {result["__id__"] for result in applied.values()}
    if wanted - got:
        sys.exit(f"FAIL: states that did not run: {sorted(wanted - got)}")
    for name, result in applied.items():
        comment = str(result["comment"])
        if UNKNOWN.search(comment) and name.split("_|-")[0] not in NEEDS_TOOL | EXTENSIONS:
            sys.exit(f"FAIL: {name}: {comment}")
        for warning in result.get("warnings", []):
            if "argument" in warning:
                sys.exit(f"FAIL: {name}: {warning}")
    print(f"ok: Salt compiles and test-runs {len(applied)} states for {sls} on a minion with roles {roles}")
    return wanted


def main():
    salt_call, work = sys.argv[1], pathlib.Path(sys.argv[2])
    everything = check(salt_call, work, "site", ["webservers", "dbservers"])
    base = check(salt_call, work, "site", [])
    if not base < everything:
        sys.exit("FAIL: the plays' hosts make no difference")
    check(salt_call, work, "modules", [])


main()
