//! Figures as lines in an SVG file.

use std::path::Path;

use anyhow::{Result, anyhow};
use plotters::prelude::{
    ChartBuilder, Circle, IntoDrawingArea, IntoFont, IntoLogRange, LineSeries, PathElement, RGBColor,
    SVGBackend, Text, WHITE,
};
use plotters::style::Color;

const SIZE: (u32, u32) = (840, 420);
/// What is left for the lines themselves; their names stand to the right of it.
const LINES_WIDTH: u32 = 710;
/// Told apart also by those who see few colours; as many as the lines of any picture.
const COLOURS: [RGBColor; 6] = [
    RGBColor(0, 114, 178),
    RGBColor(213, 94, 0),
    RGBColor(110, 110, 110),
    RGBColor(0, 158, 115),
    RGBColor(204, 121, 167),
    RGBColor(230, 159, 0),
];

/// Each contender's points by its name.
pub type Lines = Vec<(String, Vec<(f64, f64)>)>;

/// What a picture shows.
#[derive(Clone, Debug)]
pub struct Picture {
    /// Its file, without the ending.
    pub file: &'static str,
    /// What stands above it.
    pub title: String,
    /// What is told apart from left to right.
    pub across: &'static str,
    /// What is measured, with its unit.
    pub up: &'static str,
    /// The points, all above zero, for both axes are logarithmic.
    pub lines: Lines,
}

impl Picture {
    /// Draws it into `directory`.
    pub fn draw(&self, directory: &Path) -> Result<()> {
        self.draw_into(&directory.join(format!("{}.svg", self.file)))
            .map_err(|error| anyhow!("drawing {}: {error}", self.file))
    }

    fn draw_into(&self, path: &Path) -> Result<(), Box<dyn std::error::Error>> {
        let points = || self.lines.iter().flat_map(|(_, points)| points).copied();
        let range = |values: &mut dyn Iterator<Item = f64>| {
            let (least, most) = values.fold((f64::INFINITY, 0.0_f64), |(a, b), v| (a.min(v), b.max(v)));
            (least / 1.2)..(most * 1.2)
        };
        let area = SVGBackend::new(path, SIZE).into_drawing_area();
        area.fill(&WHITE)?;
        let (left, right) = area.split_horizontally(LINES_WIDTH);
        let mut chart = ChartBuilder::on(&left)
            .caption(&self.title, ("sans-serif", 18))
            .margin(12)
            .x_label_area_size(36)
            .y_label_area_size(56)
            .build_cartesian_2d(
                range(&mut points().map(|(x, _)| x)).log_scale(),
                range(&mut points().map(|(_, y)| y)).log_scale(),
            )?;
        chart
            .configure_mesh()
            .x_desc(self.across)
            .y_desc(self.up)
            .x_label_formatter(&|value| short(*value))
            .y_label_formatter(&|value| short(*value))
            .light_line_style(WHITE)
            .draw()?;
        let mut height = 48;
        for ((name, points), colour) in self.lines.iter().zip(COLOURS.iter().cycle()) {
            let style = colour.stroke_width(2);
            chart.draw_series(LineSeries::new(points.iter().copied(), style))?;
            chart.draw_series(points.iter().map(|point| Circle::new(*point, 3, colour.filled())))?;
            right.draw(&PathElement::new(vec![(0, height), (18, height)], style))?;
            right.draw(&Text::new(name.as_str(), (24, height - 6), ("sans-serif", 12).into_font()))?;
            height += 20;
        }
        area.present()?;
        Ok(())
    }
}

/// A number on an axis: 0.1, 10, 10k, 1M.
fn short(value: f64) -> String {
    let (shown, unit) = match value {
        value if value >= 1e6 => (value / 1e6, "M"),
        value if value >= 1e3 => (value / 1e3, "k"),
        value => (value, ""),
    };
    format!("{}{unit}", (shown * 1000.0).round() / 1000.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_on_an_axis_are_short() {
        assert_eq!([0.1, 1.0, 100.0, 10_000.0, 1e6].map(short), ["0.1", "1", "100", "10k", "1M"]);
    }

    #[test]
    fn a_picture_names_its_axes_and_its_lines() {
        let directory = tempfile::tempdir().expect("a directory");
        let picture = Picture {
            file: "cost",
            title: "Cost by batch".into(),
            across: "bytes",
            up: "CPU s/GB",
            lines: vec![("headwater".into(), vec![(100.0, 3.0), (1000.0, 1.0)])],
        };
        picture.draw(directory.path()).expect("a picture");
        let text = std::fs::read_to_string(directory.path().join("cost.svg")).expect("a file");
        for wanted in ["Cost by batch", "bytes", "CPU s/GB", "headwater", "polyline"] {
            assert!(text.contains(wanted), "{wanted} is not in the picture");
        }
    }
}
