//! Figures as lines in an SVG file.

use std::path::Path;

use anyhow::{Result, anyhow};
use plotters::prelude::{
    ChartBuilder, Circle, IntoDrawingArea, IntoLogRange, LineSeries, PathElement, RGBColor, SVGBackend, WHITE,
};
use plotters::style::Color;

const SIZE: (u32, u32) = (720, 420);
/// Told apart also by those who see few colours.
const COLOURS: [RGBColor; 5] = [
    RGBColor(0, 114, 178),
    RGBColor(213, 94, 0),
    RGBColor(110, 110, 110),
    RGBColor(0, 158, 115),
    RGBColor(204, 121, 167),
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
        let mut chart = ChartBuilder::on(&area)
            .caption(&self.title, ("sans-serif", 18))
            .margin(12)
            .x_label_area_size(36)
            .y_label_area_size(56)
            .build_cartesian_2d(
                range(&mut points().map(|(x, _)| x)).log_scale(),
                range(&mut points().map(|(_, y)| y)).log_scale(),
            )?;
        chart.configure_mesh().x_desc(self.across).y_desc(self.up).light_line_style(WHITE).draw()?;
        for ((name, points), colour) in self.lines.iter().zip(COLOURS.iter().cycle()) {
            let style = colour.stroke_width(2);
            chart
                .draw_series(LineSeries::new(points.iter().copied(), style))?
                .label(name)
                .legend(move |(x, y)| PathElement::new(vec![(x, y), (x + 18, y)], style));
            chart.draw_series(points.iter().map(|point| Circle::new(*point, 3, colour.filled())))?;
        }
        chart
            .configure_series_labels()
            .background_style(WHITE.mix(0.8))
            .border_style(RGBColor(200, 200, 200))
            .draw()?;
        area.present()?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
