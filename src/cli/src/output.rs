//! Two streams: what was asked for on stdout, everything else on stderr.

use crate::args::{Color, Format, Global};
use crate::failure::{Failure, Outcome};
use clap::builder::styling::{AnsiColor, Style};
use comfy_table::{CellAlignment, Table, presets};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressFinish, ProgressStyle};
use serde::Serialize;
use std::fmt::Display;
use std::io::{self, IsTerminal, Write};

/// What the person at the other end sees.
#[derive(Debug)]
pub(crate) struct Ui {
    format: Format,
    verbose: bool,
    quiet: bool,
    colors: bool,
}

impl Ui {
    pub(crate) fn new(global: &Global) -> Self {
        let colors = match global.color {
            Color::Always => true,
            Color::Never => false,
            Color::Auto => !global.no_color && io::stderr().is_terminal(),
        };
        Self {
            format: global.output,
            verbose: global.verbose,
            quiet: global.quiet,
            colors,
        }
    }

    /// Only the form of the output is known: the command line could not be read.
    pub(crate) fn plain(format: Format) -> Self {
        Self {
            format,
            verbose: false,
            quiet: false,
            colors: false,
        }
    }

    /// Whether stdout gets one document and nothing else.
    pub(crate) fn is_json(&self) -> bool {
        self.format == Format::Json
    }

    /// The one document.
    pub(crate) fn document(&self, document: &impl Serialize) -> Outcome<()> {
        let mut text = serde_json::to_vec_pretty(document)
            .map_err(|error| Failure::from(anyhow::Error::new(error)))?;
        text.push(b'\n');
        self.raw(&text)
    }

    /// The document as JSON, or the text for people.
    pub(crate) fn result(&self, document: &impl Serialize, text: impl Display) -> Outcome<()> {
        match self.format {
            Format::Json => self.document(document),
            Format::Table => self.raw(format!("{text}\n").as_bytes()),
        }
    }

    /// Bytes on stdout.
    pub(crate) fn raw(&self, bytes: &[u8]) -> Outcome<()> {
        let mut stdout = io::stdout().lock();
        stdout
            .write_all(bytes)
            .and_then(|()| stdout.flush())
            .map_err(|error| Failure::stdout(&error))
    }

    /// Something worth knowing, on stderr.
    pub(crate) fn note(&self, text: impl Display) {
        if !self.quiet {
            say(text);
        }
    }

    /// Something that was asked for and is no result, on stderr even when quiet.
    pub(crate) fn tell(&self, text: impl Display) {
        say(text);
    }

    /// Something that only the curious want to know, on stderr.
    pub(crate) fn detail(&self, text: impl Display) {
        if self.verbose {
            say(text);
        }
    }

    /// A failure: a document on stdout as JSON, else one line for each thing to know on stderr.
    pub(crate) fn failure(&self, failure: &Failure) {
        if failure.is_silent() {
            return;
        }
        if self.is_json() {
            let document = serde_json::json!({ "error": failure.report() });
            // Nobody can be told that stdout is gone; the exit code still tells of the failure itself.
            if self.document(&document).is_err() {
                self.tell(&failure.report().message);
            }
            return;
        }
        let report = failure.report();
        for (title, text) in [
            ("printed:\n", &report.stdout),
            ("output:\n", &report.output),
        ] {
            if let Some(text) = text.as_deref().filter(|text| !text.is_empty()) {
                say(format_args!("{}{}", self.dim(title), text.trim_end()));
            }
        }
        if let Some(printed) = report.stderr.as_deref().filter(|text| !text.is_empty()) {
            say(printed.trim_end());
        }
        say(format_args!("{} {}", self.red("error:"), report.message));
        if let Some(call) = &report.call_id {
            self.detail(format_args!("{} {call}", self.dim("call: ")));
        }
        if let Some(hint) = &report.hint {
            say(format_args!("{}  {hint}", self.dim("hint:")));
        }
    }

    /// Where progress is drawn: on a terminal, and nowhere else.
    fn progress_target(&self) -> ProgressDrawTarget {
        match self.quiet || !io::stderr().is_terminal() {
            true => ProgressDrawTarget::hidden(),
            false => ProgressDrawTarget::stderr(),
        }
    }

    /// Progress of a job, in objects, with a message of its own.
    pub(crate) fn job_progress(&self) -> ProgressBar {
        let style = ProgressStyle::with_template("{bar:30} {wide_msg}");
        ProgressBar::with_draw_target(Some(0), self.progress_target())
            .with_style(style.expect("the template is well formed"))
            .with_finish(ProgressFinish::AndClear)
    }

    /// Progress of a transfer; drawn only on a terminal.
    pub(crate) fn progress(&self, label: &str, bytes: Option<u64>) -> ProgressBar {
        let target = self.progress_target();
        let (bar, template) = match bytes {
            Some(bytes) => (
                ProgressBar::with_draw_target(Some(bytes), target),
                "{prefix} {bar:30} {binary_bytes} of {binary_total_bytes}, {binary_bytes_per_sec}, {eta} left",
            ),
            None => (
                ProgressBar::with_draw_target(None, target),
                "{prefix} {spinner} {binary_bytes}, {binary_bytes_per_sec}",
            ),
        };
        let style = ProgressStyle::with_template(template).expect("the template is well formed");
        bar.set_style(style);
        bar.with_prefix(label.to_owned())
            .with_finish(ProgressFinish::AndClear)
    }

    pub(crate) fn red(&self, text: &str) -> String {
        self.styled(text, AnsiColor::Red.on_default().bold())
    }

    pub(crate) fn yellow(&self, text: &str) -> String {
        self.styled(text, AnsiColor::Yellow.on_default())
    }

    pub(crate) fn dim(&self, text: &str) -> String {
        self.styled(text, Style::new().dimmed())
    }

    fn styled(&self, text: &str, style: Style) -> String {
        match self.colors {
            true => format!("{style}{text}{style:#}"),
            false => text.to_owned(),
        }
    }
}

/// A line on stderr. When stderr is gone there is nobody left to tell.
fn say(text: impl Display) {
    let _gone = writeln!(io::stderr().lock(), "{text}");
}

/// A table without lines: columns in upper case, numbers to the right. Grepped and cut as easily as read.
pub(crate) fn table<const N: usize>(columns: [Column; N], rows: &[[String; N]]) -> String {
    let mut table = Table::new();
    table.load_preset(presets::NOTHING);
    table.set_header(columns.map(|column| column.title));
    for (column, about) in table.column_iter_mut().zip(columns) {
        column.set_padding((0, 2));
        if about.is_number {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    for row in rows {
        table.add_row(row);
    }
    table.trim_fmt()
}

/// A column of a table.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Column {
    title: &'static str,
    is_number: bool,
}

/// A column of words.
pub(crate) const fn words(title: &'static str) -> Column {
    Column {
        title,
        is_number: false,
    }
}

/// A column of numbers.
pub(crate) const fn number(title: &'static str) -> Column {
    Column {
        title,
        is_number: true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_has_no_lines_and_no_spaces_at_the_end() {
        let rows = [["a", "5", "x y"], ["long-name", "1000", "z"]].map(|row| row.map(String::from));
        let text = table([words("NAME"), number("SIZE"), words("NOTE")], &rows);
        let expected = "\
NAME       SIZE  NOTE
a             5  x y
long-name  1000  z";
        assert_eq!(text, expected);
    }

    #[test]
    fn colours_are_marks_around_the_text_or_absent() {
        let mut ui = Ui::plain(Format::Table);
        assert_eq!(ui.red("error:"), "error:");
        ui.colors = true;
        assert!(ui.red("error:").contains("error:\u{1b}[0m"));
    }
}
