//! Text of any length, of which only the lines in sight are laid out: what a frame costs does not grow with the text.

use std::borrow::Cow;
use std::ops::Range;

use egui::{Align2, Role, Sense, Ui, WidgetInfo, pos2, vec2};

use super::text;
use crate::ui::tokens::{font, palette};

/// A line is as long at least, however narrow the place.
const COLUMNS_MIN: usize = 16;

/// How many letters of fixed width fit beside each other.
pub fn columns(ui: &Ui) -> usize {
    let letter = ui.fonts_mut(|fonts| fonts.glyph_width(&font::mono(), '0'));
    ((ui.available_width() / letter.max(1.0)).floor() as usize).max(COLUMNS_MIN)
}

/// Where the lines of a text stand in it: broken where it breaks itself, and after at most `columns` letters, at a blank if there is one.
pub fn wrap(text: &str, columns: usize) -> Vec<Range<usize>> {
    let mut lines = Vec::new();
    let (mut start, mut letters, mut blank) = (0, 0, None);
    for (at, letter) in text.char_indices() {
        if letter == '\n' {
            lines.push(start..at);
            (start, letters, blank) = (at + 1, 0, None);
            continue;
        }
        if letters == columns {
            let end: usize = blank.unwrap_or(at);
            lines.push(start..end);
            (start, letters, blank) = (end, text[end..at].chars().count(), None);
        }
        letters += 1;
        if letter == ' ' {
            blank = Some(at + 1);
        }
    }
    lines.push(start..text.len());
    lines
}

/// Shows `count` lines in type of fixed width; `line` is asked for those in sight only.
pub fn show<'a>(ui: &mut Ui, count: usize, line: impl Fn(usize) -> Cow<'a, str>) {
    let height = ui.fonts_mut(|fonts| fonts.row_height(&font::mono()));
    let (rect, response) = ui.allocate_exact_size(vec2(ui.available_width(), count as f32 * height), Sense::hover());
    let (clip, ink) = (ui.clip_rect(), palette(ui).text);
    let first = ((clip.top() - rect.top()) / height).floor().max(0.0) as usize;
    let last = (((clip.bottom() - rect.top()) / height).ceil().max(0.0) as usize).min(count);
    for index in first..last {
        let words = line(index);
        let top = rect.top() + index as f32 * height;
        let place = egui::Rect::from_min_max(pos2(rect.left(), top), pos2(rect.right(), top + height));
        text::paint(ui.painter(), place, Align2::LEFT_CENTER, &words, font::mono(), ink);
        let seen = ui.interact(place, response.id.with(("line", index)), Sense::hover());
        seen.widget_info(|| WidgetInfo::labeled(Role::Label, true, &*words));
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn lines(text: &str, columns: usize) -> Vec<&str> {
        wrap(text, columns).into_iter().map(|line| &text[line]).collect()
    }

    #[test]
    fn lines_break_at_blanks_and_where_they_must() {
        assert_eq!(lines("", 8), [""]);
        assert_eq!(lines("one two three", 8), ["one two ", "three"]);
        assert_eq!(lines("abcdefghij", 4), ["abcd", "efgh", "ij"]);
        assert_eq!(lines("a\n\nb\n", 4), ["a", "", "b", ""]);
        assert_eq!(lines("ööööö", 4), ["öööö", "ö"]);
    }

    proptest! {
        #[test]
        fn nothing_is_lost_and_no_line_is_too_long(text in "[a-c \nö]{0,80}", columns in 1_usize..12) {
            let lines = lines(&text, columns);
            prop_assert_eq!(lines.concat(), text.replace('\n', ""));
            prop_assert!(lines.iter().all(|line| line.chars().count() <= columns));
        }
    }
}
