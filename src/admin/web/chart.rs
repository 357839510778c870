//! Charts, drawn by the server: SVG in the page's own colours, with words for those who do not see them, and the numbers as a
//! table. No script, and no style outside the style sheet.

use std::fmt::Write as _;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use maud::{Markup, html};

/// The drawing, in its own units.
const WIDTH: f64 = 720.0;
const HEIGHT: f64 = 220.0;
/// Room for the numbers at the left, and for the hours below.
const LEFT: f64 = 76.0;
const BELOW: f64 = 30.0;
const ABOVE: f64 = 10.0;

/// Numbers over time.
pub struct Series<'a> {
    /// What they are.
    pub words: &'a str,
    /// The class that gives them their colour.
    pub class: &'a str,
    /// One for each part of the time; none where there is nothing to say.
    pub values: Vec<Option<f64>>,
}

/// How numbers are drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// Columns, on top of each other.
    Columns,
    /// Lines.
    Lines,
}

/// A chart.
pub struct Chart<'a> {
    /// A name that no other chart of the page has.
    pub id: &'a str,
    /// What it shows.
    pub title: &'a str,
    /// The same in a sentence, with the numbers that matter.
    pub words: String,
    /// How.
    pub form: Form,
    /// What.
    pub series: Vec<Series<'a>>,
    /// When each part begins, in minutes since 1970.
    pub times: Vec<u64>,
    /// The least that the scale reaches to.
    pub least: f64,
    /// A number with its unit.
    pub unit: fn(f64) -> String,
}

impl Chart<'_> {
    /// The figure: drawing, legend and table.
    pub fn draw(&self) -> Markup {
        let top = self.top();
        let [title, words] = ["title", "words"].map(|part| format!("{}-{part}", self.id));
        html! {
            figure.chart {
                figcaption { h3 { (self.title) } (self.legend()) }
                svg viewBox=(format!("0 0 {WIDTH} {HEIGHT}")) role="img" aria-labelledby=(format!("{title} {words}")) {
                    title id=(title) { (self.title) }
                    desc id=(words) { (self.words) }
                    (self.grid(top))
                    @match self.form { Form::Columns => (self.columns(top)), Form::Lines => (self.lines(top)) }
                }
                p.hint { (self.words) }
                (self.table())
            }
        }
    }

    fn legend(&self) -> Markup {
        html! {
            @if self.series.len() > 1 {
                ul.legend { @for series in &self.series { li { span class={ "swatch " (series.class) } {} (series.words) } } }
            }
        }
    }

    /// Where the scale ends: a round number.
    fn top(&self) -> f64 {
        let value = |series: &Series<'_>, part: usize| series.values.get(part).copied().flatten().unwrap_or_default();
        let parts = 0..self.times.len();
        let most = match self.form {
            Form::Columns => parts.map(|part| self.series.iter().map(|series| value(series, part)).sum()).fold(0.0, f64::max),
            Form::Lines => self.series.iter().flat_map(|series| series.values.iter().flatten().copied()).fold(0.0, f64::max),
        };
        round(most.max(self.least))
    }

    fn x(&self, part: f64) -> f64 {
        LEFT + (WIDTH - LEFT) * part / (self.times.len().max(1) as f64)
    }

    /// The numbers at the left with their lines, and every fourth hour below.
    fn grid(&self, top: f64) -> Markup {
        html! {
            @for share in [0.0, 0.5, 1.0] {
                @let height = y(share);
                line.rule x1=(LEFT) x2=(WIDTH) y1=(number(height)) y2=(number(height)) {}
                text.scale x=(LEFT - 8.0) y=(number(height + 5.0)) text-anchor="end" { ((self.unit)(top * share)) }
            }
            @for (part, at) in self.times.iter().enumerate().filter(|(_, at)| **at % 240 == 0) {
                text.scale x=(number(self.x(part as f64))) y=(HEIGHT - 6.0) text-anchor="middle" { (clock(*at)) }
            }
        }
    }

    fn columns(&self, top: f64) -> Markup {
        let width = ((self.x(1.0) - self.x(0.0)) * 0.8).max(1.0);
        html! {
            @for part in 0..self.times.len() {
                @let values: Vec<f64> = self.series.iter().map(|series| series.values.get(part).copied().flatten().unwrap_or_default()).collect();
                @if values.iter().any(|value| *value > 0.0) {
                    g {
                        title { (self.words_of(part)) }
                        @for (index, series) in self.series.iter().enumerate() {
                            @let below: f64 = values.iter().take(index).sum();
                            @let value = values.get(index).copied().unwrap_or_default();
                            @if value > 0.0 {
                                // What is not nothing can be seen.
                                @let height = (y(below / top) - y((below + value) / top)).max(1.0);
                                rect class=(series.class) x=(number(self.x(part as f64))) width=(number(width)) y=(number(y(below / top) - height)) height=(number(height)) {}
                            }
                        }
                    }
                }
            }
        }
    }

    fn lines(&self, top: f64) -> Markup {
        html! {
            @for series in &self.series {
                path class={ "line " (series.class) } d=(self.path(series, top)) {}
            }
        }
    }

    /// A line with gaps where there is nothing to say; a point that stands alone is a short dash.
    fn path(&self, series: &Series<'_>, top: f64) -> String {
        let mut path = String::new();
        let mut drawn = false;
        for (part, value) in series.values.iter().enumerate() {
            if let Some(value) = value {
                let (x, height) = (self.x(part as f64 + 0.5), y(value / top));
                // A String takes whatever is written to it.
                let _ = if drawn { write!(path, "L{x:.1} {height:.1}") } else { write!(path, "M{:.1} {height:.1}h6", x - 3.0) };
            }
            drawn = value.is_some();
        }
        path
    }

    fn words_of(&self, part: usize) -> String {
        let at = self.times.get(part).copied().unwrap_or_default();
        let of = |series: &Series<'_>| {
            Some(format!("{} {}", (self.unit)(series.values.get(part).copied().flatten()?), series.words.to_lowercase()))
        };
        let values: Vec<String> = self.series.iter().filter_map(of).collect();
        format!("{}: {}", clock(at), values.join(", "))
    }

    /// The numbers, for those who want them, without the parts of which there is nothing to say.
    fn table(&self) -> Markup {
        let told =
            |part: &usize| self.series.iter().any(|series| series.values.get(*part).copied().flatten().is_some_and(|value| value > 0.0));
        html! {
            details.more {
                summary { "As a table" }
                div.scroll tabindex="0" role="region" aria-label=(format!("{}, as a table", self.title)) {
                    table {
                        thead { tr { th scope="col" { "From" } @for series in &self.series { th scope="col" { (series.words) } } } }
                        tbody {
                            @for part in (0..self.times.len()).rev().filter(told) {
                                tr {
                                    th scope="row" { (clock(self.times.get(part).copied().unwrap_or_default())) }
                                    @for series in &self.series { td.number { @if let Some(value) = series.values.get(part).copied().flatten() { ((self.unit)(value)) } } }
                                }
                            }
                        }
                    }
                }
            }
        }
    }
}

/// The height of a share of the scale.
fn y(share: f64) -> f64 {
    ABOVE + (HEIGHT - ABOVE - BELOW) * (1.0 - share)
}

/// The next of 1, 2 and 5, times a power of ten.
fn round(value: f64) -> f64 {
    let power = 10f64.powf(value.max(f64::MIN_POSITIVE).log10().floor());
    [1.0, 2.0, 5.0, 10.0].into_iter().map(|step| step * power).find(|step| *step >= value).unwrap_or(value)
}

fn number(value: f64) -> String {
    format!("{value:.1}")
}

/// The time of day of a minute, UTC.
fn clock(minute: u64) -> String {
    let at = i64::try_from(minute * 60).ok().and_then(|seconds| Timestamp::from_second(seconds).ok()).unwrap_or_default();
    at.to_zoned(TimeZone::UTC).strftime("%H:%M").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scales_end_at_round_numbers() {
        for (most, top) in [(1.0, 1.0), (1.1, 2.0), (3.0, 5.0), (70.0, 100.0), (0.03, 0.05), (5000.0, 5000.0)] {
            assert!((round(most) - top).abs() < top / 1e6, "{most}: {}", round(most));
        }
    }

    #[test]
    fn a_line_breaks_where_nothing_is_known() {
        let series = Series { words: "x", class: "x", values: vec![Some(0.0), Some(1.0), None, Some(1.0)] };
        let times = vec![0, 10, 20, 30];
        let chart = Chart {
            id: "x",
            title: "X",
            words: String::new(),
            form: Form::Lines,
            series: vec![series],
            times,
            least: 1.0,
            unit: |value| value.to_string(),
        };
        let drawn = chart.draw().into_string();
        assert_eq!(drawn.matches('M').count(), 2, "{drawn}");
        assert!(!drawn.contains("style="), "{drawn}");
    }
}
