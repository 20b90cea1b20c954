//! What this machine has, what it is for, and how to get what is missing.

mod check;
mod gateway;
mod machine;
mod servers;
mod toolchain;

pub(crate) use toolchain::{C_PACKAGES, RUST_TARGET};

use crate::args::DoctorArgs;
use crate::client::Client;
use crate::failure::Outcome;
use crate::output::Ui;
use check::{Check, Status};
use ganglion_types::ErrorKind;
use serde_json::json;

/// Checks everything and prints it. Gives the exit code: 0, or that of `Unavailable` when something that is required is
/// missing.
///
/// # Errors
/// Only when stdout cannot be written: what is missing is a result.
pub(crate) async fn run(args: &DoctorArgs, client: &Client, ui: &Ui) -> Outcome<u8> {
    let mut checks = machine::checks(&args.data);
    checks.extend(toolchain::checks());
    checks.extend(servers::checks());
    checks.extend(gateway::checks(client, ui).await);
    let healthy = !checks.iter().any(Check::is_fatal);
    let document = json!({ "healthy": healthy, "checks": checks });
    ui.result(&document, report(&checks, ui))?;
    match healthy {
        true => Ok(0),
        false => Ok(ErrorKind::Unavailable.exit_code()),
    }
}

fn report(checks: &[Check], ui: &Ui) -> String {
    let lines: Vec<String> = checks.iter().map(|check| check.line(ui)).collect();
    let count = |status| checks.iter().filter(|check| check.status == status).count();
    let (warned, missing) = (count(Status::Warn), count(Status::Missing));
    let sum = match (warned, missing) {
        (0, 0) => "everything is here".to_owned(),
        _ if checks.iter().any(Check::is_fatal) => "Ganglion cannot run here yet".to_owned(),
        _ => format!("Ganglion runs here; {warned} to look at, {missing} missing for some uses"),
    };
    format!("{}\n\n{sum}", lines.join("\n"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::args::Format;

    #[test]
    fn a_report_says_what_is_missing_what_for_and_what_to_do() {
        let checks = [
            Check::ok("kernel", "6.18.44", "resets of instances in microseconds"),
            Check::warn(
                "open files",
                "1024",
                "connections and objects",
                "ulimit -n 65536",
            ),
            Check::missing(
                "clang",
                "not found",
                "building C functions",
                "apt-get install clang-19",
            ),
        ];
        let expected = "\
ok       kernel         6.18.44
warn     open files     1024
                        for connections and objects
                        -> ulimit -n 65536
missing  clang          not found
                        for building C functions
                        -> apt-get install clang-19

Ganglion runs here; 1 to look at, 1 missing for some uses";
        assert_eq!(report(&checks, &Ui::plain(Format::Table)), expected);
    }

    #[test]
    fn only_what_is_required_is_fatal() {
        let missing = Check::missing("clang", "not found", "building", "install it");
        assert!(!missing.is_fatal());
        assert!(missing.required().is_fatal());
        assert!(!Check::ok("disk", "9 GiB", "objects").required().is_fatal());
    }
}
