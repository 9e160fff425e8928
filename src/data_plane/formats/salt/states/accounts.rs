//! Users, groups and their keys.

use super::super::draft::Draft;
use crate::data_plane::report::Status;
use crate::semantic::Kind;

pub(super) fn fill(kind: Kind, draft: &mut Draft<'_>) -> bool {
    match kind {
        Kind::UserCreate => user(draft),
        Kind::UserDelete => {
            name(draft, "user.absent");
            draft.pass_flag("purge", &["remove"]);
            draft.pass_flag("force", &["force"]);
            draft.needless(&["shell", "home", "groups", "uid", "gid"]);
        }
        Kind::GroupCreate => {
            name(draft, "group.present");
            draft.pass("gid", &["gid"]);
            draft.pass_flag("system", &["system"]);
            draft.pass_list("members", &["members"]);
            draft.needless(&["non_unique", "local"]);
        }
        Kind::GroupDelete => {
            name(draft, "group.absent");
            draft.needless(&["gid", "system", "force"]);
        }
        Kind::SshKeyCreate => key(draft, "ssh_auth.present"),
        Kind::SshKeyDelete => key(draft, "ssh_auth.absent"),
        _ => return false,
    }
    true
}

fn name(draft: &mut Draft<'_>, function: &str) {
    function.clone_into(&mut draft.function);
    let name = draft.take(&["name", "user", "title"]);
    draft.arg("name", name);
    draft.needless(&["state"]);
}

fn user(draft: &mut Draft<'_>) {
    name(draft, "user.present");
    draft.pass("shell", &["shell"]);
    draft.pass("home", &["home"]);
    draft.pass_list("groups", &["groups"]);
    draft.pass("uid", &["uid"]);
    draft.pass("gid", &["gid", "group"]);
    draft.pass("fullname", &["comment", "fullname"]);
    draft.pass_flag("createhome", &["create_home", "createhome"]);
    draft.pass_flag("system", &["system"]);
    if draft.operation.metadata.text("source") == Some("ansible")
        && draft.operation.params.present("groups").is_some()
    {
        // Ansible's default takes the user out of other groups; so does Salt's.
        match draft.take_flag(&["append"]) {
            Some(true) => draft.arg("remove_groups", false),
            _ => draft.needless(&["append"]),
        }
    }
    draft.needless(&["append", "move_home", "local", "non_unique"]);
    draft.pass("password", &["password"]);
    if draft.take_text(&["update_password"]).as_deref() == Some("on_create") {
        draft.arg("enforce_password", false);
    }
    draft.pass("expire", &["expires"]);
    for (entry, detail) in [
        ("generate_ssh_key", "make the key by a cmd.run state with ssh-keygen"),
        ("ssh_key_bits", "make the key by a cmd.run state with ssh-keygen"),
        ("ssh_key_file", "make the key by a cmd.run state with ssh-keygen"),
        ("ssh_key_type", "make the key by a cmd.run state with ssh-keygen"),
        ("ssh_key_comment", "make the key by a cmd.run state with ssh-keygen"),
        ("password_lock", "lock the account by a module.run of shadow.lock_password"),
    ] {
        if draft.take(&[entry]).is_some() {
            draft.note(Status::Lost, entry, detail);
        }
    }
}

fn key(draft: &mut Draft<'_>, function: &str) {
    function.clone_into(&mut draft.function);
    let key = draft.take(&["key", "name"]);
    draft.arg("name", key);
    draft.pass("user", &["user"]);
    draft.pass("config", &["path"]);
    draft.pass("comment", &["comment"]);
    draft.pass_list("options", &["key_options"]);
    if draft.take_flag(&["exclusive"]) == Some(true) {
        draft.note(
            Status::Lost,
            "exclusive",
            "other keys stay: use ssh_auth.manage to own all of them",
        );
    }
    draft.needless(&["state", "manage_dir", "follow", "validate_certs"]);
}
