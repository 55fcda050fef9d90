//! Ten requirements of different kinds give ten different agents that pass their own tests and answer.
#![allow(clippy::expect_used, clippy::panic, clippy::indexing_slicing, clippy::unwrap_used)]

mod common;

use common::{build, converse};

type Steps = &'static [(&'static str, &'static str, &'static [&'static str])];

struct Case {
    project: &'static str,
    requirement: &'static str,
    tools: &'static [&'static str],
    steps: Steps,
}

const CASES: &[Case] = &[
    Case {
        project: "Company directory",
        requirement: "Create an assistant for our staff directory.\n\n| name | department | phone | salary |\n|------|------------|-------|--------|\n| Alice Smith | Sales | 555-0101 | 5000 |\n| Bob Jones | Engineering | 555-0102 | 7000 |\n| Carol Wu | Sales | 555-0103 | 6100 |\n\nIt looks up phones and departments and can tell the average salary.",
        tools: &["table_lookup"],
        steps: &[
            ("What is the phone of Bob Jones?", "look_up", &["555-0102"]),
            ("and Carol Wu?", "look_up", &["555-0103"]),
            ("Who has the highest salary?", "table_figure", &["7000", "Bob Jones"]),
            ("average salary", "table_figure", &["6033.33"]),
            ("who works in Sales?", "find_rows", &["Alice Smith", "Carol Wu"]),
            ("Write me a song", "", &["cannot answer", "Table lookup"]),
        ],
    },
    Case {
        project: "Support desk",
        requirement: "Build a customer support agent that answers these frequently asked questions.\nQ: What are your opening hours?\nA: Monday to Friday, 9:00 to 18:00.\nQ: How can I return an item?\nA: Send it back within 30 days with the receipt.\nQ: Do you ship abroad?\nA: Yes, to all EU countries.\n\nIt should also sort tickets into categories: billing (invoice, refund, payment), technical (crash, error, login), delivery (parcel, courier, late).",
        tools: &["faq_answers", "text_classifier"],
        steps: &[
            ("when are you open?", "answer_faq", &["Monday to Friday"]),
            ("I want to return an item I bought", "answer_faq", &["30 days"]),
            ("Classify this ticket: my parcel is late and the courier lost it", "classify_text", &["delivery"]),
            ("Classify: the app shows an error at login", "classify_text", &["technical"]),
        ],
    },
    Case {
        project: "Deadline helper",
        requirement: "I need an agent that calculates days between dates, working days until a deadline, and tells the weekday of a date.",
        tools: &["date_calculator"],
        steps: &[
            ("days between 2026-01-01 and 2026-03-01", "days_between", &["59"]),
            ("what weekday is July 4, 2026?", "weekday_of", &["Saturday"]),
            ("and 2026-12-25?", "weekday_of", &["Friday"]),
            ("What date is 3 weeks after 2026-02-10?", "add_to_date", &["2026-03-03"]),
        ],
    },
    Case {
        project: "Writer's tool",
        requirement: "A writing assistant: summarise articles, count words and characters, extract email addresses and links from text, and change text to upper or lower case.",
        tools: &["text_summary", "text_statistics", "pattern_extract", "text_transform"],
        steps: &[
            ("How many words are in: the quick brown fox jumps over the dog", "text_statistics", &["8 words"]),
            (
                "Extract the emails from: ask ada@example.org or bo@example.com today",
                "extract_kind",
                &["ada@example.org", "bo@example.com"],
            ),
            (
                "Summarise in 1 sentence: Bees pollinate fruit trees. I had lunch. Without bees, fruit trees bear no fruit.",
                "summarize",
                &["ees", "1 of 3"],
            ),
            ("Convert to uppercase: quiet please", "transform_text", &["QUIET PLEASE"]),
        ],
    },
    Case {
        project: "Dev toolbox",
        requirement: "Build a developer toolbox agent. It computes SHA-256 and MD5 checksums, encodes and decodes Base64 and URLs, validates and queries JSON, and converts numbers between binary and hexadecimal.",
        tools: &["hash_text", "encode_text", "json_query", "number_bases"],
        steps: &[
            ("sha256 of hello", "hash_text", &["2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824"]),
            ("and md5?", "hash_text", &["5d41402abc4b2a76b9719d911017c592"]),
            ("Base64 encode \"hello world\"", "encode_text", &["aGVsbG8gd29ybGQ="]),
            ("decode it back", "decode_text", &["hello world"]),
            ("What is users[0].name in {\"users\": [{\"name\": \"Ada\"}]}", "json_path", &["Ada"]),
            ("255 in hexadecimal", "convert_base", &["ff"]),
        ],
    },
    Case {
        project: "Data desk",
        requirement: "An agent for data analysis: users paste CSV data and ask for sums, averages, filters and grouping; it can format results as Markdown tables and compute statistics such as median and standard deviation of a list of numbers.",
        tools: &["csv_query", "markdown_table", "number_statistics"],
        steps: &[
            (
                "What is the total amount by city?\ncity,amount\nParis,3\nRome,4\nParis,5",
                "group_csv",
                &["| Paris | 8 |", "| Rome | 4 |"],
            ),
            ("and the average amount", "csv_figure", &["4"]),
            ("Format as a Markdown table:\nname,age\nAda,36\nBo,41", "to_markdown_table", &["| Ada | 36 |"]),
            ("standard deviation of 2, 4, 4, 4, 5, 5, 7, 9", "describe_numbers", &["2.14"]),
        ],
    },
    Case {
        project: "Travel money",
        requirement: "Travel assistant. Use these exchange rates: 1 EUR = 1.08 USD, 1 EUR = 160 JPY. It also converts miles to kilometers and fahrenheit to celsius and calculates tips and splits bills.",
        tools: &["exchange_rates", "unit_converter", "finance_calculator"],
        steps: &[
            ("100 EUR in USD", "convert_currency", &["108.00 USD"]),
            ("and in JPY?", "convert_currency", &["16000.00 JPY"]),
            ("5 miles in km", "convert_units", &["8.05"]),
            ("86 fahrenheit in celsius", "convert_units", &["30 °C"]),
            ("Split a bill of 80 between 4 people with 10% tip", "split_bill", &["22"]),
        ],
    },
    Case {
        project: "水果店",
        requirement: "做一个水果店助手，价格如下：苹果 3元, 梨 4元, 香蕉每斤5.5元。它还能把公斤换算成磅。",
        tools: &["price_list", "unit_converter"],
        steps: &[
            ("3个梨多少钱？", "quote_items", &["12 元"]),
            ("再加5个苹果呢？", "quote_items", &["15 元"]),
            ("两个苹果和三斤香蕉一共多少钱？", "quote_items", &["22.50 元"]),
            ("最便宜的是什么？", "compare_prices", &["苹果"]),
            ("列出所有价格", "list_prices", &["梨: 4 元"]),
            ("12公斤等于多少磅？", "convert_units", &["26.46"]),
            ("写一首诗", "", &["回答不了"]),
        ],
    },
    Case {
        project: "日期与文本",
        requirement: "开发一个中文办公助手：统计文本字数、生成文章摘要、提取邮箱和电话号码，计算两个日期相差多少天。",
        tools: &["text_statistics", "text_summary", "pattern_extract", "date_calculator"],
        steps: &[
            ("统计字数：今天天气很好，我们去公园。", "text_statistics", &["汉字 11"]),
            ("提取邮箱：请联系 ada@example.org", "extract_kind", &["ada@example.org"]),
            ("2026年1月1日到2026年3月1日相差多少天？", "days_between", &["59"]),
            ("2026-07-04是星期几？", "weekday_of", &["星期六"]),
            ("用1句话总结：茶树喜欢温暖的气候。昨天下雨了。茶叶的品质取决于茶树的气候。", "summarize", &["茶"]),
        ],
    },
    Case {
        project: "客服问答",
        requirement: "构建一个电商客服智能体，回答常见问题。\n问：可以退货吗？\n答：支持七天无理由退货。\n问：多久发货？\n答：付款后48小时内发货。\n问：怎么联系客服？\n答：拨打400-123-4567。",
        tools: &["faq_answers"],
        steps: &[
            ("我想退货", "answer_faq", &["七天"]),
            ("什么时候发货", "answer_faq", &["48小时"]),
            ("客服怎么联系", "answer_faq", &["400-123-4567"]),
            ("你能做什么？", "", &["常见问题"]),
        ],
    },
];

/// Builds one agent, checks its tools and its answers; returns its name.
async fn build_and_ask(case: &Case) -> String {
    let built = build(case.project, case.requirement).await;
    let agent = built.agent();
    let mut tools = agent.tools.clone();
    tools.sort();
    let mut expected = case.tools.to_vec();
    expected.sort_unstable();
    assert_eq!(tools, expected, "{}", case.requirement);
    let running = built.start().await;
    converse(&running, "0123456789012345678901234567890123456789", case.steps).await;
    running.stop().await.expect("it stops");
    agent.agent_name.clone()
}

#[tokio::test]
async fn ten_different_agents() {
    let mut names = Vec::new();
    let mut failed = Vec::new();
    // Each on a task of its own, so that one failure does not hide the others.
    for case in CASES {
        match tokio::spawn(build_and_ask(case)).await {
            Ok(name) => names.push(name),
            Err(_) => failed.push(case.project),
        }
    }
    assert!(failed.is_empty(), "{failed:?}");
    names.sort();
    names.dedup();
    assert_eq!(names.len(), CASES.len());
}
