//! Opening hours: `Mon–Thu 9:00–17:30, Fri until 13:00, closed Sunday`, `周一至周五 上午9点到下午5点半，周日休息`.

use super::{
    super::source::{Range, at, place},
    Entry,
    clock::{Mark, marks, written},
};
use crate::spec::{ClosedDays, OpeningHours};

/// Words that a timetable is made of; whatever else a sentence says is left over.
const VOCABULARY: &str = "we're|we|are|is|our|the|open|opens|opening|hours|hour|times|time|timetable|business|from|to|and|on|at|until|till|til|between|only|also|then|closes|close|closing|every|each|day|days|week|hrs|o'clock|a|of|in|morning|mornings|afternoon|afternoons|evening|evenings|but|so|all|too|both|plus|with|here|bis|uhr|it's|it|they|stays|stay|remains|am|pm|you|can|visit|us|come|for|am|s";
const ZH_VOCABULARY: &str = "营业时间|开放时间|开馆时间|开馆|闭馆|开店|关店|开门时间|工作时间|办公时间|服务时间|上班时间|营业|开放|开门|时间|我们|本店|小店|店里|店铺|门店|打烊|关门|下班|上班|每周|每|的|为|是|从|都|全天|在|则|至|到|开|和|、|只|均|也|分别|一般|起|点|其余|其他|时候|大概";
/// What makes a time valid sometimes only: such a part stays text.
const SOMETIMES: &str = "summer|winter|season|holiday|holidays|except|appointment|lunch|break|last|january|february|march|april|june|july|august|september|october|november|december|term|exam|christmas|easter|ramadan|first|second|every other|alternate|kitchen closes|夏|冬|节假日|假期|除|预约|午休|寒暑|最后|法定|春节|国庆|隔周|单周|双周|月";

/// What a sentence says of opening hours.
pub(super) struct Timetable {
    pub(super) entries: Vec<(Range, Entry)>,
    /// Whether it says more than the entries hold.
    pub(super) says_more: bool,
}

/// Whether a text speaks of opening hours by name.
pub(super) fn speaks_of_hours(text: &str) -> bool {
    let lower = text.to_lowercase();
    ["open", "hours", "closed", "营业", "开放", "开门", "闭馆", "办公时间", "工作时间", "服务时间", "时间"]
        .iter()
        .any(|word| lower.contains(word))
}

/// Reads a sentence, or the line of a list, that says when something is open. `named` tells that the heading speaks of it.
pub(super) fn read(text: &str, range: &Range, named: bool) -> Option<Timetable> {
    let sentence = at(text, range);
    let all = marks(sentence);
    let timed = all.iter().any(|(_, m)| !matches!(m, Mark::Days(_)));
    let dated = all.iter().any(|(_, m)| matches!(m, Mark::Days(_)));
    let spoken = named || speaks_of_hours(sentence);
    if !timed || !(spoken || dated) {
        return None;
    }
    let mut entries: Vec<(Range, Entry)> = Vec::new();
    let mut says_more = false;
    let mut earlier = Earlier::default();
    let mut subject = String::new();
    // What was not understood may hold the days of what follows.
    let mut broken = false;
    for part in parts(sentence, &all) {
        let inside = sentence.get(part.clone()).unwrap_or_default();
        let own: Vec<(Range, Mark)> =
            all.iter().filter(|(r, _)| r.start >= part.start && r.end <= part.end).cloned().collect();
        let rest = leftover(inside, part.start, &own);
        let lower = inside.to_lowercase();
        let sometimes = SOMETIMES.split('|').any(|word| lower.contains(word));
        if own.iter().all(|(_, m)| matches!(m, Mark::Days(_))) && !own.is_empty() && earlier.times.is_none() {
            earlier
                .days
                .extend(own.iter().flat_map(|(_, m)| if let Mark::Days(d) = m { d.clone() } else { Vec::new() }));
            says_more |= !rest.is_empty();
            continue;
        }
        // "10:00–22:30, all week": the days stand behind the times.
        if let [(_, Mark::Days(days))] = own.as_slice()
            && matches!(entries.last(), Some((_, Entry::Open(open))) if open.days.is_empty())
        {
            // "8:30 to 12:00 and 14:00 to 17:30, Monday to Friday": all times before them that have none.
            for (_, entry) in entries.iter_mut().rev() {
                match entry {
                    Entry::Open(open) if open.days.is_empty() => open.days.clone_from(days),
                    _ => break,
                }
            }
            says_more |= !rest.is_empty();
            continue;
        }
        let dated = own.iter().any(|(_, m)| matches!(m, Mark::Days(_)));
        let daily = own.iter().any(|(_, m)| matches!(m, Mark::Days(days) if days.len() > 4));
        let unclear = sometimes || !(rest.is_empty() || names_place(&rest, spoken) || daily && is_chinese_place(&rest));
        if own.is_empty() || unclear || broken && !dated {
            says_more |= !rest.is_empty() || unclear || broken;
            broken |= !own.is_empty();
            continue;
        }
        broken = false;
        if !rest.is_empty() {
            subject = rest.join(" ");
        }
        let span = place(text, inside.trim_matches(|c: char| !c.is_alphanumeric()));
        entries.extend(earlier.take(&own, &subject).into_iter().map(|entry| (span.clone(), entry)));
    }
    complete(&mut entries);
    (!entries.is_empty()).then_some(Timetable { entries, says_more })
}

/// The parts of a sentence: cut at commas and the like where a new statement begins.
fn parts(sentence: &str, all: &[(Range, Mark)]) -> Vec<Range> {
    let mut cuts = vec![0];
    for (at, c) in sentence.char_indices() {
        let inside_mark = all.iter().any(|(r, _)| r.contains(&at));
        if inside_mark {
            continue;
        }
        let complete = all
            .iter()
            .any(|(r, m)| r.end <= at && r.start >= cuts.last().copied().unwrap_or(0) && !matches!(m, Mark::Days(_)));
        let rest = sentence.get(at..).unwrap_or_default();
        let joint = matches!(c, ',' | ';' | '，' | '；' | '(' | ')' | '（' | '）' | '。' | '.' | '/' | '|' | '、')
            || rest.starts_with(" and ")
            || rest.starts_with(" but ");
        // "9–12 and 14–18" goes on; "Mon and Tue" has no time yet.
        let next = all.iter().find(|(r, _)| r.start >= at);
        // "9–12 and 14–18" are times of the same days, "8–22 on weekdays and 10–18 at weekends" are not.
        let from = cuts.last().copied().unwrap_or(0);
        let times_first =
            all.iter().find(|(r, _)| r.start >= from).is_some_and(|(_, m)| matches!(m, Mark::Times { .. }))
                && all.iter().any(|(r, m)| r.start >= from && r.end <= at && matches!(m, Mark::Days(_)));
        let more_times =
            rest.starts_with(" and ") && next.is_some_and(|(_, m)| matches!(m, Mark::Times { .. })) && !times_first;
        let goes_on = more_times || names_more_days(all, at);
        let unmarked = !all.iter().any(|(r, _)| r.end <= at && r.start >= from);
        if (joint && (complete || unmarked) || matches!(c, ')' | '）')) && !goes_on {
            cuts.push(at);
        }
    }
    cuts.push(sentence.len());
    cuts.windows(2).filter_map(|pair| if let [from, to] = pair { Some(*from..*to) } else { None }).collect()
}

/// Whether a joint stands between days of one statement: "closed on Sundays and Mondays".
fn names_more_days(all: &[(Range, Mark)], at: usize) -> bool {
    let before = all.iter().rev().find(|(r, _)| r.end <= at);
    let mut after = all.iter().filter(|(r, _)| r.start >= at);
    let is_days = |mark: Option<&(Range, Mark)>| mark.is_some_and(|(_, m)| matches!(m, Mark::Days(_)));
    is_days(before) && is_days(after.next()) && after.next().is_none_or(|(_, m)| matches!(m, Mark::Days(_)))
}

/// The words of a part that are neither mark nor vocabulary.
fn leftover(inside: &str, offset: usize, own: &[(Range, Mark)]) -> Vec<String> {
    let mut text = String::new();
    for (at, c) in inside.char_indices() {
        text.push(if own.iter().any(|(r, _)| r.contains(&(offset + at))) { ' ' } else { c });
    }
    for word in ZH_VOCABULARY.split('|') {
        text = text.replace(word, " ");
    }
    text.split(|c: char| !c.is_alphanumeric() && c != '\'')
        .filter(|word| !word.is_empty() && !VOCABULARY.split('|').any(|known| word.eq_ignore_ascii_case(known)))
        .map(str::to_owned)
        .collect()
}

/// Whether what is left over is a place by its last sign: 训练场, 自习室.
fn is_chinese_place(rest: &[String]) -> bool {
    let ends = |word: &String| {
        word.ends_with(['场', '店', '馆', '厅', '室', '部', '台', '处', '园', '池', '房', '所', '站', '窗', '院', '区'])
    };
    rest.len() == 1 && rest.iter().all(|word| word.chars().count() <= 6 && ends(word))
}

/// Whether what is left over names what is open: "Café", "the swimming pool".
fn names_place(rest: &[String], spoken: bool) -> bool {
    let common = [
        "shop",
        "store",
        "office",
        "bakery",
        "library",
        "museum",
        "restaurant",
        "studio",
        "clinic",
        "gym",
        "salon",
        "we",
        "bar",
        "practice",
        "center",
        "centre",
        "reception",
        "desk",
        "kitchen",
        "pool",
        "sauna",
        "lounge",
        "workshop",
        "surgery",
        "pharmacy",
        "depot",
        "café",
        "cafe",
    ];
    let known = rest.iter().all(|word| common.contains(&word.to_lowercase().as_str()));
    known
        || spoken
            && rest.len() <= 3
            && rest.iter().all(|w| w.chars().all(char::is_alphabetic) && w.chars().count() <= 14)
}

/// What an incomplete part takes over from the one before it.
#[derive(Default)]
struct Earlier {
    days: Vec<u8>,
    times: Option<u16>,
    /// Days of the part before: "weekdays 8:30–12:00, 13:30–17:30" are two times of them.
    last: Vec<u8>,
}

impl Earlier {
    fn take(&mut self, own: &[(Range, Mark)], subject: &str) -> Vec<Entry> {
        let mut days: Vec<u8> = std::mem::take(&mut self.days);
        let (mut times, mut closed) = (Vec::new(), false);
        for (_, mark) in own {
            match mark {
                Mark::Days(more) => days.extend(more),
                Mark::Times { from, to } => times.push((Some(*from), Some(*to))),
                Mark::Until(to) => match times.last_mut() {
                    Some((Some(_), end @ None)) => *end = Some(*to),
                    _ => times.push((None, Some(*to))),
                },
                Mark::From(from) => times.push((Some(*from), None)),
                Mark::Closed => closed = true,
            }
        }
        days.sort_unstable();
        days.dedup();
        let subject = subject.to_owned();
        if days.is_empty() && !closed {
            days.clone_from(&self.last);
        } else if !closed {
            self.last.clone_from(&days);
        }
        if closed && times.is_empty() {
            return if days.is_empty() { Vec::new() } else { vec![Entry::Closed(ClosedDays { subject, days })] };
        }
        let mut entries = Vec::new();
        for (from, to) in times {
            // "Fri until 13:00" begins when the days before it do.
            let from = from.or(self.times);
            if let (Some(from), Some(to)) = (from, to) {
                self.times = Some(self.times.unwrap_or(from));
                entries.push(Entry::Open(OpeningHours {
                    subject: subject.clone(),
                    days: days.clone(),
                    from: written(from),
                    to: written(to),
                }));
            }
        }
        entries
    }
}

/// Hours without days are those of all days that are not named otherwise, if any are.
fn complete(entries: &mut [(Range, Entry)]) {
    let named: Vec<u8> = entries
        .iter()
        .flat_map(|(_, entry)| match entry {
            Entry::Open(open) => open.days.clone(),
            Entry::Closed(closed) => closed.days.clone(),
            _ => Vec::new(),
        })
        .collect();
    if named.is_empty() {
        return;
    }
    for (_, entry) in entries {
        if let Entry::Open(open) = entry
            && open.days.is_empty()
        {
            open.days = (1..=7).filter(|day| !named.contains(day)).collect();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_all(text: &str) -> (String, bool) {
        let Some(table) = read(text, &(0..text.len()), false) else { return (String::new(), false) };
        let days = |days: &[u8]| days.iter().map(u8::to_string).collect::<String>();
        let one = |entry: &Entry| match entry {
            Entry::Open(o) => format!(
                "{}{} {}-{}",
                if o.subject.is_empty() { String::new() } else { format!("{}:", o.subject) },
                days(&o.days),
                o.from,
                o.to
            ),
            Entry::Closed(c) => format!("{} x", days(&c.days)),
            _ => String::new(),
        };
        (table.entries.iter().map(|(_, e)| one(e)).collect::<Vec<_>>().join("; "), table.says_more)
    }

    #[test]
    fn timetables() {
        for (text, hours, more) in [
            ("Mon–Thu 9:00–17:30, Fri until 13:00, closed Sunday", "1234 09:00-17:30; 5 09:00-13:00; 7 x", false),
            ("We're open Tuesday to Saturday from 7am to 6pm.", "23456 07:00-18:00", false),
            ("Open 10-18 daily except holidays", "", false),
            ("We are open 9 to 5, closed on Sundays and Mondays.", "23456 09:00-17:00; 17 x", false),
            (
                "Opening hours: Mon, Wed 9–12 and 14–18, Sat 10–13",
                "13 09:00-12:00; 13 14:00-18:00; 6 10:00-13:00",
                false,
            ),
            ("营业时间：周一至周五 上午9点到下午5点半，周日休息", "12345 09:00-17:30; 7 x", false),
            ("我们每天早上8点到晚上9点营业", "1234567 08:00-21:00", false),
            ("周二到周日10:00-22:00，周一休息。", "234567 10:00-22:00; 1 x", false),
            ("The café is open daily 8:00–16:00", "café:1234567 08:00-16:00", false),
            ("Open daily 8-18, dogs are welcome", "1234567 08:00-18:00", true),
            ("Yoga is on Mondays 18:00–19:30", "", false),
            ("The museum is closed on Mondays.", "1 x", false),
            ("办公时间：工作日8:30~12:00，13:30~17:30", "12345 08:30-12:00; 12345 13:30-17:30", false),
            ("营业时间 10:00-22:30，全年无休。", "1234567 10:00-22:30", false),
            (
                "探视时间是每天上午9点到11点、下午3点到5点。",
                "探视:1234567 09:00-11:00; 探视:1234567 15:00-17:00",
                false,
            ),
            ("Sat 9-12 (emergencies only), Sunday closed", "6 09:00-12:00; 7 x", true),
            ("美发店，周一到周五早10点到晚9点，周末早9点到晚10点。", "12345 10:00-21:00; 67 09:00-22:00", true),
            ("午市11:00-14:00，晚市17:00-21:30营业", "午市: 11:00-14:00; 晚市: 17:00-21:30", false),
            (
                "Opening hours are 8:30 to 12:00 and 14:00 to 17:30, Monday to Friday.",
                "12345 08:30-12:00; 12345 14:00-17:30",
                false,
            ),
            ("训练场每天7:00～19:00。", "训练场:1234567 07:00-19:00", false),
            ("Mo-Fr 6:00-22:00, Sa+So 8:00-20:00.", "12345 06:00-22:00; 67 08:00-20:00", false),
            ("Opening hours 8-22 on weekdays and 10–18 at weekends.", "12345 08:00-22:00; 67 10:00-18:00", false),
            ("open mon, wed 10-18; tue, thu 12-20; closed sun", "13 10:00-18:00; 24 12:00-20:00; 7 x", false),
            ("开馆时间：周二至周日 9:00–17:00，周一闭馆", "234567 09:00-17:00; 1 x", false),
        ] {
            assert_eq!(read_all(text), (hours.to_owned(), more), "{text}");
        }
    }
}
