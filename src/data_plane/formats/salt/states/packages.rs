//! Packages of the system and of languages.

use super::super::draft::Draft;
use crate::data_plane::report::Status;
use crate::semantic::{Kind, Map, Value};

pub(super) fn fill(kind: Kind, draft: &mut Draft<'_>) -> bool {
    match kind {
        Kind::PackageInstall => system(draft, "pkg.installed"),
        Kind::PackageUpgrade => system(draft, "pkg.latest"),
        Kind::PackageRemove => {
            let purge = draft.take_flag(&["purge"]).unwrap_or(false);
            system(draft, if purge { "pkg.purged" } else { "pkg.removed" });
            draft.approximated(
                "autoremove",
                "packages that are no longer needed stay: run pkg.autoremove",
            );
        }
        Kind::PipInstall => pip(draft),
        Kind::NpmInstall => npm(draft),
        Kind::RepositoryCreate => repository(draft, "pkgrepo.managed"),
        Kind::RepositoryDelete => repository(draft, "pkgrepo.absent"),
        _ => return false,
    }
    true
}

fn system(draft: &mut Draft<'_>, function: &str) {
    function.clone_into(&mut draft.function);
    draft.needless(&[
        "state",
        "use",
        "force_apt_get",
        "update_cache_retries",
        "update_cache_retry_max_delay",
        "lock_timeout",
    ]);
    let refresh = draft.take_flag(&["update_cache", "refresh"]);
    let upgrade =
        draft.take_text(&["upgrade"]).filter(|upgrade| !matches!(upgrade.as_str(), "no" | "false"));
    match draft.take(&["package", "pkgs", "name"]) {
        None => return without_name(draft, refresh, upgrade.is_some()),
        Some(Value::List(items)) => {
            let items = items.iter().map(versioned).collect::<Vec<_>>();
            draft.arg("pkgs", items);
        }
        Some(list) if draft.is_list_variable(&list) => draft.arg("pkgs", list),
        Some(Value::String(all)) if all == "*" => return without_name(draft, refresh, true),
        Some(Value::String(text)) if is_file(&text) => sources(draft, &text),
        Some(Value::String(text)) if text.contains(',') && !text.contains("{{") => {
            let items =
                text.split(',').map(|item| versioned(&item.trim().into())).collect::<Vec<_>>();
            draft.arg("pkgs", items);
        }
        Some(value) => match versioned(&value) {
            Value::Map(map) => {
                for (key, version) in map {
                    draft.arg("name", key.label());
                    draft.arg("version", version);
                }
            }
            other => draft.arg("name", other),
        },
    }
    draft.pass("version", &["version"]);
    if refresh == Some(true) && function != "pkg.removed" && function != "pkg.purged" {
        draft.arg("refresh", true);
    }
    if draft.take(&["cache_valid_time"]).is_some() {
        draft.note(
            Status::Approximated,
            "cache_valid_time",
            "the package list is refreshed at each run when update_cache is on",
        );
    }
    if let Some(flag) = draft.take_flag(&["install_recommends"]) {
        draft.arg("install_recommends", flag);
    }
    draft.pass("fromrepo", &["enablerepo", "default_release"]);
    draft.pass_flag("skip_verify", &["disable_gpg_check", "allow_unauthenticated"]);
    draft.pass_flag("only_upgrade", &["only_upgrade"]);
}

/// `nginx=1.18*` names a version, as apt writes it.
fn versioned(value: &Value) -> Value {
    let Some(text) = value.as_text() else { return value.clone() };
    match text.split_once('=') {
        Some((name, version)) if !text.contains("{{") && !text.contains("==") => {
            Map::from_entries(vec![(crate::semantic::Key::text(name), version.into())]).into()
        }
        _ => value.clone(),
    }
}

fn is_file(text: &str) -> bool {
    let ending = text.rsplit('.').next().unwrap_or_default();
    (text.contains("://") || text.starts_with('/')) && matches!(ending, "rpm" | "deb" | "apk")
}

fn sources(draft: &mut Draft<'_>, file: &str) {
    let name = file.rsplit('/').next().unwrap_or(file);
    let stem = name.split(['_', '.']).next().unwrap_or(name);
    draft.arg(
        "sources",
        vec![Map::from_entries(vec![(crate::semantic::Key::text(stem), file.into())]).into()],
    );
    draft.note(
        Status::Approximated,
        "package",
        format!("the package's own name is guessed to be `{stem}`"),
    );
}

/// Only an update of the list, or of everything.
fn without_name(draft: &mut Draft<'_>, refresh: Option<bool>, upgrade: bool) {
    draft.args.clear();
    draft.needless(&["cache_valid_time"]);
    if let Some(Value::String(file)) = draft.take(&["deb"]) {
        sources(draft, &file);
    } else if upgrade {
        draft.function = "pkg.uptodate".to_owned();
        if refresh == Some(true) {
            draft.arg("refresh", true);
        }
    } else {
        draft.function = "module.run".to_owned();
        draft.arg("name", "pkg.refresh_db");
    }
}

fn pip(draft: &mut Draft<'_>) {
    let remove =
        draft.take_text(&["state"]).is_some_and(|state| state == "remove" || state == "absent");
    let latest = draft.operation.params.text("state") == Some("upgrade");
    draft.function = if remove { "pip.removed" } else { "pip.installed" }.to_owned();
    match draft.take(&["package", "name"]) {
        Some(Value::List(items)) => draft.arg("pkgs", items),
        Some(name) => match draft.take_text(&["version"]) {
            Some(version) => {
                draft.arg("name", format!("{}=={version}", name.to_text().unwrap_or_default()))
            }
            None => draft.arg("name", name),
        },
        None => {}
    }
    draft.pass("requirements", &["requirements"]);
    draft.pass("bin_env", &["virtualenv", "executable"]);
    draft.pass("editable", &["editable"]);
    draft.pass("cwd", &["chdir"]);
    if latest {
        draft.arg("upgrade", true);
    }
    if draft.take(&["extra_args"]).is_some() {
        draft.note(
            Status::Lost,
            "extra_args",
            "options of the pip command have no single argument in Salt",
        );
    }
    draft.approximated(
        "virtualenv_command",
        "the virtual environment must exist: add virtualenv.managed",
    );
    draft.approximated(
        "virtualenv_python",
        "the virtual environment must exist: add virtualenv.managed",
    );
    draft.approximated(
        "virtualenv_site_packages",
        "the virtual environment must exist: add virtualenv.managed",
    );
}

fn npm(draft: &mut Draft<'_>) {
    let remove =
        draft.take_text(&["state"]).is_some_and(|state| state == "remove" || state == "absent");
    let global = draft.take_flag(&["global"]).unwrap_or(false);
    let path = draft.take(&["path"]);
    let name = draft.take(&["package", "name"]);
    let version = draft.take_text(&["version"]);
    match (&name, remove) {
        (None, _) => {
            draft.function = "npm.bootstrap".to_owned();
            if let Some(path) = path {
                draft.arg("name", path);
            }
        }
        (Some(name), remove) => {
            draft.function = if remove { "npm.removed" } else { "npm.installed" }.to_owned();
            match version {
                Some(version) => {
                    draft.arg("name", format!("{}@{version}", name.to_text().unwrap_or_default()))
                }
                None => draft.arg("name", name.clone()),
            }
            if let Some(path) = path.filter(|_| !global) {
                draft.arg("dir", path);
            }
        }
    }
    draft.pass("registry", &["registry"]);
    if draft.take_flag(&["ci", "production"]) == Some(true) {
        draft.note(
            Status::Approximated,
            "production",
            "npm.bootstrap installs what package.json names, development packages included",
        );
    }
}

fn repository(draft: &mut Draft<'_>, function: &str) {
    function.clone_into(&mut draft.function);
    draft.needless(&["state"]);
    let name = draft.take(&["name", "package"]);
    if let Some(name) = name {
        draft.arg("name", name);
    }
    draft.pass("humanname", &["description"]);
    draft.pass("baseurl", &["baseurl"]);
    draft.pass("mirrorlist", &["mirrorlist"]);
    draft.pass("gpgkey", &["gpgkey"]);
    for (salt, names) in [("gpgcheck", ["gpgcheck"]), ("enabled", ["enabled"])] {
        if let Some(flag) = draft.take_flag(&names) {
            draft.arg(salt, i64::from(flag));
        }
    }
    if let Some(name) = draft.take_text(&["filename"]) {
        if draft.operation.params.text("name").is_some_and(|name| name.starts_with("deb")) {
            draft.arg("file", format!("/etc/apt/sources.list.d/{name}.list"));
        } else {
            draft.note(
                Status::Approximated,
                "filename",
                "Salt names the file after the repository",
            );
        }
    }
    draft.pass_flag("refresh", &["update_cache"]);
}
