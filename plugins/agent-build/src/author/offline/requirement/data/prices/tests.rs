//! How prices are written.

use super::*;

fn list(text: &str, setting: Setting) -> Vec<String> {
    let Some(found) = read(text, &(0..text.len()), setting) else { return Vec::new() };
    let show = |entry: &Entry| {
        let Entry::Price(i) = entry else { return String::new() };
        let to = if i.to.is_empty() { String::new() } else { format!("-{}", i.to) };
        let per = if i.per.is_empty() { String::new() } else { format!("/{}", i.per) };
        let note = if i.note.is_empty() { String::new() } else { format!(" ({})", i.note) };
        format!("{}={}{to}{}{per}{note}", i.name, i.amount, i.currency)
    };
    found.entries.iter().map(|(_, entry)| show(entry)).collect()
}

#[test]
fn lists_in_running_text() {
    for (text, items) in [
        (
            "Answers questions about this price list: apple 3 EUR, pear 4 EUR, plum 2.50 EUR.",
            "apple=3EUR|pear=4EUR|plum=2.50EUR",
        ),
        ("苹果 3元, 梨 4元，香蕉每斤5.5元", "苹果=3元|梨=4元|香蕉=5.5元/斤"),
        ("Apples cost $3, pears cost $4 and green plums are $2", "Apples=3USD|pears=4USD|green plums=2USD"),
        ("Price list (EUR): tea 2, coffee 3.20", "tea=2EUR|coffee=3.20EUR"),
        ("Menu: salt and pepper squid 12 USD; fish & chips 9 USD", "salt and pepper squid=12USD|fish & chips=9USD"),
        ("apple: 3 EUR, pear: 4 EUR", "apple=3EUR|pear=4EUR"),
        ("Our bakery sells croissants 2.10 EUR, baguettes 1.80 EUR", "croissants=2.10EUR|baguettes=1.80EUR"),
        ("价格：咖啡25元、茶15元、果汁18元", "咖啡=25元|茶=15元|果汁=18元"),
        ("Latte: small 3 €, large 4 €", "Latte small=3EUR|Latte large=4EUR"),
        ("latte small 3 €, large 4 €, tea 2 €", "latte small=3EUR|latte large=4EUR|tea=2EUR"),
        ("Latte (S 3.50 € / M 4 € / L 4.50 €)", "Latte S=3.50EUR|Latte M=4EUR|Latte L=4.50EUR"),
        ("拿铁中杯25元大杯30元，美式18元", "拿铁中杯=25元|拿铁大杯=30元|美式=18元"),
        (
            "We sell sourdough for $4.50, rye (vegan) for $5 and croissants at $2.20 each.",
            "sourdough=4.50USD|rye=5USD (vegan)|croissants=2.20USD",
        ),
        ("haircut 30-40 €, beard trim 15 €", "haircut=30-40EUR|beard trim=15EUR"),
        ("beef $3/lb, pork $2.50/lb", "beef=3USD/lb|pork=2.50USD/lb"),
        ("$5 for a loaf, $3 for a baguette", "loaf=5USD|baguette=3USD"),
        ("我们卖苹果每斤8块，梨6块一斤", "苹果=8元/斤|梨=6元/斤"),
        ("Delivery costs 5 €, free over 30 €", "Delivery=5EUR"),
        (
            "Court hire: £8/hour off-peak, £12/hour peak (weekdays after 17:00)",
            "Court hire off-peak=8GBP/hour|Court hire peak=12GBP/hour (weekdays after 17:00)",
        ),
        (
            "Membership: adult £180 per year, junior £60 per year, family £320 per year.",
            "Membership adult=180GBP/year|Membership junior=60GBP/year|Membership family=320GBP/year",
        ),
        ("Crown: from £550", "Crown=550GBP (from)"),
        ("Deposit is 50 EUR per bike.", "Deposit=50EUR/bike"),
        ("brake pads (front) $129, (rear) $119", "brake pads front=129USD|brake pads rear=119USD"),
        ("tyre swap, set of 4: $60; balancing $12 per wheel", "tyre swap, set of 4=60USD|balancing=12USD/wheel"),
        ("Laundry room is in the basement, $1.75 a wash and $1.50 a dry.", "wash=1.75USD|dry=1.50USD"),
        ("Tours saturdays at 2pm and 4pm, 15 dollars per person, includes 3 tasters.", "Tours=15USD/person"),
        (
            "Tickets: adults £9, students £7, kids under 12 £5.",
            "Tickets adults=9GBP|Tickets students=7GBP|Tickets kids under 12=5GBP",
        ),
        ("10 lessons package: 350 EUR.", "10 lessons package=350EUR"),
        ("Dogs are welcome for 10 EUR per night.", "Dogs=10EUR/night"),
        ("Breakfast is served 7–10:30 and costs 14 EUR per person.", "Breakfast=14EUR/person"),
        ("Late check-out until 14:00 costs 25 EUR.", "Late check-out until 14:00=25EUR"),
        ("Guests pay £5 per visit.", "Guests=5GBP/visit"),
        ("Milkshake S/M/L 3.50/4.20/4.90 €", "Milkshake S=3.50EUR|Milkshake M=4.20EUR|Milkshake L=4.90EUR"),
        (
            "rent 1,250 euros per month, internet 39.90, electricity 85",
            "rent=1250EUR/month|internet=39.90EUR|electricity=85EUR",
        ),
        ("Latte (small/large) – $3.75 / $4.50", "Latte small=3.75USD|Latte large=4.50USD"),
        (
            "Stock and prices (all in £): Pixel 7 - 210, iPhone 14 Pro - 560, chargers 12 each.",
            "Pixel 7=210GBP|iPhone 14 Pro=560GBP|chargers=12GBP",
        ),
        ("洗车店报价：轿车普洗30，SUV普洗40（单位：元）", "轿车普洗=30元|SUV普洗=40元"),
        ("红玫瑰【12元/支】，向日葵【15元/支】", "红玫瑰=12元/支|向日葵=15元/支"),
        ("美式 小杯/大杯 18/22元", "美式小杯=18元|美式大杯=22元"),
    ] {
        assert_eq!(list(text, Setting::default()).join("|"), items, "{text}");
    }
    let line = Setting { cue: true, line: true, decimals: false };
    assert_eq!(list("Sourdough (800 g) 4.50", line), ["Sourdough=4.50 (800 g)"]);
    assert_eq!(list("美式 中杯18 大杯22", line), ["美式中杯=18", "美式大杯=22"]);
}

#[test]
fn not_every_amount_is_a_price() {
    for text in [
        "Please cancel 24 hours before, otherwise we charge £20.",
        "It converts 100 USD to EUR",
        "Plan a trip with a budget of 500 EUR",
        "Split a bill of 80 EUR and a tip of 8 EUR",
    ] {
        assert!(list(text, Setting::default()).is_empty(), "{text}");
    }
}

#[test]
fn what_opens_a_line_is_what_its_prices_are_for() {
    let setting = Setting { cue: true, line: true, decimals: true };
    assert_eq!(list("小型犬（10斤以下）洗澡60 / 造型120", setting).join("|"), "小型犬 洗澡=60|小型犬 造型=120");
}

#[test]
fn a_short_name_with_its_price_is_a_price_where_money_is_spoken_of() {
    let setting = Setting { decimals: true, ..Setting::default() };
    assert_eq!(list("beeswax candle 6€.", setting).join("|"), "beeswax candle=6EUR");
    assert!(list("We have a budget of 100 EUR.", setting).is_empty());
}
