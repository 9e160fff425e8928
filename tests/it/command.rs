//! Runs the binary in an environment of its own: an empty home, nothing inherited but `PATH`.

use std::path::Path;
use std::process::{Command, Output, Stdio};

/// A home directory and the commands run in it.
pub(crate) struct Home {
    directory: tempfile::TempDir,
}

/// What a finished command left behind.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Home {
    pub(crate) fn new() -> Self {
        Self { directory: tempfile::tempdir().expect("a temporary directory") }
    }

    pub(crate) fn path(&self) -> &Path {
        self.directory.path()
    }

    /// Writes a file below the home directory; gives its path.
    pub(crate) fn file(&self, name: &str, content: &str) -> String {
        let path = self.path().join(name);
        std::fs::write(&path, content).expect("a file in the home directory");
        path.to_str().expect("a path in UTF-8").to_owned()
    }

    /// A program that sees this home and nothing else of the tester's environment.
    pub(crate) fn program(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        command.env_clear().env("HOME", self.path()).current_dir(self.path());
        command.env("PATH", std::env::var_os("PATH").unwrap_or_default());
        command.stdin(Stdio::null());
        command
    }

    /// `erl` of this machine, or of the root that `HAR_OTP_ROOT` names: another OTP release. What is
    /// in this home is not in there.
    pub(crate) fn erl(&self) -> Command {
        let Some(root) = std::env::var_os("HAR_OTP_ROOT") else { return self.program("erl") };
        let mut command = self.program("chroot");
        command.arg(root).args(["/usr/bin/env", "PATH=/usr/bin:/bin", "HOME=/tmp", "erl"]);
        command
    }

    /// The binary under test.
    pub(crate) fn command(&self) -> Command {
        self.program(env!("CARGO_BIN_EXE_har"))
    }

    /// Runs the binary to its end.
    pub(crate) fn har(&self, arguments: &[&str]) -> Outcome {
        self.har_with(&[], arguments)
    }

    /// Runs the binary to its end with variables set.
    pub(crate) fn har_with(&self, variables: &[(&str, &str)], arguments: &[&str]) -> Outcome {
        let mut command = self.command();
        command.envs(variables.iter().copied()).args(arguments);
        Outcome::of(command.output().expect("the binary runs"))
    }
}

impl Outcome {
    pub(crate) fn of(output: Output) -> Self {
        Self {
            code: output.status.code(),
            stdout: String::from_utf8(output.stdout).expect("stdout in UTF-8"),
            stderr: String::from_utf8(output.stderr).expect("stderr in UTF-8"),
        }
    }

    /// Checks that the command failed with `code` and exactly one line, which has all `parts`.
    #[track_caller]
    pub(crate) fn assert_fails(&self, code: i32, parts: &[&str]) {
        assert_eq!(self.code, Some(code), "{self:?}");
        assert_eq!(self.stderr.lines().count(), 1, "one line: {self:?}");
        assert!(self.stderr.starts_with("har: "), "{self:?}");
        for part in parts {
            assert!(self.stderr.contains(part), "{part:?} is not in {self:?}");
        }
    }

    /// Checks that the command worked; gives its output.
    #[track_caller]
    pub(crate) fn assert_works(&self) -> &str {
        assert_eq!(self.code, Some(0), "{self:?}");
        &self.stdout
    }
}
