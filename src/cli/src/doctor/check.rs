//! One line of the doctor's report.

use crate::output::Ui;
use serde::Serialize;
use std::fmt::Write;
use std::process::Command;

/// The first line of what a program says of its version; `None` where it is not installed.
pub(super) fn version(program: &str) -> Option<String> {
    let output = Command::new(program).arg("--version").output().ok()?;
    let text = String::from_utf8_lossy(&output.stdout);
    text.lines().next().map(|line| line.trim().to_owned())
}

/// How it stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Status {
    /// As it should be.
    Ok,
    /// Works, but slower or less than it could.
    Warn,
    /// Not there, or not usable.
    Missing,
}

/// Something that was looked at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Check {
    pub(crate) name: &'static str,
    pub(crate) status: Status,
    /// Whether Ganglion cannot run without it.
    pub(crate) required: bool,
    /// What is there.
    pub(crate) found: String,
    /// What it is for.
    pub(crate) purpose: &'static str,
    /// What to do; absent when nothing is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) remedy: Option<String>,
}

impl Check {
    pub(crate) fn ok(name: &'static str, found: impl Into<String>, purpose: &'static str) -> Self {
        Self {
            name,
            status: Status::Ok,
            required: false,
            found: found.into(),
            purpose,
            remedy: None,
        }
    }

    pub(crate) fn warn(
        name: &'static str,
        found: impl Into<String>,
        purpose: &'static str,
        remedy: impl Into<String>,
    ) -> Self {
        Self {
            status: Status::Warn,
            remedy: Some(remedy.into()),
            ..Self::ok(name, found, purpose)
        }
    }

    /// What may be there, and how to get it otherwise.
    pub(crate) fn of(
        name: &'static str,
        found: Option<String>,
        purpose: &'static str,
        remedy: &str,
    ) -> Self {
        match found {
            Some(found) => Self::ok(name, found, purpose),
            None => Self::missing(name, "not found", purpose, remedy),
        }
    }

    pub(crate) fn missing(
        name: &'static str,
        found: impl Into<String>,
        purpose: &'static str,
        remedy: impl Into<String>,
    ) -> Self {
        Self {
            status: Status::Missing,
            ..Self::warn(name, found, purpose, remedy)
        }
    }

    /// The same, for something that Ganglion cannot run without.
    #[must_use]
    pub(crate) fn required(self) -> Self {
        Self {
            required: true,
            ..self
        }
    }

    /// Whether Ganglion cannot run because of it.
    pub(crate) fn is_fatal(&self) -> bool {
        self.required && self.status == Status::Missing
    }

    /// For people: what is well takes one line, what is not says what it is for and what to do.
    pub(crate) fn line(&self, ui: &Ui) -> String {
        let status = match self.status {
            Status::Ok => "ok       ".to_owned(),
            Status::Warn => ui.yellow("warn     "),
            Status::Missing => ui.red("missing  "),
        };
        let mut line = format!("{status}{:<15}{}", self.name, self.found);
        if let Some(remedy) = &self.remedy {
            let indent = " ".repeat(24);
            write!(line, "\n{indent}for {}\n{indent}-> {remedy}", self.purpose)
                .expect("writing to a string does not fail");
        }
        line
    }
}
