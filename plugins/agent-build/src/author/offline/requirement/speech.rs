//! What a sentence does: sets a task, states a fact, says how the agent shall behave.

use std::sync::LazyLock;

use regex::Regex;

use super::language::is_cjk;

fn regex(pattern: &str) -> Option<Regex> {
    Regex::new(pattern).ok()
}

fn matches(regex: &LazyLock<Option<Regex>>, text: &str) -> bool {
    regex.as_ref().is_some_and(|regex| regex.is_match(text))
}

/// Words at the beginning that change nothing.
static LEAD: LazyLock<Option<Regex>> = LazyLock::new(|| {
    regex(
        r"(?i)^(?:(?:(?:hi|hello|hey|hallo|good morning|ok|okay|so|and|also|plus|then|but|additionally|furthermore|besides|finally|first|firstly|second|secondly|third|next|oh|well|basically|ideally|maybe|perhaps|please|pls|plz|kindly|just|there|team|folks|everyone)\b|你好|您好|另外|此外|还有|同时|然后|首先|其次|最后|并且|而且|麻烦|请)[\s,!.:，。！：]*)+",
    )
});

/// A wish of whoever orders the agent.
static WISH: LazyLock<Option<Regex>> = LazyLock::new(|| {
    regex(concat!(
        r"(?i)^(?:(?:an?|some|any|one)\s(?:[\w'-]+\s){0,4}?(?:thing|helper|bot|tool|app|assistant|agent|calculator|converter|program|widget|service|robot|gadget|script|buddy|companion|chatbot|toolbox|something|planner|finder|counter|classifier|sorter|desk)\b(?:.{0,40}\b(?:that|which|to|for|who|where)\b|\s*[:,]|\s*$)|(?:[\w'+/&-]+\s){0,4}(?:helper|bot|assistant|agent|chatbot|calculator|converter|toolbox|tool|app)\b(?:\s(?:for|that|which|to|please|who)\b|\s*[:,]|\s*[.!]?\s*$)|(?:need|want|looking for|searching for|wanted|require)\s+(?:(?:an?|some|something|help|your)\b|(?:[\w'-]+\s){0,3}(?:helper|bot|assistant|agent|chatbot|tool|app|calculator)\b)|(?:i|we)(?:'ll| will| want to)? (?:keep (?:having|getting|needing|forgetting|mixing|asking)|paste|type|enter|give it|send it|ask)\b|(?:our|my|the)\s(?:[\w'-]+\s){1,4}(?:needs?|wants?|could use|would like|wishes for|is looking for|are looking for|asked (?:me )?for)\s(?:an?|some|help|something|to|visitors|customers|guests|people|users|members|patients|parents|students|clients|staff|quick|you)\b|something (?:that|to|for|which)\b|(?:i|we|my boss|my team|our team|our \w+|the \w+ team)(?:'d|'m|'re| would| am| are)?\s+(?:really |just |also |basically |currently )?(?:want|wants|need|needs|like to|like a|like an|like it|like you|love|wish|hope|looking for|expect|require|thinking of|prefer|keep getting asked|get asked|am tired|are tired)\b",
        r"|(?:can|could|would|will) (?:you|it|this|that|we (?:have|get)|i (?:have|get)|someone (?:build|make)|the (?:bot|agent|assistant))\b",
        r"|is it possible|it would be (?:nice|great|good|cool)|would be (?:nice|great|good|cool)|let(?:'s| us| me| it| the| people| users| customers)\b|i'm looking|looking for an?\b|wanted:|what i (?:want|need)|the (?:goal|idea|aim|purpose|task|job) (?:is|of)\b|(?:our|my) (?:goal|idea|aim) is\b|goal:|task:",
        r"|(?:it|the bot|this bot|a bot|the chatbot|the agent|this agent|an agent|the assistant|an assistant|the tool|a tool|the helper|this thing|the thing|he|she|you (?:should|must|shall|are to|answer|tell|convert|calculate|compute)|the app|the program|the robot|the system|bot|agent|assistant)\s+(?:should|must|can|could|has to|have to|needs? to|shall|will|may|also|never|always|only|is supposed|is able|ought|does not|doesn't|do not|don't|cannot|can't|shouldn't|mustn't|won't|answers?|tells?|helps?|gives?|converts?|computes?|calculates?|knows?|looks?|finds?|takes?|sorts?|counts?|says?|replies|reads?|explains?|lists?|shows?|returns?|extracts?|summari[sz]es?|translates?|works? out|checks?|picks?|rolls?|generates?|makes?|turns?|handles?|supports?|classif\w+|reminds?|sends?|writes?|searches|adds?|splits?|estimates?|encodes?|decodes?|formats?|suggests?|recommends?|compares?|tracks?|keeps?|uses?|understands?|speaks?|lets?|offers?|provides?|responds?|books?|manages?)\b",
        r"|(?:users?|customers?|people|visitors?|guests?|students?|parents?|members?|patients?|callers?|employees|staff|colleagues|clients?|kids|children|tenants|residents|volunteers|drivers|everyone|someone|somebody|they|folks|buyers|players|teachers?|team members?|anyone)\s+(?:will |can |could |may |might |should (?:be able to )?|must be able to |often |usually |always |keep |constantly |mostly |sometimes |just |then |all )*(?:ask|asks|asking|want to know|wants to know|wonder|paste|pastes|type|types|enter|enters|give it|give me|send it|sends it|write to|message|wants? a|need a quick|look up|should be able)\b",
        r"|(?:when|if|whenever|once|in case)\s+(?:asked|it\b|in doubt|you|the answer|the question|nothing|somebody asks|someone asks|anyone asks|people ask|users? ask|customers? ask|they ask|a (?:user|customer|guest|visitor|student|member|patient)\b|the (?:user|customer|guest|visitor|student)\b|users?\b|customers?\b|someone|somebody|anyone|people|i (?:ask|type|give|paste|say|enter)|we (?:ask|type|give|paste|enter))",
        r"|(?:should|must|needs? to|has to|able to|capable of|can|could|to be able to|shall|will)\s|given (?:a|an|two|the|some)\b|for each\b|based on\b|using (?:the|this|these)\b|use (?:the following|these|this|only|my|our|tools|simple|short|emojis?)\b|no (?:need|small talk|jokes|advice|e-?mails?|internet|dashboards?|chit[- ]?chat|fluff|frills|extras|ads)\b|keep (?:it|answers|replies|the answers|things)\b|be (?:friendly|polite|kind|brief|short|concise|precise|honest|nice|helpful|careful)\b|do not\b|don't\b|never\b|always\b|questions? (?:like|such as|about|are|may|might|could|would be)\b|typical questions?\b|example questions?\b|examples? of questions?\b|things like\b)",
    ))
});

/// A need that is named behind for whom it is: "Recruiting: we get texts and need …".
static NEED: LazyLock<Option<Regex>> = LazyLock::new(|| {
    regex(concat!(
        r"(?i)\b(?:we|i)\b.{0,60}\b(?:need|want) (?:every|all|an?|some|something|the|to|them|it)\b",
        r"|\b(?:i|i'm|we|we're)\b.{0,80}(?:\band|\bso|,) (?:i |we )?(?:want|wanna|would like|need) (?:[a-z]+,|their|my|our|your|how|what|which|[a-z]+ (?:and|of|from)\b)",
        r"|^(?:i'm|i am|we're|we are) .{3,40}, (?:i|we|they|people) (?:paste|type|enter|send|give)\b",
    ))
});
/// What a house needs of its customers is no wish for an agent.
static NOTICE: LazyLock<Option<Regex>> = LazyLock::new(|| {
    regex(
        r"(?i)\b(?:we|i) need (?:at least |about )?(?:\d|a day|one day|two days|some time|advance|your|notice|a deposit)",
    )
});

/// An agent that is named before a colon, a wish without a verb, or people who ask.
static NAMED: LazyLock<Option<Regex>> = LazyLock::new(|| {
    regex(
        r"(?i)\b(?:agent|bot|chatbot|assistant|helper|converter|calculator)\s*[:：]|语音助手|^(?:every|each) (?:morning|day|evening|night|week|month|hour|monday|tuesday|wednesday|thursday|friday|saturday|sunday)\b.*\b(?:send|read|check|write|post|tell|give|email|summar\w+|remind|put|message|fetch|get|make|create|scan|collect)\b|^an?\s(?:[\w'-]+\s){0,3}[\w'-]+\s(?:that|which)\s+\w+s\b|^(?:[\w'-]+\s){1,4}?(?:ask|asks|paste|pastes|keep asking|keep messaging|keep calling|keep ringing|keep emailing)\b|^if (?:we|you|it|they|i) (?:do|does|don't|doesn't|cannot|can't|have)\b",
    )
});

/// Greetings and thanks.
static COURTESY: LazyLock<Option<Regex>> = LazyLock::new(|| {
    regex(
        r"(?i)^(?:hi|hello|hey|hallo|good (?:morning|afternoon|evening|day)|dear|thanks?|thank you|thx|ty|cheers|many thanks|kind regards|best|regards|best regards|please|ok|okay|你好|您好|大家好|谢谢|多谢|感谢|拜托|辛苦|麻烦)(?:[\s,]+(?:there|all|team|everyone|you|so much|a lot|very much|again|in advance|advance|for (?:your help|helping|reading)|各位|大家|啦|了|您|你))*[\s!.,~。！]*$",
    )
});

/// Verbs that, at the beginning of a sentence, order the agent to do something. Those that a shop also says to its
/// customers ("call", "book", "bring", "pay", "return", "visit", "park") are not among them.
static ORDER: LazyLock<Option<Regex>> = LazyLock::new(|| {
    regex(
        r"(?i)^(?:re)?(?:build|create|make|write|develop|design|generate|implement|answer|convert|compute|calculate|work out|figure out|reply|respond|support|allow|help|provide|add up|add|include|show|tell|explain|summari[sz]e|extract|find out|find|search|count|classify|categori[sz]e|translate|read|list|sort|analy[sz]e|query|fetch|encode|decode|hash|format|validate|check|estimate|track|monitor|remind|notify|send|email|draft|compose|rewrite|proofread|paraphrase|recommend|suggest|plan|schedule|predict|forecast|generate|draw|paint|transcribe|record|play|sing|chat|talk|teach|tutor|coach|guide|act|behave|pretend|give|get|look up|look|pull|scrape|crawl|download|upload|save|store|remember|log|update|delete|edit|open|hook|ping|sync|connect|integrate|post|publish|tweet|share|book|order|reserve|pick|choose|roll|flip|shuffle|split|divide|multiply|subtract|sum|round|compare|rank|filter|group|label|tag|triage|route|assign|detect|identify|recogni[sz]e|parse|solve|simulate|practice|practise|quiz|test|grade|correct|review|debug|code|program|refactor|deploy|manage|handle|organi[sz]e|automate|collect|gather|combine|merge|clean|remove|replace|reverse|capitali[sz]e|turn|transform|change|switch|measure|print|output|return|introduce|greet|welcome|say|speak|ask for|clarify|refuse|decline|stay|stick|keep|limit|avoid|ensure|prefer|assume|treat|consider|follow|let|set up|put|take|determine|derive|evaluate|approximate|tally|total|quote|price|bill|invoice|budget|browse|google|surf)\b",
    )
});
/// "Counts the days between dates": what the agent does, without naming it.
static THIRD: LazyLock<Option<Regex>> = LazyLock::new(|| {
    regex(
        r"(?i)^(?:can (?:also )?|also |then |and )?(?:counts|tells|converts|computes|calculates|answers|summari[sz]es|extracts|translates|generates|helps|explains|finds|sends|writes|reminds|searches|gives|shows|creates|makes|builds|sorts|classifies|encodes|decodes|works out|adds|takes off|takes (?:a|the|any) (?:list|text|number|amount|date)|divides|multiplies|subtracts|rounds|splits|picks|rolls|flips|tosses|shuffles|hashes|estimates|turns|formats|says|recommends|suggests|draws|understands|knows|compares|checks|looks up|figures out|tracks|spells|reverses|removes|strips|solves|lists all|ranks)\s",
    )
});
/// Such a verb before what only a shop says to its customers.
static SHOP_TALK: LazyLock<Option<Regex>> = LazyLock::new(|| {
    regex(
        r"(?i)^(?:open(?:ing|s)?\b|book (?:online|early|by|your|now|in advance|via|at)\b|order (?:online|early|by|your|now|in advance|via|at|before)\b|check[- ]?(?:in|out)\b|price[sd]?\b|orders?\b.*\b(?:ship|arrive|leave)|returns?\b|invoice by|list price|test (?:drive|day)|plan (?:a|b|c)\b|bill\b|budget\b|code\b\s*[:=]|record\b|tag\b|program\b|total\b|taken?\b.*\bfrom the (?:left|right)|ask (?:at|for .* at) the|find us|follow us|keep (?:your|the) (?:ticket|receipt)|change (?:is|of) |return (?:within|items|it|goods|the)|share\b|post\b|log\b|play\b.*\bground|group(?:s)? (?:of|over|get)|store\b|guide\b|coach\b|print\b|label\b|quiz\b|sum\b|schedule\b|practice\b|rank\b|route\b)",
    )
});

/// Verbs that make a statement of fact when they follow a subject.
const FACT_VERBS: &str = "is|are|was|were|has|have|had|may|must|can|cannot|can't|will|would|opens|open|closes|close|costs|cost|contains|includes|weighs|lies|starts|begins|ends|takes|take|lasts|belongs|requires|applies|apply|offers|offer|gets|get|works|lives|means|keeps|isn't|aren't|expires|accept|accepts|run|runs|own|sell|sells|serve|serves|deliver|delivers|need|needs|rent|rents|teach|teaches|charge|charges|ship|ships|come|comes|goes|go|stays|provide|provides|arrive|arrives|leave|leaves|meet|meets|pay|pays|bake|bakes|use|uses|allowed|free|closed|do|does|don't|doesn't|we're|it's|there's|you'll|refund|refunds|receive|live|work|speak|speaks|stop|stops|depends|called|located|happens|valid|allows|allow|welcome|included|excluded|required|recommended|available|park|bring|call|return|visit";

static ZH_TASK: LazyLock<Option<Regex>> = LazyLock::new(|| {
    regex(concat!(
        r"^(?:(?:给|为|帮|替)[^，。：]{1,12}?(?:做|写|搞|弄|建|开发|设计|配|把)|告诉我|我(?:们)?(?:想|要|需要|希望|打算|想要|想做|想给)|(?:帮|给)(?:我|我们|忙)|做(?:一|个|出|成)|构建|创建|开发|制作|设计(?:一|个)|搭建|生成|写(?:一|个|首|篇)|整(?:一个|个)|弄(?:一个|个)|来(?:一个|个)|实现|",
        r"它|该智能体|智能体|助手|机器人|客服(?:机器人)?(?:要|应|能|需)|AI|bot|(?:用户|客人|顾客|客户|家长|学生|员工|同事|大家|有人|别人|读者|会员|患者|居民|业主)(?:会|常|经常|总|老|一般|可能|都|主要)*(?:问|询问|输入|粘贴|发来|给出|咨询|想知道|说)|",
        r"(?:如果|当|若)(?:用户|客人|顾客|客户|有人|问|不|没有|遇到|我)|根据(?:以下|下面|上面|这)|按照(?:以下|下面|上面)|基于|使用(?:以下|下面)|",
        r"(?:要|需要|应该|应|必须|得|最好)(?:能|会|可以|支持|把|帮|是|有|用|回答|说|告诉)?|回答|计算|统计|换算|转换|提取|查询|查找|搜索|分析|抓取|编码|解码|格式化|总结|概括|识别|翻译|提醒|记录|帮助|解答|介绍一下|告诉(?:客人|用户|顾客|他们|大家|对方)|不要|别|不能(?:编|乱|说)|请勿|禁止|语气|回复|答案|只(?:回答|根据|需|要能)|按|把.{1,12}(?:转|换|变|分|算|翻译|改)|对.{1,16}(?:分类|归类|统计|分析|总结)|",
        r"功能|任务|目标|需求|要求|希望|想|能(?:够)?(?:帮|把|回答|算|查|换|统计|计算|告诉|自动|根据|识别|写|画|发|提醒|翻译|推荐)|可以(?:帮|把|回答|算|查|换算|统计|计算|告诉|自动|根据|识别|写|画|发|提醒|翻译|推荐)|支持(?:换算|单位|查询|计算|统计|多语言|语音)|能不能|可不可以)",
    ))
});
static ZH_AGENT: LazyLock<Option<Regex>> = LazyLock::new(|| {
    regex("智能体|助手|助理|管家|生成器|机器人|小工具|(?:聊天|问答|客服).{0,3}(?:bot|程序|系统)|AI客服")
});
/// What Chinese sentences that set a task speak of.
const ZH_TASK_WORDS: &str =
    "归类|分类|计算|统计|生成|提取|换算|转换|查询|搜索|分析|抓取|编码|解码|格式化|总结|概括|识别|翻译";
/// What Chinese sentences that state a fact speak of.
static ZH_FACT: LazyLock<Option<Regex>> = LazyLock::new(|| {
    regex(
        r"^(?:我(?:们)?(?:是|有|在|家|店|开|卖|做|的|这|公司|学校|的店)|我开|我在|(?:必须|需要|须|需|要)(?:先|全程)?(?:戴|穿|带|携带|出示|自备|提前|预约|年满|家长|脱|刷卡|排队|押|凭)|本店|本馆|小店|店里|地址|电话|营业|可以(?:带|刷|用微信|用支付宝|外带|外送|停|退|换|预约|预订|打包|开发票)|不可以|支持(?:微信|支付宝|刷卡|退|七天|外|货到)|不支持|不能(?:带|进|退|停|使用)|不要带|禁止(?:吸烟|入内|携带)|请勿(?:吸烟|入内|携带|带))",
    )
});

static MANNER: LazyLock<Option<Regex>> = LazyLock::new(|| {
    regex(concat!(
        r"(?i)\b(?:be|stay|sound|remain)\s+(?:very |always |really |a bit |nice and )?(?:friendly|polite|kind|brief|short|concise|precise|honest|nice|helpful|patient|professional|calm|formal|informal|accurate|clear|direct|to the point|quick|fast)\b|\b(?:friendly|polite|short|brief|concise|clear|simple|quick|exact|precise|plain) (?:answers?|tone|replies|language|words|english|sentences)\b|\banswers? (?:short|briefly|politely|clearly|quickly|honestly|only|just)\b|\bkeep (?:it|answers|replies|the answers|things) (?:short|brief|simple|friendly|polite|concise)\b|\b(?:never|not|don't|doesn't|without|no) (?:make|making|made|invent|inventing|guess|guessing|hallucinat\w+|lie|making things up|made[- ]up)\b|\bsay (?:so|that (?:it|you) (?:does|do)(?:n't| not) know)\b|\bif (?:it|you) (?:does|do)(?:n't| not) know\b|\bnothing else\b|\bonly that\b|\bin (?:english|chinese|simple words|plain words|plain english)\b|\bsame language\b|\bone sentence\b|\bno (?:small talk|jokes|emojis?|ads|fluff)\b|\buse (?:short|simple|plain|the metric|emojis?)\b|\bshow (?:the|your|its) (?:calculation|working|steps|work)\b|\b(?:easy to use|user[- ]friendly|round(?:ed)? to)\b",
        r"|语气|友好|礼貌|客气|亲切|热情|耐心|简短|简洁|简单明了|言简意赅|不要(?:编|乱|啰嗦|胡|瞎|废话)|别(?:编|乱|啰嗦|瞎|废话)|不(?:编造|瞎编|胡编|乱说)|如实|实话|不知道.{0,6}说|不清楚.{0,6}说|别的不|用中文|用英文|准确|直接(?:回答|给出)|一句话",
    ))
});

/// What an order forbids: the agent has no such ability, so it keeps to it.
static FORBIDS: LazyLock<Option<Regex>> = LazyLock::new(|| {
    regex(
        r"(?i)\b(?:do not|don't|never|must not|mustn't|should not|shouldn't|does not need|doesn't need|no need|need not|can't|cannot|not have to|won't|without|instead of|rather than)\b|(?:^|\bplease\s|\band\s)no\s+\w+|不要|不用|不需要|不必|无需|别|不能|不得|禁止|不可以|请勿|不会",
    )
});

/// A fact that a task tells the agent to pass on.
static TOLD: LazyLock<Option<Regex>> = LazyLock::new(|| {
    regex(
        r"(?i)\b(?:tell|tells|telling|inform|informs|remind|reminds|mention|mentions|say|says|know|knows|note|explain|explains|let)\s+(?:the |our |my )?(?:people|them|customers?|users?|guests?|visitors?|everyone|callers?|parents?|students?|members?|patients?|clients?)?\s*(?:know\s+)?that\s+(?P<f>.{8,300})|(?:告诉|提醒|说明)(?:大家|他们|客人|用户|顾客|对方|家长)?[：:，]?(?P<z>(?:我们|本店|周|星期|每|营业|地址|电话).{3,120})",
    )
});

/// The sentence without words at its beginning that change nothing.
pub(super) fn bare(sentence: &str) -> &str {
    let sentence = sentence.trim_start_matches(|c: char| !c.is_alphanumeric());
    let lead = LEAD.as_ref().and_then(|regex| regex.find(sentence)).map_or(0, |m| m.end());
    let rest = sentence.get(lead..).unwrap_or_default();
    if rest.chars().any(char::is_alphanumeric) { rest } else { sentence }
}

fn is_chinese(text: &str) -> bool {
    let chinese = text.chars().filter(|c| is_cjk(*c)).count();
    chinese > text.split(|c: char| !c.is_ascii_alphanumeric()).filter(|w| !w.is_empty()).count()
}

/// Whether a sentence says what the agent shall do or be; otherwise it states a fact that the agent shall know.
pub(crate) fn is_task(sentence: &str) -> bool {
    let bare = bare(sentence);
    if names_agent(bare) && !["联系", "找", "问", "加", "打"].iter().any(|word| bare.contains(word)) {
        return true;
    }
    if matches(&NAMED, bare) || bare.split_once(", please ").is_some_and(|(_, rest)| matches(&ORDER, rest)) {
        return true;
    }
    if is_chinese(bare) {
        if matches(&ZH_AGENT, bare) || matches(&ZH_TASK, bare) && !matches(&ZH_FACT, bare) {
            return true;
        }
        return !matches(&ZH_FACT, bare) && ZH_TASK_WORDS.split('|').any(|word| bare.contains(word));
    }
    if matches(&WISH, bare) || matches(&NEED, bare) {
        return !matches(&NOTICE, bare);
    }
    let lower = bare.to_lowercase();
    if [
        "chatbot",
        " bot ",
        " bot.",
        " bot,",
        "assistant that",
        "assistant for",
        "an agent",
        "the agent",
        "a helper",
        "virtual assistant",
        "ai assistant",
        "calculator that",
        "a tool that",
        "a tool for",
        "a little tool",
        "an app that",
        "assistant:",
        "agent:",
        "bot:",
    ]
    .iter()
    .any(|word| lower.contains(word))
        || lower.ends_with(" bot")
        || lower.ends_with(" assistant")
        || lower.ends_with(" agent")
        || lower.ends_with(" helper")
        || lower.ends_with(" chatbot")
    {
        return !lower.starts_with("our ") && !lower.starts_with("the estate") && !lower.starts_with("my ");
    }
    if matches(&THIRD, bare) {
        return true;
    }
    // "Check-up: £20" names a thing.
    let named =
        ORDER.as_ref().and_then(|regex| regex.find(bare)).and_then(|m| bare.get(m.end()..)).is_some_and(|rest| {
            rest.starts_with(['-', '\'', '/', ':']) || rest.trim_start().starts_with(['=', '–', '—', '：'])
        });
    matches(&ORDER, bare) && !named && !matches(&SHOP_TALK, bare) && !has_fact_verb(bare)
}

/// Whether a word that says what is follows a subject: "The list is in the shop" is no order.
fn has_fact_verb(bare: &str) -> bool {
    let words: Vec<String> = bare
        .split(|c: char| !c.is_alphanumeric() && c != '\'')
        .filter(|w| !w.is_empty())
        .map(str::to_lowercase)
        .collect();
    // Only a verb directly behind the first word: later ones belong to what is ordered.
    words.get(1).is_some_and(|word| {
        [
            "is", "are", "was", "were", "has", "costs", "cost", "opens", "closes", "starts", "begins", "ends", "takes",
            "lasts",
        ]
        .contains(&word.as_str())
    })
}

/// Whether a Chinese sentence tells of the house: its address, what is allowed there.
pub(super) fn is_house_fact(sentence: &str) -> bool {
    matches(&ZH_FACT, bare(sentence))
}

/// Whether a text has a verb of a statement: "Free parking is behind the shop".
pub(super) fn states(sentence: &str) -> bool {
    let words = sentence.split(|c: char| !c.is_alphanumeric() && c != '\'').filter(|w| !w.is_empty());
    words.skip(1).any(|word| FACT_VERBS.split('|').any(|verb| word.eq_ignore_ascii_case(verb)))
}

/// Whether a sentence only greets or thanks.
pub(crate) fn is_courtesy(sentence: &str) -> bool {
    matches(&COURTESY, sentence.trim())
}

/// A question that asks for the agent itself: "Can you make me a bot?"
pub(super) fn is_request(sentence: &str) -> bool {
    let lower = bare(sentence).to_lowercase();
    let asks = [
        "can you build",
        "can you make",
        "could you build",
        "could you make",
        "would you build",
        "can you create",
        "could you create",
        "can someone",
        "can it ",
        "can the bot",
        "could it ",
        "can we have a bot",
        "能不能做",
        "可以帮我做",
        "能帮我做",
        "可以做一个",
        "能做一个",
    ];
    asks.iter().any(|ask| lower.starts_with(ask))
}

/// Whether a sentence behind an answer speaks to the builder again.
pub(super) fn speaks_to_builder(sentence: &str) -> bool {
    let lower = sentence.trim().to_lowercase();
    let turns = [
        "it should",
        "it must",
        "it can also",
        "it also",
        "the agent",
        "the bot",
        "the assistant",
        "also,",
        "also it",
        "please",
        "i want",
        "i need",
        "we want",
        "这个",
        "该智能体",
        "它",
        "另外",
        "同时",
        "此外",
        "还要",
        "还能",
        "请",
    ];
    let builds = [
        "build ", "make ", "create ", "set up ", "develop ", "i want", "i need", "we want", "we need", "i'd like",
        "做", "帮我", "给我", "构建", "创建", "开发", "制作", "希望", "我想", "我要",
    ];
    turns.iter().chain(&builds).any(|start| lower.starts_with(start)) && is_task(sentence)
        || lower.starts_with("it should")
        || lower.starts_with("also ") && is_task(sentence)
}

/// Whether a clause says how the agent shall behave.
pub(crate) fn is_manner(clause: &str) -> bool {
    matches(&MANNER, clause)
}

/// Whether a clause says what whoever orders the agent does himself: "I write blog posts".
pub(crate) fn is_owner(clause: &str) -> bool {
    static OWNER: LazyLock<Option<Regex>> = LazyLock::new(|| {
        regex(
            r"(?i)^(?:(?:hi|hello|so|and|well|ok)[,!\s]+)*(?:i|we) (?:run|own|have|are|am|sell|work|teach|manage|live|write|bake|cook|ship|deliver|rent|make|grow|do|play|organi[sz]e|travel|get)\b|^我们?(?:是|在|开|有|经营|卖|做.{0,6}的)",
        )
    });
    matches(&OWNER, clause)
}

/// Whether a clause tells of whoever orders the agent: "I run a bakery".
pub(crate) fn is_background(clause: &str) -> bool {
    static BACKGROUND: LazyLock<Option<Regex>> = LazyLock::new(|| {
        regex(
            r"(?i)^(?:(?:hi|hello|so|and|well|ok)[,!\s]+)*(?:(?:i|we) (?:run|own|have|are|am|sell|work|teach|manage|live|offer|rent|keep|forget|get|do|often|always)\b|(?:i'm|we're) (?:an?|the|in|from|running|a small)\b|(?:my|our) (?:shop|company|wife|husband|team|club|business|boss|kids|mother|father|grandma|students|customers|clients) (?:is|are|has|have|keep|keeps|always|often)\b|(?:people|customers|users|guests|parents|students|members|visitors|they)\b)|^(?:我们?(?:是|在|开|有|经营|这|公司|店|家|学校|单位)|我(?:开|在|是))",
        )
    });
    matches(&BACKGROUND, clause)
}

/// Whether a sentence is a noun with what it does: "Quizmaster that thinks up questions".
pub(super) fn describes_agent(sentence: &str) -> bool {
    static DESCRIBED: LazyLock<Option<Regex>> =
        LazyLock::new(|| regex(r"(?i)^(?:[\w'-]+\s){0,3}[\w'-]+\s(?:that|which|who)\s+(?:\w+ly\s)?\w+s\b"));
    matches(&DESCRIBED, bare(sentence))
}

/// Whether a clause only names the agent that is wanted: "Freelancer tax helper", 装修换算助手.
pub(crate) fn names_agent(clause: &str) -> bool {
    static AGENT: LazyLock<Option<Regex>> = LazyLock::new(|| {
        regex(
            r"(?i)^(?:(?:an?|the|my|our|your|simple|small|little|friendly)\s+)*(?:[\w'’&/+-]+\s+){0,4}(?:helper|bot|assistant|agent|chatbot|buddy|sidekick|toolbox|companion|desk|advisor|adviser|aid|kit|gadget)[.!]*$|^.{0,14}(?:助手|机器人|智能体|小程序|客服|管家|小工具|助理)[。！]?$",
        )
    });
    matches(&AGENT, clause.trim())
}

/// Whether a clause forbids something.
pub(crate) fn forbids(clause: &str) -> bool {
    let asks = ["能不能", "可不可以", "会不会", "要不要", "是不是"]
        .iter()
        .fold(clause.to_owned(), |text, word| text.replace(word, ""));
    matches(&FORBIDS, &asks)
}

/// The fact that a task tells the agent to pass on.
pub(super) fn told(sentence: &str) -> Option<&str> {
    let captures = TOLD.as_ref()?.captures(sentence)?;
    let fact = captures.name("f").or_else(|| captures.name("z"))?.as_str();
    let offset = fact.as_ptr() as usize - sentence.as_ptr() as usize;
    let fact = sentence.get(offset..offset + fact.len())?;
    // "say that it does not know" tells nothing.
    let lower = fact.to_lowercase();
    let behaves = [
        "it doesn't",
        "it does not",
        "you don't",
        "you do not",
        "it can't",
        "it cannot",
        "they should",
        "they can ask",
        "it is not sure",
    ]
    .iter()
    .any(|start| lower.starts_with(start));
    (!behaves && (states(fact) || is_chinese(fact))).then_some(fact)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_patterns_are_sound() {
        for regex in [
            &LEAD, &WISH, &NEED, &NOTICE, &NAMED, &ORDER, &THIRD, &COURTESY, &SHOP_TALK, &ZH_TASK, &ZH_AGENT, &ZH_FACT,
            &MANNER, &FORBIDS, &TOLD,
        ] {
            assert!(regex.is_some());
        }
    }

    #[test]
    fn tasks() {
        for text in [
            "It should also convert kg to lb.",
            "请做一个计算日期的助手",
            "Analyse CSV data and query JSON documents",
            "hi there, i'd like a little helper for our book club",
            "Customers keep asking when we open",
            "Can you make me something that works out tips?",
            "People will paste a text.",
            "If someone asks for medical advice, refuse.",
            "My wife would like something that counts calories.",
            "Our front desk is looking for a helper with opening hours.",
            "I'm a teacher, I paste the test scores and want mean, median and the highest.",
            "Never invent prices.",
            "用户会粘贴一段文字",
            "能换算公斤和磅",
            "不要编造价格",
            "A calculator that splits bills",
            "Please keep answers short.",
            "客人经常问营业时间",
        ] {
            assert!(is_task(text), "{text}");
        }
    }

    #[test]
    fn facts() {
        for text in [
            "The museum is closed on Mondays and public holidays.",
            "Items bought online may be returned within 30 days.",
            "博物馆每周一闭馆，节假日照常开放。",
            "I run a small bakery in Leeds called Crumb.",
            "Free parking behind the shop",
            "Open Mon–Fri 9–5",
            "Call 555-0101 for reservations.",
            "Book online or at the desk.",
            "Please bring your own towel.",
            "可以带宠物",
            "必须戴泳帽，6岁以下需家长陪同。",
            "支持微信支付",
            "我们店在人民路12号",
            "Dogs are welcome on the terrace.",
            "Return items within 14 days.",
            "Lessons take 45 minutes.",
            "The sauna costs extra.",
        ] {
            assert!(!is_task(text), "{text}");
        }
    }

    #[test]
    fn facts_inside_tasks() {
        assert_eq!(told("Tell customers that we close at 6 on Fridays."), Some("we close at 6 on Fridays."));
        assert_eq!(told("It should say that it does not know."), None);
    }
}
