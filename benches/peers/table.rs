//! Tables in Markdown, and the figures in them.

/// A table that grows line by line.
pub struct Table {
    text: String,
}

impl Table {
    /// The first column is text, the others are figures.
    pub fn new(heads: &[&str]) -> Self {
        let mut table = Self { text: String::new() };
        table.row(heads.iter().map(|head| (*head).to_owned()));
        let rules = heads.iter().enumerate().map(|(at, _)| if at == 0 { "---" } else { "---:" }.to_owned());
        table.row(rules);
        table
    }

    /// Adds a line.
    pub fn row(&mut self, cells: impl IntoIterator<Item = String>) {
        let cells: Vec<String> = cells.into_iter().collect();
        self.text.push_str(&format!("| {} |\n", cells.join(" | ")));
    }

    /// All of it.
    pub fn text(&self) -> &str {
        &self.text
    }
}

/// The middle one, and how far the others are from each other.
#[derive(Debug, Clone, Copy)]
pub struct Spread {
    /// The least.
    pub least: f64,
    /// The middle one.
    pub median: f64,
    /// The greatest.
    pub most: f64,
}

impl Spread {
    /// None of no figures.
    pub fn of(figures: impl IntoIterator<Item = f64>) -> Option<Self> {
        let mut figures: Vec<f64> = figures.into_iter().collect();
        figures.sort_by(f64::total_cmp);
        Some(Self { least: *figures.first()?, median: *figures.get(figures.len() / 2)?, most: *figures.last()? })
    }

    /// Middle one, least and greatest.
    pub fn cell(&self) -> String {
        if self.least >= self.most {
            return format!("**{}**", whole(self.median));
        }
        format!("**{}** ({}–{})", whole(self.median), whole(self.least), whole(self.most))
    }
}

/// A figure that there may not be.
pub fn cell(figure: Option<f64>, digits: usize) -> String {
    figure.map_or_else(|| "–".into(), |figure| format!("{figure:.digits$}"))
}

/// A whole number, its thousands apart.
pub fn whole(figure: f64) -> String {
    let digits = format!("{figure:.0}");
    let groups: Vec<&str> = digits.as_bytes().rchunks(3).rev().map(|group| std::str::from_utf8(group).expect("digits are text")).collect();
    groups.join(",")
}
