//! The words behind (or before) a number that say what it counts.

/// A unit by its short name, for example `kg`, `EUR`, `元`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Unit(&'static str);

impl Unit {
    /// The short name.
    #[must_use]
    pub fn name(self) -> &'static str {
        self.0
    }
}

/// Short name, and all words for it, in lower case.
const UNITS: &[(&str, &[&str])] = &[
    ("EUR", &["eur", "euro", "euros", "€", "欧元"]),
    ("USD", &["usd", "dollar", "dollars", "us$", "$", "美元", "美金"]),
    ("GBP", &["gbp", "£", "pound sterling", "pounds sterling", "quid", "英镑"]),
    ("元", &["元", "块", "块钱", "元人民币", "人民币", "cny", "rmb", "yuan", "¥"]),
    ("JPY", &["jpy", "yen", "¥", "日元", "日圆", "円"]),
    ("KRW", &["krw", "won", "₩", "韩元", "韩币"]),
    ("CHF", &["chf", "franc", "francs", "瑞士法郎", "瑞郎"]),
    ("INR", &["inr", "rupee", "rupees", "₹", "卢比"]),
    ("CAD", &["cad", "ca$", "加元"]),
    ("AUD", &["aud", "a$", "澳元"]),
    ("HKD", &["hkd", "hk$", "港币", "港元"]),
    ("%", &["%", "percent", "per cent", "个百分点"]),
    ("kg", &["kg", "kgs", "kilo", "kilos", "kilogram", "kilograms", "公斤", "千克"]),
    ("g", &["g", "gram", "grams", "gr", "克"]),
    ("mg", &["mg", "毫克"]),
    ("t", &["tonne", "tonnes", "吨"]),
    ("lb", &["lb", "lbs", "pound", "pounds", "磅"]),
    ("oz", &["oz", "ounce", "ounces", "盎司"]),
    ("斤", &["斤", "市斤"]),
    ("两", &["两"]),
    ("km", &["km", "kilometer", "kilometers", "kilometre", "kilometres", "公里", "千米"]),
    ("m", &["m", "meter", "meters", "metre", "metres", "米"]),
    ("cm", &["cm", "centimeter", "centimeters", "centimetre", "centimetres", "厘米", "公分"]),
    ("mm", &["mm", "millimeter", "millimeters", "毫米"]),
    ("mi", &["mi", "mile", "miles", "英里"]),
    ("ft", &["ft", "foot", "feet", "英尺"]),
    ("in", &["inch", "inches", "英寸"]),
    ("yd", &["yd", "yard", "yards", "码"]),
    ("里", &["里", "华里"]),
    ("km/h", &["km/h", "kmh", "kph"]),
    ("mph", &["mph"]),
    ("°C", &["°c", "℃", "celsius", "degrees celsius", "摄氏度"]),
    ("°F", &["°f", "℉", "fahrenheit", "degrees fahrenheit", "华氏度"]),
    ("l", &["l", "liter", "liters", "litre", "litres", "升", "公升"]),
    ("ml", &["ml", "milliliter", "milliliters", "millilitre", "millilitres", "毫升"]),
    ("gal", &["gal", "gallon", "gallons", "加仑"]),
    ("m²", &["m²", "m2", "sqm", "平方米", "平米", "平"]),
    ("ft²", &["ft²", "ft2", "sqft", "square feet", "平方英尺"]),
    ("ha", &["ha", "hectare", "hectares", "公顷"]),
    ("亩", &["亩"]),
    ("天", &["天", "日", "day", "days"]),
    ("小时", &["小时", "个小时", "h", "hour", "hours", "hrs"]),
    ("分钟", &["分钟", "min", "minute", "minutes"]),
    ("s", &["秒", "second", "seconds"]),
    ("周", &["周", "星期", "week", "weeks"]),
    ("月", &["个月", "month", "months"]),
];

/// The units that a word names; empty for any other word.
#[must_use]
pub(crate) fn named(word: &str) -> Vec<Unit> {
    let word = word.to_lowercase();
    let short = UNITS.iter().filter(|(name, words)| name.to_lowercase() == word || words.contains(&word.as_str()));
    short.map(|(name, _)| Unit(name)).collect()
}

/// All words for what a word names, itself among them.
#[must_use]
pub fn words_for(word: &str) -> Vec<&str> {
    let units = named(word);
    let others =
        UNITS.iter().filter(|(name, _)| units.contains(&Unit(name))).flat_map(|(_, words)| words.iter().copied());
    std::iter::once(word).chain(others).collect()
}

/// The units that begin a text, by their longest word. Letters must end there; Chinese words need no border.
pub(super) fn leading(text: &str) -> Vec<Unit> {
    longest(|word| {
        let Some(rest) = text.strip_prefix(word) else { return false };
        let letters = word.ends_with(|c: char| c.is_ascii_alphanumeric());
        !(letters && rest.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '/' || c == '²'))
    })
}

/// The currencies that end a text.
pub(super) fn trailing(text: &str) -> Vec<Unit> {
    let signs = [
        "€", "$", "us$", "£", "¥", "₩", "₹", "eur", "usd", "gbp", "cny", "jpy", "rmb", "chf", "inr", "cad", "aud",
        "hkd",
    ];
    longest(|word| signs.contains(&word) && text.ends_with(word))
}

fn longest(fits: impl Fn(&str) -> bool) -> Vec<Unit> {
    let words = UNITS.iter().flat_map(|(name, words)| words.iter().map(move |word| (*name, *word)));
    let fitting: Vec<(&'static str, &str)> = words.filter(|(_, word)| fits(word)).collect();
    let length = fitting.iter().map(|(_, word)| word.len()).max().unwrap_or(0);
    fitting.iter().filter(|(_, word)| word.len() == length).map(|(name, _)| Unit(name)).collect()
}
