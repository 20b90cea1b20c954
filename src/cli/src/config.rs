//! Shows settings: those in effect, or all there are.

use crate::args::ConfigCommand;
use crate::cluster::{self, Setting};
use crate::failure::Outcome;
use crate::output::{Ui, table, words};
use serde_json::json;

/// Runs one of the `config` commands.
///
/// # Errors
/// `Invalid` when a source holds a setting that is unknown or out of its bounds.
pub(crate) fn run(command: &ConfigCommand, ui: &Ui) -> Outcome<()> {
    match command {
        ConfigCommand::Show { config } => {
            let settings = cluster::settings_in_effect(config.as_deref())?;
            ui.result(
                &json!({ "settings": settings }),
                settings_table(settings.clone()),
            )
        }
        ConfigCommand::Default => {
            let file = cluster::default_settings_file()?;
            ui.result(&json!({ "toml": file }), file.trim_end())
        }
    }
}

fn settings_table(settings: Vec<Setting>) -> String {
    let row = |setting: Setting| [setting.name, setting.value, setting.source];
    let rows: Vec<_> = settings.into_iter().map(row).collect();
    table([words("SETTING"), words("VALUE"), words("FROM")], &rows)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_setting_stands_beside_where_it_came_from() {
        let setting = |name: &str, value: &str, source: &str| Setting {
            name: name.to_owned(),
            value: value.to_owned(),
            source: source.to_owned(),
        };
        let settings = vec![
            setting("limits.call_time", "60s", "default"),
            setting("http.listen", "127.0.0.1:8080", "flag"),
        ];
        let expected = "\
SETTING           VALUE           FROM
limits.call_time  60s             default
http.listen       127.0.0.1:8080  flag";
        assert_eq!(settings_table(settings), expected);
    }
}
