//! The plot: throughput by speed of the link, a panel for each function.

use super::kernel::{Kernel, Way};
use super::report::PlacementReport;
use ganglion_types::{Error, Result};
use plotters::coord::Shift;
use plotters::element::DashedPathElement;
use plotters::prelude::*;
use std::ops::Range;
use std::path::Path;

const SIZE: (u32, u32) = (1320, 540);
const HEADING: i32 = 44;
const LEGEND: i32 = 44;
/// Between the words of the legend.
const LEGEND_STEP: i32 = 184;
const FONT: &str = "sans-serif";
const INK: RGBColor = RGBColor(40, 44, 52);
const FAINT: RGBColor = RGBColor(214, 218, 224);
const LINK: RGBColor = RGBColor(110, 116, 126);
const PROCESSOR: RGBColor = RGBColor(196, 60, 60);
/// Half of the width of a limit's line, in speeds of the link.
const REACH: f64 = 0.4;

type Canvas<'a> = DrawingArea<SVGBackend<'a>, Shift>;
type Drawn = std::result::Result<(), Box<dyn std::error::Error>>;

/// The ways with their colours and names, in the order in which they are drawn.
const WAYS: [(Way, RGBColor, &str); 5] = [
    (Way::Native, RGBColor(120, 160, 60), "native, librados"),
    (Way::Lua, RGBColor(150, 90, 170), "cls_lua"),
    (Way::Off, RGBColor(230, 130, 20), "near-data off"),
    (Way::On, RGBColor(20, 110, 180), "near-data on"),
    (Way::Auto, RGBColor(20, 20, 20), "auto"),
];

/// Writes it as SVG.
pub(super) fn write(report: &PlacementReport, path: &Path) -> Result<()> {
    draw(report, path)
        .map_err(|error| Error::unavailable(format!("the plot {}: {error}", path.display())))
}

fn draw(report: &PlacementReport, path: &Path) -> Drawn {
    let root = SVGBackend::new(path, SIZE).into_drawing_area();
    root.fill(&WHITE)?;
    let (heading, below) = root.split_vertically(HEADING);
    let title = format!(
        "{} objects of {} MiB on {} OSDs: throughput by speed of the compute machine's link",
        report.objects,
        report.object_bytes >> 20,
        report.osds
    );
    heading.draw(&words(title, (20, 14), 20))?;
    let height = i32::try_from(SIZE.1)? - HEADING - LEGEND;
    let (panels, legend) = below.split_vertically(height);
    let range = range(report);
    let panels = panels.split_evenly((1, Kernel::ALL.len()));
    for (panel, kernel) in panels.iter().zip(Kernel::ALL) {
        draw_panel(panel, report, kernel, range.clone())?;
    }
    draw_legend(&legend, report)?;
    root.present()?;
    Ok(())
}

fn words<'a>(text: impl Into<String>, at: (i32, i32), size: i32) -> Text<'a, (i32, i32), String> {
    Text::new(text.into(), at, (FONT, size).into_font().color(&INK))
}

/// From below the least to above the greatest of all panels.
fn range(report: &PlacementReport) -> Range<f64> {
    let cells = report.links.iter().flat_map(|link| &link.cells);
    let limits = report.links.iter().map(|link| link.transport_mb_per_s);
    let all = cells.map(|cell| cell.mb_per_s).chain(limits);
    let (least, greatest) = all.fold((f64::MAX, f64::MIN), |(least, greatest), value| {
        (least.min(value), greatest.max(value))
    });
    least / 1.5..greatest * 1.5
}

/// 1, 2 and 5 of each power of ten.
fn marks(range: &Range<f64>) -> Vec<f64> {
    let powers = (0..6).map(|power| 10_f64.powi(power));
    let marks = powers.flat_map(|power| [1.0, 2.0, 5.0].map(|mark| mark * power));
    marks.filter(|mark| range.contains(mark)).collect()
}

/// The place of a link in a panel.
fn place(link: usize) -> f64 {
    f64::from(u32::try_from(link).unwrap_or(u32::MAX))
}

fn draw_panel(
    panel: &Canvas<'_>,
    report: &PlacementReport,
    kernel: Kernel,
    range: Range<f64>,
) -> Drawn {
    let links = report.links.len();
    let places: Vec<f64> = (0..links).map(place).collect();
    let names: Vec<String> = report
        .links
        .iter()
        .map(|link| link.speed.to_string())
        .collect();
    let across = -0.5..place(links) - 0.5;
    let marks = marks(&range);
    let mut chart = ChartBuilder::on(panel)
        .margin_left(8)
        .margin_right(12)
        .caption(kernel.as_str(), (FONT, 18).into_font().color(&INK))
        .x_label_area_size(34)
        .y_label_area_size(64)
        .build_cartesian_2d(across.clone(), range.log_scale().with_key_points(marks))?;
    let name = |at: &f64| {
        let near = places.iter().position(|place| (place - at).abs() < 0.1);
        near.map_or_else(String::new, |link| names[link].clone())
    };
    chart
        .configure_mesh()
        .light_line_style(TRANSPARENT)
        .bold_line_style(FAINT)
        .axis_style(INK)
        .label_style((FONT, 14).into_font().color(&INK))
        .y_desc("object bytes gone over, MB/s")
        .disable_x_mesh()
        // At halves; only the whole ones have a name.
        .x_labels(2 * links + 1)
        .x_label_formatter(&name)
        .y_label_formatter(&|rate| format!("{rate:.0}"))
        .draw()?;
    for (link, row) in report.links.iter().enumerate() {
        let across = |rate| [(place(link) - REACH, rate), (place(link) + REACH, rate)];
        let line = |rate, dash, colour: RGBColor| {
            DashedLineSeries::new(across(rate), dash, 4, colour.stroke_width(2))
        };
        chart.draw_series(line(row.transport_mb_per_s, 5, LINK))?;
        if let Some(memory) = row.cell(kernel, Way::Memory) {
            chart.draw_series(line(memory.mb_per_s, 9, PROCESSOR))?;
        }
    }
    for (way, colour, _) in WAYS {
        let points: Vec<(f64, f64)> = report
            .links
            .iter()
            .enumerate()
            .filter_map(|(link, row)| Some((place(link), row.cell(kernel, way)?.mb_per_s)))
            .collect();
        let line = match way {
            // Its rings lie on the points of what it chose.
            Way::Auto => TRANSPARENT.stroke_width(1),
            _ => colour.stroke_width(2),
        };
        chart.draw_series(LineSeries::new(points.clone(), line))?;
        chart.draw_series(points.into_iter().map(|point| marker(way, colour, point)))?;
    }
    Ok(())
}

fn marker<C>(way: Way, colour: RGBColor, at: C) -> Circle<C, u32> {
    match way {
        Way::Auto => Circle::new(at, 8, colour.stroke_width(2)),
        _ => Circle::new(at, 4, colour.filled()),
    }
}

fn draw_legend(area: &Canvas<'_>, report: &PlacementReport) -> Drawn {
    let mut left = 20;
    for (way, colour, name) in WAYS {
        if way == Way::Lua && report.lua_absent.is_some() {
            continue;
        }
        area.draw(&marker(way, colour, (left, 20)))?;
        area.draw(&words(name, (left + 14, 13), 15))?;
        left += LEGEND_STEP;
    }
    for (colour, dash, name) in [(LINK, 5, "rados bench"), (PROCESSOR, 9, "over memory")] {
        let points = [(left - 8, 20), (left + 18, 20)];
        area.draw(&DashedPathElement::new(
            points,
            dash,
            4,
            colour.stroke_width(2),
        ))?;
        area.draw(&words(name, (left + 26, 13), 15))?;
        left += LEGEND_STEP;
    }
    Ok(())
}
