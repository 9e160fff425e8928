//! What happens to the command line before clap reads it: the spellings of `erl`, and taking the
//! cookie off it.

use std::ffi::{OsStr, OsString};

/// Carries the cookie of `--cookie` over the re-execution; see [`take_cookie`].
pub(super) const COOKIE_VARIABLE: &str = "HAR_COOKIE_OF_FLAG";

/// Rewrites what fingers used to `erl` type (`-name`, `-setcookie`, `-kernel KEY VALUE`) to our
/// flags. Everything after `--` stays.
pub(super) fn from_erl(arguments: Vec<OsString>) -> Vec<OsString> {
    let mut rest = arguments.into_iter();
    let mut rewritten = Vec::new();
    while let Some(argument) = rest.next() {
        if argument == "--" {
            rewritten.push(argument);
            rewritten.extend(rest);
            break;
        }
        match argument.to_str() {
            Some("-kernel") => match (rest.next(), rest.next()) {
                (Some(key), Some(value)) if kernel_flag(&key).is_some() => {
                    rewritten.extend(kernel_flag(&key).map(OsString::from));
                    rewritten.push(unquoted(&value));
                }
                (key, value) => {
                    rewritten.push(argument);
                    rewritten.extend(key.into_iter().chain(value));
                }
            },
            Some("-start_epmd") => match rest.next() {
                Some(value) if value == "false" => rewritten.push("--no-epmd".into()),
                Some(value) if value == "true" => {}
                value => rewritten.extend([argument].into_iter().chain(value)),
            },
            Some(text) => rewritten.push(erl_flag(text).map_or_else(|| text.into(), Into::into)),
            None => rewritten.push(argument),
        }
    }
    rewritten
}

fn erl_flag(argument: &str) -> Option<&'static str> {
    Some(match argument {
        "-name" => "--name",
        "-sname" => "--sname",
        "-setcookie" | "--setcookie" => "--cookie",
        "-hidden" => "--hidden",
        "-proto_dist" => "--proto-dist",
        "-ssl_dist_optfile" => "--ssl-dist-optfile",
        "-erl_epmd_port" => "--dist-port",
        _ => return None,
    })
}

fn kernel_flag(key: &OsStr) -> Option<&'static str> {
    Some(match key.to_str()? {
        "inet_dist_listen_min" => "--listen-min",
        "inet_dist_listen_max" => "--listen-max",
        "inet_dist_use_interface" => "--interface",
        _ => return None,
    })
}

/// `{127,0,0,1}` becomes `127.0.0.1`; anything else stays.
fn unquoted(value: &OsStr) -> OsString {
    match value.to_str().and_then(|text| text.strip_prefix('{')?.strip_suffix('}')) {
        Some(tuple) => tuple.replace(',', ".").replace(' ', "").into(),
        None => value.to_owned(),
    }
}

/// Takes `--cookie VALUE` or `--cookie=VALUE` out of the command line, where any user of the
/// machine sees it in `ps`. The last one given wins.
pub(super) fn take_cookie(arguments: Vec<OsString>) -> (Vec<OsString>, Option<OsString>) {
    let mut rest = arguments.into_iter();
    let mut kept = Vec::new();
    let mut cookie = None;
    while let Some(argument) = rest.next() {
        if argument == "--" {
            kept.push(argument);
            kept.extend(rest);
            break;
        }
        if argument == "--cookie" {
            match rest.next() {
                Some(value) => cookie = Some(value),
                None => kept.push(argument),
            }
        } else if let Some(value) = argument.to_str().and_then(|a| a.strip_prefix("--cookie=")) {
            cookie = Some(value.into());
        } else {
            kept.push(argument);
        }
    }
    (kept, cookie)
}

/// Starts this program anew in the same process with `arguments`, the cookie in a variable that
/// only this user can read. Returns only when that is not possible.
#[cfg(unix)]
pub(super) fn execute_again(arguments: &[OsString], cookie: &OsStr) {
    use std::os::unix::process::CommandExt as _;

    let (Ok(program), Some((name, rest))) = (std::env::current_exe(), arguments.split_first())
    else {
        return;
    };
    let mut command = std::process::Command::new(program);
    let error = command.arg0(name).args(rest).env(COOKIE_VARIABLE, cookie).exec();
    tracing::debug!(%error, "could not hide --cookie from ps");
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Vec<OsString> {
        text.split(' ').map(OsString::from).collect()
    }

    #[test]
    fn the_flags_of_erl_are_understood() {
        let typed = "har start -name a@h.e -setcookie c -hidden \
                     -kernel inet_dist_listen_min 9100 -kernel inet_dist_use_interface {127,0,0,1}";
        let ours = "har start --name a@h.e --cookie c --hidden \
                    --listen-min 9100 --interface 127.0.0.1";
        assert_eq!(from_erl(words(typed)), words(ours));
        let typed = "har start -start_epmd false -erl_epmd_port 9100";
        assert_eq!(from_erl(words(typed)), words("har start --no-epmd --dist-port 9100"));
        assert_eq!(from_erl(words("har start -start_epmd true")), words("har start"));
    }

    #[test]
    fn what_is_not_of_erl_stays() {
        for text in [
            "har rpc a@h.e m f [-1]",
            "har rpc -- -name -hidden",
            "har -kernel x y",
            "har -kernel",
            "har -start_epmd",
            "har -start_epmd x",
        ] {
            assert_eq!(from_erl(words(text)), words(text));
        }
    }

    #[test]
    fn the_cookie_leaves_the_command_line() {
        for text in ["har start --cookie S --hidden", "har start --cookie=S --hidden"] {
            assert_eq!(take_cookie(words(text)), (words("har start --hidden"), Some("S".into())));
        }
        assert_eq!(take_cookie(words("har --cookie")), (words("har --cookie"), None));
        assert_eq!(take_cookie(words("har -- --cookie S")), (words("har -- --cookie S"), None));
        assert_eq!(take_cookie(words("har --cookie-file S")).1, None);
    }
}
