//! A table's rows as text, taken when somebody asks for them in the table's menu: all rows, the columns that are shown, in the order shown.

use std::sync::Arc;

use egui::{Context, Id};

use super::table::{Column, Span};
use crate::monitor::files::Sheet;

fn id() -> Id {
    Id::unique("exported table")
}

/// Puts a table where the window finds it at the end of the frame.
pub(super) fn put(ctx: &Context, name: &str, columns: &[Column], spans: &[Span], rows: Vec<Vec<String>>) {
    let shown = columns.iter().zip(spans).enumerate().filter(|(_, (_, span))| span.is_some());
    let title = |(index, (column, _)): (usize, (&Column, &Span))| match column.name {
        "" => format!("Column {}", index + 1),
        name => name.to_owned(),
    };
    let columns = shown.map(title).collect();
    // Numbers stand there as people read them; programs want them without commas.
    let rows = rows.into_iter().map(|row| row.into_iter().map(plain).collect()).collect();
    let sheet = Arc::new(Sheet { name: name.to_owned(), columns, rows });
    ctx.data_mut(|data| data.insert_temp(id(), sheet));
}

/// The table that somebody wants as a file.
pub fn take(ctx: &Context) -> Option<Arc<Sheet>> {
    ctx.data_mut(|data| data.remove_temp(id()))
}

/// `12,400` is `12400`; anything else stays.
fn plain(cell: String) -> String {
    let digits = cell.strip_prefix('-').unwrap_or(&cell);
    let is_grouped = digits.contains(',')
        && digits.split(',').enumerate().all(|(index, group)| {
            let fits = if index == 0 { (1..=3).contains(&group.len()) } else { group.len() == 3 };
            fits && group.bytes().all(|byte| byte.is_ascii_digit())
        });
    if is_grouped { cell.replace(',', "") } else { cell }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn grouped_numbers_lose_their_commas_and_nothing_else_does() {
        for (cell, expected) in [
            ("12,400", "12400"),
            ("-1,234,567", "-1234567"),
            ("1,2,3", "1,2,3"),
            ("1,234", "1234"),
            ("a,b", "a,b"),
            ("1,23", "1,23"),
            ("7", "7"),
            (",123", ",123"),
        ] {
            assert_eq!(plain(cell.into()), expected);
        }
    }
}
