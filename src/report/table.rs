//! Tables as commands show them: no frame, columns aligned, two spaces between.

use comfy_table::{Table, presets};

use super::style;

/// A table as text without a final newline; the header is bold where colour is shown.
#[must_use]
pub fn table(headers: &[&str], rows: &[Vec<String>]) -> String {
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    table.set_header(headers.iter().copied());
    for row in rows {
        table.add_row(row.iter().map(|cell| style::clean(cell)));
    }
    for column in table.column_iter_mut() {
        column.set_padding((0, 2));
    }
    let text = table.to_string();
    let mut lines = text.lines().map(str::trim_end);
    let header = lines.next().map(style::strong).unwrap_or_default();
    std::iter::once(header)
        .chain(lines.map(str::to_owned))
        .collect::<Vec<_>>()
        .join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_line_up() {
        let rows = [["db.node@pi1", "up"], ["db.node@pi10", "down"]];
        let rows: Vec<Vec<String>> = rows
            .iter()
            .map(|row| row.iter().map(|cell| (*cell).to_owned()).collect())
            .collect();
        let text = anstream::adapter::strip_str(&table(&["Instance", "State"], &rows)).to_string();
        assert_eq!(
            text,
            "Instance      State\ndb.node@pi1   up\ndb.node@pi10  down"
        );
    }
}
