//! Small rules about texts that more than one part needs.

/// Cuts `text` to at most `max` characters without splitting one, marking the cut with `…`.
pub fn shorten(text: &str, max: usize) -> String {
    match text.char_indices().nth(max) {
        None => text.to_owned(),
        Some(_) => text.chars().take(max.saturating_sub(1)).chain(std::iter::once('…')).collect(),
    }
}

/// A value where readers expect text: a text as it is, all else as JSON.
pub fn text_of(value: &serde_json::Value) -> String {
    match value {
        serde_json::Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// A text without the paths of this machine: of a path of more than one folder only its last name is left.
pub fn pathless(text: &str) -> String {
    let ends =
        |c: char| c.is_whitespace() || matches!(c, '"' | '\'' | '`' | ',' | ';' | '(' | ')' | '[' | ']' | '<' | '>');
    let (mut told, mut rest, mut before) = (String::with_capacity(text.len()), text, ' ');
    while let Some(at) = rest.find('/') {
        let (head, tail) = rest.split_at(at);
        told.push_str(head);
        before = head.chars().next_back().unwrap_or(before);
        let path = tail.split(ends).next().unwrap_or(tail);
        let whole = path.trim_end_matches([':', '.', '/']);
        // Not the slashes within an address or a relative path.
        let absolute = (ends(before) || matches!(before, '=' | ':')) && !path.starts_with("//");
        match whole.rsplit_once('/') {
            Some((folder, name)) if absolute && !folder.is_empty() => {
                told.push_str(".../");
                told.push_str(name);
                told.push_str(path.get(whole.len()..).unwrap_or_default());
            }
            _ => told.push_str(path),
        }
        before = path.chars().next_back().unwrap_or(' ');
        rest = tail.get(path.len()..).unwrap_or_default();
    }
    told.push_str(rest);
    told
}

/// The begin of `text`, at most `max` bytes, without splitting a character and without a mark.
pub fn shorten_bytes(text: &str, max: usize) -> &str {
    text.get(..text.floor_char_boundary(max)).unwrap_or(text)
}

/// A project's name from its requirement: its first sentence or line, shortened.
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
    fn paths_of_this_machine_are_not_told() {
        for (text, told) in [
            ("cannot read \"/var/lib/nexusd/projects/p/agent.py\": gone", "cannot read \".../agent.py\": gone"),
            ("/srv/data/a/b.py: not there", ".../b.py: not there"),
            ("path=/srv/a, and (/srv/b/)", "path=.../a, and (.../b/)"),
            (
                "http://127.0.0.1:80/a/b said no to POST /invocations",
                "http://127.0.0.1:80/a/b said no to POST /invocations",
            ),
            ("tools/a.py and 1/2", "tools/a.py and 1/2"),
            ("Datei fehlt: /höhle/ä.py", "Datei fehlt: .../ä.py"),
        ] {
            assert_eq!(pathless(text), told);
        }
    }

    #[test]
    fn names_are_short_and_whole_characters() {
        assert_eq!(project_name_from("  Build a price agent. It should…"), "Build a price agent");
        assert_eq!(project_name_from("构建一个价格助手。它应该回答问题"), "构建一个价格助手");
        assert_eq!(shorten("äöü", 2), "ä…");
        assert_eq!(project_name_from(&"x".repeat(500)).chars().count(), 60);
    }
}
