//! The requirement's text by places: everything that is read keeps its range of bytes in the text as it was written.

pub(super) type Range = std::ops::Range<usize>;

/// The text with control characters as spaces and every line ended by `\n`; every byte stays in its place.
pub(super) fn plain(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '\r' if chars.peek() != Some(&'\n') => plain.push('\n'),
            '\n' | '\t' => plain.push(c),
            '\u{2028}' | '\u{2029}' => plain.push_str("\n  "),
            c if c.is_control() => (0..c.len_utf8()).for_each(|_| plain.push(' ')),
            c => plain.push(c),
        }
    }
    plain
}

pub(super) fn at<'a>(text: &'a str, range: &Range) -> &'a str {
    text.get(range.clone()).unwrap_or_default()
}

/// The range without what is dropped at its ends.
pub(super) fn trimmed(text: &str, range: &Range, dropped: impl Fn(char) -> bool) -> Range {
    let inside = at(text, range);
    let start = range.start + (inside.len() - inside.trim_start_matches(&dropped).len());
    let rest = text.get(start..range.end).unwrap_or_default();
    start..start + rest.trim_end_matches(&dropped).len()
}

pub(super) fn trim(text: &str, range: &Range) -> Range {
    trimmed(text, range, char::is_whitespace)
}

/// The range of a piece that was cut out of the text.
pub(super) fn place(text: &str, piece: &str) -> Range {
    let start = (piece.as_ptr() as usize).saturating_sub(text.as_ptr() as usize).min(text.len());
    start..(start + piece.len()).min(text.len())
}

/// The lines of a range, without their ends.
pub(super) fn lines(text: &str, range: &Range) -> Vec<Range> {
    let mut start = range.start;
    at(text, range)
        .split('\n')
        .map(|line| {
            let found = start..start + line.len();
            start = found.end + 1;
            found
        })
        .collect()
}

/// A text at its first colon that is not within a time of day or an address.
pub(super) fn at_colon(text: &str) -> Option<(&str, &str)> {
    let digit = |c: Option<char>| c.is_some_and(|c| c.is_ascii_digit());
    let found = text.char_indices().find(|(at, c)| {
        let (before, after) = (text.get(..*at).unwrap_or_default(), text.get(at + c.len_utf8()..).unwrap_or_default());
        matches!(c, ':' | '：')
            && !(digit(before.chars().next_back()) && digit(after.chars().next()))
            && !after.starts_with("//")
    });
    let (at, colon) = found?;
    Some((text.get(..at)?, text.get(at + colon.len_utf8()..)?))
}

/// Whether a range says anything.
pub(super) fn says(text: &str, range: &Range) -> bool {
    at(text, range).chars().any(char::is_alphanumeric)
}

/// A line's content behind its mark: a bullet, a number, a hash, a picture.
pub(super) fn unmarked(text: &str, line: &Range) -> Range {
    let line = trim(text, line);
    let inside = at(text, &line);
    let rest = inside.trim_start_matches(|c: char| {
        matches!(c, '-' | '*' | '•' | '·' | '●' | '▪' | '◦' | '–' | '—' | '>' | '#' | '○' | '✓' | '✔' | '+' | '|')
            || c.is_whitespace()
            || is_picture(c)
    });
    // A minus before a digit belongs to the number.
    let rest = if rest.starts_with(|c: char| c.is_ascii_digit()) && inside.starts_with('-') && !inside.starts_with("- ")
    {
        inside
    } else {
        rest
    };
    let digits = rest.len() - rest.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    let after = rest.get(digits..).unwrap_or_default();
    let numbered = (1..=2).contains(&digits)
        && (after.starts_with([')', '、', '）'])
            || after.starts_with(". ")
            || after.starts_with('.') && after.chars().nth(1).is_some_and(|c| !c.is_ascii_digit()));
    let rest =
        if numbered { after.get(after.chars().next().map_or(0, char::len_utf8)..).unwrap_or_default() } else { rest };
    trim(text, &place(text, rest))
}

/// Whether a line begins with the mark of a list.
pub(super) fn has_mark(text: &str, line: &Range) -> bool {
    let line = trim(text, line);
    unmarked(text, &line).start > line.start && !at(text, &line).starts_with(['#', '>', '|'])
}

pub(super) fn is_picture(c: char) -> bool {
    matches!(u32::from(c), 0x1F000..=0x1FAFF | 0x2600..=0x27BF | 0xFE0F | 0x200D | 0x20E3 | 0x2B00..=0x2BFF | 0x2190..=0x21FF if c != '→')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_keep_their_places() {
        for text in ["a\r\nb\rc", "x\u{85}y\u{7}z", "苹果\u{2028}梨", "plain"] {
            assert_eq!(plain(text).len(), text.len(), "{text:?}");
        }
        assert_eq!(plain("a\r\nb\rc"), "a \nb\nc");
    }

    #[test]
    fn marks_of_lists() {
        for (line, content) in [
            ("  - apple", "apple"),
            ("1. apple", "apple"),
            ("2) apple", "apple"),
            ("🍎 apple", "apple"),
            ("**Bold** x", "Bold** x"),
            ("3.50 apple", "3.50 apple"),
            ("-5 degrees", "-5 degrees"),
            ("1、苹果", "苹果"),
        ] {
            assert_eq!(at(line, &unmarked(line, &(0..line.len()))), content);
        }
    }
}
