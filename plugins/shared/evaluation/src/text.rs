//! Texts made comparable: case, width of letters, blanks and kinds of quotation marks do not count.

/// The text as it is compared: lower case, half width, single blanks, straight quotation marks, no Markdown emphasis.
#[must_use]
pub fn normal(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        let c = narrow(c);
        if c.is_whitespace() {
            if !out.ends_with(' ') {
                out.push(' ');
            }
        } else if c != '*' {
            out.extend(c.to_lowercase());
        }
    }
    out.trim().to_owned()
}

/// A full-width sign as its ordinary one.
#[must_use]
pub fn narrow(c: char) -> char {
    match c {
        '\u{ff01}'..='\u{ff5e}' => char::from_u32(u32::from(c) - 0xfee0).unwrap_or(c),
        '\u{3000}' | '\u{a0}' | '\u{202f}' | '\u{2009}' => ' ',
        '‘' | '’' | 'ʼ' => '\'',
        '“' | '”' | '„' => '"',
        '\u{2010}'..='\u{2015}' | '\u{2212}' => '-',
        _ => c,
    }
}

/// Whether the needle, one of several alternatives between bars, occurs. A word of Latin letters or digits is found
/// only as a whole: `no` is not in `know`, and `ff` is not in `off`.
#[must_use]
pub fn occurs(haystack: &str, needle: &str) -> bool {
    let haystack = normal(haystack);
    needle.split('|').map(normal).filter(|one| !one.is_empty()).any(|one| occurs_once(&haystack, &one))
}

fn occurs_once(haystack: &str, needle: &str) -> bool {
    let word = |c: char| c.is_ascii_alphanumeric();
    // A plural or another short ending of a word is the word; a longer one makes another. What ends with a digit is whole.
    let is_word = needle.chars().count() > 3 && needle.ends_with(|c: char| c.is_ascii_alphabetic());
    let longest = if is_word { ENDING } else { 0 };
    haystack.match_indices(needle).any(|(at, _)| {
        let before = haystack.get(..at).and_then(|text| text.chars().next_back());
        let rest = haystack.get(at + needle.len()..).unwrap_or_default();
        let ending = rest.chars().take_while(|c| word(*c)).count();
        let begins = !(needle.starts_with(word) && before.is_some_and(word));
        let ends = ending <= longest || !needle.ends_with(|c: char| word(c) || c == '=');
        begins && ends
    })
}

/// The longest ending that leaves a word what it is, in letters.
const ENDING: usize = 4;

/// Whether a sign is Chinese.
#[must_use]
pub fn is_chinese(c: char) -> bool {
    matches!(c, '\u{3400}'..='\u{9fff}' | '\u{f900}'..='\u{faff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_does_not_count() {
        assert_eq!(normal("  Ｆｕｌｌ　Width\n “quoted” **Bold** ’s "), "full width \"quoted\" bold 's");
        assert!(occurs("It’s CLOSED  on Mondays.", "closed on mondays"));
        assert!(occurs("| 小李 | 研发 |", "| 小李 | 研发 |") || occurs("小李 研发", "小李"));
    }

    #[test]
    fn short_words_are_whole_words() {
        assert!(!occurs("I know that", "no") && occurs("No, sorry", "no"));
        assert!(!occurs("switch it off", "ff") && occurs("255 = 0xff", "0xff|ff") && occurs("ff", "ff"));
        assert!(!occurs("BillingBilling", "billing") && !occurs("c2hpcHM=c2hpcHM=x", "c2hpcHM=|x="));
        assert!(occurs("all employees", "employee") && !occurs("unopened", "opened"));
    }

    #[test]
    fn alternatives() {
        assert!(occurs("it has two", "2 |two") && !occurs("none", "a|b"));
    }
}
