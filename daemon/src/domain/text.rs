//! Small rules about texts that more than one part needs.

/// Cuts `text` to at most `max` characters without splitting one, marking the cut with `…`.
#[must_use]
pub fn shorten(text: &str, max: usize) -> String {
    match text.char_indices().nth(max) {
        None => text.to_owned(),
        Some(_) => text.chars().take(max.saturating_sub(1)).chain(std::iter::once('…')).collect(),
    }
}

/// The begin of `text`, at most `max` bytes, without splitting a character and without a mark.
#[must_use]
pub fn shorten_bytes(text: &str, max: usize) -> &str {
    text.get(..text.floor_char_boundary(max)).unwrap_or(text)
}

/// A project's name from its requirement: its first sentence or line, shortened.
#[must_use]
pub fn project_name_from(requirement: &str) -> String {
    let line = requirement.trim().lines().next().unwrap_or_default();
    let sentence = line.split_inclusive(['.', '!', '?', '。', '！', '？', ':', '：', ';', '；']).next().unwrap_or(line);
    let sentence = sentence.trim().trim_end_matches(|c: char| ".!?。！？:：;；,，".contains(c)).trim();
    let name = if sentence.chars().count() < 3 { line.trim() } else { sentence };
    shorten(name, 60)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_short_and_whole_characters() {
        assert_eq!(project_name_from("  Build a price agent. It should…"), "Build a price agent");
        assert_eq!(project_name_from("构建一个价格助手。它应该回答问题"), "构建一个价格助手");
        assert_eq!(shorten("äöü", 2), "ä…");
        assert_eq!(project_name_from(&"x".repeat(500)).chars().count(), 60);
    }
}
