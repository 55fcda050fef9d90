//! What the requirement's data can answer, and whether a clause asks for it.

use std::collections::BTreeSet;

use serde_json::Value;

use super::words::stems;
use crate::{
    author::offline::requirement::language::is_cjk,
    spec::{DataSet, Language},
};

/// Words of a clause that name nothing in particular.
const GENERAL: &str = "a|an|the|my|our|your|their|his|her|its|this|that|these|those|it|me|us|them|you|i|we|they|he|she|one|ones|some|any|all|each|every|both|other|others|more|most|many|much|few|several|following|below|above|given|same|new|such|own|able|about|of|for|to|from|in|on|at|by|with|and|or|as|into|than|then|so|if|when|where|what|which|who|whom|whose|how|why|whether|there|here|not|no|yes|only|just|also|too|very|really|please|can|could|should|would|will|shall|may|might|must|do|does|did|doing|done|be|is|are|was|were|been|being|am|have|has|had|having|get|gets|getting|got|give|gives|given|giving|want|wants|wanted|need|needs|needed|like|likes|would|let|lets|make|makes|made|build|builds|create|creates|develop|write|set|up|use|uses|used|using|help|helps|helper|helping|assist|assists|assistant|assistance|agent|agents|bot|bots|chatbot|chatbots|ai|tool|tools|app|application|program|system|virtual|little|small|simple|smart|nice|good|great|quick|quickly|easy|easily|basic|tiny|friendly|polite|cute|local|offline|online|digital|automatic|automatically|answer|answers|answering|reply|replies|respond|responds|response|tell|tells|telling|say|says|inform|informs|know|knows|knowing|explain|explains|show|shows|handle|handles|support|supports|serve|serves|provide|provides|offer|offers|deal|deals|take|takes|look|looks|find|finds|ask|asks|asked|asking|question|questions|query|queries|request|requests|message|messages|enquiries|inquiries|enquiry|faq|people|person|customer|customers|user|users|guest|guests|visitor|visitors|client|clients|parents|members|students|everyone|somebody|someone|anyone|staff|team|colleagues|employees|public|info|information|details|things|thing|stuff|something|anything|everything|topic|topics|data|list|text|based|according|based|way|ways|time|times|day|days|today|always|often|usually|often|keep|keeps|kept|same|over|again|work|works|working|job|day|im|i'm|i'd|we'd|it's|that's|don't|s|t|d|ll|re|ve|m|hi|hello|hey|thanks|thank|eg|etc|example|case|kind|kinds|sort|type|types|lot|lots|bit|front|desk|phone|website|site|page|shop|store|business|company|office|firm|place|house|them|week|come|comes|called|named|run|runs|running|own|looking|looks|correct|correctly|right|exact|exactly|directly|short|briefly|first|also|able|currently|actually|possible|possibly|possibly|via|per|out|off|back|down|instead|because|since|while|during|after|before|until|without|within|between|among|around";
const ZH_GENERAL: &str = "做一个|帮我|请|一个|一款|智能体|助手|机器人|小助手|客服|小程序|程序|工具|系统|应用|我们|我|你|它|他们|她|他|的|了|和|与|或|把|将|对|会|是|在|有|这|那|给|为|成|能够|能|可以|可|需要|要|想|希望|应该|用户|客人|顾客|客户|家长|学生|员工|大家|别人|读者|会员|居民|患者|业主|有人|回答|解答|答|问题|问|咨询|询问|提问|常见|相关|关于|有关|方面|根据|以下|下面|如下|上面|这些|那些|资料|信息|内容|数据|列表|清单|帮助|帮|告诉|介绍|说明|知道|了解|查询|查|支持|提供|服务|处理|使用|用|到|去|来|就|都|也|还|并|而|及|等|时|时候|什么|怎么|多少|哪些|哪|几|店|小|个|些|上|里|中|下|各种|所有|每|常|经常|总|老|做|构建|创建|开发|制作|设计|搭建|一下|快速|方便|简单|智能|专门|主要|负责|叫|名叫|人|东西|事情|事|吗|呢|吧|啊|哦|AI|ai";

/// What words of a topic are called by people, and the data that answers it.
const TOPICS: &[(&str, &str)] = &[
    (
        "prices",
        "price prices cost costs menu pricing fee fees charge charges rate tariff tariffs cheap cheapest expensive pay total totals order orders quote sell goods products items 价格 多少钱 价目 菜单 收费 费用 价钱 便宜 算账 算钱 商品 产品 报价",
    ),
    ("hours", "open opening hours closed closing opens closes timetable 营业时间 开门 几点 营业 开放时间 关门 时间"),
    ("faq", "faq faqs common frequently 常见问题 问答 常问"),
    ("rates", "currency currencies exchange 汇率 货币 换汇"),
    ("categories", "category categories classify classification class 分类 类别 归类"),
    ("table", "table row rows column columns record records 表格 表 名单 记录"),
    (
        "notes",
        "policy policies rules info about location address where parking contact delivery 地址 停车 规定 政策 须知 联系 位置 配送 退换",
    ),
];

/// The words of all data, by kind.
pub(super) struct Known {
    kinds: BTreeSet<&'static str>,
    words: Vec<(&'static str, BTreeSet<String>, String)>,
}

/// What a clause asks of the data.
#[derive(Default)]
pub(super) struct Asked {
    /// The kinds that serve it.
    pub(super) kinds: BTreeSet<&'static str>,
    /// It says nothing in particular: for whom the agent is, that people ask.
    pub(super) background: bool,
    /// It asks for answers, not for an ability.
    pub(super) wants_data: bool,
}

impl Known {
    pub(super) fn of(data: &[DataSet]) -> Self {
        let words = data.iter().map(|set| {
            let text = text_of(set);
            (set.kind(), stems(&text).into_iter().collect(), text.to_lowercase())
        });
        Self { kinds: data.iter().map(DataSet::kind).collect(), words: words.collect() }
    }

    pub(super) fn has(&self, kind: &str) -> bool {
        self.kinds.contains(kind)
    }

    /// Whether there is anything to answer from.
    fn answers(&self) -> bool {
        self.kinds.iter().any(|kind| ["faq", "notes", "prices", "table", "hours"].contains(kind))
    }

    pub(super) fn asked(&self, clause: &str, _language: Language) -> Asked {
        let lower = clause.to_lowercase();
        // "answers the questions people ring up about" asks for whatever there is; "questions about X" asks for X.
        let general = ["question", "问题", "常问", "faq"].iter().any(|word| lower.contains(word));
        let about = [" about ", " on ", " regarding ", " concerning ", "关于", "有关"]
            .iter()
            .find_map(|word| lower.split_once(word))
            .map(|(_, topic)| topic);
        let object = match about {
            Some(topic) if general => object_of(topic),
            None if general && self.answers() => String::new(),
            _ => object_of(clause),
        };
        let asks_for_answers = [
            "answer", "tell", "inform", "question", "ask", "reply", "respond", "know", "explain", "help me", "helps",
            "info", "look up", "find", "show", "回答", "答", "问", "告诉", "咨询", "介绍", "查", "解答", "客服",
        ]
        .iter()
        .any(|word| lower.contains(word));
        let mut asked = Asked { wants_data: asks_for_answers, ..Asked::default() };
        if object.is_empty() {
            asked.background = true;
            if asks_for_answers
                && ["question", "answer", "问题", "回答", "咨询", "客服", "解答", "faq"]
                    .iter()
                    .any(|word| lower.contains(word))
            {
                asked.kinds.extend(
                    self.kinds.iter().filter(|kind| ["faq", "notes", "prices", "table", "hours"].contains(kind)),
                );
            }
            return asked;
        }
        let terms: Vec<String> = stems(&object);
        for (kind, known, text) in &self.words {
            let english = terms.iter().any(|term| term.len() > 2 && known.contains(term));
            let chinese = pairs(&object).iter().any(|pair| text.contains(pair.as_str()));
            if english || chinese {
                asked.kinds.insert(kind);
            }
        }
        let mut topical = false;
        for (kind, topics) in TOPICS {
            let named = topics.split(' ').any(|topic| {
                if topic.is_ascii() {
                    terms.contains(&stems(topic).join(" "))
                } else {
                    object.contains(topic) || clause.contains(topic) && topic.chars().count() > 1
                }
            });
            topical |= named;
            if named && self.has(kind) {
                asked.kinds.insert(kind);
            }
        }
        asked.wants_data |= topical;
        // Where there is more than a few words about the house, a question without a known topic is worth asking.
        if asked.kinds.is_empty()
            && asks_for_answers
            && !topical
            && self.kinds.iter().any(|kind| ["faq", "prices", "table", "hours"].contains(kind))
        {
            asked
                .kinds
                .extend(self.kinds.iter().filter(|kind| ["faq", "notes", "prices", "table", "hours"].contains(kind)));
        }
        // "a bot for my bakery in Leeds" says for whom it is.
        let wish = [
            "want",
            "need",
            "would like",
            "looking for",
            "build",
            "create",
            "make me",
            "give me",
            "bot for",
            "assistant for",
            "agent for",
            "helper for",
            "chatbot for",
            "bot ",
            "assistant",
            "agent",
            "做一个",
            "想要",
            "需要一个",
            "助手",
            "智能体",
            "机器人",
            "开发",
            "创建",
            "构建",
            "搞一个",
            "弄一个",
        ];
        let placed = [
            "for ", "in ", "at ", "on ", "with ", "because", "since", "so that", "who ", "where ", "which ", "called",
            "named", "from ", "of ", "my ", "our ", "as ",
        ];
        asked.background = asked.kinds.is_empty()
            && (wish.iter().any(|word| lower.contains(word)) && !asks_beyond_wish(&lower)
                || placed.iter().any(|word| lower.starts_with(word))
                || terms.len() + pairs(&object).len() <= 1 && !asks_for_answers && !topical);
        asked
    }
}

/// Whether a wish names what the agent shall do: "an agent that juggles".
fn asks_beyond_wish(lower: &str) -> bool {
    [" that ", " which ", " who ", " to ", " can ", "能", "可以", "会", "帮", "用来", "用于"]
        .iter()
        .any(|word| lower.contains(word))
}

/// The words of a clause that name something in particular.
pub(super) fn object_of(clause: &str) -> String {
    let mut text = clause.to_owned();
    for word in ZH_GENERAL.split('|') {
        if !word.is_ascii() {
            text = text.replace(word, " ");
        }
    }
    let words = text.split(|c: char| !c.is_alphanumeric() && c != '\'' && c != '-').filter(|word| {
        let lower = word.to_lowercase();
        !word.is_empty()
            && !GENERAL.split('|').any(|general| general == lower)
            && word.chars().any(char::is_alphanumeric)
    });
    let words: Vec<&str> = words.filter(|word| !word.chars().all(is_cjk) || word.chars().count() > 1).collect();
    words.join(" ")
}

fn pairs(text: &str) -> Vec<String> {
    let chars: Vec<char> = text.chars().collect();
    chars.windows(2).filter(|pair| pair.iter().all(|c| is_cjk(*c))).map(|pair| pair.iter().collect()).collect()
}

fn text_of(set: &DataSet) -> String {
    let mut words: Vec<&str> = vec![set.title()];
    match set {
        DataSet::Prices { items, .. } => words.extend(items.iter().flat_map(|i| [i.name.as_str(), i.note.as_str()])),
        DataSet::Table { columns, rows, .. } => {
            words.extend(columns.iter().map(|c| c.name.as_str()));
            words.extend(rows.iter().flatten().filter_map(Value::as_str));
        }
        DataSet::Faq { pairs, .. } => words.extend(pairs.iter().flat_map(|p| [p.question.as_str(), p.answer.as_str()])),
        DataSet::Notes { passages, topics, .. } => {
            words.extend(passages.iter().map(String::as_str));
            words.extend(topics.iter().flatten().map(String::as_str));
        }
        DataSet::Categories { categories, .. } => {
            words.extend(categories.iter().flat_map(|c| c.words.iter().map(String::as_str).chain([c.name.as_str()])))
        }
        DataSet::Rates { rates, .. } => words.extend(rates.iter().flat_map(|r| [r.from.as_str(), r.to.as_str()])),
        DataSet::Hours { hours, .. } => words.extend(hours.iter().map(|h| h.subject.as_str())),
    }
    words.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn objects_are_what_is_particular() {
        for (clause, object) in [
            ("answers questions about this price list", "price"),
            ("I need a helper", ""),
            ("customers keep asking", ""),
            ("convert kg to lb", "convert kg lb"),
            ("回答顾客关于蛋糕的问题", "蛋糕"),
        ] {
            assert_eq!(object_of(clause), object, "{clause}");
        }
    }
}
