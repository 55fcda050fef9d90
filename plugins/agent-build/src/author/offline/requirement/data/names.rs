//! The names of priced items: what stands before or behind an amount, without the words around it.

use crate::author::offline::requirement::language::is_cjk;

const LEADING: &[&str] = &[
    "and ",
    "or ",
    "a ",
    "an ",
    "the ",
    "our ",
    "my ",
    "plus ",
    "also ",
    "we sell ",
    "we have ",
    "we offer ",
    "we charge ",
    "we also sell ",
    "i sell ",
    "i charge ",
    "i offer ",
    "there is ",
    "there are ",
    "you can get ",
    "you can buy ",
    "you get ",
    "you pay ",
    "price of ",
    "prices of ",
    "as well as ",
    "then ",
    "it sells ",
    "one ",
    "each ",
    "prices are ",
    "for ",
    "only ",
    "per ",
    "but ",
    "fresh from the oven ",
    "其中",
    "也",
    "和",
    "及",
    "以及",
    "还有",
    "我们卖",
    "我们有",
    "我们家",
    "我们",
    "我家",
    "本店",
    "店里",
    "卖",
    "有",
    "包括",
    "提供",
    "、",
    "另外",
    "如下",
    "分别是",
    "比如",
];
const TRAILING: &[&str] = &[
    " costs",
    " cost",
    " is",
    " are",
    " for",
    " at",
    " sells for",
    " sell for",
    " priced at",
    " price",
    " each",
    " only",
    " from",
    " goes for",
    " go for",
    " pay",
    " pays",
    " starts",
    " start",
    " starts from",
    " start from",
    " and",
    ": from",
    " will",
    " will cost",
    " you pay",
    " we charge",
    " i charge",
    " now",
    " just",
    " starts at",
    " start at",
    " come to",
    " comes to",
    " sold at",
    "的价格是",
    "的价格为",
    "价格为",
    "价格是",
    "价格",
    "的价钱",
    "售价",
    "单价",
    "卖",
    "为",
    "是",
    "要",
    "收费",
    "收",
    "每个",
    "一个",
    "每件",
    "一件",
    "每只",
    "一只",
    "每份",
    "一份",
    "只要",
    "仅",
    "仅需",
    "需要",
    "各",
    "一律",
    "统一",
    "全部",
    "都是",
    "均为",
    "都",
];
const FILLER: &str = "from|each|apiece|a piece|only|now|per piece|here|today|too|as well|in total|all in|inclusive|incl|etc|and so on|等|左右|而已|哦|呢|一个|一份|每个|每份|的|起|for now|at the moment|each way";
const MAX_WORDS: usize = 6;
const VARIANTS: &str = "extra large|small|medium|large|regular|tall|grande|venti|short|xs|s|m|l|xl|xxl|single|double|triple|half|full|whole|slice|adult|adults|child|children|kid|kids|senior|seniors|student|students|concession|concessions|family|reduced|weekday|weekend|weekdays|weekends|one way|return|monthly|yearly|annual|weekly|daily|junior|juniors|guest|guests|members|member|non-members|couple|peak|off-peak|hot|cold|iced|big|mini";
/// Those that also stand before what they are variants of: "large pizza", but not "hot towel shave".
const SIZES: [&str; 9] = ["extra large", "small", "medium", "large", "regular", "mini", "big", "single", "double"];
const ZH_VARIANTS: &str = "超大杯|小杯|中杯|大杯|小份|中份|大份|小号|中号|大号|加大号|成人票|儿童票|学生票|老人票|成人|儿童|学生|老人|半只|整只|一只|单人|双人|家庭|单程|往返|月卡|季卡|年卡|次卡|周卡|标准|豪华|热|冰|小瓶|大瓶|小盒|大盒|小碗|大碗|小包|大包|平日|周末|小|中|大";

/// A name in the text before its amount.
#[derive(Default)]
pub(super) struct Before<'a> {
    pub(super) name: String,
    /// A unit such as in 苹果每斤.
    pub(super) per: String,
    /// What a bracket adds: "vegan".
    pub(super) note: String,
    /// Whether more stands before it.
    pub(super) says_more: bool,
    /// Whether the amount is the lowest of several: "from £28".
    pub(super) from: bool,
    /// Where it begins.
    pub(super) start: Option<&'a str>,
}

fn edge(c: char) -> bool {
    ",;，、；:：=-–—|.。•*>/→·…+【】[]\"“”「」'".contains(c)
        || c.is_whitespace()
        || crate::author::offline::requirement::source::is_picture(c)
}

pub(super) fn before(text: &str) -> Before<'_> {
    let mut piece = text.trim_matches(edge);
    let mut note = String::new();
    let mut says_more = false;
    // "rye (vegan)" has a note; "Latte (S" opens a list of variants.
    if let Some(open) = piece.rfind(['(', '（', '[']) {
        let inside = piece.get(open..).unwrap_or_default();
        let inner = inside.trim_start_matches(['(', '（', '[']);
        match inner.split_once([')', '）', ']']) {
            Some((inner, rest)) if rest.trim_matches(edge).is_empty() || is_filler_of(rest) => {
                note = inner.trim().to_owned();
                piece = piece.get(..open).unwrap_or_default().trim_matches(edge);
            }
            Some(_) => {}
            None => {
                let (base, variant) = (piece.get(..open).unwrap_or_default().trim_matches(edge), inner.trim());
                let base = last_part(base);
                let name = format!("{} {variant}", cleaned(base).0);
                return Before { name: name.trim().to_owned(), start: Some(base), ..Before::default() };
            }
        }
    }
    let mut last = last_part(piece);
    // "tyre swap, set of 4: $60"
    if super::apart::is_pack(last) {
        let ahead = piece.get(..piece.len() - last.len()).unwrap_or_default();
        let named = last_part(ahead.trim_matches(edge));
        let start = (named.as_ptr() as usize).saturating_sub(piece.as_ptr() as usize);
        last = piece.get(start..).filter(|_| !named.is_empty()).unwrap_or(last);
    }
    says_more |= piece.get(..piece.len() - last.len()).is_some_and(|rest| {
        let rest = rest.trim_matches(|c: char| !c.is_alphanumeric());
        !rest.is_empty() && !is_filler(rest)
    });
    let (name, per, cut) = cleaned(last);
    says_more |= cut;
    let name = if usable(&name) { name } else { String::new() };
    let start = if name.is_empty() { None } else { Some(last) };
    let lower = last.to_lowercase();
    let from = [" from", ":from", "ab", "起价"]
        .iter()
        .any(|word| lower.ends_with(word) && (*word != "ab" || lower.ends_with(" ab")))
        || lower == "from";
    Before { name, per, note, says_more, from, start }
}

fn is_filler_of(rest: &str) -> bool {
    let rest = rest.trim().to_lowercase();
    TRAILING.iter().any(|word| word.trim() == rest)
}

fn last_part(piece: &str) -> &str {
    piece
        .rsplit([',', ';', '，', '、', '；', '\n', '。', ')', '）', '|', '：', '}'])
        .next()
        .unwrap_or(piece)
        .trim_matches(edge)
}

/// The name behind its amount: "for a loaf".
pub(super) fn after(text: &str) -> String {
    let (name, _, _) = cleaned(text.trim_matches(edge));
    let words = name.split_whitespace().count();
    if usable(&name) && words <= 4 && !is_filler(&name) && !name.to_lowercase().starts_with("if ") {
        name
    } else {
        String::new()
    }
}

/// A name without the words around it, its unit, and whether words were cut that say something.
fn cleaned(text: &str) -> (String, String, bool) {
    let mut name = text.trim();
    let mut cut = false;
    loop {
        let shorter = LEADING
            .iter()
            .find_map(|word| strip_start(name, word))
            .or_else(|| TRAILING.iter().find_map(|word| strip_end(name, word)));
        match shorter.map(|s| s.trim_matches(|c: char| edge(c) || matches!(c, '(' | '（'))) {
            Some(shorter) if !shorter.is_empty() => name = shorter,
            _ => break,
        }
    }
    let mut per = String::new();
    // 窗帘按平方米12元 is priced by the square metre.
    if let Some((item, unit)) = name
        .rsplit_once('按')
        .filter(|(item, unit)| !item.is_empty() && super::amount::PER_ZH.split('|').any(|known| known == *unit))
    {
        per = unit.to_owned();
        name = item.trim_matches(edge);
    }
    for each in ['每', '一', '1'] {
        if let Some((item, unit)) = name.rsplit_once(each)
            && per.is_empty()
            && (1..=2).contains(&unit.chars().count())
            && unit.chars().all(|c| {
                "斤公千克个只份瓶盒杯条台本张件套箱袋包位人次小时天晚月年米升节碗串打支双间束盆壶例笼场桌".contains(c)
            })
        {
            if !"个件只份".contains(unit) {
                per = unit.to_owned();
            }
            name = item.trim_matches(edge);
        }
    }
    if let Some((item, unit)) = name.rsplit_once(" per ")
        && unit.split_whitespace().count() == 1
        && per.is_empty()
    {
        per = unit.to_owned();
        name = item.trim();
    }
    // "Our bakery sells croissants": what is sold is the item, whoever sells it.
    for verb in [" sells ", " sell ", " offers ", " offer ", " serves ", " serve "] {
        if let Some((_, sold)) = name.split_once(verb).filter(|(_, sold)| usable(sold)) {
            cut = true;
            name = sold.trim();
        }
    }
    // "Dogs are welcome for …": the subject names the item.
    for verb in [" is ", " are ", " can be ", " may be ", " was ", " will be "] {
        if let Some((subject, _)) = name.split_once(verb).filter(|(subject, _)| usable(subject)) {
            cut = true;
            name = subject.trim();
        }
    }
    for joint in [" that ", " where ", " knows ", " with ", " which ", " so ", " because ", "知道"] {
        if name.split_whitespace().count() > MAX_WORDS || is_cjk(joint.chars().next().unwrap_or(' ')) {
            let shorter = name.rsplit_once(joint).map_or(name, |(_, last)| last.trim());
            cut |= shorter.len() < name.len();
            name = shorter;
        }
    }
    (name.to_owned(), per, cut)
}

/// Whether a text can be the name of an item.
pub(super) fn usable(name: &str) -> bool {
    let ends_open = [
        "of", "to", "from", "over", "under", "than", "above", "below", "about", "up", "by", "pay", "costs", "it",
        "that", "this", "you",
    ]
    .contains(&name.rsplit(' ').next().unwrap_or_default().to_lowercase().as_str());
    let example = ["比如", "例如", "如", "像", "e.g", "eg", "for example", "such as", "like", "say"];
    if example.iter().any(|word| name.eq_ignore_ascii_case(word)) {
        return false;
    }
    let sized = name.starts_with(|c: char| c.is_ascii_digit()) && name.chars().any(char::is_alphabetic);
    name.chars().any(char::is_alphabetic)
        && (sized || !name.is_empty())
        && name.split_whitespace().count() <= MAX_WORDS
        && name.chars().count() <= 60
        && !ends_open
}

/// Whether words say nothing that a list of prices does not say by itself.
pub(super) fn is_filler(text: &str) -> bool {
    let lower = text.trim_matches(|c: char| !c.is_alphanumeric()).to_lowercase();
    lower.is_empty()
        || FILLER.split('|').any(|word| word == lower)
        || LEADING.iter().chain(TRAILING).any(|word| word.trim() == lower)
}

/// Whether words alone name a variant.
pub(super) fn is_variant(name: &str) -> bool {
    Variant::of(name, "x") == Variant::OfEarlier { variant: name.to_owned() }
}

/// How a name speaks of a variant.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Variant {
    None,
    /// "latte large"
    Own {
        base: String,
        variant: String,
    },
    /// "large", behind "latte small"
    OfEarlier {
        variant: String,
    },
}

impl Variant {
    pub(super) fn of(name: &str, base: &str) -> Self {
        let lower = name.to_lowercase();
        if VARIANTS.split('|').any(|word| word == lower) || ZH_VARIANTS.split('|').any(|word| word == name) {
            return Self::OfEarlier { variant: name.to_owned() };
        }
        let sized = name.split_once(' ').is_some_and(|(n, unit)| {
            n.chars().all(|c| c.is_ascii_digit() || matches!(c, '.' | ','))
                && ["cm", "ml", "l", "g", "kg", "cl", "min", "minutes", "hours", "h", "inch", "pieces", "pcs"]
                    .contains(&unit)
        });
        if sized && !base.is_empty() {
            return Self::OfEarlier { variant: name.to_owned() };
        }
        // "House blend 250g", and "1kg" behind it
        if let Some((item, size)) = name
            .rsplit_once(' ')
            .filter(|(item, size)| is_size(size) && usable(item) && !item.ends_with(|c: char| c.is_ascii_digit()))
        {
            return Self::Own { base: item.trim().to_owned(), variant: size.to_owned() };
        }
        if is_size(name) && !base.is_empty() {
            return Self::OfEarlier { variant: name.to_owned() };
        }
        for word in VARIANTS.split('|') {
            let own = |base: &str, variant: &str| Self::Own {
                base: base.trim().to_owned(),
                variant: variant.trim().to_owned(),
            };
            if let Some(rest) = lower
                .strip_suffix(word)
                .filter(|rest| rest.ends_with(' ') && !rest.trim_end().ends_with(|c: char| c.is_ascii_digit()))
            {
                return own(name.get(..rest.len()).unwrap_or_default(), name.get(rest.len()..).unwrap_or_default());
            }
            if let Some(rest) = lower.strip_prefix(word).filter(|rest| rest.starts_with(' ') && SIZES.contains(&word)) {
                let at = name.len() - rest.len();
                return own(name.get(at..).unwrap_or_default(), name.get(..at).unwrap_or_default());
            }
        }
        for word in ZH_VARIANTS.split('|').filter(|word| word.chars().count() > 1) {
            if let Some(rest) = name
                .strip_suffix(word)
                .or_else(|| name.strip_prefix(word))
                .map(str::trim)
                .filter(|r| r.chars().count() > 1)
            {
                return Self::Own { base: rest.to_owned(), variant: word.to_owned() };
            }
        }
        Self::None
    }
}

/// Whether a word says for whom a price is.
pub(super) fn is_person(word: &str) -> bool {
    ["adult", "adults", "child", "children", "kid", "kids", "senior", "seniors", "student", "students"]
        .iter()
        .any(|person| word.eq_ignore_ascii_case(person))
}

/// A number with a unit of what is sold by it: `250g`, `0.5l`.
fn is_size(word: &str) -> bool {
    let unit = word.trim_start_matches(|c: char| c.is_ascii_digit() || matches!(c, '.' | ','));
    unit.len() < word.len()
        && ["g", "kg", "ml", "l", "cl", "oz", "lb", "克", "公斤", "毫升", "升", "斤"]
            .contains(&unit.to_lowercase().as_str())
}

/// The name of a variant: 拿铁大杯, latte large.
pub(super) fn joined(base: &str, variant: &str) -> String {
    let together = base.chars().next_back().is_some_and(is_cjk) && variant.chars().next().is_some_and(is_cjk);
    if together { format!("{base}{variant}") } else { format!("{base} {variant}") }
}

fn strip_start<'a>(name: &'a str, word: &str) -> Option<&'a str> {
    let head = name.get(..word.len())?;
    (head.eq_ignore_ascii_case(word) && name.len() > word.len()).then(|| name.get(word.len()..)).flatten()
}

fn strip_end<'a>(name: &'a str, word: &str) -> Option<&'a str> {
    let at = name.len().checked_sub(word.len())?;
    let tail = name.get(at..)?;
    (tail.eq_ignore_ascii_case(word) && at > 0).then(|| name.get(..at)).flatten()
}
