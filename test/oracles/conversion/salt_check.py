"""Lets Salt compile and test-run the states of the golden test. Used by check.sh."""

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
}
# What a state says when Salt does not know its function or an argument, however the machine is.
UNKNOWN = re.compile(
    r"was not found in SLS|is not available|not a valid state|invalid keyword|unexpected keyword"
    r"|missing \d+ required|Specified state .* (was )?not found|is unavailable"
)
# Functions whose tool need not be on the machine that runs the test.
NEEDS_TOOL = {"sysctl", "timezone", "service", "cron"}


def run(salt_call, work, roles, function, *extra):
    conf = {"file_client": "local", "id": "minion", "grains": {"roles": roles}, "root_dir": str(work / "root")}
    (work / "conf" / "minion").write_text(json.dumps(conf))
    command = [salt_call, "--local", f"--config-dir={work / 'conf'}", f"--file-root={work / 'states'}"]
    command += ["--out=json", "--log-level=quiet", function, "site", "pillar=" + json.dumps(PILLAR), *extra]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    try:
        return json.loads(done.stdout)["local"]
    except (ValueError, KeyError):
        sys.exit(f"FAIL: salt-call {function} gave no answer:\n{done.stdout}\n{done.stderr}")


def check(salt_call, work, roles):
    shown = run(salt_call, work, roles, "state.show_sls")
    if not isinstance(shown, dict):
        sys.exit(f"FAIL: Salt cannot compile the states for {roles}: {shown}")
    applied = run(salt_call, work, roles, "state.apply", "test=True")
    if not isinstance(applied, dict):
        sys.exit(f"FAIL: Salt refuses the states for {roles}: {applied}")
    wanted = set(shown)
    got = {result["__id__"] for result in applied.values()}
    if wanted - got:
        sys.exit(f"FAIL: states that did not run: {sorted(wanted - got)}")
    for name, result in applied.items():
        comment = str(result["comment"])
        if UNKNOWN.search(comment) and name.split("_|-")[0] not in NEEDS_TOOL:
            sys.exit(f"FAIL: {name}: {comment}")
        for warning in result.get("warnings", []):
            if "argument" in warning:
                sys.exit(f"FAIL: {name}: {warning}")
    print(f"ok: Salt compiles and test-runs {len(applied)} states for a minion with roles {roles}")
    return wanted


def main():
    salt_call, work = sys.argv[1], pathlib.Path(sys.argv[2])
    everything = check(salt_call, work, ["webservers", "dbservers"])
    base = check(salt_call, work, [])
    if not base < everything:
        sys.exit("FAIL: the plays' hosts make no difference")


main()
